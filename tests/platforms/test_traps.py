"""Variables that mean something else than they seem to: each of these misled a real tool once."""

from __future__ import annotations

import pytest

from stlaunch.launcher.streamlit_options import streamlit_options
from stlaunch.platforms import Placement, detect_platforms, place
from stlaunch.platforms.advice import (
    AppLimits,
    findings_about,
    lowered_ping_s,
    platform_switches,
    trusted_by_default,
)
from stlaunch.settings.model import Settings, SourceKind
from stlaunch.settings.read import read_settings
from stlaunch.settings.resolve import resolve_settings
from stlaunch.streamlit_adapter import UserOption
from stlaunch.urls.base_path import BasePath
from tests.platforms.samples import SAMPLES


def placed(environ: dict[str, str], *, port: int | None = None) -> Placement:
    hits = detect_platforms(environ, frozenset().__contains__)
    return place(hits, environ, port=port, default_port=8501)


def decided(
    environ: dict[str, str],
    values: dict[str, list[str]] | None = None,
    user: dict[str, UserOption] | None = None,
) -> Settings:
    return resolve_settings(
        read_settings(values=values or {}, environ=environ, project={}),
        user_options=user,
        hits=detect_platforms(environ, frozenset().__contains__),
        environ=environ,
    )


def codes(placement: Placement, environ: dict[str, str] | None = None) -> list[str]:
    return [finding.code for finding in findings_about(placement, environ or {})]


# --- the traps of the issue


def test_dyno_alone_is_not_heroku() -> None:
    """Dokku sets DYNO=web.1 as well; only what both have in common applies."""
    placement = placed({"DYNO": "web.1", "PORT": "5000"})

    assert [hit.platform.name for hit in placement.hits] == ["heroku-or-dokku"]
    assert placement.port is not None
    assert placement.port.value == 5000
    assert placement.public_url is None


def test_the_port_of_an_ide_is_not_the_apps() -> None:
    """code-server reads PORT itself: on Cloud Run it holds the port that Cloud Run gave."""
    environ = {**SAMPLES["code-server"].environ, **SAMPLES["cloud-run"].environ, "PORT": "8080"}

    settings = decided(environ)

    assert settings.port.value == 8501
    assert settings.host.value == "127.0.0.1"


def test_a_bare_port_variable_says_nothing() -> None:
    assert decided({"PORT": "5000"}).port.value == 8501


@pytest.mark.parametrize("name", ["PORT", "STREAMLIT_SERVER_PORT", "STLAUNCH_PORT"])
def test_the_address_of_a_kubernetes_service_is_no_port(name: str) -> None:
    environ = {"K_SERVICE": "a", "K_REVISION": "b", name: "tcp://10.0.0.1:8501"}

    settings = decided(environ)

    assert settings.port.value == 8080  # Cloud Run's, where PORT is not set
    assert "STL906" in codes(placed(environ), environ)


def test_coolifys_two_variables_may_be_swapped() -> None:
    usual = {"COOLIFY_URL": "https://a.example.com", "COOLIFY_FQDN": "a.example.com"}
    swapped = {"COOLIFY_URL": "a.example.com", "COOLIFY_FQDN": "https://a.example.com"}
    several = {"COOLIFY_URL": "https://a.example.com,https://b.example.com"}
    for pair in (usual, swapped, several):
        placement = placed({"COOLIFY_RESOURCE_UUID": "x", **pair})
        assert placement.public_url is not None
        assert str(placement.public_url.value) == "https://a.example.com/"


def test_jhub_apps_strips_the_prefix_and_gives_its_own_port() -> None:
    """JUPYTERHUB_SERVICE_URL names the port of its proxy, which listens there already."""
    user = {"server.port": UserOption(37123, "--server.port")}

    settings = decided(SAMPLES["jhub-apps"].environ, user=user)

    assert settings.port.value == 37123
    assert settings.public_paths == (BasePath("/user/ann"),)
    assert decided(SAMPLES["jhub-apps"].environ).port.value == 8501


