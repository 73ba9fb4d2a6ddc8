"""What the outer layers found out about one request; the inner layers read it from the scope."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from stlaunch.diagnostics.handshake import header_value
from stlaunch.forwarded import Forwarded
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort
from stlaunch.urls.public_paths import PrefixMode

PROBE = "check"
_KEY = "stlaunch"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestInfo:
    """One request as it arrived, and as it is understood.

    Attributes:
        peer: the address of the TCP peer, or None on a unix socket.
        path: the path that arrived, decoded.
        scheme: the browser's scheme where it is known (told by a trusted proxy, given by the
            public URL, or our own TLS), else None.
        host: the effective host: forwarded by a trusted proxy, else Host.
        forwarded: what the forwarding headers said and what was believed.
        public: the public path, or None where it is not known.
        rest: what is asked below the public path.
        mode: whether the proxy kept or stripped the prefix.
        base: the public path of the Streamlit page that this request belongs to: `public` and
            the mount of Streamlit inside the app; None where not known.
        inner: what is asked below `base`: `/_stcore/health`; None outside of Streamlit's mount.
        is_tunnel: whether the handshake came over the HTTP fallback.
        headers: as they arrived, before any layer changed them.
    """

    peer: str | None
    path: str
    scheme: str | None
    host: HostPort | None
    forwarded: Forwarded
    public: BasePath | None = None
    rest: str = ""
    mode: PrefixMode | None = None
    base: BasePath | None = None
    inner: str | None = None
    is_tunnel: bool = False
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def is_probe(self) -> bool:
        """Whether it says that it is a probe of `stlaunch check`.

        It grants nothing: such a request is answered as any other. It is only left out of what the
        app concludes about its visitors, and counted by itself. No page can say it on a WebSocket.
        """
        return header_value(self.headers, b"x-stlaunch") == PROBE


def request_info(scope: Mapping[str, Any]) -> RequestInfo:
    """Return the request's record; every layer below ForwardedHeadersMiddleware has one."""
    arrival = scope[_KEY]
    if not isinstance(arrival, RequestInfo):
        raise TypeError("ForwardedHeadersMiddleware did not run before this layer")
    return arrival


def for_inner(scope: Mapping[str, Any], inner: str, **changes: Any) -> dict[str, Any]:
    """Return a copy of the scope that asks for another path of the same Streamlit mount.

    Args:
        scope: with its arrival.
        inner: the path inside of the mount, such as `/_stcore/health`.
        changes: fields of the `RequestInfo` that differ as well.
    """
    arrival = request_info(scope)
    before = arrival.inner or ""
    path = scope["path"].removesuffix(before) + inner
    moved = replace(arrival, inner=inner, rest=arrival.rest.removesuffix(before) + inner, **changes)
    return {
        **scope,
        _KEY: moved,
        "path": path,
        "raw_path": path.encode("utf-8"),
        "query_string": b"",
    }


def with_request_info(scope: Mapping[str, Any], arrival: RequestInfo) -> dict[str, Any]:
    """Return a copy of the scope that carries the record."""
    return {**scope, _KEY: arrival}
