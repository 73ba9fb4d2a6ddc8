"""The rows with Apache, Caddy, Traefik, HAProxy, Envoy, lighttpd, h2o, Varnish, chains, no proxy."""

from __future__ import annotations

from tests.check.frames import apache, caddy, envoy, h2o, haproxy, lighttpd, nginx, traefik, varnish
from tests.check.matrix_nginx import FULL, HOST, STRIP, UP
from tests.check.setups import Setup, broken, healthy

# --- Apache

_SLASH = "RedirectMatch ^/app$ /app/\n"
_APACHE = (
    f"{_SLASH}ProxyPreserveHost On\nRequestHeader set X-Forwarded-Proto http\n"
    'ProxyPass "/app/" "http://@bare@/" upgrade=websocket'
)
_APACHE_STL = _APACHE.replace("@bare@", "@stl@")
APACHE: tuple[Setup, ...] = (
    healthy("strips, upgrade=websocket, ProxyPreserveHost", apache(_APACHE)),
    healthy("stlaunch", apache(_APACHE_STL)),
    healthy(
        "RewriteRule to ws://",
        apache(
            f"{_SLASH}ProxyPreserveHost On\nRewriteEngine On\n"
            "RewriteCond %{HTTP:Upgrade} =websocket [NC]\n"
            'RewriteRule "^/app/(.*)" "ws://@bare@/$1" [P,L]\n'
            'ProxyPass "/app/" "http://@bare@/"'
        ),
    ),
    broken("no upgrade=websocket", "STL301", apache(_APACHE.replace(" upgrade=websocket", ""))),
    broken(
        "no upgrade=websocket, stlaunch",
        "STL301",
        apache(_APACHE_STL.replace(" upgrade=websocket", "")),
    ),
    broken(
        "RewriteRule to http:// for the WebSocket",
        "STL301",
        apache(
            f'{_SLASH}ProxyPreserveHost On\nRewriteEngine On\nRewriteRule "^/app/(.*)" '
            '"http://@bare@/$1" [P,L]'
        ),
    ),
    broken("no ProxyPreserveHost", "STL501", apache(_APACHE.replace("ProxyPreserveHost On\n", ""))),
    broken("upstream is down", "STL120", apache(_APACHE.replace("@bare@", "@dead@"))),
    broken("strips, app has baseUrlPath", "STL201", apache(_APACHE.replace("@bare@", "@based@"))),
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
    broken("/app is 404", "STL203", apache(_APACHE.replace(_SLASH, ""))),
    broken("no ProxyPass", "STL123", apache("# nothing")),
    broken(
        "Require all denied",
        "STL128",
        apache(f"{_APACHE}\n<Location /app>\nRequire all denied\n</Location>"),
    ),
    broken(
        "Basic authentication",
        "STL121",
        apache(
            f"{_APACHE}\n<Location /app>\nAuthType Basic\nAuthName x\nAuthUserFile users\n"
            "Require valid-user\n</Location>"
        ),
    ),
    broken("Cookie removed", "STL506", apache(f"RequestHeader unset Cookie\n{_APACHE}")),
    broken("Set-Cookie removed", "STL505", apache(f"Header unset Set-Cookie\n{_APACHE}")),
    broken(
        "PUT is not allowed",
        "STL512",
        apache(f"{_APACHE}\n<Location /app>\n<LimitExcept GET POST>\nRequire all denied\n"
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
    broken("everything answers 403", "STL128", caddy("\trespond 403")),
)

# --- Traefik

_STRIP_APP = {"strip": "{stripPrefix: {prefixes: [/app]}}"}
_SLASH_APP = {
    "slash": "{redirectRegex: {regex: '^(https?://[^/]+)/app$', replacement: '${1}/app/'}}"
}
TRAEFIK: tuple[Setup, ...] = (
    healthy("strips, with a slash added", traefik("@bare@", middlewares=_SLASH_APP | _STRIP_APP)),
    healthy("stlaunch, prefix kept", traefik("@stl@")),
    healthy("stlaunch, prefix stripped", traefik("@stl@", middlewares=_STRIP_APP)),
    broken("/app has no slash", "STL203", traefik("@bare@", middlewares=_STRIP_APP)),
    broken(
        "passHostHeader: false",
        "STL501",
        traefik(
            "@bare@",
            middlewares=_SLASH_APP | _STRIP_APP,
            load_balancer="passHostHeader: false",
        ),
    ),
    broken("no router", "STL123", traefik("@bare@", rule="PathPrefix(`/other`)")),
    broken("upstream is down", "STL120", traefik("@dead@", middlewares=_STRIP_APP)),
    broken("strips, app has baseUrlPath", "STL201", traefik("@based@", middlewares=_STRIP_APP)),
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
            middlewares=_SLASH_APP
            | _STRIP_APP
            | {"bald": "{headers: {customRequestHeaders: {Cookie: ''}}}"},
        ),
    ),
    broken(
        "two replicas in turn",
        "STL702",
        traefik("@bare@", "@replica@", middlewares=_SLASH_APP | _STRIP_APP),
    ),
)

