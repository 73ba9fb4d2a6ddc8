"""A platform finds its app by the Host it gets: the page's own is no advice there."""

from __future__ import annotations

from pathlib import Path

import pytest

from stlaunch.lint import App, lint_file

NGINX = """\
server {{
    listen 80;
    client_max_body_size 0;
    location / {{
        proxy_pass {target};
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;{more}
    }}
}}
"""
APACHE = """\
<VirtualHost *:80>
ProxyPass / {target}/ upgrade=websocket
{more}</VirtualHost>
"""
CADDY = """\
a.test {{
\treverse_proxy {target} {{
\t\theader_up Host {{upstream_hostport}}{more}
\t}}
}}
"""
TRAEFIK = """\
http:
  services:
    app:
      loadBalancer:
        passHostHeader: false{more}
        servers:
          - url: "{target}"
"""
HOSTED = "https://my-streamlit.azurewebsites.net"
FILES = [
    pytest.param(NGINX, "site.conf", id="nginx"),
    pytest.param(APACHE, "vhost.conf", id="apache"),
    pytest.param(CADDY, "Caddyfile", id="caddy", marks=pytest.mark.process),
    pytest.param(TRAEFIK, "dynamic.yml", id="traefik"),
]


def found(folder: Path, name: str, text: str, target: str, more: str = "") -> tuple[list[str], str]:
    path = folder / name
    path.write_text(text.format(target=target, more=more))
    report = lint_file(path, App())
    assert not [one for one in report.findings if one.code == "STL501" and "azure" in target]
    return [one.code for one in report.findings], " ".join(note.text for note in report.notes)


@pytest.mark.parametrize(("text", "name"), FILES)
def test_host_of_a_platform_stays(tmp_path: Path, text: str, name: str) -> None:
    codes, notes = found(tmp_path, name, text, HOSTED)

    assert codes == []
    assert "The app gets my-streamlit.azurewebsites.net as Host" in notes


@pytest.mark.parametrize(
    "target",
    [
        "http://streamlit.test.net",
        "https://streamlit",
        "https://127.0.0.1:8501",
        "https://10.0.0.7:8501",
        "https://streamlit.default.svc.cluster.local",
        "https://streamlit.internal",
        "https://streamlit.corp.net:8501",
    ],
)
@pytest.mark.parametrize(("text", "name"), FILES)
def test_page_host_is_needed_by_every_other_app(
    tmp_path: Path, text: str, name: str, target: str
) -> None:
    codes, notes = found(tmp_path, name, text, target)

    assert codes == ["STL501"]
    assert "as Host, by which" not in notes


@pytest.mark.parametrize(
    ("text", "name", "more"),
    [
        (NGINX, "site.conf", "\n        proxy_set_header Host $http_host;"),
        (APACHE, "vhost.conf", "ProxyPreserveHost On\n"),
    ],
    ids=["nginx", "apache"],
)
def test_page_host_is_not_remarked_upon(tmp_path: Path, text: str, name: str, more: str) -> None:
    """Such a platform may know the page's name too."""
    codes, notes = found(tmp_path, name, text, HOSTED, more)

    assert codes == []
    assert not notes


def test_other_faults_of_a_platforms_app_are_found(tmp_path: Path) -> None:
    origin = '\n        proxy_set_header Origin "";'
    codes, _ = found(tmp_path, "site.conf", NGINX, HOSTED, origin)

    assert codes == ["STL502"]


GROUP = """\
upstream {name} {{
    ip_hash;
    server app1.example.com:443;
    server app2.example.com:443;
}}
"""


@pytest.mark.parametrize(
    ("name", "host", "expected"),
    [
        ("streamlit", "", ["STL501"]),
        ("streamlit", "$proxy_host", ["STL501"]),
        ("streamlit", "app1.example.com", []),
        ("streamlit", "$http_host", []),
        ("app1.example.com", "", []),
    ],
    ids=["default", "proxy-host", "public-name", "the-pages", "called-so"],
)
def test_group_of_servers_is_found_by_a_public_name_alone(
    tmp_path: Path, name: str, host: str, expected: list[str]
) -> None:
    """The Host that nginx sends by itself is the name of the upstream block."""
    line = f"\n        proxy_set_header Host {host};" if host else ""
    path = tmp_path / "site.conf"
    path.write_text(GROUP.format(name=name) + NGINX.format(target=f"https://{name}", more=line))
    report = lint_file(path, App(port=443))
    is_noted = any("The app gets app1.example.com as Host" in note.text for note in report.notes)

    assert [one.code for one in report.findings] == expected
    assert is_noted == (not expected and host != "$http_host")


def test_own_port_of_https_is_a_platforms_too(tmp_path: Path) -> None:
    path = tmp_path / "site.conf"
    path.write_text(NGINX.format(target=f"{HOSTED}:443", more=""))

    assert lint_file(path, App()).findings == []
