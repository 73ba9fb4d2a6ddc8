"""Uploads over a WebSocket of their own: who may, what arrives, and what nobody gets out of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from stlaunch.gateway.origin_policy import PLAIN_COOKIE, OriginPolicy, OriginProof
from stlaunch.gateway.tunnel.frames import Flags
from stlaunch.gateway.uploads import socket as upload_socket
from stlaunch.urls.origin import Origin
from tests.fallback.app import XSRF
from tests.fallback.client import Page
from tests.fallback.conftest import Serve

FILE = {"method": "PUT", "target": "session/file", "type": "multipart/form-data; boundary=AbC"}
FRIEND = "http://friend.test"
COOKIE = {"Cookie": f"{PLAIN_COOKIE}={'a' * 22}"}


@contextmanager
def _open(
    url: str, *protocols: str, origin: str = "", **headers: str
) -> Iterator[ClientConnection]:
    """Open the app's stream, for an upload unless other subprotocols are given."""
    base = re.sub("^http", "ws", url).removesuffix("/_stlaunch")
    offered = protocols or ("stlaunch-upload",)
    with connect(
        f"{base}/_stcore/stream",
        origin=origin or url.partition("/app")[0],  # type: ignore[arg-type]  # websockets' own type
        subprotocols=[Subprotocol(item) for item in offered],
        additional_headers=headers,
        proxy=None,
    ) as socket:
        yield socket


def _status(url: str, *protocols: str, **headers: str) -> int:
    try:
        with _open(url, *protocols, **headers):
            return 101
    except InvalidStatus as exc:
        return exc.response.status_code


def _announce(socket: ClientConnection, **what: Any) -> None:
    socket.send(json.dumps({**FILE, **what}))


def _upload(socket: ClientConnection, data: bytes, **what: str) -> dict[str, Any]:
    """Send a file as a page does; return the app's answer."""
    _announce(socket, size=str(len(data)), **what)
    for start in range(0, len(data), 100_000):
        socket.send(data[start : start + 100_000])
    return _read_answer(socket)


def _read_answer(socket: ClientConnection) -> dict[str, Any]:
    """Read on until the app has answered."""
    answer: dict[str, Any] = {}
    while "status" not in answer:
        answer = json.loads(socket.recv(timeout=20))
    return answer


def test_a_file_arrives_with_a_valid_pair(serve: Serve) -> None:
    """In order and whole, as one request; what the browser sent for the check counts nothing."""
    data = bytes(range(250)) * 8000
    forged = {"Cookie": "theme=dark; _streamlit_xsrf=forged; x=y", "X-Xsrftoken": "other"}
    with _open(serve()[0], **forged) as socket:
        answer = _upload(socket, data)

    body = json.loads(answer["body"])
    assert (answer["status"], answer["expected"]) == (200, len(data))
    assert (body["bytes"], body["sum"]) == (len(data), sum(data))
    assert body["pair"] == [XSRF, XSRF]


def test_a_deletion_goes_the_same_way(serve: Serve) -> None:
    with _open(serve()[0], **{"X-Xsrftoken": "other"}) as socket:
        answer = _upload(socket, b"", method="DELETE")

    assert answer["status"] == 204


def test_a_tunnel_carries_it_too(serve: Serve) -> None:
    """Where no WebSocket gets through either; another site opens none."""
    url, _ = serve()
    page = Page(url)
    opened = page.open(**{"x-stlaunch-protocols": "stlaunch-upload"})
    page.outbox.put(json.dumps({**FILE, "size": "5"}).encode(), Flags.TEXT)
    page.send(b"bytes")
    answer: dict[str, Any] = {}
    while "status" not in answer:
        texts = [item.payload for item in page.poll() if not item.flags & Flags.CLOSE]
        answer = {key: value for text in texts for key, value in json.loads(text).items()}
    foreign = {"x-stlaunch-protocols": "stlaunch-upload", "origin": "http://evil.test"}

    assert opened.json()["protocol"] == "stlaunch-upload"
    assert answer["status"] == 200
    assert Page(url).open(**foreign).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "http://evil.test"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1.evil.test"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "origin": "http://evil.test"},
        {"X-Forwarded-Host": "evil.test", "origin": "http://evil.test:81"},
    ],
    ids=["foreign", "opaque", "suffix", "cross-site", "same-site", "forwarded"],
)
def test_no_other_site_opens_one(serve: Serve, headers: dict[str, str]) -> None:
    """The rule is that of the stream, for the same handshake."""
    assert _status(serve()[0], **headers) == 403


