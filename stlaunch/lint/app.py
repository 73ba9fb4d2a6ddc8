"""What the linter knows about the app: address, path, limits. Plain data."""

from __future__ import annotations

from collections.abc import Sequence

from stlaunch.proxies.site import Site, is_plain_socket
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls import streamlit_defaults
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

_LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0"}
_NAME = "streamlit"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """How to recognise a route to the app, and what it must allow.

    Attributes:
        port: where the app listens.
        upstream: the only place, if the user named it; then nothing else counts.
        socket: the path of the only Unix socket, if the user named it.
        named_by: the option or setting that names it.
        base_path: the public path, where it is known.
        max_upload_mb: `server.maxUploadSize`.
        ping_interval_s: how often a quiet socket is used.
        trusted_headers: those that `server.trustedUserHeaders` trusts.
        has_login: the app has what `st.login` needs.
    """

    port: int = streamlit_defaults.PORT
    upstream: HostPort | None = None
    socket: str = ""
    named_by: str = "--upstream"
    base_path: BasePath | None = None
    max_upload_mb: int = streamlit_defaults.MAX_UPLOAD_MB
    ping_interval_s: int = streamlit_defaults.PING_INTERVAL_S
    trusted_headers: tuple[str, ...] = ()
    has_login: bool = False

    @property
    def is_named(self) -> bool:
        """The user said where the app listens, so that guesses do not count."""
        return bool(self.upstream or self.socket)

    @property
    def target(self) -> str:
        """Where the app listens, in words."""
        if self.socket:
            return f"unix:{self.socket}"
        return str(self.upstream) if self.upstream else f"port {self.port}"

    @property
    def max_upload_bytes(self) -> int:
        """The largest file that an upload may hold."""
        return self.max_upload_mb * 1024 * 1024

    def listens_at(self, host: str, port: int | None) -> bool:
        """Return whether a place is the app: by its port, or by a name that says so."""
        host = host.lower().strip("[]")
        if self.socket:
            return False
        if self.upstream:
            same = host == self.upstream.host or {host, self.upstream.host} <= _LOCAL
            return same and port == self.upstream.port
        return port == self.port or _NAME in host

    def is_own_host(self, host: str) -> bool:
        """Return whether a Host is the app's own machine, which is no page's public address."""
        place = HostPort.parse(host)
        port = self.upstream.port if self.upstream else self.port
        return place is not None and place.host in _LOCAL and place.port in {None, port}

    def listens_on_socket(self, path: str) -> bool:
        """Return whether a Unix socket is the app's."""
        return path == self.socket if self.is_named else _NAME in path.lower()

    def is_called(self, name: str) -> bool:
        """Return whether the name of a service or group of servers says that it is the app."""
        return not self.is_named and _NAME in name.lower()

    def is_at(self, target: str, default_port: int | None = None) -> bool:
        """Return whether `host:port`, `unix:/path` or `unix@/path` is the app."""
        if (path := socket_path(target)) is not None:
            return self.listens_on_socket(path)
        place = HostPort.parse(target)
        return place is not None and self.listens_at(place.host, place.port or default_port)

    def site(
        self,
        base_path: BasePath,
        *,
        replicas: Sequence[str] = (),
        keep_prefix: bool = True,
        is_https: bool = True,
    ) -> Site:
        """Return the values for the lines of a fix.

        Args:
            base_path: the public path.
            replicas: the servers of the app's group, as they are written.
            keep_prefix: the proxy passes the path on unchanged.
            is_https: browsers come over https.
        """
        places = [HostPort.parse(place) for place in replicas]
        named = tuple(str(HostPort(place.host, place.port or 80)) for place in places if place)
        address = str(self.upstream) if self.upstream else f"127.0.0.1:{self.port}"
        is_socket = is_plain_socket(self.socket)
        return Site(
            base_path=base_path,
            upstream=f"unix:{self.socket}" if is_socket else address,
            replicas=named if len(named) == len(places) else (),
            keep_prefix=keep_prefix,
            is_https=is_https,
            max_upload_mb=self.max_upload_mb,
            ping_interval_s=self.ping_interval_s,
        )


def socket_path(target: str) -> str | None:
    """Return the path of a Unix socket from any proxy's notation.

    >>> socket_path("unix:/run/app.sock"), socket_path("unix@/run/a"), socket_path("app:80")
    ('/run/app.sock', '/run/a', None)
    """
    for front in ("unix://", "unix:", "unix@", "unix//"):
        if target.startswith(front):
            path = target.removeprefix(front).split("|")[0]
            return "/" + path.lstrip("/")
    return target if target.startswith("/") else None
