"""The address to check, parsed once; it connects to nothing."""

from __future__ import annotations

from dataclasses import replace

from stlaunch.check.locations import is_within, resolve
from stlaunch.errors import UsageError
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import DEFAULT_PORTS, HostPort, Origin, PublicUrl

_HINT = "Write the address that the browser shows: https://example.com/streamlitApp/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the app should be.

    Attributes:
        origin: scheme, host and port, as the browser names them.
        base_path: the path that the app is below.
        connect_to: dial this instead of the host; Host, Origin and TLS name stay.
        lacks_slash: it was typed without the final slash.
    """

    origin: Origin
    base_path: BasePath
    connect_to: HostPort | None = None
    lacks_slash: bool = False

    @classmethod
    def parse(cls, url: str, *, connect_to: str = "") -> Target:
        """Parse what the user typed; a final slash is added.

        Raises:
            UsageError: for anything but an http or https URL without query and user information.
        """
        if "@" in url.partition("://")[2].partition("/")[0]:
            raise UsageError(
                "The URL holds a user name or password.",
                hint="Send them with --header 'Authorization: Basic ...'.",
            )
        try:
            public = PublicUrl.parse(url)
        except UsageError as exc:
            hint = exc.hint if exc.hint.startswith("Did you mean") else _HINT
            raise UsageError(f"The URL cannot be checked: {exc.message}", hint=hint) from exc
        place = None
        if connect_to:
            place = HostPort.parse(connect_to)
            if place is None or place.port is None:
                raise UsageError(
                    f"--connect-to {connect_to!r} is not of the form host:port.",
                    hint="For example: --connect-to 127.0.0.1:8080.",
                )
        return cls(
            origin=public.origin,
            base_path=public.base_path,
            connect_to=place,
            lacks_slash=bool(public.base_path.value) and not url.strip().endswith("/"),
        )

    @property
    def is_tls(self) -> bool:
        """Whether the browser uses https."""
        return self.origin.scheme == "https"

    @property
    def host(self) -> str:
        """The Host header that a browser sends."""
        return str(self.origin.place)

    @property
    def dial(self) -> HostPort:
        """The host and port that are connected to."""
        return self.connect_to or HostPort(self.origin.host, self.origin.port)

    @property
    def url(self) -> str:
        """The page's address."""
        return self.url_of("/")

    def path(self, inner: str) -> str:
        """Return the path of something inside the app: `/_stcore/health`."""
        return f"{self.base_path.value}{inner}"

    def url_of(self, inner: str) -> str:
        """Return the address of something inside the app."""
        return f"{self.origin}{self.path(inner)}"

    def following(self, location: str) -> Target | None:
        """Return the address that a redirect of the page points to, if it may be the app's own.

        That is https instead of http on the same host, or a path below the requested one. A path
        outside of it is never taken: the redirect has lost the prefix.
        """
        split = resolve(self.url, location)
        try:
            moved = PublicUrl.parse(f"{split.scheme}://{split.netloc}{split.path}")
        except (UsageError, ValueError):
            return None
        is_below = is_within(self.base_path, split.path)
        below = replace(self, base_path=moved.base_path if is_below else self.base_path)
        if moved.origin == self.origin:
            return below if is_below else None
        schemes = (moved.origin.scheme, self.origin.scheme)
        is_usual = moved.origin.port == DEFAULT_PORTS["https"] and self.connect_to is None
        if schemes == ("https", "http") and moved.origin.host == self.origin.host and is_usual:
            return replace(below, origin=moved.origin)
        return None
