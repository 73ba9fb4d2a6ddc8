"""One row for each code and product that lines are printed for: the fault that they cure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from stlaunch.check.fixes import lines_for
from stlaunch.check.observations import Observations
from stlaunch.check.rules import RULES
from stlaunch.proxies.needs import Need, Product
from tests.check.matrix_side_issues import MAPPED
from tests.check.paste_frames import Parts
from tests.check.recording import recorded


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One pair.

    Attributes:
        code: that check has to name.
        product: whose lines are pasted.
        parts: its configuration, with the fault.
        app: which of the apps is behind it.
        tls: whether the browser speaks https.
        url: where it is not the usual one.
        limits: measure limits, and watch an idle connection for so many seconds.
        is_compared: the app is asked around the proxy as well.
        is_outsider: ask from an address that is not the proxy's own machine's.
        replicas: the apps that a balancer has.
        needs: whose lines the rule asks for itself.
    """

    code: str
    product: Product
    parts: Parts = field(default_factory=Parts)
    app: str = "bare"
    tls: bool = False
    url: str = ""
    limits: float = 0
    is_compared: bool = False
    is_outsider: bool = False
    replicas: tuple[str, ...] = ()
    needs: tuple[Need, ...] | None = None

    @property
    def id(self) -> str:
        """For the table."""
        return f"{self.code} {self.product}"


p = Product
RUNNABLE = (
    *(p.NGINX, p.APACHE, p.CADDY, p.TRAEFIK, p.HAPROXY, p.ENVOY, p.LIGHTTPD, p.H2O, p.VARNISH),
)
ELSEWHERE = "no program of it runs here"
STL = "@stl@"
_UNDER_STLAUNCH = Parts(up=STL)
_KEPT_WITHOUT_HOST = Parts(host=False, target="/app/", up="@based@", slash=False)

_PLAIN: tuple[tuple[str, tuple[Product, ...], Parts, str], ...] = (
    (
        "STL120",
        (p.NGINX, p.APACHE, p.CADDY, p.TRAEFIK, p.HAPROXY, p.LIGHTTPD, p.H2O),
        Parts(up="@dead@"),
        "bare",
    ),
    ("STL201", (p.NGINX, p.APACHE, p.ENVOY, p.LIGHTTPD, p.H2O), Parts(up="@based@"), "based"),
    (
        "STL202",
        (p.NGINX, p.APACHE, p.HAPROXY, p.ENVOY, p.LIGHTTPD, p.H2O),
        Parts(target="/app/"),
        "bare",
    ),
    (
        "STL301",
        (p.NGINX, p.APACHE, p.CADDY, p.LIGHTTPD, p.H2O, p.VARNISH),
        Parts(upgrade=False),
        "bare",
    ),
    ("STL403", (p.NGINX, p.H2O), Parts(up=STL, host=False), "stl"),
    ("STL501", (p.NGINX, p.APACHE, p.CADDY, p.TRAEFIK, p.H2O), Parts(host=False), "bare"),
    (
        "STL804",
        (p.NGINX, p.APACHE, p.CADDY, p.HAPROXY, p.ENVOY, p.LIGHTTPD, p.H2O, p.VARNISH),
        Parts(asset_path=True),
        "bare",
    ),
    ("STL808", (p.NGINX, p.APACHE, p.CADDY, p.HAPROXY), Parts(), "bare"),
)
"""(code, products, parts with the fault, app)."""

