"""Evaluate each virtual host, and each path of the app as Apache resolves it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path

from stlaunch.lint import streamlit
from stlaunch.lint.apache import rules
from stlaunch.lint.apache.parse import ApacheTree, Node, read_apache
from stlaunch.lint.apache.request import Answer, NotUnderstoodError, Pass, Site, answer, sites
from stlaunch.lint.apache.rules import Fault
from stlaunch.lint.apache.targets import is_app, members, passes_on, path_of, place_of
from stlaunch.lint.app import App
from stlaunch.lint.expressions import literal_prefix
from stlaunch.lint.findings import Edit, LintFinding, Report
from stlaunch.lint.hosted import host_note, routed_by_host
from stlaunch.lint.sources import Sources
from stlaunch.proxies.apache import PRESERVE_HOST, UPGRADE
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort


def lint_apache(path: Path, app: App, sources: Sources) -> Report:
    """Evaluate each virtual host that leads to the app.

    Raises:
        UsageError: for a file that cannot be read, or that Apache would refuse.
    """
    report = Report(files=[path])
    tree = read_apache(path, sources, report)
    report.files = tree.files
    for site in sites(tree.root):
        if site.node.name != "virtualhost" or site.node.file in tree.own:
            _lint_site(site, tree, app, sources, report)
    return report


def _lint_site(site: Site, tree: ApacheTree, app: App, sources: Sources, report: Report) -> None:
    is_host = site.node.name == "virtualhost"
    passes: list[Pass] = []
    for one in site.everything:
        if not is_host and one.node.file not in tree.own:
            continue
        place = place_of(one.target)
        if place is None or not passes_on(one):
            continue
        if is_app(one, tree.root, app):
            passes.append(one)
        elif "${" in place or "%{" in place:
            text = f"It is not plain where {one.target} leads: a variable has no known value."
            report.note(one.node.file, one.node.line, text, is_gap=True)
        elif (parsed := HostPort.parse(place)) and one.node.file in tree.own:
            shown = str(HostPort(parsed.host, parsed.port or 80))
            report.pass_elsewhere(one.node.file, one.node.line, shown)
    for base in _bases(passes, app, report):
        _Evaluator(site, base, passes, tree, app, sources, report).evaluate()


def _bases(passes: list[Pass], app: App, report: Report) -> list[BasePath]:
    found: dict[str, bool] = {}
    places: dict[str, Node] = {}
    for one in passes:
        path, is_part = streamlit.base_of(_literal_prefix(one))
        found[path] = found.get(path, True) and is_part
        places.setdefault(path, one.node)
    if app.base_path is not None:
        return [app.base_path] if passes else []
    bases, left = streamlit.choose_bases(found)
    for path in left:
        node = places[path]
        shown = ", ".join(base.with_slash for base in bases)
        text = f"This line is left over: the app is at {shown}, and asks for nothing here."
        report.note(node.file, node.line, text)
    return bases


def _literal_prefix(one: Pass) -> str:
    if not one.is_regex:
        return one.path
    text = literal_prefix(one.path)
    return text if text.startswith("/") else f"/{text}"


def _is_elsewhere(answers: Mapping[str, Answer]) -> bool:
    """Return whether only redirects are here, to https say; a handshake comes from a page alone."""
    page = answers.get(streamlit.PAGE)
    is_page_elsewhere = page is not None and page.redirect is not None
    return bool(answers) and all(
        found.redirect or (end == streamlit.STREAM and is_page_elsewhere)
        for end, found in answers.items()
    )


def _without_redirect_of_page(answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """Return the answers but those of the same redirect: the browser asks elsewhere for them."""
    page = answers.get(streamlit.PAGE)
    redirect = page.redirect if page and page.status.startswith("3") else None
    return {
        end: found
        for end, found in answers.items()
        if redirect is None or found is page or found.redirect is not redirect
    }


@dataclass(slots=True)
class _Evaluator:
    """One path of the app in one virtual host."""

    site: Site
    base: BasePath
    passes: list[Pass]
    tree: ApacheTree
    app: App
    sources: Sources
    report: Report
    host: str = ""

    def evaluate(self) -> None:
        self.host = self._host()
        answers = dict(self._answers())
        if _is_elsewhere(answers):
            return
        answers = _without_redirect_of_page(answers)
        first = next(
            (found.by for found in answers.values() if self._is_app(found)), self.passes[0]
        )
        node = self.site.node if self.site.node.name else first.node if first else self.site.node
        self.report.routes.append(f"{node.file}:{node.line} {self.base.with_slash}")
        self._note_slash(answers)
        faults = list(self._route_faults(answers))
        routed = self._routed_host(answers)
        faults += rules.site_faults(
            self.site,
            self.base,
            self.app,
            at=first.node if first else node,
            is_own=self._is_own,
            is_routed_by_host=bool(routed),
        )
        faults += self._affinity_faults(answers)
        for fault in faults:
            if not (fault.is_missing and self.site.has_unread):
                self._report(fault, answers)

    def _routed_host(self, answers: Mapping[str, Answer]) -> str:
        """Return the public name by which a platform finds the app, and note what follows."""
        passes = [found.by for found in answers.values() if found.by and self._is_app(found)]
        names = [routed_by_host(one.target) for one in passes]
        if not names or not all(names):
            return ""
        preserved = rules.preserving(self.site, self.base)
        if preserved is None or preserved.words[1].lower() != "on":
            node = passes[0].node
            self.report.note(node.file, node.line, host_note(names[0]))
        return names[0]

    def _host(self) -> str:
        """Return the first name at which the page reaches the app, or the first one."""
        names = self.site.names
        for name in names:
            with contextlib.suppress(NotUnderstoodError):
                page = answer(self.site, self.base.value + streamlit.PAGE, host=name)
                if self._is_app(page):
                    return name
        return names[0]

    def _answers(self) -> Iterator[tuple[str, Answer]]:
        for asked in streamlit.ALL:
            try:
                found = answer(
                    self.site,
                    self.base.value + asked.end,
                    host=self.host,
                    is_upgrade=asked.is_upgrade,
                    method=asked.method,
                )
            except NotUnderstoodError as exc:
                text = f"Not understood, so not checked: {exc}."
                self.report.note(exc.node.file, exc.node.line, text, is_gap=True)
                continue
            yield asked.end, found

    def _is_own(self, node: Node) -> bool:
        return node.file in self.tree.own

    def _is_app(self, found: Answer) -> bool:
        return found.by is not None and is_app(found.by, self.tree.root, self.app)

    def _route_faults(self, answers: dict[str, Answer]) -> Iterator[Fault]:
        seen: set[int] = set()
        fallback = self.passes[0].node
        for asked in streamlit.ALL:
            found = answers.get(asked.end)
            if found is None:
                continue
            where = f"{self.base}{asked.end}"
            if not self._is_app(found):
                at = found.redirect or (found.by.node if found.by else fallback)
                if asked.is_upgrade and found.redirect:
                    code = "STL310" if found.status.startswith("3") else "STL304"
                    yield Fault(
                        code, at, f"The WebSocket handshake at {where} gets {found.status}."
                    )
                elif not (asked.end == streamlit.PAGE and found.redirect):
                    detail = f"{asked.loss} ({where})."
                    yield Fault(asked.code, at, detail, is_missing=found.by is None)
                continue
            one = found.by
            if one is None:
                continue
            if asked.is_upgrade and not self._upgrades(one):
                yield self._upgrade_fault(one)
            if id(one.node) not in seen and (fault := self._mapping_fault(found, asked.end)):
                seen.add(id(one.node))
                yield fault

    def _affinity_faults(self, answers: dict[str, Answer]) -> Iterator[Fault]:
        passes = {id(one.node): one for found in answers.values() if (one := found.by)}
        for one in passes.values():
            name = place_of(one.target) or ""
            lines = members(name, self.tree.root)
            if not one.target.startswith("balancer:") or len(lines) < 2:  # noqa: PLR2004
                continue
            settings = [
                " ".join(node.words)
                for node in self.tree.root.walk()
                if node.name == "proxyset"
                and (name in " ".join(node.words) or node.section("proxy") is lines[0].parent)
            ]
            if "stickysession=" not in " ".join((*one.options, *settings)).lower():
                detail = (
                    f"{len(lines)} members take turns: a browser's requests reach different "
                    "replicas."
                )
                yield Fault(
                    "STL702",
                    one.node,
                    detail,
                    Need.AFFINITY,
                    is_missing=True,
                    replicas=tuple(place_of(line.words[1]) or "" for line in lines),
                )

    def _upgrades(self, one: Pass) -> bool:
        if one.upgrades:
            return True
        if one.target.startswith("balancer:"):
            lines = members(place_of(one.target) or "", self.tree.root)
            return bool(lines) and all(
                "upgrade=" in " ".join(line.words).lower() or line.words[1].startswith("ws")
                for line in lines
            )
        # A worker's options count for every URL below it.
        return any(
            other.upgrades
            and other.node.name == "proxypass"
            and one.target.startswith(other.target)
            for other in self.passes
            if not other.target.startswith("ws")
        )

    def _upgrade_fault(self, one: Pass) -> Fault:
        detail = "The WebSocket handshake is forwarded as a plain request."
        unused = next(
            (other for other in self.passes if other.target.startswith(("ws:", "wss:"))), None
        )
        if unused is not None:
            detail += (
                f" Line {unused.node.line} ({unused.target}) never gets it: another line comes "
                "first, or it is for another path."
            )
        edit = self._with_upgrade(one)
        return Fault(
            "STL301", one.node, detail, Need.UPGRADE, edits=(edit,) if edit else (), is_missing=True
        )

    def _mapping_fault(self, found: Answer, end: str) -> Fault | None:
        node = found.by.node if found.by else self.site.node
        sent = path_of(found.sent)
        asked = f"{self.base}{end}"
        if streamlit.is_own_path(self.base, end, sent):
            text = f"The app gets {sent} for {asked}: right only if that is its own path."
            self.report.note(node.file, node.line, text)
            return None
        fault = streamlit.mapping_fault(self.base, end, sent)
        if fault is None:
            return None
        code, what = fault
        return Fault(code, node, f"The app gets {sent} for {asked}, {what}.")

    def _note_slash(self, answers: dict[str, Answer]) -> None:
        page = answers.get(streamlit.PAGE)
        if not self.base.value or page is None or page.by is None or not self._is_app(page):
            return
        try:
            without = answer(self.site, self.base.value, host=self.host)
        except NotUnderstoodError:
            return
        if without.by is None and without.redirect is None and not self.site.has_unread:
            node = page.by.node
            text = f"{self.base} without its final slash does not lead to the app."
            self.report.note(node.file, node.line, text)

    def _keeps_prefix(self, answers: dict[str, Answer]) -> bool:
        """Return whether the app gets the path as the browser sent it, as far as is known."""
        sent = next((path_of(found.sent) for found in answers.values() if self._is_app(found)), "")
        return not sent or self.base.strip_from(sent) is not None

    def _report(self, fault: Fault, answers: dict[str, Answer]) -> None:
        site = self.app.site(
            self.base,
            replicas=fault.replicas,
            keep_prefix=self._keeps_prefix(answers),
            is_https=any(node.words[1].lower() == "on" for node in self.site.all("sslengine")),
        )
        known = fix_for(fault.need, Product.APACHE, site) if fault.need else None
        edits = fault.edits
        text = known.text if known else ""
        if fault.code == "STL501" and fault.need is Need.HOST and known:
            text = known.only(lambda line: line == PRESERVE_HOST).text
            is_alone = self._is_for_app_alone(fault.at)
            text += "" if is_alone else f"\n{self._for_app_alone()}"
            edits = self._preserve_host(fault.at) if is_alone else ()
        self.report.findings.append(
            LintFinding(
                code=fault.code,
                file=fault.at.file,
                line=fault.at.line,
                detail=fault.detail,
                fix=text,
                edits=edits if not self.site.has_unread else (),
                milder=fault.milder,
            )
        )

    def _with_upgrade(self, one: Pass) -> Edit | None:
        node = one.node
        text = self._line(node).strip()
        if node.name != "proxypass" or text.endswith("\\") or "#" in text:
            return None
        if one.target.startswith("balancer:") or node.file not in self.tree.own:
            return None
        changed = f"{text} {UPGRADE}"
        return Edit(
            file=node.file, line=node.line, removed=1, lines=(changed,), margin_of=node.line
        )

    def _is_for_app_alone(self, line: Node) -> bool:
        """Return whether nothing else gets another Host by this line, wherever it is included."""
        if self.site.node not in line.ancestors():
            return False
        return all(
            is_app(one, self.tree.root, self.app)
            for site in sites(self.tree.root)
            if any((node.file, node.line) == (line.file, line.line) for node in site.nodes)
            for one in site.everything
            if passes_on(one)
        )

    def _for_app_alone(self) -> str:
        text = (
            "Other backends have this line too. In Apache 2.4 it can be for the app alone: inside "
            f'<Location "{self.base.value or "/"}">'
        )
        return f"{text}." if self.base.value else f"{text}, and `ProxyPreserveHost Off` in theirs."

    def _preserve_host(self, at: Node) -> tuple[Edit, ...]:
        if at.file not in self.tree.own:
            return ()
        removed = 1 if at.name == "proxypreservehost" else 0
        # Above the first line of a rewrite's group: a RewriteCond belongs to what follows it.
        if at.name == "rewriterule" or self._line(at).rstrip("\r").endswith("\\"):
            return ()
        return (
            Edit(
                file=at.file,
                line=at.line,
                removed=removed,
                lines=(PRESERVE_HOST,),
                margin_of=at.line,
            ),
        )

    def _line(self, node: Node) -> str:
        lines = self.sources.lines(node.file)
        return lines[node.line - 1] if 0 < node.line <= len(lines) else ""
