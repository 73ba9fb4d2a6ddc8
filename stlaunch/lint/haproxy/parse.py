"""Read an HAProxy file into its sections, each with the defaults that apply to it."""

from __future__ import annotations

from dataclasses import field
from pathlib import Path

from stlaunch.errors import UsageError
from stlaunch.lint.words import Line, statements
from stlaunch.quick_dataclass import dataclass

_SECTIONS = {
    "global",
    "defaults",
    "frontend",
    "backend",
    "listen",
    "resolvers",
    "peers",
    "userlist",
    "cache",
    "mailers",
    "program",
    "ring",
    "http-errors",
    "log-forward",
    "fcgi-app",
    "crt-store",
}
# Each `defaults ... from ...` holds those above it.
_MAX_NESTED = 100
_FEWEST = {
    "acl": 2,
    "server": 2,
    "server-template": 3,
    "use_backend": 1,
    "default_backend": 1,
    "bind": 1,
    "timeout": 2,
    "option": 1,
    "balance": 1,
    "cookie": 1,
    "mode": 1,
}


@dataclass(slots=True)
class Section:
    """One section; `defaults` are those that apply to it, the nearest first."""

    kind: str
    name: str
    line: int
    defaults: list[Section] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    def all(self, *words: str) -> list[Line]:
        """Return its own lines that begin with these words."""
        return [line for line in self.lines if line.words[: len(words)] == words]

    @property
    def scopes(self) -> list[Section]:
        """The section, and the defaults that apply to it."""
        return [self, *self.defaults]

    @property
    def speaks_tls(self) -> bool:
        """Browsers speak https with it."""
        return any(
            "ssl" in bind.words or "quic" in " ".join(bind.words) for bind in self.all("bind")
        )

    @property
    def is_tcp(self) -> bool:
        """It passes bytes on without reading HTTP."""
        mode = next((found[-1] for scope in self.scopes if (found := scope.all("mode"))), None)
        return mode is None or mode.words[1] == "tcp"


def read_sections(text: str, path: Path) -> list[Section]:
    """Return all sections.

    Raises:
        UsageError: for a line that HAProxy would refuse.
    """
    sections: list[Section] = []
    defaults: dict[str, Section] = {}
    last: Section | None = None
    for line in statements(text, path):
        # Indentation means nothing here, but no keyword inside a section has one of these names.
        if line.name in _SECTIONS:
            words = line.words
            name = words[1] if len(words) > 1 else ""
            section = Section(line.name, name, line.number)
            if line.name == "defaults":
                section.defaults = _above(words, defaults, path, line.number)
                last = defaults[name] = section
            elif line.name in {"frontend", "backend", "listen"}:
                if not name:
                    raise UsageError(f"{path}, line {line.number}: `{line.name}` lacks a name.")
                chosen = _named(words, defaults) if "from" in words else last
                section.defaults = [chosen, *chosen.defaults] if chosen else []
            sections.append(section)
            continue
        if len(line.words) - 1 < _FEWEST.get(line.name, 0):
            shown = " ".join(line.words)[:80]
            raise UsageError(f"{path}, line {line.number}: `{shown}` lacks a value.")
        if sections:
            sections[-1].lines.append(line)
    return sections


def _above(
    words: tuple[str, ...], defaults: dict[str, Section], path: Path, number: int
) -> list[Section]:
    """Return those that a `defaults ... from ...` continues."""
    above = _named(words, defaults)
    found = [above, *above.defaults] if above else []
    if len(found) > _MAX_NESTED:
        raise UsageError(f"{path}, line {number}: too many `defaults` in a row.")
    return found


def _named(words: tuple[str, ...], defaults: dict[str, Section]) -> Section | None:
    """Return the one after `from`."""
    named = words[words.index("from") + 1 :][:1] if "from" in words else ()
    return defaults.get(named[0]) if named else None
