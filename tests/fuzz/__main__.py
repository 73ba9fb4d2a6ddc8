"""`python -m tests.fuzz --minutes N`: hostile inputs for everything that reads foreign bytes.

Prints the seed, with which `--seed` repeats a run, and one line a target. The first input that
breaks a promise is printed, and kept in `tests/fuzz/corpus/NAME/`, where every later run tries it
first. `tests/fuzz/RUNS.md` says what has been tried so far.
"""

from __future__ import annotations

import argparse
import logging
import random
import sys

from tests.fuzz.engine import attempt, fuzz, write_broken
from tests.fuzz.targets import TARGETS


def main(arguments: list[str] | None = None) -> int:
    """Run all targets, or one; return 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    time = parser.add_mutually_exclusive_group()
    time.add_argument("--minutes", type=float, default=1.0, help="for all targets together")
    time.add_argument("--seconds", type=float, help="for each target")
    parser.add_argument("--inputs", type=int, default=1 << 62, help="most inputs of a target")
    parser.add_argument("--only", choices=list(TARGETS), action="append")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--replay", type=argparse.FileType("rb"), help="run one kept input")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    try:
        return _run(options)
    finally:
        logging.disable(logging.NOTSET)


def _run(options: argparse.Namespace) -> int:
    targets = [TARGETS[name] for name in options.only or TARGETS]
    if options.replay is not None:
        data = options.replay.read()
        for target in targets:
            sys.stdout.write(f"{target.name}: {attempt(target, data)!r}\n")
        return 0
    sys.stdout.write(f"seed {options.seed}\n")
    seconds = options.seconds or options.minutes * 60 / len(targets)
    total = failed = 0
    for target in targets:
        outcome = fuzz(target, seed=options.seed, inputs=options.inputs, seconds=seconds)
        total += outcome.inputs
        sys.stdout.write(
            f"{target.name:16} {outcome.inputs:9,} inputs {outcome.seconds:7.1f} s "
            f"{outcome.kinds:5} kinds {outcome.growth_bytes / 1e6:7.1f} MB\n"
        )
        if outcome.broken is not None:
            failed += 1
            file = write_broken(target, outcome.broken)
            sys.stdout.write(
                f"BROKEN: {target.promise}\n{outcome.broken.error}\n"
                f"kept: {file}\n{outcome.broken.data!r}\n"
            )
        sys.stdout.flush()
    sys.stdout.write(f"{total:,} inputs, {failed} broken\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
