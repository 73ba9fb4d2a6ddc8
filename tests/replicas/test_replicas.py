"""`stlaunch replicas` with real instances behind a real HAProxy: affinity, deaths, rolls, ends."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from stlaunch.replicas.instance import Place
from tests.conftest import REPOSITORY
from tests.harness.ports import free_port
from tests.harness.protocol import open_session
from tests.harness.server import RunningServer, measured_environment, start_server

pytestmark = [pytest.mark.proxy, pytest.mark.timeout(600)]

APP = REPOSITORY / "tests" / "apps" / "replica" / "streamlit_app.py"
DEADLINE_S = 90.0


@contextmanager
def replicas(
    count: int, *flags: str, app: Path = APP, python: Path = Path(sys.executable)
) -> Iterator[RunningServer]:
    port = free_port()
    command = [str(python), "-m", "stlaunch", "replicas", str(count), str(app), *flags]
    with start_server(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        cwd=app.parent,
        env={
            "STREAMLIT_SERVER_TRUSTED_USER_HEADERS": '{"X-User": "user"}',
            **measured_environment(),
        },
        ready_path="/_stlaunch/ready",
        port=port,
    ) as server:
        server.wait_for_log("kill -HUP", timeout_s=DEADLINE_S)
        yield server


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with replicas(2) as server:
        yield server


def wait_until(is_true: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_true():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)


def instances(server: RunningServer) -> set[int]:
    """The process ids of the instances; the balancer is the other child."""
    found = set()
    for child in psutil.Process(server.pid).children():
        try:
            if "--uds" in child.cmdline():
                found.add(child.pid)
        except psutil.Error:  # it has just ended
            continue
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: str


def get(server: RunningServer) -> Answer:
    """Open the front page as a browser without cookies."""
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.request("GET", "/")
        response = connection.getresponse()
        body = response.read().decode()
        return Answer(status=response.status, headers=response.headers, body=body)


def affinity_cookie(server: RunningServer) -> str:
    cookies = get(server).headers.get_all("Set-Cookie") or []
    (cookie,) = [line for line in cookies if line.startswith("stlaunch_replica_")]
    assert "HttpOnly" in cookie
    return cookie.partition(";")[0]


def process_for(server: RunningServer, cookie: str) -> int:
    """Run the script as the browser with this cookie, and return the process that ran it."""
    with open_session(server.url, {"Cookie": cookie}) as session:
        return int(re.search(r"pid=(\d+)", session.shown())[1])


def self_check_status(server: RunningServer, cookie: str, token: str) -> int:
    headers = {"Cookie": cookie, "X-Stlaunch-Token": token}
    with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
        connection.request("GET", "/_stlaunch/check", headers=headers)
        return connection.getresponse().status


def ready_processes(server: RunningServer) -> set[int]:
    return {process_for(server, affinity_cookie(server)) for _ in range(4)}


def test_browser_stays_with_its_instance(server: RunningServer) -> None:
    """Two browsers go to two instances, and each of them comes back to its own."""
    first, second = affinity_cookie(server), affinity_cookie(server)
    assert first != second
    processes = [process_for(server, cookie) for cookie in (first, second) * 3]

    assert len(set(processes)) == 2
    assert processes == processes[:2] * 3
    assert set(processes) == instances(server)


def test_one_banner_covers_all_instances(server: RunningServer) -> None:
    """The facts appear once, with one line for each instance."""
    log = server.log()

    assert log.count("listening on") == 1
    assert log.count("trusted proxies") == 1
    assert re.search(r"\n  instances +2 behind HAProxy\n", log)
    for pid in instances(server):
        assert log.count(f"(pid {pid}) is ready.") == 1


def test_token_of_the_self_check_is_shared() -> None:
    """One token, shown once, opens the self-check of every instance."""
    with replicas(2, "--self-check", "token") as server:
        (token,) = re.findall(r"with the token (\S+) \(shown once\)", server.log())
        asked = [
            (process_for(server, cookie), self_check_status(server, cookie, token))
            for cookie in (affinity_cookie(server), affinity_cookie(server))
        ]

    assert len({pid for pid, _ in asked}) == 2
    assert [status for _, status in asked] == [200, 200]


def test_secret_is_shared_and_on_no_command_line(server: RunningServer) -> None:
    """All instances have the same one, in their environment; no argument and no file holds it."""
    secrets = set()
    for pid in instances(server):
        process = psutil.Process(pid)
        secrets.add(process.environ()["STREAMLIT_SERVER_COOKIE_SECRET"])
    (secret,) = secrets
    assert len(secret) == 64

    family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
    assert all(secret not in " ".join(process.cmdline()) for process in family)
    home = Path(server.env["HOME"])
    texts = [path.read_text(errors="replace") for path in home.rglob("*") if path.is_file()]
    assert texts
    assert all(secret not in text for text in texts)


def test_page_of_one_instance_is_proof_at_another(server: RunningServer) -> None:
    """A token that one instance signed opens a socket with a rewritten Host at the other one."""
    page = get(server)
    cookies = [line.partition(";")[0] for line in page.headers.get_all("Set-Cookie") or []]
    (proof,) = [cookie for cookie in cookies if cookie.startswith("stlaunch=")]
    (here,) = [cookie for cookie in cookies if cookie.startswith("stlaunch_replica_")]
    tokens = re.search(r'data-tokens="([^"]+)"', page.body)[1].split()
    there = next(cookie for _ in range(8) if (cookie := affinity_cookie(server)) != here)

    def answer_to(token: str) -> int:
        headers = {"Cookie": f"{proof}; {there}", "Origin": "http://app.example.test"}
        protocols: list[Any] = ["streamlit", "PLACEHOLDER_AUTH_TOKEN", f"stlaunch.{token}"]
        address = server.url.replace("http", "ws", 1) + "_stcore/stream"
        try:
            with connect(address, subprotocols=protocols, additional_headers=headers):
                return 101
        except InvalidStatus as exc:
            return exc.response.status_code

    assert sorted(map(answer_to, tokens)) == [101, 403]  # one is for http, one for https
    assert answer_to("x" * 43) == 403


def test_trusted_proxy_is_believed(server: RunningServer) -> None:
    """The proxy in front of the balancer tells the client, the scheme and the user."""
    forwarded = {
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Proto": "https",
        "X-User": "ada",
    }
    with open_session(server.url, forwarded) as session:
        shown = session.shown()

    assert "ip=203.0.113.7" in shown
    assert "user=ada" in shown


def test_stranger_is_not_believed() -> None:
    """What only a trusted proxy may say is removed by the balancer."""
    with replicas(1, "--trusted-proxies", "192.0.2.1") as server:
        forged = {"X-Forwarded-For": "203.0.113.7", "X-User": "root", "Forwarded": "for=1.2.3.4"}
        with open_session(server.url, forged) as session:
            shown = session.shown()

    assert "ip=127.0.0.1" in shown or "ip=None" in shown  # loopback has no public address
    assert "user=None" in shown


def test_dead_instance_and_dead_balancer_are_replaced(server: RunningServer) -> None:
    """Kill -9 of one instance, then of HAProxy: soon both of them run again."""
    before = instances(server)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    server.wait_for_log(f"(pid {victim}) ended with exit code -9", timeout_s=DEADLINE_S)
    wait_until(lambda: len(instances(server) - {victim}) == 2, "two instances again")
    wait_until(lambda: len(ready_processes(server)) == 2, "both of them serve")
    assert before - {victim} < instances(server)

    (balancer,) = [
        child
        for child in psutil.Process(server.pid).children()
        if child.pid not in instances(server)
    ]
    balancer.kill()
    server.wait_for_log("The balancer is running again", timeout_s=DEADLINE_S)
    assert get(server).status == 200


def test_a_frozen_replica_gets_no_visitors_until_it_answers_again(server: RunningServer) -> None:
    """Alive to the kernel, dead to people: HAProxy's own checks notice."""
    wait_until(lambda: ready_processes(server) == instances(server), "both serve")
    frozen = min(instances(server))
    os.kill(frozen, signal.SIGSTOP)
    try:
        server.wait_for_log(f"(pid {frozen}) has stopped answering", timeout_s=DEADLINE_S)
        served = ready_processes(server)
    finally:
        os.kill(frozen, signal.SIGCONT)
    server.wait_for_log(f"(pid {frozen}) answers again", timeout_s=DEADLINE_S)
    wait_until(lambda: frozen in ready_processes(server), "it serves again")

    assert served == instances(server) - {frozen}