def test_databricks_switches_cors_off_and_stlaunch_leaves_it_on() -> None:
    environ = SAMPLES["databricks-apps"].environ
    placement = placed(environ)

    names = platform_switches(placement, environ)

    assert names == ("STREAMLIT_SERVER_ENABLE_CORS", "STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION")
    found = findings_about(placement, environ, switched_off=names)
    assert [finding.code for finding in found] == ["STL902"]
    assert "STREAMLIT_SERVER_ENABLE_CORS" in found[0].title
    assert platform_switches(placement, {**environ, names[0]: "true", names[1]: "true"}) == ()


# --- precedence


def test_each_place_in_its_order_and_what_it_shadows() -> None:
    """Command line, environment, project, Streamlit's configuration, platform, default."""
    environ = {**SAMPLES["cloud-run"].environ, "PORT": "9001"}
    user = {"server.port": UserOption(9002, "/app/.streamlit/config.toml")}

    assert decided({}).port.source is SourceKind.DEFAULT
    platform = decided(environ)
    assert (platform.port.value, platform.port.source) == (9001, SourceKind.PLATFORM)
    assert platform.port.where == "Google Cloud Run (PORT)"
    config = decided(environ, user=user)
    assert (config.port.value, config.port.source) == (9002, SourceKind.STREAMLIT_CONFIG)
    variable = decided({**environ, "STLAUNCH_PORT": "9003"}, user=user)
    assert (variable.port.value, variable.port.source) == (9003, SourceKind.ENVIRONMENT)
    flag = decided({**environ, "STLAUNCH_PORT": "9003"}, {"port": ["9004"]}, user)
    assert (flag.port.value, flag.port.source) == (9004, SourceKind.COMMAND_LINE)
    assert dict(flag.port.shadowed) == {
        "STLAUNCH_PORT": "9003",
        "/app/.streamlit/config.toml": "9002",
        "Google Cloud Run (PORT)": "9001",
    }


def test_streamlits_own_flag_beats_our_variable() -> None:
    user = {"server.port": UserOption(9002, "--server.port")}

    assert decided({"STLAUNCH_PORT": "9003"}, user=user).port.value == 9002


def test_the_users_path_goes_before_the_platforms() -> None:
    environ = SAMPLES["kubeflow"].environ

    settings = decided(environ, {"behind_proxy": ["/mine"]})

    assert settings.public_paths == (BasePath("/mine"),)
    assert ("Kubeflow notebook (NB_PREFIX)", "/notebook/team-a/ann") in (
        settings.behind_proxy.shadowed
    )


def test_behind_proxy_without_a_path_takes_the_platforms() -> None:
    settings = decided(SAMPLES["kubeflow"].environ, {"behind_proxy": [""]})
    assert settings.public_paths == (BasePath("/notebook/team-a/ann"),)


def test_not_behind_a_proxy_is_believed() -> None:
    settings = decided(SAMPLES["kubeflow"].environ, {"behind_proxy": ["off"]})

    assert settings.public_paths == ()
    assert not settings.is_behind_proxy


def test_a_port_that_was_asked_for_is_part_of_the_platforms_address() -> None:
    settings = decided(SAMPLES["code-server"].environ, {"port": ["9000"]})

    assert settings.public_paths == (BasePath("/proxy/9000"), BasePath("/absproxy/9000"))
    assert str(settings.public_url.value) == "https://ide.example.com/proxy/9000/"


def test_a_port_that_is_not_known_yet_leaves_the_path_to_be_detected() -> None:
    settings = decided(SAMPLES["code-server"].environ, {"port": ["0"]})

    assert settings.public_paths == ()
    assert settings.is_behind_proxy


def test_pythonanywhere_connects_to_its_socket_unless_an_address_is_asked_for() -> None:
    environ = SAMPLES["pythonanywhere"].environ

    assert str(decided(environ).uds.value) == "/var/sockets/ann.sock"
    assert decided(environ, {"port": ["8501"]}).uds.value is None


# --- trust


def test_home_assistant_is_the_only_peer_that_is_trusted_there() -> None:
    trusted = trusted_by_default(placed(SAMPLES["home-assistant"].environ))

    assert "172.30.32.2" in trusted
    assert "172.30.32.3" not in trusted
    assert "10.0.0.1" not in trusted


