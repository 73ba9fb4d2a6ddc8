"""Find the locations that lead to the app, and what each of them lacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from stlaunch.lint import streamlit
from stlaunch.lint.app import App
from stlaunch.lint.findings import LintFinding, Report
from stlaunch.lint.hosted import host_note
from stlaunch.lint.nginx import rules
from stlaunch.lint.nginx.bases import bases_of, slash_fault
from stlaunch.lint.nginx.faults import Fault
from stlaunch.lint.nginx.fix import edits_for, fix_of, is_of_the_app_alone
from stlaunch.lint.nginx.headers import header_faults
from stlaunch.lint.nginx.limits import header_size_faults, rate_faults
from stlaunch.lint.nginx.parse import Directive
from stlaunch.lint.nginx.request import (
    Answer,
    NotUnderstoodError,
    Request,
    answer,
    sent_path,
    servers,
)
from stlaunch.lint.nginx.targets import PROXY_HOST, Targets
from stlaunch.lint.nginx.tree import Place, Tree, place, read_nginx
from stlaunch.lint.sources import Sources
from stlaunch.proxies.nginx import HOST_LINE
from stlaunch.proxies.site import Site
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath


def lint_nginx(path: Path, app: App, sources: Sources) -> Report:
    """Evaluate every route in a configuration that leads to the app.

    Raises:
        UsageError: for a file that is no nginx configuration.
    """
    tree = read_nginx(path, sources)
    report = Report(notes=list(tree.notes), files=tree.files, is_incomplete=bool(tree.notes))
    targets = Targets(tree.root, app)
    _list_others(tree, targets, report)
    broken: list[_Broken] = []
    for server in servers(tree.root):
        if not tree.is_own(server):
            continue
        for base in bases_of(server, targets, report):
            broken += _Evaluator(tree, server, base, targets, report).evaluate()
    report.findings = list(_with_edits(broken, tree, targets, sources))
    return report


def _list_others(tree: Tree, targets: Targets, report: Report) -> None:
    for proxied in tree.root.walk():
        if proxied.name != "proxy_pass" or not tree.is_own(proxied):
            continue
        if targets.is_app(proxied):
            continue
        if targets.is_unclear(proxied):
            text = f"It is not plain where {proxied.args[0]} leads: a variable has no known value."
            report.note(proxied.file, proxied.line, text, is_gap=True)
        for target in targets.shown(proxied):
            report.pass_elsewhere(proxied.file, proxied.line, target)


@dataclass(frozen=True, slots=True)
class _Broken:
    """A fault of one server, and what the edits of its location have to know."""

    fault: Fault
    location: Directive | None
    site: Site
    finding: LintFinding


def _with_edits(
    broken: Sequence[_Broken], tree: Tree, targets: Targets, sources: Sources
) -> Iterator[LintFinding]:
    """Return the findings; the first one of each location has the edits for all servers."""
    by_place: dict[Place | None, list[_Broken]] = {}
    for one in broken:
        by_place.setdefault(place(one.location) if one.location else None, []).append(one)
    for same in by_place.values():
        faults = [(one.fault, one.site) for one in same]
        location = same[0].location
        edits = (
            edits_for(location, faults, tree=tree, targets=targets, sources=sources)
            if location
            else ()
        )
        yield replace(same[0].finding, edits=edits)
        yield from (one.finding for one in same[1:])


@dataclass(slots=True)
class _Evaluator:
    """One path of the app in one server."""

    tree: Tree
    server: Directive
    base: BasePath
    targets: Targets
    report: Report

    def evaluate(self) -> list[_Broken]:
        """Return what is wrong; routes and notes go into the report."""
        answers = dict(self._answers())
        if self._is_elsewhere(answers):
            return []
        answers = _without_redirect_of_page(answers)
        self.report.routes.append(f"{self.server.file}:{self.server.line} {self.base.with_slash}")
        faults = list(self._route_faults(answers))
        faults += self._mapping_faults(answers)
        faults += self._location_faults(answers)
        faults += slash_fault(self.server, self.base, self.targets, self.report)
        self._note_host(answers)
        site = self.targets.app.site(self.base)
        return [
            _Broken(fault, _location_of(fault, answers), site, self._finding(fault, answers))
            for fault in faults
        ]

    def _is_elsewhere(self, answers: Mapping[str, Answer]) -> bool:
        """Return whether only a redirect is here, to https say, whatever locations there are.

        A handshake comes from a page alone.
        """
        page = answers.get(streamlit.PAGE)
        is_page_elsewhere = page is not None and page.is_redirect
        return bool(answers) and all(
            (found.returned and (found.location is self.server or is_page_elsewhere))
            or (end == streamlit.STREAM and is_page_elsewhere)
            for end, found in answers.items()
        )

    def _answers(self) -> Iterator[tuple[str, Answer]]:
        component = streamlit.Asked(end=streamlit.COMPONENT, code="STL208", what="components")
        for asked in (*streamlit.ALL, component):
            request = Request(
                path=self.base.value + asked.end, method=asked.method, is_upgrade=asked.is_upgrade
            )
            try:
                found = answer(self.server, request, self.targets.maps)
            except NotUnderstoodError as exc:
                self._note(exc)
                continue
            if found.proxied is None and found.returned is None and found.location.has_unread:
                continue  # What was not read may pass it on.
            yield asked.end, found

    def _is_app(self, found: Answer) -> bool:
        return found.proxied is not None and self.targets.is_app(found.proxied)

    def _route_faults(self, answers: dict[str, Answer]) -> Iterator[Fault]:
        for asked in streamlit.ALL:
            found = answers.get(asked.end)
            if found is None or self._is_app(found):
                continue
            if found.proxied is not None and self.targets.is_unclear(found.proxied):
                continue
            where = f"{self.base}{asked.end}"
            condition = found.returned.parent if found.returned else None
            if asked.method == "PUT" and condition and condition.args[:1] == ("$request_method",):
                yield Fault(
                    code="STL512",
                    at=condition,
                    detail="This condition refuses PUT, with which Streamlit uploads.",
                )
            elif found.returned and asked.is_upgrade:
                yield Fault(
                    code="STL310" if found.is_redirect else "STL304",
                    at=found.returned,
                    detail=f"The WebSocket handshake at {where} gets {found.status}.",
                )
            elif not (asked.end == streamlit.PAGE and found.is_redirect):
                yield Fault(
                    code=asked.code,
                    at=found.location,
                    detail=f"{asked.loss}: this answers {where} instead.",
                )

    def _mapping_faults(self, answers: dict[str, Answer]) -> Iterator[Fault]:
        seen: set[int] = set()
        for end, found in answers.items():
            if found.proxied is None or not self._is_app(found) or id(found.location) in seen:
                continue
            try:
                sent = sent_path(found, found.proxied.args[0], self.targets.maps)
            except NotUnderstoodError as exc:
                self._note(exc)
                seen.add(id(found.location))
                continue
            asked = f"{self.base}{end}"
            if streamlit.is_own_path(self.base, end, sent):
                text = f"The app gets {sent} for {asked}: right only if that is its own path."
                self.report.note(found.proxied.file, found.proxied.line, text)
                seen.add(id(found.location))
            elif fault := streamlit.mapping_fault(self.base, end, sent):
                seen.add(id(found.location))
                code, what = fault
                yield Fault(
                    code=code,
                    at=found.proxied,
                    detail=f"The app gets {sent} for {asked}, {what}.",
                )

    def _location_faults(self, answers: dict[str, Answer]) -> Iterator[Fault]:
        app, root = self.targets.app, self.tree.root
        proxied = {end: found for end, found in answers.items() if self._is_app(found)}
        stream, page = proxied.get(streamlit.STREAM), proxied.get(streamlit.PAGE)
        upload, script = proxied.get(streamlit.UPLOAD), proxied.get(streamlit.SCRIPT)
        component = proxied.get(streamlit.COMPONENT)
        if stream:
            is_routed = bool(self._routed_host(stream))
            faults = rules.stream_faults(
                stream.location, app, self.targets.maps, is_routed_by_host=is_routed
            )
            yield from _at(stream, faults)
        if upload:
            yield from _at(upload, rules.upload_faults(upload.location, app))
        if page:
            yield from rules.page_faults(page.location)
            yield from header_size_faults(page.location, app)
        if script:
            yield from rate_faults(script.location, root)
        yield from header_faults(page, component)
        done: list[Directive] = []
        for found in (stream, upload, page):
            if found and found.location not in done:
                done.append(found.location)
                yield from _at(found, rules.request_faults(found.location, app, self.base))
        places = {self.targets.place(found.proxied) for found in proxied.values() if found.proxied}
        for name in sorted(places):
            yield from rules.upstream_faults(self.targets.upstreams.get(name, ()))

    def _finding(self, fault: Fault, answers: dict[str, Answer]) -> LintFinding:
        site = self.targets.app.site(
            self.base,
            replicas=fault.replicas,
            keep_prefix=self._keeps_prefix(answers),
            is_https=any(rules.speaks_tls(found.location) for found in answers.values()),
        )
        known = fix_of(fault, site)
        fixes = [self._removal(fault.at)] if fault.is_removed else []
        fixes += [known.text] if known else []
        return LintFinding(
            code=fault.code,
            file=fault.at.file,
            line=fault.at.line,
            detail=fault.detail,
            fix="\n".join(fixes),
            milder=fault.milder,
        )

    def _routed_host(self, found: Answer) -> str:
        if found.proxied is None:
            return ""
        host = _host_of(found)
        return self.targets.routed_host(found.proxied, host.args[1] if host else PROXY_HOST)

    def _note_host(self, answers: Mapping[str, Answer]) -> None:
        stream = answers.get(streamlit.STREAM)
        if stream is None:
            return
        host = _host_of(stream)
        name = self._routed_host(stream) if self._is_app(stream) else ""
        if name and stream.proxied and (host is None or host.args[1] in {PROXY_HOST, name}):
            self.report.note(stream.proxied.file, stream.proxied.line, host_note(name))
        elif host is not None:
            _note_port(host, self.report)

    def _removal(self, line: Directive) -> str:
        if is_of_the_app_alone(line, self.tree, self.targets):
            return "Delete the line."
        if line.name != "proxy_set_header":
            return "Delete the line; other paths or sites have it too."
        return (
            "Delete the line or, as other paths or sites have it too, repeat the block's "
            "proxy_set_header lines without it in the app's location."
        )

    def _keeps_prefix(self, answers: dict[str, Answer]) -> bool:
        """Return whether the app gets the path as the browser sent it, as far as is known."""
        found = answers.get(streamlit.STREAM)
        if found is None or found.proxied is None:
            return True
        try:
            sent = sent_path(found, found.proxied.args[0], self.targets.maps)
        except NotUnderstoodError:
            return True
        return self.base.strip_from(sent) is not None

    def _note(self, exc: NotUnderstoodError) -> None:
        place = exc.directive
        self.report.note(
            place.file, place.line, f"Not understood, so not checked: {exc}.", is_gap=True
        )


def _host_of(found: Answer) -> Directive | None:
    headers = found.location.inherited_all("proxy_set_header")
    return next((one for one in headers if one.args[0].lower() == "host"), None)


def _without_redirect_of_page(answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """Return the answers but those of the same redirect: the browser asks elsewhere for them."""
    page = answers.get(streamlit.PAGE)
    redirect = page.returned if page and page.is_redirect else None
    return {
        end: found
        for end, found in answers.items()
        if redirect is None or found is page or found.returned is not redirect
    }


def _location_of(fault: Fault, answers: dict[str, Answer]) -> Directive | None:
    if fault.location is not None:
        return fault.location
    reached = [found.location for found in answers.values()]
    for location in reached:
        if location in list(fault.at.ancestors()):
            return location
    return None


def _at(found: Answer, faults: Iterable[Fault]) -> Iterator[Fault]:
    return (replace(fault, location=found.location) for fault in faults)


def _note_port(host: Directive, report: Report) -> None:
    server = next((up for up in host.ancestors() if up.name == "server"), None)
    ports = _odd_ports(server.all("listen") if server else ())
    if ports and host.args == ("Host", "$host"):
        text = f"$host loses the port: if browsers see port {ports[0]}, write `{HOST_LINE}`."
        report.note(host.file, host.line, text)


def _odd_ports(listens: Iterable[Directive]) -> Sequence[str]:
    ports = [re.sub(r".*:", "", listen.args[0]) for listen in listens if listen.args]
    return [port for port in ports if port.isdigit() and port not in {"80", "443"}]
