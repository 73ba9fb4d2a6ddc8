"""Read a page's report of what its browser blocked: only words of a closed list.

Anybody can send such a report, and everybody who looks at the log reads it, so nothing of it but
these words is used. `blocked.js` sends them.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.datastructures import QueryParams

from stlaunch.quick_dataclass import dataclass

_MAX_QUERY = 256
DIRECTIVES = frozenset(
    {
        "connect-src",
        "font-src",
        "frame-src",
        "img-src",
        "media-src",
        "require-trusted-types-for",
        "script-src",
        "script-src-elem",
        "style-src-attr",
        "style-src-elem",
        "worker-src",
    }
)
THINGS: Mapping[str, str] = {
    "own": "something of the app's own address",
    "other": "something of another site, which the app asks for",
    "inline": "styles or scripts that are made in the page",
    "eval": "code that is made of text, which charts by Vega need",
    "data": "something that is made in the page (data:, blob:)",
    "code": "scripts that are made in the page",
}
"""What was blocked, in words."""
_NEEDED_BY_ALL = frozenset({("connect-src", "own"), ("script-src-elem", "own")})


@dataclass(frozen=True, slots=True)
class Blocked:
    """One thing that a policy blocks in the page.

    Attributes:
        directive: the directive of Content-Security-Policy.
        thing: a key of `THINGS`.
    """

    directive: str
    thing: str

    @property
    def stops_the_page(self) -> bool:
        """Whether every page needs it."""
        return (self.directive, self.thing) in _NEEDED_BY_ALL

    @property
    def is_of_another_site(self) -> bool:
        """Whether Streamlit's own page does not need it."""
        return self.thing == "other"

    def __str__(self) -> str:
        return f"{self.directive} blocks {THINGS[self.thing]}"


def is_report(query: bytes) -> bool:
    """Return whether a request for the page script is a report, well-formed or not."""
    return b"blocked=" in query[:_MAX_QUERY]


def read_blocked(query: bytes) -> Blocked | None:
    """Return the contents of a report; None for anything but words of the list."""
    values = QueryParams(query[:_MAX_QUERY])
    directive, thing = values.get("blocked", ""), values.get("thing", "")
    if directive not in DIRECTIVES or thing not in THINGS:
        return None
    return Blocked(directive, thing)
