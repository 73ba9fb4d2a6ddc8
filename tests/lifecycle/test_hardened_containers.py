"""Where containers are hardened: nothing writable, nobody's user, no network but the loopback.

The namespaces, mounts and users are real; where a tool is missing these tests fail.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

from tests.conftest import REPOSITORY
from tests.lifecycle.running import DEADLINE_S, STLAUNCH, Running, as_user, listening

HARDEN = (
    "ip link set lo up && mount --bind . /mnt && mount -t tmpfs -o size=64m,mode=1777 none /tmp"
    " && mount -o remount,bind,ro /mnt && mount -o remount,bind,ro / && cd /mnt && unset HOME"
)
SHOW = """\
import sys
from tests.harness.protocol import open_session
with open_session(sys.argv[1]) as page:
    print(page.shown("mode=shown"))
"""


def inside(running: Running, *namespaces: str) -> list[str]:
    """Return the start of a command that runs where the app runs, as `docker exec` does."""
    return ["nsenter", f"--target={running.innermost()}", *namespaces]


def shown(running: Running, url: str) -> str:
    """Run the script over the app's socket, from inside of its network."""
    command = [*inside(running, "--net"), sys.executable, "-c", SHOW, url]
    done = subprocess.run(
        command, cwd=REPOSITORY, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert done.returncode == 0, done.stderr + running.log()
    return done.stdout


def health(running: Running, *words: str, before: tuple[str, ...] = ()) -> tuple[int, str]:
    namespaces = ("--net", "--pid", "--mount")
    command = [*inside(running, *namespaces), *before, *STLAUNCH, "health", *words]
    done = subprocess.run(
        command, cwd="/", env={"PATH": os.environ["PATH"]}, capture_output=True, text=True,
        timeout=DEADLINE_S, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def namespace(setup: str, *then: str, flags: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return a command that runs another one in namespaces of its own, after `setup`."""
    script = f'{setup} && exec {shlex.join(then)} "$@"'
    own = ("unshare", "--net", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child")
    return (*flags, *own, "sh", "-c", script, "sh")


def test_a_hardened_container_without_network(tmp_path: Path) -> None:
    """Read-only root, 64 MB of /tmp, no HOME, no passwd entry, no writable folder, no route.

    Nothing ever tries to reach another machine, so nothing can wait for one either.
    """
    tmp_path.chmod(0o755)
    trace = tmp_path / "trace"
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    tracing = ("strace", "-f", "-qq", "--seccomp-bpf", "-e", calls, "-o", str(trace))
    stranger = as_user(54321, group=0)
    around = namespace(HARDEN, *stranger, flags=tracing)
    with listening(tmp_path, "--behind-proxy", "/app", around=around) as running:
        text = shown(running, f"http://127.0.0.1:{running.port}/app/")
        found = health(running, before=stranger)
        running.send(signal.SIGTERM)
        code = running.wait()
        log = running.log()

    assert "finished shown" in text
    assert found == (0, f"http://127.0.0.1:{running.port}/app/ ready\n")
    assert code == 0, log
    assert "/tmp/" in re.findall(r"config.toml is in a temporary folder: (\S+)", log)[0]
    assert "Traceback" not in log
    sent = trace.read_text(errors="replace").splitlines()
    assert sent
    assert [line for line in sent if "AF_INET" in line and not _is_loopback(line)] == []


def _is_loopback(line: str) -> bool:
    return 'inet_addr("127.' in line or 'inet_pton(AF_INET6, "::1"' in line


def test_a_container_with_ipv4_alone(tmp_path: Path) -> None:
    setup = "echo 1 > /proc/sys/net/ipv6/conf/all/disable_ipv6 && ip link set lo up"
    around = namespace(setup, "env", "container=docker")
    with listening(tmp_path, "--host", "0.0.0.0", around=around) as running:
        text = shown(running, f"http://127.0.0.1:{running.port}/")
        found = health(running, f"http://127.0.0.1:{running.port}")

    assert "finished shown" in text
    assert found[0] == 0


def test_a_container_with_ipv6_alone(tmp_path: Path) -> None:
    """All interfaces, the default here, means those of both families."""
    setup = "ip link set lo up && ip address del 127.0.0.1/8 dev lo"
    around = namespace(setup, "env", "container=docker")
    with listening(tmp_path, "--port", "0", around=around, host="") as running:
        text = shown(running, f"http://[::1]:{running.port}/")
        found = health(running, f"http://[::1]:{running.port}")

    assert "finished shown" in text
    assert found[0] == 0
