"""The table of measurements: medians of ratios, verdicts, noise, and the comparison."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import main
from tests.benchmarks.rows import ROWS
from tests.benchmarks.table import (
    Measured,
    Row,
    Samples,
    as_document,
    evaluate,
    render_markdown,
    render_text,
)

MACHINE = {
    "date": "2026-11-24",
    "cpus": 2,
    "memory_gb": 24,
    "python": "3.11",
    "streamlit": "1.67",
    "stlaunch": "0.1",
}


def _nothing(_pairs: int) -> Measured:
    return {}


def _row(name: str = "start", limit: float = 1.0, **changes: object) -> Row:
    facts: dict[str, object] = {"name": name, "what": "w", "against": "a", "means": "m"}
    return Row(**{**facts, "limit": limit, "measure": _nothing, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("ours", "changes", "verdict"),
    [
        (0.7, {"goal": 0.8}, "goal"),
        (0.9, {"goal": 0.8}, "met"),
        (1.1, {}, "short"),
        (1.1, {"may_be_noise": True}, "noise"),
        (1.3, {"may_be_noise": True}, "short"),
        (0.9, {"is_floor": True}, "short"),
        (1.1, {"is_floor": True}, "met"),
    ],
)
def test_verdicts(ours: float, changes: dict[str, object], verdict: str) -> None:
    samples = Samples(ours=[ours] * 3, bare=[1.0] * 3, again=[0.9, 1.0, 1.2])

    assert evaluate(_row(**changes), samples).verdict == verdict


def test_the_ratio_is_taken_within_each_pair() -> None:
    """A machine that slows down between two pairs changes no ratio."""
    result = evaluate(_row(), Samples(ours=[1, 10, 100], bare=[2, 20, 200], again=[2, 22, 190]))

    assert result.spread is not None
    assert result.noise is not None
    assert (result.spread.value, result.spread.low, result.spread.high) == (0.5, 0.5, 0.5)
    assert (result.noise.low, result.noise.high) == (0.95, 1.1)


def test_differences_and_absolute_figures() -> None:
    memory = evaluate(_row(unit="MB", limit=6), Samples(ours=[65, 66, 70], bare=[60, 60, 60]))
    check = evaluate(_row(unit="s", limit=1.5), Samples(ours=[1.0, 1.2, 1.1]))

    assert memory.spread is not None
    assert (memory.spread.value, memory.verdict) == (6, "met")
    assert check.spread is not None
    assert (check.spread.value, check.bare, check.verdict) == (1.1, None, "met")


def test_every_row_is_named_once_and_has_a_limit() -> None:
    names = [row.name for row in ROWS]

    assert len(names) == len(set(names))
    assert all(row.goal is None or row.goal <= row.limit for row in ROWS)


def test_the_table_is_shown_written_and_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--from` measures nothing; a row that is worse than all that was stored is reported."""
    rows = [_row("start"), _row("asset", is_floor=True), _row("gone")]
    good = [Samples(ours=[0.8, 0.9], bare=[1, 1]), Samples(ours=[2, 3], bare=[1, 1]), "no nginx"]
    bad = [Samples(ours=[0.95], bare=[1]), Samples(ours=[1.9], bare=[1]), "no nginx"]
    files = []
    for name, found in (("old", good), ("new", bad)):
        results = [evaluate(row, samples) for row, samples in zip(rows, found, strict=True)]
        file = tmp_path / f"{name}.json"
        file.write_text(json.dumps(as_document(results, MACHINE)), encoding="utf-8")
        files.append(str(file))
    old, new = files

    same = main(["--from", old, "--compare", old, "--json", str(tmp_path / "copy.json")])
    quiet = capsys.readouterr().out
    worse = main(["--from", new, "--compare", old])
    shown = capsys.readouterr().out
    document = json.loads((tmp_path / "copy.json").read_text(encoding="utf-8"))

    assert (same, worse) == (0, 1)
    assert "nothing is worse" in quiet
    assert "not there: no nginx" in quiet
    assert "worse: start: 0.95x" in shown
    assert "worse: asset: 1.90x" in shown
    assert document["schema"] == "stlaunch.benchmarks/1"
    assert render_text(document) in quiet
    assert "| w | a | 0.85x (0.80x to 0.90x) |  | 1.00x |" in render_markdown(document)
    assert "with 2 CPUs and 24 GB" in render_markdown(document)
