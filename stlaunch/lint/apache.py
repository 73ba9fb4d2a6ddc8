"""Apache httpd: the ProxyPass lines that lead to the app, as far as they speak for themselves."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from stlaunch.lint.app import App
from stlaunch.lint.findings import Edit, LintFinding, Note, Report
from stlaunch.lint.lines import Line, statements
from stlaunch.lint.units import seconds
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

_TWO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pass:
    """One ProxyPass to the app."""

    line: Line
    path: str
    target: str
    options: tuple[str, ...]


def lint_apache(path: Path, app: App) -> Report:
    """Judge the ProxyPass lines whose target is the app."""
    report = Report(files=[path])
    text = path.read_text(encoding="utf-8")
    lines = list(statements(text))
    for line in lines:
        if line.name in {"include", "includeoptional"}:
            note = f"{' '.join(line.words)} is not followed."
            report.notes.append(Note(file=path, line=line.number, text=note))
    passes = [found for line in _with_location(lines) if (found := _pass(line, app))]
    for found in passes:
        report.routes.append(f"{path}:{found.line.number} {found.path}")
    if not passes:
        note = f"No ProxyPass leads to port {app.port}: --upstream HOST:PORT"
        report.notes.append(Note(file=path, line=1, text=note))
        return report
    _judge(path, lines, passes, app=app, report=report, raw=text.splitlines())
    return report


def _judge(
    path: Path, lines: list[Line], passes: list[_Pass], *, app: App, report: Report, raw: list[str]
) -> None:
    first = passes[0]
    base = (
        BasePath(first.path.rstrip("/")) if re.fullmatch(r"[\w./~-]*", first.path) else BasePath()
    )

    def add(code: str, line: int, detail: str, need: Need | None = None, *edits: Edit) -> None:
        known = fix_for(need, Product.APACHE, app.site(base)) if need else None
        fix = known.text if known else ""
        report.findings.append(
            LintFinding(code=code, file=path, line=line, detail=detail, fix=fix, edits=edits)
        )

    for found in passes:
        if not _upgrades(found, passes, lines):
            edit = _with_upgrade(path, found, raw)
            add(
                "STL301",
                found.line.number,
                "The WebSocket handshake is forwarded as a plain request.",
                Need.UPGRADE,
                *((edit,) if edit else ()),
            )
        if found.path.endswith("/") != found.target.endswith("/") and found.path != "/":
            wrong = found.target.endswith("/")
            detail = f"{found.path} and {found.target} end differently: the app gets " + (
                "a doubled slash." if wrong else "paths without the slash between."
            )
            add("STL204" if wrong else "STL316", found.line.number, detail)
        for option in found.options:
            name, _, value = option.partition("=")
            limit = seconds(value) if name == "timeout" else None
            if limit is not None and limit <= app.ping_interval_s:
                add(
                    "STL606",
                    found.line.number,
                    f"A quiet WebSocket may be cut after {limit:g} s.",
                    Need.IDLE_TIMEOUT,
                )
    preserved = [line for line in lines if line.name == "proxypreservehost"]
    if not preserved or (preserved[-1].words[1:2] and preserved[-1].words[1].lower() != "on"):
        add(
            "STL501",
            preserved[-1].number if preserved else first.line.number,
            "The app gets the upstream's address as Host, which is not the page's Origin.",
            Need.HOST,
            *([_own_line(path, "ProxyPreserveHost On", first, preserved)]),
        )
    is_tls = any(line.name == "sslengine" and line.words[-1].lower() == "on" for line in lines)
    told = any("x-forwarded-proto" in " ".join(line.words).lower() for line in lines)
    if is_tls and not told:
        add(
            "STL402",
            first.line.number,
            "The site speaks https, but the app does not know: X-Forwarded-Proto is missing.",
            Need.SCHEME,
        )
    for line in lines:
        _judge_line(line, app, add)


def _judge_line(line: Line, app: App, report: Callable[..., None]) -> None:
    words = [word.lower() for word in line.words]
    if line.name == "limitrequestbody" and len(words) == _TWO and words[1].isdigit():
        if 0 < int(words[1]) < app.max_upload_mb * 1024 * 1024:
            report(
                "STL607",
                line.number,
                f"Uploads may have {app.max_upload_mb} MB, and {words[1]} bytes pass.",
                Need.BODY_SIZE,
            )
    elif words[:2] == ["requestheader", "unset"] and len(words) > _TWO:
        codes = {
            "upgrade": ("STL301", Need.UPGRADE),
            "connection": ("STL301", Need.UPGRADE),
            "sec-websocket-protocol": ("STL307", Need.SUBPROTOCOL),
            "cookie": ("STL507", None),
            "x-xsrftoken": ("STL506", None),
        }
        if words[2] in codes:
            code, need = codes[words[2]]
            report(code, line.number, f"{line.words[2]} never reaches the app.", need)
    elif words[:3] == ["header", "unset", "set-cookie"] or words[:4] == [
        "header",
        "always",
        "unset",
        "set-cookie",
    ]:
        report("STL505", line.number, "The app's cookies do not arrive in the browser.")
    elif line.name == "proxyaddheaders" and words[-1] == "off":
        report("STL404", line.number, "The app does not learn the client's address.", Need.CLIENT)


def _upgrades(found: _Pass, passes: list[_Pass], lines: list[Line]) -> bool:
    """The WebSocket gets through: by an option, by ws://, or by a rewrite to ws://."""
    if "upgrade=websocket" in found.options or "upgrade=any" in found.options:
        return True
    if found.target.startswith(("ws://", "wss://")):
        return True
    if any(other.target.startswith(("ws://", "wss://")) for other in passes):
        return True
    if found.target.startswith("balancer://"):
        members = [line for line in lines if line.name == "balancermember"]
        return any("upgrade=" in " ".join(member.words) for member in members)
    return any(
        line.name == "rewriterule" and len(line.words) > _TWO and line.words[2].startswith("ws")
        for line in lines
    )


