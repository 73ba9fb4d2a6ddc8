"""The tunnel over real HTTP: exact sequences, limits with clear answers, and no stranger."""

from __future__ import annotations

import select
import socket
import threading
import time
from urllib.parse import urlsplit

import httpx
import pytest

from stlaunch.gateway.origin_policy import PLAIN_COOKIE, OriginProof
from stlaunch.gateway.tunnel.frames import Flags, Frame, decode_frames
from stlaunch.gateway.tunnel.registry import TunnelLimits
from stlaunch.gateway.tunnel.tunnel import MAX_UNACKNOWLEDGED_BYTES
from tests.fallback.client import OWN, Page
from tests.fallback.conftest import Serve


def test_messages_go_both_ways(serve: Serve) -> None:
    """A socket's messages, in order, over requests."""
    page = Page(serve()[0])
    opened = page.open().json()
    for index in range(5):
        page.send(b"message %d" % index)

    assert opened["protocol"] == "streamlit"
    assert [m.payload for m in page.read(5)] == [b"message %d" % index for index in range(5)]


def test_two_hundred_messages_take_few_round_trips(serve: Serve) -> None:
    """What was queued while a poll was on its way goes out together."""
    page = Page(serve()[0])
    page.open()
    page.send(b"flood 200 100")
    polls = messages = 0
    while messages < 200:
        messages += len(page.poll())
        polls += 1

    assert messages == 200
    assert polls <= 20


def test_a_put_that_comes_twice_or_out_of_order_counts_once(serve: Serve) -> None:
    """Proxies repeat requests; the app gets each message once, in order."""
    page = Page(serve()[0])
    page.open()
    for word in (b"one", b"two", b"three"):
        page.outbox.put(word, Flags.MORE)
    one, two, three = page.outbox.after(0)

    answers = [page.put([frame]).json()["ack"] for frame in (three, one, one, three, two, three)]

    assert answers == [0, 1, 1, 1, 2, 3]
    assert [m.payload for m in page.read(3)] == [b"one", b"two", b"three"]


def test_an_answer_that_is_lost_is_sent_again(serve: Serve) -> None:
    """Frames are kept until the page says that it has them."""
    page = Page(serve()[0])
    page.open()
    page.send(b"flood 3 10")
    time_out = time.monotonic() + 10
    seen: list[Frame] = []
    while len(seen) < 3 and time.monotonic() < time_out:
        lost = page.http.get(page.tunnel, params={"ack": 0, "mode": "brief"})
        seen = list(decode_frames(lost.content))

    assert [frame.number for frame in seen] == [1, 2, 3]
    assert len(page.read(3)) == 3


def test_a_newer_poll_ends_the_older_one(serve: Serve) -> None:
    """Two polls at once: the first is answered empty, nothing is split between them."""
    page = Page(serve(limits=TunnelLimits(poll_s=10.0))[0])
    page.open()
    first: list[int] = []
    thread = threading.Thread(
        target=lambda: first.append(len(httpx.get(page.tunnel, headers=OWN, timeout=20).content))
    )
    thread.start()
    time.sleep(0.3)
    page.send(b"hello")
    messages = page.read(1)
    thread.join(5)

    assert not thread.is_alive()
    assert [m.payload for m in messages] == [b"hello"]


def test_a_stream_sends_frames_as_they_come(serve: Serve) -> None:
    """The first bytes come at once, so that the page can see whether the path buffers."""
    page = Page(serve()[0])
    page.open()
    with page.http.stream("GET", page.tunnel, params={"ack": 0, "mode": "stream"}) as response:
        chunks = response.iter_bytes()
        hello = list(decode_frames(next(chunks)))
        Page.put(_other(page), [Frame(1, Flags.FINAL, b"hi")])
        (frame,) = decode_frames(next(chunks))

    assert hello[0].flags & Flags.HELLO
    assert frame.payload == b"hi"


