"""Run one target on many inputs, and keep the one that broke its promise."""

from __future__ import annotations

import hashlib
import random
import resource
import signal
import time
import traceback
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.mutator import Mutator
from tests.fuzz.target import Target

CORPUS = Path(__file__).parent / "corpus"
# Of the processor's time, for one input: what is linear takes milliseconds.
_MAX_CPU_S = 20.0
_MAX_GROWTH_BYTES = 400 * 1024 * 1024
_SHRINKS = 400


class TooSlowError(BaseException):
    """An input took more of the processor than any may; no `except Exception` catches it."""


class TooLargeError(AssertionError):
    """The inputs made the process grow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """An input that broke the promise."""

    data: bytes
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The outcome of a run.

    Attributes:
        inputs: how many were tried.
        kinds: how many different outcomes there were.
        growth_bytes: by how much the process's peak grew.
        broken: the input that ended it, made shorter; None where all was well.
    """

    inputs: int
    kinds: int
    seconds: float
    growth_bytes: int
    broken: Broken | None


def kept_inputs(target: Target, corpus: Path = CORPUS) -> list[bytes]:
    """Return the inputs that once broke something."""
    return [file.read_bytes() for file in sorted((corpus / target.name).glob("*.bin"))]


def fuzz(
    target: Target, *, seed: int, inputs: int = 1 << 62, seconds: float = 1e9, corpus: Path = CORPUS
) -> Outcome:
    """Try the seeds, the kept inputs, and then mutations of them, until one bound is reached."""
    rng = random.Random(f"{target.name} {seed}")
    first = [*target.seeds, *kept_inputs(target, corpus)]
    mutator = Mutator(first, target.tokens, rng, target.max_bytes)
    kinds: set[Hashable] = set()
    began, peak, count = time.monotonic(), _peak_bytes(), 0
    broken: Broken | None = None
    while count < inputs and time.monotonic() - began < seconds:
        data = first[count] if count < len(first) else mutator.make()
        count += 1
        try:
            kind = attempt(target, data)
        except (Exception, TooSlowError) as exc:  # noqa: BLE001 - it is reported
            broken = _shrunk(target, data, exc)
            break
        if kind not in kinds:
            kinds.add(kind)
            mutator.keep(data)
        if count % 1024 == 0 and _peak_bytes() - peak > _MAX_GROWTH_BYTES:
            broken = Broken(data=data, error=repr(TooLargeError("the process grew too much")))
            break
    return Outcome(
        inputs=count,
        kinds=len(kinds),
        seconds=time.monotonic() - began,
        growth_bytes=_peak_bytes() - peak,
        broken=broken,
    )


def attempt(target: Target, data: bytes) -> Hashable:
    """Run one input, within a bound on the processor's time that others on the machine do not use.

    Raises:
        TooSlowError: where it took longer.
        Exception: whatever the target raises.
    """
    with _max_cpu(_MAX_CPU_S):
        return target.run(data)


def write_broken(target: Target, broken: Broken, corpus: Path = CORPUS) -> Path:
    """Keep an input, so that it is tried first from now on; return its file."""
    folder = corpus / target.name
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{hashlib.sha256(broken.data).hexdigest()[:12]}.bin"
    file.write_bytes(broken.data)
    return file


def _shrunk(target: Target, data: bytes, exc: BaseException) -> Broken:
    """Leave out what the same error does not need."""
    error = "".join(traceback.format_exception(exc)[-6:])
    if isinstance(exc, TooSlowError):
        return Broken(data=data, error=error)
    size, left = max(len(data) // 2, 1), _SHRINKS
    while size and left:
        at = 0
        while at < len(data) and left:
            shorter = data[:at] + data[at + size :]
            left -= 1
            try:
                attempt(target, shorter)
            except type(exc) as again:
                data, error = shorter, "".join(traceback.format_exception(again)[-6:])
            except (Exception, TooSlowError):  # noqa: BLE001 - another error; one at a time
                at += size
            else:
                at += size
        size //= 2
    return Broken(data=data, error=error)


@contextmanager
def _max_cpu(seconds: float) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooSlowError(f"{seconds} s of the processor were not enough")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
