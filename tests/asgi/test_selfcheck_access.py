"""Who may see the self-check: nobody who came through a proxy, and nobody who guesses."""

from __future__ import annotations

import pytest

from stlaunch.gateway.selfcheck.access import AccessPolicy, TokenGuesses
from stlaunch.settings.model import SelfCheck
from tests.asgi.driver import LOOPBACK, STRANGER, Recorder, make, request

CHECK = "/app/_stlaunch/check"
LOCALHOST = ("host", "localhost:8501")
TOKEN = "right"


@pytest.mark.parametrize(
    "name",
    [
        *("cf-connecting-ip", "true-client-ip", "x-client-ip", "fastly-client-ip", "x-real-ip"),
        *("x-cluster-client-ip", "x-original-forwarded-for", "forwarded", "via", "x-forwarded-for"),
        *("x_client_ip", "cf_connecting_ip", "fly-client-ip", "x-azure-clientip", "cdn-loop"),
        # Known by the address in it.
        *("ali-cdn-real-ip", "incap-client-ip", "eo-client-ip", "x-sucuri-clientip", "x-anything"),
    ],
)
@pytest.mark.parametrize("value", ["203.0.113.9", "203.0.113.9:80, 10.0.0.1", "[2001:db8::1]:80"])
def test_local_refuses_what_a_proxy_handed_on(name: str, value: str) -> None:
    """A proxy on this machine shows itself by any of its headers."""
    wrapped = make(Recorder(), access_policy=AccessPolicy(access=SelfCheck.LOCAL))

    own = request(wrapped, CHECK, [LOCALHOST])
    forwarded = request(wrapped, CHECK, [LOCALHOST, (name, value)])

    assert (own.status, forwarded.status) == (200, 403)


def test_guesses_are_slowed_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    """After ten a minute none is compared; the holder elsewhere is let in throughout."""
    now = [0.0]
    guesses = TokenGuesses(clock=lambda: now[0])
    policy = AccessPolicy(access=SelfCheck.TOKEN, token=TOKEN, guesses=guesses)
    wrapped = make(Recorder(), access_policy=policy)

    def ask(token: str, client: tuple[str, int]) -> int:
        return request(wrapped, CHECK, [("x-stlaunch-token", token)], client=client).status

    wrong = [ask(f"wrong{number}", STRANGER) for number in range(12)]
    late = ask(TOKEN, STRANGER)
    holder = ask(TOKEN, LOOPBACK)
    now[0] = 61.0
    next_minute = ask(TOKEN, STRANGER)

    assert wrong == [401] * 9 + [429] * 3
    assert (late, holder, next_minute) == (429, 200, 200)
    assert caplog.text.count("wrong self-check token") == 2
    assert "203.0.113.9" in caplog.text


def test_strangers_shut_out_nobody_who_has_guessed_nothing() -> None:
    """Once 256 clients had guessed, nobody else's token was compared: the operator got 429."""
    guesses = TokenGuesses(clock=lambda: 0.0)
    policy = AccessPolicy(access=SelfCheck.TOKEN, token=TOKEN, guesses=guesses)
    wrapped = make(Recorder(), access_policy=policy)
    for number in range(5_000):
        guesses.note(f"10.{number // 62_500}.{number // 250 % 250}.{number % 250}")

    def ask(token: str) -> int:
        return request(wrapped, CHECK, [("x-stlaunch-token", token)], client=STRANGER).status

    assert ask(TOKEN) == 200
    assert [ask("wrong") for _ in range(10)] == [401] * 9 + [429]
    assert ask(TOKEN) == 429  # it has guessed itself


def test_guessers_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    """However many addresses guess, memory and the log stay bounded, and each one's count holds."""
    guesses = TokenGuesses(clock=lambda: 0.0)

    for number in range(5_000):
        for _ in range(10):
            guesses.note(f"10.{number // 62_500}.{number // 250 % 250}.{number % 250}")

    assert guesses.are_too_many("10.0.19.249")  # the last one
    assert len(guesses._wrong) <= 4096
    assert len(caplog.records) <= 512
