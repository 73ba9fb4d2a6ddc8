"""Each touch point with Streamlit's internals, on whatever version is installed here.

CI runs this folder with the oldest and with the newest supported Streamlit.
"""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from stlaunch import streamlit_adapter
from stlaunch.streamlit_adapter import internals
from tests.harness.protocol import rerun_message


def _read_run(socket: WebSocketTestSession) -> None:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    message = ForwardMsg()
    while message.WhichOneof("type") != "script_finished":
        message.ParseFromString(socket.receive_bytes())


def _read_to_the_end(socket: WebSocketTestSession) -> None:
    while True:
        socket.receive_bytes()


def test_sessions_are_seen_settle_and_close(client: TestClient) -> None:
    """What a drain needs: a run that is going, messages on their way, a socket to close."""
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


def test_options_and_files() -> None:
    assert "server.port" in internals.option_templates()
    assert any(file.endswith("config.toml") for file in internals.config_files())
    assert internals.static_folder()
