"""Read a configuration as nginx does, with includes found and followed.

The contents of an include that cannot be read are unknown, and never assumed to be empty.
"""

from __future__ import annotations

import os
from dataclasses import field
from pathlib import Path

from stlaunch.errors import UsageError
from stlaunch.lint.findings import Note
from stlaunch.lint.nginx.parse import Directive, parse_nginx
from stlaunch.lint.sources import Sources, UnreadableError, ancestors, is_pattern
from stlaunch.quick_dataclass import dataclass

_MAIN = "nginx.conf"
_MAX_INCLUDES = 500
_MAX_INCLUDE_DEPTH = 20
# The contents of these are known, and nothing in them concerns a proxied app.
_HARMLESS = {
    "mime.types",
    "fastcgi_params",
    "fastcgi.conf",
    "uwsgi_params",
    "scgi_params",
    "koi-utf",
    "koi-win",
    "win-utf",
    "options-ssl-nginx.conf",
}
_HARMLESS_FOLDERS = {"modules-enabled", "modules"}


Place = tuple[Path, int, str, tuple[str, ...]]
"""Where a directive is written: the same for each include of its file."""


@dataclass(slots=True, kw_only=True)
class Tree:
    """A file in its context.

    Attributes:
        root: a nameless directive that holds everything.
        home: the folder that relative includes start from.
        own: the file that was asked for; only what is in it, or is included by it, is checked.
    """

    root: Directive
    home: Path
    own: frozenset[Path]
    notes: list[Note] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)
    _by_place: dict[Place, list[Directive]] = field(default_factory=dict, init=False)

    def copies(self, directive: Directive) -> list[Directive]:
        """Return it as often as its file is included: a change of its line changes them all."""
        if not self._by_place:
            for one in self.root.walk():
                self._by_place.setdefault(place(one), []).append(one)
        return self._by_place.get(place(directive), [directive])

    def is_own(self, directive: Directive) -> bool:
        """Return whether a directive belongs to the file that was asked for."""
        return any(
            up.file in self.own for up in (*directive.ancestors(), *directive.walk()) if up.name
        )


def place(directive: Directive) -> Place:
    """Return where a directive is written, and which of those on the line it is."""
    return directive.file, directive.line, directive.name, directive.args


def read_nginx(path: Path, sources: Sources) -> Tree:
    """Read a file, all that it includes and, of a part, the nginx.conf around it.

    Raises:
        UsageError: for a file that cannot be read, or that nginx would refuse.
    """
    top = parse_nginx(sources.read(path).removeprefix("\ufeff"), path)
    is_whole = any(directive.name in {"http", "events", "stream"} for directive in top)
    main = None if is_whole else _main_of(path, sources)
    if main is not None:
        around = _read_around(path, main, top, sources)
        if around is not None:
            return around
    home = main.parent if main else path.parent
    return _Reader(sources, home).tree(path, top, own={path})


def _main_of(path: Path, sources: Sources) -> Path | None:
    for folder in ancestors(path):
        main = folder / _MAIN
        if main != path and sources.is_file(main):
            return main
    return None


def _read_around(path: Path, main: Path, top: list[Directive], sources: Sources) -> Tree | None:
    """Read the nginx.conf that includes the file; a file that it does not name is put into http."""
    reader = _Reader(sources, main.parent)
    try:
        parsed = parse_nginx(sources.read(main), main)
    except UsageError as exc:
        reader.note(path, 1, f"{exc.message} It was checked without it.")
        return None
    tree = reader.tree(main, parsed, own={path})
    own = {file for file in reader.files if _is_same(file, path)}
    if own:
        tree.own = frozenset({path, *own, *reader.included_by(own)})
        return tree
    http = next((directive for directive in tree.root.walk() if directive.name == "http"), None)
    if http is None or http.block is None:
        return None
    http.block += reader.expanded(top, http, (path,))
    tree.own = frozenset({path, *reader.included_by({path})})
    tree.files = [path, *reader.files]
    return tree


class _Reader:
    """Follows includes, and remembers what could not be followed."""

    def __init__(self, sources: Sources, home: Path) -> None:
        self.sources = sources
        self.home = home
        self.notes: list[Note] = []
        self.files: list[Path] = []
        self._includes: dict[Path, set[Path]] = {}
        self._count = 0
        self._reals: dict[Path, str] = {}

    def tree(self, path: Path, top: list[Directive], own: set[Path]) -> Tree:
        root = Directive(name="", args=(), file=path, line=1, block=[])
        self.files.append(path)
        root.block = self.expanded(top, root, (path,))
        own |= self.included_by(own)
        return Tree(
            root=root,
            home=self.home,
            own=frozenset(own),
            notes=self.notes,
            files=self.files,
        )

    def _real(self, file: Path) -> str:
        if file not in self._reals:
            self._reals[file] = os.path.realpath(file)
        return self._reals[file]

    def note(self, file: Path, line: int, text: str) -> None:
        self.notes.append(Note(file=file, line=line, text=text))

    def included_by(self, files: set[Path]) -> set[Path]:
        found: set[Path] = set()
        left = list(files)
        while left:
            for file in self._includes.get(left.pop(), ()):
                if file not in found:
                    found.add(file)
                    left.append(file)
        return found

    def expanded(
        self, directives: list[Directive], parent: Directive, stack: tuple[Path, ...]
    ) -> list[Directive]:
        result: list[Directive] = []
        for directive in directives:
            directive.parent = parent
            if directive.name == "include" and directive.block is None:
                result += self._included(directive, parent, stack)
                continue
            if directive.block is not None:
                directive.block = self.expanded(directive.block, directive, stack)
            result.append(directive)
        return result

    def _included(
        self, include: Directive, parent: Directive, stack: tuple[Path, ...]
    ) -> list[Directive]:
        name = include.args[0]
        # Not `Path.resolve`: the name is kept as the configuration has it.
        target = Path(os.path.normpath(self.home / name))
        if target.name in _HARMLESS or target.parent.name in _HARMLESS_FOLDERS:
            return []
        if "$" in name:
            return self._unread(include, f"`include {name}` holds a variable")
        try:
            if is_pattern(name):
                files = self.sources.matches(target)
                if not files and not self._is_known_empty(target):
                    return self._unread(include, f"{target} is not on this machine")
            else:
                files = [target]
            result: list[Directive] = []
            for file in files:
                result += self._of_file(include, file, parent, stack)
        except UsageError as exc:
            return self._unread(include, exc.message.rstrip("."))
        return result

    def _of_file(
        self, include: Directive, file: Path, parent: Directive, stack: tuple[Path, ...]
    ) -> list[Directive]:
        if any(self._real(file) == self._real(other) for other in stack):
            return self._unread(include, f"{file} includes itself")
        self._count += 1
        if self._count > _MAX_INCLUDES or len(stack) > _MAX_INCLUDE_DEPTH:
            raise UnreadableError("The includes form a loop.")
        top = parse_nginx(self.sources.read(file), file)
        if file not in self.files:
            self.files.append(file)
        self._includes.setdefault(include.file, set()).add(file)
        return self.expanded(top, parent, (*stack, file))

    def _is_known_empty(self, target: Path) -> bool:
        folder = target.parent
        return not is_pattern(str(folder)) and self.sources.is_folder(folder)

    def _unread(self, include: Directive, why: str) -> list[Directive]:
        self.note(
            include.file,
            include.line,
            f"Not read: {why}. Its content is unknown, so nothing is reported as missing there.",
        )
        include.is_unread = True
        return [include]


def _is_same(one: Path, other: Path) -> bool:
    return one == other or os.path.realpath(one) == os.path.realpath(other)
