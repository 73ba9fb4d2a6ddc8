"""A client that opens an app as its page does: over HTTP, then over the WebSocket.

Owns one visit. It must not know what is between it and the app.
"""

from __future__ import annotations

import http.client
import time
from http import HTTPStatus

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect
from websockets.typing import Origin, Subprotocol

_DEADLINE_S = 30.0


def get(port: int, path: str) -> tuple[int, dict[str, str], str]:
    """GET a path of 127.0.0.1, with no redirect followed: status, headers, body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers={"Host": f"localhost:{port}"})
        response = connection.getresponse()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return response.status, headers, response.read().decode()
    finally:
        connection.close()


def open_app(port: int, base: str, wanted: str) -> None:
    """Load the page at `base` (with its slash), connect, run the script: it shows `wanted`."""
    status, _, body = get(port, base)
    assert status == HTTPStatus.OK, body
    assert "_stlaunch/page.js" in body
    assert get(port, f"{base}_stcore/health")[0] == HTTPStatus.OK

    rerun = BackMsg()
    rerun.rerun_script.query_string = ""
    with connect(
        f"ws://localhost:{port}{base}_stcore/stream",
        origin=Origin(f"http://localhost:{port}"),
        subprotocols=[Subprotocol("streamlit")],
        max_size=None,
        proxy=None,
    ) as socket:
        socket.send(rerun.SerializeToString())
        shown = b""
        deadline = time.monotonic() + _DEADLINE_S
        while True:
            frame = socket.recv(timeout=deadline - time.monotonic(), decode=False)
            shown += frame
            if ForwardMsg.FromString(frame).WhichOneof("type") == "script_finished":
                break
    assert wanted.encode() in shown
