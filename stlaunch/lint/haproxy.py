"""HAProxy: the backends that contain the app, and the frontends that lead to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path

from stlaunch.diagnostics import page_load
from stlaunch.diagnostics.page_policy import header_problems
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.errors import UsageError
from stlaunch.lint.app import App
from stlaunch.lint.findings import LintFinding, Report
from stlaunch.lint.sources import Sources
from stlaunch.lint.units import seconds
from stlaunch.lint.words import Line, statements
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

_SECTIONS = {
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "resolvers",
    "peers",
    "userlist",
    "cache",
    "mailers",
    "program",
    "ring",
    "http-errors",
    "log-forward",
    "fcgi-app",
    "crt-store",
}
_STICKY_BALANCE = {"source", "hdr", "hash", "url_param", "rdp-cookie", "uri"}
_FEWEST = {
    "acl": 2,
    "server": 2,
    "server-template": 3,
    "use_backend": 1,
    "default_backend": 1,
    "bind": 1,
    "timeout": 2,
    "option": 1,
    "balance": 1,
    "cookie": 1,
    "mode": 1,
}


@dataclass(slots=True)
class _Section:
    kind: str
    name: str
    line: int
    defaults: list[_Section] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def all(self, *words: str) -> list[Line]:
        return [line for line in self.lines if line.words[: len(words)] == words]

    @property
    def scopes(self) -> list[_Section]:
        """The section, and the defaults behind it."""
        return [self, *self.defaults]

    @property
    def is_tcp(self) -> bool:
        mode = next((found[-1] for scope in self.scopes if (found := scope.all("mode"))), None)
        return mode is None or mode.words[1] == "tcp"


@dataclass(frozen=True, slots=True)
class _Fault:
    code: str
    line: int
    detail: str
    need: Need | None = None
    milder: Circumstance | None = None
    servers: tuple[Line, ...] = ()


def lint_haproxy(path: Path, app: App, sources: Sources) -> Report:
    """Judge the backends whose servers are the app.

    Raises:
        UsageError: for a file that cannot be read, or that HAProxy would refuse.
    """
    report = Report(files=[path])
    sections = _sections(sources.read(path), path)
    groups = [
        (section, servers)
        for section in sections
        if section.kind in {"backend", "listen"}
        if (servers := _servers(section, app, path, report))
    ]
    apps = {section.name for section, _ in groups}
    for section, servers in groups:
        report.routes.append(f"{path}:{section.line} {section.kind} {section.name}")
        fronts = [section] if section.kind == "listen" else _fronts(section, sections)
        if section.is_tcp:
            text = "This passes bytes on (mode tcp): nothing but its timeouts was judged."
            report.note(path, section.line, text)
            faults = list(_timeout_faults(section, fronts, app))
        else:
            faults = list(_faults(section, fronts, servers, app))
            if fronts and all(_sends_sockets_elsewhere(front, section, apps) for front in fronts):
                faults = [fault for fault in faults if fault.code not in _OF_SOCKETS]
        site = app.site(BasePath(), is_https=_speaks_tls(fronts))
        for fault in faults:
            known = fix_for(fault.need, Product.HAPROXY, site) if fault.need else None
            fix = known.text if known else ""
            report.findings.append(
                LintFinding(
                    code=fault.code,
                    file=path,
                    line=fault.line,
                    detail=fault.detail,
                    fix=_with_own_servers(fix, fault.servers) if fault.servers else fix,
                    milder=fault.milder,
                )
            )
    return report


_OF_SOCKETS = {"STL301", "STL307", "STL606"}
_SOCKET_RULE = re.compile(r"hdr\w*\(upgrade\).*websocket|_stcore/stream|_stcore\b|/stream\b")


def _sends_sockets_elsewhere(front: _Section, backend: _Section, apps: set[str]) -> bool:
    """Tell whether a frontend has a backend of its own for WebSockets, which leads to the app."""
    acls: dict[str, str] = {}
    for line in front.all("acl"):
        acls[line.words[1]] = f"{acls.get(line.words[1], '')} {_text(line)}"
    for line in front.all("use_backend"):
        if line.words[1] == backend.name:
            return False
        if line.words[1] in apps and "if" in line.words:
            condition = line.words[line.words.index("if") + 1 :]
            told = " ".join(acls.get(word, word) for word in condition).lower()
            if _SOCKET_RULE.search(told):
                return True
    return False


def _with_own_servers(fix: str, servers: tuple[Line, ...]) -> str:
    """Put the backend's own servers into the lines for affinity, each with the cookie's value.

    A template of servers names no single one: the cookie is then made of their addresses.
    """
    lines = fix.splitlines()
    if any(server.name == "server-template" for server in servers):
        lines = [f"{line} dynamic" if line.startswith("    cookie ") else line for line in lines]
        own = ["    dynamic-cookie-key A-SECRET-TEXT-OF-YOURS"]
    else:
        own = ["    " + " ".join(_with_cookie(server.words)) for server in servers]
    at = next(number for number, line in enumerate(lines) if line.startswith("    server "))
    others = [line for line in lines if not line.startswith(("    server ", "    # and so on"))]
    return "\n".join([*others[:at], *own, *others[at:]])


def _with_cookie(words: tuple[str, ...]) -> tuple[str, ...]:
    return words if "cookie" in words else (*words, "cookie", words[1])


def _speaks_tls(fronts: list[_Section]) -> bool:
    return any(
        "ssl" in bind.words or "quic" in " ".join(bind.words)
        for front in fronts
        for bind in front.all("bind")
    )


def _faults(
    section: _Section, fronts: list[_Section], servers: list[Line], app: App
) -> Iterator[_Fault]:
    yield from _timeout_faults(section, fronts, app)
    yield from _affinity_faults(section, servers)
    lines = [
        line
        for scope in (section, *(f for f in fronts if f is not section))
        for line in scope.lines
    ]
    for line in lines:
        yield from _rule_faults(line, app)
    yield from _rate_faults(lines)
    told = [line for line in lines if "x-forwarded-proto" in _text(line)]
    if _speaks_tls(fronts) and not told:
        yield _Fault(
            "STL402",
            section.line,
            "The site speaks https, but the app does not know: X-Forwarded-Proto is missing.",
            Need.SCHEME,
        )
    inherited = [
        line for front in (section, *fronts) for scope in front.scopes for line in scope.lines
    ]
    if not any(
        line.words[:2] == ("option", "forwardfor") or "x-forwarded-for" in _text(line)
        for line in inherited
    ):
        yield _Fault(
            "STL404",
            section.line,
            "The app does not learn the client's address: option forwardfor is missing.",
            Need.CLIENT,
        )
    yield from _header_faults(lines)


def _timeout_faults(section: _Section, fronts: list[_Section], app: App) -> Iterator[_Fault]:
    tunnel = _timeout(section, "tunnel")
    limits = (
        [tunnel]
        if tunnel
        else [_timeout(section, "server"), *(_timeout(front, "client") for front in fronts)]
    )
    for limit in {line.number: line for line in limits if line is not None}.values():
        value = seconds(limit.words[2], default_unit="ms")
        if value is not None and 0 < value <= app.ping_interval_s:
            yield _Fault(
                "STL606",
                limit.number,
                f"A quiet WebSocket is cut after {value:g} s, and the app pings every "
                f"{app.ping_interval_s} s.",
                Need.IDLE_TIMEOUT,
            )
            return


def _affinity_faults(section: _Section, servers: list[Line]) -> Iterator[_Fault]:
    active = [line for line in servers if "backup" not in line.words]
    count = sum(_count(line) for line in active)
    if count <= 1:
        return
    scopes = section.scopes
    cookies = [line for scope in scopes for line in scope.all("cookie")]
    balance = next(
        (found[-1].words[1] for scope in scopes if (found := scope.all("balance"))), "roundrobin"
    )
    sticks = section.all("stick", "on") or section.all("stick", "match")
    if sticks or balance.split("(")[0] in _STICKY_BALANCE:
        return
    if cookies:
        cookie = cookies[0]
        named = [line for line in active if "cookie" in line.words]
        if "dynamic" in cookie.words or len(named) == len(active):
            return
        yield _Fault(
            "STL702",
            cookie.number,
            f"`cookie {cookie.words[1]}` does nothing without `cookie VALUE` on each `server` "
            f"line: {count} servers take turns.",
            Need.AFFINITY,
            servers=tuple(servers),
        )
        return
    yield _Fault(
        "STL702",
        section.line,
        f"{count} servers take turns: a browser's requests reach different replicas.",
        Need.AFFINITY,
        servers=tuple(servers),
    )


_RULES = (
    (
        r"http-request (del-header|set-header) (upgrade|connection)\b(?!.*%\[)",
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
        r"http-request (del-header|(set|add|replace)-header) origin\b(?! %\[req\.hdr\(origin\))",
        "STL502",
        Need.ORIGIN,
        (
            "The app sees another Origin than the browser's, so bare Streamlit lets "
            "pages of every site in."
        ),
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
        (
            r"http-request deny.*"
            r"(unless \{ method get( head)?( post)?( options)? \}|if \{ method put)"
        ),
        "STL512",
        None,
        "This rule refuses PUT, with which Streamlit uploads.",
    ),
)


def _rule_faults(line: Line, app: App) -> Iterator[_Fault]:
    text = _text(line)
    for pattern, code, need, detail in _RULES:
        if re.match(pattern, text):
            yield _Fault(code, line.number, detail, need)
    limit = re.match(r"http-request deny.*\{ req\.body_size gt (\d{1,15})", text)
    if limit and int(limit[1]) < app.max_upload_bytes:
        yield _Fault(
            "STL607",
            line.number,
            f"Uploads may have {app.max_upload_mb} MB, and {limit[1]} bytes pass.",
            Need.BODY_SIZE,
        )


def _rate_faults(lines: list[Line]) -> Iterator[_Fault]:
    """Judge the usual recipe: a table of http_req_rate, and a rule that denies above a number."""
    acls = {line.words[1]: _text(line) for line in lines if line.name == "acl"}
    for line in lines:
        text = _text(line)
        if not re.match(r"http-request (deny|tarpit|reject|return)", text):
            continue
        told = " ".join([text, *(acls[word] for word in line.words if word in acls)])
        match = re.search(r"http_req_rate\(?[^)]*\)?\s*(?:-m int )?(gt|ge) (\d{1,9})", told)
        match = match or re.search(r"http_req_rate[^ ]*,?(gt|ge)\((\d{1,9})\)", told)
        if match and int(match[2]) < page_load.MAX_REQUESTS:
            is_certain = int(match[2]) < page_load.MIN_REQUESTS
            yield _Fault(
                "STL611",
                line.number,
                f"After {match[2]} requests the next ones are refused, and one load of a small "
                f"app is {page_load.MIN_REQUESTS} to {page_load.MAX_REQUESTS}.",
                milder=None if is_certain else Circumstance.LARGE_ONLY,
            )


def _header_faults(lines: list[Line]) -> Iterator[_Fault]:
    added = [
        (line, line.words[2], line.words[3])
        for line in lines
        if line.words[:1] == ("http-response",)
        and len(line.words) > 3  # noqa: PLR2004
        and line.words[1] in {"set-header", "add-header"}
        and not {"if", "unless"} & set(line.words[4:])
    ]
    sent = [(name, value) for _, name, value in added]
    for problem in header_problems(sent, sent):
        need = Need(problem.need) if problem.need else None
        number = added[problem.index][0].number
        yield _Fault(problem.code, number, problem.detail, need, milder=problem.milder)


def _text(line: Line) -> str:
    return " ".join(line.words).lower()


def _timeout(section: _Section, name: str) -> Line | None:
    for scope in section.scopes:
        if found := scope.all("timeout", name):
            return found[-1]
    return None


def _servers(section: _Section, app: App, path: Path, report: Report) -> list[Line]:
    found = []
    for line in section.lines:
        if line.name not in {"server", "server-template"}:
            continue
        target = line.words[2] if line.name == "server" else line.words[3]
        if "${" in target or target.startswith("$"):
            text = f"It is not plain where {target} leads: it is a variable of the environment."
            report.note(path, line.number, text, is_gap=True)
        elif app.is_at(_plain(target)) or (app.is_called(line.words[1]) and ":" not in target):
            found.append(line)
        elif (place := HostPort.parse(_plain(target))) and place.port:
            report.pass_elsewhere(path, line.number, str(place))
        elif target.startswith(("unix@", "/")):
            socket = target.removeprefix("unix@")
            report.pass_elsewhere(path, line.number, f"unix:{socket}")
    return found


def _plain(target: str) -> str:
    return re.sub(r"^(ipv4|ipv6)@", "", target)


def _count(line: Line) -> int:
    if line.name == "server":
        return 1
    _, _, number = line.words[2].rpartition("-")
    return int(number) if number.isdigit() and len(number) < 6 else 2  # noqa: PLR2004


def _fronts(backend: _Section, sections: list[_Section]) -> list[_Section]:
    """Return the frontends that may lead to a backend."""
    found = []
    for section in sections:
        if section.kind not in {"frontend", "listen"}:
            continue
        for line in section.lines:
            is_route = line.name in {"default_backend", "use_backend"}
            if is_route and (line.words[1] == backend.name or "%[" in line.words[1]):
                found.append(section)
                break
    return found


def _sections(text: str, path: Path) -> list[_Section]:
    sections: list[_Section] = []
    defaults: dict[str, _Section] = {}
    last: _Section | None = None
    for line in statements(text, path):
        # A section's name is not indented by rule, and no keyword of a section is called so.
        if line.name in _SECTIONS:
            words = line.words
            name = words[1] if len(words) > 1 else ""
            section = _Section(line.name, name, line.number)
            if line.name == "defaults":
                last = defaults[name] = section
            elif line.name in {"frontend", "backend", "listen"}:
                if not name:
                    raise UsageError(f"{path}, line {line.number}: `{line.name}` lacks a name.")
                named = words[words.index("from") + 1 :][:1] if "from" in words else ()
                chosen = defaults.get(named[0]) if named else last
                section.defaults = [chosen] if chosen else []
            if line.name == "defaults" and "from" in words:
                named = words[words.index("from") + 1 :][:1]
                above = defaults.get(named[0]) if named else None
                section.defaults = [above, *above.defaults] if above else []
            elif section.defaults:
                section.defaults = [section.defaults[0], *section.defaults[0].defaults]
            sections.append(section)
            continue
        if len(line.words) - 1 < _FEWEST.get(line.name, 0):
            shown = " ".join(line.words)[:80]
            raise UsageError(f"{path}, line {line.number}: `{shown}` lacks a value.")
        if sections:
            sections[-1].lines.append(line)
    return sections
