"""Frames over a carrier that loses, repeats and reorders: the sequence of messages is exact."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stlaunch.gateway.tunnel.frames import (
    FRAGMENT_BYTES,
    HELLO,
    Flags,
    Frame,
    FrameError,
    Inbox,
    Outbox,
    decode_frames,
)

MESSAGES = st.lists(st.binary(max_size=40), max_size=30)


@given(messages=MESSAGES, seed=st.integers(0, 2**32))
def test_a_hostile_carrier_changes_nothing(messages: list[bytes], seed: int) -> None:
    """Requests and answers are lost, doubled and late; each message arrives once, in order."""
    chance = random.Random(seed)
    outbox, inbox = Outbox(), Inbox(1000)
    late: list[bytes] = []
    arrived: list[bytes] = []
    todo = list(messages)
    for _ in range(10_000):
        while todo and chance.random() < 0.5:
            outbox.put(todo.pop(0), Flags.MORE)
        request = b"".join(frame.encode() for frame in outbox.after(0))
        if chance.random() < 0.3:
            late.append(request)
            continue  # lost, or on its way for longer than the next one
        for body in (request, *(late if chance.random() < 0.3 else [])):
            arrived += [message.payload for message in inbox.take(decode_frames(body))]
        if chance.random() < 0.7:  # else the answer is lost
            outbox.acknowledge(inbox.acknowledged)
        if not todo and not outbox.frames:
            break

    assert arrived == messages
    assert outbox.unacknowledged_bytes == 0


def test_large_messages_are_cut_and_put_together() -> None:
    """A fragment at a time, whatever order they are asked for again."""
    outbox, inbox = Outbox(), Inbox(10 * FRAGMENT_BYTES)
    payload = bytes(range(256)) * (FRAGMENT_BYTES // 100)
    outbox.put(payload, Flags.TEXT)
    frames = outbox.after(0)

    first = inbox.take(frames[:1])
    rest = inbox.take(frames)

    assert len(frames) == 3
    assert first == []
    assert [(message.payload, message.flags) for message in rest] == [
        (payload, Flags.TEXT | Flags.FINAL)
    ]


def test_a_gap_is_not_jumped() -> None:
    """What comes too early is not taken; it is sent again."""
    inbox = Inbox(100)

    assert inbox.take([Frame(2, Flags.FINAL, b"b")]) == []
    assert [m.payload for m in inbox.take([Frame(1, Flags.FINAL, b"a")])] == [b"a"]
    assert inbox.acknowledged == 1


def test_a_message_above_the_limit_is_refused() -> None:
    """Also one that comes in small pieces."""
    inbox = Inbox(10)
    inbox.take([Frame(1, Flags.MORE, b"x" * 8)])

    with pytest.raises(FrameError, match="larger than 10 bytes"):
        inbox.take([Frame(2, Flags.FINAL, b"x" * 8)])


@given(junk=st.binary(max_size=200))
def test_junk_is_frames_or_an_error(junk: bytes) -> None:
    """No bytes crash the reader."""
    try:
        frames = list(decode_frames(junk))
    except FrameError:
        return
    Inbox(1000).take(frames)


@pytest.mark.parametrize("cut", range(1, len(HELLO)))
def test_half_a_frame_is_an_error(cut: int) -> None:
    """A request body that was cut does not pass for a whole one."""
    with pytest.raises(FrameError):
        list(decode_frames(HELLO[:cut]))


def test_an_acknowledgement_of_the_future_is_ignored() -> None:
    """The other side cannot have what was never sent."""
    outbox = Outbox()
    outbox.put(b"a", Flags.MORE)

    assert not outbox.acknowledge(7)
    assert len(outbox.after(0)) == 1