_LINES: tuple[tuple[str, Product, str, str], ...] = (
    ("STL307", p.NGINX, "location", 'proxy_set_header Sec-WebSocket-Protocol "";'),
    ("STL307", p.APACHE, "location", "RequestHeader unset Sec-WebSocket-Protocol"),
    ("STL307", p.CADDY, "proxy", "header_up -Sec-WebSocket-Protocol"),
    ("STL602", p.NGINX, "location", "client_max_body_size 1m;"),
    ("STL602", p.TRAEFIK, "middlewares", "uploads: {buffering: {maxRequestBodyBytes: 1000000}}"),
    (
        "STL602",
        p.HAPROXY,
        "frontend",
        "http-request deny deny_status 413 if { req.body_size gt 1000000 }",
    ),
    ("STL602", p.LIGHTTPD, "global", "server.max-request-size = 1024"),
    ("STL602", p.H2O, "global", "limit-request-body: 1000000"),
    ("STL607", p.CADDY, "route", "request_body {\n\tmax_size 1MB\n}"),
    ("STL609", p.NGINX, "server", "large_client_header_buffers 2 2k;"),
    ("STL609", p.APACHE, "server", "LimitRequestFieldSize 2000"),
    ("STL609", p.LIGHTTPD, "global", "server.max-request-field-size = 2048"),
    ("STL606", p.NGINX, "location", "proxy_read_timeout 3s;"),
    ("STL606", p.APACHE, "server", "Timeout 3"),
    ("STL606", p.HAPROXY, "defaults", "timeout tunnel 3s"),
    ("STL606", p.ENVOY, "manager", "stream_idle_timeout: 3s"),
    ("STL606", p.H2O, "global", "proxy.websocket.timeout: 3000"),
)
"""(code, product, place, the lines that are wrong there), before bare Streamlit."""
_SECONDS = {"STL606": 6.0, "STL607": 2.0}

_FORWARDED: tuple[tuple[str, Product, str, str], ...] = (
    ("STL402", p.NGINX, "location", "proxy_set_header X-Forwarded-Proto http;"),
    ("STL402", p.APACHE, "location", "RequestHeader set X-Forwarded-Proto http"),
    ("STL402", p.CADDY, "proxy", "header_up X-Forwarded-Proto http"),
    ("STL402", p.HAPROXY, "backend", "http-request set-header X-Forwarded-Proto http"),
    ("STL508", p.NGINX, "location", "proxy_set_header X-Forwarded-Proto http;"),
    (
        "STL405",
        p.NGINX,
        "location",
        """proxy_set_header X-Forwarded-For $http_x_forwarded_for;
proxy_set_header X-Forwarded-Proto $scheme;""",
    ),
)
"""The same before an app under stlaunch."""

_FRAMES = "X-Frame-Options"
_POLICY = "Content-Security-Policy"
_HEADERS: tuple[tuple[Product, str, str], ...] = (
    (p.NGINX, "location", 'add_header {} "{}" always;'),
    (p.APACHE, "location", 'Header always set {} "{}"'),
    (p.CADDY, "route", 'header {} "{}"'),
    (p.TRAEFIK, "middlewares", 'hard: {{headers: {{customResponseHeaders: {{{}: "{}"}}}}}}'),
    (p.HAPROXY, "backend", 'http-response set-header {} "{}"'),
    (p.ENVOY, "route_config", 'response_headers_to_add:\n  - header: {{key: {}, value: "{}"}}'),
    (p.LIGHTTPD, "path", 'setenv.set-response-header = ( "{}" => "{}" )'),
    (p.H2O, "path", 'header.set: "{}: {}"'),
    (p.VARNISH, "response", 'set beresp.http.{} = "{}";'),
)
"""(product, place, how a header is sent there)."""

_ORIGINS: tuple[tuple[Product, str, str], ...] = (
    (p.NGINX, "location", "proxy_set_header Origin http://localhost;"),
    (p.APACHE, "location", "RequestHeader set Origin http://localhost"),
    (p.CADDY, "proxy", "header_up Origin http://localhost"),
    (p.HAPROXY, "backend", "http-request set-header Origin http://localhost"),
    (p.VARNISH, "recv", 'set req.http.Origin = "http://localhost";'),
)
"""(product, place, the line that opens bare Streamlit to every site)."""

