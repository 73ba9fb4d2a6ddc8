"""Caddyfile: read through `caddy adapt` where Caddy is installed."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stlaunch.diagnostics.page_policy import COMPONENT, PAGE, header_problems
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.errors import UsageError
from stlaunch.lint import streamlit
from stlaunch.lint.app import App, socket_path
from stlaunch.lint.caddy.adapt import UNKNOWN, adapted, check_imports, find_caddy, unknown_variables
from stlaunch.lint.caddy.routes import Route, routes_of
from stlaunch.lint.expressions import NotUnderstoodError, search
from stlaunch.lint.findings import LintFinding, Report
from stlaunch.lint.hosted import host_note, routed_by_host
from stlaunch.lint.sources import Sources
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls import streamlit_routes
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

_HEADERS = {
    "connection": ("STL301", Need.UPGRADE),
    "upgrade": ("STL301", Need.UPGRADE),
    "sec-websocket-protocol": ("STL307", Need.SUBPROTOCOL),
    "cookie": ("STL507", None),
    "x-xsrftoken": ("STL506", None),
}
_REFUSING = {"static_response": "respond", "error": "error"}
_STICKY = {"cookie", "ip_hash", "client_ip_hash", "header", "uri_hash", "query", "first"}


def lint_caddy(path: Path, app: App, sources: Sources) -> Report:
    """Evaluate the reverse proxies that lead to the app.

    Raises:
        UsageError: for a file that Caddy itself refuses.
    """
    report = Report(files=[path])
    text = sources.read(path)
    check_imports(path, sources, ())
    binary = find_caddy()
    if binary is None or not sources.uses_disk:
        why = "Caddy is not installed, and only `caddy adapt` reads a Caddyfile reliably."
        report.note(path, 1, why, is_gap=True)
        return report
    variables = unknown_variables(text)
    try:
        config = adapted(binary, path, text)
    except UsageError:
        if not variables:
            raise
        config = {}
    lines = text.split("\n")
    _Evaluator(path, lines, app, report, routes_of(config)).evaluate()
    unsure = {number for number, line in enumerate(lines, 1) if unknown_variables(line)}
    hidden = {one.line for one in report.findings} & unsure
    report.findings = [one for one in report.findings if one.line not in hidden]
    for name, line in variables.items():
        if line in hidden or not report.routes:
            why = f"{{${name}}} comes from Caddy's environment, which is not known here."
            report.note(path, line, why, is_gap=not report.routes)
    return report


@dataclass(slots=True)
class _Evaluator:
    """The report on one file while it grows."""

    path: Path
    lines: list[str]
    app: App
    report: Report
    routes: list[Route]

    def evaluate(self) -> None:
        for route in self.routes:
            if route.handler.get("handler") != "reverse_proxy":
                continue
            targets = [str(one.get("dial", "")) for one in route.handler.get("upstreams") or ()]
            if not targets and "dynamic_upstreams" not in route.handler:
                note = "reverse_proxy names no upstream."
                self.report.note(self.path, self._line_of("reverse_proxy") or 1, note, is_gap=True)
            if any(self._is_app(target) for target in targets):
                self._route(route, targets)
                continue
            for target in targets:
                if UNKNOWN in target:
                    continue
                if place := HostPort.parse(target):
                    self.report.pass_elsewhere(self.path, self._line_at(target), str(place))
                elif "{" in target:
                    note = f"It is not plain where {target} leads."
                    self.report.note(self.path, self._line_at(target), note, is_gap=True)

    def _is_app(self, target: str) -> bool:
        socket = socket_path(target)
        if socket is not None:
            return self.app.listens_on_socket(socket)
        return self.app.is_at(target)

    def _route(self, route: Route, targets: list[str]) -> None:
        line = self._line_at(targets[0])
        self.report.routes.append(f"{self.path}:{line} reverse_proxy")
        base, _ = streamlit.base_of(route.prefix)
        base_path = self.app.base_path or BasePath(base if re.fullmatch(r"[\w./~-]*", base) else "")
        self._request_headers(route.handler)
        self._affinity(route.handler, targets, line)
        beside = [one for one in self.routes if one.shares_site(route)]
        for other in beside:
            self._body(other, route, base_path)
        for other in self.routes[: self.routes.index(route)]:
            if other in beside:  # what comes later never sees the app's requests
                self._methods(other, base_path)
                self._rewrite(other, route, base_path)
        self._slash(beside, base_path, line)
        self._page_headers(beside, route, base_path)
        self._token(beside, route, base_path)

    def _request_headers(self, handler: Mapping[str, Any]) -> None:
        headers = handler.get("headers") or {}
        request = headers.get("request") or {}
        for name in request.get("delete") or ():
            if name.lower() in _HEADERS:
                code, need = _HEADERS[name.lower()]
                self._add(
                    code, rf"header_up\s+-{re.escape(name)}", f"{name} never reaches the app.", need
                )
            elif name.lower() == "origin":
                self._origin(rf"header_up\s+-{re.escape(name)}")
        for name, values in (request.get("set") or {}).items():
            text = " ".join(map(str, values))
            where = rf"header_up\s+{re.escape(name)}"
            if name.lower() == "host":
                self._host(handler, text, where)
            elif name.lower() == "origin" and text != "{http.request.header.Origin}":
                self._origin(where)
            elif name.lower() == "x-forwarded-proto" and text == "http":
                self._add("STL402", where, "The app sees http.", Need.SCHEME)
            elif name.lower() in _HEADERS and "{" not in text:
                code, need = _HEADERS[name.lower()]
                detail = f"{name} does not reach the app as the browser sent it."
                self._add(code, where, detail, need)
        response = headers.get("response") or {}
        if "set-cookie" in {name.lower() for name in response.get("delete") or ()}:
            detail = "The app's cookies do not arrive in the browser."
            self._add("STL505", r"header_down\s+-Set-Cookie", detail, None)

    def _token(self, beside: list[Route], app: Route, base: BasePath) -> None:
        """`header_down Set-Cookie "$" "; HttpOnly"`: the cookie comes with the health check."""
        for route in beside:
            if not route.surely_takes(base.value + streamlit_routes.HEALTH, app):
                continue
            for response in _responses(route.handler):
                if any(_hides_token(one) for one in _replaced_cookies(response)):
                    where = r"(header|header_down)\s+.*Set-Cookie.*HttpOnly"
                    self._add("STL506", where, streamlit.HTTP_ONLY, None)

    def _host(self, handler: Mapping[str, Any], text: str, where: str) -> None:
        routed = _routed_host(handler)
        if routed and ("upstream" in text or text.partition(":")[0] == routed):
            self.report.note(self.path, self._line_of(where) or 1, host_note(routed))
        elif "upstream" in text or _is_local(text):
            detail = f"The app gets {_shown(text)} as Host, which is not the page's Origin."
            self._add("STL501", where, detail, Need.HOST)

    def _origin(self, where: str) -> None:
        detail = (
            "The app sees another Origin than the browser's, so bare Streamlit lets pages "
            "of every site in."
        )
        self._add("STL502", where, detail, Need.ORIGIN)

    def _affinity(self, handler: Mapping[str, Any], targets: list[str], line: int) -> None:
        balancing = handler.get("load_balancing") or {}
        policy = (balancing.get("selection_policy") or {}).get("policy", "random")
        if len(targets) > 1 and policy not in _STICKY:
            detail = (
                f"{len(targets)} upstreams are chosen by {policy}: a browser's requests reach "
                "different replicas."
            )
            self._add_at("STL702", line, detail, Need.AFFINITY)

    def _body(self, route: Route, app: Route, base: BasePath) -> None:
        limit = route.handler.get("max_size")
        if route.handler.get("handler") != "request_body" or not isinstance(limit, int):
            return
        upload = base.value + streamlit.UPLOAD
        is_for_it = route.surely_takes(upload, app) or (route.is_for_put and route.takes(upload))
        if 0 < limit < self.app.max_upload_bytes and is_for_it:
            detail = f"Uploads may have {self.app.max_upload_mb} MB, and {limit} bytes pass."
            self._add("STL607", "max_size", detail, Need.BODY_SIZE)

    def _methods(self, route: Route, base: BasePath) -> None:
        status = str(route.handler.get("status_code", ""))
        word = _REFUSING.get(str(route.handler.get("handler")))
        if word is None or status < "4" or not route.is_for_put:
            return
        if route.takes(base.value + streamlit.UPLOAD):
            where = rf"{word}\s.*\b{re.escape(status)}\b"
            self._add("STL512", where, "This refuses PUT, with which Streamlit uploads.", None)

    def _rewrite(self, route: Route, app: Route, base: BasePath) -> None:
        """`rewrite * /` leaves nothing of the path."""
        path, _, _ = str(route.handler.get("uri", "")).partition("?")
        if route.handler.get("handler") != "rewrite" or not path.startswith("/") or "{" in path:
            return
        is_taken = route.is_around(app) and route.takes(base.value + streamlit.STREAM)
        if is_taken and streamlit.mapping_fault(base, streamlit.STREAM, path):
            detail = f"Every path becomes {path}, which no app answers."
            self._add("STL316", r"rewrite\s", detail, Need.ROUTE)

    def _slash(self, beside: list[Route], base: BasePath, line: int) -> None:
        """`handle_path /app/*` does not match `/app`, and Caddy then answers an empty 200."""
        if not base.value:
            return
        is_handled = any(
            other.takes(base.value)
            and (
                other.handler.get("handler") in {"reverse_proxy", "file_server"}
                or _redirects(other.handler)
            )
            for other in beside
        )
        if is_handled:
            return
        detail = f"{base} without its final slash does not lead to the app."
        at = self._line_of(rf"(handle_path|handle)\s+{re.escape(base.value)}/\*")
        if at is not None:
            self._add_at("STL203", at, detail, Need.SLASH, base, Circumstance.OTHER_SPELLING)
        else:
            self.report.note(self.path, line, detail)

    def _page_headers(self, beside: list[Route], app: Route, base: BasePath) -> None:
        added = {
            of: [
                (str(name), " ".join(map(str, values)))
                for route in beside
                if route.surely_takes(base.value + end, app)
                for response in _responses(route.handler)
                for kind in ("set", "add")
                for name, values in (response.get(kind) or {}).items()
            ]
            for of, end in ((PAGE, streamlit.PAGE), (COMPONENT, streamlit.COMPONENT))
        }
        for problem in header_problems(added[PAGE], added[COMPONENT]):
            name = re.escape(added[problem.of][problem.index][0])
            line = self._line_of(rf"(header|header_down)\s+.*{name}") or self._line_of(name)
            need = Need(problem.need) if problem.need else None
            self._add_at(problem.code, line or 1, problem.detail, need, base, milder=problem.milder)

    def _add(self, code: str, where: str, detail: str, need: Need | None) -> None:
        self._add_at(code, self._line_of(where) or 1, detail, need)

    def _add_at(  # noqa: PLR0917 - one finding
        self,
        code: str,
        line: int,
        detail: str,
        need: Need | None = None,
        base: BasePath | None = None,
        milder: Circumstance | None = None,
    ) -> None:
        known = fix_for(need, Product.CADDY, self.app.site(base or BasePath())) if need else None
        self.report.findings.append(
            LintFinding(
                code=code,
                file=self.path,
                line=line,
                detail=detail,
                fix=known.text if known else "",
                milder=milder,
            )
        )

    def _line_of(self, where: str) -> int | None:
        pattern = re.compile(rf"^\s*[+>?-]?{where}", re.IGNORECASE)
        return next((n for n, line in enumerate(self.lines, 1) if pattern.match(line)), None)

    def _line_at(self, target: str) -> int:
        """Find the line that names an upstream, else the first reverse_proxy."""
        place = target.rpartition("/")[2] if target.startswith("unix") else target
        for shown in (place, place.rpartition(":")[2]):
            for number, line in enumerate(self.lines, 1):
                if shown and re.search(rf"(?<![\w.]){re.escape(shown)}(?![\w.])", line):
                    return number
        return self._line_of("reverse_proxy") or 1


def _redirects(handler: Mapping[str, Any]) -> bool:
    if handler.get("handler") != "static_response":
        return False
    headers = {str(name).lower() for name in handler.get("headers") or {}}
    return "location" in headers


def _responses(handler: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if handler.get("handler") == "headers":
        yield handler.get("response") or {}
    elif handler.get("handler") == "reverse_proxy":
        yield (handler.get("headers") or {}).get("response") or {}


def _replaced_cookies(response: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for name, replacements in (response.get("replace") or {}).items():
        if name.lower() == "set-cookie":
            yield from replacements


def _hides_token(replacement: Mapping[str, Any]) -> bool:
    """Return whether a replacement keeps Streamlit's page from reading its XSRF cookie."""
    if "httponly" not in str(replacement.get("replace", "")).lower():
        return False
    expression = replacement.get("search_regexp") or re.escape(str(replacement.get("search", "")))
    try:
        return search(str(expression), streamlit.XSRF_COOKIE) is not None
    except NotUnderstoodError:
        return False


def _routed_host(handler: Mapping[str, Any]) -> str:
    """Return the public name by which a platform finds all upstreams' app; mostly empty."""
    is_tls = (handler.get("transport") or {}).get("tls") is not None
    names = [routed_by_host(f"https://{one.get('dial')}") for one in handler.get("upstreams") or ()]
    return names[0] if is_tls and names and all(names) else ""


def _is_local(text: str) -> bool:
    return re.fullmatch(r"(localhost|[0-9.]+)(:\d+)?", text) is not None


def _shown(text: str) -> str:
    return "the upstream's address" if "upstream" in text else text
