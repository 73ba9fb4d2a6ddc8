"""Each target on its seeds, on what once broke it, and on a few hundred new inputs."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Hashable
from pathlib import Path

import pytest

from tests.fuzz import engine
from tests.fuzz.__main__ import main
from tests.fuzz.engine import CORPUS, fuzz, kept_inputs, write_broken
from tests.fuzz.target import Target
from tests.fuzz.targets import TARGETS

# More of those that are fast; all of it takes some seconds.
INPUTS = 150
SLOW = {
    "requests": 30,
    "handshakes": 60,
    "check-rules": 12,
    "check-report": 12,
    "tunnel": 60,
    "lint-yaml": 60,
}


@pytest.mark.process  # Streamlit's adapter may ask for its version in a process of its own
@pytest.mark.parametrize("name", TARGETS)
def test_no_input_breaks_the_promise(name: str) -> None:
    target = TARGETS[name]
    outcome = fuzz(target, seed=1, inputs=SLOW.get(name, INPUTS) + len(kept_inputs(target)))

    assert outcome.broken is None, (target.promise, outcome.broken)
    assert outcome.kinds > 0


def test_every_folder_of_kept_inputs_has_a_target() -> None:
    assert {folder.name for folder in CORPUS.glob("*") if folder.is_dir()} <= set(TARGETS)


def _breaks_on_a_b(data: bytes) -> Hashable:
    assert b"AB" not in data
    return len(data)


def _never_ends(data: bytes) -> Hashable:
    while b"A" in data:
        pass
    return 0


def _target(run: object) -> Target:
    return Target(name="own", promise="none", run=run, seeds=(b"start",), tokens=(b"A", b"B"))  # type: ignore[arg-type]


def test_a_broken_promise_is_found_shortened_and_tried_first_from_then_on(tmp_path: Path) -> None:
    target = _target(_breaks_on_a_b)
    first = fuzz(target, seed=3, inputs=100_000, corpus=tmp_path)
    assert first.broken is not None
    file = write_broken(target, first.broken, tmp_path)
    again = fuzz(target, seed=4, inputs=100, corpus=tmp_path)

    assert first.broken.data == b"AB"
    assert "assert" in first.broken.error
    assert file.read_bytes() == b"AB"
    assert again.inputs == 2
    assert again.broken is not None


def test_the_same_seed_makes_the_same_inputs() -> None:
    runs: list[list[bytes]] = [[], []]
    for seen in runs:

        def run(data: bytes, seen: list[bytes] = seen) -> Hashable:
            seen.append(data)
            return len(data)

        fuzz(_target(run), seed=7, inputs=300)

    assert runs[0] == runs[1]
    assert len(set(runs[0])) > 200


def test_an_input_without_an_end_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(engine, "_MAX_CPU_S", 0.05)
    outcome = fuzz(_target(_never_ends), seed=1, inputs=10_000, corpus=tmp_path)

    assert outcome.broken is not None
    assert b"A" in outcome.broken.data
    assert "TooSlowError" in outcome.broken.error


def test_the_command_prints_its_seed_and_says_what_broke(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(TARGETS, "own", _target(_breaks_on_a_b))
    monkeypatch.setattr(
        "tests.fuzz.__main__.write_broken", lambda t, b: write_broken(t, b, tmp_path)
    )
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        code = main(["--only", "own", "--seed", "3", "--seconds", "60"])

    assert code == 1
    assert "seed 3" in said.getvalue()
    assert "BROKEN" in said.getvalue()
    assert "\nb'AB'\n" in said.getvalue()
    assert [file.read_bytes() for file in (tmp_path / "own").iterdir()] == [b"AB"]
