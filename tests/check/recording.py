"""Observations that were recorded once, to be changed in one place and evaluated again.

`python -m tests.check.recording` records a healthy app under stlaunch, behind nginx with TLS.
"""

from __future__ import annotations

import copy
import dataclasses
import enum
import json
import os
import tempfile
import types
import typing
from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

from stlaunch.check.observations import Observations
from tests.check.apps import make_certificates, start_apps
from tests.check.frames import nginx
from tests.check.matrix_nginx import STL_HOST
from tests.check.run_setup import run_setup
from tests.check.setups import Setup

_FILE = Path(__file__).parent / "recordings" / "healthy.json"


class Gone(enum.Enum):
    """As a patch's value: remove it."""

    GONE = "gone"


GONE = Gone.GONE

# What loopback, a private address and an older self-check cannot give.
_COMPLETED: dict[str, Any] = {
    "dns": {"ipv4": ["192.0.2.1"], "ipv6": ["2001:db8::1"], "failure": None, "detail": ""},
    "dialled": [
        {"address": "192.0.2.1", "port": 443, "elapsed_ms": 9, "failure": None, "detail": ""},
        {"address": "2001:db8::1", "port": 443, "elapsed_ms": 9, "failure": None, "detail": ""},
    ],
    "self_check.request.client": "9.9.9.9",
    "forged.request.client": "9.9.9.9",
    "tls.alpn": "h2",
    "http2": {"is_advertised": True, "status": 200, "detail": ""},
    "http.component": {
        "url": "https://app.example.test/app/component/stlaunch_check.none/index.html",
        "status": 404,
        "text": "Not Found",
    },
    "load": {"asked": 66, "refused": 0, "refusal": None},
    "limits.drip_first_ms": 20,
    "limits.drip_last_ms": 900,
    "http.asset_gzip.headers": [["content-encoding", "gzip"]],
}


def recorded(patch: Mapping[str, Any] | None = None) -> Observations:
    """Return the recording with some values replaced; a patch maps dotted names to values."""
    data = json.loads(_FILE.read_text(encoding="utf-8"))
    for name, value in copy.deepcopy(_COMPLETED | dict(patch or {})).items():
        _set(data, name.split("."), value)
    built = _build(Observations, data)
    assert isinstance(built, Observations)
    return built


def _set(data: Any, path: list[str], value: Any) -> None:
    *parents, last = path
    for name in parents:
        data = data[int(name) if isinstance(data, list) else name]
    if value is GONE:
        del data[last]
    else:
        data[last] = value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _build(kind: Any, value: Any) -> Any:
    """Make dataclasses, enums and tuples of what JSON knows."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = _hints(kind)
        return kind(**{name: _build(hints[name], item) for name, item in value.items()})
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in {typing.Union, types.UnionType}:
        return None if value is None else _build(arguments[0], value)
    if origin is tuple:
        if len(arguments) == 2 and arguments[1] is not Ellipsis:
            return tuple(value)
        return tuple(_build(arguments[0], item) for item in value)
    if origin is not None and issubclass(origin, Mapping):
        return {name: _build(arguments[1], item) for name, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind(value)
    return value


def main() -> None:
    """Record."""
    setup = Setup(
        name="recording",
        expected="",
        tls="good",
        limits=3,
        hops=(
            nginx(
                "gzip on; gzip_proxied any; gzip_types text/javascript; proxy_buffering off; "
                "location /app/_stcore/metrics { deny all; } "
                + STL_HOST.replace("}", "proxy_set_header X-Forwarded-Host $http_host; }").replace(
                    "201m", "300m"
                )
            ),
        ),
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        authority, certificates = make_certificates(folder)
        os.environ["SSL_CERT_FILE"] = str(authority)
        with start_apps(folder) as apps:
            seen = run_setup(setup, apps, certificates).seen
    data = seen.as_dict()
    for exchange in data["http"].values():
        exchange["text"] = exchange["text"][:9000]
    _FILE.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
