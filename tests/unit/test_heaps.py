"""Threads share a few heaps of glibc's, unless the environment says how many."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import REPOSITORY

_THREADS = """
import threading
from stlaunch.process.heaps import share_heaps
from tests.harness.heaps import count_heaps

if {is_shared}:
    share_heaps()
together = threading.Barrier(30)

def allocate():
    together.wait()
    kept = [bytearray(5000) for _ in range(100)]
    together.wait()

threads = [threading.Thread(target=allocate) for _ in range(30)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(count_heaps())
"""


def heaps_of_thirty_threads(*, is_shared: bool, **environ: str) -> int:
    done = subprocess.run(
        [sys.executable, "-c", _THREADS.format(is_shared=is_shared)],
        cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(done.stdout)


def test_thirty_threads_share_four_heaps() -> None:
    assert heaps_of_thirty_threads(is_shared=False) > 4
    assert heaps_of_thirty_threads(is_shared=True) == 4


@pytest.mark.parametrize(
    "environ",
    [{"MALLOC_ARENA_MAX": "6"}, {"GLIBC_TUNABLES": "glibc.malloc.arena_max=6"}],
    ids=["variable", "tunable"],
)
def test_a_number_of_the_users_own_counts(environ: dict[str, str]) -> None:
    assert heaps_of_thirty_threads(is_shared=True, **environ) == 6