# --- HAProxy

_REDIRECT = "http-request redirect location /app/ code 301 if { path /app }"
_REPLACE = r"http-request replace-path ^/app/?(.*)$ /\1"
_FRONT = f"{_REDIRECT}\n    http-request deny deny_status 404 unless {{ path_beg /app/ }}"
HAPROXY: tuple[Setup, ...] = (
    healthy("strips", haproxy(_FRONT, f"{_REPLACE}\n    server a @bare@")),
    healthy("stlaunch, prefix kept", haproxy(_FRONT, "server a @stl@")),
    healthy("keeps, app has baseUrlPath", haproxy(_FRONT, "server a @based@")),
    broken(
        "Host is the upstream's",
        "STL501",
        haproxy(
            _FRONT, f"{_REPLACE}\n    http-request set-header Host @bare@\n    server a @bare@"
        ),
    ),
    broken(
        "Upgrade removed",
        "STL301",
        haproxy(_FRONT, f"{_REPLACE}\n    http-request del-header Upgrade\n    server a @bare@"),
    ),
    broken("upstream is down", "STL120", haproxy(_FRONT, "server a @dead@")),
    broken(
        "nothing matches", "STL123", haproxy("http-request deny deny_status 404", "server a @bare@")
    ),
    broken("everything is denied", "STL128", haproxy("http-request deny", "server a @bare@")),
    broken(
        "quiet connections are cut after 2 s",
        "STL606",
        haproxy(_FRONT, f"{_REPLACE}\n    server a @bare@", timeouts="timeout tunnel 2s"),
        limits=6,
    ),
    broken(
        "two replicas in turn",
        "STL702",
        haproxy(
            _FRONT,
            f"balance roundrobin\n    {_REPLACE}\n    server a @bare@\n    server b @replica@",
        ),
    ),
    broken(
        "strips, app has baseUrlPath",
        "STL201",
        haproxy(_FRONT, f"{_REPLACE}\n    server a @based@"),
    ),
    broken("keeps, app is at the root", "STL202", haproxy(_FRONT, "server a @bare@")),
    broken(
        "Set-Cookie removed",
        "STL505",
        haproxy(
            _FRONT, f"{_REPLACE}\n    http-response del-header Set-Cookie\n    server a @bare@"
        ),
    ),
    broken(
        "PUT is not allowed",
        "STL512",
        haproxy(f"http-request deny if METH_PUT\n    {_FRONT}", f"{_REPLACE}\n    server a @bare@"),
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
            _FRONT,
            f"{_REPLACE}\n    http-request del-header Sec-WebSocket-Protocol\n    server a @bare@",
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
        "a buffer filter before the upgrade",
        "STL305",
        envoy("@bare@", routes=_ROUTES, filters=_BUFFER),
        timeout_s=6,
    ),
    broken(
        "everything answers 403",
        "STL128",
        envoy("@bare@", routes='- { match: { prefix: "/" }, direct_response: { status: 403 } }'),
    ),
)

# --- lighttpd