_DIAGNOSTICS = (p.NGINX, p.APACHE, p.CADDY, p.HAPROXY, p.ENVOY, p.LIGHTTPD, p.H2O, p.VARNISH)


def _rows() -> Iterator[Row]:
    for code, products, parts, app in _PLAIN:
        for product in products:
            yield Row(code=code, product=product, parts=parts, app=app)
    for product in RUNNABLE:
        yield Row(code="STL203", product=product, parts=_without_slash(product))
    # The first redirect is nginx's own, with its own port; the other is the app's, built from Host.
    yield Row(
        code="STL206", product=p.NGINX, parts=Parts(slash=False), url=MAPPED, needs=(Need.SLASH,)
    )
    yield Row(
        code="STL206", product=p.TRAEFIK, parts=_KEPT_WITHOUT_HOST, app="based", needs=(Need.HOST,)
    )
    yield Row(code="STL304", product=p.ENVOY, parts=Parts(upgrade=False), needs=(Need.UPGRADE,))
    for code, product, place, lines in _LINES:
        parts = Parts().with_more(place, lines)
        yield Row(code=code, product=product, parts=parts, limits=_SECONDS.get(code, 0))
    for code, product, place, lines in _FORWARDED:
        parts = _UNDER_STLAUNCH.with_more(place, lines)
        yield Row(code=code, product=product, parts=parts, app="stl", tls=code != "STL405")
    for product, place, lines in _HEADERS:
        framed = Parts().with_more(place, lines.format(_FRAMES, "DENY"))
        yield Row(code="STL809", product=product, parts=framed, needs=(Need.FRAME_OPTIONS,))
        closed = Parts().with_more(place, lines.format(_POLICY, "connect-src 'none'"))
        yield Row(code="STL810", product=product, parts=closed)
    limited = (
        Parts()
        .with_more("http", "limit_req_zone $binary_remote_addr zone=one:1m rate=10r/s;")
        .with_more("location", "limit_req zone=one burst=20 nodelay;")
    )
    yield Row(code="STL611", product=p.NGINX, parts=limited)
    for product, place, lines in _ORIGINS:
        parts = Parts().with_more(place, lines)
        yield Row(
            code="STL502", product=product, parts=parts, needs=(Need.ORIGIN,), is_compared=True
        )
    yield Row(code="STL605", product=p.LIGHTTPD, parts=_UNDER_STLAUNCH, app="stl", limits=2)
    for product in (p.NGINX, p.TRAEFIK, p.HAPROXY, p.CADDY):
        replicas = ("@bare@", "@healthy_replica@")
        yield Row(code="STL702", product=product, replicas=replicas, parts=_balanced(product))
    for product in _DIAGNOSTICS:
        parts = _UNDER_STLAUNCH
        yield Row(code="STL807", product=product, app="stl", parts=parts, is_outsider=True)


