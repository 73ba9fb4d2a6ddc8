"""What a sign is: a header or a page that reveals a product. Plain data."""

from __future__ import annotations

import re
from enum import Enum, auto

from stlaunch.quick_dataclass import dataclass


class Side(Enum):
    """Which way a sign travels."""

    REQUEST = auto()
    """To the app: only the app sees it."""
    ANSWER = auto()
    """To the browser: the check and the self-check page see it."""
    BOTH = auto()


class PageKind(Enum):
    """The kind of a page that comes in place of the app's."""

    DEFAULT = auto()
    """The page of a server that nobody has configured: it names the server."""
    LOGIN = auto()
    """A login, or a redirect to one. Other pages link to logins: used only to look for one."""
    REFUSAL = auto()
    """A firewall's. Other pages contain its words too: used only for a refused request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign:
    """Something by which a product, or a service, gives itself away.

    Attributes:
        header: the one to search for the pattern, in lower case; empty: the body.
        pattern: its group `version`, if any, is the product's version.
        name: as people call what left it; empty: the product's title.
        side: which way it travels.
        present: other headers that must be there.
        absent: headers that must not.
        status: of the answer; 0 for any.
        page: the kind of page that the pattern is found in; None for any other sign.
    """

    header: str
    pattern: re.Pattern[str] = re.compile(".")
    name: str = ""
    side: Side = Side.BOTH
    present: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    status: int = 0
    page: PageKind | None = None


VERSION = r"(?:[/ ]v?(?P<version>[0-9][\w.]{0,20}))?"
"""A version after a product's name."""


def server(pattern: str, name: str = "") -> Sign:
    """Return the sign of an answer's Server header."""
    return Sign(header="server", pattern=_folded(pattern), name=name, side=Side.ANSWER)


def via(pattern: str, name: str = "") -> Sign:
    """Return the sign of a Via header, which travels both ways."""
    return Sign(header="via", pattern=_folded(pattern), name=name)


def cookie(pattern: str, name: str = "") -> Sign:
    """Return the sign of a cookie that an answer sets."""
    return Sign(header="set-cookie", pattern=_folded(pattern), name=name, side=Side.ANSWER)


def body(
    pattern: str,
    *,
    status: int = 0,
    present: frozenset[str] = frozenset(),
    absent: frozenset[str] = frozenset(),
) -> Sign:
    """Return the sign of a page that a product writes itself."""
    return Sign(
        header="",
        pattern=_folded(pattern),
        side=Side.ANSWER,
        status=status,
        present=present,
        absent=absent,
    )


def default_page(pattern: str, name: str = "") -> Sign:
    """Return the sign of the page that a fresh installation shows."""
    return _page(re.compile(pattern), name, PageKind.DEFAULT)


def login(pattern: str, name: str) -> Sign:
    """Return the sign of a login, in its page or in the address that leads to it."""
    return _page(_folded(pattern), name, PageKind.LOGIN)


def refusal(pattern: str, name: str = "") -> Sign:
    """Return the sign of the page with which a firewall refuses a request."""
    return _page(_folded(pattern), name, PageKind.REFUSAL)


def sent(
    header: str,
    *present: str,
    absent: tuple[str, ...] = (),
    name: str = "",
    side: Side = Side.REQUEST,
) -> Sign:
    """Return the sign of headers that are there, whatever their values."""
    return Sign(
        header=header,
        name=name,
        side=side,
        present=frozenset(present),
        absent=frozenset(absent),
    )


def _page(pattern: re.Pattern[str], name: str, page: PageKind) -> Sign:
    return Sign(header="", pattern=pattern, name=name, side=Side.ANSWER, page=page)


def _folded(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)
