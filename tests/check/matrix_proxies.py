"""The rows with Apache, Caddy, Traefik, HAProxy and Envoy."""

from __future__ import annotations

from tests.check.frames import apache, caddy, envoy, haproxy, traefik
from tests.check.setups import Setup, broken, healthy

# --- Apache

_SLASH = "RedirectMatch ^/app$ /app/\n"
APACHE_BARE = (
    f"{_SLASH}ProxyPreserveHost On\nRequestHeader set X-Forwarded-Proto http\n"
    'ProxyPass "/app/" "http://@bare@/" upgrade=websocket'
)
APACHE_STL = APACHE_BARE.replace("@bare@", "@stl@")
APACHE: tuple[Setup, ...] = (
    healthy("strips, upgrade=websocket, ProxyPreserveHost", apache(APACHE_BARE)),
    healthy("stlaunch", apache(APACHE_STL)),
    healthy(
        "RewriteRule to ws://",
        apache(
            f"{_SLASH}ProxyPreserveHost On\nRewriteEngine On\n"
            "RewriteCond %{HTTP:Upgrade} =websocket [NC]\n"
            'RewriteRule "^/app/(.*)" "ws://@bare@/$1" [P,L]\n'
            'ProxyPass "/app/" "http://@bare@/"'
        ),
    ),
    broken("no upgrade=websocket", "STL301", apache(APACHE_BARE.replace(" upgrade=websocket", ""))),
    broken(
        "no upgrade=websocket, stlaunch",
        "STL301",
        apache(APACHE_STL.replace(" upgrade=websocket", "")),
    ),
    broken(
        "RewriteRule to http:// for the WebSocket",
        "STL301",
        apache(
            f'{_SLASH}ProxyPreserveHost On\nRewriteEngine On\nRewriteRule "^/app/(.*)" '
            '"http://@bare@/$1" [P,L]'
        ),
    ),
    broken(
        "no ProxyPreserveHost",
        "STL501",
        apache(APACHE_BARE.replace("ProxyPreserveHost On\n", "")),
    ),
    broken("upstream is down", "STL120", apache(APACHE_BARE.replace("@bare@", "@dead@"))),
    broken(
        "strips, app has baseUrlPath",
        "STL201",
        apache(APACHE_BARE.replace("@bare@", "@based@")),
    ),
    broken(
        "keeps, app is at the root",
        "STL202",
        apache('ProxyPreserveHost On\nProxyPass "/app" "http://@bare@/app" upgrade=websocket'),
    ),
    broken(
        "a slash on one side only",
        "STL204",
        apache('ProxyPreserveHost On\nProxyPass "/app" "http://@bare@/" upgrade=websocket'),
    ),
    broken("/app is 404", "STL203", apache(APACHE_BARE.replace(_SLASH, ""))),
    broken("no ProxyPass", "STL123", apache("# nothing")),
    broken(
        "Require all denied",
        "STL128",
        apache(f"{APACHE_BARE}\n<Location /app>\nRequire all denied\n</Location>"),
    ),
    broken(
        "Basic authentication",
        "STL121",
        apache(
            f"{APACHE_BARE}\n<Location /app>\nAuthType Basic\nAuthName x\nAuthUserFile users\n"
            "Require valid-user\n</Location>"
        ),
    ),
    broken("Cookie removed", "STL506", apache(f"RequestHeader unset Cookie\n{APACHE_BARE}")),
    broken("Set-Cookie removed", "STL505", apache(f"Header unset Set-Cookie\n{APACHE_BARE}")),
    broken(
        "PUT is not allowed",
        "STL512",
        apache(f"{APACHE_BARE}\n<Location /app>\n<LimitExcept GET POST>\nRequire all denied\n"
               "</LimitExcept>\n</Location>"),
    ),
)  # fmt: skip

# --- Caddy

_CADDY = "\tredir /app /app/\n\thandle_path /app/* {\n\t\treverse_proxy @bare@\n\t}"
CADDY: tuple[Setup, ...] = (
    healthy("handle_path", caddy(_CADDY)),
    healthy("stlaunch, prefix kept", caddy("\treverse_proxy /app* @stl@")),
    healthy("keeps, app has baseUrlPath", caddy("\treverse_proxy /app* @based@")),
    healthy("TLS, stlaunch", caddy("\treverse_proxy /app* @stl@"), tls="good"),
    broken("/app is not handled", "STL203", caddy(_CADDY.replace("\tredir /app /app/\n", ""))),
    broken(
        "Host is the upstream's",
        "STL501",
        caddy(
            _CADDY.replace("@bare@", "@bare@ {\n\t\t\theader_up Host {upstream_hostport}\n\t\t}")
        ),
    ),
    broken("upstream is down", "STL120", caddy(_CADDY.replace("@bare@", "@dead@"))),
    broken("nothing is handled", "STL122", caddy("\thandle /other/* {\n\t\trespond x\n\t}")),
    broken("strips, app has baseUrlPath", "STL201", caddy(_CADDY.replace("@bare@", "@based@"))),
    broken("keeps, app is at the root", "STL202", caddy("\treverse_proxy /app* @bare@")),
    broken(
        "PUT answered 405",
        "STL512",
        caddy(f"\t@put method PUT\n\troute {{\n\trespond @put 405\n{_CADDY}\n\t}}"),
    ),
    broken(
        "Set-Cookie removed",
        "STL505",
        caddy(_CADDY.replace("@bare@", "@bare@ {\n\t\t\theader_down -Set-Cookie\n\t\t}")),
    ),
    broken(
        "Connection removed",
        "STL301",
        caddy(_CADDY.replace("@bare@", "@bare@ {\n\t\t\theader_up -Upgrade\n\t\t}")),
    ),
    broken(
        "bodies are cut at 1 MB while they are read",
        "STL607",
        caddy(f"\trequest_body {{\n\t\tmax_size 1MB\n\t}}\n{_CADDY}"),
        limits=2,
    ),
    broken("everything answers 403", "STL128", caddy("\trespond 403")),
)

