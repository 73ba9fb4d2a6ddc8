"""Requests as platforms send them, through all layers: who may connect, and under which path."""

from __future__ import annotations

import json

import pytest

from stlaunch.gateway.origin_policy import OriginProof, new_cookie_id
from stlaunch.gateway.origin_settings import origin_policy
from stlaunch.platforms import detect_platforms, place
from stlaunch.platforms.advice import trusted_by_default
from stlaunch.settings.read import read_settings
from stlaunch.settings.resolve import resolve_settings
from stlaunch.urls.public_paths import PublicPaths
from tests.asgi.driver import SECRET, Recorder, handshake, make, request
from tests.platforms.samples import SAMPLES

STREAM = "/_stcore/stream"


def make_on(name: str, app: Recorder, **changes: object):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Wrap an app as it would be on a platform that does not reveal its path."""
    environ = SAMPLES[name].environ
    placement = place(
        detect_platforms(environ, frozenset().__contains__), environ, default_port=8501
    )
    facts = {
        "trusted": trusted_by_default(placement),
        "public_url": placement.public_url.value if placement.public_url else None,
        "paths": PublicPaths(is_learning=placement.is_behind_proxy),
    }
    return make(app, **(facts | changes))


def proven(name: str = "__Host-stlaunch") -> tuple[list[tuple[str, str]], list[str]]:
    cookie_id = new_cookie_id()
    token = OriginProof(SECRET).token(name, cookie_id)
    return [("cookie", f"{name}={cookie_id}")], ["streamlit", f"stlaunch.{token}"]


CODESPACE = [
    ("host", "localhost:8501"),
    ("x-forwarded-host", "ominous-train-4x7-8501.app.github.dev"),
    ("x-forwarded-proto", "https"),
    ("origin", "https://localhost:8501"),
]


def test_codespaces_rewrite_origin_and_the_page_is_let_in_by_its_proof() -> None:
    cookie, protocols = proven()

    status, _ = handshake(
        make_on("codespaces", Recorder()), STREAM, [*CODESPACE, *cookie], protocols=protocols
    )
    without, _ = handshake(
        make_on("codespaces", Recorder()), STREAM, [*CODESPACE, *cookie], protocols=["streamlit"]
    )

    assert (status, without) == (101, 403)


def test_the_platforms_own_address_is_let_in_and_a_custom_domain_is_not_kept_out() -> None:
    """A platform's variable names one of the app's hosts; `--public-url` names the only one."""
    environ = SAMPLES["render"].environ
    settings = resolve_settings(
        read_settings(values={}, environ=environ, project={}),
        hits=detect_platforms(environ, frozenset().__contains__),
        environ=environ,
    )
    app = make_on("render", Recorder(), policy=origin_policy(settings, {}))
    own = [("host", "10.0.0.7:10000"), ("origin", "https://demo.onrender.com")]
    custom = [("host", "www.example.com"), ("origin", "https://www.example.com")]
    evil = [("host", "www.example.com"), ("origin", "https://evil.example")]

    assert [handshake(app, STREAM, headers)[0] for headers in (own, custom, evil)] == [
        101,
        101,
        403,
    ]


@pytest.mark.parametrize(
    ("name", "peer", "is_trusted"),
    [
        pytest.param("railway", "100.64.0.3", True, id="Railway's edge"),
        pytest.param("azure-container-apps", "::ffff:100.100.0.52", True, id="Azure's Envoy"),
        pytest.param("railway", "100.128.0.1", False, id="outside"),
        pytest.param("render", "100.64.0.3", False, id="elsewhere"),
    ],
)
def test_a_platforms_proxy_at_a_shared_address_is_trusted_there_alone(
    name: str, peer: str, is_trusted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Untrusted, it made cookies insecure on custom domains, and all visitors one address."""
    app = Recorder()
    headers = [
        ("host", "www.example.com"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-for", "203.0.113.9"),
        ("x-user", "ann"),
    ]
    wrapped = make_on(name, app, identity_headers=lambda: frozenset({b"x-user"}))

    request(wrapped, "/_stcore/health", headers, client=(peer, 40000))

    assert (app.last["scheme"] == "https") is is_trusted
    assert (app.last["client"][0] == "203.0.113.9") is is_trusted
    assert ((b"x-user", b"ann") in app.last["headers"]) is is_trusted
    assert ("STL401" in caplog.text) is not is_trusted


@pytest.mark.parametrize(
    ("peer", "path"),
    [("172.30.32.2", "/api/hassio_ingress/abc/"), ("172.30.32.3", None), ("10.0.0.1", None)],
    ids=["ingress", "another add-on", "private"],
)
def test_home_assistants_path_is_believed_from_its_ingress_alone(
    peer: str, path: str | None
) -> None:
    headers = [
        ("host", "homeassistant.local:8123"),
        ("x-ingress-path", "/api/hassio_ingress/abc"),
        ("x-forwarded-for", "None, 192.0.2.7"),
    ]

    answer = request(
        make_on("home-assistant", Recorder()),
        "/_stlaunch/check",
        headers,
        client=(peer, 40000),
    )

    report = json.loads(answer.body)
    assert report["base_path"]["this_request"] == path


def test_gitpods_doubled_lines_are_one_value() -> None:
    headers = [
        ("host", "8501-ann-app.ws-eu1.gitpod.io"),
        *[("x-forwarded-proto", "https")] * 2,
        *[("x-forwarded-host", "8501-ann-app.ws-eu1.gitpod.io")] * 2,
        *[("x-forwarded-port", "443")] * 2,
        ("origin", "https://8501-ann-app.ws-eu1.gitpod.io"),
    ]
    assert handshake(make_on("gitpod", Recorder()), STREAM, headers)[0] == 101
