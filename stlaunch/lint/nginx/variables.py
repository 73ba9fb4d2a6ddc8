"""Resolve nginx's variables, as far as the configuration defines them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field

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
    """

    scope: Directive
    maps: Mapping[str, Directive]
    request: Mapping[str, str] = field(default_factory=dict)

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
        return self._mapped(name) or match[0]

    def _mapped(self, name: str) -> str | None:
        found = self.maps.get(name)
        for child in (found.block or ()) if found else ():
            if child.name == "default" and child.args:
                return child.args[0]
        return None


def maps_of(root: Directive) -> dict[str, Directive]:
    """Return every `map` by the variable that it fills."""
    return {
        directive.args[1].lstrip("$"): directive
        for directive in root.walk()
        if directive.name == "map" and directive.block is not None
    }


def has_variable(text: str) -> bool:
    """Return whether anything is left to be filled in."""
    return _VARIABLE.search(text) is not None
