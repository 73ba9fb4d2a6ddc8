"""The backends that contain the app, and the frontends that lead to them."""

from __future__ import annotations

import re
from pathlib import Path

from stlaunch.lint.app import App
from stlaunch.lint.findings import LintFinding, Report
from stlaunch.lint.haproxy.parse import Section, read_sections
from stlaunch.lint.haproxy.rules import faults_of, speaks_tls, text_of, timeout_faults
from stlaunch.lint.sources import Sources
from stlaunch.lint.words import Line
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Product
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

_OF_SOCKETS = {"STL301", "STL307", "STL606"}
_SOCKET_RULE = re.compile(r"hdr\w*\(upgrade\).*websocket|_stcore/stream|_stcore\b|/stream\b")


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
    for section, servers in groups:
        report.routes.append(f"{path}:{section.line} {section.kind} {section.name}")
        fronts = [section] if section.kind == "listen" else _fronts(section, sections)
        if section.is_tcp:
            text = "This passes bytes on (mode tcp): nothing but its timeouts was checked."
            report.note(path, section.line, text)
            faults = list(timeout_faults(section, fronts, app))
        else:
            faults = list(faults_of(section, fronts, servers, app))
            if fronts and all(_sends_sockets_elsewhere(front, section, apps) for front in fronts):
                faults = [fault for fault in faults if fault.code not in _OF_SOCKETS]
        site = app.site(BasePath(), is_https=speaks_tls(fronts))
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


def _sends_sockets_elsewhere(front: Section, backend: Section, apps: set[str]) -> bool:
    """Return whether a frontend has a backend of its own for WebSockets, which leads to the app."""
    acls: dict[str, str] = {}
    for line in front.all("acl"):
        acls[line.words[1]] = f"{acls.get(line.words[1], '')} {text_of(line)}"
    for line in front.all("use_backend"):
        if line.words[1] == backend.name:
            return False
        if line.words[1] in apps and "if" in line.words:
            condition = line.words[line.words.index("if") + 1 :]
            expanded = " ".join(acls.get(word, word) for word in condition).lower()
            if _SOCKET_RULE.search(expanded):
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


def _fronts(backend: Section, sections: list[Section]) -> list[Section]:
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
