"""Resolve one request as HAProxy does: which rule answers it, or which backend gets which path.

The order is HAProxy's: the `http-request` rules of the frontend, its `redirect` rules, the first
`use_backend` that applies or `default_backend`, then the rules of the backend. It runs nothing.
Source: HAProxy's configuration manual, chapter 4.2 ("http-request", "use_backend").
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from stlaunch.lint.expressions import NotUnderstoodError as ExpressionError
from stlaunch.lint.expressions import search
from stlaunch.lint.haproxy.conditions import Conditions, Request, Steps, condition_at, paths_named
from stlaunch.lint.haproxy.parse import Section
from stlaunch.lint.words import Line
from stlaunch.quick_dataclass import dataclass

# Each with the status of its answer, where the rule names no other; "" is a closed connection.
_ANSWERS = {
    "deny": "403",
    "redirect": "302",
    "reject": "",
    "return": "200",
    "silent-drop": "",
    "tarpit": "500",
    "use-service": "200",
}
REFUSALS = frozenset(_ANSWERS) - {"redirect", "use-service"}
"""The actions that refuse a request."""
_CHANGES = {"set-path", "set-pathq", "set-uri", "replace-path", "replace-pathq", "replace-uri"}
_FOLLOWED = {"allow", *_ANSWERS, *_CHANGES}
_STATUS = re.compile(r" (?:code|status|deny_status) (\d{3})\b")
_REPLACED = re.compile(r"(?:^replace-\w+ |regsub\([\"']?)\^?(/[A-Za-z0-9_/-]+)")
_MAX_PATH = 150


class NotUnderstoodError(Exception):
    """Something that cannot be followed with certainty; the message says what."""

    def __init__(self, line: Line, what: str) -> None:
        super().__init__(what)
        self.line = line


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is done with a request.

    Attributes:
        by: the rule that answers it, or that chooses the backend; None where nothing does.
        backend: the section whose servers get it; None where HAProxy answers.
        sent: the path that they get.
        changed_by: the last rule that changed the path.
        status: of HAProxy's own answer; empty where it closes the connection.
    """

    by: Line | None = None
    backend: Section | None = None
    sent: str = ""
    changed_by: Line | None = None
    status: str = ""

    @property
    def is_redirect(self) -> bool:
        """HAProxy sends the browser elsewhere."""
        return self.backend is None and self.status.startswith("3")


