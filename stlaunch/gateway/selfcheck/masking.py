"""Show a client its own request: only listed header values, everything else masked.

It reads headers and evaluates nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from stlaunch.diagnostics.handshake import header_value, read_cookies, read_handshake
from stlaunch.forwarded.headers import FORWARDING_HEADERS
from stlaunch.gateway.origin_policy import HOST_COOKIE, PLAIN_COOKIE
from stlaunch.gateway.request import RequestInfo
from stlaunch.proxies.recognition import products_in

PROBE_COOKIE = "stlaunch_probe"
KNOWN_COOKIES = ("_streamlit_xsrf", PLAIN_COOKIE, HOST_COOKIE, PROBE_COOKIE)
_MAX_VALUE = 256
_MAX_HEADERS = 80
_SHOWN = FORWARDING_HEADERS | {
    b"accept",
    b"accept-encoding",
    b"accept-language",
    b"cache-control",
    b"cdn-loop",
    b"connection",
    b"content-length",
    b"content-type",
    b"host",
    b"origin",
    b"sec-fetch-dest",
    b"sec-fetch-mode",
    b"sec-fetch-site",
    b"sec-websocket-extensions",
    b"sec-websocket-version",
    b"te",
    b"transfer-encoding",
    b"upgrade",
    b"user-agent",
    b"via",
    b"x-forwarded-server",
    b"x-host",
    b"x-stlaunch",
    b"x-stlaunch-canary",
}


def shown_headers(headers: Iterable[tuple[bytes, bytes]]) -> list[dict[str, str]]:
    """Return names and values of headers, masking values that are not known to be harmless."""
    shown = []
    for name, value in list(headers)[:_MAX_HEADERS]:
        text = f"(masked, {len(value)} bytes)"
        if name in _SHOWN:
            text = value[:_MAX_VALUE].decode("latin-1")
        elif name == b"referer":
            text = _origin_of(value.decode("latin-1"))
        elif name == b"sec-websocket-protocol":
            text = f"(masked, {len(value.split(b','))} values)"
        shown.append({"name": name.decode("latin-1")[:_MAX_VALUE], "value": text})
    return shown


def describe_request(scope: Mapping[str, Any], request: RequestInfo) -> dict[str, Any]:
    """Return one request as it arrived, for the client that made it.

    The query string is left out, as are the values of cookies and of unknown headers.
    """
    forwarded = request.forwarded
    believed = set(forwarded.believed)
    lines = {item["name"].lower(): item["value"] for item in shown_headers(request.headers)}
    return {
        "http_version": scope.get("http_version"),
        "method": scope.get("method", "GET"),
        "path": request.path[:_MAX_VALUE],
        "scheme": request.scheme,
        "host": str(request.host) if request.host else None,
        "client": request.client,
        "peer": request.peer or "unix socket",
        "prefix": str(forwarded.prefix) if forwarded.prefix else None,
        "hops": forwarded.hops,
        "peer_is_trusted": forwarded.is_peer_trusted,
        "believed": list(forwarded.believed),
        "ignored": {name: forwarded.reasons.get(name, "") for name in forwarded.ignored},
        "forwarding": [
            {
                "name": name,
                "value": lines.get(name.lower(), ""),
                "believed": name in believed,
                "reason": forwarded.reasons.get(name, "") if name not in believed else "",
            }
            for name in (*forwarded.believed, *forwarded.ignored)
        ],
        "headers": shown_headers(request.headers),
        "cookies": sorted({name[:64] for name, _ in read_cookies(request.headers)})[:64],
        "proxies": [str(product) for product in products_in(request.headers)],
    }


def describe_handshake(scope: Mapping[str, Any], request: RequestInfo) -> dict[str, object]:
    """Return a probe's handshake as it arrived, for the page that made it."""
    headers = {**scope, "headers": request.headers}
    handshake = read_handshake(headers, known_cookies=KNOWN_COOKIES)
    return {
        **handshake.as_dict(),
        "verdict": handshake.verdict,
        "missing": list(handshake.missing),
        "effective_host": str(request.host) if request.host else None,
        "scheme": request.scheme,
        "client": request.client,
        "via": header_value(request.headers, b"via"),
        "proxies": [str(product) for product in products_in(request.headers)],
    }


def _origin_of(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "(unreadable)"
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}/(masked)"[:_MAX_VALUE] if parts.scheme else "(masked)"
