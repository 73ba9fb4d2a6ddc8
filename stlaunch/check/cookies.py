"""The cookies that a browser would keep and send back; it stores nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from stlaunch.check.target import Target

XSRF = "_streamlit_xsrf"


@dataclass(frozen=True, slots=True, kw_only=True)
class SetCookie:
    """One Set-Cookie line, read as RFC 6265 section 5.2 says."""

    name: str
    value: str
    path: str = ""
    domain: str = ""
    is_secure: bool = False

    @classmethod
    def parse(cls, line: str) -> SetCookie:
        """Read a line; what is malformed is left out."""
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
        )

    def reaches(self, target: Target) -> bool:
        """Tell whether a browser that got this from the target sends it to the stream."""
        if self.is_secure and not target.is_tls:
            return False
        host = target.origin.host
        if self.domain and host != self.domain and not host.endswith("." + self.domain):
            return False
        path = self.path if self.path.startswith("/") else "/"
        asked = target.path("/_stcore/stream")
        return asked.startswith(path) and (
            path.endswith("/") or asked[len(path) : len(path) + 1] in {"", "/"}
        )


def kept(lines: Iterable[str], target: Target) -> dict[str, str]:
    """Return name -> value of the cookies that would be sent to the stream."""
    cookies = [SetCookie.parse(line) for line in lines]
    return {cookie.name: cookie.value for cookie in cookies if cookie.reaches(target)}
