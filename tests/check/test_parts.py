"""The small pure parts of the check: targets, cookies, redaction, protobuf, HPACK."""

from __future__ import annotations

import json

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stlaunch.check import protobuf
from stlaunch.check.client import Client
from stlaunch.check.cookies import Jar, SetCookie
from stlaunch.check.dialer import Dialer
from stlaunch.check.observations import Exchange
from stlaunch.check.options import CheckOptions
from stlaunch.check.pages import asset_base, login_of
from stlaunch.check.probes.http2 import _status
from stlaunch.check.probes.tunnel import TunnelSocket, _tunnel_id
from stlaunch.check.protobuf import DamagedMessageError
from stlaunch.check.redact import MASK, redacted, safe_text, without_addresses
from stlaunch.check.target import Target
from stlaunch.errors import UsageError
from stlaunch.gateway.instance import Instance
from stlaunch.gateway.tunnel.frames import HELLO, Flags, Outbox
from stlaunch.gateway.tunnel.tunnel import new_tunnel_id

APP = Target.parse("http://app.example.test/app/")


@pytest.mark.parametrize(
    ("location", "url"),
    [
        pytest.param("https://app.example.test/app/", "https://app.example.test/app/", id="https"),
        pytest.param(
            "https://app.example.test/app/x", "https://app.example.test/app/x/", id="both"
        ),
        pytest.param(
            "https://app.example.test/", "https://app.example.test/app/", id="https-without-prefix"
        ),
        pytest.param(
            "https://app.example.test/apple/", "https://app.example.test/app/", id="https-elsewhere"
        ),
        pytest.param("/apple/", None, id="longer-name"),
        pytest.param("/app/inner/", "http://app.example.test/app/inner/", id="below"),
        pytest.param("inner", "http://app.example.test/app/inner/", id="relative"),
        pytest.param("/", None, id="out-of-the-prefix"),
        pytest.param("https://app.example.test:8443/app/", None, id="another-port"),
        pytest.param("https://evil.test/app/", None, id="another-host"),
        pytest.param("//evil.test/app/", None, id="protocol-relative"),
        pytest.param("http://[::1", None, id="malformed"),
        pytest.param("javascript:alert(1)", None, id="script"),
    ],
)
def test_only_a_better_address_of_the_same_app_is_followed(location: str, url: str | None) -> None:
    moved = APP.following(location)

    assert (moved.url if moved else None) == url


@pytest.mark.parametrize(
    "location", ["/user/jane%40example.com/proxy/8501/x/", "/user/jane@example.com/proxy/8501/x/"]
)
def test_a_path_below_an_encoded_one_is_followed(location: str) -> None:
    target = Target.parse("https://hub.test/user/jane%40example.com/proxy/8501/")
    moved = target.following(location)

    assert moved is not None
    assert moved.base_path.decoded == "/user/jane@example.com/proxy/8501/x"


@pytest.mark.parametrize(
    ("line", "is_sent"),
    [
        pytest.param("a=b", True, id="plain"),
        pytest.param("a=b; Path=/", True, id="root"),
        pytest.param("a=b; Path=/app", True, id="prefix"),
        pytest.param("a=b; Path=/app/", True, id="prefix-slash"),
        pytest.param("a=b; Path=/ap", False, id="half-a-segment"),
        pytest.param("a=b; Path=/other", False, id="another"),
        pytest.param("a=b; Domain=example.test", True, id="parent-domain"),
        pytest.param("a=b; Domain=other.test", False, id="another-domain"),
        pytest.param("a=b; Secure", False, id="secure-over-http"),
    ],
)
def test_cookie_is_sent_as_a_browser_would(line: str, is_sent: bool) -> None:
    jar = Jar(APP)
    jar.keep(answered("/app/", line))

    assert SetCookie.parse(line).reaches(APP) is is_sent
    assert ("a" in jar.sent_to("/app/_stcore/stream")) is is_sent


def answered(path: str, *lines: str) -> Exchange:
    headers = tuple(("set-cookie", line) for line in lines)
    return Exchange(url=f"http://app.example.test{path}", status=200, headers=headers)


def test_a_later_cookie_replaces_an_earlier_one_and_an_expired_one_goes() -> None:
    jar = Jar(APP)
    jar.keep(answered("/app/", "a=1; Path=/", "b=1; Path=/", "c=1; Path=/"))
    past = "Thu, 01 Jan 1970 00:00:00 GMT"
    jar.keep(
        answered("/app/", "a=2; Path=/", "b=x; Path=/; Max-Age=0", f"c=x; Path=/; Expires={past}")
    )

    assert jar.sent_to("/app/") == {"a": "2"}


def test_a_cookie_without_a_path_belongs_to_the_folder_that_set_it() -> None:
    jar = Jar(APP)
    jar.keep(answered("/app/_stcore/health", "a=1"))

    assert jar.sent_to("/app/_stcore/stream") == {"a": "1"}
    assert jar.sent_to("/app/") == {}


