"""Resolve the addresses that a server sends; they may contain anything."""

from __future__ import annotations

from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from stlaunch.urls.base_path import BasePath

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


def is_within(base: BasePath, path: str) -> bool:
    """Return whether a path, as an address spells it, is at the base or below it.

    >>> is_within(BasePath("/user/jane%40example.com"), "/user/jane%40example.com/page")
    True
    """
    return base.strip_from(unquote(path)) is not None
