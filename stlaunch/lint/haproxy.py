"""HAProxy: the backends that hold the app, as far as their lines speak for themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from stlaunch.lint.app import App
from stlaunch.lint.findings import LintFinding, Note, Report
from stlaunch.lint.lines import Line, statements
from stlaunch.lint.units import seconds
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

_SECTIONS = {"global", "defaults", "frontend", "backend", "listen"}
_STICKY = ("cookie", "stick", "stick-table", "hash-type")
_STICKY_BALANCE = {"source", "hdr", "hash"}


@dataclass(slots=True)
class _Section:
    kind: str
    name: str
    line: int
    lines: list[Line] = field(default_factory=list)

    def all(self, *words: str) -> list[Line]:
        return [line for line in self.lines if line.words[: len(words)] == words]


def lint_haproxy(path: Path, app: App) -> Report:
    """Judge the backends whose servers are the app."""
    report = Report(files=[path])
    sections = _sections(path.read_text(encoding="utf-8"))
    defaults: list[_Section] = []
    for section in sections:
        if section.kind == "defaults":
            defaults = [section]
        elif section.kind in {"backend", "listen"} and _servers(section, app):
            report.routes.append(f"{path}:{section.line} {section.kind} {section.name}")
            _judge(path, section, defaults=defaults, sections=sections, app=app, report=report)
    if not report.routes:
        text = f"No server of any backend is the app (port {app.port}): --upstream HOST:PORT"
        report.notes.append(Note(file=path, line=1, text=text))
    return report


def _judge(
    path: Path,
    section: _Section,
    *,
    defaults: list[_Section],
    sections: list[_Section],
    app: App,
    report: Report,
) -> None:
    def add(code: str, line: int, detail: str, need: Need | None = None) -> None:
        known = fix_for(need, Product.HAPROXY, app.site(BasePath())) if need else None
        fix = known.text if known else ""
        report.findings.append(LintFinding(code=code, file=path, line=line, detail=detail, fix=fix))

    scopes = [section, *defaults]
    _judge_timeouts(scopes, app, add)
    servers = [line for line in _servers(section, app) if "backup" not in line.words]
    balance = next((line.words[1] for line in section.all("balance") if len(line.words) > 1), "")
    is_sticky = any(section.all(word) for word in _STICKY) or balance.split("(")[0] in (
        _STICKY_BALANCE
    )
    if len(servers) > 1 and not is_sticky:
        add(
            "STL702",
            section.line,
            f"{len(servers)} servers take turns: a browser's requests reach different replicas.",
            Need.AFFINITY,
        )
    fronts = [other for other in sections if other.kind in {"frontend", "listen"}]
    for line in [line for scope in (section, *fronts) for line in scope.lines]:
        _judge_rule(line, app, add)
    tls = [front for front in fronts if _is_tls(front)]
    told = [*section.lines, *(line for front in fronts for line in front.lines)]
    if len(tls) == len(fronts) > 0 and not any(
        "x-forwarded-proto" in " ".join(line.words).lower() for line in told
    ):
        add(
            "STL402",
            section.line,
            "The site speaks https, but the app does not know: X-Forwarded-Proto is missing.",
            Need.SCHEME,
        )
    has_client = any(
        line.words[:2] == ("option", "forwardfor")
        or "x-forwarded-for" in " ".join(line.words).lower()
        for line in [*told, *(line for scope in defaults for line in scope.lines)]
    )
    if not has_client:
        add(
            "STL404",
            section.line,
            "The app does not learn the client's address: option forwardfor is missing.",
            Need.CLIENT,
        )


def _judge_timeouts(scopes: list[_Section], app: App, report: Callable[..., None]) -> None:
    tunnel = _timeout(scopes, "tunnel")
    server = _timeout(scopes, "server")
    limit = tunnel or server
    if limit is None:
        return
    value = seconds(limit.words[2], default_unit="ms") if len(limit.words) > 2 else None  # noqa: PLR2004
    if value is not None and 0 < value <= app.ping_interval_s:
        report(
            "STL606",
            limit.number,
            f"A quiet WebSocket is cut after {value:g} s, and the app pings every "
            f"{app.ping_interval_s} s.",
            Need.IDLE_TIMEOUT,
        )


_RULES = (
    (
        r"http-request del-header (upgrade|connection)\b",
        "STL301",
        Need.UPGRADE,
        "The WebSocket handshake loses a header.",
    ),
    (
        r"http-(request|response) del-header sec-websocket-protocol\b",
        "STL307",
        Need.SUBPROTOCOL,
        "The subprotocol is dropped, and the page closes the WebSocket.",
    ),
    (
        r"http-request del-header cookie\b",
        "STL507",
        None,
        "The app gets no cookies: uploads and logins fail.",
    ),
    (
        r"http-request del-header x-xsrftoken\b",
        "STL506",
        None,
        "Uploads need X-Xsrftoken as it came.",
    ),
    (
        r"http-response del-header set-cookie\b",
        "STL505",
        None,
        "The app's cookies do not arrive in the browser: uploads and logins fail.",
    ),
    (
        r"http-request set-header host ([0-9.]+|localhost)(:[0-9]+)?$",
        "STL501",
        Need.HOST,
        "The app gets another address as Host, which is not the page's Origin.",
    ),
    (
        r"http-request deny.*(unless \{ method get post \}|if \{ method put \})",
        "STL512",
        None,
        "This rule refuses PUT, with which Streamlit uploads.",
    ),
)


def _judge_rule(line: Line, app: App, report: Callable[..., None]) -> None:
    text = " ".join(line.words).lower()
    for pattern, code, need, detail in _RULES:
        if re.match(pattern, text):
            report(code, line.number, detail, need)
    limit = re.match(r"http-request deny.*\{ req\.body_size gt (\d+)", text)
    if limit and int(limit[1]) < app.max_upload_mb * 1024 * 1024:
        report(
            "STL607",
            line.number,
            f"Uploads may have {app.max_upload_mb} MB, and {limit[1]} bytes pass.",
            Need.BODY_SIZE,
        )


def _timeout(scopes: list[_Section], name: str) -> Line | None:
    for scope in scopes:
        if found := scope.all("timeout", name):
            return found[-1]
    return None


def _servers(section: _Section, app: App) -> list[Line]:
    found = []
    for line in section.all("server"):
        place = HostPort.parse(line.words[2]) if len(line.words) > 2 else None  # noqa: PLR2004
        if place and app.listens_at(place.host, place.port):
            found.append(line)
    return found


def _is_tls(section: _Section) -> bool:
    binds = section.all("bind")
    return bool(binds) and all("ssl" in line.words for line in binds)


def _sections(text: str) -> list[_Section]:
    sections: list[_Section] = []
    for line in statements(text):
        if line.name in _SECTIONS:
            name = line.words[1] if len(line.words) > 1 else ""
            sections.append(_Section(line.name, name, line.number))
        elif sections:
            sections[-1].lines.append(line)
    return sections
