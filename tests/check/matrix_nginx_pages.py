"""The rows with nginx alone about paths, and about what answers instead of the app."""

from __future__ import annotations

from tests.check.frames import nginx
from tests.check.matrix_nginx import FULL, KEEP, STRIP
from tests.check.setups import Setup, broken

LISTENS = "http://app.example.test/app/"
"""The public URL has port 80, as with a port mapping: nginx listens on another one."""

_PATHS: tuple[Setup, ...] = (
    broken(
        "strips, app has baseUrlPath",
        "STL201",
        nginx(STRIP.replace("@bare@", "@based@")),
    ),
    broken(
        "keeps, app is at the root",
        "STL202",
        nginx(KEEP.replace("@based@", "@bare@")),
    ),
    broken(
        "location without slash, proxy_pass with",
        "STL204",
        nginx(f"location /app {{ proxy_pass http://@bare@/; {FULL} }}"),
    ),
    broken("/app is 404", "STL203", nginx(f"{STRIP} location = /app {{ return 404; }}")),
    broken(
        "/app is the page itself",
        "STL203",
        nginx(f"{STRIP} location = /app {{ proxy_pass http://@bare@/; }}"),
    ),
    broken(
        "assets are looked for on the disk",
        "STL208",
        nginx(f"{STRIP} location /app/static/ {{ root .; }}"),
    ),
    broken(
        "assets are answered with a page",
        "STL207",
        nginx(
            f"{STRIP} location /app/static/ {{ default_type text/html; "
            "return 200 '<!doctype html><title>Portal</title>'; }"
        ),
    ),
    broken(
        "assets come as text/plain",
        "STL207",
        nginx(
            f"{STRIP} location /app/static/ {{ proxy_pass http://@bare@/static/; "
            "proxy_hide_header Content-Type; add_header Content-Type text/plain; }"
        ),
    ),
    broken(
        "only the front page is routed",
        "STL209",
        nginx(
            f"location = /app {{ return 301 /app/; }} "
            f"location ~ ^/app/(_stcore/.*|static/.*|)$ {{ proxy_pass http://@bare@/$1; {FULL} }} "
            "absolute_redirect off;"
        ),
    ),
    broken(
        "health is closed",
        "STL210",
        nginx(f"{STRIP} location /app/_stcore/health {{ return 404; }}"),
    ),
    broken(
        "host-config is closed",
        "STL210",
        nginx(f"{STRIP} location /app/_stcore/host-config {{ return 403; }}"),
    ),
    broken("redirects name nginx's own port", "STL206", nginx(STRIP), url=LISTENS),
    broken(
        "the front page is redirected out of the prefix",
        "STL205",
        nginx(f"{STRIP} location = /app {{ return 301 /; }}"),
    ),
    broken("redirects to itself", "STL126", nginx("location /app/ { return 301 /app/; }")),
    broken(
        "two redirects in a circle",
        "STL126",
        nginx("location = /app/ { return 302 /app/x; } location /app/x { return 302 /app/; }"),
    ),
)

_PAGES: tuple[Setup, ...] = (
    broken("upstream is down", "STL120", nginx(STRIP.replace("@bare@", "@dead@"))),
    broken(
        "Debian's, upstream is down",
        "STL120",
        nginx(STRIP.replace("@bare@", "@dead@"), is_old=True),
    ),
    broken(
        "the default page",
        "STL123",
        nginx(
            "location / { default_type text/html; return 200 '<title>Welcome to nginx!</title>'; }"
        ),
    ),
    broken("no location", "STL123", nginx("location /other/ { return 204; }")),
    broken(
        "a portal instead of the app",
        "STL122",
        nginx("location / { default_type text/html; return 200 '<title>Portal</title>'; }"),
    ),
    broken("an empty answer", "STL122", nginx("location / { return 200; }")),
    broken("500 from the app's place", "STL122", nginx("location / { return 500; }")),
    broken(
        "login of oauth2-proxy by redirect",
        "STL121",
        nginx("location / { return 302 https://sso.example.test/oauth2/start?rd=/app/; }"),
    ),
    broken(
        "login page with a form",
        "STL121",
        nginx(
            "location / { default_type text/html; return 200 "
            "'<form><input name=u><input type=password name=p></form>'; }"
        ),
    ),
    broken(
        "Basic authentication",
        "STL121",
        nginx(f"auth_basic x; auth_basic_user_file users; {STRIP}"),
    ),
    broken("everything is denied", "STL128", nginx(f"deny all; {STRIP}")),
    broken("too many requests", "STL128", nginx("location / { return 429; }")),
    broken(
        "the other name of the site",
        "STL127",
        nginx("location / { return 301 http://www.example.test$request_uri; }"),
    ),
    broken(
        "https leads back to http",
        "STL127",
        nginx("location / { return 301 http://app.example.test/app/; }"),
        tls="good",
    ),
    broken("closes without an answer", "STL124", nginx("location / { return 444; }")),
)

NGINX_PAGES = (*_PATHS, *_PAGES)
