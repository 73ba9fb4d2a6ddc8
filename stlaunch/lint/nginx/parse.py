"""Parse nginx's language into a tree of directives; includes are ordinary directives.

It must not know what a directive means, apart from how many arguments the ones that are checked
take: a forgotten semicolon or value is found here, in one sentence with its line.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import field
from pathlib import Path

from stlaunch.errors import UsageError
from stlaunch.quick_dataclass import dataclass

_MAX_DEPTH = 50
_MAX_DIRECTIVES = 30_000
_TOKEN = re.compile(
    r"""
    (?P<space>\s+) | (?P<comment>\#[^\n]*) | (?P<mark>[;{}])
    | (?P<double>"(?:\\.|[^"\\])*") | (?P<single>'(?:\\.|[^'\\])*')
    | (?P<word>(?:\\.|\$\{|[^\s;{}"'\#\\])(?:\\.|\$\{|[^\s;{\\])*)
    """,
    re.VERBOSE | re.DOTALL,
)
_LUA = re.compile(
    r"""[{}]|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|--\[\[.*?\]\]|--[^\n]*|\[\[.*?\]\]""",
    re.DOTALL,
)
_ANY = 1000
# How many arguments each directive takes, for those that are checked somewhere.
_ARITY = {
    "add_header": (2, 3),
    "alias": (1, 1),
    "client_max_body_size": (1, 1),
    "error_page": (2, _ANY),
    "expires": (1, 2),
    "if": (1, _ANY),
    "include": (1, 1),
    "limit_conn": (2, 2),
    "limit_conn_zone": (2, 2),
    "limit_except": (1, _ANY),
    "limit_req": (1, 4),
    "limit_req_zone": (3, 4),
    "listen": (1, _ANY),
    "location": (1, 2),
    "map": (2, 2),
    "proxy_buffering": (1, 1),
    "proxy_cache": (1, 1),
    "proxy_cookie_path": (1, 2),
    "proxy_hide_header": (1, 1),
    "proxy_http_version": (1, 1),
    "proxy_ignore_headers": (1, _ANY),
    "proxy_intercept_errors": (1, 1),
    "proxy_pass": (1, 1),
    "proxy_read_timeout": (1, 1),
    "proxy_redirect": (1, 2),
    "proxy_send_timeout": (1, 1),
    "proxy_set_header": (2, 2),
    "return": (1, 2),
    "rewrite": (2, 3),
    "root": (1, 1),
    "server_name": (1, _ANY),
    "set": (2, 2),
    "try_files": (2, _ANY),
    "upstream": (1, 1),
}
_BLOCKS = {"http", "server", "location", "upstream", "events", "map", "if", "limit_except"}


@dataclass(slots=True, kw_only=True, eq=False)
class Directive:
    """One directive, with the block below it where it has one.

    Attributes:
        is_unread: an include that was not read: its scope may hold anything.
    """

    name: str
    args: tuple[str, ...]
    file: Path
    line: int
    block: list[Directive] | None = None
    parent: Directive | None = field(default=None, repr=False)
    is_unread: bool = False

    def all(self, name: str) -> list[Directive]:
        """Return the directives of this name directly in the block."""
        return [child for child in self.block or () if child.name == name]

    def last(self, name: str) -> Directive | None:
        """Return the one that counts: the last of this name in the block."""
        found = self.all(name)
        return found[-1] if found else None

    def walk(self) -> Iterator[Directive]:
        """Yield everything below."""
        for child in self.block or ():
            yield child
            yield from child.walk()

    def ancestors(self) -> Iterator[Directive]:
        """Yield this directive, then those around it from the inside out."""
        here: Directive | None = self
        while here is not None:
            yield here
            here = here.parent

    def inherited(self, name: str) -> Directive | None:
        """Return the value in force for a directive that the innermost level decides."""
        for level in self.ancestors():
            if found := level.last(name):
                return found
        return None

    def inherited_all(self, name: str) -> list[Directive]:
        """Return the list in force: a level that has any replaces those of the outer levels."""
        for level in self.ancestors():
            if found := level.all(name):
                return found
        return []

    def may_hide(self, name: str) -> bool:
        """Return whether an include that was not read may decide about this directive."""
        for level in self.ancestors():
            if level.has_unread:
                return True
            if level.all(name):
                return False
        return False

    @property
    def has_unread(self) -> bool:
        """An include directly in the block was not read."""
        return any(child.is_unread for child in self.block or ())


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    line: int
    is_mark: bool
    begins_line: bool


def parse_nginx(text: str, file: Path) -> list[Directive]:
    """Return the directives of one file, which have no parent yet.

    Raises:
        UsageError: for what nginx would refuse, with the line.
    """
    parser = _Parser(file)
    tokens = _tokens(text, file)
    for token in tokens:
        if parser.take(token):
            tokens.send(token)
    return parser.finished()


class _Parser:
    """The blocks that are open while a file is read."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._root = Directive(name="", args=(), file=file, line=1, block=[])
        self._open = [self._root]
        self._words: list[_Token] = []
        self._count = 0

    def take(self, token: _Token) -> bool:
        """Take the next token; return whether Lua follows, which is to be skipped."""
        if not token.is_mark:
            self._words.append(token)
            return False
        if token.text == "}":
            self._close(token)
            return False
        if not self._words:
            raise _error(self.file, token.line, f"a {token.text} follows no directive")
        here = self._open[-1]
        directive = _directive(self._words, self.file, here, has_block=token.text == "{")
        self._words = []
        self._count += 1
        if self._count > _MAX_DIRECTIVES:
            raise UsageError(f"{self.file} has more than {_MAX_DIRECTIVES} directives.")
        if here.block is not None:
            here.block.append(directive)
        if directive.block is None:
            return False
        if directive.name.endswith("_by_lua_block"):
            return True
        self._open.append(directive)
        if len(self._open) > _MAX_DEPTH:
            raise _error(self.file, token.line, f"more than {_MAX_DEPTH} blocks are nested")
        return False

    def finished(self) -> list[Directive]:
        """Return the directives once the file has ended."""
        if self._words:
            raise _unfinished(self._words, self.file)
        if len(self._open) > 1:
            opened = self._open[-1]
            head = _short(" ".join((opened.name, *opened.args)))
            raise _error(self.file, opened.line, f"the block of `{head}` is never closed")
        directives = self._root.block or []
        for directive in directives:
            directive.parent = None
        return directives

    def _close(self, token: _Token) -> None:
        if self._words:
            raise _unfinished(self._words, self.file)
        if len(self._open) == 1:
            raise _error(self.file, token.line, "a } closes no block")
        self._open.pop()


def _tokens(text: str, file: Path) -> Generator[_Token, _Token | None]:
    """Yield the tokens; a token sent in after a `{` is repeated once the Lua in it ends."""
    position, line = 0, 1
    begins_line = True
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            mark = text[position]
            raise _error(file, line, f"the quote {mark} is never closed")
        position = match.end()
        kind, piece = match.lastgroup, match[0]
        if kind in {"space", "comment"}:
            begins_line |= "\n" in piece
        else:
            is_mark = kind == "mark"
            shown = piece if kind not in {"double", "single"} else _unquoted(piece)
            sent = yield _Token(shown, line, is_mark, begins_line)
            begins_line = False
            if sent is not None:
                end = _after_lua(text, position)
                line += text.count("\n", position, end)
                position = end
                yield sent
        line += piece.count("\n")


def _after_lua(text: str, start: int) -> int:
    """Return where a block of Lua ends; braces in its strings and comments do not count."""
    depth = 1
    for match in _LUA.finditer(text, start):
        depth += {"{": 1, "}": -1}.get(match[0], 0)
        if depth == 0:
            return match.end()
    return len(text)


def _unquoted(piece: str) -> str:
    quote = piece[0]
    return re.sub(rf"\\([{quote}\\])", r"\1", piece[1:-1])


def _directive(words: list[_Token], file: Path, parent: Directive, *, has_block: bool) -> Directive:
    first, *rest = words
    forgotten = next((word for word in rest if word.begins_line and (word.text in _ARITY)), None)
    args = tuple(word.text for word in rest)
    if forgotten is not None and first.text in _ARITY:
        said = _short(" ".join([first.text, *args[: rest.index(forgotten)]]))
        raise _error(file, first.line, f"`{said}` has no semicolon at its end")
    if first.text == "if":
        args = _condition(args)
    is_checked = first.text in _ARITY and parent.name not in {
        "map",
        "geo",
        "types",
        "split_clients",
    }
    if is_checked:
        fewest, most = _ARITY[first.text]
        if len(args) < fewest:
            raise _error(file, first.line, f"`{first.text}` lacks a value")
        if len(args) > most:
            said = _short(" ".join([first.text, *args]))
            raise _error(file, first.line, f"`{said}` has too many values")
    if is_checked and first.text in _BLOCKS and not has_block:
        raise _error(file, first.line, f"`{_short(' '.join([first.text, *args]))}` has no {{ }}")
    return Directive(
        name=first.text,
        args=args,
        file=file,
        line=first.line,
        block=[] if has_block else None,
        parent=parent,
    )


def _condition(args: tuple[str, ...]) -> tuple[str, ...]:
    text = list(args)
    text[:1] = [text[0].removeprefix("(")] if text else []
    text[-1:] = [text[-1].removesuffix(")")] if text else []
    return tuple(word for word in text if word)


def _unfinished(words: list[_Token], file: Path) -> UsageError:
    said = _short(" ".join(word.text for word in words))
    return _error(file, words[0].line, f"`{said}` has no semicolon at its end")


def _short(text: str) -> str:
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - one line


def _error(file: Path, line: int, what: str) -> UsageError:
    return UsageError(f"{file}, line {line}: {what}.")
