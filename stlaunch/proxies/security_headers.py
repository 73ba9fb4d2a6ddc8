"""The response headers that `--security-headers` writes, and the lines that set one of them.

The policy is in `stlaunch.diagnostics.page_policy`; a product says only how it sets a header.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from stlaunch.diagnostics.page_policy import page_policy
from stlaunch.proxies.model import Lines, Part
from stlaunch.proxies.needs import Need
from stlaunch.proxies.site import Site

Header: TypeAlias = tuple[str, str]
_POLICY = "Content-Security-Policy"
_FRAMES = ("X-Frame-Options", "SAMEORIGIN")
_FEATURES = (
    *("camera=(self)", "microphone=(self)", "clipboard-write=(self)", "geolocation=(self)"),
    *("payment=()", "usb=()"),
)
_OTHERS: tuple[Header, ...] = (
    _FRAMES,
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "same-origin"),
    ("Permissions-Policy", ", ".join(_FEATURES)),
)
_WHY = {
    Need.CONTENT_POLICY: "As strict as Streamlit allows; it takes the place of any other policy.",
    Need.FRAME_OPTIONS: "Custom components are frames of the app's own page; other sites stay out.",
    Need.SECURITY_HEADERS: "As strict as Streamlit allows; see `stlaunch guide security-headers`.",
}


def headers_for(need: Need, site: Site) -> tuple[Header, ...]:
    """Return the names and values that meet a need."""
    policy = (_POLICY, page_policy(site.embedders))
    match need:
        case Need.CONTENT_POLICY:
            return (policy,)
        case Need.FRAME_OPTIONS:
            return (_FRAMES,)
        case _:
            return (policy, *_OTHERS)


def header_lines(place: str, render: Callable[[Need, Sequence[Header]], str]) -> Lines:
    """Return a product's lines for the three needs.

    Args:
        place: where they go.
        render: turns a need (for a name, if one is wanted) and headers into lines that set them,
            whatever the app itself sends. No value holds a double quote or a backslash.
    """

    def parts(need: Need) -> Callable[[Site], tuple[Part, ...]]:
        return lambda site: (Part(place, render(need, headers_for(need, site)), _WHY[need]),)

    return {need: parts(need) for need in _WHY}
