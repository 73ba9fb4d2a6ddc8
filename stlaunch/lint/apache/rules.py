"""Check a virtual host that leads to the app, apart from its routes. Pure."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from stlaunch.diagnostics import page_load
from stlaunch.diagnostics.page_policy import COMPONENT, PAGE, header_problems
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.lint import streamlit
from stlaunch.lint.apache.parse import Node
from stlaunch.lint.apache.request import Site
from stlaunch.lint.app import App
from stlaunch.lint.expressions import NotUnderstoodError, search
from stlaunch.lint.findings import Edit
from stlaunch.lint.units import seconds
from stlaunch.proxies.needs import Need
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath

_TWO = 2
_FIELD_BYTES = 8190  # Apache's own
_LOST_HEADERS = {
    "upgrade": ("STL301", Need.UPGRADE),
    "connection": ("STL301", Need.UPGRADE),
    "sec-websocket-protocol": ("STL307", Need.SUBPROTOCOL),
    "cookie": ("STL507", None),
    "x-xsrftoken": ("STL506", None),
}
_SETTING = {"set", "append", "add", "merge", "setifempty"}


@dataclass(frozen=True, slots=True)
class Fault:
    """A finding before it has a file.

    Attributes:
        is_missing: something is missing that an unread include may hold.
        replicas: the members of the balancer that the fix has to name.
    """

    code: str
    at: Node
    detail: str
    need: Need | None = None
    edits: tuple[Edit, ...] = ()
    is_missing: bool = False
    milder: Circumstance | None = None
    replicas: tuple[str, ...] = ()


def site_faults(
    site: Site,
    base: BasePath,
    app: App,
    *,
    at: Node,
    is_own: Callable[[Node], bool],
    is_routed_by_host: bool,
) -> Iterator[Fault]:
    """Evaluate what concerns every request to the app."""
    nodes = [node for node in site.nodes if _concerns(node, base)]
    host_faults = _host_faults(nodes, at, preserved=preserving(site, base))
    yield from (one for one in host_faults if one.code != "STL501" or not is_routed_by_host)
    yield from _scheme_faults(site, nodes, at)
    for node in nodes:
        yield from _method_faults(node) if node.is_section else _line_faults(node, app)
    timeouts = [node for node in nodes if node.name == "timeout"]
    # A tunnel lasts as long as the longer of the client's and the app's limits.
    others = [seconds(node.words[1]) for node in nodes if node.name == "proxytimeout"]
    for node in timeouts[:1]:
        limit = seconds(node.words[1])
        is_longer = any(other is not None and other > app.ping_interval_s for other in others[:1])
        is_short = limit is not None and 0 < limit <= app.ping_interval_s
        if limit is not None and is_short and not is_longer and is_own(node):
            yield Fault(
                "STL606",
                node,
                f"A quiet WebSocket is cut after {limit:g} s, and the app pings every "
                f"{app.ping_interval_s} s.",
                Need.IDLE_TIMEOUT,
            )
    yield from _header_faults(nodes, base)


def preserving(site: Site, base: BasePath) -> Node | None:
    """Return the ProxyPreserveHost in force: a Location's before the site's, the last one of each.

    Those of the main server come after the site's own.
    """
    path = base.value + streamlit.STREAM
    known = [
        node
        for node in site.all("proxypreservehost")
        if _concerns(node, base) and _reaches(node, path)
    ]
    located = [node for node in known if node.section("location", "locationmatch")]
    for group in (located, known):
        own = [node for node in group if site.node in node.ancestors()]
        if own or group:
            return (own or group)[-1]
    return None


def _host_faults(nodes: list[Node], at: Node, *, preserved: Node | None) -> Iterator[Fault]:
    for node in nodes:
        words = [word.lower() for word in node.words]
        is_same = words[1:2] == ["edit"] and words[3:5] == ["^(.*)$", "$1"]
        if node.name == "requestheader" and words[2] == "origin" and not is_same:
            yield Fault(
                "STL502",
                node,
                "The app sees another Origin than the browser's, so bare Streamlit lets "
                "pages of every site in.",
                Need.ORIGIN,
            )
            return
    if preserved and preserved.words[1].lower() == "on":
        return
    yield Fault(
        "STL501",
        preserved or at,
        "The app gets the upstream's address as Host, which is not the page's Origin.",
        Need.HOST,
        is_missing=preserved is None,
    )


def _scheme_faults(site: Site, nodes: list[Node], at: Node) -> Iterator[Fault]:
    if not any(node.words[1].lower() == "on" for node in site.all("sslengine")):
        return
    preserved = [
        node
        for node in nodes
        if node.name == "requestheader" and "x-forwarded-proto" in " ".join(node.words).lower()
    ]
    if not preserved:
        yield Fault(
            "STL402",
            at,
            "The site speaks https, but the app does not know: X-Forwarded-Proto is missing.",
            Need.SCHEME,
            is_missing=True,
        )
    for node in preserved:
        if len(node.words) > 3 and node.words[3].lower().strip('"') == "http":  # noqa: PLR2004
            yield Fault(
                "STL402", node, "The site speaks https, but the app sees http.", Need.SCHEME
            )


def _line_faults(node: Node, app: App) -> Iterator[Fault]:
    words = [word.lower() for word in node.words]
    # LimitRequestBody is no fault: Apache does not apply it to what it passes on.
    if node.name == "limitrequestfieldsize" and _is_below(words[1], _FIELD_BYTES):
        yield Fault(
            "STL609",
            node,
            f"Headers of {words[1]} bytes pass, and the cookies of a login can have 12 KB.",
            Need.HEADER_SIZE,
            milder=None if app.has_login else Circumstance.IF_USED,
        )
    elif node.name == "requestheader" and words[1] == "unset" and words[2] in _LOST_HEADERS:
        code, need = _LOST_HEADERS[words[2]]
        yield Fault(code, node, f"{node.words[2]} never reaches the app.", need)
    elif node.name == "header":
        yield from _cookie_faults(node)
    elif node.name == "proxyaddheaders" and words[-1] == "off":
        yield Fault("STL404", node, "The app does not learn the client's address.", Need.CLIENT)
    elif node.name == "dossitecount" and _is_below(words[-1], page_load.MIN_REQUESTS):
        yield Fault(
            "STL611",
            node,
            f"{words[-1]} requests pass at once, and one load of a small app is "
            f"{page_load.MIN_REQUESTS} to {page_load.MAX_REQUESTS}.",
        )


def _cookie_faults(node: Node) -> Iterator[Fault]:
    """Evaluate changes of Set-Cookie; `always` is for answers of Apache's own (measured, 2.4)."""
    words = [word for word in node.words[1:] if word.lower() != "onsuccess"]
    action, name, *rest = (*words, "")
    if name.lower().rstrip(":") != "set-cookie":
        return
    if action.lower() == "unset":
        yield Fault("STL505", node, "The app's cookies do not arrive in the browser.")
    if action.lower() in {"edit", "edit*"} and len(rest) > _TWO and "httponly" in rest[1].lower():
        with contextlib.suppress(NotUnderstoodError):
            if search(rest[0], streamlit.XSRF_COOKIE):
                yield Fault("STL506", node, streamlit.HTTP_ONLY)


