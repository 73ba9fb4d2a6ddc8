"""A page's end of the protocol in Python, one step at a time, for tests that break steps."""

from __future__ import annotations

from typing import Any, ClassVar

import httpx

from stlaunch.gateway.tunnel.frames import Flags, Frame, Inbox, Outbox, Received, decode_frames

OWN = {"x-stlaunch": "1"}


class Page:
    """One tunnel as a page sees it; the `serve` fixture closes all of them."""

    opened: ClassVar[list[Page]] = []

    def __init__(self, url: str, **headers: str) -> None:
        self.http = httpx.Client(timeout=20, headers={**OWN, **headers}, trust_env=False)
        self.opened.append(self)
        self.url = url
        self.tunnel = ""
        self.outbox = Outbox()
        self.inbox = Inbox(100_000_000)

    def open(self, **headers: str) -> httpx.Response:
        """Open the tunnel."""
        origin = {"origin": self.url.split("/app")[0]}
        protocols = {"x-stlaunch-protocols": "streamlit, PLACEHOLDER"}
        response = self.http.post(f"{self.url}/tunnel", headers={**origin, **protocols, **headers})
        if response.status_code == 200:
            self.tunnel = f"{self.url}/tunnel/{response.json()['id']}"
        return response

    def send(self, payload: bytes) -> None:
        """Queue a message and put all that waits."""
        self.outbox.put(payload, Flags.MORE)
        self.put()

    def put(self, frames: list[Frame] | None = None) -> httpx.Response:
        """Send frames, by default all that are not acknowledged."""
        body = b"".join(frame.encode() for frame in frames or self.outbox.after(0))
        response = self.http.post(self.tunnel, params=self.ack, content=body)
        if response.status_code == 200:
            self.outbox.acknowledge(response.json()["ack"])
        return response

    def poll(self, mode: str = "") -> list[Received]:
        """Receive what has come."""
        response = self.http.get(self.tunnel, params={**self.ack, "mode": mode})
        response.raise_for_status()
        return self.inbox.take(decode_frames(response.content))

    def read(self, count: int) -> list[Received]:
        """Poll until that many messages have come."""
        messages: list[Received] = []
        while len(messages) < count:
            messages += self.poll()
        return messages

    @property
    def ack(self) -> dict[str, Any]:
        return {"ack": self.inbox.acknowledged}
