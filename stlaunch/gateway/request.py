"""Describe one request in two immutable records, each complete from the start.

`ForwardedHeadersMiddleware` makes the first, `BasePathMiddleware` the second. They are passed along
in `scope["stlaunch"]`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from stlaunch.diagnostics.handshake import header_value, list_values
from stlaunch.forwarded import Forwarded
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort
from stlaunch.urls.public_paths import PrefixMode
from stlaunch.urls.streamlit_routes import RequestKind

PROBE = "check"
UPLOAD_PROTOCOL = "stlaunch-upload"
"""The first subprotocol of a handshake for the stream that carries an upload instead."""
_KEY = "stlaunch"


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrivedRequest:
    """Who sent a request, and what trusted proxies say about it.

    Attributes:
        peer: the address of the TCP peer; None on a Unix socket.
        client: the browser's address, from trusted forwarding headers; None if it is not known.
        path: the path that arrived, decoded.
        scheme: the browser's scheme: from a trusted proxy, the public URL or our own TLS; None
            where it is not known.
        host: the effective host: forwarded by a trusted proxy, else `Host`.
        forwarded: what the forwarding headers said, and what was trusted.
        headers: as they arrived, before any layer changed them.
        app_address: the address at which the request reached this process; None on a Unix socket.
        app_socket: the path of that Unix socket; empty if none, or if it has odd characters.
    """

    peer: str | None
    client: str | None
    path: str
    scheme: str | None
    host: HostPort | None
    forwarded: Forwarded
    headers: tuple[tuple[bytes, bytes], ...]
    app_address: HostPort | None = None
    app_socket: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestInfo(ArrivedRequest):
    """A classified request: everything that layers and endpoints need to know about it.

    Attributes:
        kind: what the request is for.
        name: the name of our endpoint, or the id of a tunnel or upload; empty for other kinds.
        mode: whether the proxy kept or stripped the prefix.
        public_path: the public path; None where it is not known.
        app_path: the path below the public path.
        base: the public path of the Streamlit page that this request belongs to: `public_path`
            and Streamlit's mount inside the app; None where it is not known.
        streamlit_path: the path below `base`: `/_stcore/health`; None outside Streamlit.
        is_tunnel: whether this handshake came over the HTTP transport.
    """

    kind: RequestKind
    name: str
    mode: PrefixMode
    public_path: BasePath | None
    app_path: str
    base: BasePath | None
    streamlit_path: str | None
    is_tunnel: bool

    @property
    def is_probe(self) -> bool:
        """Whether the request claims to be a probe of `stlaunch check`.

        The claim grants nothing: the request is answered like any other. It is only counted
        separately, and left out of what the app concludes about its visitors. No page can set
        this header on a WebSocket.
        """
        return header_value(self.headers, b"x-stlaunch") == PROBE


def arrived_request(scope: Mapping[str, Any]) -> ArrivedRequest:
    """Return the first record; every layer below ForwardedHeadersMiddleware has it."""
    request = scope[_KEY]
    if not isinstance(request, ArrivedRequest):
        raise TypeError("ForwardedHeadersMiddleware did not run before this layer")
    return request


def request_info(scope: Mapping[str, Any]) -> RequestInfo:
    """Return the second record; every layer below BasePathMiddleware has it."""
    request = scope[_KEY]
    if not isinstance(request, RequestInfo):
        raise TypeError("BasePathMiddleware did not run before this layer")
    return request


def with_request(scope: Mapping[str, Any], request: ArrivedRequest) -> dict[str, Any]:
    """Return a copy of the scope that carries a record."""
    return {**scope, _KEY: request}


def for_streamlit_path(
    scope: Mapping[str, Any], path: str, kind: RequestKind, *, is_tunnel: bool = False
) -> dict[str, Any]:
    """Return a copy of the scope that asks for another path of the same Streamlit.

    Args:
        scope: a classified request, inside Streamlit.
        path: the path inside Streamlit, such as `/_stcore/health`.
        kind: the kind of that path.
        is_tunnel: whether the copy is a handshake that came over the HTTP transport.
    """
    request = request_info(scope)
    before = request.streamlit_path or ""
    full_path = scope["path"].removesuffix(before) + path
    moved = replace(
        request,
        kind=kind,
        name="",
        streamlit_path=path,
        app_path=request.app_path.removesuffix(before) + path,
        is_tunnel=is_tunnel,
    )
    return {
        **scope,
        _KEY: moved,
        "path": full_path,
        "raw_path": full_path.encode("utf-8"),
        "query_string": b"",
    }


def is_for_upload(headers: Sequence[tuple[bytes, bytes]]) -> bool:
    """Return whether a handshake for the stream carries an upload (see `uploads/socket.py`)."""
    return UPLOAD_PROTOCOL in list_values(headers, b"sec-websocket-protocol")[:1]
