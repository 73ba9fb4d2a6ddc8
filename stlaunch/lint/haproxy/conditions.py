"""Return whether a condition of HAProxy holds for a method, whatever else the request is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from stlaunch.lint.words import Line

_MIN_ACL = 3
_PREDEFINED = {
    "METH_GET": ("GET", "HEAD"),
    **{f"METH_{name}": (name,) for name in ("CONNECT", "DELETE", "HEAD", "OPTIONS", "POST", "PUT")},
}
"""HAProxy's predefined ACLs."""


def methods_of(lines: Iterable[Line]) -> dict[str, tuple[str, ...] | None]:
    """Return the methods that each ACL matches; None for one that is about something else."""
    found: dict[str, tuple[str, ...] | None] = dict(_PREDEFINED)
    own: set[str] = set()
    for line in lines:
        if line.name != "acl" or len(line.words) < _MIN_ACL:
            continue
        name, *test = line.words[1:]
        methods = _methods(test)
        before = found.get(name) if name in own else ()  # lines of one name add up
        found[name] = None if methods is None or before is None else (*before, *methods)
        own.add(name)
    return found


def holds_for(
    method: str, words: Sequence[str], acls: Mapping[str, tuple[str, ...] | None]
) -> bool:
    """Return whether `if ...` or `unless ...` surely holds for every request with this method.

    Args:
        method: in capitals.
        words: those of the whole rule.
        acls: from `methods_of`.
    """
    at = next((n for n, word in enumerate(words) if word in {"if", "unless"}), None)
    if at is None:
        return False
    truth: bool | None = False
    for group in _groups(words[at + 1 :]):
        terms = [_term(term, method, acls) for term in group]
        is_met = False if False in terms else None if None in terms or not terms else True
        truth = True if True in {truth, is_met} else None if None in {truth, is_met} else False
    return truth is (words[at] == "if")


def _groups(words: Sequence[str]) -> list[list[list[str]]]:
    """Split at `or` and `||`; a term is the words of one test, or one name."""
    groups: list[list[list[str]]] = [[]]
    inner: list[str] | None = None
    for word in words:
        if inner is not None:
            inner.append(word)
            inner = None if word == "}" else inner
        elif word in {"or", "||"}:
            groups.append([])
        else:
            term = [word]
            groups[-1].append(term)
            inner = term if word in {"{", "!{"} else None
    return groups


def _term(
    words: Sequence[str], method: str, acls: Mapping[str, tuple[str, ...] | None]
) -> bool | None:
    is_negated = words[0].startswith("!")
    name = words[0].removeprefix("!")
    methods = _methods(words[1:-1]) if name == "{" else acls.get(name)
    return None if methods is None else (method in methods) != is_negated


def _methods(test: Sequence[str]) -> tuple[str, ...] | None:
    if not test or test[0] != "method":
        return None
    values = [word for word in test[1:] if word != "-i"]
    return None if any(word.startswith("-") for word in values) else tuple(map(str.upper, values))
