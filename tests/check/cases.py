"""For each rule: what makes it fire, stay quiet and be skipped, as changes of one recording."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.check.recording import GONE

Patch = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One rule.

    Attributes:
        fires: changes that make it fire.
        skips: changes that leave it nothing to check.
        quiet: changes without which the healthy recording itself would make it fire.
    """

    fires: Patch
    skips: Patch
    quiet: Patch = field(default_factory=dict)


NO_HTTP: Patch = {"http": {}}
NO_STREAM: Patch = {"openings": {}}
NO_SESSION: Patch = {"session": None}
NO_LIMITS: Patch = {"limits": None}
NO_SELF_CHECK: Patch = {"self_check": None}
AT_ROOT: Patch = {"base_path": "", "http.doubled_health": GONE, "http.root_health": GONE}
INDEX = (
    '<!DOCTYPE html><html><head><title>Streamlit</title><script src="./static/js/index.a.js">'
    '</script></head><body><div id="root"></div></body></html>'
)
BARE = {"self_check": None, "http.page.text": INDEX}
"""The app does not run under stlaunch."""


def page(status: int, text: str = "", *headers: tuple[str, str]) -> dict[str, Any]:
    return {
        "http.page.status": status,
        "http.page.text": text,
        "http.page.headers": [["content-type", "text/html"], *map(list, headers)],
    }


def answer(
    name: str, status: int | None, text: str = "", kind: str = "text/html"
) -> dict[str, Any]:
    return {
        f"http.{name}.status": status,
        f"http.{name}.text": text,
        f"http.{name}.headers": [["content-type", kind]],
    }


def opening(status: int | None, text: str = "", *headers: tuple[str, str]) -> dict[str, Any]:
    return {
        "openings.browser.status": status,
        "openings.browser.text": text,
        "openings.browser.headers": [list(pair) for pair in headers],
        "openings.browser.is_accept_right": False,
    }


def unreached(failure: str, detail: str) -> dict[str, Any]:
    place = {"address": "192.0.2.1", "port": 443, "elapsed_ms": 1}
    return {"dialled": [place | {"failure": failure, "detail": detail}]}


ONE_ADDRESS = {
    "dialled": [
        {"address": "192.0.2.1", "port": 443, "elapsed_ms": 1, "failure": None, "detail": ""}
    ]
}

