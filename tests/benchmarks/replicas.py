"""CPU-bound reruns per second: `stlaunch replicas N` against N bare `streamlit run` processes.

    python -m tests.benchmarks.replicas [N] [SECONDS] [ROUNDS]

Every rerun takes 200 ms of processor time. The bare processes have no balancer: the sessions are
spread over them by hand. Both run at the same time, and are measured in turns, so that the
machine is the same for both. Prints the median of each and of the ratios; it asserts nothing.
"""

from __future__ import annotations

import os
import statistics
import sys
import threading
import time
from contextlib import ExitStack
from itertools import cycle, islice

from tests.harness.ports import free_port
from tests.harness.protocol import Session, open_session
from tests.harness.server import bare_streamlit
from tests.replicas.test_replicas import APP, replicas

BUSY_S = 0.2
SESSIONS_PER_PROCESS = 2


def main(count: int, seconds: float, rounds: int) -> None:
    """Measure and print."""
    with ExitStack() as stack:
        bare = [stack.enter_context(bare_streamlit(APP, free_port())) for _ in range(count)]
        ours = stack.enter_context(replicas(count))
        rows = []
        for number in range(rounds + 1):
            pair = (
                measure([server.url for server in bare], count, seconds),
                measure([ours.url], count, seconds),
            )
            if number:  # the first one warmed everything up
                rows.append(pair)
                _say(f"bare {pair[0]:.2f}/s  replicas {pair[1]:.2f}/s  {pair[1] / pair[0]:.3f}")
    _say(f"bare      {statistics.median(first for first, _ in rows):.2f} reruns/s")
    _say(f"replicas  {statistics.median(second for _, second in rows):.2f} reruns/s")
    _say(f"ratio     {statistics.median(second / first for first, second in rows):.3f}")


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def measure(urls: list[str], count: int, seconds: float) -> float:
    """Return reruns per second of a fixed number of sessions, spread over the addresses."""
    with ExitStack() as stack:
        targets = islice(cycle(urls), count * SESSIONS_PER_PROCESS)
        sessions = [stack.enter_context(open_session(url)) for url in targets]
        done = [0] * len(sessions)
        until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=_rerun, args=(session, until, done, index))
            for index, session in enumerate(sessions)
        ]
        started = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(done) / (time.monotonic() - started)


def _rerun(session: Session, until: float, done: list[int], index: int) -> None:
    while time.monotonic() < until:
        session.rerun(f"busy={BUSY_S}")
        done[index] += 1


if __name__ == "__main__":
    words = [float(word) for word in sys.argv[1:]]
    defaults = [os.cpu_count() or 1, 10, 5]
    chosen = [*words, *defaults[len(words) :]]
    main(int(chosen[0]), chosen[1], int(chosen[2]))