def test_large_answers_are_compressed_where_it_pays(serve: Serve) -> None:
    """The browser undoes it by itself."""
    page = Page(serve()[0], **{"accept-encoding": "gzip"})
    page.open()
    page.send(b"flood 1 100000")
    response = page.http.get(page.tunnel, params={"ack": 0})

    assert response.headers["content-encoding"] == "gzip"
    assert int(response.headers["content-length"]) < 10_000


def test_the_apps_close_reaches_the_page(serve: Serve) -> None:
    """Code and reason, then the tunnel is gone."""
    page = Page(serve()[0])
    page.open()
    page.send(b"close")
    (closing,) = page.read(1)
    after = page.http.get(page.tunnel, params=page.ack)

    assert closing.flags & Flags.CLOSE
    assert closing.payload == (4000).to_bytes(2, "big") + b"as asked"
    assert after.status_code == 410


def test_a_page_that_leaves_ends_its_session(serve: Serve) -> None:
    """The keepalive close of `pagehide`: the app learns it at once."""
    url, registry = serve()
    page = Page(url)
    page.open()
    page.http.post(page.tunnel, params={"mode": "end"})
    deadline = time.monotonic() + 5
    while not (ended := _ended(url)) and time.monotonic() < deadline:
        time.sleep(0.05)

    assert ended[-1] == 1001
    assert len(registry) == 0
    assert page.http.get(page.tunnel).status_code == 410


def test_an_abandoned_tunnel_is_ended(serve: Serve) -> None:
    """No tunnel survives its page by more than the idle limit."""
    url, registry = serve(limits=TunnelLimits(idle_s=0.4, poll_s=0.1))
    before = len(_ended(url))
    Page(url).open()
    deadline = time.monotonic() + 10
    while len(_ended(url)) == before and time.monotonic() < deadline:
        time.sleep(0.05)

    assert len(registry) == 0
    assert len(_ended(url)) == before + 1


def test_a_slow_page_stops_the_app_instead_of_filling_memory(serve: Serve) -> None:
    """`send()` waits beyond a bound; what the page reads makes room."""
    url, registry = serve()
    page = Page(url)
    page.open()
    page.send(b"flood 60 1000000")
    (tunnel,) = registry._tunnels.values()
    seen = 0
    deadline = time.monotonic() + 5
    while tunnel.outbox.unacknowledged_bytes > seen and time.monotonic() < deadline:
        seen = tunnel.outbox.unacknowledged_bytes
        time.sleep(0.2)

    assert seen <= MAX_UNACKNOWLEDGED_BYTES + 2_000_000
    assert len(page.read(60)) == 60


def test_limits_have_clear_answers(serve: Serve) -> None:
    """Per client, in all, and while stopping: 503 with a code and Retry-After."""
    url, registry = serve(limits=TunnelLimits(max_tunnels=3, max_per_client=2))
    one, two = Page(url, cookie=f"{PLAIN_COOKIE}={'a' * 22}"), Page(url)
    statuses = [_proven(one).status_code for _ in range(3)]
    two_first = two.open().status_code
    full = Page(url).open()
    registry.is_stopping = True
    stopping = Page(url).open()

    assert statuses == [200, 200, 503]
    assert two_first == 200
    assert (full.status_code, full.json()["code"]) == (503, "STL703")
    assert (stopping.status_code, stopping.json()["code"]) == (503, "STL704")
    assert full.headers["retry-after"] == "5"


def test_a_body_that_is_too_large_is_refused_early(serve: Serve) -> None:
    """1 GB is not waited for: the answer comes when the limit is passed."""
    page = Page(serve()[0])
    page.open()
    target = urlsplit(page.tunnel)
    head = (
        f"POST {target.path} HTTP/1.1\r\nHost: {target.netloc}\r\nX-Stlaunch: 1\r\n"
        "Content-Length: 1000000000\r\n\r\n"
    )
    chunk, sent = b"x" * 100_000, 0
    with socket.create_connection((target.hostname or "", target.port or 0)) as connection:
        connection.sendall(head.encode())
        while not select.select([connection], [], [], 0)[0] and sent < 1_000_000_000:
            connection.sendall(chunk)
            sent += len(chunk)
        answer = connection.recv(1000)

    assert answer.startswith(b"HTTP/1.1 413")
    assert sent < 100_000_000