class Frontend:
    """A section that takes requests, and all that it can lead to.

    Args:
        section: the `frontend` or `listen`.
        backends: all sections that can be led to, by their names.
        apps: the names of those whose servers are the app.
        steps: what following requests may cost.
    """

    def __init__(
        self, section: Section, backends: Mapping[str, Section], apps: set[str], steps: Steps
    ) -> None:
        self.section = section
        self._backends = backends
        self._apps = apps
        self._steps = steps
        self._read: dict[int, _Rules] = {}
        self._conditions = self._rules_of(section).conditions

    def leads_to(self, section: Section) -> bool:
        """Return whether the servers of a section are the app."""
        return section.name in self._apps

    @property
    def tested_paths(self) -> Iterator[str]:
        """The beginnings of paths that conditions on the way to the app speak of."""
        for section in self._places:
            yield from paths_named(_lines(section))

    @property
    def replaced_paths(self) -> Iterator[str]:
        """The beginnings of paths that rules on the way to the app replace."""
        for section in self._places:
            for line, action in self._rules_of(section).actions:
                if action in _CHANGES and (match := _REPLACED.search(" ".join(line.words[1:]))):
                    yield match[1]

    @property
    def _places(self) -> list[Section]:
        names = dict.fromkeys(line.words[1] for line in self.ways)
        inner = [self._backends[name] for name in names if name in self._backends]
        return [self.section, *(one for one in inner if one is not self.section)]

    @property
    def ways(self) -> list[Line]:
        """The lines that lead to the app."""
        lines = [*self.section.all("use_backend"), *self._default()]
        self._steps.spend(len(lines))
        return [line for line in lines if line.words[1] in self._apps]

    def answer(self, path: str, *, method: str = "GET", is_upgrade: bool = False) -> Answer:
        """Return what happens to a request.

        Where the way to the app depends on something that is not known, such as the Host, that is
        taken to be as the app needs it.

        Raises:
            NotUnderstoodError: if that is not certain.
            TooManyStepsError: where it cost too much.
        """
        request = Request(
            method=method, path=path, is_upgrade=is_upgrade, is_tls=self.section.speaks_tls
        )
        assumed = self.assumed(request)
        conditions = self._conditions.assuming(assumed, is_own=True)
        asked = _Asked(request)
        if refused := asked.run(self._rules_of(self.section), conditions):
            return refused
        by, backend = self._backend(conditions, asked.request)
        if backend is None:
            return Answer(by=by, status="503")
        is_other = backend is not self.section
        if is_other:
            rules = self._rules_of(backend)
            if refused := asked.run(rules, rules.conditions.assuming(assumed, is_own=False)):
                return refused
        path = asked.request.path or ""
        return Answer(by=by, backend=backend, sent=path, changed_by=asked.changed_by)

    def assumed(self, request: Request) -> dict[str, bool]:
        """Return what has to hold for a request to get to the app, as far as it is not known.

        Raises:
            TooManyStepsError: where it cost too much.
        """
        assumed: dict[str, bool] = {}
        for line in self.ways:
            for name, value in self._conditions.unknown_terms(line.words, request):
                assumed.setdefault(name, value)
        return assumed

    def _rules_of(self, section: Section) -> _Rules:
        if section.line not in self._read:
            self._read[section.line] = _Rules.of(section, self._steps)
        return self._read[section.line]

    def _backend(
        self, conditions: Conditions, request: Request
    ) -> tuple[Line | None, Section | None]:
        for line in self.section.all("use_backend"):
            holds = conditions.hold(line.words, request)
            name = line.words[1]
            if holds is False or (holds is None and name not in self._apps and "%[" not in name):
                continue
            if holds is None or "%[" in name:
                raise NotUnderstoodError(line, "a use_backend that depends on what is not known")
            return line, self._backends.get(name)
        for line in self._default():
            return line, self._backends.get(line.words[1])
        return None, self.section if self.section.kind == "listen" else None

    def _default(self) -> list[Line]:
        found = (scope.all("default_backend") for scope in self.section.scopes)
        return next((lines[-1:] for lines in found if lines), [])


def _lines(section: Section) -> list[Line]:
    """Return the lines in force: those of its defaults are evaluated first."""
    return [line for scope in reversed(section.scopes) for line in scope.lines]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rules:
    """The rules of one section in their order, each with its action."""

    conditions: Conditions
    actions: tuple[tuple[Line, str], ...]

    @classmethod
    def of(cls, section: Section, steps: Steps) -> _Rules:
        lines = _lines(section)
        named = [
            (line, line.words[1])
            for line in lines
            if line.name == "http-request" and len(line.words) > 1
        ]
        named += [(line, "redirect") for line in lines if line.name == "redirect"]
        return cls(
            conditions=Conditions.of(lines, steps),
            actions=tuple((line, action) for line, action in named if action in _FOLLOWED),
        )


@dataclass(slots=True)
class _Asked:
    """A request on its way, and the last rule that changed its path."""

    request: Request
    changed_by: Line | None = None

    def run(self, rules: _Rules, conditions: Conditions) -> Answer | None:
        """Apply the rules of a section; return HAProxy's own answer, if one gives it."""
        is_allowed = False
        for line, action in rules.actions:
            if is_allowed and line.name == "http-request":
                continue
            holds = conditions.hold(line.words, self.request)
            if holds is False or (holds is None and action in _ANSWERS):
                continue
            if holds is None:
                raise NotUnderstoodError(line, f"{action} on a condition that is not known")
            if action == "allow":
                is_allowed = True
            elif action in _CHANGES:
                path = _changed(line, action, self.request.path or "")
                self.changed_by = line if path != self.request.path else self.changed_by
                self.request = replace(self.request, path=path)
            else:
                named = _STATUS.search(" ".join(line.words[: condition_at(line.words)]))
                return Answer(by=line, status=named[1] if named else _ANSWERS[action])
        return None


