"""A table of measurements: rows, ratios, goals, and how they are shown and compared.

It measures nothing. A ratio is taken within each interleaved pair, and the row shows the median of
the pairs' ratios with the lowest and the highest; `bare against bare` is the same for two
processes of the same kind, so that noise can be separated from cost.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

SCHEMA = "stlaunch.benchmarks/1"
_HEADINGS = (
    "what",
    "against",
    "measured (lowest to highest)",
    "bare against bare",
    "at most (goal)",
    "what it means",
)
Unit = Literal["x", "MB", "s"]


@dataclass(frozen=True, kw_only=True)
class Samples:
    """What was measured for one row, pair by pair.

    Attributes:
        ours: one number a pair.
        bare: what it is held against; empty for an absolute figure.
        again: a second one of the same kind as `bare`, or empty.
        scale: what the numbers are in, such as `s` or `1/s`.
    """

    ours: Sequence[float]
    bare: Sequence[float] = ()
    again: Sequence[float] = ()
    scale: str = "s"


Measured = Mapping[str, Samples | str]
"""By the row's name; a text says why there is no measurement."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One line of the table.

    Attributes:
        name: for `--only`.
        limit: at most this, or at least where `is_floor`.
        goal: what would be good.
        may_be_noise: within the spread of bare against bare is good enough.
        measure: the family that measures it, perhaps with others, in a number of pairs.
        means: what it means for a person, in one sentence.
    """

    name: str
    what: str
    against: str
    means: str
    measure: Callable[[int], Measured]
    limit: float
    goal: float | None = None
    unit: Unit = "x"
    is_floor: bool = False
    may_be_noise: bool = False


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A median with the lowest and the highest."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Return the spread of at least one number."""
        return cls(value=statistics.median(values), low=min(values), high=max(values))


@dataclass(frozen=True, kw_only=True)
class Result:
    """One line, measured."""

    name: str
    what: str
    against: str
    means: str
    unit: str
    limit: float
    goal: float | None
    is_floor: bool
    verdict: str
    spread: Spread | None = None
    noise: Spread | None = None
    ours: float | None = None
    bare: float | None = None
    scale: str = ""
    missing: str = ""
    pairs: int = 0
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)


def evaluate(row: Row, samples: Samples | str) -> Result:
    """Return the line of a row."""
    facts = {
        "name": row.name,
        "what": row.what,
        "against": row.against,
        "means": row.means,
        "unit": row.unit,
        "limit": row.limit,
        "goal": row.goal,
        "is_floor": row.is_floor,
    }
    if isinstance(samples, str):
        return Result(**facts, verdict="not there", missing=samples)
    spread = Spread.of(_held_against(row.unit, samples.ours, samples.bare))
    noise = None
    if samples.again:
        noise = Spread.of(_held_against(row.unit, samples.again, samples.bare))
    return Result(
        **facts,
        verdict=_verdict(row, spread, noise),
        spread=spread,
        noise=noise,
        ours=statistics.median(samples.ours),
        bare=statistics.median(samples.bare) if samples.bare else None,
        scale=samples.scale,
        pairs=len(samples.ours),
        samples={"ours": samples.ours, "bare": samples.bare, "again": samples.again},
    )


def _held_against(unit: Unit, ours: Sequence[float], bare: Sequence[float]) -> list[float]:
    match unit:
        case "x":
            return [_ratio(our, their) for our, their in zip(ours, bare, strict=True)]
        case "MB":
            return [our - their for our, their in zip(ours, bare, strict=True)]
        case "s":
            return list(ours)


def _ratio(our: float, their: float) -> float:
    """Divide; nothing against nothing is the same."""
    if their:
        return our / their
    return math.inf if our else 1.0