# --- Traefik

TRAEFIK_STRIP = {"strip": "{stripPrefix: {prefixes: [/app]}}"}
TRAEFIK_SLASH = {
    "slash": "{redirectRegex: {regex: '^(https?://[^/]+)/app$', replacement: '${1}/app/'}}"
}
TRAEFIK: tuple[Setup, ...] = (
    healthy(
        "strips, with a slash added", traefik("@bare@", middlewares=TRAEFIK_SLASH | TRAEFIK_STRIP)
    ),
    healthy("stlaunch, prefix kept", traefik("@stl@")),
    healthy("stlaunch, prefix stripped", traefik("@stl@", middlewares=TRAEFIK_STRIP)),
    broken("/app has no slash", "STL203", traefik("@bare@", middlewares=TRAEFIK_STRIP)),
    broken(
        "passHostHeader: false",
        "STL501",
        traefik(
            "@bare@",
            middlewares=TRAEFIK_SLASH | TRAEFIK_STRIP,
            load_balancer="passHostHeader: false",
        ),
    ),
    broken("no router", "STL123", traefik("@bare@", rule="PathPrefix(`/other`)")),
    broken("upstream is down", "STL120", traefik("@dead@", middlewares=TRAEFIK_STRIP)),
    broken("strips, app has baseUrlPath", "STL201", traefik("@based@", middlewares=TRAEFIK_STRIP)),
    broken("keeps, app is at the root", "STL202", traefik("@bare@")),
    broken(
        "Basic authentication",
        "STL121",
        traefik("@stl@", middlewares={"auth": "{basicAuth: {users: ['a:$apr1$x$y']}}"}),
    ),
    broken(
        "addresses not allowed",
        "STL128",
        traefik("@stl@", middlewares={"allow": "{ipAllowList: {sourceRange: [192.0.2.0/24]}}"}),
    ),
    broken(
        "Cookie removed",
        "STL506",
        traefik(
            "@bare@",
            middlewares=TRAEFIK_SLASH
            | TRAEFIK_STRIP
            | {"bald": "{headers: {customRequestHeaders: {Cookie: ''}}}"},
        ),
    ),
    broken(
        "two replicas in turn",
        "STL702",
        traefik("@bare@", "@replica@", middlewares=TRAEFIK_SLASH | TRAEFIK_STRIP),
    ),
)

# --- HAProxy