def test_a_program_that_names_no_origin_opens_none(serve: Serve) -> None:
    """It may open the stream, as with Streamlit; an upload needs an XSRF pair without stlaunch."""
    base = re.sub("^http", "ws", serve()[0]).removesuffix("/_stlaunch")
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(
            f"{base}/_stcore/stream", subprotocols=[Subprotocol("stlaunch-upload")], proxy=None
        ),
    ):
        pass

    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    "policy",
    [
        OriginPolicy(allowed_origins=tuple(filter(None, [Origin.parse(FRIEND)]))),
        OriginPolicy(is_cors_disabled=True),
    ],
    ids=["allowed", "cors off"],
)
def test_what_is_let_in_to_the_stream_may_not_upload(serve: Serve, policy: OriginPolicy) -> None:
    """Streamlit answers no request to upload of another origin either."""
    url, _ = serve(policy=policy)

    assert _status(url, "streamlit", origin=FRIEND) == 101
    assert _status(url, origin=FRIEND) == 403


def test_a_token_of_somebody_else_is_of_no_use(serve: Serve) -> None:
    """Behind a proxy that rewrites Host, cookie and token have to belong together."""
    url, _ = serve()
    proof = OriginProof(b"s" * 32)
    own, stolen = (proof.token(PLAIN_COOKIE, letter * 22) for letter in "ab")
    public = {"origin": "http://public.test", **COOKIE}

    assert _status(url, "stlaunch-upload", f"stlaunch.{stolen}", **public) == 403
    assert _status(url, "stlaunch-upload", f"stlaunch.{own}", origin="http://public.test") == 403
    assert _status(url, "stlaunch-upload", f"stlaunch.{own}", **public) == 101


@pytest.mark.parametrize(
    "message",
    [
        b"bytes first",
        "no json",
        "[" * 3000,
        json.dumps({**FILE, "size": "5", "target": "../../etc/passwd"}),
        json.dumps({**FILE, "size": "5", "target": "a/b/c"}),
        json.dumps({**FILE, "size": "-5"}),
        json.dumps({**FILE, "size": 5}),
        json.dumps({**FILE, "size": "5", "method": "POST"}),
        json.dumps({**FILE, "size": "5", "type": "text/plain\r\nx: y"}),
        json.dumps([]),
    ],
)
def test_anything_but_an_upload_ends_it(serve: Serve, message: str | bytes) -> None:
    with _open(serve()[0]) as socket:
        socket.send(message)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(timeout=20)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


def test_it_is_good_for_one_file_of_the_announced_size(serve: Serve) -> None:
    """A byte more ends it; after the answer nothing is taken."""
    url, _ = serve()
    with _open(url) as socket:
        _announce(socket, size="5")
        socket.send(b"six of")
        with pytest.raises(ConnectionClosed):
            _read_answer(socket)
    with _open(url) as socket:
        answer = _upload(socket, b"hello")
        with pytest.raises(ConnectionClosed):
            _upload(socket, b"again")

    assert answer["status"] == 200


def test_it_ends_where_nobody_goes_on(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """An old one is of no use; and a page that has gone frees its place."""
    monkeypatch.setattr(upload_socket, "_FIRST_S", 0.2)
    with _open(serve()[0]) as socket, pytest.raises(ConnectionClosed) as closed:
        socket.recv(timeout=20)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1013


def test_places_are_bounded_and_freed(serve: Serve) -> None:
    """Together with those in pieces; it takes no session's place."""
    url, _ = serve(max_sessions=1)
    with _open(url, "streamlit", **COOKIE):
        sockets = [_open(url, **COOKIE) for _ in range(8)]
        for socket in sockets:
            socket.__enter__()
        full = _status(url, **COOKIE)
        for socket in sockets:
            socket.__exit__(None, None, None)
        deadline = time.monotonic() + 20
        while (freed := _status(url, **COOKIE)) != 101 and time.monotonic() < deadline:
            time.sleep(0.05)

    assert (full, freed) == (503, 101)
