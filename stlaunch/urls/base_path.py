"""The path the app is served under: parsed once here, never a string again.

It must not know what lies below the path.
"""

from __future__ import annotations

import re
from urllib.parse import unquote

from stlaunch.errors import UsageError
from stlaunch.quick_dataclass import dataclass

# RFC 3986 section 3.3: pchar, with percent-encoded octets only where they are complete.
_SEGMENT = re.compile(r"(?:[A-Za-z0-9\-._~!$&'()*+,;=:@]|%[0-9A-Fa-f]{2})+")
_MAX = 512
_REFUSED_MARKS = {
    "\\": "a backslash",
    "?": "a query",
    "#": "a fragment",
    "//": "an empty segment (//)",
}


@dataclass(frozen=True, slots=True)
class BasePath:
    """An absolute URL path without its final slash; the root is the empty one.

    Build it with `BasePath.parse`. `str()` gives `/streamlitApp`, and `""` for the root.
    """

    value: str = ""

    @classmethod
    def parse(cls, text: str) -> BasePath:
        """Read a base path as people write it.

        >>> str(BasePath.parse("streamlitApp/")), str(BasePath.parse("/"))
        ('/streamlitApp', '')

        Args:
            text: `/streamlitApp`, `streamlitApp/` or `/`. For a URL see `PublicUrl.parse`.

        Raises:
            UsageError: for an empty path segment, `.` or `..`, a backslash, a control or
                non-ASCII character, a query or a fragment.
        """
        refused = _why_refused(text)
        if refused:
            raise UsageError(
                f"The base path {text!r} {refused}.",
                hint="Write the path in the browser's address bar, such as /streamlitApp.",
            )
        return cls("/" + path if (path := text.strip("/")) else "")

    @classmethod
    def parse_forwarded(cls, text: str) -> BasePath | None:
        """Read a path that a header or a page reported; None for anything but a plain path.

        Such values can be forged even when a trusted proxy passes them on, so a scheme, a host
        (`//evil.example`), a dot segment or an encoded separator never gets through.
        """
        text = text.strip(" \t")
        if not text.startswith("/") or _why_refused(text):
            return None
        return cls("/" + path if (path := text.strip("/")) else "")

    def __str__(self) -> str:
        return self.value

    @property
    def decoded(self) -> str:
        """The path as ASGI's `scope["path"]` carries it: percent-encoding undone."""
        return unquote(self.value)

    @property
    def depth(self) -> int:
        """The number of segments; the same in encoded and decoded form."""
        return self.value.count("/")

    @property
    def with_slash(self) -> str:
        """The path as the address of a page: `/streamlitApp/`, and `/` for the root."""
        return self.value + "/"

    def strip_from(self, path: str) -> str | None:
        """Return what follows this base in `path`, or None where the path is not below it.

        `path` is a decoded one, as in `scope["path"]`. Only whole segments count: `/apple` is
        not under `/app`.

        >>> BasePath("/app").strip_from("/app/x"), BasePath("/app").strip_from("/apple")
        ('/x', None)
        >>> BasePath("/app").strip_from("/app")
        ''
        """
        base = self.decoded
        if not path.startswith(base):
            return None
        rest = path[len(base) :]
        return rest if not rest or rest.startswith("/") else None

    def joined(self, other: BasePath) -> BasePath:
        """Return `other` below this path."""
        return BasePath(self.value + other.value)


def _why_refused(text: str) -> str | None:
    if len(text) > _MAX:
        return f"is longer than {_MAX} characters"
    if any(ord(char) < 0x20 or ord(char) == 0x7F for char in text):  # noqa: PLR2004 - ASCII
        return "contains a control character"
    for mark, reason in _REFUSED_MARKS.items():
        if mark in text:
            return f"contains {reason}"
    if re.search("%(?:2f|5c|[01][0-9a-f]|7f)", text, re.IGNORECASE):
        return "contains an encoded separator or control character"
    segments = [segment for segment in text.strip("/").split("/") if text.strip("/")]
    for segment in segments:
        if segment.replace("%2e", ".").replace("%2E", ".") in {".", ".."}:
            return f"contains the dot segment {segment!r}"
        if not _SEGMENT.fullmatch(segment):
            return f"contains a character that a URL path cannot hold, in {segment!r}"
    return None
