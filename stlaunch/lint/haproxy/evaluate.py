"""The backends that contain the app, and the frontends that lead to them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from stlaunch.errors import UsageError
from stlaunch.lint.app import App
from stlaunch.lint.findings import LintFinding, Report
from stlaunch.lint.haproxy.conditions import Steps, TooManyStepsError
from stlaunch.lint.haproxy.parse import Section, read_sections
from stlaunch.lint.haproxy.request import Frontend
from stlaunch.lint.haproxy.routes import Route, routes_of
from stlaunch.lint.haproxy.rules import Fault, faults_of
from stlaunch.lint.sources import Sources
from stlaunch.lint.words import Line
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Product
from stlaunch.proxies.site import Site
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

# Lines, times the sections that are evaluated with them.
_MAX_WORK = 1_000_000
_OF_SOCKETS = {"STL301", "STL307", "STL606"}


def lint_haproxy(path: Path, app: App, sources: Sources) -> Report:
    """Evaluate the backends whose servers are the app.

    Raises:
        UsageError: for a file that cannot be read, or that HAProxy would refuse.
    """
    report = Report(files=[path])
    sections = read_sections(sources.read(path), path)
    groups = [
        (section, servers)
        for section in sections
        if section.kind in {"backend", "listen"}
        if (servers := _servers(section, app, path, report))
    ]
    apps = {section.name for section, _ in groups}
    fronts = [section for section in sections if section.kind in {"frontend", "listen"}]
    inherited = sum(len(scope.lines) for front in fronts for scope in front.defaults)
    if inherited > _MAX_WORK:
        raise UsageError(f"{path} has too many sections.")
    fronts = [front for front in fronts if _leads(front, apps)]
    if (len(groups) + len(fronts)) * sum(len(one.lines) for one in sections) > _MAX_WORK:
        raise UsageError(f"{path} has too many sections that lead to the app.")
    backends = {one.name: one for one in sections if one.kind in {"backend", "listen"}}
    steps = Steps()
    try:
        routes = {
            front.line: routes_of(Frontend(front, backends, apps, steps), app)
            for front in fronts
            if not front.is_tcp
        }
        for section, servers in groups:
            above = [front for front in fronts if section.name in _leads(front, apps)]
            site = app.site(BasePath(), is_https=any(front.speaks_tls for front in above))
            shown = [route for front in above for route in routes.get(front.line, ())]
            asked = [one for route in shown for one in route.asked]
            faults = faults_of(section, above, servers, app, asked=asked, steps=steps)
            if shown and all(route.socket_backend not in {None, section.name} for route in shown):
                faults = (fault for fault in faults if fault.code not in _OF_SOCKETS)
            report.findings += [_finding(fault, path, site) for fault in faults]
            report.routes.append(f"{path}:{section.line} {section.kind} {section.name}")
            if section.is_tcp:
                text = "This passes bytes on (mode tcp): nothing but its timeouts was checked."
                report.note(path, section.line, text)
        for found in routes.values():
            report.findings += _route_findings(found, path, app)
            for exc in (exc for route in found for exc in route.unclear):
                text = f"Not understood, so not checked: {exc}."
                report.note(path, exc.line.number, text, is_gap=True)
    except TooManyStepsError:
        text = "There are too many rules to follow each request through them: not checked."
        report.note(path, fronts[0].line if fronts else 1, text, is_gap=True)
    return report


def _route_findings(routes: list[Route], path: Path, app: App) -> Iterator[LintFinding]:
    """Yield what the routes of one frontend lack, once where it hits several."""
    seen: set[tuple[str, int]] = set()
    for route in routes:
        site = app.site(route.base, is_https=route.front.section.speaks_tls)
        faults = [fault for fault in route.faults() if (fault.code, fault.line) not in seen]
        seen |= {(fault.code, fault.line) for fault in faults}
        yield from (_finding(fault, path, site) for fault in faults)


def _finding(fault: Fault, path: Path, site: Site) -> LintFinding:
    known = fix_for(fault.need, Product.HAPROXY, site) if fault.need else None
    fix = known.text if known else ""
    return LintFinding(
        code=fault.code,
        file=path,
        line=fault.line,
        detail=fault.detail,
        fix=_with_own_servers(fix, fault.servers) if fault.servers else fix,
        milder=fault.milder,
    )


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


def _servers(section: Section, app: App, path: Path, report: Report) -> list[Line]:
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


def _leads(section: Section, apps: set[str]) -> set[str]:
    """Return the names of the app's backends that a frontend may lead to."""
    lines = [line for scope in section.scopes for line in scope.all("default_backend")]
    names = {line.words[1] for line in (*section.all("use_backend"), *lines)}
    own = {section.name} if section.kind == "listen" else set()
    return apps if any("%[" in name for name in names) else (names | own) & apps
