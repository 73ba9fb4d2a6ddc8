"""Read Content-Security-Policy like a browser, as far as Streamlit needs it. Pure.

Several policies hold at once: what one of them blocks is blocked (CSP 3, sections 6.7 and 7).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.origin import DEFAULT_PORTS, Origin
from stlaunch.urls.streamlit_routes import HEALTH, STREAM

MAX_HEADER = 16 * 1024
"""Of a header, no more than this is read; a server sends less."""
_MAX_POLICIES = 16
_FALLBACKS: Mapping[str, tuple[str, ...]] = {
    "script-src-elem": ("script-src", "default-src"),
    "script-src": ("default-src",),
    "style-src-elem": ("style-src", "default-src"),
    "connect-src": ("default-src",),
    "frame-src": ("child-src", "default-src"),
    "font-src": ("default-src",),
    "img-src": ("default-src",),
    "media-src": ("default-src",),
    "frame-ancestors": (),
}
_UPGRADES = {
    "http": {"http", "https"},
    "ws": {"ws", "wss", "http", "https"},
    "wss": {"wss", "https"},
}
_SOCKETS = {"http": "ws", "https": "wss"}


@dataclass(frozen=True, slots=True)
class Policy:
    """One policy: directive, in lower case -> its sources, as they are written."""

    directives: Mapping[str, tuple[str, ...]]

    def governing(self, directive: str) -> str:
        """Return the directive that decides about this one; empty where nothing does."""
        names = (directive, *_FALLBACKS.get(directive, ()))
        return next((name for name in names if name in self.directives), "")

    def shown(self, directive: str) -> str:
        """Return a directive as written in the policy."""
        return " ".join((directive, *self.directives[directive]))[:120]

    def sources(self, directive: str) -> tuple[str, ...]:
        """Return the sources of a directive that is present, in lower case."""
        return tuple(source.lower() for source in self.directives[directive])

    @property
    def allows_evaluation(self) -> bool:
        """Whether code made from text may run."""
        name = self.governing("script-src")
        return not name or "'unsafe-eval'" in self.sources(name)

    @property
    def is_sandboxed(self) -> bool:
        """Whether its sandbox keeps Streamlit's page from running."""
        is_there = "sandbox" in self.directives
        wanted = {"allow-scripts", "allow-same-origin"}
        return is_there and not wanted <= set(self.sources("sandbox"))


def read_policies(header: str) -> tuple[Policy, ...]:
    """Read the first sixteen of a header's values, joined by commas; leave out malformed ones."""
    texts = (text for text in header[:MAX_HEADER].split(",") if text.strip())
    return tuple(_policy(text) for text in islice(texts, _MAX_POLICIES))


@dataclass(frozen=True, slots=True)
class Policies:
    """All policies of one answer, and the page that they are for.

    Each question returns the directive that blocks, as it is written; empty where nothing does.
    """

    policies: tuple[Policy, ...]
    here: Origin

    @classmethod
    def parse(cls, header: str, here: Origin) -> Policies:
        """Read the header's values; see `read_policies`."""
        return cls(read_policies(header), here)

    def has(self, directive: str) -> bool:
        """Return whether a policy names the directive itself."""
        return any(directive in policy.directives for policy in self.policies)

    def named(self, directive: str) -> str:
        """Return a directive that blocks by being present."""
        found = (one.shown(directive) for one in self.policies if directive in one.directives)
        return next(found, "")

    def sandbox(self) -> str:
        """Return a sandbox in which Streamlit's page cannot run."""
        found = (policy.shown("sandbox") for policy in self.policies if policy.is_sandboxed)
        return next(found, "")

    def own_file(self, directive: str, path: str) -> str:
        """Return what blocks a file of the page's own origin."""
        return self._blocking(directive, self.here.scheme, path)

    def own_connection(self) -> str:
        """Return what blocks requests or the WebSocket to the page's own origin."""
        return self._blocking("connect-src", self.here.scheme, HEALTH) or self._blocking(
            "connect-src", _SOCKETS[self.here.scheme], STREAM
        )

    def evaluation(self) -> str:
        """Return what blocks code made from text."""
        found = (one for one in self.policies if not one.allows_evaluation)
        return next((one.shown(one.governing("script-src")) for one in found), "")

    def _blocking(self, directive: str, scheme: str, path: str) -> str:
        for policy in self.policies:
            name = policy.governing(directive)
            if not name:
                continue
            sources = policy.sources(name)
            is_script = directive == "script-src-elem"
            if is_script and "'strict-dynamic'" in sources:
                return policy.shown(name)  # only scripts with a nonce or hash, which these lack
            if not any(self._matches(source, scheme, path) for source in sources):
                return policy.shown(name)
        return ""

    def _matches(self, source: str, scheme: str, path: str) -> bool:
        """Return whether a source matches a URL of the page's own host and port (6.7.2)."""
        if source == "*":
            return True
        if source == "'self'":
            return True  # on an http page it also matches ws, on an https page wss
        if source.startswith("'"):
            return False
        if source.endswith(":") and "/" not in source:
            return scheme in _UPGRADES.get(source[:-1], {source[:-1]})
        named, separator, rest = source.partition("://")
        if separator and scheme not in _UPGRADES.get(named, {named}):
            return False
        if not separator and scheme not in {self.here.scheme, _SOCKETS[self.here.scheme], "https"}:
            return False
        place, slash, below = (rest if separator else source).partition("/")
        return self._is_here(place) and (not slash or _is_below(path, "/" + below))

    def _is_here(self, place: str) -> bool:
        host, colon, port = place.rpartition(":") if not place.endswith("]") else (place, "", "")
        if not colon:
            host, port = place, ""
        if port and port != "*" and port != str(self.here.port):
            return False
        if not port and self.here.port != DEFAULT_PORTS[self.here.scheme]:
            return False
        if host == "*":
            return True
        if host.startswith("*."):
            return self.here.host.endswith(host[1:])
        return host.strip("[]") == self.here.host


def _policy(text: str) -> Policy:
    directives: dict[str, tuple[str, ...]] = {}
    for part in text.split(";"):
        words = part.split()
        if words:
            directives.setdefault(words[0].lower(), tuple(words[1:]))
    return Policy(directives)


def _is_below(path: str, allowed: str) -> bool:
    return path.startswith(allowed) if allowed.endswith("/") else path == allowed