def _is_below(text: str, limit: int) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 16 and 0 < int(text) < limit  # noqa: PLR2004


_SHOWN = {"limit": "Limit", "limitexcept": "LimitExcept"}


def _method_faults(node: Node) -> Iterator[Fault]:
    if node.name not in _SHOWN:
        return
    inner = [" ".join(child.words).lower() for child in node.children or ()]
    methods = {word.upper() for word in node.words}
    is_put = ("PUT" in methods) == (node.name == "limit")
    if is_put and {"require all denied", "deny from all"} & set(inner):
        yield Fault(
            "STL512", node, f"<{_SHOWN[node.name]}> refuses PUT, with which Streamlit uploads."
        )


def _header_faults(nodes: list[Node], base: BasePath) -> Iterator[Fault]:
    added = []
    for node in nodes:
        words = [word for word in node.words[1:] if word.lower() not in {"always", "onsuccess"}]
        if node.name == "header" and len(words) > _TWO and words[0].lower() in _SETTING:
            added.append((node, words[1], words[2]))
    sent = {
        of: [one for one in added if _reaches(one[0], base.value + end)]
        for of, end in ((PAGE, streamlit.PAGE), (COMPONENT, streamlit.COMPONENT))
    }
    page, component = ([(name, value) for _, name, value in sent[of]] for of in (PAGE, COMPONENT))
    for problem in header_problems(page, component):
        yield Fault(
            problem.code,
            sent[problem.of][problem.index][0],
            problem.detail,
            Need(problem.need) if problem.need else None,
            milder=problem.milder,
        )


def _concerns(node: Node, base: BasePath) -> bool:
    """Return whether a directive is in force somewhere below the app's path."""
    section = node.section("location", "locationmatch")
    if section is None or section is node or not section.words:
        return node.section("directory", "files", "filesmatch", "if") is None
    if section.name == "locationmatch" or section.words[0] == "~":
        return any(_reaches(node, base.value + asked.end) for asked in streamlit.ALL)
    path = section.words[-1].rstrip("/")
    inside, around = (
        f"{path}/".startswith(f"{base.value}/"),
        f"{base.value}/".startswith(f"{path}/"),
    )
    return inside or around


def _reaches(node: Node, path: str) -> bool:
    """Return whether a directive is in force for one path."""
    section = node.section("location", "locationmatch")
    if section is None or not section.words:
        return True
    prefix = section.words[-1]
    if section.name == "locationmatch" or section.words[0] == "~":
        try:
            return search(prefix, path) is not None
        except NotUnderstoodError:
            return False
    rest = path.removeprefix(prefix)
    return path.startswith(prefix) and (prefix.endswith("/") or rest == "" or rest.startswith("/"))