CASES: Mapping[str, Case] = {
    "STL101": Case(
        fires={"dns.ipv4": [], "dns.ipv6": [], "dns.failure": "unreachable"}, skips={"dns": None}
    ),
    "STL102": Case(fires=unreached("refused", "Connection refused"), skips={"dialled": []}),
    "STL103": Case(fires=unreached("timeout", "no answer"), skips={"dialled": []}),
    "STL104": Case(
        fires={"dialled.1.failure": "refused", "dialled.1.detail": "Connection refused"},
        skips=ONE_ADDRESS,
    ),
    "STL110": Case(fires={"tls.trouble": "untrusted"}, skips={"tls.trust": None}),
    "STL111": Case(fires={"tls.trouble": "wrong-name"}, skips={"tls.trust": None}),
    "STL112": Case(fires={"tls.trouble": "expired"}, skips={"tls.trust": None}),
    "STL113": Case(fires={"tls.expires_at": 0}, skips={"tls.expires_at": None}),
    "STL114": Case(fires={"tls.trouble": "plain-http"}, skips={"tls": None}),
    "STL115": Case(fires={"tls.trouble": "handshake"}, skips={"tls": None}),
    "STL120": Case(fires=page(502, "<title>502 Bad Gateway</title>"), skips=NO_HTTP),
    "STL121": Case(fires=page(200, "<form><input type='password'></form>"), skips=NO_HTTP),
    "STL122": Case(fires=page(200, "<title>Portal</title>"), skips=NO_HTTP),
    "STL123": Case(fires=page(404, "<title>404 Not Found</title>"), skips=NO_HTTP),
    "STL124": Case(
        fires={"http.page.failure": "too-large", "http.page.detail": "no end"}, skips=NO_HTTP
    ),
    "STL125": Case(fires={"http.page.failure": "timeout"}, skips=NO_HTTP),
    "STL126": Case(
        fires={
            "redirects": [
                {"url": "https://app.example.test/app/", "status": 301},
                {"url": "https://app.example.test/app/", "status": 301},
            ]
        },
        skips=NO_HTTP,
    ),
    "STL127": Case(
        fires=page(301, "", ("location", "https://www.other.test/app/")), skips=NO_HTTP
    ),
    "STL128": Case(fires=page(403, "<title>403 Forbidden</title>"), skips=NO_HTTP),
    "STL201": Case(
        fires=answer("doubled_health", 200, "ok", "text/plain") | {"http.health.status": 404},
        skips=AT_ROOT,
    ),
    "STL202": Case(fires=answer("health", 200, INDEX), skips=AT_ROOT),
    "STL203": Case(fires=answer("bare", 404), skips={"http.bare": GONE}),
    "STL204": Case(fires=page(400, "Bad Request"), skips=NO_HTTP),
    "STL205": Case(
        fires={"http.bare.status": 301, "http.bare.headers": [["location", "/"]]}, skips=NO_HTTP
    ),
    "STL206": Case(
        fires={
            "http.bare.status": 307,
            "http.bare.headers": [["location", "http://127.0.0.1:8501/app/"]],
        },
        skips=NO_HTTP,
    ),
    "STL207": Case(
        fires=answer("asset", 200, "<!doctype html><title>Portal</title>"),
        skips={"http.asset": GONE},
    ),
    "STL208": Case(fires=answer("asset", 404), skips={"http.asset": GONE}),
    "STL209": Case(fires=answer("deep", 404), skips={"http.deep": GONE}),
    "STL210": Case(fires=answer("host_config", 403), skips={"http.host_config": GONE}),
    "STL211": Case(fires=answer("missing_asset", 200, INDEX), skips={"http.missing_asset": GONE}),
    "STL212": Case(fires=BARE | answer("root_health", 200, "ok", "text/plain"), skips=AT_ROOT),
    "STL301": Case(fires=opening(200, INDEX), skips=NO_STREAM),
    "STL304": Case(fires=opening(403), skips=NO_STREAM),
    "STL305": Case(
        fires=opening(None) | {"openings.browser.failure": "timeout"}, skips=NO_STREAM
    ),
    "STL306": Case(
        fires={"session.messages": 0, "session.closed_ms": 20, "session.finished_ms": None},
        skips=NO_SESSION,
    ),
    "STL307": Case(
        fires={"openings.browser.headers": [["upgrade", "websocket"]]}, skips=NO_STREAM
    ),
    "STL308": Case(fires={"openings.browser.is_accept_right": False}, skips=NO_STREAM),
    "STL309": Case(fires={"http2.status": 400}, skips={"http2": None}),
    "STL310": Case(fires=opening(302, "", ("location", "/login")), skips=NO_STREAM),
    "STL311": Case(fires={"session.messages": 0}, skips=NO_SESSION),
    "STL312": Case(fires={"session.damage": "message 1: field number 0"}, skips=NO_SESSION),
    "STL313": Case(fires={"session.exception": "RuntimeError"}, skips=NO_SESSION),
    "STL316": Case(fires=opening(404, "Not Found"), skips=NO_STREAM),
    "STL401": Case(
        fires={
            "self_check.request.peer_is_trusted": False,
            "self_check.request.ignored": {"X-Forwarded-For": "the peer is not trusted"},
        },
        skips=NO_SELF_CHECK,
    ),
    "STL402": Case(
        fires={"self_check.request.scheme": "http"}, skips={"scheme": "http"}
    ),
    "STL403": Case(fires={"self_check.request.host": "127.0.0.1:8501"}, skips=NO_SELF_CHECK),
    "STL405": Case(
        fires={"forged.request.client": "192.0.2.77"},
        skips={"self_check.request.client": "10.0.0.1"},
    ),
    "STL407": Case(
        fires={
            "self_check.base_path.this_request": "/other/",
            "http.page.text": INDEX.replace("./static", "/other/static"),
        },
        skips=NO_SELF_CHECK,
    ),
    "STL501": Case(fires=opening(403), skips={"openings.no_origin": GONE}),
    "STL502": Case(fires={"openings.foreign.status": 101}, skips={"openings.foreign": GONE}),
    "STL505": Case(
        fires={
            "http.page.headers": [["content-type", "text/html"]],
            "http.health.headers": [["content-type", "text/plain"]],
            "http.upload_bare.status": 403,
        },
        skips={"http.upload_bare": GONE},
    ),
    "STL506": Case(
        fires=answer("upload", 403, "XSRF token missing or invalid"), skips={"http.upload": GONE}
    ),
    "STL508": Case(
        fires={"http.health.headers": [["set-cookie", "_streamlit_xsrf=2|a; Path=/"]]},
        skips={"scheme": "http"},
    ),
    "STL509": Case(
        fires={
            "http.page.headers": [],
            "http.health.headers": [["set-cookie", "_streamlit_xsrf=2|a; Path=/other; Secure"]],
        },
        skips={"http.health": GONE},
    ),
    "STL511": Case(
        fires=answer("upload_bare", 400, "Invalid session_id"), skips={"http.upload_bare": GONE}
    ),
    "STL512": Case(fires=answer("upload", 405), skips={"http.upload": GONE}),
    "STL601": Case(fires={"limits.message_refused": 1048576}, skips=NO_LIMITS),
    "STL602": Case(fires=answer("announced", 413), skips={"http.announced": GONE}),
    "STL604": Case(fires={"limits.idle_s": 31.0}, skips=NO_LIMITS),
    "STL605": Case(fires={"limits.drip_first_ms": 899}, skips={"limits.drip_first_ms": None}),
    "STL606": Case(fires={"limits.idle_s": 2.0}, skips=NO_LIMITS),
    "STL607": Case(fires={"limits.body_refused": 1048576}, skips={"limits.body_refused": None}),
    "STL608": Case(fires={"limits.busy_s": 10.0, "limits.idle_s": 10.0}, skips=NO_LIMITS),
    "STL609": Case(fires=answer("large_header", 400), skips={"http.large_header": GONE}),
    "STL702": Case(
        fires={"instances": ["one", "two"]}, skips={"instances": None, "uploads": None}
    ),
    "STL801": Case(fires={"http.page.headers": [["age", "10"]]}, skips=NO_HTTP),
    "STL802": Case(
        fires={"http.asset.failure": "closed", "http.asset.detail": "the connection was closed"},
        skips={"http.asset": GONE},
    ),
    "STL803": Case(
        fires={"http.asset.headers": [["cache-control", "no-store"]]}, skips={"http.asset": GONE}
    ),
    "STL804": Case(
        fires={"http.asset_gzip.headers": []}, skips={"http.asset_gzip": GONE}
    ),
    "STL805": Case(
        fires={"session.streamlit_version": "1.50.0"}, skips={"session.streamlit_version": ""}
    ),
    "STL806": Case(
        fires={"http.page.headers": [["date", "Thu, 01 Jan 2026 00:00:00 GMT"]]},
        skips={"http.page.headers": []},
    ),
    "STL807": Case(fires={}, skips=NO_HTTP, quiet=NO_SELF_CHECK),
    "STL611": Case(
        fires={
            "load": {
                "asked": 66,
                "refused": 40,
                "refusal": {"url": "https://app.example.test/app/static/js/a.js", "status": 503},
            }
        },
        skips={"load": None},
    ),
    "STL809": Case(
        fires={"http.component.headers": [["x-frame-options", "DENY"]]},
        skips=page(200, "<title>Portal</title>"),
    ),
    "STL810": Case(
        fires={"http.page.headers": [["content-security-policy", "connect-src 'none'"]]},
        skips=page(200, "<title>Portal</title>"),
    ),
    "STL811": Case(
        fires={"http.page.headers": [["permissions-policy", "camera=()"]]},
        skips=page(200, "<title>Portal</title>"),
    ),
    "STL812": Case(
        fires={"tls.alpn": "http/1.1"},
        skips={"tls": None},
        quiet={"tls.alpn": "http/1.1", "dialled.0.elapsed_ms": 1},
    ),
    "STL808": Case(
        fires=answer("metrics", 200, "# TYPE active_sessions gauge", "text/plain"),
        skips={"http.metrics": GONE},
    ),
}  # fmt: skip
