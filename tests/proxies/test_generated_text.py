"""The text of generated configurations: golden, deterministic, explained, never injected."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stlaunch.errors import UsageError
from stlaunch.proxies.app_facts import AppFacts, read_app_facts
from stlaunch.proxies.configuration import KINDS, generate
from stlaunch.proxies.model import IDENTITY_STAYS, Kind
from stlaunch.proxies.site_options import Asked, plan_site
from tests.proxies.golden import FOLDER, URL, texts

KIND_LIST = list(KINDS.values())
PLAIN = re.compile(r"[A-Za-z0-9._~/+@=:\[\],-]*")
HOSTILE = st.text(
    st.sampled_from([*"abz09-._~/:@=,+ \t\n\r;{}()[]<>\"'`$%#&|\\!*?^", "ä", "\x00", "\u2028"]),
    max_size=24,
)


@pytest.mark.parametrize("kind", KIND_LIST, ids=KINDS)
def test_golden_files(kind: Kind) -> None:
    """Changed on purpose? `python -m tests.proxies.golden`, and read the difference."""
    now = {name: text for name, text in texts().items() if name.startswith(f"{kind.name}.")}
    golden = {name: (FOLDER / name).read_text(encoding="utf-8") for name in now}

    assert now == golden


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(texts())


@pytest.mark.parametrize("kind", KIND_LIST, ids=KINDS)
def test_every_line_has_a_reason(kind: Kind) -> None:
    site = plan_site(kind, Asked(public_url=URL), AppFacts())
    unexplained = [
        line
        for group in generate(kind, site).groups
        if not group.why
        for line in group.lines
        if line.strip()
    ]

    assert unexplained in ([], ['<?xml version="1.0" encoding="utf-8"?>'])


@pytest.mark.parametrize("kind", KIND_LIST, ids=KINDS)
def test_explanation_numbers_the_lines_of_the_file(kind: Kind) -> None:
    configuration = generate(kind, plan_site(kind, Asked(public_url=URL), AppFacts()))
    numbered = re.findall(r"^ *\d+  (.*\S)", configuration.explained, re.MULTILINE)
    written = [line for group in configuration.groups for line in group.lines if line.strip()]

    assert numbered == [line.rstrip() for line in written]
    assert configuration.explained.count("^ ") >= 5


@pytest.mark.parametrize("kind", KIND_LIST, ids=KINDS)
def test_nothing_is_left_to_fill_in(kind: Kind) -> None:
    for name, text in texts().items():
        if name.startswith(f"{kind.name}."):
            assert not re.search(r"<<|>>|^\s*([?][a-z!]|#[:\[\]])", text, re.MULTILINE), name


@pytest.mark.parametrize("kind", KIND_LIST, ids=KINDS)
def test_snippet_is_a_part_of_the_whole(kind: Kind) -> None:
    """Only nginx writes Connection otherwise: an existing http block has no map for it."""
    asked = Asked(public_url=URL, is_snippet=True)
    whole = generate(kind, plan_site(kind, Asked(public_url=URL), AppFacts())).text
    snippet = generate(kind, plan_site(kind, asked, AppFacts())).snippet
    known = {line.strip() for line in whole.splitlines()}
    own = {line.strip() for line in snippet.splitlines() if not re.match(r"\s*(#|//|<!--)", line)}

    own.discard("")
    assert own - known <= (
        {'proxy_set_header Connection "upgrade";'} if kind.name == "nginx" else set()
    )
    assert len(snippet) < len(whole)


def test_a_dot_of_the_path_is_a_dot_in_its_pattern() -> None:
    asked = Asked(public_url="https://example.com/my.app", strip_prefix=True)
    site = plan_site(KINDS["ingress"], asked, AppFacts())
    found = re.search(r"- path: (\S+)\n +pathType", generate(KINDS["ingress"], site).text)

    assert found
    assert re.match(found[1], "/my.app/x")
    assert not re.match(found[1], "/my-app/x")


# --- injection


@settings(deadline=None, max_examples=60)
@given(text=HOSTILE, where=st.sampled_from(["path", "host", "upstream", "replica", "cert", "key"]))
def test_no_value_injects_a_directive(text: str, where: str) -> None:
    """A value is refused, or it is the only difference from the text of a harmless one."""
    kind = KINDS["nginx"]
    harmless, hostile = _asked(where, "abc"), _asked(where, text)
    try:
        site = plan_site(kind, hostile, AppFacts())
    except UsageError:
        return
    written = [
        site.base_path.value,
        site.host,
        *site.servers,
        site.certificate,
        site.key,
    ]

    assert all(PLAIN.fullmatch(value) for value in written), written
    for every in KIND_LIST:
        base = plan_site(kind, harmless, AppFacts())
        same_shape = len(generate(every, base).text.splitlines())
        assert abs(len(generate(every, site).text.splitlines()) - same_shape) <= _shape(where)


def _shape(where: str) -> int:
    """Wrapped comments and the redirect of a path that is not the root may add lines."""
    return {"path": 40, "host": 12}.get(where, 3)


def _asked(where: str, text: str) -> Asked:
    path = text if where == "path" else "app"
    host = text if where == "host" else "example.com"
    return Asked(
        public_url=f"https://{host}/{path}",
        upstream=f"{text}:8501" if where == "upstream" else None,
        replicas=f"10.0.0.1:8501,{text}:8501" if where == "replica" else None,
        tls=f"{text if where == 'cert' else 'c.pem'},{text if where == 'key' else 'k.pem'}",
    )


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        pytest.param(Asked(public_url="/a;b"), "'/a;b'", id="path"),
        pytest.param(Asked(public_url="/a$b"), "'/a$b'", id="path-variable"),
        pytest.param(Asked(public_url="https://a b/"), "public URL", id="host"),
        pytest.param(Asked(public_url="https://[::1]/"), "'::1'", id="ipv6"),
        pytest.param(Asked(upstream="127.0.0.1"), "host:port", id="no-port"),
        pytest.param(Asked(upstream="a;b:1"), "'a;b:1'", id="upstream"),
        pytest.param(Asked(replicas="a:1"), "2 to 100", id="one-replica"),
        pytest.param(Asked(replicas="a:1,a:1"), "different", id="same-replica"),
        pytest.param(Asked(replicas="a:1,b:2", upstream="a:1"), "--upstream", id="both"),
        pytest.param(Asked(tls="c.pem"), "two files", id="one-file"),
        pytest.param(Asked(tls="c .pem,k.pem"), "'c .pem'", id="file"),
        pytest.param(Asked(tls="-c.pem,k.pem"), "'-c.pem'", id="flag"),
        pytest.param(Asked(public_url="http://a/", tls="c,k"), "contradicts", id="tls-http"),
        pytest.param(Asked(self_check_from="10.0.0.0/33"), "'10.0.0.0/33'", id="network"),
    ],
)
def test_what_cannot_be_written_is_refused_by_name(asked: Asked, named: str) -> None:
    with pytest.raises(UsageError, match=re.escape(named)):
        plan_site(KINDS["nginx"], asked, AppFacts())


@pytest.mark.parametrize(
    ("kind", "asked"),
    [
        pytest.param("aws-alb", Asked(strip_prefix=True), id="strip"),
        pytest.param("h2o", Asked(replicas="a:1,b:1"), id="affinity"),
        pytest.param("cloudflare", Asked(), id="host"),
        pytest.param("ingress", Asked(tls="c,k"), id="files"),
        pytest.param("openshift", Asked(self_check_from="10.0.0.1"), id="addresses"),
        pytest.param("ingress", Asked(has_security_headers=True), id="headers"),
        pytest.param("iis", Asked(self_check_from="10.0.0.0/8"), id="networks"),
    ],
)
def test_what_a_kind_cannot_do_is_refused(kind: str, asked: Asked) -> None:
    with pytest.raises(UsageError) as caught:
        plan_site(KINDS[kind], asked, AppFacts())

    assert caught.value.message.startswith(KINDS[kind].title)
    assert caught.value.hint


def test_identity_header_names_are_checked() -> None:
    with pytest.raises(UsageError, match="trustedUserHeaders"):
        plan_site(KINDS["nginx"], Asked(), AppFacts(identity_headers=('X"; deny all; #',)))


@pytest.mark.parametrize("kind", KIND_LIST, ids=KINDS)
def test_no_identity_is_handed_on_in_silence(kind: Kind) -> None:
    """Each kind removes a header that the app trusts, or its file says that it cannot."""
    facts = AppFacts(identity_headers=("X-Me",))
    configuration = generate(kind, plan_site(kind, Asked(public_url=URL), facts))
    removed = "X-Me" in configuration.text or "HTTP_X_ME" in configuration.text

    assert removed is (IDENTITY_STAYS not in kind.notes)


@pytest.mark.parametrize("max_upload_mb", [3999, 4000, 5000, 1_000_000])
@pytest.mark.parametrize(
    ("kind", "pattern", "highest", "unit"),
    [
        pytest.param("iis", r'maxAllowedContentLength="(\d+)"', 2**32 - 1, 2**20, id="iis"),
        pytest.param("azure-gateway", r"fileUploadLimitInMb: (\d+)", 4000, 1, id="azure"),
    ],
)
def test_no_size_is_larger_than_its_language_takes(
    kind: str, pattern: str, highest: int, unit: int, max_upload_mb: int
) -> None:
    """And where one is smaller than the app's, its comment says so."""
    facts = AppFacts(max_upload_mb=max_upload_mb)
    text = generate(KINDS[kind], plan_site(KINDS[kind], Asked(public_url=URL), facts)).text
    (size,) = re.findall(pattern, text)
    wanted = (max_upload_mb + 1) * unit

    assert int(size) == min(wanted, highest)
    assert (" larger files in pieces" in " ".join(text.split())) is (wanted > highest)


