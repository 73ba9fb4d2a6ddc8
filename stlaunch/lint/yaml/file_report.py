"""What all kinds of YAML share: the report on one file, and Traefik's rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from stlaunch.diagnostics import page_load
from stlaunch.diagnostics.page_policy import header_problems
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.lint import streamlit
from stlaunch.lint.app import App
from stlaunch.lint.findings import LintFinding, Report
from stlaunch.lint.units import whole
from stlaunch.lint.yaml.nodes import Node, line_of
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

Settings = Mapping[str, tuple[str, Node]]
"""Names of settings in lower case with dots, each with its value and its place."""


@dataclass(slots=True)
class FileReport:
    """The report on one file while it grows.

    Attributes:
        shift: how many lines come before the part that is read.
    """

    path: Path
    app: App
    report: Report
    shift: int = 0

    def add(  # noqa: PLR0917 - one finding
        self,
        code: str,
        node: Node,
        detail: str,
        product: Product,
        need: Need | None = None,
        milder: Circumstance | None = None,
        *,
        fix: str = "",
    ) -> None:
        """Report a finding at a node; `fix` takes the place of the product's own lines."""
        known = fix_for(need, product, self.app.site(BasePath())) if need else None
        self.report.findings.append(
            LintFinding(
                code=code,
                file=self.path,
                line=self.line(node),
                detail=detail,
                fix=fix or (known.text if known else ""),
                milder=milder,
            )
        )

    def line(self, node: Node) -> int:
        """Return the line of a node in the file."""
        return line_of(node) + self.shift

    def route(self, node: Node, what: str) -> None:
        """Report a route to the app."""
        self.report.routes.append(f"{self.path}:{self.line(node)} {what}")

    def note(self, node: Node, text: str, *, is_gap: bool = False) -> None:
        """Report something that is not a finding."""
        self.report.note(self.path, self.line(node), text, is_gap=is_gap)

    def elsewhere(self, node: Node, host: str, port: int | None) -> None:
        """Record a target that is not the app."""
        if host and port:
            self.report.pass_elsewhere(self.path, self.line(node), str(HostPort(host, port)))

    def body(self, node: Node, allowed: int, product: Product) -> None:
        """Report a body limit below the app's."""
        if 0 < allowed < self.app.max_upload_bytes:
            detail = f"Uploads may have {self.app.max_upload_mb} MB, and {allowed} bytes pass."
            self.add("STL607", node, detail, product, Need.BODY_SIZE)

    def idle(self, node: Node, limit: float | None, product: Product) -> None:
        """Report an idle limit below the ping interval."""
        if limit is not None and 0 < limit <= self.app.ping_interval_s:
            detail = (
                f"A quiet WebSocket is cut after {limit:g} s, and the app pings every "
                f"{self.app.ping_interval_s} s."
            )
            self.add("STL606", node, detail, product, Need.IDLE_TIMEOUT)

    def rate(self, node: Node, passing: int, product: Product) -> None:
        """Report a limit of requests below what one load of a page takes."""
        if passing < page_load.MAX_REQUESTS:
            detail = (
                f"About {passing} requests pass at once, and one load of a small app is "
                f"{page_load.MIN_REQUESTS} to {page_load.MAX_REQUESTS}: the others get an "
                "error, and the page stays blank."
            )
            milder = None if passing < page_load.MIN_REQUESTS else Circumstance.LARGE_ONLY
            self.add("STL611", node, detail, product, Need.REQUEST_RATE, milder)

    def parallel(self, node: Node, count: int | None, product: Product) -> None:
        """Report a limit of simultaneous requests below what one browser uses."""
        if count is not None and (detail := page_load.fault_of_parallel(count)):
            self.add("STL611", node, detail, product, Need.REQUEST_RATE)

    def exact(self, node: Node, path: str, product: Product, fix: str) -> None:
        """Report a route for one path alone; `fix` says how it gets wider."""
        below = f"{path.rstrip('/')}{streamlit.STREAM}"
        detail = f"Only {path} itself gets through, and nothing below it: {below} is lost."
        self.add("STL316", node, detail, product, fix=fix)

    def replicas(self, node: Node, count: str | int, product: Product, fix: str = "") -> None:
        """Report replicas without affinity."""
        detail = f"{count} replicas take turns: a browser's requests reach different ones."
        self.add("STL702", node, detail, product, Need.AFFINITY, fix=fix)

    def request_header(self, name: str, value: str, node: Node, product: Product) -> None:
        """Evaluate a request header that the proxy sets, or removes by an empty value."""
        if name in streamlit.LOST_HEADERS:
            detail = f"{name} does not reach the app as the browser sent it."
            self.add(streamlit.LOST_HEADERS[name], node, detail, product)
        elif name == "x-forwarded-proto" and value == "http":
            self.add("STL402", node, "The app sees http.", product, Need.SCHEME)
        elif name == "origin":
            self.add("STL502", node, streamlit.OTHER_ORIGIN, product)
        elif name == "host" and (value == "" or self.app.is_own_host(value)):
            detail = f"The app gets {value or 'no'} Host, which is not the page's Origin."
            self.add("STL501", node, detail, product, Need.HOST)

    def response_headers(self, headers: Iterable[tuple[str, str, Node]], product: Product) -> None:
        """Evaluate response headers that the proxy adds to all answers."""
        added = list(headers)
        sent = [(name, value) for name, value, _ in added]
        for problem in header_problems(sent, sent):
            node = added[problem.index][2]
            # Traefik's own lines add a middleware, before the one that is checked here.
            has_lines = problem.need and product is not Product.TRAEFIK
            need = Need(problem.need) if has_lines else None
            self.add(problem.code, node, problem.detail, product, need, problem.milder)

    def middleware(self, settings: Settings, *, is_exact: bool = False) -> None:
        """Evaluate one of Traefik's middlewares; `is_exact` if it may be for single paths only."""
        product = Product.TRAEFIK
        added = []
        for name, (value, node) in settings.items():
            if (header := _after(name, "headers.customrequestheaders.")) is not None:
                self.request_header(header, value, node, product)
            elif (header := _after(name, "headers.customresponseheaders.")) is not None:
                if header == "set-cookie" and not value:
                    detail = "The app's cookies do not arrive in the browser."
                    self.add("STL505", node, detail, product)
                added.append((header, value, node))
            elif name == "headers.framedeny" and value.lower() == "true":
                if "headers.customframeoptionsvalue" not in settings:  # which overrides it
                    added.append(("x-frame-options", "DENY", node))
            elif name in _TRAEFIK_HEADERS:
                added.append((_TRAEFIK_HEADERS[name], value, node))
            elif name == "buffering.maxrequestbodybytes" and (limit := whole(value)) is not None:
                self.body(node, limit, product)
            elif name == "inflightreq.amount":
                self.parallel(node, whole(value), product)
        self.response_headers(added, product)
        self._traefik_rate(settings)
        self._traefik_path(settings, is_exact=is_exact)

    def replaced_path(self, path: str, node: Node, product: Product) -> None:
        """Report that nothing is left of the app's paths."""
        detail = f"Every path becomes {path}, which no app answers."
        self.add("STL316", node, detail, product, Need.ROUTE)

    def _traefik_path(self, settings: Settings, *, is_exact: bool) -> None:
        if not is_exact and (replaced := settings.get("replacepath.path")):
            self.replaced_path(*replaced, Product.TRAEFIK)

    def _traefik_rate(self, settings: Settings) -> None:
        rate, node = settings.get("ratelimit.average", ("", None))
        room, _ = settings.get("ratelimit.burst", ("1", None))
        average, burst = whole(rate), whole(room)
        if node is None or not average or burst is None:
            return
        # `average` is per `period`, one second by default.
        period, _ = settings.get("ratelimit.period", ("1s", None))
        per_second = average if period in {"1s", "1", "1000ms"} else 0
        self.rate(node, burst + per_second, Product.TRAEFIK)


_TRAEFIK_HEADERS = {
    "headers.customframeoptionsvalue": "x-frame-options",
    "headers.contentsecuritypolicy": "content-security-policy",
    "headers.permissionspolicy": "permissions-policy",
}


def _after(name: str, front: str) -> str | None:
    return name.removeprefix(front) if name.startswith(front) else None
