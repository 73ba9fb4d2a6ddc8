"""Each touch point with Streamlit's internals, on whatever version is installed here.

CI runs this folder with the oldest and with the newest supported Streamlit.
"""

from __future__ import annotations

import logging
import threading
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from stlaunch import streamlit_adapter
from stlaunch.gateway.state import Readiness
from stlaunch.launcher.warm_up import warm_up
from stlaunch.streamlit_adapter import internals
from tests.harness.protocol import rerun_message


def _read_run(socket: WebSocketTestSession) -> None:
    while _read_kind(socket) != "script_finished":
        pass


def _read_kind(socket: WebSocketTestSession) -> str | None:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    message = ForwardMsg()
    message.ParseFromString(socket.receive_bytes())
    return message.WhichOneof("type")


def _read_no_further_run(socket: WebSocketTestSession) -> None:
    while True:
        assert _read_kind(socket) != "new_session"


def _read_to_the_end(socket: WebSocketTestSession) -> None:
    while True:
        socket.receive_bytes()


def test_sessions_are_seen_become_idle_and_close(client: TestClient) -> None:
    """What a drain needs: the running script, undelivered messages, a socket to close."""
    portal: Any = client.portal
    protocols = ["streamlit", "PLACEHOLDER_AUTH_TOKEN"]
    with client.websocket_connect("/app/_stcore/stream", subprotocols=protocols) as socket:
        (session,) = portal.call(streamlit_adapter.connected_sessions)
        before = session.is_running
        socket.send_bytes(rerun_message())
        _read_run(socket)
        while portal.call(lambda: session.is_busy):
            pass
        is_flushed = portal.call(streamlit_adapter.wait_for_flush)
        (connected,) = portal.call(internals.connected_sessions)
        has_undelivered = portal.call(internals.has_undelivered, *connected)
        portal.call(session.close, 1012)
        with pytest.raises(WebSocketDisconnect) as caught:
            _read_to_the_end(socket)

    assert not before
    assert is_flushed
    assert not has_undelivered
    assert session.has_socket
    assert caught.value.code == 1012


def test_a_run_that_is_going_is_seen(client: TestClient, streamlit_app: Any) -> None:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    portal: Any = client.portal
    protocols = ["streamlit", "PLACEHOLDER_AUTH_TOKEN"]

    async def start_and_look() -> tuple[bool, bool]:
        ((session, page),) = internals.connected_sessions()
        session.request_rerun(None)
        session._enqueue_forward_msg(ForwardMsg(parent_message={"message": "queued"}))
        return internals.is_running(session), internals.has_undelivered(session, page)

    with client.websocket_connect("/app/_stcore/stream", subprotocols=protocols) as socket:
        seen = portal.call(start_and_look)
        _read_run(socket)

    assert seen == (True, True)


