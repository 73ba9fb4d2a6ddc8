"""One table of ratios, measured in one run, side by side.

    python -m tests.benchmarks [--only ROW,...] [--pairs N] [--json FILE] [--compare FILE]

All of it takes some thirty minutes on an idle machine; `--only start,page` takes the rows
whose names begin so. `--from FILE` evaluates what was measured before by
today's rows, and measures nothing. Nothing here fails
because of a time; `--compare` reports what is worse than anything a stored table saw, and then
exits with 1.
The README shows tests/benchmarks/table.json: `--json` that file, then `python -m
tests.docs.generated`.
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sys
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks.rows import ROWS
from tests.benchmarks.servers import measuring
from tests.benchmarks.table import (
    Measured,
    Row,
    Samples,
    as_document,
    compare,
    evaluate,
    render_text,
)


def main(argv: Sequence[str]) -> int:
    """Measure, print, write, compare."""
    args = _parse(argv)
    if args.source:
        document = _evaluate_again(json.loads(args.source.read_text(encoding="utf-8")))
    else:
        with measuring():
            document = measure(_selected(args.only), args.pairs)
    sys.stdout.write(render_text(document))
    if args.json:
        args.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if not args.compare:
        return 0
    worse = compare(document, json.loads(args.compare.read_text(encoding="utf-8")))
    sys.stdout.write("".join(f"worse: {line}\n" for line in worse) or "nothing is worse\n")
    return 1 if worse else 0


def measure(rows: Sequence[Row], pairs: int) -> dict[str, Any]:
    """Measure rows, each family once, and return the document."""
    found: dict[str, Any] = {}
    for family in dict.fromkeys(row.measure for row in rows):
        started = time.monotonic()
        found |= _measure(family, [row.name for row in rows if row.measure is family], pairs)
        took = time.monotonic() - started
        sys.stderr.write(f"{family.__module__}.{family.__name__}: {took:.0f} s\n")
    results = [evaluate(row, found[row.name]) for row in rows]
    return as_document(results, _machine())


def _measure(
    family: Callable[[int], Measured], names: Sequence[str], pairs: int
) -> Mapping[str, Samples | str]:
    """Measure one family; where it breaks off its rows say why, and the others are not lost."""
    try:
        return family(pairs)
    except Exception as exc:  # noqa: BLE001 -- told in the table
        sys.stderr.write(traceback.format_exc())
        return dict.fromkeys(names, f"{type(exc).__name__}: {str(exc).partition(chr(10))[0]}")


def _evaluate_again(document: dict[str, Any]) -> dict[str, Any]:
    """Evaluate earlier measurements by today's rows."""
    known = {row.name: row for row in ROWS}
    rows = [
        asdict(evaluate(known[old["name"]], old["missing"] or _samples(old)))
        if old["name"] in known
        else old
        for old in document["rows"]
    ]
    return {**document, "rows": rows}


def _samples(row: Mapping[str, Any]) -> Samples:
    return Samples(**row["samples"], scale=row["scale"])


def _selected(only: str) -> list[Row]:
    starts = tuple(filter(None, only.split(",")))
    rows = [row for row in ROWS if not starts or row.name.startswith(starts)]
    if not rows:
        raise SystemExit(f"no row begins with {only!r}; there are {[row.name for row in ROWS]}")
    return rows


def _machine() -> dict[str, Any]:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "cpus": os.cpu_count(),
        "memory_gb": round(memory / 2**30),
        "python": platform.python_version(),
        "streamlit": version("streamlit"),
        "stlaunch": version("stlaunch"),
    }


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("--only", default="", help="names, or how they begin, with commas")
    parser.add_argument("--pairs", type=int, default=5, help="interleaved pairs, at least")
    parser.add_argument("--json", type=Path, help="write the table here")
    parser.add_argument("--compare", type=Path, help="report what is worse than this table")
    parser.add_argument("--from", dest="source", type=Path, help="do not measure: show this table")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
