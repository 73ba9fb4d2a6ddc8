"""A session over Streamlit's own protocol: run the script and read what it shows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from websockets.sync.client import ClientConnection, connect

_DEADLINE_S = 120


class Session:
    """One page's connection."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def rerun(self, query: str = "") -> list[Any]:
        """Run the script once; return its ForwardMsgs up to "script finished"."""
        self.start_run(query)
        return self.read_until("script_finished")

    def start_run(self, query: str = "") -> None:
        """Ask for a run of the script, and do not wait for it."""
        self.socket.send(rerun_message(query))

    def read_until(self, kind: str) -> list[Any]:
        """Read messages up to and including the first of a kind."""
        messages = []
        while True:
            messages.append(self.read())
            if messages[-1].WhichOneof("type") == kind:
                return messages

    def read(self) -> Any:
        """Read one ForwardMsg."""
        from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

        message = ForwardMsg()
        data = self.socket.recv(timeout=_DEADLINE_S)
        assert isinstance(data, bytes)
        message.ParseFromString(data)
        return message

    def shown(self, query: str = "") -> str:
        """Run the script and return all text that it shows."""
        bodies = []
        for message in self.rerun(query):
            element = message.delta.new_element
            bodies += [element.markdown.body, element.heading.body, element.text.body]
            bodies.append(element.exception.message)
        return "\n".join(body for body in bodies if body)


def rerun_message(query: str = "") -> bytes:
    """Return the BackMsg by which a page asks for a run."""
    from streamlit.proto.BackMsg_pb2 import BackMsg

    message = BackMsg()
    message.rerun_script.query_string = query
    return bytes(message.SerializeToString())


@contextmanager
def open_session(url: str, headers: Mapping[str, str] | None = None) -> Iterator[Session]:
    """Connect to the app at `url` (http, with its final slash); like a browser, it never pings."""
    stream = url.replace("http", "ws", 1) + "_stcore/stream"
    protocols: Any = ["streamlit", "PLACEHOLDER_AUTH_TOKEN"]
    with connect(
        stream,
        subprotocols=protocols,
        additional_headers=dict(headers or {}),
        max_size=None,
        ping_interval=None,
    ) as socket:
        yield Session(socket)