def test_no_run_follows_the_one_that_is_going(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Neither what the script asks for by `st.rerun`, nor what the page asks for."""
    portal: Any = client.portal
    go_on = tmp_path / "go on"
    monkeypatch.setenv("SCRIPT_RERUNS_AFTER", str(go_on))
    # Python's own, which the launcher has, and which is silent about SystemExit.
    monkeypatch.setattr(threading, "excepthook", threading.__excepthook__)
    protocols = ["streamlit", "PLACEHOLDER_AUTH_TOKEN"]

    async def start_the_last_one() -> Any:
        ((session, _),) = internals.connected_sessions()
        session.request_rerun(None)
        internals.let_no_run_follow(session)
        session.request_rerun(None)
        go_on.touch()
        return session

    with client.websocket_connect("/app/_stcore/stream", subprotocols=protocols) as socket:
        session = portal.call(start_the_last_one)
        _read_run(socket)
        while portal.call(internals.is_running, session):
            pass
        session.request_rerun(None)
        starts = portal.call(internals.is_running, session)
        page = portal.call(streamlit_adapter.connected_sessions)[0]
        while portal.call(lambda: page.is_busy):
            pass
        assert portal.call(streamlit_adapter.wait_for_flush)
        portal.call(page.close, 1012)
        with pytest.raises(WebSocketDisconnect):
            _read_no_further_run(socket)
        for thread in threading.enumerate():
            if "ScriptRunner" in thread.name:
                thread.join()

    assert not starts


def test_sessions_share_what_is_known_about_modules(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second session resolves no module again, and both watch the same files as without it."""
    from streamlit.watcher import local_sources_watcher as watching

    watcher = watching.LocalSourcesWatcher
    resolved: list[Any] = []
    find = watching.get_module_paths
    monkeypatch.setattr(watching, "get_module_paths", lambda mod: resolved.append(mod) or find(mod))
    monkeypatch.setattr(watcher, "update_watched_modules", watcher.update_watched_modules)
    watched: list[set[str]] = []
    names: list[set[str]] = []

    def open_session() -> None:
        with client.websocket_connect("/app/_stcore/stream", subprotocols=protocols) as socket:
            socket.send_bytes(rerun_message())
            _read_run(socket)
            ((session, _),) = portal.call(internals.connected_sessions)
            own = session._local_sources_watcher
            while not own._cached_sys_modules:
                portal.call(streamlit_adapter.connected_sessions)
            names.append(own._cached_sys_modules)
            watched.append(set(own._watched_modules))

    portal: Any = client.portal
    protocols = ["streamlit", "PLACEHOLDER_AUTH_TOKEN"]
    open_session()
    of_the_first = len(resolved)
    internals.share_module_watch()
    internals.share_module_watch()  # once is enough
    open_session()
    resolved.clear()
    open_session()
    usual = [mod for mod in resolved if type(mod) is ModuleType]
    anew = {mod.__name__ for mod in usual if getattr(mod, "__file__", None)}

    assert anew <= {"__main__"}  # a module of its own for each run of the script
    assert of_the_first > 100
    assert names[1] is names[2]
    assert watched[0] == watched[1] == watched[2]


class _Slotted:
    """What some packages leave in sys.modules in place of a module."""

    __slots__ = ("__file__", "__weakref__")


class _Unequal(ModuleType):
    def __hash__(self) -> int:
        raise RuntimeError("a lazy module that loads itself, and fails")


@pytest.mark.parametrize("stranger", [_Slotted(), _Unequal("lazy")], ids=["slots", "hash"])
def test_what_is_no_usual_module_is_left_to_streamlit(
    stranger: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from streamlit.watcher import local_sources_watcher as watching

    watcher = watching.LocalSourcesWatcher
    stranger.__file__ = __file__
    monkeypatch.setattr(watching, "get_module_paths", watching.get_module_paths)
    monkeypatch.setattr(watcher, "update_watched_modules", watcher.update_watched_modules)
    before = watching.get_module_paths(stranger)
    internals.share_module_watch()

    assert watching.get_module_paths(stranger) == before == {__file__}


def test_options_and_files() -> None:
    assert "server.port" in internals.option_templates()
    assert any(file.endswith("config.toml") for file in internals.config_files())
    assert internals.static_folder()


def test_a_throw_away_run_reports_whether_it_worked(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    portal: Any = client.portal
    fine = portal.call(streamlit_adapter.run_once)
    sessions = portal.call(streamlit_adapter.connected_sessions)
    monkeypatch.setenv("SCRIPT_FAILS", "1")

    assert fine == ""
    assert sessions == []
    assert "raised an error" in portal.call(streamlit_adapter.run_once)


def test_the_warm_up_gives_up_and_says_why(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The limit on tries: not ready, with the reason in the answer and in the log."""
    monkeypatch.setenv("SCRIPT_FAILS", "1")
    monkeypatch.setattr(logging.getLogger("stlaunch"), "propagate", True)
    readiness = Readiness(is_started=True, not_warm="warming up")
    portal: Any = client.portal
    portal.call(partial(warm_up, readiness, pauses_s=(0.0, 0.0)))

    assert not readiness.is_ready
    assert readiness.reason.startswith("the warm-up failed 3 times: the script raised an error")
    assert "Warm-up run 3 of 3" in caplog.text
    assert "The app stays not ready" in caplog.text


def test_the_page_of_a_message_is_read() -> None:
    """The first page comes by name; other messages name none."""
    from streamlit.proto.BackMsg_pb2 import BackMsg

    named, other = BackMsg(), BackMsg(clear_cache=True)
    named.rerun_script.page_name = "report"

    assert streamlit_adapter.page_of(named.SerializeToString()) == "/report"
    assert streamlit_adapter.page_of(rerun_message()) == "/"
    assert streamlit_adapter.page_of(other.SerializeToString()) is None
    assert streamlit_adapter.page_of(b"\xff not a message") is None


def test_streamlits_loggers_write_through_one_handler(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those that exist, and those that come later."""
    from streamlit import logger as streamlit_logger

    monkeypatch.setattr(streamlit_logger, "setup_formatter", streamlit_logger.setup_formatter)
    lines: list[str] = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", lambda record: lines.append(record.getMessage()))
    early = streamlit_logger.get_logger("streamlit.early")
    internals.log_through(handler)
    early.error("early")
    streamlit_logger.get_logger("streamlit.late").error("late")
    monkeypatch.undo()
    streamlit_logger.update_formatter()

    assert lines == ["early", "late"]