def test_what_is_known_of_a_process_ends_with_it(tmp_path: Path) -> None:
    """The next one in its place has not "stopped answering" because it never did yet."""
    place = Place(1, tmp_path)
    sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]
    try:
        place.start(sleeping, [], os.environ, 0)
        place.has_answered = place.is_silent = True
        place.end_now()
        place.start(sleeping, [], os.environ, 1)
        known = place.has_answered, place.is_silent
    finally:
        place.end_now()

    assert known == (False, False)


def test_hangup_replaces_all_without_a_gap(server: RunningServer) -> None:
    """While the instances are exchanged one by one, every page is answered."""
    statuses = statuses_of_a_roll(server)
    wait_until(lambda: ready_processes(server) == instances(server), "the new ones serve")

    assert set(statuses) == {200}
    assert len(statuses) > 4


def statuses_of_a_roll(server: RunningServer) -> list[int]:
    """Replace all instances, and request the page all the time."""
    before = instances(server)
    os.kill(server.pid, signal.SIGHUP)
    statuses = []
    deadline = time.monotonic() + DEADLINE_S
    while before & instances(server) or len(instances(server)) != len(before):
        statuses.append(get(server).status)
        assert time.monotonic() < deadline, server.log()
    return [*statuses, get(server).status]


def test_failed_roll_leaves_the_old_ones(tmp_path: Path) -> None:
    """A new instance that cannot start ends the rolling restart, and nothing else."""
    app = tmp_path / "streamlit_app.py"
    app.write_bytes(APP.read_bytes())
    with replicas(1, app=app) as server:
        (before,) = instances(server)
        (tmp_path / "stlaunch.toml").write_text("nonsense = 1\n")
        os.kill(server.pid, signal.SIGHUP)
        server.wait_for_log("the rolling restart stops here", timeout_s=DEADLINE_S)
        assert "ended with exit code 2 before it was ready" in server.log()
        assert instances(server) == {before}

        (tmp_path / "stlaunch.toml").unlink()
        assert set(statuses_of_a_roll(server)) == {200}  # though there was one alone


