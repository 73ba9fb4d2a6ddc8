"""Edit a location: whole lines added, replaced or removed, nothing else.

A location on a single line is expanded to one directive per line.

Nothing is edited where an include was not read: it may hold the very same line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from stlaunch.lint.findings import Edit
from stlaunch.lint.nginx.faults import Fault
from stlaunch.lint.nginx.parse import Directive
from stlaunch.lint.sources import Sources
from stlaunch.proxies.fixes import Fix, fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.site import Site

_ALONE = re.compile(r"\s*[A-Za-z_]+\s(?:[^;{}\"']|\$\{\w+\}|\"[^\"]*\"|'[^']*')*;\s*(#.*)?")
_ON_ONE_LINE = re.compile(r"\s*(location\s[^{};\"'#]*\{)((?:[^{};\"'#]+;)+)\s*\}\s*")
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


def edits_for(
    location: Directive,
    faults: Sequence[Fault],
    site: Site,
    *,
    sources: Sources,
    shared: Collection[Path],
) -> tuple[Edit, ...]:
    """Return the edits; none if they are not certain to help.

    Args:
        location: the one that answers.
        faults: what is wrong with it.
        site: the values for the lines.
        sources: the texts.
        shared: files that others include too, so that a change would affect them.
    """
    anchor = location.last("proxy_pass")
    if anchor is None or anchor.file != location.file:
        return ()
    if not (_is_alone(anchor, sources) or _on_one_line(location, sources)):
        return ()
    if any(level.has_unread for level in location.ancestors()):
        return ()
    wanted = _wanted(faults, site)
    old_lines: dict[str, Directive] = {
        _key(directive.name, directive.args): directive for directive in location.block or ()
    }
    # Never change a line of a shared file, nor write a second one that would duplicate it.
    changed = [old_lines[key] for key in wanted if key in old_lines]
    removed = [fault.at for fault in faults if fault.is_removed]
    if any(old.file in shared for old in (*changed, *removed)):
        return ()
    instead: dict[Directive, tuple[str, ...]] = dict.fromkeys(removed, ())
    new: list[str] = []
    for key, line in wanted.items():
        old = old_lines.get(key)
        if old is None or old in removed:
            new.append(line)
        elif not _says(old, line):
            instead[old] = (line,)
    if any(line.startswith("proxy_set_header") for line in new):
        new = [*_inherited_lines(location, wanted), *new]
    return _applied(location, anchor, instead, new, sources)


def _applied(
    location: Directive,
    anchor: Directive,
    instead: Mapping[Directive, tuple[str, ...]],
    new: Sequence[str],
    sources: Sources,
) -> tuple[Edit, ...]:
    """Return the changes to its lines, the new ones after `anchor`."""
    found = _on_one_line(location, sources)
    inside = frozenset(location.block or ()) if found else frozenset()
    others = {old: lines for old, lines in instead.items() if old not in inside}
    if any(not _is_alone(old, sources) for old in others):
        return ()
    edits = [_replacing(old, lines) for old, lines in others.items()]
    if found and (new or len(others) < len(instead)):
        edits.append(_written_out(location, found, instead, new))
    elif new:
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


def _on_one_line(location: Directive, sources: Sources) -> re.Match[str] | None:
    """Return its beginning and its directives; None where it has several lines, or an include."""
    found = _ON_ONE_LINE.fullmatch(_line_of(location, sources))
    is_whole = found is not None and found[2].count(";") == len(location.block or ())
    return found if is_whole else None


def _written_out(
    location: Directive,
    found: re.Match[str],
    instead: Mapping[Directive, tuple[str, ...]],
    new: Sequence[str],
) -> Edit:
    """Return the same location with a line for each directive, and with the changes."""
    old = [f"{text.strip()};" for text in found[2].split(";")[:-1]]
    pairs = zip(location.block or (), old, strict=True)
    inner = [line for known, text in pairs for line in instead.get(known, (text,))]
    return Edit(
        file=location.file,
        line=location.line,
        removed=1,
        lines=(found[1], *(f"    {line}" for line in (*inner, *new)), "}"),
        margin_of=location.line,
    )


def _wanted(faults: Sequence[Fault], site: Site) -> dict[str, str]:
    """Return the lines of all fixes by what they set, each once."""
    lines: dict[str, str] = {}
    for fault in faults:
        if fault.need not in _IN_LOCATION:
            continue
        known = fix_of(fault, site)
        for line in known.lines.splitlines() if known else ():
            lines[_key_of(line)] = line
        for header in fault.headers:
            if fault.need is Need.IDENTITY:
                lines[f"proxy_set_header {header}"] = f'proxy_set_header {header} "";'
    return lines


def fix_of(fault: Fault, site: Site) -> Fix | None:
    """Return the lines that repair it, to be read and to be written."""
    known = fix_for(fault.need, Product.NGINX, site) if fault.need else None
    if known is None or not fault.headers:
        return known
    names = {f"proxy_set_header {header}" for header in fault.headers}
    fewer = known.only(lambda line: _key_of(line) in names)
    return fewer if fewer.steps else None


def _inherited_lines(location: Directive, wanted: dict[str, str]) -> list[str]:
    """Return inherited header lines: a location's first own one would switch them all off."""
    if location.all("proxy_set_header"):
        return []
    return [
        f"proxy_set_header {directive.args[0]} {_quoted(directive.args[1])};"
        for directive in location.inherited_all("proxy_set_header")
        if len(directive.args) > 1 and _key(directive.name, directive.args) not in wanted
    ]


def _key_of(line: str) -> str:
    name, *args = line.rstrip(";").split()
    return _key(name, args)


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


def _is_alone(directive: Directive, sources: Sources) -> bool:
    return _ALONE.fullmatch(_line_of(directive, sources)) is not None


def _line_of(directive: Directive, sources: Sources) -> str:
    lines = sources.lines(directive.file)
    number = directive.line
    return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else ""
