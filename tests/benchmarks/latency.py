"""Rerun latency: from the page's request to "script finished", over each way to the app."""

from __future__ import annotations

import importlib.util
import re
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from tests.benchmarks.servers import (
    APP,
    BARE,
    OURS,
    PATH,
    app_url,
    interleave,
    memory_mb,
    percentile,
    start_trio,
)
from tests.benchmarks.table import Measured, Samples
from tests.fallback.client import Page
from tests.harness.ports import free_port
from tests.harness.protocol import Session, open_session, rerun_message
from tests.harness.proxies import start_proxy
from tests.harness.server import bare_streamlit, start_server, stlaunch_app

RERUNS = 60
SESSIONS = 50
ROUNDS_EACH = 4
MS = "ms"


def measure_rerun(pairs: int) -> Measured:
    """One session alone, then fifty that each rerun once a second."""
    found: dict[str, Samples | str] = {}
    with start_trio() as trio:
        for name, latencies, rounds in (
            ("rerun-1", _alone, pairs * 2),
            ("rerun-50", _among_fifty, pairs),
        ):
            seen: dict[str, list[list[float]]] = {kind: [] for kind in trio.in_turn}
            turns = {
                kind: partial(_collect, latencies, app_url(server), seen[kind])
                for kind, server in trio.in_turn.items()
            }
            interleave(rounds, turns)
            for percent in (50, 99):
                values = {
                    kind: [percentile(batch, percent) for batch in batches[-rounds:]]
                    for kind, batches in seen.items()
                }
                found[f"{name}-p{percent}"] = Samples(**values, scale=MS)
    return found


def measure_nginx(pairs: int) -> Measured:
    """Both through the configuration that nginx's documentation recommends."""
    with start_trio() as trio, ExitStack() as stack:
        turns = {}
        for kind, server in trio.in_turn.items():
            proxy = stack.enter_context(
                start_proxy("nginx", "recommended", server.port, keep_prefix=True, base_path=PATH)
            )
            turns[kind] = partial(_median, _alone, f"{proxy.url_for('127.0.0.1')}")
        return {"rerun-nginx": Samples(**interleave(pairs * 2, turns), scale=MS)}


def measure_fallback(pairs: int) -> Measured:
    """The same app through two nginx: one drops the upgrade, one hands it on."""
    with stlaunch_app(APP, free_port(), *OURS) as server, ExitStack() as stack:
        urls = {
            setup: stack.enter_context(
                start_proxy("nginx", setup, server.port, keep_prefix=True, base_path=PATH)
            ).url_for("127.0.0.1")
            for setup in ("blog", "recommended")
        }
        turns = {
            "ours": partial(_median, _over_tunnel, urls["blog"]),
            "bare": partial(_median, _alone, urls["recommended"]),
            "again": partial(_median, _alone, urls["recommended"]),
        }
        return {"fallback": Samples(**interleave(pairs, turns), scale=MS)}


def measure_jupyter(pairs: int) -> Measured:
    """Against jupyter-server-proxy (standalone) in front of `streamlit run`."""
    names = ("jupyter-rerun", "jupyter-memory")
    if importlib.util.find_spec("jupyterhub") is None:  # which the standalone mode needs
        return dict.fromkeys(names, "uv sync --group benchmarks")
    port = free_port()
    inner = ["streamlit", "run", str(APP), "--server.port={port}", "--server.headless=true"]
    program = Path(sys.executable).with_name("jupyter-standaloneproxy")
    command = [str(program), "--port", str(port)]
    command += ["--address", "127.0.0.1", "--base-url", PATH, "--no-authentication", "--"]
    command += [sys.executable, "-m", *inner, "--browser.gatherUsageStats=false"]
    with (
        start_server(
            command, cwd=APP.parent, ready_path=f"{PATH}/_stcore/health", port=port
        ) as theirs,
        stlaunch_app(APP, free_port(), *OURS) as ours,
        bare_streamlit(APP, free_port(), *BARE),
    ):
        turns = {
            "ours": partial(_median, _alone, app_url(ours)),
            "bare": partial(_median, _alone, app_url(theirs)),
        }
        latency = Samples(**interleave(pairs, turns), scale=MS)
        memory = {"ours": [memory_mb(ours.pid)], "bare": [memory_mb(theirs.pid)]}
        return {names[0]: latency, names[1]: Samples(**memory, scale="MB")}


def _collect(
    latencies: Callable[[str], list[float]], url: str, batches: list[list[float]]
) -> float:
    batches.append(latencies(url))
    return 0.0


def _median(latencies: Callable[[str], list[float]], url: str) -> float:
    return percentile(latencies(url), 50)


def _alone(url: str) -> list[float]:
    with open_session(url) as session:
        session.rerun()
        return [_timed(session.rerun) for _ in range(RERUNS)]


def _among_fifty(url: str) -> list[float]:
    with ExitStack() as stack:
        sessions = [stack.enter_context(open_session(url)) for _ in range(SESSIONS)]
        for session in sessions:
            session.rerun()
        found: list[float] = []
        begin = time.perf_counter() + 0.1
        threads = [
            threading.Thread(target=_once_a_second, args=(session, begin + index / SESSIONS, found))
            for index, session in enumerate(sessions)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found


def _once_a_second(session: Session, begin: float, found: list[float]) -> None:
    for number in range(ROUNDS_EACH):
        time.sleep(max(0.0, begin + number - time.perf_counter()))
        found.append(_timed(session.rerun))


def _over_tunnel(url: str) -> list[float]:
    page = Page(f"{url}_stlaunch")
    text = page.http.get(url).text  # and the cookies
    found = re.search(r'data-tokens="(\S+) (\S+)"', text)
    assert found is not None, text
    protocols = f"streamlit, PLACEHOLDER, stlaunch.{found[2]}"
    origin = url.removesuffix(f"{PATH}/")
    stop = threading.Event()
    finished = threading.Semaphore(0)

    def poll() -> None:
        while not stop.is_set():
            for message in page.poll():
                if _is_last(message.payload):
                    finished.release()

    def rerun() -> None:
        page.send(rerun_message())
        if not finished.acquire(timeout=30):
            raise TimeoutError("no script finished over the tunnel")

    opened = page.open(**{"origin": origin, "x-stlaunch-protocols": protocols})
    opened.raise_for_status()
    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        rerun()
        return [_timed(rerun) for _ in range(RERUNS)]
    finally:
        stop.set()
        page.send(rerun_message())  # the waiting poll returns
        thread.join()
        page.http.delete(page.tunnel)
        page.http.close()


def _is_last(payload: bytes) -> bool:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    message = ForwardMsg()
    message.ParseFromString(payload)
    return message.WhichOneof("type") == "script_finished"


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return (time.perf_counter() - started) * 1000
