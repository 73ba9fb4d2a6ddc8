"""`--fix` changes the app's own lines alone: not those that other apps or sites have too."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stlaunch.lint import App, lint_file, lint_files
from stlaunch.lint.edits import apply, edited
from stlaunch.lint.findings import Report
from stlaunch.lint.nginx.faults import Fault
from stlaunch.lint.nginx.fix import edits_for
from stlaunch.lint.nginx.targets import Targets
from stlaunch.lint.nginx.tree import read_nginx
from stlaunch.lint.sources import Sources
from stlaunch.proxies.needs import Need
from stlaunch.urls.base_path import BasePath

# All that a location needs but what each test is about.
GOOD = """\
        proxy_http_version 1.1;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection "upgrade";
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
"""


@pytest.fixture(autouse=True)
def _own_state_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


def fix(*paths: Path) -> Report:
    """Apply the edits, and return what is said afterwards; a second time nothing changes."""
    _apply(lint_files(paths, App()))
    again = lint_files(paths, App())
    before = {path: path.read_text() for path in again.files}
    _apply(again)

    assert {path: path.read_text() for path in again.files} == before
    return again


def _apply(report: Report) -> None:
    apply(edited(edit for one in report.findings for edit in one.edits), os.environ)


def codes(report: Report) -> set[str]:
    return {one.code for one in report.findings}


def write(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


# --- nginx: a line of the server, or of http


def two_apps(outer: str, inner: str = "") -> str:
    return (
        f"http {{\nserver {{\n    listen 80;\n    client_max_body_size 0;\n{outer}"
        "    location /app/ {\n        proxy_pass http://127.0.0.1:8501;\n"
        f"{inner}    }}\n    location /jupyter/ {{\n        proxy_pass http://127.0.0.1:8888;\n"
        "    }\n}\n}\n"
    )


@pytest.mark.parametrize("is_bare", [False, True], ids=["nothing-else-is-wrong", "bare"])
@pytest.mark.parametrize(
    "line",
    [
        'proxy_set_header Origin "";',
        "proxy_set_header X-Xsrftoken x;",
        "proxy_set_header Sec-WebSocket-Key x;",
    ],
    ids=["origin", "token", "key"],
)
def test_inherited_header_line_of_two_apps_stays_and_is_overridden(
    tmp_path: Path, line: str, is_bare: bool
) -> None:
    site = tmp_path / "nginx.conf"
    before = two_apps(("" if is_bare else GOOD) + f"    {line}\n")
    site.write_text(before)
    after = fix(site)

    assert not codes(after)
    assert site.read_text().count(line) == 1
    lines = before.splitlines()
    assert [kept for kept in site.read_text().splitlines() if kept in lines][:8] == lines[:8]


def test_inherited_header_line_that_only_the_app_has_is_deleted(tmp_path: Path) -> None:
    site = tmp_path / "nginx.conf"
    text = two_apps(GOOD + '    proxy_set_header Origin "";\n')
    site.write_text(text.replace("8888", "8501").replace("/jupyter/", "/app/_stcore/"))
    after = fix(site)

    assert not codes(after)
    assert "Origin" not in site.read_text()
    assert site.read_text().count("Upgrade") == 1


def test_inherited_header_line_stays_for_a_location_that_was_not_read(tmp_path: Path) -> None:
    site = tmp_path / "nginx.conf"
    line = 'proxy_set_header Origin "";'
    text = two_apps(f"{GOOD}    {line}\n")
    site.write_text(text.replace("proxy_pass http://127.0.0.1:8888;", "include /not/here;"))
    after = fix(site)

    assert not codes(after)
    assert site.read_text().count(line) == 1


@pytest.mark.parametrize("line", ["proxy_hide_header Set-Cookie;", "expires max;"])
def test_other_inherited_lines_of_two_apps_are_left_to_a_person(tmp_path: Path, line: str) -> None:
    site = tmp_path / "nginx.conf"
    site.write_text(two_apps(f"{GOOD}    {line}\n"))
    before = site.read_text()
    (finding,) = fix(site).findings

    assert site.read_text() == before
    assert "other paths or sites have it too" in finding.fix


def test_what_is_around_a_part_of_a_configuration_is_not_known(tmp_path: Path) -> None:
    """A line before `server {` is in force for the sites of all other files."""
    site = tmp_path / "site.conf"
    line = 'proxy_set_header Origin "";\n'
    one_app = two_apps("", GOOD).partition("    location /jupyter/")[0] + "}\n"
    site.write_text(line + one_app.removeprefix("http {\n").replace(GOOD, ""))
    after = fix(site)

    assert not codes(after)
    assert site.read_text().startswith(line)


# --- nginx: a file that several servers include


SNIPPET = "location / {\n    proxy_pass http://127.0.0.1:8501;\n}\n"
TWO_SERVERS = "".join(
    f"server {{\n    listen {listen};\n    include snippets/app.conf;\n}}\n"
    for listen in ("443 ssl", "80")
)


@pytest.mark.parametrize("lines", ["", GOOD], ids=["bare", "lacks-little"])
@pytest.mark.parametrize("is_turned", [False, True], ids=["tls-first", "plain-first"])
def test_location_of_two_servers_gets_the_lines_of_both_at_once(
    tmp_path: Path, lines: str, is_turned: bool
) -> None:
    servers = TWO_SERVERS.split("server ")[1:]
    order = reversed(servers) if is_turned else servers
    lacking = lines.replace("        proxy_set_header X-Forwarded-For", "#")
    write(
        tmp_path,
        {
            "site.conf": "".join(f"server {text}" for text in order),
            "snippets/app.conf": SNIPPET.replace(";\n", f";\n{lacking}", 1),
        },
    )
    after = fix(tmp_path / "site.conf")

    assert not codes(after)
    text = (tmp_path / "snippets" / "app.conf").read_text()
    for name in ("Host", "Upgrade", "X-Forwarded-For", "X-Forwarded-Proto"):
        assert text.count(f"    proxy_set_header {name} ") == 1


def test_two_files_that_include_the_same_location_are_fixed_together(tmp_path: Path) -> None:
    tls, plain = (f"server {text}" for text in TWO_SERVERS.split("server ")[1:])
    write(tmp_path, {"tls.conf": tls, "plain.conf": plain, "snippets/app.conf": SNIPPET})
    after = fix(tmp_path / "plain.conf", tmp_path / "tls.conf")

    assert not codes(after)
    assert (tmp_path / "snippets" / "app.conf").read_text().count("proxy_set_header Host") == 1


def test_location_that_leads_elsewhere_for_another_site_is_left_alone(tmp_path: Path) -> None:
    shared = "    include snippets/proxy.conf;\n}\n"
    write(
        tmp_path,
        {
            "nginx.conf": "events {}\nhttp {\n    include sites-enabled/*;\n}\n",
            "sites-enabled/app.conf": "server {\n    set $to 127.0.0.1:8501;\n" + shared,
            "sites-enabled/shop.conf": "server {\n    set $to shop.test:80;\n" + shared,
            "snippets/proxy.conf": "location / {\n    proxy_pass http://$to;\n}\n",
        },
    )
    after = fix(tmp_path / "sites-enabled" / "app.conf")

    assert "STL301" in codes(after)
    assert (tmp_path / "snippets" / "proxy.conf").read_text().count("\n") == 3


def test_inherited_lines_that_differ_between_servers_are_not_copied(tmp_path: Path) -> None:
    """Each server's own would be switched off by the location's first one."""
    tls, plain = (f"server {text}" for text in TWO_SERVERS.split("server ")[1:])
    header = "    proxy_set_header X-Team %s;\n    include"
    text = tls.replace("    include", header % "one") + plain.replace("    include", header % "two")
    write(tmp_path, {"site.conf": text, "snippets/app.conf": SNIPPET})
    fix(tmp_path / "site.conf")

    assert (tmp_path / "snippets" / "app.conf").read_text() == SNIPPET


def test_line_of_the_location_that_other_locations_have_too_is_not_deleted(tmp_path: Path) -> None:
    """Nor are others written next to it, of which one could be its second."""
    inner = "        include params;\n"
    text = two_apps("", inner).replace("8888;\n", f"8888;\n{inner}")
    params = 'proxy_set_header Origin "";\n'
    write(tmp_path, {"nginx.conf": text, "params": params})
    after = fix(tmp_path / "nginx.conf")

    assert "STL502" in codes(after)
    assert (tmp_path / "nginx.conf").read_text() == text
    assert (tmp_path / "params").read_text() == params


def test_servers_that_need_different_lines_get_none() -> None:
    path = Path("site.conf")
    sources = Sources.of_texts({path: two_apps("", GOOD)})
    tree = read_nginx(path, sources)
    location = next(one for one in tree.root.walk() if one.name == "location")
    fault = Fault(
        code="STL407",
        at=location,
        detail="It is wrong.",
        need=Need.HOST,
        headers=("x-forwarded-prefix",),
    )
    sites = [App().site(BasePath(base)) for base in ("/app", "/other")]
    found = [
        edits_for(
            location,
            [(fault, site) for site in chosen],
            tree=tree,
            targets=Targets(tree.root, App()),
            sources=sources,
        )
        for chosen in (sites, sites[:1])
    ]

    assert list(map(len, found)) == [0, 1]


def test_nothing_is_added_to_an_if(tmp_path: Path) -> None:
    """There nginx refuses `proxy_set_header`."""
    site = tmp_path / "site.conf"
    text = two_apps("", GOOD.replace("Upgrade", "X-Other").replace("Connection", "X-More"))
    inner = (
        "        if ($http_upgrade) {\n            proxy_pass http://127.0.0.1:8501;\n        }\n"
    )
    site.write_text(text.replace("    }\n", f"{inner}    }}\n", 1))
    assert "STL301" in codes(lint_file(site, App()))
    before = site.read_text()
    fix(site)

    assert site.read_text() == before


# --- Apache: ProxyPreserveHost is in force for a whole virtual host


APP_PASS = "    ProxyPass /app http://127.0.0.1:8501/app upgrade=websocket\n"
BLOG_PASS = "    ProxyPass /blog https://blog.test/\n"


def host(lines: str, name: str = "app.test") -> str:
    return f"<VirtualHost *:80>\n    ServerName {name}\n{lines}</VirtualHost>\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(host(BLOG_PASS + APP_PASS), id="another-pass"),
        pytest.param(host("ProxyPreserveHost Off\n" + APP_PASS + BLOG_PASS), id="set-to-off"),
        pytest.param("ProxyPreserveHost Off\n" + host(APP_PASS), id="of-the-main-server"),
        pytest.param(APP_PASS + host(BLOG_PASS), id="inherited-by-another-host"),
        pytest.param(
            host("    Include app.inc\n") + host("    Include app.inc\n" + BLOG_PASS, "b.test"),
            id="included-twice",
        ),
        pytest.param(
            host(f"RewriteEngine on\nRewriteRule ^/x http://x.test/ [P]\n{APP_PASS}"), id="rewrite"
        ),
    ],
)
def test_apache_keeps_the_host_of_other_backends(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"site.conf": text, "app.inc": APP_PASS})
    report = fix(tmp_path / "site.conf")

    assert codes(report) == {"STL501"}
    assert '<Location "/app">' in report.findings[0].fix
    assert (tmp_path / "site.conf").read_text() == text
    assert (tmp_path / "app.inc").read_text() == APP_PASS


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param(APP_PASS, id="one-pass"),
        pytest.param(f"    ProxyPass /app/x !\n{APP_PASS}", id="excluded-path"),
        pytest.param(f"    ProxyPreserveHost Off\n{APP_PASS}", id="set-to-off"),
    ],
)
def test_apache_host_of_the_app_alone_is_preserved(tmp_path: Path, lines: str) -> None:
    write(tmp_path, {"site.conf": host(lines) + host(BLOG_PASS, "blog.test")})
    report = fix(tmp_path / "site.conf")

    assert "STL501" not in codes(report)


def test_apache_location_overrides_its_host(tmp_path: Path) -> None:
    """That is where the report says to put it."""
    section = '<Location "/app">\n    ProxyPreserveHost On\n</Location>\n'
    off = "ProxyPreserveHost Off\n"
    write(
        tmp_path,
        {
            "good.conf": off + host(section + off + APP_PASS + BLOG_PASS),
            "bad.conf": host(section.replace("/app", "/blog") + APP_PASS + BLOG_PASS),
            "last.conf": host("ProxyPreserveHost On\n" + off + APP_PASS),
        },
    )
    said = {path.stem: codes(lint_file(path, App())) for path in tmp_path.glob("*.conf")}

    assert said == {"good": set(), "bad": {"STL501"}, "last": {"STL501"}}
