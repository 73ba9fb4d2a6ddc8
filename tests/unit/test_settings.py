"""Settings: the table of fields, the precedence of places, and what contradicts what."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stlaunch.errors import UsageError
from stlaunch.forwarded.trusted_proxies import TrustedProxies
from stlaunch.settings.fields import FIELDS, Field
from stlaunch.settings.model import (
    BehindProxy,
    LogFormat,
    SelfCheck,
    Setting,
    Settings,
    SourceKind,
    Transport,
)
from stlaunch.settings.project import read_project
from stlaunch.settings.read import read_settings
from stlaunch.settings.resolve import DEFAULT_HOST, resolve_settings
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import Origin, OriginCheck, PublicUrl
from stlaunch.urls.public_paths import PrefixRule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

APP = BasePath("/app")
URL = PublicUrl.parse("https://example.com/app")
PROJECT = "pyproject.toml [tool.stlaunch]"


def make_settings(
    values: Mapping[str, Sequence[str]] | None = None,
    environ: Mapping[str, str] | None = None,
    project: Mapping[str, object] | None = None,
) -> Settings:
    raw = read_settings(
        values=values or {}, environ=environ or {}, project=project or {}, project_where=PROJECT
    )
    return resolve_settings(raw)


# --- the table


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_field_is_complete(field: Field[object]) -> None:
    assert field.help.endswith(".")
    assert field.metavar
    assert field.flag == "--" + field.name.replace("_", "-")
    assert re.fullmatch(r"STLAUNCH_[A-Z_]+", field.env)
    assert isinstance(getattr(make_settings(), field.name), Setting)


def test_field_names_are_unique() -> None:
    assert len({field.name for field in FIELDS}) == len(FIELDS)


@pytest.mark.parametrize(
    "field", [field for field in FIELDS if field.choices], ids=lambda field: field.name
)
def test_field_choices_are_what_its_parser_takes(field: Field[object]) -> None:
    assert field.metavar == "|".join(field.choices)
    assert len({field.parse([choice]) for choice in field.choices}) == len(field.choices)


# --- precedence

SAMPLES: dict[str, tuple[str, object]] = {
    "public_url": ("https://example.com/app", URL),
    "host": ("[::1]", "::1"),
    "port": ("8502", 8502),
    "uds": ("/run/app.sock", Path("/run/app.sock")),
    "trusted_proxies": ("10.0.0.0/8,unix", TrustedProxies.parse(["10.0.0.0/8", "unix"])),
    "allow_origin": ("https://a.example", (Origin("https", "a.example", 443),)),
    "origin_check": ("strict", OriginCheck.STRICT),
    "embed_in": ("https://portal.example", (Origin("https", "portal.example", 443),)),
    "mount_path": ("/half", (BasePath("/half"),)),
    "prefix": ("stripped", PrefixRule.STRIPPED),
    "config_out": ("out/config.toml", Path("out/config.toml")),
    "self_check": ("off", SelfCheck.OFF),
    "verify": ("off", False),
    "transport": ("http", Transport.HTTP),
    "behind_proxy": ("/app", (APP,)),
    "drain_timeout": ("2.5", 2.5),
    "warm_up": ("on", True),
    "max_sessions": ("100", 100),
    "log_format": ("json", LogFormat.JSON),
    "access_log": ("on", True),
}


def test_samples_cover_every_field() -> None:
    assert set(SAMPLES) == {field.name for field in FIELDS}


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
@pytest.mark.parametrize("kind", ["command line", "environment", "project file"])
def test_value_is_read_from_each_place(field: Field[object], kind: str) -> None:
    text, wanted = SAMPLES[field.name]
    settings = make_settings(
        values={field.name: [text]} if kind == "command line" else None,
        environ={field.env: text} if kind == "environment" else None,
        project={field.name: text} if kind == "project file" else None,
    )

    setting = getattr(settings, field.name)
    assert (settings.public_paths if field.name == "behind_proxy" else setting.value) == wanted
    assert setting.source is SourceKind(kind)
    assert setting.where in {field.flag, field.env, PROJECT}
    assert setting.shadowed == ()


def test_default_is_nothing_decided() -> None:
    settings = make_settings()

    assert (settings.is_behind_proxy, settings.public_paths, settings.public_url.value) == (
        False,
        (),
        None,
    )
    assert (settings.host.value, settings.port.value) == (DEFAULT_HOST, 8501)
    assert settings.uds.value is None
    assert settings.trusted_proxies.value == TrustedProxies.default(in_container=False)
    assert (settings.origin_check.value, settings.self_check.value) == (
        OriginCheck.PROOF,
        SelfCheck.PUBLIC,
    )
    for field in FIELDS:
        assert getattr(settings, field.name).source is SourceKind.DEFAULT, field.name


def test_stronger_place_wins_and_remembers_the_others() -> None:
    settings = make_settings(
        values={"port": ["1", "2"]}, environ={"STLAUNCH_PORT": "3"}, project={"port": 4}
    )

    assert settings.port.value == 2
    assert settings.port.where == "--port"
    assert settings.port.shadowed == (("STLAUNCH_PORT", "3"), (PROJECT, "4"))


def test_empty_variable_is_an_unset_one() -> None:
    settings = make_settings(environ={"STLAUNCH_PORT": " ", "STLAUNCH_BEHIND_PROXY": ""})

    assert settings.port == Setting(value=8501)
    assert not settings.is_behind_proxy


@pytest.mark.parametrize("text", ["/a,/b", "/a /b", " /a, /b ,"])
def test_variable_of_a_repeatable_setting_is_a_list(text: str) -> None:
    settings = make_settings(environ={"STLAUNCH_MOUNT_PATH": text})

    assert settings.mount_path.value == (BasePath("/a"), BasePath("/b"))


@pytest.mark.parametrize(
    ("name", "nothing"),
    [
        ("behind_proxy", BehindProxy(is_on=False)),
        ("trusted_proxies", TrustedProxies.parse(["none"])),
        ("allow_origin", ()),
        ("embed_in", ()),
        ("mount_path", ()),
    ],
)
@pytest.mark.parametrize("is_call", [True, False], ids=["call", "project"])
def test_empty_list_is_a_value(name: str, nothing: object, is_call: bool) -> None:
    """Nobody is trusted where a list of nobody is given; only None asks the weaker places."""
    said = {"behind_proxy": "/x", "trusted_proxies": "10.0.0.1", "mount_path": "/y"}
    weaker = said.get(name, "https://a.example")
    raw = read_settings(
        values={name: []} if is_call else {},
        environ={f"STLAUNCH_{name.upper()}": weaker} if is_call else {},
        project={} if is_call else {name: []},
        project_where=PROJECT,
        is_call=is_call,
    )
    setting = getattr(resolve_settings(raw), name)

    assert setting.value == nothing
    assert setting.source is (SourceKind.CALL if is_call else SourceKind.PROJECT_FILE)


def test_project_list_is_taken() -> None:
    settings = make_settings(project={"allow_origin": ["https://a.example", "http://b.example:81"]})

    assert [str(origin) for origin in settings.allow_origin.value] == [
        "https://a.example",
        "http://b.example:81",
    ]


# --- behind a proxy, and at which address


@pytest.mark.parametrize(
    ("behind", "public_url", "is_behind", "paths", "url"),
    [
        pytest.param(None, None, False, "", None, id="nothing"),
        pytest.param([""], None, True, "", None, id="flag-alone"),
        pytest.param(["true"], None, True, "", None, id="true"),
        pytest.param(["off"], None, False, "", None, id="off"),
        pytest.param(["/app"], None, True, "/app", None, id="path"),
        pytest.param(["streamlitApp/"], None, True, "/streamlitApp", None, id="bare-word"),
        pytest.param(["/"], None, True, "/", None, id="root"),
        pytest.param(["/a", "/b", "/a/"], None, True, "/a /b", None, id="several"),
        pytest.param(["https://h/app"], None, True, "/app", "https://h/app/", id="url"),
        pytest.param(["/b", "https://h/a"], None, True, "/b /a", "https://h/a/", id="path-and-url"),
        pytest.param(["https://h"], None, True, "/", "https://h/", id="url-without-path"),
        pytest.param(None, "https://h/app", True, "/app", "https://h/app/", id="public-url-alone"),
        pytest.param(None, "https://h", False, "", "https://h/", id="public-url-at-root"),
        pytest.param([""], "https://h/app", True, "/app", "https://h/app/", id="flag-and-public"),
        pytest.param([""], "https://h", True, "/", "https://h/", id="flag-and-public-at-root"),
        pytest.param(["/app"], "https://h/app", True, "/app", "https://h/app/", id="both-agree"),
        pytest.param(["/app"], "https://h", True, "/app", "https://h/app/", id="host-alone"),
        pytest.param(["https://h/a"], "https://h", True, "/a", "https://h/a/", id="url-and-host"),
        pytest.param(["/a", "/b"], "https://h/b", True, "/a /b", "https://h/b/", id="second-path"),
    ],
)
def test_paths_and_public_url_complete_each_other(
    behind: list[str] | None, public_url: str | None, is_behind: bool, paths: str, url: str | None
) -> None:
    values = {"behind_proxy": behind or [], "public_url": [public_url] if public_url else []}
    settings = make_settings(values)

    assert settings.is_behind_proxy is is_behind
    assert [str(path) or "/" for path in settings.public_paths] == paths.split()
    found = settings.public_url.value
    assert (found and str(found)) == url


@pytest.mark.parametrize(
    ("behind", "public_url"),
    [
        pytest.param("/other", "https://h/app", id="path"),
        pytest.param("https://h/other", "https://h/app", id="url-path"),
        pytest.param("https://x/app", "https://h/app", id="url-host"),
        pytest.param("http://h/app", "https://h/app", id="url-scheme"),
        pytest.param("off", "https://h/app", id="off"),
    ],
)
def test_contradicting_addresses_are_refused_by_name(behind: str, public_url: str) -> None:
    with pytest.raises(UsageError, match=r"contradict") as caught:
        make_settings({"behind_proxy": [behind]}, environ={"STLAUNCH_PUBLIC_URL": public_url})

    assert "--behind-proxy" in caught.value.message
    assert "STLAUNCH_PUBLIC_URL" in caught.value.message


@pytest.mark.parametrize(
    "behind", [["https://a/x", "https://b/x"], ["off", "/x"]], ids=["two-urls", "off-and-path"]
)
def test_behind_proxy_contradicting_itself_is_refused(behind: list[str]) -> None:
    with pytest.raises(UsageError, match=r"^--behind-proxy: "):
        make_settings({"behind_proxy": behind})


# --- where to listen


@pytest.mark.parametrize("other", [{"host": ["::1"]}, {"port": ["80"]}], ids=["host", "port"])
def test_socket_and_address_in_one_place_are_refused(other: dict[str, list[str]]) -> None:
    with pytest.raises(UsageError, match=r"--uds and --(host|port) contradict"):
        make_settings({"uds": ["/run/a.sock"], **other})


def test_stronger_socket_shadows_a_weaker_port() -> None:
    settings = make_settings({"uds": ["/run/a.sock"]}, environ={"STLAUNCH_PORT": "80"})

    assert (settings.uds.value, settings.port.value) == (Path("/run/a.sock"), 8501)
    assert settings.port.where == "--uds"
    assert settings.port.shadowed == (("STLAUNCH_PORT", "80"),)
    assert settings.host.source is SourceKind.DEFAULT


def test_stronger_port_shadows_a_weaker_socket() -> None:
    settings = make_settings(
        environ={"STLAUNCH_PORT": "80"}, project={"uds": "/run/a.sock", "host": "::1"}
    )

    assert (settings.uds.value, settings.port.value, settings.host.value) == (None, 80, "::1")
    assert settings.uds.shadowed == ((PROJECT, "/run/a.sock"),)


# --- bad input


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("port", "65536", id="port-high"),
        pytest.param("port", "-1", id="port-negative"),
        pytest.param("port", "http", id="port-word"),
        pytest.param("port", "²", id="port-superscript"),
        pytest.param("port", "9" * 5000, id="port-endless"),
        pytest.param("host", "http://localhost", id="host-url"),
        pytest.param("host", "localhost:8501", id="host-with-port"),
        pytest.param("host", "*", id="host-star"),
        pytest.param("host", "1.2.3.400", id="host-bad-address"),
        pytest.param("host", "", id="host-empty"),
        pytest.param("uds", "", id="uds-empty"),
        pytest.param("uds", "/" + "x" * 200, id="uds-long"),
        pytest.param("uds", "/a\x00b", id="uds-control"),
        pytest.param("config_out", " ", id="config-out-empty"),
        pytest.param("trusted_proxies", "10.0.0.0/99", id="bad-cidr"),
        pytest.param("trusted_proxies", "", id="trust-empty"),
        pytest.param("allow_origin", "https://a.example/path", id="origin-path"),
        pytest.param("allow_origin", "*", id="origin-star"),
        pytest.param("allow_origin", "null", id="origin-null"),
        pytest.param("origin_check", "strikt", id="origin-check"),
        pytest.param("mount_path", "/a/../b", id="mount-dots"),
        pytest.param("behind_proxy", "/a//b", id="path-empty-segment"),
        pytest.param("behind_proxy", "/a?b", id="path-query"),
        pytest.param("behind_proxy", "/a\x07", id="path-control"),
        pytest.param("behind_proxy", "https://u:p@h/x", id="url-userinfo"),
        pytest.param("public_url", "example.com", id="public-url-bare"),
        pytest.param("self_check", "maybe", id="switch"),
    ],
)
def test_bad_value_is_refused_with_its_place(name: str, text: str) -> None:
    flag = next(field.flag for field in FIELDS if field.name == name)
    with pytest.raises(UsageError) as caught:
        make_settings({name: [text]})
    with pytest.raises(UsageError) as in_project:
        make_settings(project={name: text})

    assert caught.value.message.startswith(f"{flag}: ")
    assert caught.value.hint
    assert in_project.value.message.startswith(f"{PROJECT} {name}: ")


def test_bad_variable_is_refused_by_its_name() -> None:
    with pytest.raises(UsageError, match=r"^STLAUNCH_PORT: The port 'abc' is not a number"):
        make_settings(environ={"STLAUNCH_PORT": "abc"})


@pytest.mark.parametrize(
    ("environ", "project", "hint"),
    [
        pytest.param({"STLAUNCH_PROT": "1"}, {}, "STLAUNCH_PORT", id="variable"),
        pytest.param({"STLAUNCH_ALLOW_ORIGINS": "1"}, {}, "STLAUNCH_ALLOW_ORIGIN", id="plural"),
        pytest.param({"STLAUNCH_QQ": "1"}, {}, "Known settings", id="variable-far-off"),
        pytest.param({}, {"behind-proxy": "/x"}, "behind_proxy", id="key-with-hyphen"),
        pytest.param({}, {"zzz": "/x"}, "Known settings", id="key-far-off"),
    ],
)
def test_unknown_name_is_refused_with_a_suggestion(
    environ: dict[str, str], project: dict[str, object], hint: str
) -> None:
    with pytest.raises(UsageError, match="is not a stlaunch setting") as caught:
        make_settings(environ=environ, project=project)

    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("port", True, id="port-bool"),
        pytest.param("port", 80.5, id="port-float"),
        pytest.param("host", 1, id="host-number"),
        pytest.param("host", ["a"], id="host-list"),
        pytest.param("mount_path", ["/a", 1], id="list-of-mixed"),
        pytest.param("public_url", {"a": "b"}, id="table"),
    ],
)
def test_project_value_of_a_wrong_type_is_refused(key: str, value: object) -> None:
    with pytest.raises(UsageError, match=rf"\[tool.stlaunch\]: the value of {key} is"):
        make_settings(project={key: value})


def test_project_switches_may_be_booleans() -> None:
    settings = make_settings(project={"self_check": False, "behind_proxy": True})

    assert (settings.self_check.value, settings.is_behind_proxy) == (SelfCheck.OFF, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("STLAUNCH_PORT", "tcp://10.0.0.1:80"),
        ("STLAUNCH_SERVICE_HOST", "10.0.0.1"),
        ("STLAUNCH_SERVICE_PORT", "80"),
        ("STLAUNCH_SERVICE_PORT_HTTP", "80"),
        ("STLAUNCH_PORT_80_TCP", "tcp://10.0.0.1:80"),
        ("STLAUNCH_PORT_80_TCP_ADDR", "10.0.0.1"),
        ("STLAUNCH_PORT_53_UDP_PROTO", "udp"),
        ("STLAUNCH_DEMO_PORT", "tcp://10.0.0.1:80"),
        ("STLAUNCH_DEMO_SERVICE_HOST", "10.0.0.1"),
        ("STLAUNCH_DEMO_PORT_80_TCP_PORT", "80"),
    ],
    ids=lambda text: text,
)
def test_service_variables_of_kubernetes_are_ignored(name: str, value: str) -> None:
    settings = make_settings(environ={name: value})

    assert settings.port.source is SourceKind.DEFAULT


# --- the project file


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_nearest_project_table_is_found_upwards(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.stlaunch]\nport = 1\n")
    write(tmp_path / "a" / "pyproject.toml", "[project]\nname = 'other'\n")
    start = tmp_path / "a" / "b"
    start.mkdir()

    table, where = read_project(start)

    assert table == {"port": 1}
    assert where == f"{tmp_path / 'pyproject.toml'} [tool.stlaunch]"


def test_own_file_goes_before_pyproject(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool.stlaunch]\nport = 1\n")
    write(tmp_path / "stlaunch.toml", "port = 2\n")

    assert read_project(tmp_path) == ({"port": 2}, str(tmp_path / "stlaunch.toml"))


def test_search_ends_at_the_repository(tmp_path: Path) -> None:
    write(tmp_path / "stlaunch.toml", "port = 2\n")
    start = tmp_path / "repo" / "src"
    start.mkdir(parents=True)
    (tmp_path / "repo" / ".git").mkdir()

    assert read_project(start) == ({}, "")


def test_foreign_broken_file_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    write(tmp_path / "pyproject.toml", "broken =\n")

    assert read_project(tmp_path) == ({}, "")


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        pytest.param(
            "stlaunch.toml", b"host = 'x'\nport = \n", "line 2, is not valid TOML", id="own"
        ),
        pytest.param(
            "stlaunch.toml", b'a = 1\nhost = "x', "line 2, is not valid TOML", id="at-end"
        ),
        pytest.param(
            "pyproject.toml", b"[tool.stlaunch]\n\nport = /a\n", "line 3, is not", id="shared"
        ),
        pytest.param("stlaunch.toml", b"\n# \xff\n", "line 2, is not UTF-8", id="not-utf8"),
        pytest.param("pyproject.toml", b"[tool]\nstlaunch = 1\n", "is not a table", id="no-table"),
    ],
)
def test_broken_project_file_is_refused_with_its_line(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(UsageError, match=expected) as caught:
        read_project(tmp_path)

    assert str(tmp_path / name) in caught.value.message
    assert caught.value.hint


def test_unreadable_project_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "stlaunch.toml", "")

    def refuse(*_args: object, **_kwargs: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(UsageError, match="cannot be read: Permission denied"):
        read_project(tmp_path)