_REDIRECT = "http-request redirect location /app/ code 301 if { path /app }"
HAPROXY_STRIP = r"http-request replace-path ^/app/?(.*)$ /\1"
HAPROXY_FRONT = f"{_REDIRECT}\n    http-request deny deny_status 404 unless {{ path_beg /app/ }}"
HAPROXY: tuple[Setup, ...] = (
    healthy("strips", haproxy(HAPROXY_FRONT, f"{HAPROXY_STRIP}\n    server a @bare@")),
    healthy("stlaunch, prefix kept", haproxy(HAPROXY_FRONT, "server a @stl@")),
    healthy("keeps, app has baseUrlPath", haproxy(HAPROXY_FRONT, "server a @based@")),
    healthy(
        "TLS, HTTP/2 and WebSockets over it, stlaunch",
        haproxy(
            HAPROXY_FRONT, "http-request set-header X-Forwarded-Proto https\n    server a @stl@"
        ),
        tls="good",
    ),
    broken(
        "Host is the upstream's",
        "STL501",
        haproxy(
            HAPROXY_FRONT,
            f"{HAPROXY_STRIP}\n    http-request set-header Host @bare@\n    server a @bare@",
        ),
    ),
    broken(
        "Upgrade removed",
        "STL301",
        haproxy(
            HAPROXY_FRONT,
            f"{HAPROXY_STRIP}\n    http-request del-header Upgrade\n    server a @bare@",
        ),
    ),
    broken("upstream is down", "STL120", haproxy(HAPROXY_FRONT, "server a @dead@")),
    broken(
        "nothing matches", "STL123", haproxy("http-request deny deny_status 404", "server a @bare@")
    ),
    broken("everything is denied", "STL128", haproxy("http-request deny", "server a @bare@")),
    broken(
        "quiet connections are cut after 5 s",
        "STL606",
        haproxy(
            HAPROXY_FRONT, f"{HAPROXY_STRIP}\n    server a @bare@", timeouts="timeout tunnel 5s"
        ),
        limits=9,
    ),
    broken(
        "two replicas in turn",
        "STL702",
        haproxy(
            HAPROXY_FRONT,
            f"balance roundrobin\n    {HAPROXY_STRIP}\n    server a @bare@\n    server b @replica@",
        ),
    ),
    broken(
        "strips, app has baseUrlPath",
        "STL201",
        haproxy(HAPROXY_FRONT, f"{HAPROXY_STRIP}\n    server a @based@"),
    ),
    broken("keeps, app is at the root", "STL202", haproxy(HAPROXY_FRONT, "server a @bare@")),
    broken(
        "Set-Cookie removed",
        "STL505",
        haproxy(
            HAPROXY_FRONT,
            f"{HAPROXY_STRIP}\n    http-response del-header Set-Cookie\n    server a @bare@",
        ),
    ),
    broken(
        "PUT is not allowed",
        "STL512",
        haproxy(
            f"http-request deny if METH_PUT\n    {HAPROXY_FRONT}",
            f"{HAPROXY_STRIP}\n    server a @bare@",
        ),
    ),
    broken(
        "Basic authentication",
        "STL121",
        haproxy("http-request auth unless { http_auth(people) }", "server a @stl@"),
    ),
    broken(
        "subprotocol removed",
        "STL307",
        haproxy(
            HAPROXY_FRONT,
            f"{HAPROXY_STRIP}\n    http-request del-header Sec-WebSocket-Protocol\n"
            "    server a @bare@",
        ),
    ),
)

# --- Envoy

_BELOW = (
    '- { match: { prefix: "/app/" }, route: { cluster: app, timeout: 0s, prefix_rewrite: "/" } }'
)
_BARE = '- { match: { path: "/app" }, redirect: { path_redirect: "/app/" } }'
_ROUTES = f"{_BARE}\n{_BELOW}"
_BUFFER = """- name: envoy.filters.http.buffer
                    typed_config:
                      "@type": type.googleapis.com/envoy.extensions.filters.http.buffer.v3.Buffer
                      max_request_bytes: 1000000"""
ENVOY: tuple[Setup, ...] = (
    healthy("strips", envoy("@bare@", routes=_ROUTES)),
    healthy(
        "stlaunch, prefix kept",
        envoy(
            "@stl@", routes='- { match: { prefix: "/app" }, route: { cluster: app, timeout: 0s } }'
        ),
    ),
    broken("no upgrade_configs", "STL304", envoy("@bare@", routes=_ROUTES, upgrades=False)),
    broken(
        "no upgrade_configs, stlaunch", "STL304", envoy("@stl@", routes=_ROUTES, upgrades=False)
    ),
    broken(
        "Host is rewritten",
        "STL501",
        envoy(
            "@bare@",
            routes=_ROUTES.replace("timeout: 0s", 'timeout: 0s, host_rewrite_literal: "internal"'),
        ),
    ),
    broken("upstream is down", "STL120", envoy("@dead@", routes=_ROUTES)),
    broken(
        "no route",
        "STL123",
        envoy("@bare@", routes='- { match: { prefix: "/other" }, route: { cluster: app } }'),
    ),
    broken("/app has no route", "STL203", envoy("@bare@", routes=_BELOW)),
    broken(
        "a slash on one side only",
        "STL204",
        envoy(
            "@bare@",
            routes='- { match: { prefix: "/app" }, route: { cluster: app, prefix_rewrite: "/" } }',
        ),
    ),
    broken("strips, app has baseUrlPath", "STL201", envoy("@based@", routes=_ROUTES)),
    broken(
        "subprotocol removed",
        "STL307",
        envoy(
            "@bare@",
            routes=_ROUTES.replace(
                'prefix_rewrite: "/" }',
                'prefix_rewrite: "/" }, request_headers_to_remove: [sec-websocket-protocol]',
            ),
        ),
    ),
    broken(
        "TLS, allow_connect without a route for it",
        "STL309",
        envoy(
            "@stl@",
            routes='- { match: { prefix: "/app" }, route: { cluster: app, timeout: 0s } }',
            manager="http2_protocol_options: { allow_connect: true }",
            alpn="h2, http/1.1",
        ),
        tls="good",
    ),
    broken(
        "a buffer filter before the upgrade",
        "STL305",
        envoy("@bare@", routes=_ROUTES, filters=_BUFFER),
        timeout_s=9,
    ),
    broken(
        "everything answers 403",
        "STL128",
        envoy("@bare@", routes='- { match: { prefix: "/" }, direct_response: { status: 403 } }'),
    ),
)

PROXIES = (*APACHE, *CADDY, *TRAEFIK, *HAPROXY, *ENVOY)
