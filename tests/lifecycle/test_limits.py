"""`--max-sessions` and memory: who gets in, what the others see, and when a warning comes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import socket
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from websockets.exceptions import InvalidStatus

from stlaunch.gateway.monitor.findings import memory_almost_full
from stlaunch.launcher.watch_memory import watch_memory
from stlaunch.process.memory import Memory, read_memory
from tests.fallback.client import Page
from tests.harness.protocol import open_session
from tests.lifecycle.running import DEADLINE_S, listening

MIB = 2**20
COOKIE = "stlaunch=0123456789abcdef0123456789abcdef"


def test_a_low_soft_limit_on_open_files_ends_at_no_250_sessions(tmp_path: Path) -> None:
    """A session takes four descriptors; the shell's usual 1024 would do for 250."""
    low = ("sh", "-c", 'ulimit -Sn 100; exec "$@"', "sh")
    with listening(tmp_path, around=low) as running, ExitStack() as stack:
        for _ in range(40):
            stack.enter_context(open_session(running.url)).rerun()
        soft, hard = psutil.Process(running.process.pid).rlimit(psutil.RLIMIT_NOFILE)

    assert 100 < soft <= hard


def test_beyond_the_limit_people_get_a_friendly_page(tmp_path: Path) -> None:
    """503 for page, socket and tunnel; visitors with a place may reload; a free place is taken."""
    flags = ["--behind-proxy", "/app", "--max-sessions", "2"]
    with listening(tmp_path, *flags) as running:
        tunnel, late = Page(f"{running.url}app/_stlaunch"), Page(f"{running.url}app/_stlaunch")
        with open_session(running.url, {"Cookie": COOKIE, "Origin": running.url[:-1]}):
            room = running.get("/app/")[0]
            assert tunnel.open().status_code == 200
            page = running.get("/app/report")
            reload = running.get("/app/", Cookie=COOKIE)[0]
            others = [running.get(path)[0] for path in ("/app/_stcore/health", "/_stlaunch/ready")]
            with pytest.raises(InvalidStatus) as refused, open_session(running.url):
                pass
            refused_tunnel = late.open()
            report = json.loads(running.get("/app/_stlaunch/check")[2])
            metrics = running.get("/app/_stlaunch/metrics")[2]
        running.wait_until(lambda: running.get("/app/")[0] == 200, "a free place")
        taken = late.open().status_code
        for client in (tunnel, late):
            client.http.close()
            Page.opened.remove(client)
        process = psutil.Process(running.process.pid).memory_info().rss

    assert (room, reload, others) == (200, 200, [200, 200])
    assert (page[0], page[1]["Retry-After"]) == (503, "10")
    assert page[1]["Content-Type"].startswith("text/html")
    assert "One moment, please" in page[2]
    assert '<meta http-equiv="refresh" content="10">' in page[2]
    assert refused.value.response.status_code == 503
    assert refused.value.response.headers["Retry-After"] == "10"
    assert refused_tunnel.status_code == 503
    assert refused_tunnel.json()["code"] == "STL603"
    assert taken == 200
    resident = re.findall(r"^process_resident_memory_bytes (\d+)$", metrics, re.MULTILINE)
    assert 0.5 < int(resident[0]) / process < 2
    assert 0.5 < report["memory"]["process_bytes"] / process < 2


def _write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")
    return folder


@pytest.fixture
def v2(tmp_path: Path) -> dict[str, Path]:
    """A pod with a limit, and a container in it without one."""
    root = _write(tmp_path / "cgroup")
    _write(
        root / "pod",
        memory__current=str(950 * MIB),
        memory__max=str(1000 * MIB),
        memory__stat=f"anon 1\ninactive_file {30 * MIB}",
    )
    _write(root / "pod" / "app", memory__current=str(100 * MIB), memory__max="max")
    (tmp_path / "own").write_text("0::/pod/app\n")
    return {"cgroups": root, "own": tmp_path / "own"}