# --- attackers


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"},
        {"origin": "null"},
        {"origin": "https://evil.test", "x-forwarded-host": "other.test"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site", "origin": "http://evil.test"},
    ],
    ids=["foreign", "null", "forged", "cross-site", "same-site"],
)
def test_a_foreign_page_cannot_open(serve: Serve, headers: dict[str, str]) -> None:
    """The rule is the WebSocket's own."""
    response = Page(serve()[0]).open(**headers)

    assert response.status_code == 403
    assert "access-control-allow-origin" not in response.headers


def test_a_form_or_an_image_can_do_nothing(serve: Serve) -> None:
    """Every request needs a header that they cannot send, and no preflight is answered."""
    url, _ = serve()
    page = Page(url)
    page.open()
    for method in ("GET", "POST", "PUT", "DELETE"):
        assert httpx.request(method, page.tunnel).status_code == 403
        assert httpx.request(method, f"{url}/tunnel").status_code == 403
    preflight = httpx.options(page.tunnel, headers={"origin": "http://evil.test"})

    assert preflight.status_code == 403
    assert "access-control-allow-origin" not in preflight.headers
    assert page.http.get(page.tunnel, params={"mode": "brief"}).status_code == 200


def test_another_browser_cannot_use_a_tunnel(serve: Serve) -> None:
    """The id alone is not enough, a guessed one is none, and another replica says so."""
    url, _ = serve()
    page = Page(url, cookie=f"{PLAIN_COOKIE}={'a' * 22}")
    _proven(page)
    other = {**OWN, "cookie": f"{PLAIN_COOKIE}={'b' * 22}"}
    instance = page.tunnel.rpartition("/")[2].partition(".")[0]

    statuses = [
        httpx.get(page.tunnel, headers=other).status_code,
        httpx.post(page.tunnel, headers=other, content=b"").status_code,
        httpx.post(f"{page.tunnel}?mode=end", headers=other).status_code,
        httpx.get(f"{url}/tunnel/{instance}.guessed", headers=OWN).status_code,
        httpx.get(f"{url}/tunnel/0123456789abcdef.id", headers=OWN).status_code,
    ]

    assert statuses == [403, 403, 403, 410, 409]
    assert page.http.get(page.tunnel, params={"mode": "brief"}).status_code == 200


def test_another_user_cannot_use_a_tunnel(serve: Serve) -> None:
    """A trusted proxy's identity header belongs to the tunnel, too."""
    url, _ = serve(identity_headers=lambda: frozenset({b"x-user"}))
    page = Page(url, **{"x-user": "ann"})
    page.open()

    assert httpx.get(page.tunnel, headers={**OWN, "x-user": "bob"}).status_code == 403
    assert page.http.get(page.tunnel, params={"mode": "brief"}).status_code == 200


# --- uploads