_LIGHTTPD_SLASH = '$HTTP["url"] == "/app" { url.redirect = ("" => "/app/") }\n'
_LIGHTTPD = f"""{_LIGHTTPD_SLASH}$HTTP["url"] =^ "/app/" {{
    proxy.server = ("" => (("host" => "127.0.0.1", "port" => @bare@.port)))
    proxy.header = ("map-urlpath" => ("/app/" => "/"), "upgrade" => "enable")
}}"""
LIGHTTPD: tuple[Setup, ...] = (
    healthy("strips", lighttpd(_LIGHTTPD)),
    healthy("stlaunch, prefix stripped", lighttpd(_LIGHTTPD.replace("@bare@", "@stl@"))),
    broken("no upgrade", "STL301", lighttpd(_LIGHTTPD.replace(', "upgrade" => "enable"', ""))),
    broken(
        "no upgrade, stlaunch",
        "STL301",
        lighttpd(_LIGHTTPD.replace(', "upgrade" => "enable"', "").replace("@bare@", "@stl@")),
    ),
    broken("upstream is down", "STL120", lighttpd(_LIGHTTPD.replace("@bare@", "@dead@"))),
    broken(
        "strips, app has baseUrlPath", "STL201", lighttpd(_LIGHTTPD.replace("@bare@", "@based@"))
    ),
    broken("no proxy.server", "STL123", lighttpd("")),
    broken("/app is 404", "STL203", lighttpd(_LIGHTTPD.replace(_LIGHTTPD_SLASH, ""))),
    broken(
        "denied",
        "STL128",
        lighttpd(f'$HTTP["url"] =^ "/" {{ url.access-deny = ("") }}\n{_LIGHTTPD}'),
    ),
    broken(
        "a body limit of 1 MiB", "STL602", lighttpd(f"server.max-request-size = 1024\n{_LIGHTTPD}")
    ),
)

# --- h2o

_H2O = """      "/app/":
        proxy.reverse.url: "http://@bare@/"
        proxy.preserve-host: ON
        proxy.websocket: ON
      "/app":
        redirect: {status: 301, internal: NO, url: "/app/"}"""
H2O: tuple[Setup, ...] = (
    healthy("strips", h2o(_H2O)),
    broken("no proxy.websocket", "STL301", h2o(_H2O.replace("        proxy.websocket: ON\n", ""))),
    broken(
        "no proxy.preserve-host",
        "STL501",
        h2o(_H2O.replace("        proxy.preserve-host: ON\n", "")),
    ),
    broken("upstream is down", "STL120", h2o(_H2O.replace("@bare@", "@dead@"))),
    broken("no path", "STL123", h2o('      "/other":\n        file.dir: .')),
    broken("strips, app has baseUrlPath", "STL201", h2o(_H2O.replace("@bare@", "@based@"))),
)

# --- Varnish

_VCL_STRIP = (
    'if (req.url == "/app") { return (synth(750)); } set req.url = regsub(req.url, "^/app/", "/");'
)
_VCL_SYNTH = (
    "sub vcl_synth { if (resp.status == 750) { set resp.status = 301; "
    'set resp.http.Location = "/app/"; return (deliver); } }'
)
_VCL_PIPE = (
    "sub vcl_pipe { if (req.http.upgrade) { set bereq.http.upgrade = req.http.upgrade; "
    "set bereq.http.connection = req.http.connection; } }"
)
_VCL_RECV = (
    f'sub vcl_recv {{ {_VCL_STRIP} if (req.http.upgrade ~ "(?i)websocket") {{ return (pipe); }} }}'
)
_VCL = f"{_VCL_RECV}\n{_VCL_PIPE}\n{_VCL_SYNTH}"
VARNISH: tuple[Setup, ...] = (
    healthy("pipes the WebSocket", varnish("@bare@", _VCL)),
    broken("no pipe", "STL301", varnish("@bare@", f"sub vcl_recv {{ {_VCL_STRIP} }}\n{_VCL_SYNTH}")),
    broken("a pipe without the headers", "STL301", varnish("@bare@", f"{_VCL_RECV}\n{_VCL_SYNTH}")),
    broken("upstream is down", "STL120", varnish("@dead@", _VCL)),
    broken(
        "Set-Cookie removed",
        "STL505",
        varnish("@bare@", f"{_VCL}\nsub vcl_deliver {{ unset resp.http.Set-Cookie; }}"),
    ),
    broken(
        "Cookie removed",
        "STL506",
        varnish("@bare@", f"sub vcl_recv {{ unset req.http.Cookie; }}\n{_VCL}"),
    ),
    broken(
        "the page is kept for an hour",
        "STL801",
        varnish(
            "@bare@",
            f'{_VCL}\nsub vcl_backend_response {{ if (bereq.url == "/") '
            '{ set beresp.http.Cache-Control = "max-age=3600"; set beresp.ttl = 1h; } }',
        ),
    ),
)  # fmt: skip

