"""The edits that mend a location: whole lines put in, replaced or taken out, nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from stlaunch.lint.findings import Edit
from stlaunch.lint.nginx.rules import Fault
from stlaunch.lint.nginx.tree import Directive
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.site import Site

_ALONE = re.compile(r"\s*[A-Za-z_]+\s[^;{}]*;\s*(#.*)?")
_IN_LOCATION = {
    Need.UPGRADE,
    Need.SUBPROTOCOL,
    Need.HOST,
    Need.SCHEME,
    Need.CLIENT,
    Need.IDENTITY,
    Need.BODY_SIZE,
    Need.IDLE_TIMEOUT,
    Need.COOKIES,
}


def mend(location: Directive, faults: Sequence[Fault], site: Site) -> tuple[Edit, ...]:
    """Return what changes; nothing where a line holds more than one directive."""
    anchor = location.last("proxy_pass")
    if anchor is None or not _stands_alone(anchor):
        return ()
    wanted = _wanted(faults, site)
    removed = [fault.at for fault in faults if fault.is_removed]
    replaced: dict[str, Directive] = {
        _key(directive.name, directive.args): directive for directive in location.block or ()
    }
    edits = [_replacing(directive, ()) for directive in removed if _stands_alone(directive)]
    new: list[str] = []
    for key, line in wanted.items():
        old = replaced.get(key)
        if old is None:
            new.append(line)
        elif _stands_alone(old) and not _says(old, line):
            edits.append(_replacing(old, (line,)))
    if any(line.startswith("proxy_set_header") for line in new):
        new = [*_inherited_lines(location, wanted), *new]
    if new:
        edits.append(
            Edit(
                file=anchor.file,
                line=anchor.line + 1,
                removed=0,
                lines=tuple(new),
                margin_of=anchor.line,
            )
        )
    return tuple(edits)


def _wanted(faults: Sequence[Fault], site: Site) -> dict[str, str]:
    """Return the fixes' lines by what they set, each once."""
    lines: dict[str, str] = {}
    for fault in faults:
        if fault.need not in _IN_LOCATION or fault.is_removed:
            continue
        known = fix_for(fault.need, Product.NGINX, site)
        for line in known.lines.splitlines() if known else ():
            name, *args = line.rstrip(";").split()
            key = _key(name, args)
            if not fault.headers or key in {f"proxy_set_header {h}" for h in fault.headers}:
                lines[key] = line
        for header in fault.headers:
            if fault.need is Need.IDENTITY:
                lines[f"proxy_set_header {header}"] = f'proxy_set_header {header} "";'
    return lines


def _inherited_lines(location: Directive, wanted: dict[str, str]) -> list[str]:
    """A location's first own header line switches off all inherited ones, so they come along."""
    if location.all("proxy_set_header"):
        return []
    return [
        f"proxy_set_header {directive.args[0]} {_quoted(directive.args[1])};"
        for directive in location.inherited_all("proxy_set_header")
        if len(directive.args) > 1 and _key(directive.name, directive.args) not in wanted
    ]


def _key(name: str, args: Sequence[str]) -> str:
    is_header = name in {"proxy_set_header", "proxy_pass_header"} and args
    return f"{name} {args[0].lower()}" if is_header else name


def _says(directive: Directive, line: str) -> bool:
    args = " ".join(directive.args)
    return f"{directive.name} {args};" == line.replace('"', "")


def _quoted(text: str) -> str:
    return text if re.fullmatch(r"[^\s\"';{}#]+", text) else '"' + text.replace('"', r"\"") + '"'


def _replacing(directive: Directive, lines: tuple[str, ...]) -> Edit:
    return Edit(
        file=directive.file,
        line=directive.line,
        removed=1,
        lines=lines,
        margin_of=directive.line,
    )


def _stands_alone(directive: Directive) -> bool:
    return _ALONE.fullmatch(_line(directive.file, directive.line)) is not None


def _line(file: Path, number: int) -> str:
    lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    return lines[number - 1] if 0 < number <= len(lines) else ""