_LIKE: Mapping[str, tuple[str, ...]] = {
    "STL122": ("STL120", "STL201", "STL202"),
    "STL123": ("STL120", "STL201", "STL202"),
    "STL301": ("STL304",),
    "STL508": ("STL402",),
    "STL604": ("STL606",),
    "STL607": ("STL602",),
}
"""Codes whose fault takes long to show, or leaves no place to paste at, and those that may print
the same lines; whether they do is looked at."""
_CANNOT: tuple[tuple[str, tuple[Product, ...], str], ...] = (
    (
        "STL402",
        (p.TRAEFIK, p.ENVOY, p.H2O, p.VARNISH),
        "it tells the scheme by itself; the lines are for a proxy before it",
    ),
    (
        "STL405",
        (p.APACHE, p.CADDY, p.TRAEFIK, p.HAPROXY, p.ENVOY),
        "it overwrites what a client claims by itself",
    ),
    (
        "STL403",
        (p.APACHE, p.CADDY, p.TRAEFIK, p.ENVOY),
        "it tells the public host by itself, in X-Forwarded-Host",
    ),
    (
        "STL206",
        (p.APACHE, p.CADDY, p.HAPROXY, p.ENVOY, p.LIGHTTPD, p.H2O, p.VARNISH),
        "its route does not pass the bare address on, or the app's redirects are relative",
    ),
    (
        "STL501",
        (p.HAPROXY, p.ENVOY, p.VARNISH),
        "under stlaunch, where these lines are for, the page proves itself and is let in",
    ),
    (
        "STL605",
        (p.NGINX, p.APACHE, p.CADDY, p.TRAEFIK, p.HAPROXY, p.VARNISH),
        "it passes responses on as they come",
    ),
    (
        "STL606",
        (p.LIGHTTPD, p.VARNISH),
        "it never cuts a WebSocket, or only by its command line",
    ),
    (
        "STL602",
        (p.CADDY,),
        "it limits only while it reads (STL607)",
    ),
    (
        "STL609",
        (p.VARNISH,),
        "the limit is set on the command line, which a paste does not change",
    ),
    (
        "STL801",
        (p.NGINX, p.APACHE, p.VARNISH),
        "a cache shows itself with its second answer, and check asks once",
    ),
    (
        "STL702",
        (p.APACHE, p.LIGHTTPD),
        "affinity goes by the client's address, or a balancer has to be built first",
    ),
    (
        "STL804",
        (p.TRAEFIK,),
        "the middleware compresses what the test app sends only above its own threshold",
    ),
)
"""(code, products that run here, why their lines are not run)."""
REASONS: Mapping[tuple[str, Product], str] = {
    (code, product): why for code, products, why in _CANNOT for product in products
}


def why_not(code: str, product: Product) -> str:
    """Return why a pair of a product that runs here is not run; empty where it has to be."""
    run = {(row.code, row.product) for row in ROWS}
    lines = printed_lines(code, product)
    for other in _LIKE.get(code, ()):
        if lines == printed_lines(other, product):
            if (other, product) in run:
                return f"{other} runs the same lines"
            if why := REASONS.get((other, product)):
                return f"prints the lines of {other}, and there: {why}"
    return REASONS.get((code, product), "")


def _without_slash(product: Product) -> Parts:
    parts = Parts(slash=False)
    if product is Product.NGINX:  # it redirects by itself where a proxy_pass is below the slash
        return parts.with_more("server", "location = /app {\n    return 404;\n}")
    return parts


def _balanced(product: Product) -> Parts:
    if product is Product.NGINX:
        upstream = "upstream streamlit {\n    server @bare@;\n    server @healthy_replica@;\n}"
        return Parts(up="streamlit").with_more("http", upstream)
    parts = Parts(up="@bare@ @healthy_replica@")
    return parts.with_more("backend", "balance roundrobin") if product is Product.HAPROXY else parts


ROWS = tuple(_rows())


def printed_pairs() -> Iterator[tuple[str, Product]]:
    """Return each code that check finds, with each product that lines are printed for."""
    for code in sorted({rule.code for rule in RULES}):
        for product in Product:
            if printed_lines(code, product):
                yield code, product


@cache
def printed_lines(code: str, product: Product) -> tuple[tuple[str, str], ...]:
    """Return the places and lines that are printed for one pair."""
    needs = None
    if code in MORE_NEEDS:
        needs = [need for need, only in MORE_NEEDS[code] if only in {None, product}]
    found = lines_for(code, product, _seen(), needs)
    return found.steps if found else ()


@cache
def _seen() -> Observations:
    seen = recorded({"direct": None})
    return replace(seen, direct=replace(seen, url="http://127.0.0.1:8501/app/"))


MORE_NEEDS: Mapping[str, tuple[tuple[Need, Product | None], ...]] = {
    "STL304": ((Need.UPGRADE, Product.ENVOY),),
    "STL502": ((Need.ORIGIN, None),),
    "STL801": ((Need.CACHING, None),),
}
"""What a rule itself asks for, and for which product alone."""
