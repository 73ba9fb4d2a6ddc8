"""A tunnel under everything that a network and a page can do to it, as a state machine.

The real endpoint, below all layers, with an app that echoes: what comes back is what was sent, each
message once and in order, whatever was lost, repeated, late or cut; and an end leaves nothing.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from starlette.types import Message

from stlaunch.gateway.tunnel.frames import Flags, FrameReader, Inbox, Outbox
from stlaunch.gateway.tunnel.registry import TunnelLimits
from tests.asgi.driver import make_scope
from tests.fallback import app as small_app

T = TypeVar("T")
TUNNEL = "/app/_stlaunch/tunnel"
HEADERS = [("host", "testserver"), ("x-stlaunch", "1"), ("origin", "http://testserver")]
PAYLOADS = st.binary(min_size=1, max_size=8) | st.just(b"x" * 100_000)


class TunnelMachine(RuleBasedStateMachine):
    """One page, one carrier without honour, two replicas."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        # Time passes when a rule says so, not when the machine is busy.
        limits = TunnelLimits(poll_s=0.001, idle_s=900, first_use_s=900)
        self.app, self.registry = small_app.make(limits=limits)
        self.other, self.other_registry = small_app.make(limits=limits)
        self.id = ""
        self.sent: list[bytes] = []
        self.got: list[bytes] = []
        self.late_bodies: list[bytes] = []
        self.late_answers: list[bytes] = []

    # -- the page

    @precondition(lambda self: not self.id)
    @rule()
    def open(self) -> None:
        """Open a tunnel, or another one after the last has ended."""
        status, answer = self.request("POST", TUNNEL)
        assert status == 200
        self.id = json.loads(answer)["id"]
        self.outbox, self.inbox = Outbox(), Inbox(10_000_000)
        self.sent, self.got, self.late_bodies, self.late_answers = [], [], [], []

    @precondition(lambda self: self.id)
    @rule(payload=PAYLOADS)
    def send(self, payload: bytes) -> None:
        """Queue a message."""
        self.sent.append(payload)
        self.outbox.put(payload, Flags.MORE)

    @precondition(lambda self: self.id)
    @rule(fate=st.sampled_from(["arrives", "is lost", "answer is lost", "twice", "late"]))
    def put(self, fate: str) -> None:
        """Send all that is not acknowledged; the carrier decides what becomes of it."""
        body = b"".join(frame.encode() for frame in self.outbox.after(0))
        if fate == "late":
            self.late_bodies.append(body)
        if fate in {"is lost", "late"}:
            return
        for _ in range(2 if fate == "twice" else 1):
            answer = self.tunnel("POST", body=body)
        if fate != "answer is lost":
            self.outbox.acknowledge(json.loads(answer)["ack"])

    @precondition(lambda self: self.id and self.late_bodies)
    @rule(index=st.integers(0, 99))
    def late_put(self, index: int) -> None:
        """A long-delayed request arrives."""
        self.tunnel("POST", body=self.late_bodies.pop(index % len(self.late_bodies)))

    @precondition(lambda self: self.id)
    @rule(
        mode=st.sampled_from(["", "brief", "stream"]),
        fate=st.sampled_from(["arrives", "is lost", "late", "is cut"]),
        cut=st.integers(0, 50),
    )
    def poll(self, mode: str, fate: str, cut: int) -> None:
        """Ask for what has come."""
        answer = self.tunnel("GET", f"&mode={mode}")
        if fate == "late":
            self.late_answers.append(answer)
        elif fate != "is lost":
            self.take(answer[: len(answer) * cut // 50] if fate == "is cut" else answer)

    @precondition(lambda self: self.id and self.late_answers)
    @rule()
    def late_answer(self) -> None:
        """An answer arrives after a newer one."""
        self.take(self.late_answers.pop(0))

    @precondition(lambda self: self.id)
    @rule()
    def ask_another_replica(self) -> None:
        """It says so, and touches nothing."""
        assert self.request("POST", f"{TUNNEL}/{self.id}", app=self.other)[0] == 409

    # -- ends

    @precondition(lambda self: self.id)
    @rule()
    def all_arrives(self) -> None:
        """With an honest carrier everything comes, however it went before."""
        for _ in range(1000):
            if self.got == self.sent:
                return
            self.put("arrives")
            self.poll("brief", "arrives", 0)
        raise AssertionError((self.got, self.sent))

    @precondition(lambda self: self.id)
    @rule(how=st.sampled_from(["page leaves", "expires", "server stops"]))
    def end(self, how: str) -> None:
        """Nothing is left, and the page is notified."""
        tunnel = self.registry.find(self.id)
        assert tunnel is not None
        if how == "page leaves":
            assert self.request("POST", f"{TUNNEL}/{self.id}", "mode=end")[0] == 204
        elif how == "expires":
            tunnel._seen_at -= 1000
            self.run(self.sweep())
        else:
            self.run(self.registry.stop())
            while self.registry.find(self.id):
                self.tunnel("GET", f"&mode=brief&ack={tunnel.outbox.last_number}")
            self.registry.is_stopping = False
        self.run(asyncio.wait_for(tunnel.end(), 30))
        self.run(small_app.run_ready_tasks())
        assert self.request("POST", f"{TUNNEL}/{self.id}")[0] == 410
        assert len(self.registry) == 0
        left = [task.get_name() for task in asyncio.all_tasks(self.loop)]
        assert not [name for name in left if name.startswith(f"tunnel {self.id[:8]}")]
        self.id = ""

    @invariant()
    def nothing_is_lost_doubled_or_swapped(self) -> None:
        """What came is the beginning of what was sent."""
        assert self.got == self.sent[: len(self.got)]

    def teardown(self) -> None:
        """End everything."""
        if self.id:
            self.all_arrives()
            self.end("page leaves")
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.run(small_app.run_ready_tasks())
        self.loop.close()

    async def sweep(self) -> None:
        """Do what the sweeper does periodically."""
        self.registry.give_up_abandoned()

    # -- the carrier

    def take(self, answer: bytes) -> None:
        """Read the frames of an answer, as far as they are whole."""
        self.got += [message.payload for message in self.inbox.take(FrameReader().read(answer))]

    def tunnel(self, method: str, query: str = "", body: bytes = b"") -> bytes:
        """Make a request of the tunnel; it is answered."""
        ack = "" if "ack=" in query else f"ack={self.inbox.acknowledged}"
        status, answer = self.request(method, f"{TUNNEL}/{self.id}", ack + query, body)
        assert status in {200, 410}
        return answer if status == 200 else b""

    def request(
        self, method: str, path: str, query: str = "", body: bytes = b"", app: Any = None
    ) -> tuple[int, bytes]:
        """Make a request; return status and body."""
        status, answer = 0, bytearray()

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            answer.extend(message.get("body", b""))

        scope = make_scope(path, HEADERS, method=method, query=query.encode())
        self.run((app or self.app)(scope, receive, send))
        self.run(small_app.run_ready_tasks())
        return status, bytes(answer)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something in the loop of this machine."""
        return self.loop.run_until_complete(work)


TestTunnel = TunnelMachine.TestCase
TestTunnel.settings = settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