@pytest.mark.parametrize("name", ["railway", "azure-container-apps", "coolify"])
def test_private_peers_of_a_platform_are_a_default(name: str) -> None:
    assert trusted_by_default(placed(SAMPLES[name].environ)).is_default_container


def test_a_laptop_trusts_loopback_alone() -> None:
    assert "10.0.0.1" not in trusted_by_default(placed({}))
    assert "127.0.0.1" in trusted_by_default(placed({}))


# --- limits


def test_a_ping_above_the_idle_limit_is_lowered_and_said() -> None:
    environ = SAMPLES["heroku"].environ
    user = {"server.websocketPingInterval": UserOption(60, "/app/.streamlit/config.toml")}

    settings = decided(environ, user=user)

    assert (
        streamlit_options(settings, user, takes_base_path=True)["server.websocketPingInterval"]
        == 27
    )
    found = findings_about(placed(environ), environ, limits=AppLimits(ping_s=60))
    assert [finding.code for finding in found] == ["STL903"]
    assert lowered_ping_s(placed(environ), 30) is None


def test_the_lowest_limit_of_all_layers_counts() -> None:
    environ = {**SAMPLES["heroku"].environ, **SAMPLES["nginx-proxy"].environ}

    placement = placed(environ)

    assert placement.idle_s is not None
    assert placement.body_bytes is not None
    assert (placement.idle_s.value, placement.body_bytes.value) == (55, 1024 * 1024)
    assert "STL904" in codes(placement)


def test_a_body_limit_above_the_upload_size_is_no_trouble() -> None:
    limits = AppLimits(upload_bytes=1024 * 1024)
    placement = placed(SAMPLES["nginx-proxy"].environ)

    assert "STL904" not in [found.code for found in findings_about(placement, {}, limits=limits)]


def test_two_hosting_platforms_contradict_each_other() -> None:
    environ = {**SAMPLES["render"].environ, **SAMPLES["railway"].environ}
    assert "STL908" in codes(placed(environ), environ)
    assert "STL908" not in codes(placed(SAMPLES["render"].environ), SAMPLES["render"].environ)


def test_an_unusable_variable_is_named_and_its_value_is_not() -> None:
    environ = {"K_SERVICE": "a", "K_REVISION": "b", "PORT": "not-a-port"}

    placement = placed({**environ, "VIRTUAL_HOST": "h", "VIRTUAL_PATH": "~^/re"})

    assert placement.port is not None
    assert placement.port.value == 8080
    only = placed({"VIRTUAL_HOST": "h.example", "VIRTUAL_PATH": "~^/secret"})
    found = [finding for finding in findings_about(only, {}) if finding.code == "STL910"]
    assert [finding.title for finding in found] == [
        "VIRTUAL_PATH of nginx-proxy has no usable base path"
    ]
    assert only.is_behind_proxy


def test_a_platform_without_websockets_is_a_warning_from_memory_too() -> None:
    found = findings_about(placed(SAMPLES["colab"].environ), {})

    assert [finding.code for finding in found] == ["STL901"]
    assert "not verified" in found[0].title


def test_a_frame_of_another_site_is_reported_unless_it_was_named() -> None:
    placement = placed(SAMPLES["huggingface"].environ)

    assert codes(placement) == ["STL905"]
    assert findings_about(placement, {}, is_embedded=True) == ()
    assert decided(SAMPLES["huggingface"].environ).embed_in.value


def test_this_machine_can_be_asked() -> None:
    assert decided({"NB_PREFIX": "/a"}).placement.base_paths is not None


def test_the_usual_name_of_a_service_is_no_trouble() -> None:
    """A Service `streamlit` gives STREAMLIT_PORT, which is no option of Streamlit's."""
    environ = {
        "KUBERNETES_SERVICE_HOST": "10.96.0.1",
        "STREAMLIT_PORT": "tcp://10.0.0.7:8501",
        "STREAMLIT_SERVICE_HOST": "10.0.0.7",
        "STLAUNCH_PORT_80_TCP_PORT": "80",
    }
    assert codes(placed(environ), environ) == []
    assert decided(environ).port.value == 8501
