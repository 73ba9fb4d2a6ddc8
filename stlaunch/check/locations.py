"""Resolve the addresses that a server sends; they may contain anything."""

from __future__ import annotations

from urllib.parse import SplitResult, urljoin, urlsplit

_MAX = 4096
_NOWHERE = SplitResult("", "", "", "", "")


def resolve(base: str, reference: str) -> SplitResult:
    """Return where `reference`, found at `base`, leads; all parts empty where it is malformed."""
    try:
        return urlsplit(urljoin(base, reference[:_MAX]))
    except ValueError:
        return _NOWHERE


def origin_of(place: SplitResult) -> str:
    """Return scheme, host and port as written."""
    return f"{place.scheme}://{place.netloc}"
