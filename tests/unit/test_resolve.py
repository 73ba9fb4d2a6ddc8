"""One resolver: every place in its order, whatever the setting, and what it overrides."""

from __future__ import annotations

from pathlib import Path

import pytest

from stlaunch.cli.detect import describe
from stlaunch.launcher.streamlit_options import option_warnings
from stlaunch.platforms import detect_platforms
from stlaunch.settings.model import Settings, SourceKind
from stlaunch.settings.raw_values import RawValue
from stlaunch.settings.read import read_settings
from stlaunch.settings.resolve import resolve, resolve_settings
from stlaunch.streamlit_adapter import UserOption
from tests.platforms.samples import SAMPLES

CONFIG = "/app/.streamlit/config.toml"


def make_settings(
    values: dict[str, list[str]] | None = None,
    environ: dict[str, str] | None = None,
    user: dict[str, UserOption] | None = None,
    project: dict[str, object] | None = None,
    *,
    is_call: bool = False,
) -> Settings:
    environ = environ or {}
    return resolve_settings(
        read_settings(
            values=values or {},
            environ=environ,
            project=project or {},
            project_where="stlaunch.toml",
            is_call=is_call,
        ),
        user_options=user,
        hits=detect_platforms(environ, frozenset().__contains__),
        environ=environ,
    )


def make_raw(kind: SourceKind) -> RawValue[str]:
    return RawValue(kind=kind, where=kind.name, text=kind.value, read=lambda: kind.value)


@pytest.mark.parametrize("start", range(len(SourceKind)))
def test_the_strongest_place_wins_and_the_others_are_shadowed_in_order(start: int) -> None:
    kinds = list(SourceKind)[start:]

    setting = resolve([make_raw(kind) for kind in reversed(kinds)])

    assert (setting.value, setting.source) == (kinds[0].value, kinds[0])
    assert [where for where, _ in setting.shadowed] == [kind.name for kind in kinds[1:-1]]
    assert setting.is_chosen == (kinds[0] not in {SourceKind.PLATFORM, SourceKind.DEFAULT})


def test_only_the_winner_is_parsed() -> None:
    """An image's wrong variable does no harm when the flag is given."""
    settings = make_settings({"port": ["8502"]}, {"STLAUNCH_PORT": "many"})

    assert settings.port.value == 8502
    assert settings.port.shadowed == (("STLAUNCH_PORT", "many"),)


def test_a_call_goes_before_the_environment() -> None:
    settings = make_settings({"port": ["8502"]}, {"STLAUNCH_PORT": "8503"}, is_call=True)

    assert (settings.port.source, settings.port.where) == (SourceKind.CALL, "port=")
    assert settings.port.shadowed == (("STLAUNCH_PORT", "8503"),)


@pytest.mark.parametrize(
    ("where", "winner"),
    [
        pytest.param("--server.baseUrlPath", "/theirs", id="flag"),
        pytest.param("STREAMLIT_SERVER_BASE_URL_PATH", "/ours", id="variable"),
        pytest.param(CONFIG, "/ours", id="file"),
    ],
)
def test_streamlits_own_base_path_has_the_rank_of_its_place(where: str, winner: str) -> None:
    user = {"server.baseUrlPath": UserOption("theirs", where)}

    settings = make_settings(environ={"STLAUNCH_BEHIND_PROXY": "/ours"}, user=user)
    alone = make_settings(user=user)

    assert [str(path) for path in settings.public_paths] == [winner]
    assert settings.behind_proxy.shadowed
    mounts = [str(path) for path in settings.mount_path.value]
    assert mounts == (["/theirs"] if winner == "/ours" else [])
    assert bool(option_warnings(settings, user)) == (winner == "/ours")
    assert [str(path) for path in alone.public_paths] == ["/theirs"]
    assert not alone.mount_path.value


@pytest.mark.parametrize(
    ("where", "uds"),
    [
        pytest.param("--server.port", None, id="flag"),
        pytest.param("STREAMLIT_SERVER_PORT", "/run/a.sock", id="variable"),
        pytest.param(CONFIG, "/run/a.sock", id="file"),
    ],
)
def test_the_stronger_place_decides_between_socket_and_streamlits_port(
    where: str, uds: str | None
) -> None:
    user = {"server.port": UserOption(8700, where)}

    settings = make_settings(environ={"STLAUNCH_UDS": "/run/a.sock"}, user=user)

    assert settings.uds.value == (Path(uds) if uds else None)
    assert settings.port.value == (8501 if uds else 8700)
    assert option_warnings(settings, user) == []


@pytest.mark.parametrize("name", SAMPLES)
def test_detect_shows_what_a_launch_does(name: str) -> None:
    sample = SAMPLES[name]
    exists = set(sample.files).__contains__

    shown = describe(sample.environ, exists)["settings"]
    settings = resolve_settings(
        read_settings(values={}, environ=sample.environ, project={}),
        hits=detect_platforms(sample.environ, exists),
        environ=sample.environ,
    )

    assert (shown["host"], shown["port"]) == (settings.host.value, settings.port.value)
    assert shown["trusted_proxies"] == str(settings.trusted_proxies.value)
    assert shown["public_url"] == (
        str(settings.public_url.value) if settings.public_url.value else None
    )
    assert shown["mount_paths"] == [path.value for path in settings.mount_path.value]
    assert shown["behind_proxy"] == settings.is_behind_proxy
