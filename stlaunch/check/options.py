"""What to check, and how: plain data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TypeAlias

from stlaunch.check.target import Target
from stlaunch.errors import UsageError
from stlaunch.quick_dataclass import dataclass

Headers: TypeAlias = tuple[tuple[str, str], ...]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
_OURS = frozenset(
    {"host", "connection", "upgrade", "content-length", "transfer-encoding", "cookie", "origin"}
)
DEFAULT_TIMEOUT_S = 30.0
_STEPS_IN_TIMEOUT = 3
_MIN_STEP_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """One check.

    Attributes:
        target: the address.
        direct: the same app's address, bypassing the proxy.
        headers: sent with every request to the app's own paths.
        cookies: `name=value`, sent likewise.
        is_insecure: go on although the certificate cannot be trusted.
        timeout_s: for everything but the limits; what has been seen by then is checked.
        measures_limits: measure idle time, sizes and buffering; takes longer.
        idle_s: how long an idle connection is watched when limits are measured.
    """

    target: Target
    direct: Target | None = None
    headers: Headers = ()
    cookies: tuple[str, ...] = ()
    is_insecure: bool = False
    timeout_s: float = DEFAULT_TIMEOUT_S
    measures_limits: bool = False
    idle_s: float = 35.0

    @property
    def step_s(self) -> float:
        """For one step: a connection, an answer, a handshake, a run of the script."""
        longest = max(_MIN_STEP_S, self.timeout_s / _STEPS_IN_TIMEOUT)
        return min(self.timeout_s / 2, longest)  # a hanging step is noticed in time


def parse_headers(lines: Iterable[str]) -> Headers:
    """Parse `Name: value` lines.

    Raises:
        UsageError: for a line that is not a header, or names one that the check sets itself.
    """
    pairs = []
    for line in lines:
        name, separator, value = line.partition(":")
        if not separator or not _TOKEN.fullmatch(name.strip()) or _has_control(value):
            raise UsageError(
                f"--header: a header of {len(line)} characters is not of the form 'Name: value'.",
                hint="For example: --header 'Authorization: Bearer ...'.",
            )
        if name.strip().lower() in _OURS:
            raise UsageError(
                f"--header: {name.strip()} is set by the check itself.",
                hint="Use --cookie name=value for cookies, and --connect-to host:port for another "
                "address.",
            )
        pairs.append((name.strip(), value.strip()))
    return tuple(pairs)


def parse_cookies(texts: Iterable[str]) -> tuple[str, ...]:
    """Parse `name=value` texts, also several in one as a browser shows them.

    Raises:
        UsageError: for a text without `=`, or with a control character.
    """
    cookies: list[str] = []
    for text in texts:
        for part in text.split(";"):
            name, separator, _ = part.strip().partition("=")
            if not separator or not _TOKEN.fullmatch(name) or _has_control(part):
                raise UsageError(
                    "--cookie: a cookie is not of the form name=value.",
                    hint="Copy it from the browser: --cookie session=...",
                )
            cookies.append(part.strip())
    return tuple(cookies)


def _has_control(text: str) -> bool:
    return any(not char.isprintable() or ord(char) > 0xFF for char in text)  # noqa: PLR2004