def _changed(line: Line, action: str, path: str) -> str:
    values = line.words[2 : condition_at(line.words)]
    if action.startswith("set-"):
        changed = _filled(line, " ".join(values), path)
    else:
        if len(values) != 2:  # noqa: PLR2004 - the expression and what takes its place
            raise NotUnderstoodError(line, " ".join(line.words)[:80])
        match = _searched(line, values[0], path)
        changed = _filled(line, _with_groups(values[1], match), path) if match else path
    changed = changed.partition("?")[0]
    if not changed.startswith("/") or len(changed) > _MAX_PATH:
        raise NotUnderstoodError(line, f"a path that becomes {changed[:40] or 'empty'}")
    return changed


def _filled(line: Line, text: str, path: str) -> str:
    """Put the path into a format of HAProxy's, such as `%[path,regsub(^/app,)]`."""
    filled, rest = "", text
    while (start := rest.find("%")) >= 0:
        end = _closing(rest, start)
        if end is None:
            raise NotUnderstoodError(line, f"a path made of {text[:80]}")
        filled += rest[:start] + _sample(line, rest[start + 2 : end], path)
        rest = rest[end + 1 :]
    return filled + rest


def _closing(text: str, start: int) -> int | None:
    depth = 0
    if text[start + 1 : start + 2] != "[":
        return None
    for at in range(start + 1, len(text)):
        depth += {"[": 1, "]": -1}.get(text[at], 0)
        if depth == 0:
            return at
    return None


def _sample(line: Line, expression: str, path: str) -> str:
    match = re.fullmatch(r"(?:path|pathq|url|capture\.req\.uri)(?:,regsub\((.*)\))?", expression)
    if match is None:
        raise NotUnderstoodError(line, f"a path made of {expression[:80]}")
    if match[1] is None:
        return path
    words = _arguments(match[1])
    if words is None or not 2 <= len(words) <= 3:  # noqa: PLR2004 - expression, text, flags
        raise NotUnderstoodError(line, f"a path made of {expression[:80]}")
    flags = words[2] if len(words) > 2 else ""  # noqa: PLR2004
    if set(flags) - {"i"}:
        raise NotUnderstoodError(line, f"a path made of {expression[:80]}")
    found = _searched(line, words[0], path, re.IGNORECASE if "i" in flags else 0)
    if found is None:
        return path
    return path[: found.start()] + _with_groups(words[1], found) + path[found.end() :]


def _arguments(text: str) -> list[str] | None:
    """Split at the commas outside of quotes; None for what does not end there."""
    words, word, quote = [], "", ""
    for char in text:
        if quote:
            word, quote = (word, "") if char == quote else (word + char, quote)
        elif char in {'"', "'"}:
            quote = char
        elif char == ",":
            words.append(word)
            word = ""
        elif char == ")":
            return None
        else:
            word += char
    return None if quote else [*words, word]


def _with_groups(text: str, match: re.Match[str]) -> str:
    groups = (match[0], *match.groups(""))

    def group(found: re.Match[str]) -> str:
        number = int(found[1])
        return groups[number] if number < len(groups) else ""

    return re.sub(r"\\(\d)", group, text)


def _searched(line: Line, pattern: str, text: str, flags: int = 0) -> re.Match[str] | None:
    try:
        return search(pattern, text, flags)
    except ExpressionError as exc:
        raise NotUnderstoodError(line, f"the expression {pattern[:80]}") from exc
