"""A fuzz target: something that reads foreign bytes, and what holds whatever they are."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One reader of foreign bytes.

    Attributes:
        name: as `--only` takes it, and the name of its folder of kept inputs.
        promise: what holds for every input.
        run: reads one input; raises where the promise is broken, else returns what became of it:
            an input with a new outcome is mutated further.
        seeds: inputs that lead far into it.
        tokens: what mutations insert in addition to bytes.
        max_bytes: inputs are cut to this.
    """

    name: str
    promise: str
    run: Callable[[bytes], Hashable]
    seeds: tuple[bytes, ...]
    tokens: tuple[bytes, ...] = ()
    max_bytes: int = 4096
