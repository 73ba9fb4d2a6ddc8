"""Return whether a condition of HAProxy holds for a request, as far as that is certain. Pure.

Three values: True, False, and None for what depends on something that is not known, such as the
client's address. The names are those of HAProxy's manual, chapter 7 ("Using ACLs and fetching
samples").
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import field, replace

from stlaunch.lint.expressions import NotUnderstoodError, literal_prefix, search
from stlaunch.lint.words import Line
from stlaunch.quick_dataclass import dataclass

_MIN_ACL = 3
_METHODS = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE")
_PREDEFINED: dict[str, tuple[tuple[str, ...], ...]] = {
    "TRUE": (("always_true",),),
    "FALSE": (("always_false",),),
    **{f"METH_{name}": (("method", name),) for name in _METHODS},
    "METH_GET": (("method", "GET", "HEAD"),),
}
_PATHS = {"path", "pathq", "url", "capture.req.uri"}
_MATCHES = {"str", "beg", "end", "sub", "dir", "reg", "found"}
_MAX_STEPS = 1_000_000
_STEPS_OF_A_TEST = 10
_SUFFIXED = re.compile(r"(path|pathq|url|(?:req\.)?f?hdr)_(str|beg|end|sub|dir|reg)((?:\(.*)?)")
_HEADER = re.compile(r"(?:req\.)?f?hdr\((upgrade|connection)\)")


class TooManyStepsError(Exception):
    """A file has more rules than requests are followed through."""


@dataclass(slots=True)
class Steps:
    """What following the requests through a whole file, which may be hostile, may still cost."""

    left: int = _MAX_STEPS

    def spend(self, count: int) -> None:
        """Take these away.

        Raises:
            TooManyStepsError: if fewer are left.
        """
        self.left -= count
        if self.left < 0:
            raise TooManyStepsError


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is known of a request; None is not known.

    Attributes:
        method: in capitals.
        path: without a query.
        is_upgrade: it is the WebSocket handshake.
        is_tls: it came to this frontend over https.
    """

    method: str
    path: str | None = None
    is_upgrade: bool | None = None
    is_tls: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """The ACLs of a section, by which `if` and `unless` are evaluated.

    Attributes:
        acls: the tests of each name; one that matches is enough.
        assumed: what is taken for granted where nothing is known, by an ACL's name or by a test
            in braces.
        steps: what evaluating may cost.
    """

    acls: Mapping[str, Sequence[Sequence[str]]] = field(default_factory=dict)
    assumed: Mapping[str, bool] = field(default_factory=dict)
    steps: Steps = field(default_factory=Steps)

    @classmethod
    def of(cls, lines: Sequence[Line], steps: Steps | None = None) -> Conditions:
        """Read the ACLs of these lines."""
        steps = steps or Steps()
        steps.spend(len(lines))
        own: dict[str, list[Sequence[str]]] = {}
        for line in lines:
            if line.name == "acl" and len(line.words) >= _MIN_ACL:
                own.setdefault(line.words[1], []).append(line.words[2:])
        return cls(acls={**_PREDEFINED, **own}, steps=steps)

    def assuming(self, assumed: Mapping[str, bool], *, is_own: bool) -> Conditions:
        """Take something for granted; an ACL's name means nothing in a section not its own.

        >>> assumed = {"is_app": True, "{ hdr(host) app.test }": True}
        >>> Conditions().assuming(assumed, is_own=False).assumed
        {'{ hdr(host) app.test }': True}
        """
        tests = {name: value for name, value in assumed.items() if name.startswith("{")}
        return replace(self, assumed=assumed if is_own else tests)

    def hold(self, words: Sequence[str], request: Request) -> bool | None:
        """Return whether a rule applies: its `if` or `unless` holds, or it has neither.

        Raises:
            TooManyStepsError: where it cost too much.
        """
        self.steps.spend(len(words))
        at = condition_at(words)
        if at is None:
            return True
        found = _any(
            _all(self._term(term, request) for term in group) for group in _groups(words[at + 1 :])
        )
        return found if words[at] == "if" or found is None else not found

    def unknown_terms(self, words: Sequence[str], request: Request) -> Iterator[tuple[str, bool]]:
        """Yield what nothing is known about in a rule, and what each has to be.

        An ACL goes by its name, and by its tests where they are certain: they are the same in
        every section.
        """
        at = condition_at(words)
        if at is None or words[at] == "unless":
            return
        for group in _groups(words[at + 1 :]):
            for term in group:
                if self._term(term, request) is not None:
                    continue
                is_met = not term[0].startswith("!")
                yield _name(term), is_met
                tests = self._tests(term)
                if len(tests) == 1 or not is_met:  # any one of several is enough
                    yield from ((_braced(test), is_met) for test in tests)

    def exceeds(
        self, words: Sequence[str], request: Request, is_limit: Callable[[str], bool]
    ) -> bool:
        """Return whether a rule applies once a limit is exceeded.

        An exception of which nothing is known, as for some addresses, is taken not to be met.

        Args:
            words: of the rule.
            request: the one that exceeds it.
            is_limit: whether a test, as text in lower case, is the limit's.

        Raises:
            TooManyStepsError: where it cost too much.
        """
        at = condition_at(words)
        assumed = dict(self.assumed)
        for group in _groups(words[at + 1 :]) if at is not None else ():
            for term in group:
                if any(is_limit(" ".join(test).lower()) for test in self._tests(term)):
                    assumed[_name(term)] = True
                elif term[0].startswith("!") and self._term(term, request) is None:
                    assumed[_name(term)] = False
        found = replace(self, assumed=assumed).hold(words, request)
        return found is True or (found is None and at is not None and words[at] == "unless")

    def _tests(self, term: Sequence[str]) -> Sequence[Sequence[str]]:
        is_inline = term[0].lstrip("!") == "{"
        return [term[1:-1]] if is_inline else self.acls.get(term[0].lstrip("!"), ())

    def _term(self, term: Sequence[str], request: Request) -> bool | None:
        found = self.assumed.get(_name(term))
        if found is None:
            tests = self._tests(term)
            self.steps.spend(_STEPS_OF_A_TEST * len(tests))
            found = _any(self._test(test, request) for test in tests) if tests else None
        return found if found is None else found != term[0].startswith("!")

    def _test(self, test: Sequence[str], request: Request) -> bool | None:
        found = self.assumed.get(_braced(test)) if self.assumed else None
        return _test(test, request) if found is None else found


