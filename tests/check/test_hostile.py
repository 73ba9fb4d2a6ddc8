"""A server that means harm ends in a finding or in exit 4, in bounded time and memory."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import socket
import subprocess
import sys

import anyio
import pytest

from stlaunch.check.observe import observe
from stlaunch.check.options import CheckOptions
from stlaunch.check.target import Target
from stlaunch.errors import ExitCode
from tests.check import hostile
from tests.check.hostile import Behaviour, hostile_server, with_page
from tests.conftest import REPOSITORY

_TIMEOUT_S = 8  # a busy machine takes some of it to begin
_SLACK_S = 30  # of a busy machine
_MEMORY = 1024 * 1024 * 1024
# The address space of Python with its threads is some 400 MB before anything is read.


def run(port: int, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stlaunch", "check", f"http://127.0.0.1:{port}/", *flags],
        cwd=REPOSITORY,
        env=os.environ | {"COLUMNS": "100"},
        capture_output=True,
        text=True,
        timeout=170,  # some ten steps of at most a second each, on a busy machine
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY)),
    )


@pytest.mark.parametrize(
    ("behave", "codes"),
    [
        pytest.param(hostile.endless_body, {"STL124"}, id="endless-body"),
        pytest.param(hostile.endless_chunks, {"STL124", "STL125"}, id="endless-chunks"),
        pytest.param(hostile.slow_drip, {"STL125"}, id="slow-drip"),
        pytest.param(hostile.slow_head, {"STL125"}, id="slow-head"),
        pytest.param(hostile.silence, {"STL125"}, id="silence"),
        pytest.param(hostile.huge_header, {"STL124"}, id="huge-header"),
        pytest.param(hostile.endless_headers, {"STL124"}, id="endless-headers"),
        pytest.param(hostile.endless_informational, {"STL125"}, id="endless-1xx"),
        pytest.param(hostile.redirect_loop, {"STL126"}, id="redirect-loop"),
        pytest.param(hostile.malformed_location, {"STL127", "STL122"}, id="malformed-location"),
        pytest.param(hostile.garbage, {"STL124"}, id="garbage"),
        pytest.param(hostile.compression_bomb, {"STL122"}, id="compression-bomb"),
        pytest.param(with_page(hostile.malformed_frames), {"STL312"}, id="malformed-frames"),
        pytest.param(with_page(hostile.giant_frame), {"STL312"}, id="giant-frame"),
        pytest.param(with_page(hostile.endless_fragments), {"STL312", "STL311"}, id="fragments"),
        pytest.param(with_page(hostile.no_protobuf), {"STL312"}, id="no-protobuf"),
        pytest.param(with_page(hostile.endless_messages), {"STL502", ""}, id="endless-messages"),
        pytest.param(with_page(hostile.endless_pings), {"STL311"}, id="endless-pings"),
        pytest.param(with_page(hostile.closed_at_once), {"STL306"}, id="closed-at-once"),
    ],
)
def test_hostile_server_ends_in_a_finding(behave: Behaviour, codes: set[str]) -> None:
    hostile.bomb()
    with hostile_server(behave) as port:
        done = run(port, "--json", "--timeout", f"{_TIMEOUT_S}")
    report = json.loads(done.stdout)

    assert done.returncode in {ExitCode.FINDINGS, ExitCode.NO_VERDICT}, done.stderr
    first = report["findings"][0]["code"] if report["findings"] else ""  # the time was over
    assert first in codes
    assert len(done.stdout) < 200_000
    assert report["elapsed_ms"] < 1000 * (_TIMEOUT_S + _SLACK_S)


def test_dropped_packets_are_a_finding() -> None:
    """A listener whose queue is full answers no further SYN, as a firewall does not."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as stack:
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        done = run(full.getsockname()[1], "--json", "--timeout", "2")
    report = json.loads(done.stdout)

    assert done.returncode == ExitCode.FINDINGS
    assert report["findings"][0]["code"] == "STL103"


@pytest.mark.parametrize("kind", [[], ["--json"], ["--markdown"], ["--junit"], ["--github"]])
def test_what_a_server_says_steers_no_terminal_and_no_runner(kind: list[str]) -> None:
    with hostile_server(hostile.terminal_escapes) as port:
        done = run(port, "--timeout", "5", *kind)

    assert done.returncode == ExitCode.FINDINGS
    assert "pwned" in done.stdout
    assert all(char.isprintable() or char == "\n" for char in done.stdout)
    assert not any(line.startswith("::error::pwned") for line in done.stdout.splitlines())


def test_a_check_that_is_cut_says_which_option_gives_it_more_time() -> None:
    """The page comes, and nothing else does."""
    app = with_page(hostile.silence)

    def behave(connection: socket.socket, head: str) -> None:
        (app if head.startswith("GET / ") else hostile.silence)(connection, head)

    with hostile_server(behave) as port:
        target = Target.parse(f"http://127.0.0.1:{port}/")
        seen = anyio.run(observe, CheckOptions(target=target, timeout_s=0.8))

    assert seen.is_cut
    assert seen.cut_reason == "the time for the check was over (--timeout 0.8)"
    assert seen.cut_reason in seen.skipped.values()
