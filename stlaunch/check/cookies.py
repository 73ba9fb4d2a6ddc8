"""Keep the cookies that a browser would keep, and send them back in the same order."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import field
from email.utils import parsedate_to_datetime

from stlaunch.check.locations import resolve
from stlaunch.check.observations import Exchange
from stlaunch.check.target import Target
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.streamlit_routes import STREAM

XSRF = "_streamlit_xsrf"
_MAX_COOKIES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCookie:
    """One Set-Cookie line, parsed as in RFC 6265 section 5.2."""

    name: str
    value: str
    path: str = ""
    domain: str = ""
    is_secure: bool = False
    is_expired: bool = False

    @classmethod
    def parse(cls, line: str) -> SetCookie:
        """Parse a line, ignoring malformed parts."""
        first, *rest = line.split(";")
        name, _, value = first.partition("=")
        attributes: dict[str, str] = {}
        for part in rest:
            key, _, text = part.partition("=")
            attributes[key.strip().lower()] = text.strip()
        return cls(
            name=name.strip(),
            value=value.strip(),
            path=attributes.get("path", ""),
            domain=attributes.get("domain", "").lstrip(".").lower(),
            is_secure="secure" in attributes,
            is_expired=_is_over(attributes),
        )

    def reaches(self, target: Target, *, asked: str = "", default_path: str = "/") -> bool:
        """Return whether a browser that got this from the target sends it back.

        Args:
            target: whose host and scheme count.
            asked: the requested path; the stream's if empty.
            default_path: for a cookie that names none.
        """
        if self.is_secure and not target.is_tls:
            return False
        host = target.origin.host
        if self.domain and host != self.domain and not host.endswith("." + self.domain):
            return False
        path = self.path if self.path.startswith("/") else default_path
        asked = asked or target.path(STREAM)
        return asked.startswith(path) and (
            path.endswith("/") or asked[len(path) : len(path) + 1] in {"", "/", "?"}
        )


@dataclass(slots=True)
class Jar:
    """One browser's cookies of one target.

    Only cookies from consecutive requests are kept: two at once may be answered by two
    replicas, and no browser would send one's cookie along with the other's page.
    """

    target: Target
    _kept: dict[tuple[str, str, str], tuple[SetCookie, str]] = field(default_factory=dict)

    def keep(self, answer: Exchange) -> None:
        """Store an answer's cookies; later ones replace earlier ones, expired ones are dropped."""
        default = resolve(answer.url, "").path.rpartition("/")[0] or "/"
        for cookie in map(SetCookie.parse, answer.cookies()):
            key = (cookie.name, cookie.domain, cookie.path)
            self._kept.pop(key, None)
            if cookie.name and not cookie.is_expired and len(self._kept) < _MAX_COOKIES:
                self._kept[key] = cookie, default

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all stored cookies."""
        return tuple(cookie.name for cookie, _ in self._kept.values())

    def sent_to(self, path: str) -> dict[str, str]:
        """Return the cookies, name -> value, that a browser sends to a path of the target."""
        return {
            cookie.name: cookie.value
            for cookie, default in self._kept.values()
            if cookie.reaches(self.target, asked=path, default_path=default)
        }


def as_pairs(cookies: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Format cookies as in a Cookie header."""
    return tuple(f"{name}={value}" for name, value in cookies)


def _is_over(attributes: dict[str, str]) -> bool:
    age = attributes.get("max-age")
    if age is not None:
        return age.startswith("-") or age == "0"
    try:
        return parsedate_to_datetime(attributes["expires"]).timestamp() < time.time()
    except (KeyError, ValueError, TypeError, OverflowError):
        return False
