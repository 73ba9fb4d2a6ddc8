"""Parse Apache's language: sections and directives, with includes and Define followed."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path

from stlaunch.errors import UsageError
from stlaunch.lint.findings import Report
from stlaunch.lint.sources import Sources, UnreadableError, ancestors, is_pattern
from stlaunch.lint.words import statements
from stlaunch.quick_dataclass import dataclass

_MAINS = ("apache2.conf", "httpd.conf", "conf/httpd.conf")
# The contents of these are known, and nothing in them concerns a proxied app.
_HARMLESS = {"options-ssl-apache.conf", "ports.conf"}
_HARMLESS_FOLDERS = {"mods-enabled", "conf.modules.d", "modules.d"}
_MAX_DEPTH = 30
_MAX_DIRECTIVES = 50_000
_MAX_INCLUDE_DEPTH = 20
_TRANSPARENT = {"ifmodule", "ifdefine", "ifversion", "iffile", "ifdirective", "ifsection"}
# What each directive needs at least; one word fewer is a mistake that Apache refuses.
_FEWEST = {
    "proxypass": 1,
    "proxypassmatch": 1,
    "proxypreservehost": 1,
    "rewriterule": 2,
    "rewritecond": 2,
    "requestheader": 2,
    "header": 2,
    "limitrequestbody": 1,
    "limitrequestfieldsize": 1,
    "timeout": 1,
    "proxytimeout": 1,
    "define": 1,
    "include": 1,
    "includeoptional": 1,
    "sslengine": 1,
    "rewriteengine": 1,
    "balancermember": 1,
    "servername": 1,
}


@dataclass(slots=True, eq=False)
class Node:
    """A directive with its name as the first word or, with children, a section without it.

    Attributes:
        is_unread: an include that was not read: its scope may hold anything.
    """

    name: str
    words: tuple[str, ...]
    file: Path
    line: int
    parent: Node | None = None
    children: list[Node] | None = None
    is_unread: bool = False

    @property
    def is_section(self) -> bool:
        """Whether this is a section; its words are only what follows its name."""
        return self.children is not None

    def walk(self) -> Iterator[Node]:
        """Yield everything below, in order."""
        for child in self.children or ():
            yield child
            yield from child.walk()

    def ancestors(self) -> Iterator[Node]:
        """Yield this node, then those around it from the inside out."""
        here: Node | None = self
        while here is not None:
            yield here
            here = here.parent

    def section(self, *names: str) -> Node | None:
        """Return the innermost section of one of these names around it."""
        return next((up for up in self.ancestors() if up.name in names), None)


@dataclass(slots=True)
class ApacheTree:
    """A file in its context: `own` says which files are checked."""

    root: Node
    own: set[Path]
    files: list[Path] = field(default_factory=list)


def read_apache(path: Path, sources: Sources, report: Report) -> ApacheTree:
    """Read a file, what it includes and, of a site, the main configuration around it.

    Raises:
        UsageError: for a file that cannot be read, or that Apache would refuse.
    """
    main = next(
        (
            folder / name
            for folder in ancestors(path)
            for name in _MAINS
            if folder / name != path and sources.is_file(folder / name)
        ),
        None,
    )
    if main is not None:
        reader = _Reader(sources, report, _root_of(main))
        try:
            tree = reader.read(main)
        except UsageError as exc:
            report.note(path, 1, f"{exc.message} It was checked without it.")
        else:
            own = {file for file in reader.files if _is_same(file, path)}
            if own:
                return ApacheTree(tree, {path, *own}, reader.files)
            tree.children = [*(tree.children or ()), *reader.nodes(path, tree, (path,))]
            return ApacheTree(tree, {path}, [path, *reader.files])
    reader = _Reader(sources, report, _root_of(path))
    return ApacheTree(reader.read(path), {path, *reader.files}, reader.files)


def _root_of(main: Path) -> Path:
    return main.parent.parent if main.parent.name == "conf" else main.parent


class _Reader:
    """Follows includes, and remembers what could not be followed."""

    def __init__(self, sources: Sources, report: Report, root: Path) -> None:
        self.sources = sources
        self.report = report
        self.server_root = root
        self.files: list[Path] = []
        self.defined: dict[str, str] = {}
        self._count = 0

    def read(self, path: Path) -> Node:
        root = Node("", (), path, 1, None, [])
        root.children = self.nodes(path, root, (path,))
        return root

    def nodes(self, path: Path, parent: Node, stack: tuple[Path, ...]) -> list[Node]:
        """Read one file into sections; the nodes get `parent`."""
        text = self.sources.read(path)
        if path not in self.files:
            self.files.append(path)
        top = Node("", (), path, 1, parent, [])
        open_nodes = [top]
        for line in statements(text, path):
            words = tuple(self._filled(word) for word in line.words)
            self._take(words, line.number, open_nodes, stack)
        if len(open_nodes) > 1:
            node = open_nodes[-1]
            raise UsageError(f"{path}, line {node.line}: <{node.name}> is never closed.")
        children = top.children or []
        for child in children:
            child.parent = parent
        return children

    def _take(
        self, words: tuple[str, ...], number: int, open_nodes: list[Node], stack: tuple[Path, ...]
    ) -> None:
        here, path, first = open_nodes[-1], stack[-1], words[0]
        where = f"{path}, line {number}"
        self._count += 1
        if self._count > _MAX_DIRECTIVES:
            raise UsageError(f"{path} has more than {_MAX_DIRECTIVES} directives.")
        children = here.children if here.children is not None else []
        if first.startswith("</"):
            if len(open_nodes) == 1:
                raise UsageError(f"{where}: {first[:40]} closes nothing.")
            open_nodes.pop()
        elif first.startswith("<"):
            node = _section(words, path, number, here)
            open_nodes.append(node)
            if len(open_nodes) > _MAX_DEPTH:
                raise UsageError(f"{where}: too many sections are nested.")
            children.append(node)
        else:
            node = Node(first.lower(), words, path, number, here)
            if len(words) - 1 < _FEWEST.get(node.name, 0):
                raise UsageError(f"{where}: `{first[:40]}` lacks a value.")
            children += self._followed(node, here, stack)

    def _followed(self, node: Node, here: Node, stack: tuple[Path, ...]) -> list[Node]:
        match node.name:
            case "define" if len(node.words) > 2:  # noqa: PLR2004 - a name and its value
                self.defined[node.words[1]] = node.words[2]
            case "undefine":
                self.defined.pop(node.words[-1], None)
            case "serverroot" if len(node.words) > 1:
                self.server_root = Path(node.words[1])
            case "include" | "includeoptional":
                return self._included(node, here, stack)
            case "use":
                return self._unread(node, f"the macro {node.words[-1]} is not followed")
            case _:
                pass
        return [node]

    def _included(self, node: Node, here: Node, stack: tuple[Path, ...]) -> list[Node]:
        name = node.words[1]
        target = Path(os.path.normpath(self.server_root / name))
        if target.name in _HARMLESS or target.parent.name in _HARMLESS_FOLDERS:
            return []
        if "${" in name:
            return self._unread(node, f"{name} holds a variable")
        nodes: list[Node] = []
        try:
            for file in self._named(node, name, target):
                if any(_is_same(file, other) for other in stack):
                    return self._unread(node, f"{file} includes itself")
                if len(stack) > _MAX_INCLUDE_DEPTH:
                    raise UnreadableError("The includes form a loop.")
                nodes += self.nodes(file, here, (*stack, file))
        except UsageError as exc:
            return self._unread(node, exc.message.rstrip("."))
        return nodes

    def _named(self, node: Node, name: str, target: Path) -> list[Path]:
        """Return the files that an include names, as Apache looks them up."""
        if self.sources.is_folder(target):
            return self.sources.matches(target / "*")
        is_known = self.sources.is_folder(target.parent)
        if is_pattern(name):
            files = self.sources.matches(target)
            if not files and not is_known:
                raise UnreadableError(f"{target} is not on this machine.")
            return files
        is_optional = node.name == "includeoptional"
        return [] if is_optional and is_known and not self.sources.is_file(target) else [target]

    def _unread(self, node: Node, why: str) -> list[Node]:
        self.report.note(
            node.file,
            node.line,
            f"Not read: {why}. Its content is unknown, so nothing is reported as missing there.",
            is_gap=True,
        )
        node.is_unread = True
        return [node]

    def _filled(self, word: str) -> str:
        """Substitute the values from Define; once, so that nothing grows without end."""
        if "${" not in word:
            return word
        return re.sub(
            r"\$\{(\w+)\}", lambda match: self.defined.get(match[1], match[0])[:200], word
        )


def _section(words: tuple[str, ...], path: Path, number: int, parent: Node) -> Node:
    head = " ".join(words)
    match = re.fullmatch(r"<([A-Za-z]+)\s*(.*?)\s*>?", head)
    if match is None or not head.endswith(">"):
        raise UsageError(f"{path}, line {number}: `{head[:60]}` has no > at its end.")
    name, text = match[1].lower(), match[2].removesuffix(">").strip()
    if name in _FEWEST:
        raise UsageError(f"{path}, line {number}: {name} is a directive, not a section.")
    args = tuple(text.split())
    if name in _TRANSPARENT:
        # What is tested for counts as present; what is tested to be absent does not apply.
        name = "!" if args and args[0].startswith("!") else "transparent"
    return Node(name, args, path, number, parent, [])


def _is_same(one: Path, other: Path) -> bool:
    return one == other or os.path.realpath(one) == os.path.realpath(other)