def _pass(line: Line, app: App) -> _Pass | None:
    if line.name != "proxypass" or len(line.words) <= _TWO or line.words[2] == "!":
        return None
    _, path, target, *options = line.words
    scheme, _, rest = target.partition("://")
    place = HostPort.parse(rest.partition("/")[0])
    if scheme == "balancer":
        is_app = "streamlit" in rest
    else:
        is_app = place is not None and app.listens_at(place.host, place.port)
    if not is_app:
        return None
    return _Pass(line=line, path=path, target=target, options=tuple(options))


def _with_location(lines: list[Line]) -> list[Line]:
    """Give `ProxyPass URL` inside `<Location /path>` the path of its section."""
    section = ""
    found = []
    for line in lines:
        match = re.match(r'<Location\s+"?([^">]+)"?\s*>', " ".join(line.words), re.IGNORECASE)
        if match:
            section = match[1].strip()
        elif line.name.startswith("</location"):
            section = ""
        if line.name == "proxypass" and section and "://" in line.words[1]:
            words = (line.words[0], section, *line.words[1:])
            found.append(replace(line, words=words))
        else:
            found.append(line)
    return found


def _with_upgrade(path: Path, found: _Pass, raw: list[str]) -> Edit | None:
    text = raw[found.line.number - 1].strip()
    if text.endswith("\\") or "#" in text or found.target.startswith("balancer://"):
        return None
    number = found.line.number
    changed = f"{text} upgrade=websocket"
    return Edit(file=path, line=number, removed=1, lines=(changed,), margin_of=number)


def _own_line(path: Path, text: str, first: _Pass, old: list[Line]) -> Edit:
    if old:
        number = old[-1].number
        return Edit(file=path, line=number, removed=1, lines=(text,), margin_of=number)
    number = first.line.number
    return Edit(file=path, line=number, removed=0, lines=(text,), margin_of=number)