def _verdict(row: Row, spread: Spread, noise: Spread | None) -> str:
    sign = -1 if row.is_floor else 1
    if row.goal is not None and sign * spread.value <= sign * row.goal:
        return "goal"
    if sign * spread.value <= sign * row.limit:
        return "met"
    worst = None if noise is None else noise.low if row.is_floor else noise.high
    if row.may_be_noise and worst is not None and sign * spread.value <= sign * worst:
        return "noise"
    return "short"


def as_document(results: Sequence[Result], machine: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole table as JSON of schema `stlaunch.benchmarks/1`."""
    return {"schema": SCHEMA, **machine, "rows": [asdict(result) for result in results]}


def render_text(document: Mapping[str, Any]) -> str:
    """Return the table for a terminal."""
    lines = [render_machine(document)]
    lines += [
        f"{row['name']:<20} {_shown(row, row['spread']):<28} {_limits(row):<16} "
        f"{row['verdict']:<9} {_medians(row)}{_noise(row)}"
        for row in document["rows"]
    ]
    return "\n".join(lines) + "\n"


def render_markdown(document: Mapping[str, Any]) -> str:
    """Return the table for the README."""
    lines = [
        render_machine(document),
        "",
        f"| {' | '.join(_HEADINGS)} |",
        "| --- " * len(_HEADINGS) + "|",
    ]
    for row in document["rows"]:
        noise = _shown(row, row["noise"]) if row["noise"] else ""
        limits = ("at least " if row["is_floor"] else "") + _limits(row)
        measured = _shown(row, row["spread"])
        cells = [row["what"], row["against"], measured, noise, limits, row["means"]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def render_machine(document: Mapping[str, Any]) -> str:
    """Say when and on what it was measured."""
    return (
        f"Measured on {document['date']} with {document['cpus']} CPUs and "
        f"{document['memory_gb']} GB of memory: Streamlit {document['streamlit']}, "
        f"Python {document['python']}."
    )


def compare(document: Mapping[str, Any], stored: Mapping[str, Any]) -> list[str]:
    """Return one line for each row that is worse than anything the stored table saw."""
    before = {row["name"]: row for row in stored["rows"]}
    worse = []
    for row in document["rows"]:
        old = before.get(row["name"])
        if old is None or not old["spread"] or not row["spread"]:
            continue
        value, spread = row["spread"]["value"], old["spread"]
        is_worse = value < spread["low"] if row["is_floor"] else value > spread["high"]
        if is_worse:
            worse.append(
                f"{row['name']}: {_shown(row, row['spread'])}, before {_shown(old, spread)}"
            )
    return worse


def _shown(row: Mapping[str, Any], spread: Mapping[str, float] | None) -> str:
    if spread is None:
        return f"not there: {row['missing']}"
    digits = _digits(spread["high"] - spread["low"])
    form = {"x": "{:.{}f}x", "MB": "{:+.{}f} MB", "s": "{:.{}f} s"}[row["unit"]]
    value, low, high = (form.format(spread[name], digits) for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"


def _digits(width: float) -> int:
    """Return how many decimals are significant: a step of the last is at most half the width.

    >>> [_digits(width) for width in (0.0, 0.08, 0.3, 4.0)]
    [2, 2, 1, 0]
    """
    return min(2, max(0, math.ceil(math.log10(2 / width)))) if width > 0 else 2


def _limits(row: Mapping[str, Any]) -> str:
    form = {"x": "{:.2f}x", "MB": "{:+.0f} MB", "s": "{:.1f} s"}[row["unit"]]
    goal = f" ({form.format(row['goal'])})" if row["goal"] is not None else ""
    return form.format(row["limit"]) + goal


def _medians(row: Mapping[str, Any]) -> str:
    if row["ours"] is None:
        return ""
    bare = "" if row["bare"] is None else f" against {row['bare']:.4g}"
    return f"{row['ours']:.4g}{bare} {row['scale']}"


def _noise(row: Mapping[str, Any]) -> str:
    return f"; bare against bare {_shown(row, row['noise'])}" if row["noise"] else ""