def browser() -> Client:
    dialer = Dialer(target=APP, address="127.0.0.1", context=None, timeout_s=1)
    return Client(
        dialer,
        headers=(("Authorization", "Bearer abc"),),
        cookies=("session=abc",),
        slots=anyio.CapacityLimiter(1),
    )


@pytest.mark.parametrize(
    ("path", "is_own"),
    [
        pytest.param("/app/", True, id="page"),
        pytest.param("/app", True, id="bare"),
        pytest.param("/app/_stcore/health?x=1", True, id="below"),
        pytest.param("/_stcore/health", False, id="root"),
        pytest.param("/apple/", False, id="longer-name"),
        pytest.param("/app/../admin", True, id="as-it-is-written"),
        pytest.param("/login?rd=/app/", False, id="login"),
    ],
)
def test_the_user_s_secrets_go_to_the_app_s_own_paths_alone(path: str, is_own: bool) -> None:
    head = dict(browser().head(path))

    assert ("Authorization" in head) is is_own
    assert ("session=abc" in head.get("Cookie", "")) is is_own


def test_cookies_that_are_left_out_are_not_sent() -> None:
    client = browser()
    client.jar.keep(answered("/app/", "a=1; Path=/", "session=def; Path=/"))

    assert dict(client.head("/app/", cookies=("b=2",)))["Cookie"] == "session=def; a=1; b=2"
    assert dict(client.head("/app/", without=("a",)))["Cookie"] == "session=def"


def test_one_step_takes_a_part_of_the_whole_time() -> None:
    steps = [CheckOptions(target=APP, timeout_s=time_s).step_s for time_s in (1, 6, 30, 90)]

    assert steps == [0.5, 3, 10, 30]


def test_the_check_s_tunnel_speaks_as_the_app_does() -> None:
    """Frames of the app's own end, in fragments and with a repeated one, are read whole."""
    outbox = Outbox()
    large = bytes(range(256)) * 5000
    outbox.put(large, Flags.MORE)
    outbox.put(b"end", Flags.MORE)
    outbox.put((1001).to_bytes(2, "big") + b"gone", Flags.CLOSE)
    frames = [frame.encode() for frame in outbox.frames]
    socket = TunnelSocket(browser(), "/app/_stlaunch/tunnel/x")
    socket._take(HELLO + frames[0])
    socket._take(b"".join(frames))

    assert list(socket._messages) == [large, b"end"]
    assert (socket.close_code, socket.close_reason, socket.damage) == (1001, "gone", "")
    socket._take(frames[0][:-1])
    assert socket.damage


def opened(tunnel_id: object) -> Exchange:
    return Exchange(url="http://x/", status=200, text=json.dumps({"id": tunnel_id}))


def test_every_id_that_the_app_gives_a_tunnel_is_taken() -> None:
    """A third of the random ones hold `_`: a check that refused those called the app broken."""
    ids = [new_tunnel_id(Instance(versions={}).id) for _ in range(500)]

    assert any("_" in one for one in ids)
    assert [_tunnel_id(opened(one)) for one in ids] == ids


@pytest.mark.parametrize(
    "hostile", ["", "..", "a/b", "a?b", "a b", "a\nb", "ä", "a" * 201, 1, None]
)
def test_an_id_that_would_lead_elsewhere_is_not_taken(hostile: object) -> None:
    assert _tunnel_id(opened(hostile)) == ""


@pytest.mark.parametrize(
    ("text", "base"),
    [
        pytest.param('<script src="/app/st/static/js/a.js">', "/app/st", id="below"),
        pytest.param('<script src="/static/js/a.js">', "", id="root"),
        pytest.param('<script src="./static/js/a.js">', None, id="relative"),
        pytest.param('<script src="//cdn.test/static/js/a.js">', None, id="another-host"),
    ],
)
def test_the_page_shows_which_path_it_is_below(text: str, base: str | None) -> None:
    assert asset_base(Exchange(url="http://x/", text=text)) == base


@pytest.mark.parametrize(
    ("url", "host"),
    [
        pytest.param("https://bücher.example/app/", "xn--bcher-kva.example", id="umlaut"),
        pytest.param("https://straße.example/", "xn--strae-oqa.example", id="sharp-s"),
        pytest.param(
            "https://ΠΑΡΆΔΕΙΓΜΑ.example:8443/", "xn--hxajbheg2az3al.example:8443", id="greek"
        ),
        pytest.param("https://例え。テスト/", "xn--r8jz45g.xn--zckzah", id="ideographic-stop"),
        pytest.param("https://xn--bcher-kva.example/", "xn--bcher-kva.example", id="punycode"),
    ],
)
def test_a_host_that_a_browser_shows_is_accepted(url: str, host: str) -> None:
    assert Target.parse(url).host == host


