"""The rows about response headers, limits that are right enough, and sticky replicas."""

from __future__ import annotations

from stlaunch.diagnostics.page_policy import page_policy
from tests.check.frames import Frame, haproxy, nginx
from tests.check.matrix_nginx import FULL, STL_HOST, STRIP
from tests.check.setups import Setup, broken, healthy

# --- headers for the browser


def _sends(name: str, value: str, always: str = "") -> str:
    return STRIP.replace("}", f'add_header {name} "{value}"{always}; }}')


_CSP = "Content-Security-Policy"
_HEADERS = (
    broken("X-Frame-Options: DENY everywhere", "STL809", nginx(_sends("X-Frame-Options", "DENY"))),
    broken(
        "X-Frame-Options: DENY always",
        "STL809",
        nginx(_sends("X-Frame-Options", "DENY", " always")),
    ),
    broken("frame-ancestors 'none'", "STL809", nginx(_sends(_CSP, "frame-ancestors 'none'"))),
    broken("connect-src 'none'", "STL810", nginx(_sends(_CSP, "connect-src 'none'"))),
    broken(
        "connect-src of another host",
        "STL810",
        nginx(_sends(_CSP, "connect-src https://api.example.test")),
    ),
    broken("default-src 'none'", "STL810", nginx(_sends(_CSP, "default-src 'none'"))),
    broken(
        "scripts of another host alone",
        "STL810",
        nginx(_sends(_CSP, "script-src https://cdn.example.test")),
    ),
    broken("a sandbox", "STL810", nginx(_sends(_CSP, "sandbox allow-scripts"))),
    broken(
        "http upgraded to https, which nobody serves",
        "STL810",
        nginx(_sends(_CSP, "upgrade-insecure-requests")),
    ),
    broken("no frames", "STL810", nginx(_sends(_CSP, "frame-src 'none'"))),
    broken(
        "connect-src 'none', HAProxy",
        "STL810",
        haproxy(
            "http-request redirect location /app/ code 301 if { path /app }",
            r"""http-request replace-path ^/app/?(.*)$ /\1
    http-response set-header Content-Security-Policy "connect-src 'none'"
    server a @bare@""",
        ),
    ),
    healthy(
        "X-Frame-Options: SAMEORIGIN and the policy of the handbook",
        nginx(
            STRIP.replace(
                "}",
                f"add_header X-Frame-Options SAMEORIGIN always; "
                f'add_header {_CSP} "{page_policy()}" always; }}',
            )
        ),
    ),
    healthy(
        "X-Frame-Options: DENY on the page alone",
        nginx(
            f"{STRIP} location = /app/ {{ proxy_pass http://@bare@/; {FULL} "
            "add_header X-Frame-Options DENY; }"
        ),
    ),
    healthy(
        "Permissions-Policy without a camera", nginx(_sends("Permissions-Policy", "camera=()"))
    ),
)

# --- right enough

_RIGHT = (
    healthy("a body limit of 200m", nginx(STRIP.replace("201m", "200m"))),
    healthy("a body limit of 200M", nginx(STRIP.replace("201m", "200M"))),
    healthy("stlaunch, a body limit of 200m", nginx(STL_HOST.replace("201m", "200m"))),
)

# --- rate limits


def _limited(words: str, rate: str = "10r/s") -> Frame:
    zones = f"limit_req_zone $binary_remote_addr zone=one:1m rate={rate};"
    zones += "limit_conn_zone $binary_remote_addr zone=two:1m;"
    return nginx(STRIP.replace("}", f"{words} }}"), http=zones)


_RATES = (
    broken(
        "a rate limit below one page load",
        "STL611",
        _limited("limit_req zone=one burst=20 nodelay;"),
    ),
    broken("one connection at a time", "STL611", _limited("limit_conn two 1;")),
    healthy(
        "a rate limit with room for a page load",
        _limited("limit_req zone=one burst=200 nodelay; limit_conn two 50;", "100r/s"),
    ),
)

# --- replicas that are sticky, or not, each with a secret of its own

_HASH = """map $cookie_replica $which { default $cookie_replica; '' $request_id; }
    map $cookie_replica $set { default ''; '' 'replica=$request_id; Path=/app/'; }
    upstream apps { hash $which consistent; server @stl@; server @stl2@; }"""
_TO_APPS = STL_HOST.replace("@stl@", "apps")
_STICKY = _TO_APPS.replace("}", "add_header Set-Cookie $set; }")
_STL_REPLICAS = (
    *(
        healthy(
            f"two instances of stlaunch, sticky by a cookie, run {number}",
            nginx(_STICKY, http=_HASH),
        )
        for number in range(1, 5)
    ),
    healthy(
        "two instances of stlaunch, sticky by HAProxy",
        haproxy(
            "http-request redirect location /app/ code 301 if { path /app }",
            "balance roundrobin\n    cookie replica insert indirect nocache\n"
            "    server a @stl@ cookie a\n    server b @stl2@ cookie b",
        ),
    ),
    broken(
        "two instances of stlaunch in turn",
        "STL702",
        nginx(_TO_APPS, http="upstream apps { server @stl@; server @stl2@; }"),
    ),
)

HEADERS: tuple[Setup, ...] = (*_HEADERS, *_RIGHT, *_RATES, *_STL_REPLICAS)
