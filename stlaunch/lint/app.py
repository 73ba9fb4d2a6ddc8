"""What the linter knows about the app: where it listens, its path, its limits. Facts alone."""

from __future__ import annotations

from dataclasses import dataclass

from stlaunch.proxies.site import Site
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

_LOCAL = {"localhost", "127.0.0.1", "::1", "0.0.0.0"}


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """What a route that leads to the app is known by, and what it must allow.

    Attributes:
        port: where the app listens.
        upstream: the one place, where the user named it; then nothing else counts.
        base_path: the public path, where it is known.
        max_upload_mb: `server.maxUploadSize`.
        ping_interval_s: how often a quiet socket is used.
        trusted_headers: what `server.trustedUserHeaders` believes.
    """

    port: int = 8501
    upstream: HostPort | None = None
    base_path: BasePath | None = None
    max_upload_mb: int = 200
    ping_interval_s: int = 30
    trusted_headers: tuple[str, ...] = ()

    def listens_at(self, host: str, port: int | None) -> bool:
        """Tell whether a place is the app: by its port, or by a name that says so."""
        host = host.lower().strip("[]")
        if self.upstream:
            same = host == self.upstream.host or {host, self.upstream.host} <= _LOCAL
            return same and port == self.upstream.port
        return port == self.port or "streamlit" in host

    def site(self, base_path: BasePath) -> Site:
        """Return what the fixes are filled in with."""
        return Site(
            base_path=base_path,
            upstream=str(self.upstream) if self.upstream else f"127.0.0.1:{self.port}",
            max_upload_mb=self.max_upload_mb,
            ping_interval_s=self.ping_interval_s,
        )
