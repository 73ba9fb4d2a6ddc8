"""What proxies send in forwarding headers, and which of them are trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stlaunch.forwarded.headers import FORWARDING_HEADERS
from stlaunch.forwarded.trusted_proxies import TrustedProxies

if TYPE_CHECKING:
    from stlaunch.forwarded.resolve import Forwarded, resolve_forwarded

__all__ = ["FORWARDING_HEADERS", "Forwarded", "TrustedProxies", "resolve_forwarded"]


def __getattr__(name: str) -> Any:
    # Late: the command line needs TrustedProxies alone, and the parser is slow to import.
    if name in {"Forwarded", "resolve_forwarded"}:
        from stlaunch.forwarded import resolve  # noqa: PLC0415

        return getattr(resolve, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
