"""Check the locations that lead to the app. Pure, on the tree alone."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from stlaunch.lint.app import App
from stlaunch.lint.nginx.cookies import cookie_change_faults
from stlaunch.lint.nginx.faults import Fault
from stlaunch.lint.nginx.limits import capacity_faults
from stlaunch.lint.nginx.parse import Directive
from stlaunch.lint.nginx.variables import Variables, has_variable
from stlaunch.lint.units import seconds, size
from stlaunch.proxies.needs import Need
from stlaunch.urls.base_path import BasePath

_DEFAULT_BODY = 1024 * 1024
_DEFAULT_READ_S = 60
_HANDSHAKE = ("Sec-WebSocket-Key", "Sec-WebSocket-Version")
_WRONG_HOSTS = {"$proxy_host", "", "localhost", "127.0.0.1"}
# What browsers send; the second one is Firefox.
_HANDSHAKES = tuple(
    {"http_upgrade": "websocket", "http_connection": connection}
    for connection in ("Upgrade", "keep-alive, Upgrade")
)
_BALANCERS = {"hash", "ip_hash", "sticky", "sticky_cookie_insert"}


def stream_faults(
    location: Directive, app: App, maps: Mapping[str, Directive], *, is_routed_by_host: bool
) -> Iterator[Fault]:
    """Evaluate the location that answers the WebSocket handshake."""
    headers = _headers(location)
    yield from _upgrade_faults(location, headers, maps)
    yield from _protocol_faults(location, headers)
    yield from _origin_faults(location, headers, is_routed_by_host=is_routed_by_host)
    read = location.inherited("proxy_read_timeout")
    limit = seconds("".join(read.args)) if read else _DEFAULT_READ_S
    if limit is not None and limit <= app.ping_interval_s:
        where = read or location
        yield Fault(
            code="STL606",
            at=where,
            detail=f"A quiet WebSocket is cut after {limit:g} s, and the app pings every "
            f"{app.ping_interval_s} s.",
            need=Need.IDLE_TIMEOUT,
        )


def request_faults(location: Directive, app: App, base: BasePath) -> Iterator[Fault]:
    """Evaluate what every request to the app needs: who, from where, with which cookies."""
    headers = _headers(location)
    is_hidden = location.may_hide("proxy_set_header")
    scheme = headers.get("x-forwarded-proto")
    if speaks_tls(location):
        if scheme is None and not is_hidden:
            yield Fault(
                code="STL402",
                at=location,
                detail="The site speaks https, but the app does not know: X-Forwarded-Proto is "
                "missing.",
                need=Need.SCHEME,
            )
        elif scheme and scheme.args[1].lower() == "http":
            yield Fault(
                code="STL402",
                at=scheme,
                detail="The site speaks https, but the app sees http.",
                need=Need.SCHEME,
            )
    if not is_hidden and not {"x-forwarded-for", "x-real-ip", "forwarded"} & headers.keys():
        yield Fault(
            code="STL404",
            at=location,
            detail="The app does not learn the client's address: X-Forwarded-For is missing.",
            need=Need.CLIENT,
        )
    prefix = headers.get("x-forwarded-prefix")
    if prefix and "$" not in prefix.args[1] and prefix.args[1].rstrip("/") != base.value:
        yield Fault(
            code="STL407",
            at=prefix,
            detail=f"X-Forwarded-Prefix says {prefix.args[1]!r}, the path is {base.value!r}.",
            need=Need.HOST,
            headers=("x-forwarded-prefix",),
        )
    for name in app.trusted_headers:
        if name.lower() not in headers and not is_hidden:
            yield Fault(
                code="STL406",
                at=location,
                detail=f"The app believes {name} (server.trustedUserHeaders), and a client's own "
                "goes through.",
                need=Need.IDENTITY,
                headers=(name.lower(),),
            )
    yield from _cookie_faults(location, headers)
    yield from cookie_change_faults(location, base)


def upload_faults(location: Directive, app: App) -> Iterator[Fault]:
    """Evaluate the location that answers uploads."""
    limit = location.inherited("client_max_body_size")
    allowed = size(limit.args[0]) if limit and limit.args else _DEFAULT_BODY
    needed = app.max_upload_mb * 1024 * 1024
    is_hidden = limit is None and location.may_hide("client_max_body_size")
    if allowed is not None and 0 < allowed < needed and not is_hidden:
        said = f"client_max_body_size is {limit.args[0]}" if limit else "nginx's own limit is 1 MB"
        yield Fault(
            code="STL607",
            at=limit if limit and limit.parent is location else location,
            detail=f"Uploads may have {app.max_upload_mb} MB (server.maxUploadSize), and {said}.",
            need=Need.BODY_SIZE,
        )
    for directive in location.block or ():
        is_limit = directive.name == "limit_except" and directive.last("deny") is not None
        if is_limit and "PUT" not in map(str.upper, directive.args):
            yield Fault(
                code="STL512",
                at=directive,
                detail="limit_except refuses PUT, with which Streamlit uploads.",
            )
    token = _headers(location).get("x-xsrftoken")
    if token and token.args[1] != "$http_x_xsrftoken":
        yield Fault(
            code="STL506", at=token, detail="Uploads need X-Xsrftoken as it came.", is_removed=True
        )


def page_faults(location: Directive) -> Iterator[Fault]:
    """Evaluate the location that answers the page itself."""
    cache = location.inherited("proxy_cache")
    ignored = location.inherited("proxy_ignore_headers")
    is_cached = cache and cache.args[:1] != ("off",)
    if is_cached and ignored and "Cache-Control" in ignored.args:
        yield Fault(
            code="STL801",
            at=ignored,
            detail="The page is cached although the app forbids it (Cache-Control is ignored).",
            need=Need.CACHING,
        )
    expires = location.inherited("expires")
    if expires and (expires.args[0] == "max" or (seconds(expires.args[0]) or 0) > 0):
        yield Fault(
            code="STL801",
            at=expires,
            detail=f"Browsers keep the page (expires {expires.args[0]}), also after an update.",
            is_removed=True,
        )
    caught = location.inherited("proxy_intercept_errors")
    pages = location.inherited_all("error_page")
    if caught and caught.args == ("on",):
        for page in pages:
            if "404" in page.args and any(arg.startswith("=") for arg in page.args):
                yield Fault(
                    code="STL211",
                    at=page,
                    detail="A missing asset is answered with another page and another status.",
                )


def upstream_faults(groups: Sequence[Directive]) -> Iterator[Fault]:
    """Evaluate the groups of servers that the app's replicas are."""
    for group in groups:
        if group.has_unread:
            continue
        active = [
            server for server in group.all("server") if not {"backup", "down"} & set(server.args)
        ]
        if len(active) > 1 and not any(child.name in _BALANCERS for child in group.block or ()):
            yield Fault(
                code="STL702",
                at=group,
                detail=f"{len(active)} servers take turns: a browser's requests reach different "
                "replicas.",
                need=Need.AFFINITY,
                replicas=tuple(server.args[0] for server in active),
            )
        yield from capacity_faults(active)


