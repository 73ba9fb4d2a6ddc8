"""The rows with nginx alone: the wheel's 1.31, and Debian's 1.22.

Apps: `@bare@` Streamlit at the root, `@based@` Streamlit with baseUrlPath=app, `@stl@` the same
script under `stlaunch --behind-proxy /app`, `@dead@` nobody, and what `tests/check/apps.py` has.
"""

from __future__ import annotations

from tests.check.frames import nginx
from tests.check.setups import Setup, broken, healthy

UP = (
    "proxy_http_version 1.1; proxy_set_header Upgrade $http_upgrade; "
    'proxy_set_header Connection "upgrade";'
)
SIZE = "client_max_body_size 201m;"
HOST = "proxy_set_header Host $http_host;"
FULL = f"{UP} {HOST} {SIZE}"
FORWARDED = (
    "proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-For $remote_addr;"
)
STRIP = f"location /app/ {{ proxy_pass http://@bare@/; {FULL} }}"
KEEP = f"location /app {{ proxy_pass http://@based@; {FULL} }}"
STL = f"location /app/ {{ proxy_pass http://@stl@/; {UP} {SIZE} {FORWARDED} }}"
STL_HOST = f"location /app/ {{ proxy_pass http://@stl@/; {FULL} {FORWARDED} }}"

NGINX_HEALTHY: tuple[Setup, ...] = (
    healthy("strips the prefix", nginx(STRIP)),
    healthy("keeps the prefix, app has baseUrlPath", nginx(KEEP)),
    healthy("stlaunch, prefix stripped, Host forwarded", nginx(STL_HOST)),
    healthy(
        "stlaunch, prefix kept",
        nginx(f"location /app {{ proxy_pass http://@stl@; {FULL} {FORWARDED} }}"),
    ),
    healthy(
        "at the root",
        nginx(f"location / {{ proxy_pass http://@bare@; {FULL} }}"),
        url="http://app.example.test:{port}/",
    ),
    healthy("TLS, stlaunch", nginx(STL_HOST), tls="good"),
    healthy(
        "TLS, cookies made Secure",
        nginx(STRIP.replace("}", "proxy_cookie_flags _streamlit_xsrf secure; }")),
        tls="good",
    ),
    healthy(
        "the map of nginx's documentation",
        nginx(
            STRIP.replace('"upgrade"', "$connection_upgrade"),
            http="map $http_upgrade $connection_upgrade { default upgrade; '' close; }",
        ),
    ),
    healthy(
        "HTTP/1.0 upstream with the upgrade lines",
        nginx(STRIP.replace("proxy_http_version 1.1", "proxy_http_version 1.0")),
    ),
    healthy(
        "compresses",
        nginx(f"gzip on; gzip_proxied any; gzip_types text/javascript; {STRIP}"),
    ),
    healthy(
        "http leads to https",
        nginx(f"absolute_redirect off; {STL_HOST}"),
        tls="good",
    ),
    healthy("Debian's, strips the prefix", nginx(STRIP, is_old=True)),
    healthy("Debian's, stlaunch", nginx(STL_HOST, is_old=True)),
)

