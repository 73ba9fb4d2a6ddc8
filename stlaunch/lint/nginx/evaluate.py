"""From a file to findings: which locations lead to the app, and what each of them lacks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from stlaunch.lint.app import App
from stlaunch.lint.findings import LintFinding, Note, Report
from stlaunch.lint.nginx import rules
from stlaunch.lint.nginx.mend import mend
from stlaunch.lint.nginx.routes import (
    Location,
    NotUnderstoodError,
    find_location,
    literal_prefix,
    sent_path,
    servers,
)
from stlaunch.lint.nginx.rules import Fault
from stlaunch.lint.nginx.tree import Directive, read_nginx
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

_OWN = ("_stcore", "_stlaunch", "static", "media", "component", "stream", "healthz")
_STREAM = "/_stcore/stream"
_UPLOAD = "/_stcore/upload_file/session/file"
_MISSING_ROUTES = {
    _STREAM: ("STL316", "WebSocket handshake"),
    _UPLOAD: ("STL208", "uploads"),
    "/_stcore/health": ("STL210", "Streamlit's own health page"),
    "/static/js/index.abc123.js": ("STL208", "scripts"),
    "/static/css/index.abc123.css": ("STL208", "style sheets"),
    "/static/media/font.abc123.woff2": ("STL208", "fonts"),
    "/media/abc123.png": ("STL208", "pictures"),
    "/": ("STL123", "page"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """What nginx does with one path of the app."""

    location: Directive
    proxied: Directive | None
    """The `proxy_pass` to the app; None where the app never sees it."""


def lint_nginx(path: Path, app: App) -> Report:
    """Judge every route in a configuration that leads to the app.

    Raises:
        UsageError: for a file that is no nginx configuration.
    """
    root, notes, files = read_nginx(path)
    report = Report(notes=list(notes), files=files)
    for server in servers(root):
        for base in _bases(server, root, app, report):
            _judge(server, base, root, app, report)
    if not report.routes:
        report.notes.append(
            Note(
                file=path,
                line=1,
                text=f"No route to the app was found: nothing is passed to port {app.port} or to a "
                "name with streamlit in it. Is it elsewhere? --upstream HOST:PORT",
            )
        )
    return report


def _bases(server: Directive, root: Directive, app: App, report: Report) -> list[BasePath]:
    """Return the public paths of the app in this server, the outermost of nested ones alone."""
    if app.base_path is not None:
        found = [app.base_path] if _app_passes(server, root, app) else []
    else:
        paths: set[str] = set()
        for proxied in _app_passes(server, root, app):
            location = next((up for up in proxied.ancestors() if up.name == "location"), None)
            if location is None:
                paths.add("")
                continue
            head = Location.of(location)
            prefix = literal_prefix(head)
            segments = prefix.split("/")
            own = next((n for n, segment in enumerate(segments) if segment in _OWN), len(segments))
            if head.is_regex and prefix in {"", "/"} and own == len(segments):
                text = f"It is not plain which paths `location {' '.join(location.args)}` takes."
                report.notes.append(Note(file=location.file, line=location.line, text=text))
                continue
            paths.add("/".join(segments[:own]).rstrip("/"))
        outermost = [
            path
            for path in sorted(paths)
            if not any(path != other and f"{path}/".startswith(f"{other}/") for other in paths)
        ]
        found = [BasePath(path) for path in outermost]
    for base in found:
        report.routes.append(f"{server.file}:{server.line} {base.with_slash}")
    return found


def _app_passes(server: Directive, root: Directive, app: App) -> list[Directive]:
    return [
        directive
        for directive in server.walk()
        if directive.name == "proxy_pass" and _leads_to_app(directive, root, app)
    ]


def _leads_to_app(proxied: Directive, root: Directive, app: App) -> bool:
    target = proxied.args[0] if proxied.args else ""
    place = target.partition("://")[2].partition("/")[0]
    if place.startswith("$") or "$" in place:
        place = _variable(proxied, place)
    servers_of = [
        server.args[0]
        for group in root.walk()
        if group.name == "upstream" and group.args == (place,)
        for server in group.all("server")
        if server.args
    ]
    if "streamlit" in place and not app.upstream:
        return True
    for text in servers_of or [place]:
        parsed = HostPort.parse(text)
        if parsed and app.listens_at(parsed.host, parsed.port or (80 if not servers_of else None)):
            return True
    return False


def _variable(proxied: Directive, place: str) -> str:
    """Follow `set $app 127.0.0.1:8501;` for a place that is one variable."""
    for level in proxied.ancestors():
        for directive in level.block or ():
            if directive.name == "set" and directive.args[:1] == (place,):
                return directive.args[1].partition("://")[2] or directive.args[1]
    return place


def _judge(server: Directive, base: BasePath, root: Directive, app: App, report: Report) -> None:
    answers: dict[str, _Answer] = {}
    for end in _MISSING_ROUTES:
        try:
            answers[end] = _answer(server, base.value + end, root, app)
        except NotUnderstoodError as exc:
            _note(report, exc)
    faults = list(_route_faults(answers, base))
    faults += _mapping_faults(answers, base, report)
    faults += _judged_locations(answers, base, app, root)
    faults += _slash_faults(server, base, root, app, report)
    by_place: dict[int, list[Fault]] = {}
    for fault in faults:
        location = _location_of(fault, answers)
        by_place.setdefault(id(location), []).append(fault)
    for same in by_place.values():
        location = _location_of(same[0], answers)
        edits = mend(location, same, app.site(base)) if location else ()
        for number, fault in enumerate(same):
            finding = _finding(fault, base, app)
            report.findings.append(replace(finding, edits=edits) if number == 0 else finding)
    _host_note(answers, report)


def _location_of(fault: Fault, answers: dict[str, _Answer]) -> Directive | None:
    if fault.location is not None:
        return fault.location
    for answer in answers.values():
        if answer.location in list(fault.at.ancestors()):
            return answer.location
    reached = [answer.location for answer in answers.values()]
    return next((up for up in fault.at.ancestors() if up in reached), None)


def _answer(server: Directive, path: str, root: Directive, app: App) -> _Answer:
    location = find_location(server, path)
    proxied = location.last("proxy_pass")
    if proxied is None and location.all("rewrite") and not location.all("return"):
        raise NotUnderstoodError(location, "a rewrite that starts the search again")
    if proxied is not None and not _leads_to_app(proxied, root, app):
        proxied = None
    return _Answer(location=location, proxied=proxied)


def _route_faults(answers: dict[str, _Answer], base: BasePath) -> Iterator[Fault]:
    for end, (code, what) in _MISSING_ROUTES.items():
        answer = answers.get(end)
        if answer is None or answer.location.name not in {"location", "server", ""}:
            continue
        returned = answer.location.last("return")
        if returned and end == _STREAM:
            is_redirect = returned.args[0].startswith("3")
            yield Fault(
                code="STL310" if is_redirect else "STL304",
                at=returned,
                detail=f"The WebSocket handshake at {base}{_STREAM} gets {returned.args[0]}.",
            )
        elif answer.proxied is None:
            yield Fault(
                code=code,
                at=answer.location,
                detail=f"The app's {what} ({base}{end}) never reach it: this answers instead.",
            )


def _mapping_faults(answers: dict[str, _Answer], base: BasePath, report: Report) -> Iterator[Fault]:
    seen: set[int] = set()
    for end, answer in answers.items():
        if answer.proxied is None or id(answer.location) in seen:
            continue
        try:
            sent = sent_path(answer.location, answer.proxied.args[0], base.value + end)
        except NotUnderstoodError as exc:
            _note(report, exc)
            seen.add(id(answer.location))
            continue
        if sent in {None, end, base.value + end}:
            continue
        seen.add(id(answer.location))
        if "//" in (sent or ""):
            code, what = "STL204", "with a doubled slash"
        elif sent and sent.endswith(end) and base.value.endswith(sent[: -len(end)]):
            code, what = "STL213", "with half of the path stripped"
        elif sent and sent.endswith(end):
            text = f"The app gets {sent} for {base}{end}: right only if that is its own path."
            place = answer.proxied
            report.notes.append(Note(file=place.file, line=place.line, text=text))
            continue
        else:
            code, what = "STL316", "which no app answers"
        yield Fault(
            code=code,
            at=answer.proxied,
            detail=f"The app gets {sent} for {base}{end}, {what}.",
        )


def _judged_locations(
    answers: dict[str, _Answer], base: BasePath, app: App, root: Directive
) -> Iterator[Fault]:
    stream, page = answers.get(_STREAM), answers.get("/")
    upload = answers.get(_UPLOAD)
    if stream and stream.proxied and not stream.location.last("return"):
        yield from _at(stream, rules.stream_faults(stream.location, app, root=root))
    if upload and upload.proxied:
        yield from _at(upload, rules.upload_faults(upload.location, app))
    if page and page.proxied:
        yield from rules.page_faults(page.location)
    judged: list[Directive] = []
    for answer in (stream, upload, page):
        if answer and answer.proxied and answer.location not in judged:
            judged.append(answer.location)
            yield from _at(answer, rules.request_faults(answer.location, app, base))
    places = {answer.proxied.args[0] for answer in answers.values() if answer.proxied}
    for name in sorted({place.partition("://")[2].partition("/")[0] for place in places}):
        yield from rules.upstream_faults(root, name)


def _at(answer: _Answer, faults: Iterable[Fault]) -> Iterator[Fault]:
    return (replace(fault, location=answer.location) for fault in faults)


def _slash_faults(
    server: Directive, base: BasePath, root: Directive, app: App, report: Report
) -> Iterator[Fault]:
    """Judge the path without its final slash; nginx redirects it where a location ends with one."""
    if not base.value:
        return
    try:
        answer = _answer(server, base.value, root, app)
        page = _answer(server, base.with_slash, root, app)
    except NotUnderstoodError as exc:
        _note(report, exc)
        return
    redirects = any(
        Location.of(location) == Location("", base.with_slash)
        or Location.of(location) == Location("^~", base.with_slash)
        for location in server.walk()
        if location.name == "location" and location.all("proxy_pass")
    )
    is_exact = answer.location.name == "location" and Location.of(answer.location).modifier == "="
    is_told = any(answer.location.all(name) for name in ("return", "rewrite"))
    if answer.proxied or is_told or (redirects and not is_exact) or page.proxied is None:
        return
    yield Fault(
        code="STL203",
        at=page.location,
        detail=f"{base} without its final slash does not lead to the app.",
        need=Need.SLASH,
    )


def _finding(fault: Fault, base: BasePath, app: App) -> LintFinding:
    known = fix_for(fault.need, Product.NGINX, app.site(base)) if fault.need else None
    return LintFinding(
        code=fault.code,
        file=fault.at.file,
        line=fault.at.line,
        detail=fault.detail,
        fix="Delete the line." if fault.is_removed else known.text if known else "",
    )


def _host_note(answers: dict[str, _Answer], report: Report) -> None:
    stream = answers.get(_STREAM)
    for directive in stream.location.inherited_all("proxy_set_header") if stream else ():
        if len(directive.args) > 1 and directive.args == ("Host", "$host"):
            server = next((up for up in directive.ancestors() if up.name == "server"), None)
            ports = _odd_ports(server.all("listen") if server else ())
            if ports:
                text = (
                    f"$host loses the port: if browsers see port {ports[0]}, write "
                    "`proxy_set_header Host $http_host;`."
                )
                report.notes.append(Note(file=directive.file, line=directive.line, text=text))


def _odd_ports(listens: Iterable[Directive]) -> Sequence[str]:
    ports = [re.sub(r".*:", "", listen.args[0]) for listen in listens if listen.args]
    return [port for port in ports if port.isdigit() and port not in {"80", "443"}]


def _note(report: Report, exc: NotUnderstoodError) -> None:
    place = exc.directive
    text = f"Not understood, so not checked: {exc}."
    report.notes.append(Note(file=place.file, line=place.line, text=text))