def _upgrade_faults(
    location: Directive, headers: dict[str, Directive], maps: Mapping[str, Directive]
) -> Iterator[Fault]:
    upgrade, connection = headers.get("upgrade"), headers.get("connection")
    lost = [
        name
        for name, given, word in (
            ("Upgrade", upgrade, "websocket"),
            ("Connection", connection, "upgrade"),
        )
        if given is None or not _always_says(given, word, maps)
    ]
    is_hidden = location.may_hide("proxy_set_header")
    lost = [name for name in lost if not (is_hidden and headers.get(name.lower()) is None)]
    if not lost:
        return
    own = [directive for directive in (upgrade, connection) if directive is not None]
    at = next((given for given in own if given.parent is location), location)
    outer = next(iter(_outer_headers(location)), None)
    detail = f"The WebSocket handshake loses {' and '.join(lost)}."
    if outer and not own:
        detail += (
            f" The location's own proxy_set_header lines replace all those of {outer.file.name}, "
            f"line {outer.line}."
        )
    yield Fault(code="STL301", at=at, detail=detail, need=Need.UPGRADE)


def _outer_headers(location: Directive) -> Iterator[Directive]:
    if not location.all("proxy_set_header"):
        return
    outer = location.parent.inherited_all("proxy_set_header") if location.parent else []
    for directive in outer:
        if len(directive.args) > 1 and directive.args[0].lower() == "upgrade":
            yield directive


