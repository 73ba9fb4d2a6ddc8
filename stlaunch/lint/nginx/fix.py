"""Edit a location: whole lines added, replaced or removed, nothing else.

A location on a single line is expanded to one directive per line.

Nothing is edited where an include was not read, which may hold the very same line, nor where the
line is also in force for something that is not the app.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from stlaunch.lint.findings import Edit
from stlaunch.lint.nginx.faults import Fault
from stlaunch.lint.nginx.parse import Directive
from stlaunch.lint.nginx.targets import Targets
from stlaunch.lint.nginx.tree import Place, Tree, place
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
# Here nginx refuses most of what a location takes.
_INSIDE_ONE = {"if", "limit_except"}


def edits_for(
    location: Directive,
    faults: Sequence[tuple[Fault, Site]],
    *,
    tree: Tree,
    targets: Targets,
    sources: Sources,
) -> tuple[Edit, ...]:
    """Return the edits; none if they are not certain to help, and to help the app alone.

    Args:
        location: the one that answers; of a file that several servers include, any of its copies.
        faults: what is wrong with it in each of them, with the values for the lines.
        tree: everything that was read.
        targets: what is the app.
        sources: the texts.
    """
    anchor = location.last("proxy_pass")
    if anchor is None or not _is_certain(location, anchor, tree, targets, sources):
        return ()
    wanted = _wanted(faults)
    instead = _removals(location, [fault for fault, _ in faults], tree, targets)
    if wanted is None or instead is None:
        return ()
    own = {_key(one.name, one.args): one for one in location.block or ()}
    new: list[str] = []
    for key, line in wanted.items():
        old = own.get(key)
        if old is None or old in instead:
            new.append(line)
        elif not _says(old, line):
            if not is_of_the_app_alone(old, tree, targets):
                return ()  # A second line would duplicate it.
            instead[old] = (line,)
    gone = {place(fault.at) for fault, _ in faults if fault.is_removed}
    kept = gone.difference(map(place, instead))
    is_overriding = any(place(one) in kept for one in location.inherited_all("proxy_set_header"))
    if is_overriding or any(line.startswith("proxy_set_header") for line in new):
        inherited = {_inherited_lines(copy, wanted, gone) for copy in tree.copies(location)}
        if len(inherited) > 1:
            return ()
        new = [*inherited.pop(), *new]
    return _applied(location, anchor, instead, new, sources)


def _is_certain(
    location: Directive, anchor: Directive, tree: Tree, targets: Targets, sources: Sources
) -> bool:
    """Return whether new lines after `anchor` are for the app, and nothing is hidden from us."""
    if anchor.file != location.file or location.name in _INSIDE_ONE:
        return False
    if not (_is_alone(anchor, sources) or _on_one_line(location, sources)):
        return False
    if any(level.has_unread for copy in tree.copies(location) for level in copy.ancestors()):
        return False
    return all(targets.is_app(copy) for copy in tree.copies(anchor))


def is_of_the_app_alone(directive: Directive, tree: Tree, targets: Targets) -> bool:
    """Return whether a line is in force for nothing but the app, wherever it is included."""
    return all(_is_block_of_app(copy, targets) for copy in tree.copies(directive))


def _is_block_of_app(directive: Directive, targets: Targets) -> bool:
    block = directive.parent
    if block is None or any(inner.is_unread for inner in block.walk()):
        return False
    if not block.name and block.last("proxy_pass") is None:
        return False  # A part of a configuration, and what is around it is not known.
    inside = list(block.walk())
    passes = [inner for inner in inside if inner.name == "proxy_pass"]
    # `proxy_...` is without effect where nothing is passed on.
    others = (
        ()
        if directive.name.startswith("proxy_")
        else (inner for inner in inside if inner.name == "location" and not inner.all("proxy_pass"))
    )
    return all(map(targets.is_app, passes)) and not any(others)


def _removals(
    location: Directive, faults: Sequence[Fault], tree: Tree, targets: Targets
) -> dict[Directive, tuple[str, ...]] | None:
    """Return the lines to delete; None where one in the location must stay for others.

    One from further out that must stay is left alone: the location's own lines override it.
    """
    own = {place(one): one for one in location.block or ()}
    removals: dict[Place, Directive] = {}
    for fault in faults:
        if not fault.is_removed:
            continue
        here = place(fault.at)
        if is_of_the_app_alone(fault.at, tree, targets):
            removals[here] = own.get(here, fault.at)
        elif here in own:
            return None
    return dict.fromkeys(removals.values(), ())


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


def _wanted(faults: Sequence[tuple[Fault, Site]]) -> dict[str, str] | None:
    """Return the lines of all fixes by what they set; None if two servers need others."""
    lines: dict[str, str] = {}
    for fault, site in faults:
        if fault.need not in _IN_LOCATION:
            continue
        known = fix_of(fault, site)
        for line in known.lines.splitlines() if known else ():
            if lines.setdefault(_key_of(line), line) != line:
                return None
        for header in fault.headers if fault.need is Need.IDENTITY else ():
            lines.setdefault(f"proxy_set_header {header}", f'proxy_set_header {header} "";')
    return lines


def fix_of(fault: Fault, site: Site) -> Fix | None:
    """Return the lines that repair it, to be read and to be written."""
    known = fix_for(fault.need, Product.NGINX, site) if fault.need else None
    if known is None or not fault.headers:
        return known
    names = {f"proxy_set_header {header}" for header in fault.headers}
    fewer = known.only(lambda line: _key_of(line) in names)
    return fewer if fewer.steps else None


def _inherited_lines(
    location: Directive, wanted: Collection[str], gone: Collection[Place]
) -> tuple[str, ...]:
    """Return inherited header lines: a location's first own one would switch them all off."""
    if location.all("proxy_set_header"):
        return ()
    return tuple(
        f"proxy_set_header {directive.args[0]} {_quoted(directive.args[1])};"
        for directive in location.inherited_all("proxy_set_header")
        if len(directive.args) > 1
        and place(directive) not in gone
        and _key(directive.name, directive.args) not in wanted
    )


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