_UPGRADE: tuple[Setup, ...] = (
    broken(
        "bare proxy_pass, strips", "STL301", nginx("location /app/ { proxy_pass http://@bare@/; }")
    ),
    broken(
        "bare proxy_pass, keeps", "STL301", nginx("location /app { proxy_pass http://@based@; }")
    ),
    broken(
        "bare proxy_pass, stlaunch", "STL301", nginx("location /app/ { proxy_pass http://@stl@/; }")
    ),
    broken(
        "Upgrade line missing",
        "STL301",
        nginx(STRIP.replace("proxy_set_header Upgrade $http_upgrade;", "")),
    ),
    broken(
        "Connection line missing",
        "STL301",
        nginx(STRIP.replace('proxy_set_header Connection "upgrade";', "")),
    ),
    broken(
        'Connection "close"',
        "STL301",
        nginx(STRIP.replace('Connection "upgrade"', 'Connection "close"')),
    ),
    broken(
        "upgrade lines for another path than the stream",
        "STL301",
        nginx(
            f"location /app/ {{ proxy_pass http://@bare@/; {HOST} {SIZE} }} "
            f"location /app/stream {{ proxy_pass http://@bare@/stream; {FULL} }}"
        ),
    ),
    broken(
        "proxy_set_header in the location hides the server's",
        "STL301",
        nginx(f"{UP} {SIZE} location /app/ {{ proxy_pass http://@bare@/; {HOST} }}"),
    ),
    broken(
        "Debian's, bare proxy_pass",
        "STL301",
        nginx("location /app/ { proxy_pass http://@bare@/; }", is_old=True),
    ),
    broken(
        "Debian's, bare proxy_pass, stlaunch",
        "STL301",
        nginx("location /app/ { proxy_pass http://@stl@/; }", is_old=True),
    ),
    broken(
        "subprotocol removed from the request",
        "STL307",
        nginx(STRIP.replace("}", 'proxy_set_header Sec-WebSocket-Protocol ""; }')),
    ),
    broken(
        "subprotocol removed from the answer",
        "STL307",
        nginx(STRIP.replace("}", "proxy_hide_header Sec-WebSocket-Protocol; }")),
    ),
    broken(
        "Sec-WebSocket-Key removed",
        "STL308",
        nginx(STRIP.replace("}", 'proxy_set_header Sec-WebSocket-Key ""; }')),
    ),
    broken(
        "Sec-WebSocket-Version changed",
        "STL308",
        nginx(STRIP.replace("}", "proxy_set_header Sec-WebSocket-Version 8; }")),
    ),
    broken(
        "the stream is denied",
        "STL304",
        nginx(f"{STRIP} location /app/_stcore/stream {{ deny all; }}"),
    ),
    broken(
        "the stream has no route",
        "STL316",
        nginx(f"{STRIP} location /app/_stcore/stream {{ return 404; }}"),
    ),
    broken(
        "the stream is redirected to a login",
        "STL310",
        nginx(f"{STRIP} location /app/_stcore/stream {{ return 302 /login; }}"),
    ),
    broken(
        "the stream goes to a dead upstream",
        "STL120",
        nginx(f"{STRIP} location /app/_stcore/stream {{ proxy_pass http://@dead@; }}"),
    ),
    broken(
        "the stream answers with another page",
        "STL304",
        nginx(f"{STRIP} location /app/_stcore/stream {{ return 200 'hello'; }}"),
    ),
    broken(
        "quiet connections are cut after 5 s",
        "STL606",
        nginx(STRIP.replace("}", "proxy_read_timeout 5s; }")),
        limits=9,
    ),
)