# --- chains of two

_NEXT = f"location /app {{ proxy_pass http://@next@; {FULL} }}"
_SECOND = STRIP.replace("location /app/", "absolute_redirect off; location /app/")
CHAINS: tuple[Setup, ...] = (
    healthy("nginx strips", traefik("@next@"), nginx(_SECOND)),
    healthy("HAProxy strips", nginx(_NEXT), haproxy(_FRONT, f"{_REPLACE}\n    server a @bare@")),
    healthy("Apache strips, stlaunch", caddy("\treverse_proxy @next@"), apache(_APACHE_STL)),
    broken(
        "the second drops the upgrade",
        "STL301",
        traefik("@next@"),
        nginx(f"absolute_redirect off; location /app/ {{ proxy_pass http://@bare@/; {HOST} }}"),
    ),
    broken(
        "the first drops the upgrade",
        "STL301",
        nginx(f"location /app {{ proxy_pass http://@next@; {HOST} }}"),
        haproxy(_FRONT, f"{_REPLACE}\n    server a @bare@"),
    ),
    broken(
        "the first drops the upgrade, stlaunch",
        "STL301",
        nginx("location /app { proxy_pass http://@next@; }"),
        caddy("\treverse_proxy @stl@"),
    ),
    broken(
        "the second is down",
        "STL120",
        nginx(_NEXT.replace("@next@", "@dead@")),
        caddy("\trespond x"),
    ),
    broken("the app is down", "STL120", nginx(_NEXT), haproxy(_FRONT, "server a @dead@")),
    broken(
        "the second rewrites Host",
        "STL501",
        caddy("\treverse_proxy @next@"),
        apache(_APACHE.replace("ProxyPreserveHost On\n", "")),
    ),
    broken(
        "the first rewrites Host",
        "STL501",
        nginx(f"location /app {{ proxy_pass http://@next@; {UP} client_max_body_size 201m; }}"),
        traefik("@bare@", middlewares=_SLASH_APP | _STRIP_APP),
    ),
    broken(
        "the second limits bodies",
        "STL602",
        haproxy("", "server a @next@"),
        nginx(_SECOND.replace("client_max_body_size 201m;", "")),
    ),
    broken(
        "both strip",
        "STL123",
        nginx(f"location /app/ {{ proxy_pass http://@next@/; {FULL} }}"),
        nginx(_SECOND),
    ),
    broken(
        "the first knows no upgrade",
        "STL304",
        envoy(
            "@next@",
            routes='- { match: { prefix: "/app" }, route: { cluster: app } }',
            upgrades=False,
        ),
        nginx(_SECOND),
    ),
    broken(
        "a cache before nginx drops the upgrade",
        "STL301",
        varnish("@next@", ""),
        nginx(_SECOND),
    ),
)

# --- no proxy

NONE: tuple[Setup, ...] = (
    healthy("bare Streamlit, asked directly", url="http://app.example.test:{port}/", app="bare"),
    healthy("stlaunch, asked directly", app="stl"),
    broken("nothing listens", "STL102", app="dead"),
    broken("the wrong path", "STL202", app="bare", url="http://app.example.test:{port}/nope/"),
    broken(
        "the root of an app with baseUrlPath",
        "STL123",
        app="based",
        url="http://app.example.test:{port}/",
    ),
)

OTHERS = (*APACHE, *CADDY, *TRAEFIK, *HAPROXY, *ENVOY, *LIGHTTPD, *H2O, *VARNISH, *CHAINS, *NONE)