def test_the_tightest_limit_around_the_process_counts(v2: dict[str, Path]) -> None:
    """In cgroup v2; the file cache, which the kernel drops, is not counted."""
    memory = read_memory(**v2)

    assert (memory.cgroup_bytes, memory.limit_bytes) == (920 * MIB, 1000 * MIB)
    assert memory.is_almost_full
    assert memory.as_dict()["used_share"] == 0.92


def test_cgroup_v1_and_a_path_that_is_the_hosts(tmp_path: Path) -> None:
    """Inside of a container the path is not there: the mount itself is its cgroup."""
    root = _write(
        tmp_path / "cgroup" / "memory",
        memory__usage_in_bytes=str(300 * MIB),
        memory__limit_in_bytes=str(400 * MIB),
        memory__stat=f"total_inactive_file {100 * MIB}",
    )
    (tmp_path / "own").write_text("12:cpu,cpuacct:/docker/1\n11:memory:/docker/1\n0::/docker/1\n")
    paths = {"cgroups": root.parent, "own": tmp_path / "own"}
    memory = read_memory(**paths)
    (root / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    unlimited = read_memory(**paths)

    assert (memory.cgroup_bytes, memory.limit_bytes, memory.share) == (200 * MIB, 400 * MIB, 0.5)
    assert (unlimited.cgroup_bytes, unlimited.share) == (200 * MIB, None)


def test_without_cgroups_the_process_alone_is_reported(tmp_path: Path) -> None:
    memory = read_memory(cgroups=tmp_path, own=tmp_path / "none")

    assert memory.process_bytes > 0
    assert (memory.cgroup_bytes, memory.limit_bytes, memory.is_almost_full) == (None, None, False)


def test_this_machines_own_files_are_understood() -> None:
    memory = read_memory()

    assert memory.process_bytes == pytest.approx(psutil.Process().memory_info().rss, rel=0.5)


def test_the_warning_comes_once_and_again_after_a_relief(
    v2: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    """STL610 at 90 %, not at each look; again when it was below 80 % meanwhile."""
    current = v2["cgroups"] / "pod" / "memory.current"
    used_mib = iter([500, 950, 950, 890, 950, 700, 950])

    def read() -> Memory:
        current.write_text(str(next(used_mib) * MIB))
        return read_memory(**v2)

    stlaunch = logging.getLogger("stlaunch")
    propagates, stlaunch.propagate = stlaunch.propagate, True
    with pytest.raises(RuntimeError, match="StopIteration"):
        asyncio.run(watch_memory(read, every_s=0))
    stlaunch.propagate = propagates

    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 2
    assert warnings[0].startswith("STL610 920 of 1000 MiB of memory are in use; ")
    assert "--max-sessions" in warnings[0]
    assert memory_almost_full(read_memory(**v2)).code == "STL610"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "_stcore/upload_file/session/file"),
        ("POST", "_stlaunch/sink"),
        ("POST", "_stlaunch/tunnel"),
        ("POST", "_stlaunch/upload/one.two?offset=0"),
    ],
)
def test_a_body_of_a_gigabyte_is_never_held(tmp_path: Path, method: str, path: str) -> None:
    """Whatever takes bodies refuses it, or reads it piece by piece; and the app goes on."""
    chunk = b"100000\r\n" + bytes(1 << 20) + b"\r\n"
    with listening(tmp_path) as running:
        before = _most_memory_bytes(running.process.pid)
        with socket.create_connection(("127.0.0.1", running.port), timeout=DEADLINE_S) as client:
            client.sendall(
                f"{method} /{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Stlaunch: 1\r\n"
                "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode()
            )
            with contextlib.suppress(ConnectionError):  # it has been ended
                for _ in range(1024):
                    client.sendall(chunk)
                client.sendall(b"0\r\n\r\n")
            with contextlib.suppress(ConnectionError):
                client.recv(12)
        after = _most_memory_bytes(running.process.pid)
        assert running.get("/_stlaunch/ready")[0] == 200

    assert after - before < 100_000_000


def _most_memory_bytes(pid: int) -> int:
    (line,) = re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return 1024 * int(line)
