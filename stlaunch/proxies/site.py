"""The values that fill in a proxy's lines: the app's address, path and limits.

Every limit that a proxy must have is worked out here, from the app's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from stlaunch.proxies.needs import IDENTITY_HEADERS, REPLICA_COOKIE
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls import streamlit_defaults
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort
from stlaunch.urls.streamlit_routes import DIAGNOSTICS

SOME_HOST = "127.0.0.1"
"""Stands for the app's machine, which clients must not see."""
SOME_SOCKET = "/PATH/TO/APP.sock"
"""Stands for a path on that machine."""
_NAME = re.compile("<<([a-z_]+)>>")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9._~/-]*")
_PLAIN_ORIGIN = re.compile(r"https?://[a-z0-9.-]{1,253}(:[0-9]{1,5})?")
_PLAIN_SOCKET = re.compile(r"/[A-Za-z0-9._/+@=-]{1,200}")
_UNIX = "unix:"
_MIN_IDLE_S = 60
_PINGS_IN_IDLE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The values for the lines; each one is plain enough for all of them.

    Attributes:
        base_path: the public path; one with special characters shows as `/YOUR-PATH`.
        upstream: `host:port` of the app, or `unix:/path` of its socket.
        knows_upstream: that is the app's address; else it is a guess that stands for it.
        replicas: `host:port` of each replica; two or more ask for affinity.
        host: the public host name, without a port; empty for any.
        bind: the one address that the proxy listens on; empty for all.
        port: where the proxy listens.
        is_https: the browser speaks https.
        certificate: the file with the certificate chain, where the proxy has one to serve.
        key: the file with its key.
        keep_prefix: the app gets the path as the browser sent it.
        max_upload_mb: `server.maxUploadSize`.
        ping_interval_s: how often a quiet socket is used.
        identity_headers: removed from what clients send.
        self_check_from: addresses and networks that may see the diagnostic pages.
        embedders: origins of other sites that may show the app in a frame.
        has_login: the app logs visitors in, or a proxy before it does.
        has_security_headers: the configuration sends Content-Security-Policy and the like.
        is_whole: the lines are part of a generated configuration, not added to an existing one.
    """

    base_path: BasePath
    upstream: str = f"{SOME_HOST}:{streamlit_defaults.PORT}"
    knows_upstream: bool = True
    replicas: tuple[str, ...] = ()
    host: str = ""
    bind: str = ""
    port: int = 443
    is_https: bool = True
    certificate: str = ""
    key: str = ""
    keep_prefix: bool = True
    max_upload_mb: int = streamlit_defaults.MAX_UPLOAD_MB
    ping_interval_s: int = streamlit_defaults.PING_INTERVAL_S
    identity_headers: tuple[str, ...] = IDENTITY_HEADERS
    self_check_from: tuple[str, ...] = ("127.0.0.1", "::1")
    embedders: tuple[str, ...] = ()
    has_login: bool = False
    has_security_headers: bool = False
    is_whole: bool = False

    def at(self, address: HostPort) -> Site:
        """Return the same site with the app at another address."""
        return replace(self, upstream=str(address), knows_upstream=True)

    @property
    def socket(self) -> str:
        """The path of the Unix socket that the app listens on; empty where it is none."""
        return "" if self.replicas else _socket_of(self.upstream)

    @property
    def servers(self) -> tuple[str, ...]:
        """Where the app listens: the replicas, or the one upstream."""
        return self.replicas or (self.upstream,)

    @property
    def values(self) -> dict[str, str]:
        """The values of the `<<names>>` in the lines."""
        path = self.base_path.value
        base = path if _PLAIN_PATH.fullmatch(path) else "/YOUR-PATH"
        upstream = self.servers[0]
        host, _, port = upstream.rpartition(":")
        body_mb = self.max_upload_mb + 1
        return {
            "base": base,
            "base_or_root": base or "/",
            "base_slash": f"{base}/",
            "base_re": re.escape(base),
            "base_json_re": re.escape(base).replace("\\", "\\\\"),
            "upstream": upstream,
            "upstream_host": host.strip("[]"),
            "upstream_port": port,
            "target": f"{base}/" if self.keep_prefix else "/",
            "target_re": re.escape(base) + "/" if self.keep_prefix else "/",
            "host": self.host or "example.com",
            "bind": self.bind,
            "bind_or_all": self.bind or "0.0.0.0",
            "listen": f"{self.bind}:{self.port}" if self.bind else str(self.port),
            "port": str(self.port),
            "scheme": "https" if self.is_https else "http",
            "certificate": self.certificate or "/etc/ssl/app/cert.pem",
            "key": self.key or "/etc/ssl/app/key.pem",
            "upload_mb": str(self.max_upload_mb),
            "body_mb": str(body_mb),
            "body_kb": str(body_mb * 1024),
            "body_bytes": str(body_mb * 1024 * 1024),
            "idle_s": str(max(_MIN_IDLE_S, _PINGS_IN_IDLE * self.ping_interval_s)),
            "cookie": REPLICA_COOKIE,
            "secure": "; Secure" if self.is_https else "",
            "diagnostics": "|".join(DIAGNOSTICS),
            "base_rest_re": re.escape(f"{base}/".lstrip("/")),
            "base_bare_re": re.escape(base.lstrip("/")),
        }


def is_plain_socket(path: str) -> bool:
    """Return whether a socket's path is plain enough for any configuration."""
    return _PLAIN_SOCKET.fullmatch(path) is not None


def _socket_of(upstream: str) -> str:
    return upstream.removeprefix(_UNIX) if upstream.startswith(_UNIX) else ""


def plain_origins(origins: Iterable[str]) -> tuple[str, ...]:
    """Return those that are plain enough for any configuration: a scheme, a plain name, a port."""
    return tuple(dict.fromkeys(one for one in origins if _PLAIN_ORIGIN.fullmatch(one)))


def fill(text: str, values: Mapping[str, str]) -> str:
    """Replace `<<names>>` with their values."""
    return _NAME.sub(lambda match: values[match[1]], text)