# --- the app's own configuration


def test_limits_come_from_the_apps_configuration(tmp_path: Path) -> None:
    home, cwd = tmp_path / "home", tmp_path / "cwd"
    for folder, text in (
        (home, "[server]\nmaxUploadSize = 7\nport = 9000\n"),
        (
            cwd,
            """[server]
maxUploadSize = 300
websocketPingInterval = 50
trustedUserHeaders = { X-Me = "name" }
""",
        ),
    ):
        (folder / ".streamlit").mkdir(parents=True)
        (folder / ".streamlit" / "config.toml").write_text(text)
    environ = {"STREAMLIT_SERVER_WEBSOCKET_PING_INTERVAL": "40"}
    facts = read_app_facts(None, cwd=cwd, home=home, environ=environ)
    text = generate(KINDS["nginx"], plan_site(KINDS["nginx"], Asked(), facts)).text

    assert facts.port == 9000
    assert "proxy_pass http://127.0.0.1:9000;" in text
    assert "client_max_body_size 301m;" in text
    assert "proxy_read_timeout 160s;" in text
    assert 'proxy_set_header X-Me "";' in text


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("[server]\nmaxUploadSize = -1\n", "server.maxUploadSize", id="negative"),
        pytest.param("[server]\nmaxUploadSize = true\n", "whole number", id="boolean"),
        pytest.param("[server]\nmaxUploadSize = 9000000\n", "between", id="huge"),
        pytest.param("server = 1\n", "not a table", id="table"),
        pytest.param("[server", "not valid TOML", id="toml"),
        pytest.param("[server]\ntrustedUserHeaders = 'x'\n", "not JSON", id="headers"),
    ],
)
def test_bad_configuration_of_the_app_is_an_error(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / ".streamlit").mkdir()
    (tmp_path / ".streamlit" / "config.toml").write_text(text)

    with pytest.raises(UsageError, match=named):
        read_app_facts(None, cwd=tmp_path, home=None, environ={})