@pytest.mark.parametrize("host", ["a\u202eb.example", "\u2488com", "a..ü", "ü" * 64, "a b.ü"])
def test_a_host_that_no_browser_takes_is_refused(host: str) -> None:
    with pytest.raises(UsageError):
        Target.parse(f"https://{host}/")


def test_a_url_without_its_final_slash_is_known_as_such() -> None:
    assert Target.parse("http://x/app").lacks_slash
    assert not Target.parse("http://x/app/").lacks_slash
    assert not Target.parse("http://x").lacks_slash


def test_observations_are_masked() -> None:
    seen = {
        "url": "https://u:p@host/x?token=abc",
        "headers": [
            ("set-cookie", "id=abc; Path=/"),
            ("cookie", "id=abc; b=abc"),
            ("authorization", "Bearer abc"),
            ("x-mine", "abc"),
            ("location", "/next?code=abc"),
            ("sec-websocket-protocol", "streamlit, abc"),
            ("x-forwarded-for", "9.9.9.9, 10.0.0.1"),
        ],
        "text": '<script data-tokens="abc abc"></script>\x1b[2J',
        "client": "9.9.9.9",
    }
    text = json.dumps(redacted(seen, secret_headers=["X-Mine"]))

    assert "abc" not in text
    assert "9.9.9.9" not in text
    assert "\\u001b" not in text
    assert "10.0.0.1" in text
    assert "streamlit" in text


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        pytest.param("9.9.9.9", MASK, id="ipv4"),
        pytest.param("2600::1, 10.1.2.3", f"{MASK}, 10.1.2.3", id="ipv6"),
        pytest.param("127.0.0.1:8501", "127.0.0.1:8501", id="loopback"),
        pytest.param("1.2.3", "1.2.3", id="version"),
        pytest.param("12:30:00", "12:30:00", id="time"),
    ],
)
def test_addresses_of_the_internet_are_masked(text: str, masked: str) -> None:
    assert without_addresses(text) == masked


@given(st.text())
def test_safe_text_is_printable(text: str) -> None:
    assert all(char.isprintable() or char == "\n" for char in safe_text(text))


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_damaged(data: bytes) -> None:
    try:
        found = list(protobuf.fields(memoryview(data)))
    except DamagedMessageError:
        return
    assert len(found) <= len(data)


def test_fields_are_found_by_their_path() -> None:
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    message = ForwardMsg()
    message.new_session.initialize.environment_info.streamlit_version = "1.2.3"
    message.new_session.initialize.session_id = "abc"
    data = memoryview(message.SerializeToString())

    assert protobuf.text(data, 4, 1, 3, 1) == "1.2.3"
    assert protobuf.text(data, 4, 1, 6) == "abc"
    assert protobuf.find(data, 6) is None


def test_a_padded_message_is_skipped_by_streamlit() -> None:
    from streamlit.proto.BackMsg_pb2 import BackMsg

    message = BackMsg()
    message.ParseFromString(b"\x88\x01\x01" + protobuf.padded_field(1000, 70_000))

    assert message.app_heartbeat


@pytest.mark.parametrize(
    ("block", "status"),
    [
        pytest.param(b"\x88", 200, id="indexed-200"),
        pytest.param(b"\x8c\x00", 400, id="indexed-400"),
        pytest.param(b"\x48\x03403", 403, id="literal"),
        pytest.param(b"\x08\x82\x64\x02", 302, id="huffman"),  # RFC 7541, C.6.1
        pytest.param(b"\x20\x88", 200, id="after-a-table-size"),
        pytest.param(b"\x3f\xe1\x1f\x88", 200, id="after-a-long-table-size"),
        pytest.param(b"", None, id="empty"),
        pytest.param(b"\xff", None, id="unknown-index"),
        pytest.param(b"\x48\x03abc", None, id="no-number"),
    ],
)
def test_status_is_read_from_a_header_block(block: bytes, status: int | None) -> None:
    assert _status(block) == status


@pytest.mark.parametrize(
    ("headers", "text", "status", "name"),
    [
        pytest.param([("www-authenticate", "Basic realm=x")], "", 401, "Basic", id="basic"),
        pytest.param([("location", "/oauth2/start?rd=%2F")], "", 302, "oauth2-proxy", id="proxy"),
        pytest.param([("location", "/hub/login")], "", 302, "JupyterHub", id="hub"),
        pytest.param([("location", "/sso/")], "", 302, "a login form", id="path"),
        pytest.param([("location", "/loginless")], "", 302, "", id="only-the-beginning"),
        pytest.param([], "<input name=a type='password'>", 200, "a login form", id="form"),
        pytest.param([], "<title>Streamlit</title><input type=password>", 200, "", id="streamlit"),
    ],
)
def test_logins_are_named(
    headers: list[tuple[str, str]], text: str, status: int, name: str
) -> None:
    answer = Exchange(url="http://x/", status=status, headers=tuple(headers), text=text)

    assert login_of(answer).startswith(name)
    assert bool(login_of(answer)) is bool(name)