def _protocol_faults(location: Directive, headers: dict[str, Directive]) -> Iterator[Fault]:
    protocol = headers.get("sec-websocket-protocol")
    if protocol and protocol.args[1] != "$http_sec_websocket_protocol":
        yield Fault(
            code="STL307",
            at=protocol,
            detail="The page's subprotocols must go on as they came.",
            need=Need.SUBPROTOCOL,
        )
    for hidden in location.inherited_all("proxy_hide_header"):
        if hidden.args and hidden.args[0].lower() == "sec-websocket-protocol":
            yield Fault(
                code="STL307",
                at=hidden,
                detail="The answer loses its subprotocol, and the page closes the WebSocket.",
                is_removed=True,
            )
    for name in _HANDSHAKE:
        given = headers.get(name.lower())
        expected = "$http_" + name.lower().replace("-", "_")
        if given and given.args[1] != expected:
            yield Fault(
                code="STL308", at=given, detail=f"{name} must go on as it came.", is_removed=True
            )


def _origin_faults(
    location: Directive, headers: dict[str, Directive], *, is_routed_by_host: bool
) -> Iterator[Fault]:
    host, origin = headers.get("host"), headers.get("origin")
    is_right = is_routed_by_host or (host is None and location.may_hide("proxy_set_header"))
    is_wrong = not is_right and (host is None or _is_wrong_host(host.args[1]))
    names = ("host", "x-forwarded-host") if host is None else ("host",)
    if origin and origin.args[1] != "$http_origin":
        yield Fault(
            code="STL502",
            at=origin,
            detail="The app sees another Origin than the browser's, so bare Streamlit "
            "lets pages of every site in.",
            is_removed=True,
            need=Need.HOST if is_wrong else None,
            headers=names,
        )
    elif is_wrong and host is None:
        yield Fault(
            code="STL501",
            at=location,
            detail="The app gets the upstream's address as Host, which is not the page's Origin.",
            need=Need.HOST,
            headers=names,
        )
    elif is_wrong and host is not None:
        yield Fault(
            code="STL501",
            at=host,
            detail=f"The app gets {host.args[1] or 'no'} Host, which is not the page's Origin.",
            need=Need.HOST,
            headers=names,
        )


def _cookie_faults(location: Directive, headers: dict[str, Directive]) -> Iterator[Fault]:
    cookie = headers.get("cookie")
    if cookie and cookie.args[1] == "":
        yield Fault(
            code="STL507",
            at=cookie,
            detail="The app gets no cookies: uploads and logins fail.",
            need=Need.COOKIES,
            headers=("cookie",),
        )
    for hidden in location.inherited_all("proxy_hide_header"):
        if hidden.args and hidden.args[0].lower() == "set-cookie":
            yield Fault(
                code="STL505",
                at=hidden,
                detail="The app's cookies do not arrive in the browser: uploads and logins fail.",
                is_removed=True,
            )


def _always_says(given: Directive, word: str, maps: Mapping[str, Directive]) -> bool:
    """Return whether every browser's handshake gets a header; what is not known counts as right."""
    return all(
        has_variable(value) or word in value.lower()
        for handshake in _HANDSHAKES
        for value in [_value(given.args[1], handshake, maps)]
    )


def _value(text: str, handshake: Mapping[str, str], maps: Mapping[str, Directive]) -> str:
    # Without a scope: one that `set` fills may be set in an `if` too.
    nowhere = Directive(name="", args=(), file=Path(), line=0)
    return Variables(scope=nowhere, maps=maps, request=handshake, guesses=False).expand(text)


def _headers(location: Directive) -> dict[str, Directive]:
    return {
        directive.args[0].lower(): directive
        for directive in location.inherited_all("proxy_set_header")
        if len(directive.args) > 1
    }


def _is_wrong_host(value: str) -> bool:
    return value in _WRONG_HOSTS or re.fullmatch(r"(localhost|[0-9.]+)(:\d+)?", value) is not None


def speaks_tls(location: Directive) -> bool:
    """Return whether some browsers come over https; one server may listen for both."""
    server = next((level for level in location.ancestors() if level.name == "server"), None)
    listens = server.all("listen") if server else []
    is_old = server is not None and any(on.args == ("on",) for on in server.all("ssl"))
    return is_old or any({"ssl", "quic"} & set(listen.args) for listen in listens)
