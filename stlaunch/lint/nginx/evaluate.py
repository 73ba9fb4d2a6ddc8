"""Find the locations that lead to the app, and what each of them lacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from stlaunch.lint import streamlit
from stlaunch.lint.app import App
from stlaunch.lint.findings import LintFinding, Report
from stlaunch.lint.nginx import rules
from stlaunch.lint.nginx.bases import bases_of, slash_fault
from stlaunch.lint.nginx.faults import Fault
from stlaunch.lint.nginx.fix import edits_for, fix_of
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
from stlaunch.lint.nginx.targets import Targets
from stlaunch.lint.nginx.tree import Tree, read_nginx
from stlaunch.lint.sources import Sources
from stlaunch.proxies.nginx import HOST_LINE
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
    for server in servers(tree.root):
        if not tree.is_own(server):
            continue
        for base in bases_of(server, targets, report):
            _Evaluator(tree, server, base, targets, sources, report).evaluate()
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


@dataclass(slots=True)
class _Evaluator:
    """One path of the app in one server."""

    tree: Tree
    server: Directive
    base: BasePath
    targets: Targets
    sources: Sources
    report: Report

    def evaluate(self) -> None:
        answers = dict(self._answers())
        if answers and all(
            found.returned and found.location is self.server for found in answers.values()
        ):
            return  # Only a redirect to https, say: whatever locations there are, none answers.
        self.report.routes.append(f"{self.server.file}:{self.server.line} {self.base.with_slash}")
        faults = list(self._route_faults(answers))
        faults += self._mapping_faults(answers)
        faults += self._location_faults(answers)
        faults += slash_fault(self.server, self.base, self.targets, self.report)
        self._report(faults, answers)
        _host_note(answers, self.report)

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
            yield from _at(stream, rules.stream_faults(stream.location, app, root=root))
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

    def _report(self, faults: Sequence[Fault], answers: dict[str, Answer]) -> None:
        site = self.targets.app.site(self.base)
        by_place: dict[int, list[Fault]] = {}
        for fault in faults:
            location = _location_of(fault, answers)
            by_place.setdefault(id(location), []).append(fault)
        for same in by_place.values():
            location = _location_of(same[0], answers)
            edits = (
                edits_for(location, same, site, sources=self.sources, shared=self.tree.shared)
                if location
                else ()
            )
            for number, fault in enumerate(same):
                finding = self._finding(fault, answers)
                self.report.findings.append(
                    replace(finding, edits=edits) if number == 0 else finding
                )

    def _finding(self, fault: Fault, answers: dict[str, Answer]) -> LintFinding:
        site = self.targets.app.site(
            self.base,
            replicas=fault.replicas,
            keep_prefix=self._keeps_prefix(answers),
            is_https=any(rules.speaks_tls(found.location) for found in answers.values()),
        )
        known = fix_of(fault, site)
        fixes = ["Delete the line."] if fault.is_removed else []
        fixes += [known.text] if known else []
        return LintFinding(
            code=fault.code,
            file=fault.at.file,
            line=fault.at.line,
            detail=fault.detail,
            fix="\n".join(fixes),
            milder=fault.milder,
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


def _host_note(answers: dict[str, Answer], report: Report) -> None:
    stream = answers.get(streamlit.STREAM)
    for directive in stream.location.inherited_all("proxy_set_header") if stream else ():
        if directive.args == ("Host", "$host"):
            server = next((up for up in directive.ancestors() if up.name == "server"), None)
            ports = _odd_ports(server.all("listen") if server else ())
            if ports:
                text = (
                    f"$host loses the port: if browsers see port {ports[0]}, write `{HOST_LINE}`."
                )
                report.note(directive.file, directive.line, text)


def _odd_ports(listens: Iterable[Directive]) -> Sequence[str]:
    ports = [re.sub(r".*:", "", listen.args[0]) for listen in listens if listen.args]
    return [port for port in ports if port.isdigit() and port not in {"80", "443"}]
