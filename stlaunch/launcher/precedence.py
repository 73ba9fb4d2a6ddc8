"""Which of several places decides one setting, and what it shadows; pure.

The order of the places is that of `SourceKind`: command line, environment, project file,
Streamlit's configuration, platform.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from stlaunch.settings.model import Source, SourceKind
from stlaunch.streamlit_adapter import UserOption

T = TypeVar("T")
_KINDS = list(SourceKind)


@dataclass(frozen=True, slots=True)
class Candidate(Generic[T]):
    """What one place says."""

    kind: SourceKind
    where: str
    value: T


@dataclass(frozen=True, slots=True)
class Settled(Generic[T]):
    """A value with the place that decided it."""

    value: T
    source: Source


def settle(own: Source, ours: T | None, others: Sequence[Candidate[T]], default: T) -> Settled[T]:
    """Return the value of the strongest place; of equal ones our own.

    Args:
        own: where our own setting came from; one that was silenced (`--uds` next to a port) stays
            silent.
        ours: our own setting; None where it was not decided.
        others: what other places say.
        default: what counts where nobody says anything.
    """
    if own.kind is not SourceKind.DEFAULT and ours is None:
        return Settled(default, own)
    found = list(others)
    if ours is not None and own.kind is not SourceKind.DEFAULT:
        found.insert(0, Candidate(own.kind, own.where, ours))
    if not found:
        return Settled(default, own)
    found.sort(key=lambda candidate: _KINDS.index(candidate.kind))
    winner, *losers = found
    weaker = [(loser.where, shown(loser.value)) for loser in losers]
    if ours is not None:
        weaker += own.shadowed
    return Settled(
        winner.value, Source(kind=winner.kind, where=winner.where, shadowed=tuple(weaker))
    )


def from_streamlit(user: Mapping[str, UserOption], key: str) -> tuple[Candidate[object], ...]:
    """Return what the user set for Streamlit itself, as a candidate."""
    option = user.get(key)
    if option is None or option.value in (None, "", []):
        return ()
    kind = SourceKind.STREAMLIT_CONFIG
    if option.where.startswith("--"):
        kind = SourceKind.COMMAND_LINE
    elif option.where.startswith("STREAMLIT_"):
        kind = SourceKind.ENVIRONMENT
    return (Candidate(kind, option.where, option.value),)


def shown(value: object) -> str:
    """Return a value in one line, for people."""
    if isinstance(value, (tuple, list)):
        return ", ".join(map(str, value))
    return str(value)
