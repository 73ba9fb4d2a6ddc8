"""lighttpd, Varnish, IIS and Bicep: the route to the app, and what clearly breaks it.

These are read line by line: what is not certain is not reported.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from stlaunch.diagnostics.page_policy import header_problems
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.errors import UsageError
from stlaunch.lint import streamlit
from stlaunch.lint.app import App
from stlaunch.lint.blocks import Blocks
from stlaunch.lint.findings import LintFinding, Report
from stlaunch.lint.kinds import FileKind
from stlaunch.lint.sources import Sources
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

_KIB = 1024
_OF_IIS = 30_000_000  # its own limit of a body
_MAX_LINES = 50_000
_BICEP_PORT = re.compile(r"\s*port:\s*(\d{1,5})\s*$")


def linter_of(kind: FileKind) -> Callable[[Path, App, Sources], Report]:
    """Return the linter of one of these languages."""
    return {
        FileKind.LIGHTTPD: lint_lighttpd,
        FileKind.VARNISH: lint_varnish,
        FileKind.IIS: lint_iis,
        FileKind.BICEP: lint_bicep,
        FileKind.APP: lint_app_file,
    }[kind]


def lint_app_file(path: Path, app: App, sources: Sources) -> Report:
    """Report that a Dockerfile or a systemd unit passes nothing on."""
    del app
    sources.read(path)
    report = Report(files=[path], passes_nothing_on=True)
    report.note(path, 1, "This starts the app, and passes nothing on: nothing to check.")
    return report


def lint_lighttpd(path: Path, app: App, sources: Sources) -> Report:
    """Evaluate the proxy.server lines that lead to the app."""
    report = Report(files=[path])
    lines = _lines(sources.read(path), path, "#")
    found = next((number for number, line in lines if _is_lighttpds(line, number, app, report)), 0)
    if not found:
        return report
    report.routes.append(f"{path}:{found} proxy.server")
    product = Product.LIGHTTPD
    if not any(re.search(r'"upgrade"\s*=>\s*"enable"', line) for _, line in lines):
        detail = 'lighttpd drops the WebSocket upgrade: proxy.header lacks "upgrade" => "enable".'
        _add(report, path, found, "STL301", detail, Need.UPGRADE, product, app)
    for number, line in lines:
        limit = re.match(r"\s*server\.max-request-size\s*:?=\s*(\d{1,12})\s*(#.*)?$", line)
        if limit and 0 < int(limit[1]) * _KIB < app.max_upload_bytes:
            detail = f"Uploads may have {app.max_upload_mb} MB, and {limit[1]} KiB pass."
            _add(report, path, number, "STL607", detail, Need.BODY_SIZE, product, app)
        idle = re.match(r"\s*server\.max-(read|write)-idle\s*:?=\s*(\d{1,9})\s*(#.*)?$", line)
        if idle and 0 < int(idle[2]) <= app.ping_interval_s:
            detail = f"A quiet WebSocket is cut after {idle[2]} s."
            _add(report, path, number, "STL606", detail, Need.IDLE_TIMEOUT, product, app)
    blocks = Blocks(sources.read(path), ("#[^\n]*",))
    route = blocks.scope(blocks.start_of(found))
    sent = []
    for block in _RESPONSE_HEADERS.finditer(blocks.text):
        scope = blocks.scope(block.start())
        if route[: len(scope)] == scope:  # around the route, or next to it
            pairs = _PAIR.finditer(blocks.text, block.start(1), block.end(1))
            sent += [(pair[1], pair[2], blocks.line(pair.start())) for pair in pairs]
    _evaluate_headers(report, path, sent, product, app)
    return report


# A list of pairs has no parenthesis outside its strings, so a search ends soon.
_RESPONSE_HEADERS = re.compile(
    r'\bsetenv\.(?:add|set)-response-header\s*\+?:?=\s*\(((?:[^()"]|"[^"\n]*+"){0,20000}+)\)'
)
_PAIR = re.compile(r'"([^"\n]*)"\s*=>\s*"([^"\n]*)"')


def _evaluate_headers(
    report: Report, path: Path, sent: list[tuple[str, str, int]], product: Product, app: App
) -> None:
    """Evaluate response headers that reach the page and what is below it."""
    headers = [(name, value) for name, value, _ in sent]
    for problem in header_problems(headers, headers):
        need = Need(problem.need) if problem.need else None
        line = sent[problem.index][2]
        _add(report, path, line, problem.code, problem.detail, need, product, app, problem.milder)


def _is_lighttpds(line: str, number: int, app: App, report: Report) -> bool:
    hosts = re.findall(r'"host"\s*=>\s*"([^"]*)"', line)
    ports = re.findall(r'"port"\s*=>\s*"?(\d{1,5})\b', line)
    if any(app.listens_on_socket(host) for host in hosts if host.startswith("/")):
        return True
    for host, port in zip(hosts or ["127.0.0.1"] * len(ports), ports, strict=False):
        if app.listens_at(host, int(port)):
            return True
        if HostPort.parse(f"{host}:{port}"):
            report.pass_elsewhere(report.files[0], number, f"{host}:{port}")
    return False


def lint_varnish(path: Path, app: App, sources: Sources) -> Report:
    """Evaluate the backends that are the app."""
    report = Report(files=[path])
    lines = _lines(sources.read(path), path, "#", "//")
    name, host, found = "", "", 0
    for number, line in lines:
        if match := re.match(r"\s*backend\s+(\w+)\s*\{", line):
            name, host = match[1], ""
        if match := re.search(r'\.host\s*=\s*"([^"]*)"', line):
            host = match[1]
        if match := re.search(r'\.port\s*=\s*"(\d{1,5})"', line):
            if app.listens_at(host, int(match[1])) or app.is_called(name):
                found = found or number
            else:
                report.pass_elsewhere(path, number, f"{host or 'localhost'}:{match[1]}")
        if match := re.search(r'\.path\s*=\s*"(/[^"]*)"', line):
            found = found or (number if app.listens_on_socket(match[1]) else 0)
    if not found:
        return report
    report.routes.append(f"{path}:{found} backend")
    text = "\n".join(line for _, line in lines)
    has_pipe = re.search(r"return\s*\(\s*pipe\s*\)", text)
    has_upgrade = re.search(r"set\s+bereq\.http\.upgrade\s*=", text, re.IGNORECASE)
    if not (has_pipe and has_upgrade):
        detail = "Varnish drops the WebSocket upgrade: vcl_pipe does not hand it on."
        _add(report, path, found, "STL301", detail, Need.UPGRADE, Product.VARNISH, app)
    _varnish_headers(report, path, sources.read(path), app)
    return report


_VCL_LINE = re.compile(
    r"\b(set|unset)\s+(be)?(req|resp)\.http\.([\w-]+)\s*(?:=\s*([^;]{0,2000}+))?;"
)


_VCL_COMMENTS = (r"#[^\n]*", r"//[^\n]*", r"/\*[\s\S]*?(?:\*/|\Z)")


def _varnish_headers(report: Report, path: Path, text: str, app: App) -> None:
    """Evaluate the headers set for every request: those inside an `if` may be for others only."""
    blocks = Blocks(text, _VCL_COMMENTS, has_long_strings=True)
    product = Product.VARNISH
    sent = []
    for found in _VCL_LINE.finditer(blocks.text):
        scope = blocks.scope(found.start())
        if len(scope) != 1 or blocks.name_of(scope[0]) in {"sub vcl_pipe", "sub vcl_synth"}:
            continue
        verb, name, value = found[1], found[4].lower(), (found[5] or "").strip()
        line = blocks.line(found.start())
        literal = re.fullmatch(r'"([^"]*)"|\{"([\s\S]*)"\}', value)
        if found[3] == "resp":
            if verb == "unset" and name == "set-cookie":
                detail = "The app's cookies do not arrive in the browser."
                _add(report, path, line, "STL505", detail, None, product, app)
            elif literal:
                sent.append((found[4], literal[1] or literal[2] or "", line))
        elif name == "origin" and (verb == "unset" or literal):
            detail = streamlit.OTHER_ORIGIN
            _add(report, path, line, "STL502", detail, Need.ORIGIN, product, app)
        elif name == "host" and literal:
            detail = f"The app gets {literal[1] or literal[2]} as Host, not the page's."
            _add(report, path, line, "STL501", detail, Need.HOST, product, app)
        elif verb == "unset" and name in streamlit.LOST_HEADERS:
            detail = f"{found[4]} does not reach the app as the browser sent it."
            _add(report, path, line, streamlit.LOST_HEADERS[name], detail, None, product, app)
    _evaluate_headers(report, path, sent, product, app)


def lint_iis(path: Path, app: App, sources: Sources) -> Report:
    """Evaluate the rewrite rules that lead to the app."""
    report = Report(files=[path])
    lines = _lines(_without_comments(sources.read(path)), path)
    first = 0
    for number, line in lines:
        match = re.search(r'type="Rewrite"[^>]*url="https?://([^/"{]+)', line)
        match = match or re.search(r'url="https?://([^/"{]+)[^>]*type="Rewrite"', line)
        if match and (app.is_at(match[1], 80) or app.is_called(match[1])):
            report.routes.append(f"{path}:{number} rewrite rule")
            first = first or number
        elif match and HostPort.parse(match[1]):
            report.pass_elsewhere(path, number, match[1])
    has_limit = any("maxAllowedContentLength" in line for _, line in lines)
    if first and not has_limit and app.max_upload_bytes > _OF_IIS:
        detail = (
            f"Uploads may have {app.max_upload_mb} MB, and IIS refuses bodies above "
            f"{_OF_IIS} bytes unless requestLimits says otherwise."
        )
        _add(report, path, first, "STL607", detail, Need.BODY_SIZE, Product.IIS, app)
    for number, line in lines if report.routes else ():
        limit = re.search(r'maxAllowedContentLength="(\d{1,12})"', line)
        if limit and int(limit[1]) < app.max_upload_bytes:
            detail = f"Uploads may have {app.max_upload_mb} MB, and {limit[1]} bytes pass."
            _add(report, path, number, "STL607", detail, Need.BODY_SIZE, Product.IIS, app)
        if re.search(r'<webSocket\s[^>]*enabled="false"', line):
            detail = "WebSockets are switched off."
            _add(report, path, number, "STL301", detail, Need.UPGRADE, Product.IIS, app)
    sent = [
        (header[1], header[2], number)
        for number, line in (lines if report.routes else ())
        for header in [re.search(r'<add\s+name="([\w-]+)"\s+value="([^"]*)"', line)]
        if header
    ]
    _evaluate_headers(report, path, sent, Product.IIS, app)
    return report


def _without_comments(text: str) -> str:
    """Replace XML's comments by spaces: lines keep their numbers."""
    return re.sub(r"<!--[\s\S]*?(?:-->|\Z)", lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def lint_bicep(path: Path, app: App, sources: Sources) -> Report:
    """Evaluate an Application Gateway of Azure."""
    report = Report(files=[path])
    lines = _lines(sources.read(path), path, "//")
    ports = [(n, match[1]) for n, line in lines if (match := _BICEP_PORT.match(line))]
    for number, port in ports:
        if app.listens_at("", int(port)):
            report.routes.append(f"{path}:{number} backend settings")
    # A part for an existing gateway names no port.
    report.passes_nothing_on = not ports
    if ports and not report.routes:
        return report
    product = Product.AZURE_GATEWAY
    for number, line in lines:
        if re.match(r"\s*pickHostNameFromBackendAddress:\s*true\b", line):
            detail = "The app gets the backend's address as Host, which is not the page's Origin."
            _add(report, path, number, "STL501", detail, Need.HOST, product, app)
        match = re.match(r"\s*requestTimeout:\s*(\d{1,6})\s*$", line)
        if match and 0 < int(match[1]) <= app.ping_interval_s:
            detail = f"A quiet WebSocket is cut after {match[1]} s."
            _add(report, path, number, "STL606", detail, Need.IDLE_TIMEOUT, product, app)
    return report


def _lines(text: str, path: Path, *comments: str) -> list[tuple[int, str]]:
    lines = text.split("\n")
    if len(lines) > _MAX_LINES:
        raise UsageError(f"{path} has more than {_MAX_LINES} lines.")
    return [
        (number, line)
        for number, line in enumerate(lines, 1)
        if not any(line.lstrip().startswith(mark) for mark in comments)
    ]


def _add(  # noqa: PLR0917 - one finding
    report: Report,
    path: Path,
    line: int,
    code: str,
    detail: str,
    need: Need | None,
    product: Product,
    app: App,
    milder: Circumstance | None = None,
) -> None:
    known = fix_for(need, product, app.site(BasePath())) if need else None
    fix = known.text if known else ""
    report.findings.append(
        LintFinding(code=code, file=path, line=line, detail=detail, fix=fix, milder=milder)
    )