def test_a_roll_that_finds_no_python_leaves_the_old_ones(tmp_path: Path) -> None:
    """A deployment replaces the virtual environment: nothing can be started for a moment."""
    environment = Path(sys.prefix)
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    (tmp_path / "lib").symlink_to(environment / "lib")
    (tmp_path / "pyvenv.cfg").write_bytes((environment / "pyvenv.cfg").read_bytes())
    python.symlink_to(Path(sys.executable).resolve())
    with replicas(1, python=python) as server:
        (before,) = instances(server)
        python.unlink()
        os.kill(server.pid, signal.SIGHUP)
        server.wait_for_log("the rolling restart stops here", timeout_s=DEADLINE_S)
        os.kill(before, signal.SIGKILL)
        server.wait_for_log("another one starts in 2 s", timeout_s=DEADLINE_S)
        python.symlink_to(Path(sys.executable).resolve())

        wait_until(lambda: get(server).status == 200, "another one serves")


def test_what_drains_already_is_asked_once(tmp_path: Path) -> None:
    """A second signal would end it at once; a stop may come while a rolling restart drains it."""
    told = tmp_path / "told"
    code = (
        "import signal, sys, time\n"
        "def note(number, _):\n"
        "    with open(sys.argv[3], 'a') as file:\n"
        "        file.write(f'{number} ')\n"
        "signal.signal(signal.SIGTERM, note)\n"
        "signal.signal(signal.SIGWINCH, note)\n"
        "open(sys.argv[3], 'w').close()\n"
        "while True:\n"
        "    time.sleep(0.01)\n"
    )
    place = Place(1, tmp_path)
    try:
        place.start([sys.executable, "-c", code], [str(told)], os.environ, 0)
        wait_until(told.exists, "it runs")
        place.drain()
        wait_until(lambda: told.read_text() == f"{signal.SIGTERM:d} ", "it was asked")
        place.drain()
        os.kill(place.pid or 0, signal.SIGWINCH)
        wait_until(lambda: told.read_text().endswith(f"{signal.SIGWINCH:d} "), "all have come")
        numbers = told.read_text().split()
    finally:
        place.end_now()

    assert numbers == [f"{signal.SIGTERM:d}", f"{signal.SIGWINCH:d}"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)], ids=["term", "int"]
)
def test_signal_ends_all_of_it(number: signal.Signals, code: int) -> None:
    with replicas(2) as server:
        family = psutil.Process(server.pid).children(recursive=True)
        sockets = [
            Path(word) for process in family for word in process.cmdline() if ".sock" in word
        ]
        assert len(family) == 3
        assert all(socket.exists() for socket in sockets)
        supervisor = server._process
        os.kill(server.pid, number)

        assert supervisor.wait(DEADLINE_S) == code
        assert not any(process.is_running() for process in family)
        assert not any(socket.parent.exists() for socket in sockets)


def test_killed_supervisor_leaves_no_child() -> None:
    """Kill -9: the kernel notifies the instances and HAProxy, and they end by themselves."""
    with replicas(2) as server:
        family = psutil.Process(server.pid).children(recursive=True)
        assert len(family) == 3
        os.kill(server.pid, signal.SIGKILL)

        wait_until(lambda: not any(is_alive(process) for process in family), "all have ended")


def is_alive(process: psutil.Process) -> bool:
    """Return whether it runs; nobody may be there to reap an orphan."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_taken_port_and_broken_app_are_reported(tmp_path: Path) -> None:
    """Both end the command with 3 and a sentence; no process is left."""
    command = [sys.executable, "-m", "stlaunch", "replicas", "2"]
    app = tmp_path / "main.py"
    app.write_text("from fastapi import FastAPI\napp = FastAPI()\nraise ValueError('broken')\n")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environ = {**os.environ, "HOME": str(tmp_path)}
        return subprocess.run(
            [*command, *words],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(str(APP), "--host", "127.0.0.1", "--port", str(port))
        assert done.returncode == 3
        assert f"Port {port} is taken on 127.0.0.1." in done.stderr
    done = run("main.py", "--host", "127.0.0.1", "--port", "0")
    assert done.returncode == 3
    assert "ValueError: broken" in done.stderr
    assert re.search(r"Error: Instance \d ended with exit code 3 before it was ready", done.stderr)
