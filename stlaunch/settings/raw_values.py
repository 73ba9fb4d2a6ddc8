"""The values that each source gives for a setting, before `resolve` picks one."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from stlaunch.errors import UsageError
from stlaunch.quick_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stlaunch.settings.model import SourceKind

S = TypeVar("S")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawValue(Generic[T_co]):
    """What one place says about one setting."""

    kind: SourceKind
    where: str
    """How to name the place to a person."""
    text: str
    """What it says, in one line, for a person."""
    read: Callable[[], T_co]
    """Parses it; only the winner is read. Raises UsageError, which names the place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawSettings:
    """What the caller, the environment and the project file say, by the name of the field."""

    values: Mapping[str, Sequence[RawValue[Any]]] = field(default_factory=dict)
    self_check_token: str | None = field(default=None, repr=False)
    """A secret, which no flag and no file may hold: there is nothing to resolve."""

    def of(self, name: str) -> list[RawValue[Any]]:
        """Return what was said about a field, its default included as the weakest."""
        return list(self.values.get(name, ()))


def parse_at(parse: Callable[[S], T], said: S, where: str) -> T:
    """Return what `parse` makes of a text; a UsageError names the place that said it."""
    try:
        return parse(said)
    except UsageError as exc:
        raise UsageError(f"{where}: {exc.message}", hint=exc.hint) from exc
