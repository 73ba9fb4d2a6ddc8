"""Resolve nginx's variables, as far as the configuration defines them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

from stlaunch.lint.expressions import NotUnderstoodError, search
from stlaunch.lint.nginx.parse import Directive
from stlaunch.quick_dataclass import dataclass

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_MAX_LENGTH = 2000
_ROUNDS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Variables:
    """The value of each `$name`, for one request in one location.

    Attributes:
        scope: where it is used; `set` counts from here outwards.
        maps: every `map` by the variable that it fills.
        request: what is known of the request itself, such as `uri` and the captures `1` to `9`.
        guesses: a `map` of something that is not known has its default.
    """

    scope: Directive
    maps: Mapping[str, Directive]
    request: Mapping[str, str] = field(default_factory=dict)
    guesses: bool = True

    def expand(self, text: str) -> str:
        """Substitute values; a variable whose value is not known stays as it is."""
        for _ in range(_ROUNDS):
            longer = _VARIABLE.sub(self._value, text)
            if longer == text or len(longer) > _MAX_LENGTH:
                break
            text = longer
        return text

    def _value(self, match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name in self.request:
            return self.request[name]
        for level in self.scope.ancestors():
            for directive in reversed(level.block or ()):
                if directive.name == "set" and directive.args[0].strip("${}") == name:
                    return directive.args[1]
        value = self._mapped(name)
        return match[0] if value is None or (self.guesses and not value) else value

    def _mapped(self, name: str) -> str | None:
        found = self.maps.get(name.lower())
        if found is None:
            return None
        source = _VARIABLE.sub(
            lambda one: self.request.get(one[1] or one[2], one[0]), found.args[0]
        )
        try:
            if not has_variable(source):
                return mapped(found, source)
        except NotUnderstoodError:
            pass
        return _entry(found, "default") if self.guesses else None


def maps_of(root: Directive) -> dict[str, Directive]:
    """Return every `map` by the variable that it fills."""
    return {
        directive.args[1].lstrip("$").lower(): directive
        for directive in root.walk()
        if directive.name == "map" and directive.block is not None
    }


def mapped(found: Directive, source: str) -> str | None:
    """Return what a `map` makes of a value; None where an include that was not read may say it.

    Raises:
        NotUnderstoodError: for an expression that is not one of Python's.
    """
    exact = _entry(found, source)
    if exact is not None or found.has_unread:
        return exact
    for child in found.block or ():
        flags = re.IGNORECASE if child.name.startswith("~*") else 0
        pattern = child.name.removeprefix("~").removeprefix("*")
        if child.name.startswith("~") and child.args and search(pattern, source, flags):
            return child.args[0]
    return _entry(found, "default") or ""


def _entry(found: Directive, key: str) -> str | None:
    return next(
        (
            child.args[0]
            for child in found.block or ()
            if child.args and child.name.lower() == key.lower()
        ),
        None,
    )


def has_variable(text: str) -> bool:
    """Return whether anything is left to be filled in."""
    return _VARIABLE.search(text) is not None
