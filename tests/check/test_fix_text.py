"""The text of a fix: the app's address is printed as a fact only where it is one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from stlaunch.check.diagnosis import diagnose
from stlaunch.check.fixes import fix_text, lines_for
from stlaunch.check.hop import Hop
from stlaunch.check.observations import Observations
from stlaunch.proxies.needs import Product
from tests.check.cases import CASES
from tests.check.paste_rows import printed_lines
from tests.check.recording import recorded

NGINX = Hop(name="nginx", product=Product.NGINX)
UNKNOWN: dict[str, Any] = {"direct": None, "self_check": None}
GUESS = "127.0.0.1:8501 stands for your app's address; --direct URL fills it in."
START = "Start the app, and compare its address"


def known(patch: dict[str, Any], url: str = "http://app.internal:8080/") -> Observations:
    """Return what was seen with `--direct URL` too."""
    seen = recorded(UNKNOWN | patch)
    return replace(seen, direct=replace(seen, url=url, base_path="", http={}))


def reported(upstream: object) -> Observations:
    return recorded({"direct": None, "self_check": {"app": {"upstream": upstream}}})


def test_a_dead_upstream_is_not_replaced_by_a_guess() -> None:
    """`http://streamlit:8501` of a compose file is right, and 127.0.0.1 behind it is not."""
    (first, *_) = diagnose(recorded(UNKNOWN | dict(CASES["STL120"].fires))).findings

    assert first.code == "STL120"
    assert first.fix.startswith(START)
    assert "proxy_pass" not in first.fix


@pytest.mark.parametrize("product", Product)
def test_no_product_s_route_to_the_app_is_replaced_by_a_guess(product: Product) -> None:
    hop = Hop(name="a proxy", product=product)

    assert fix_text("STL120", hop, recorded(UNKNOWN)).count("\n") == 0


@pytest.mark.parametrize("code", ["STL120", "STL122", "STL123"])
def test_words_come_before_the_lines_where_lines_alone_may_not_help(code: str) -> None:
    text = fix_text(code, NGINX, known({}))
    words, _, lines = text.partition("\n")

    assert words == fix_text(code, None, known({}))
    assert "proxy_pass http://app.internal:8080" in lines
    assert "stands for" not in lines


@pytest.mark.parametrize("code", ["STL122", "STL123", "STL201", "STL202", "STL804", "STL807"])
def test_a_guessed_address_is_called_one(code: str) -> None:
    guessed = fix_text(code, NGINX, recorded(UNKNOWN))
    given = fix_text(code, NGINX, known({}))

    assert GUESS in guessed
    assert "127.0.0.1:8501" in guessed.replace(GUESS, "")
    assert "stands for" not in given
    assert "http://app.internal:8080" in given


@pytest.mark.parametrize("code", ["STL301", "STL602", "STL604", "STL702"])
def test_lines_without_the_address_have_no_such_note(code: str) -> None:
    assert GUESS not in fix_text(code, NGINX, recorded(UNKNOWN))


@pytest.mark.parametrize(
    ("upstream", "is_known"),
    [
        pytest.param("10.0.0.7:8501", True, id="address"),
        pytest.param("unix:/run/app.sock", True, id="socket"),
        pytest.param("127.0.0.1:8501", False, id="the-host-is-hidden-from-strangers"),
        pytest.param("unix:/PATH/TO/APP.sock", False, id="the-socket-is-hidden-from-strangers"),
        pytest.param(None, False, id="not-said"),
        pytest.param("x y:1", False, id="hostile"),
    ],
)
def test_the_app_s_own_answer_says_where_it_is(upstream: object, is_known: bool) -> None:
    seen = reported(upstream)
    lines = lines_for("STL120", Product.NGINX, seen)

    assert (lines is not None) is is_known
    if is_known:
        assert str(upstream) in fix_text("STL120", NGINX, seen)
    else:
        assert "stands for your app's address" in fix_text("STL201", NGINX, seen)


def test_the_paste_proof_knows_the_address() -> None:
    """Its rows stand for somebody who gives `--direct`; the others are proved here."""
    assert printed_lines("STL120", Product.NGINX)
