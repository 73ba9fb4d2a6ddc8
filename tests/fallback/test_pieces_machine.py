"""An upload in pieces under everything that a network and a page can do to it, as a state machine.

The real endpoint, below all layers, with an app that keeps what it reads: it reads what was sent,
each byte once and in order, whatever was lost, repeated, late or cut; and an end leaves nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.gateway.middleware.base_path import BasePathMiddleware
from stlaunch.gateway.places import Places
from stlaunch.gateway.uploads.pieces import UploadPiecesEndpoint
from stlaunch.urls.streamlit_routes import RequestKind
from tests.asgi.driver import make, make_scope
from tests.fallback.app import run_ready_tasks

T = TypeVar("T")
PIECES = "/app/_stlaunch/upload"
SIZES = st.integers(1, 40) | st.just(300_000)
REFUSED_AT = 25
# No part of it is like another that begins nearby.
_PATTERN = b"".join(number.to_bytes(2, "big") for number in range(1000))


class _App:
    """Keeps what it reads; refuses what is larger than it takes, before it has read it all."""

    def __init__(self) -> None:
        self.read = bytearray()
        self.is_small = False
        self.ended = 0

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        self.read.clear()
        more = True
        try:
            while more and not (self.is_small and len(self.read) > REFUSED_AT):
                message = await receive()
                self.read += message["body"]
                more = message["more_body"]
        finally:
            self.ended += 1
        status = 413 if more else 204
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b"the app's own words"})


def _endpoint(app: ASGIApp) -> UploadPiecesEndpoint:
    while not isinstance(app, BasePathMiddleware):
        app = app.app  # type: ignore[attr-defined]
    found = app.app.chains["http", RequestKind.PIECES].make()  # type: ignore[attr-defined]
    assert isinstance(found, UploadPiecesEndpoint)
    return found


class PiecesMachine(RuleBasedStateMachine):
    """One page, one carrier without honour, two replicas, and another browser."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.inner = _App()
        self.app, self.other = make(self.inner), make(_App())
        self.endpoint = _endpoint(self.app)
        # Time passes when a rule says so: on a busy machine the real sweeper would come in between.
        self.endpoint._sweeper = self.loop.create_future()  # type: ignore[assignment]
        self.none_taken = Places(self.endpoint._places.limits)
        self.id = ""
        self.content = b""
        self.expected = 0
        self.status = 0
        self.late: list[tuple[int, bytes]] = []

    # -- the page

    @precondition(lambda self: not self.id)
    @rule(size=SIZES, is_small=st.booleans(), seed=st.integers(0, 255))
    def open(self, size: int, *, is_small: bool, seed: int) -> None:
        """Begin an upload, or another one after the last."""
        self.inner.is_small = is_small
        self.content = (_PATTERN * (1 + size // 1000))[seed : seed + size]
        headers = [("x-stlaunch-target", "session/file"), ("x-stlaunch-size", str(size))]
        status, answer = self.request("POST", PIECES, headers=headers)
        assert (status, answer["expected"]) == (200, 0)
        self.id, self.expected, self.status, self.late = answer["id"], 0, 0, []

    @precondition(lambda self: self.id and not self.status)
    @rule(
        size=SIZES,
        fate=st.sampled_from(["arrives", "is lost", "answer is lost", "twice", "late", "is cut"]),
        cut=st.integers(0, 50),
    )
    def send(self, size: int, fate: str, cut: int) -> None:
        """Send what the page takes for the next piece; the carrier decides what becomes of it."""
        offset, body = self.expected, self.content[self.expected : self.expected + size]
        if fate == "late":
            self.late.append((offset, body))
        if fate in {"is lost", "late"}:
            return
        if fate == "is cut":
            self.piece(offset, body[: len(body) * cut // 50], is_cut=True)
            return
        for _ in range(2 if fate == "twice" else 1):
            answer = self.piece(offset, body)
        if fate != "answer is lost":
            self.take(answer)

    @precondition(lambda self: self.id and self.late)
    @rule(index=st.integers(0, 99))
    def late_piece(self, index: int) -> None:
        """A long-delayed piece arrives."""
        self.piece(*self.late.pop(index % len(self.late)))

    @precondition(lambda self: self.id)
    @rule(offset=st.integers(-5, 400_000), body=st.binary(max_size=40))
    def send_something_else(self, offset: int, body: bytes) -> None:
        """A piece that is not the next one changes nothing."""
        if offset != self.accepted:
            self.piece(offset, body)

    @precondition(lambda self: self.id and not self.status)
    @rule()
    def send_too_much(self) -> None:
        """More than was announced is refused, and what was right of it stays."""
        offset = self.accepted
        self.request(
            "POST", f"{PIECES}/{self.id}", f"offset={offset}", self.content[offset:] + b"x"
        )

    @precondition(lambda self: self.id)
    @rule()
    def ask_another_replica(self) -> None:
        """It says so, and touches nothing."""
        status, _ = self.request("POST", f"{PIECES}/{self.id}", "offset=0", b"x", app=self.other)
        assert status == 409

    @precondition(lambda self: self.id)
    @rule()
    def come_from_another_browser(self) -> None:
        """The id alone is not enough."""
        cookie = [("cookie", f"stlaunch={'b' * 22}")]
        offset = f"offset={self.accepted}"
        status, _ = self.request("POST", f"{PIECES}/{self.id}", offset, b"x", headers=cookie)
        assert status == 403

    # -- ends

    @precondition(lambda self: self.id)
    @rule(again=st.booleans())
    def all_arrives(self, *, again: bool) -> None:
        """With an honest carrier everything comes, and the page gets the app's own answer."""
        for _ in range(1000):
            if self.status:
                break
            self.send(100_000, "arrives", 0)
        assert self.status == (413 if self.is_refused else 204)
        assert self.is_refused or bytes(self.inner.read) == self.content
        if again:  # the answer to the last piece was lost
            answer = self.piece(max(len(self.content) - 5, 0), self.content[-5:])
            assert (answer["status"], answer["body"]) == (self.status, "the app's own words")
        assert self.endpoint._places == self.none_taken

    @precondition(lambda self: self.id)
    @rule()
    def expire(self) -> None:
        """Nobody goes on with it: the app hears of it, and nothing is left."""
        for upload in (*self.endpoint._uploads.values(), *self.endpoint._answered.values()):
            upload.seen_at -= 1000
        self.run(self.sweep())
        assert self.request("POST", f"{PIECES}/{self.id}", "offset=0", b"x")[0] == 410
        assert self.endpoint._places == self.none_taken
        assert (self.endpoint._uploads, self.endpoint._answered) == ({}, {})
        left = {task.get_name() for task in asyncio.all_tasks(self.loop)}
        assert not left & {"upload in pieces", "upload waits for the app"}
        self.id = ""

    @invariant()
    def nothing_is_lost_doubled_or_swapped(self) -> None:
        """What the app has read is the beginning of what is sent."""
        if self.id:
            assert self.content.startswith(bytes(self.inner.read))

    @invariant()
    def one_place_is_taken_while_the_app_reads(self) -> None:
        """And none once it has answered."""
        assert self.endpoint._places._addresses.total() == len(self.endpoint._uploads) <= 1

    def teardown(self) -> None:
        """End everything."""
        if self.id:
            self.all_arrives(again=True)
            self.expire()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.run(run_ready_tasks())
        self.loop.close()

    async def sweep(self) -> None:
        """Do what the sweeper does periodically."""
        self.endpoint.give_up_abandoned()
        await run_ready_tasks()

    @property
    def is_refused(self) -> bool:
        """Whether the app answers before it has read all."""
        return self.inner.is_small and len(self.inner.read) < len(self.content)

    @property
    def accepted(self) -> int:
        """What the endpoint has taken."""
        upload = self.endpoint._uploads.get(self.id) or self.endpoint._answered[self.id]
        return upload.accepted_bytes

    # -- the carrier

    def take(self, answer: dict[str, Any]) -> None:
        """Continue where the answer says."""
        assert self.expected <= answer["expected"] <= len(self.content)
        self.expected, self.status = answer["expected"], answer.get("status", 0)

    def piece(self, offset: int, body: bytes, *, is_cut: bool = False) -> dict[str, Any]:
        """Send a piece; it is answered, if its connection is not cut."""
        status, answer = self.request(
            "POST", f"{PIECES}/{self.id}", f"offset={offset}", body, is_cut=is_cut
        )
        assert is_cut or status in {200, 413}
        return answer

    def request(
        self,
        method: str,
        path: str,
        query: str = "",
        body: bytes = b"",
        *,
        headers: list[tuple[str, str]] | None = None,
        app: Any = None,
        is_cut: bool = False,
    ) -> tuple[int, dict[str, Any]]:
        """Make a request in two chunks; return status and answer."""
        status, answer = 0, bytearray()
        half = len(body) // 2
        chunks = [body[:half], body[half:]]

        async def receive() -> Message:
            await asyncio.sleep(0)
            if chunks:
                more = len(chunks) > 1 or is_cut
                return {"type": "http.request", "body": chunks.pop(0), "more_body": more}
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            answer.extend(message.get("body", b""))

        cookie = (
            [] if headers and headers[0][0] == "cookie" else [("cookie", f"stlaunch={'a' * 22}")]
        )
        common = [("host", "app.test"), ("x-stlaunch", "1"), *cookie, *(headers or [])]
        scope = make_scope(path, common, method=method, query=query.encode())
        self.run((app or self.app)(scope, receive, send))
        self.run(run_ready_tasks())
        return status, json.loads(answer or b"{}")

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the loop of this machine."""
        return self.loop.run_until_complete(work)


TestPieces = PiecesMachine.TestCase
TestPieces.settings = settings(
    max_examples=40,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