_ORIGIN: tuple[Setup, ...] = (
    broken("Host is the upstream's, strips", "STL501", nginx(STRIP.replace(HOST, ""))),
    broken("Host is the upstream's, keeps", "STL501", nginx(KEEP.replace(HOST, ""))),
    broken(
        "Host without its port",
        "STL501",
        nginx(STRIP.replace("$http_host", "$host")),
        url="http://app.example.test:8443/app/",
    ),
    broken("Host is a fixed name", "STL501", nginx(STRIP.replace("$http_host", "internal.test"))),
    broken(
        "Debian's, Host is the upstream's", "STL501", nginx(STRIP.replace(HOST, ""), is_old=True)
    ),
    broken(
        "protections off, as blogs advise",
        "STL502",
        nginx(STRIP.replace("@bare@", "@unprotected@")),
    ),
    broken(
        "Set-Cookie removed", "STL505", nginx(STRIP.replace("}", "proxy_hide_header Set-Cookie; }"))
    ),
    broken(
        "health answered by the proxy",
        "STL505",
        nginx(
            f"{STRIP} location = /app/_stcore/health {{ default_type text/plain; return 200 ok; }}"
        ),
    ),
    broken("Cookie removed", "STL506", nginx(STRIP.replace("}", 'proxy_set_header Cookie ""; }'))),
    broken(
        "X-Xsrftoken removed",
        "STL506",
        nginx(STRIP.replace("}", 'proxy_set_header X-Xsrftoken ""; }')),
    ),
    broken(
        "cookie path rewritten to another one",
        "STL509",
        nginx(STRIP.replace("}", "proxy_cookie_path / /other/; }")),
    ),
    broken(
        "cookie domain of another site",
        "STL509",
        nginx(
            STRIP.replace(
                "}",
                "proxy_cookie_flags ~ nosamesite; proxy_cookie_path / '/; Domain=other.test'; }",
            )
        ),
    ),
    broken("TLS, cookies not Secure", "STL508", nginx(STRIP), tls="good"),
    broken(
        "PUT is not allowed",
        "STL512",
        nginx(STRIP.replace("}", "limit_except GET POST { deny all; } }", 1)),
    ),
    broken(
        "PUT answered 405",
        "STL512",
        nginx(f"if ($request_method = PUT) {{ return 405; }} {STRIP}"),
    ),
)

_TLS: tuple[Setup, ...] = (
    broken("a certificate that nobody signed", "STL110", nginx(STL_HOST), tls="unknown"),
    broken("a certificate for another name", "STL111", nginx(STL_HOST), tls="other"),
    broken("an expired certificate", "STL112", nginx(STL_HOST), tls="expired"),
    broken("a certificate that expires in days", "STL113", nginx(STL_HOST), tls="soon"),
    broken(
        "http to an https port",
        "STL114",
        nginx(STL_HOST),
        tls="good",
        url="http://app.example.test:{port}/app/",
    ),
    broken(
        "https to an http port", "STL114", nginx(STRIP), url="https://app.example.test:{port}/app/"
    ),
    broken(
        "no protocol in common",
        "STL115",
        nginx(f"ssl_protocols TLSv1; ssl_ciphers ALL; {STL_HOST}"),
        tls="good",
    ),
    broken(
        "the app sees http",
        "STL402",
        nginx(STL_HOST.replace("$scheme", "http")),
        tls="good",
    ),
)

_REST: tuple[Setup, ...] = (
    broken("the body limit as it comes", "STL602", nginx(STRIP.replace(SIZE, ""))),
    broken("the body limit at 100 MB", "STL602", nginx(STRIP.replace("201m", "100m"))),
    broken(
        "Debian's, the body limit as it comes",
        "STL602",
        nginx(STRIP.replace(SIZE, ""), is_old=True),
    ),
    broken(
        "stlaunch, the body limit as it comes",
        "STL602",
        nginx(STL_HOST.replace(SIZE, "")),
    ),
    broken("small header buffers", "STL609", nginx(f"large_client_header_buffers 2 2k; {STRIP}")),
    broken(
        "two replicas in turn",
        "STL702",
        nginx(
            f"location /app/ {{ proxy_pass http://apps/; {FULL} }}",
            http="upstream apps { server @bare@; server @replica@; }",
        ),
    ),
    broken("the script fails", "STL313", nginx(STRIP.replace("@bare@", "@replica@"))),
    broken(
        "the page is cached for an hour",
        "STL801",
        nginx(
            STRIP.replace(
                "}", 'proxy_hide_header Cache-Control; add_header Cache-Control "max-age=3600"; }'
            )
        ),
    ),
    broken(
        "the client's X-Forwarded-For is believed",
        "STL405",
        nginx(
            STL_HOST.replace(
                "X-Forwarded-For $remote_addr", "X-Forwarded-For $http_x_forwarded_for"
            )
        ),
    ),
    broken(
        "stlaunch, the public host is not forwarded",
        "STL403",
        nginx(STL),
    ),
)

NGINX_BROKEN = (*_UPGRADE, *_ORIGIN, *_TLS, *_REST)