def test_an_upload_in_pieces_is_one_request(serve: Serve) -> None:
    """The app reads one body; the page's headers come with it; a repeated piece counts once."""
    url, _ = serve()
    data = bytes(range(250)) * 4000
    headers = {
        **OWN,
        "x-stlaunch-target": "session/file",
        "x-stlaunch-size": str(len(data)),
        "x-stlaunch-type": "multipart/form-data; boundary=AbC",
        "x-xsrftoken": "token",
    }
    upload = httpx.post(f"{url}/upload", headers=headers).json()["id"]
    offset, last = 0, {}
    while offset < len(data):
        for _ in range(2):
            last = httpx.post(
                f"{url}/upload/{upload}",
                params={"offset": offset},
                headers=OWN,
                content=data[offset : offset + 300_000],
            ).json()
            if "status" in last or offset + 300_000 >= len(data):
                break
        offset = last["expected"]

    assert last["status"] == 200
    assert f'"bytes":{len(data)},"sum":{sum(data)}' in last["body"]
    assert '"kept":["content-type","x-xsrftoken"]' in last["body"]

    last_piece = {"offset": len(data) - 100_000}
    again = httpx.post(f"{url}/upload/{upload}", params=last_piece, headers=OWN, content=data[-10:])
    assert again.json() == last, "the answer to the last piece was lost on its way"


@pytest.mark.parametrize(("token", "status"), [("token", 204), (None, 403)])
def test_a_deletion_is_handed_on(serve: Serve, token: str | None, status: int) -> None:
    """With POST, for pages whose DELETE is refused; the app checks what it always does.

    What refused it is a finding where the app then took it: else it may have been the app.
    """
    url, _ = serve()
    deletion = {"x-stlaunch-method": "DELETE", "x-stlaunch-refused": "405"}
    headers = {**OWN, **deletion, "x-stlaunch-target": "session/file"}
    answer = httpx.post(
        f"{url}/upload", headers=headers | ({"x-xsrftoken": token} if token else {})
    )
    report = httpx.get(f"{url}/check").json()

    assert answer.json()["status"] == status
    titles = [item["title"] for item in report["findings"] if item["code"] == "STL512"]
    assert (
        titles
        == ["A proxy answers 405 to PUT or DELETE; uploads are sent with POST"][: 1 if token else 0]
    )


def test_an_upload_obeys_the_apps_own_limit(serve: Serve) -> None:
    """The app's 413 is the answer, and nothing more is taken."""
    url, _ = serve()
    headers = {**OWN, "x-stlaunch-target": "s/f", "x-stlaunch-size": "60000000"}
    upload = httpx.post(f"{url}/upload", headers=headers).json()["id"]
    piece, offset, answer = b"x" * 8_000_000, 0, {}
    while "status" not in answer and offset < 60_000_000:
        answer = httpx.post(
            f"{url}/upload/{upload}", params={"offset": offset}, headers=OWN, content=piece
        ).json()
        offset = answer["expected"]

    assert answer["status"] == 413
    assert offset < 50_000_000


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"x-stlaunch-target": "../../etc/passwd"}, 400),
        ({"x-stlaunch-target": "a/b/c"}, 400),
        ({"x-stlaunch-size": "-1"}, 400),
        ({"x-stlaunch-size": "٣"}, 400),
        ({"x-stlaunch": None}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
    ids=["dots", "deep", "negative", "unicode", "no-header", "cross-site"],
)
def test_a_bad_upload_is_refused(serve: Serve, change: dict[str, str | None], status: int) -> None:
    """Only the app's upload address, a plain size, and the app's own page."""
    headers = {**OWN, "x-stlaunch-target": "s/f", "x-stlaunch-size": "10"} | change
    sent = {name: value.encode() for name, value in headers.items() if value is not None}

    assert httpx.post(f"{serve()[0]}/upload", headers=sent).status_code == status


def _proven(page: Page) -> httpx.Response:
    """Open with the cookie that the page came with."""
    proof = OriginProof(b"s" * 32)
    token = proof.token(PLAIN_COOKIE, page.http.headers["cookie"].partition("=")[2])
    return page.open(**{"x-stlaunch-protocols": f"streamlit, X, stlaunch.{token}"})


def _other(page: Page) -> Page:
    """The same page's second connection: a stream holds the first one."""
    other = Page(page.url)
    other.tunnel = page.tunnel
    return other


def _ended(url: str) -> list[int]:
    found: list[int] = httpx.get(url.replace("_stlaunch", "media/ended")).json()
    return found