def condition_at(words: Sequence[str]) -> int | None:
    """Return where a rule's `if` or `unless` is; None for a rule without."""
    return next((n for n, word in enumerate(words) if word in {"if", "unless"}), None)


def _braced(test: Sequence[str]) -> str:
    return f"{{ {' '.join(test)} }}"


def _name(term: Sequence[str]) -> str:
    return " ".join(term).removeprefix("!")


def _any(values: Iterable[bool | None]) -> bool | None:
    found = list(values)
    return True if True in found else None if None in found else False


def _all(values: Iterable[bool | None]) -> bool | None:
    found = list(values)
    return False if False in found else None if None in found or not found else True


def _groups(words: Sequence[str]) -> list[list[list[str]]]:
    """Split at `or` and `||`; a term is the words of one test, or one name."""
    groups: list[list[list[str]]] = [[]]
    inner: list[str] | None = None
    negation = ""
    for word in words:
        if inner is not None:
            inner.append(word)
            inner = None if word == "}" else inner
        elif word in {"or", "||"}:
            groups.append([])
        elif word == "!":
            negation = "!"  # it may stand apart
        else:
            term = [negation + word]
            negation = ""
            groups[-1].append(term)
            inner = term if term[0] in {"{", "!{"} else None
    return groups


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    """One test, read: what of the request, matched how, and with which patterns."""

    fetch: str
    match: str
    patterns: tuple[str, ...]
    any_case: bool = False
    is_lowered: bool = False


def _read_test(words: Sequence[str]) -> _Test | None:
    """Return a test; None for one that is about something else."""
    fetch, *converters = words[0].split(",")
    suffixed = _SUFFIXED.fullmatch(fetch)
    match = suffixed[2] if suffixed else ""
    fetch = suffixed[1] + suffixed[3] if suffixed else fetch
    any_case, patterns = False, list(words[1:])
    while patterns and patterns[0].startswith("-"):
        flag = patterns.pop(0)
        if flag == "--":
            break
        if flag == "-i":
            any_case = True
        elif flag == "-m" and patterns:
            match = patterns.pop(0)
        elif flag != "-n":
            return None
    if set(converters) - {"lower"} or match not in {"", *_MATCHES}:
        return None
    return _Test(
        fetch=fetch,
        match=match or "str",
        patterns=tuple(patterns),
        any_case=any_case,
        is_lowered=bool(converters),
    )


def _test(words: Sequence[str], request: Request) -> bool | None:
    test = _read_test(words) if words else None
    if test is None:
        return None
    if test.fetch in {"always_true", "always_false"}:
        return test.fetch == "always_true"
    if test.fetch == "ssl_fc":
        return request.is_tls
    if test.fetch == "method":
        return request.method in {pattern.upper() for pattern in test.patterns}
    if test.fetch in _PATHS:
        return None if request.path is None else _matches(test, request.path)
    if header := _HEADER.fullmatch(test.fetch.lower()):
        if request.is_upgrade is None:
            return None
        value = "websocket" if header[1] == "upgrade" else "Upgrade"
        return request.is_upgrade and _matches(test, value)
    return None


def _matches(test: _Test, value: str) -> bool | None:
    if test.match == "found":
        return True
    value = value.lower() if test.is_lowered else value
    if test.match == "reg":
        return _any(_searched(pattern, value, any_case=test.any_case) for pattern in test.patterns)
    fold = str.lower if test.any_case else str
    return any(_compare(test.match, fold(value), fold(pattern)) for pattern in test.patterns)


def _compare(match: str, value: str, pattern: str) -> bool:
    match match:
        case "beg":
            return value.startswith(pattern)
        case "end":
            return value.endswith(pattern)
        case "sub":
            return pattern in value
        case "dir":
            return f"/{pattern.strip('/')}/" in f"/{value.strip('/')}/"
        case _:
            return value == pattern


def _searched(pattern: str, value: str, *, any_case: bool) -> bool | None:
    try:
        return search(pattern, value, re.IGNORECASE if any_case else 0) is not None
    except NotUnderstoodError:
        return None


def paths_named(lines: Iterable[Line]) -> Iterator[str]:
    """Yield the beginnings of paths that ACLs and conditions speak of."""
    for line in lines:
        at = condition_at(line.words)
        tests: list[Sequence[str]] = [line.words[2:]] if line.name == "acl" else []
        groups = _groups(line.words[at + 1 :]) if at is not None else []
        tests += [term[1:-1] for group in groups for term in group if term[0].endswith("{")]
        for words in tests:
            yield from _beginnings(words)


def _beginnings(words: Sequence[str]) -> Iterator[str]:
    test = _read_test(words) if words else None
    if test is None or test.fetch not in _PATHS:
        return
    for pattern in test.patterns:
        if test.match in {"str", "beg"} and pattern.startswith("/"):
            yield pattern
        elif test.match == "dir":
            yield f"/{pattern.strip('/')}"
        elif test.match == "reg" and pattern.startswith("^/"):
            yield literal_prefix(pattern)
