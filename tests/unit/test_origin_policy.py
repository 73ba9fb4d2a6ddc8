"""A foreign origin is never accepted; cookie and token must belong together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stlaunch.gateway.origin_policy import (
    ACCEPTING,
    HOST_COOKIE,
    PLAIN_COOKIE,
    Evidence,
    OriginPolicy,
    OriginProof,
    Rule,
    decide,
    derive_secret,
    is_cookie_id,
    new_cookie_id,
)
from stlaunch.urls.origin import HostPort, Origin, OriginCheck

PUBLIC = Origin("https", "app.example.test", 443)
PORTAL = Origin("https", "portal.example.test", 443)
HOST = HostPort("app.example.test")
OPEN = OriginPolicy()
ALLOWING = OriginPolicy(allowed_origins=(PORTAL,))
WITH_URL = OriginPolicy(public_origins=(PUBLIC,))
STRICT = OriginPolicy(check=OriginCheck.STRICT)
OFF = OriginPolicy(is_cors_disabled=True)
EVIL = "https://evil.test"


def _evidence(**facts: Any) -> Evidence:
    return Evidence(**({"origin": None, "host": HOST} | facts))


CASES: list[tuple[str, OriginPolicy, dict[str, Any], Rule]] = [
    ("a-program", OPEN, {}, Rule.NOT_A_BROWSER),
    ("a-browser-without-origin", OPEN, {"has_cookie": True}, Rule.NO_ORIGIN),
    ("fetch-metadata-without-origin", OPEN, {"has_fetch_metadata": True}, Rule.NO_ORIGIN),
    ("origin-dropped-but-proven", OPEN, {"has_cookie": True, "is_proven": True}, Rule.ORIGIN_PROOF),
    ("tunnel-is-no-program", OPEN, {"is_websocket": False}, Rule.NO_ORIGIN),
    ("null", OPEN, {"origin": "null", "is_proven": True}, Rule.OPAQUE_ORIGIN),
    ("junk", OPEN, {"origin": "file://x", "is_proven": True}, Rule.OPAQUE_ORIGIN),
    ("same-host", OPEN, {"origin": str(PUBLIC)}, Rule.SAME_HOST),
    ("same-host-default-port", OPEN, {"origin": "https://APP.example.test:443"}, Rule.SAME_HOST),
    ("same-host-other-port", OPEN, {"origin": "https://app.example.test:8443"},
     Rule.FOREIGN_ORIGIN),
    ("same-host-other-scheme", OPEN, {"origin": "http://app.example.test", "scheme": "https"},
     Rule.FOREIGN_ORIGIN),
    ("same-host-cross-site", OPEN, {"origin": str(PUBLIC), "fetch_site": "cross-site"},
     Rule.CROSS_SITE),
    ("allowed", ALLOWING, {"origin": str(PORTAL)}, Rule.ALLOWED_ORIGIN),
    ("allowed-cross-site", ALLOWING, {"origin": str(PORTAL), "fetch_site": "cross-site"},
     Rule.ALLOWED_ORIGIN),
    ("foreign", OPEN, {"origin": EVIL}, Rule.FOREIGN_ORIGIN),
    ("foreign-sibling", OPEN, {"origin": "https://evil.example.test"}, Rule.FOREIGN_ORIGIN),
    ("proven", OPEN, {"origin": EVIL, "is_proven": True}, Rule.ORIGIN_PROOF),
    ("proven-same-site", OPEN, {"origin": EVIL, "is_proven": True, "fetch_site": "same-site"},
     Rule.CROSS_SITE),
    ("proven-but-url-given", WITH_URL, {"origin": EVIL, "is_proven": True}, Rule.FOREIGN_ORIGIN),
    ("url-given", WITH_URL, {"origin": str(PUBLIC)}, Rule.ALLOWED_ORIGIN),
    ("url-given-other-name", WITH_URL,
     {"origin": "http://other.test", "host": HostPort("other.test")}, Rule.FOREIGN_ORIGIN),
    ("url-given-loopback", WITH_URL,
     {"origin": "http://127.0.0.1:8501", "host": HostPort("127.0.0.1", 8501)}, Rule.SAME_HOST),
    ("proven-but-strict", STRICT, {"origin": EVIL, "is_proven": True}, Rule.FOREIGN_ORIGIN),
    ("strict-same-host", STRICT, {"origin": str(PUBLIC)}, Rule.SAME_HOST),
    ("cors-switched-off", OFF, {"origin": EVIL}, Rule.CORS_DISABLED),
]  # fmt: skip


@pytest.mark.parametrize(("_name", "policy", "facts", "rule"), CASES, ids=[c[0] for c in CASES])
def test_decision_table(
    _name: str, policy: OriginPolicy, facts: dict[str, Any], rule: Rule
) -> None:
    """Each combination that matters has its rule."""
    assert decide(policy, _evidence(**facts)) is rule


@given(
    origin=st.text(max_size=40) | st.sampled_from([EVIL, "null", "http://x", "https://a.b:1"]),
    host=st.sampled_from([None, HOST, HostPort("127.0.0.1", 8501)]),
    scheme=st.sampled_from([None, "http", "https"]),
    cookie=st.booleans(),
    metadata=st.booleans(),
    site=st.sampled_from([None, "same-origin", "same-site", "cross-site", "none"]),
    websocket=st.booleans(),
)
def test_a_foreign_origin_is_never_accepted(
    origin: str,
    host: HostPort | None,
    scheme: str | None,
    site: str | None,
    *,
    cookie: bool,
    metadata: bool,
    websocket: bool,
) -> None:
    """Nothing but a matching host, a name on the list or the proof lets an Origin in."""
    parsed = Origin.parse(origin)
    assume(parsed is None or host is None or parsed.host != host.host)

    rule = decide(
        ALLOWING,
        Evidence(
            origin=origin,
            host=host,
            scheme=scheme,
            has_cookie=cookie,
            has_fetch_metadata=metadata,
            fetch_site=site,
            is_websocket=websocket,
        ),
    )

    assert (rule in ACCEPTING) == (parsed == PORTAL)


PROOF = OriginProof(b"k" * 32)
ID = new_cookie_id()


@pytest.mark.parametrize(
    ("cookies", "tokens", "is_https", "is_proven"),
    [
        ([(PLAIN_COOKIE, ID)], [PROOF.token(PLAIN_COOKIE, ID)], False, True),
        ([(HOST_COOKIE, ID)], [PROOF.token(HOST_COOKIE, ID)], True, True),
        ([(HOST_COOKIE, ID)], [PROOF.token(HOST_COOKIE, ID)], False, True),
        ([(PLAIN_COOKIE, ID)], [PROOF.token(PLAIN_COOKIE, ID)], True, False),
        ([(PLAIN_COOKIE, ID)], [PROOF.token(HOST_COOKIE, ID)], False, False),
        ([(HOST_COOKIE, ID)], [PROOF.token(PLAIN_COOKIE, ID)], False, False),
        ([(HOST_COOKIE, new_cookie_id()), (PLAIN_COOKIE, ID)], [PROOF.token(PLAIN_COOKIE, ID)],
         False, False),
        ([(PLAIN_COOKIE, new_cookie_id())], [PROOF.token(PLAIN_COOKIE, ID)], False, False),
        ([(PLAIN_COOKIE, ID)], [OriginProof(b"x" * 32).token(PLAIN_COOKIE, ID)], False, False),
        ([(PLAIN_COOKIE, ID)], [PROOF.token(PLAIN_COOKIE, ID)[:-1]], False, False),
        ([(PLAIN_COOKIE, ID)], [], False, False),
        ([], [PROOF.token(PLAIN_COOKIE, ID)], False, False),
        ([(PLAIN_COOKIE, "short")], [PROOF.token(PLAIN_COOKIE, "short")], False, False),
        ([(PLAIN_COOKIE, new_cookie_id()), (PLAIN_COOKIE, ID)], [PROOF.token(PLAIN_COOKIE, ID)],
         False, True),
    ],
    ids=[
        "plain", "host", "host-over-unknown-scheme", "plain-does-not-count-over-https",
        "token-of-the-other-cookie", "token-of-the-plain-one", "host-cookie-silences-plain",
        "somebody-elses-id", "other-secret", "truncated", "no-token", "no-cookie",
        "malformed-id", "planted-as-well",
    ],
)  # fmt: skip
def test_cookie_and_token_belong_together(
    cookies: list[tuple[str, str]], tokens: list[str], *, is_https: bool, is_proven: bool
) -> None:
    """Only the pair that this server made proves anything."""
    assert PROOF.verify(cookies, tokens, is_https=is_https) is is_proven


@given(tokens=st.lists(st.text(max_size=60), max_size=20), value=st.text(max_size=40))
def test_guesses_prove_nothing(tokens: list[str], value: str) -> None:
    """Text that was not signed here is refused without an exception."""
    assert not PROOF.verify([(PLAIN_COOKIE, value), (HOST_COOKIE, value)], tokens, is_https=False)


def test_replicas_agree_on_the_secret_and_others_do_not() -> None:
    """The key is derived from the shared cookie secret; without one it is random."""
    assert derive_secret("shared") == derive_secret("shared") != derive_secret("other")
    assert derive_secret(None) != derive_secret(None)


def test_ids_are_well_formed_and_unrelated() -> None:
    """128 bits, url-safe, never twice."""
    ids = {new_cookie_id() for _ in range(100)}

    assert len(ids) == 100
    assert all(map(is_cookie_id, ids))
