"""Content-Security-Policy as browsers read it: what blocks Streamlit's page, and what does not."""

from __future__ import annotations

import pytest

from stlaunch.diagnostics.content_security import Policies
from stlaunch.urls.origin import Origin

HTTPS = Origin.parse("https://app.example.test")
PORT = Origin.parse("https://app.example.test:8443")
HTTP = Origin.parse("http://app.example.test")
FILE = "/app/static/js/index.js"


@pytest.mark.parametrize("here", [HTTPS, PORT, HTTP], ids=["https", "port", "http"])
@pytest.mark.parametrize("source", ["*", "'self'"])
def test_its_own_sources_let_everything_of_the_page_in(here: Origin, source: str) -> None:
    policies = Policies.parse(f"default-src {source}", here)

    assert policies.own_file("script-src-elem", FILE) == ""
    assert policies.own_connection() == ""


@pytest.mark.parametrize(
    ("sources", "here"),
    [
        pytest.param("https:", HTTPS, id="scheme"),
        pytest.param("http:", HTTPS, id="scheme-upgraded"),
        pytest.param("https://app.example.test", HTTPS, id="origin"),
        pytest.param("http://app.example.test", HTTPS, id="origin-upgraded"),
        pytest.param("HTTPS://APP.EXAMPLE.TEST", HTTPS, id="case"),
        pytest.param("app.example.test", HTTPS, id="host"),
        pytest.param("*.example.test", HTTPS, id="any-subdomain"),
        pytest.param("https://*", HTTPS, id="any-host"),
        pytest.param("app.example.test:443", HTTPS, id="default-port"),
        pytest.param("app.example.test:*", PORT, id="any-port"),
        pytest.param("app.example.test:8443", PORT, id="port"),
        pytest.param("https://app.example.test/app/", HTTPS, id="below-a-folder"),
        pytest.param(f"https://app.example.test{FILE}", HTTPS, id="the-file"),
        pytest.param("'nonce-x' other.example.test https:", HTTPS, id="one-of-several"),
        pytest.param("[::1]", Origin.parse("http://[::1]"), id="ipv6"),
        pytest.param("[::1]:8501", Origin.parse("http://[::1]:8501"), id="ipv6-port"),
    ],
)
def test_a_file_is_let_in(sources: str, here: Origin) -> None:
    assert Policies.parse(f"script-src {sources}", here).own_file("script-src-elem", FILE) == ""


@pytest.mark.parametrize(
    ("sources", "here"),
    [
        pytest.param("'none'", HTTPS, id="none"),
        pytest.param("'nonce-x' 'unsafe-inline'", HTTPS, id="keywords"),
        pytest.param("'strict-dynamic' https:", HTTPS, id="strict-dynamic"),
        pytest.param("https:", HTTP, id="other-scheme"),
        pytest.param("data: blob:", HTTPS, id="other-schemes"),
        pytest.param("https://app.example.test", HTTP, id="other-scheme-of-origin"),
        pytest.param("other.example.test", HTTPS, id="other-host"),
        pytest.param("*.other.test", HTTPS, id="other-domain"),
        pytest.param("*.app.example.test", HTTPS, id="subdomains-alone"),
        pytest.param("app.example.test", PORT, id="default-port-alone"),
        pytest.param("app.example.test:8444", PORT, id="other-port"),
        pytest.param("https://app.example.test/other/", HTTPS, id="other-folder"),
        pytest.param("https://app.example.test/app", HTTPS, id="no-folder"),
    ],
)
def test_a_file_is_blocked_and_the_directive_named(sources: str, here: Origin) -> None:
    blocking = Policies.parse(f"script-src {sources}", here).own_file("script-src-elem", FILE)

    assert blocking == f"script-src {sources}"


@pytest.mark.parametrize(
    ("policy", "here", "blocking"),
    [
        ("connect-src wss:", HTTPS, ""),
        ("connect-src ws:", HTTPS, ""),
        ("connect-src https:", HTTPS, "connect-src https:"),
        ("connect-src wss://app.example.test https:", HTTPS, ""),
        ("connect-src app.example.test", HTTPS, ""),
        ("default-src 'none'; connect-src 'self'", HTTPS, ""),
        ("default-src 'none'", HTTPS, "default-src 'none'"),
        ("script-src 'none'", HTTPS, ""),
        ("connect-src *, connect-src 'none'", HTTPS, "connect-src 'none'"),
        ("connect-src 'self'; connect-src 'none'", HTTPS, ""),
    ],
)
def test_requests_and_the_socket_are_both_needed(policy: str, here: Origin, blocking: str) -> None:
    """Of two policies each one blocks; of a directive that is there twice, the first one counts."""
    found = Policies.parse(policy, here).own_connection()

    assert found == blocking


def test_what_a_page_may_do_besides_loading() -> None:
    policies = Policies.parse(
        "sandbox allow-scripts; script-src 'self', frame-ancestors 'none'",
        HTTPS,
    )

    assert policies.evaluation() == "script-src 'self'"
    assert policies.sandbox() == "sandbox allow-scripts"
    assert policies.named("frame-ancestors") == "frame-ancestors 'none'"
    assert policies.named("img-src") == ""
    assert policies.has("sandbox")
    assert not policies.has("connect-src")
    assert Policies.parse("sandbox allow-scripts allow-same-origin;;", HTTPS).sandbox() == ""
    assert Policies.parse("script-src 'unsafe-eval'", HTTPS).evaluation() == ""
