"""The variables that Kubernetes sets for each Service; a Service's name decides theirs.

A Service called `stlaunch` or `streamlit-server` lands among the settings of that name, with the
value `tcp://10.0.0.1:80`. Nothing is decided here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(
    r"[A-Z0-9_]+?_(?:SERVICE_HOST|SERVICE_PORT(?:_.*)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_.*)?)"
)
_VALUE = re.compile(r"(?:tcp|udp|sctp)://\S+:\d+")


def is_service_variable(name: str, value: str) -> bool:
    """Recognise a variable that Kubernetes made from a Service's name.

    >>> is_service_variable("STREAMLIT_SERVER_PORT", "tcp://10.0.0.1:8501")
    True
    >>> is_service_variable("STREAMLIT_SERVER_PORT", "8501")
    False
    """
    return bool(_NAME.fullmatch(name)) or is_service_address(value)


def is_service_address(value: str) -> bool:
    """Distinguish `tcp://10.0.0.1:80` from a port."""
    return _VALUE.fullmatch(value) is not None


def service_variables(environ: Mapping[str, str], *fronts: str) -> tuple[str, ...]:
    """Return the names of service variables that begin with one of `fronts`, sorted."""
    return tuple(
        sorted(
            name
            for name, value in environ.items()
            if name.startswith(fronts) and is_service_variable(name, value)
        )
    )
