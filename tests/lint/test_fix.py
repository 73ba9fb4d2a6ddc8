"""`--fix` leaves only what a person decides, and never harms: validated, restored, kept apart."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from stlaunch.errors import StartError
from stlaunch.lint import App, lint_file
from stlaunch.lint.edits import Change, apply, edited, unified_diff
from stlaunch.lint.validate import ask_proxy
from stlaunch.proxies.needs import Product
from stlaunch.proxies.starting import find_binary
from tests.lint.test_corpus import CORPUS, app_of, found, seeded
from tests.proxies.test_proxy_command import run

NGINX = sorted((CORPUS / "nginx").glob("*.conf"))
# What a person has to decide: which replica, which path, which methods, whose files, how strict,
# how much memory for the headers of a login.
BY_HAND = {
    "STL203",
    "STL204",
    "STL208",
    "STL210",
    "STL211",
    "STL213",
    "STL304",
    "STL310",
    "STL316",
    "STL509",
    "STL512",
    "STL609",
    "STL611",
    "STL702",
    "STL801",
    "STL809",
    "STL810",
    "STL811",
}
NEEDS_NAMES_OR_FILES = re.compile(
    r"\bssl\b|http://(streamlit|dashboards|app\b)|proxy_cache_path|lua|^stream|template|nonexistent"
    r"|server streamlit|server app",
    re.MULTILINE,
)
PLAIN = [
    path
    for path in NGINX
    if not NEEDS_NAMES_OR_FILES.search(f"{path.name}\n{path.read_text(errors='replace')}")
]
BARE = """\
server {
    listen 80;
    location / {
        proxy_pass http://127.0.0.1:8501;
    }
}
"""


@pytest.fixture(autouse=True)
def _own_state_folder(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where no include reaches, old files are kept in the user's state folder."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


def fix(path: Path, app: App) -> list[Change]:
    report = lint_file(path, app)
    return apply(edited(edit for item in report.findings for edit in item.edits), os.environ)


@pytest.mark.parametrize(
    "path", [path for path in NGINX if seeded(path)], ids=lambda path: path.stem
)
def test_fix_leaves_only_what_a_person_decides(path: Path, tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    shutil.copytree(CORPUS / "nginx", folder)
    copy = folder / path.name
    app = app_of(copy)
    before = {finding.code for finding in lint_file(copy, app).findings}
    changes = fix(copy, app)

    left = {finding.code for finding in lint_file(copy, app).findings}
    assert left <= BY_HAND | {"STL301"} if "unread" in path.name else left <= BY_HAND
    assert left <= before
    for change in changes:
        original = (CORPUS / "nginx" / change.file.relative_to(folder)).read_bytes()
        assert change.backup.read_bytes() == original


@pytest.mark.parametrize(
    "path",
    [path for path in (*NGINX, *sorted((CORPUS / "apache").glob("*.conf"))) if seeded(path)],
    ids=lambda path: path.stem,
)
def test_fix_writes_the_lines_that_are_shown(path: Path, tmp_path: Path) -> None:
    """The report and `--fix` agree."""
    folder = tmp_path / "corpus"
    shutil.copytree(path.parent, folder)
    app = app_of(path)
    findings = lint_file(folder / path.name, app).findings
    changes = fix(folder / path.name, app)
    left = {finding.code for finding in lint_file(folder / path.name, app).findings}
    written = {
        " ".join(line.split()).lower()
        for change in changes
        for line in change.file.read_text(errors="replace").replace(" #!", "\n").splitlines()
    }
    shown = {
        " ".join(line.split()).lower()
        for finding in findings
        if finding.code not in left
        for line in finding.fix.splitlines()
        if line.startswith("    ") and "upgrade=websocket" not in line
    }

    assert shown <= written


@pytest.mark.proxy
@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.stem)
def test_nginx_takes_the_files_before_and_after_the_fix(path: Path, tmp_path: Path) -> None:
    """The corpus is real, and so is what `--fix` makes of it."""
    folder = tmp_path / "nginx"
    shutil.copytree(CORPUS / "nginx", folder)
    copy = folder / path.name
    nginx_accepts(copy)
    fix(copy, app_of(copy))
    nginx_accepts(copy)


def nginx_accepts(path: Path) -> None:
    text = path.read_text(errors="replace")
    is_whole = re.search(r"^http \{", text, re.MULTILINE)
    inner = f"include {path};"
    main = path.with_name("main.test")
    main.write_text(f"events {{}}\n{inner if is_whole else f'http {{ {inner} }}'}\n")
    binary = find_binary(Product.NGINX)
    command = [binary, "-t", "-e", "stderr", "-g", "pid nginx.pid;", "-p", path.parent, "-c", main]
    done = subprocess.run(command, capture_output=True, text=True, timeout=170, check=False)
    assert done.returncode == 0, done.stderr


# --- a location on one line


@pytest.mark.proxy
@pytest.mark.parametrize(
    ("location", "gone"),
    [
        ("location / { proxy_pass http://127.0.0.1:8501; }", ()),
        ("location /app/{proxy_pass http://127.0.0.1:8501;}\r", ()),
        ("\tlocation ~ ^/app/ { proxy_pass http://$app; proxy_read_timeout 9s; }", ("9s",)),
        (
            "location / { proxy_set_header Host $proxy_host; proxy_pass http://127.0.0.1:8501; }",
            ("$proxy_host",),
        ),
    ],
    ids=["blog", "narrow", "variable", "replaced"],
)
def test_a_location_on_one_line_is_written_out(
    tmp_path: Path, location: str, gone: tuple[str, ...]
) -> None:
    site = tmp_path / "site.conf"
    text = f"server {{\nset $app 127.0.0.1:8501;\n{location}\n}}\n"
    site.write_bytes(text.encode())
    assert fix(site, App())

    after = site.read_bytes().decode()
    codes = {finding.code for finding in lint_file(site, App()).findings}
    assert codes <= BY_HAND
    assert all(word in after for word in re.findall(r"[^\s{};]+", location) if word not in gone)
    assert not any(word in re.split(r"[\s;]", after) for word in gone)
    assert (after.count("\r\n") > 1) == location.endswith("\r")
    nginx_accepts(site)


@pytest.mark.parametrize(
    "location",
    [
        'location / { proxy_set_header X "a;b}"; proxy_pass http://127.0.0.1:8501; }',
        "location / { proxy_pass http://127.0.0.1:8501; } # ours",
        "location / { proxy_pass http://127.0.0.1:8501; } location /b { return 404; }",
        "location / { if ($arg_x) { return 404; } proxy_pass http://127.0.0.1:8501; }",
        "location / { proxy_pass http://127.0.0.1:8501; include more.conf; }",
    ],
    ids=["quotes", "comment", "two", "nested", "include"],
)
def test_what_else_is_on_one_line_is_left_to_a_person(tmp_path: Path, location: str) -> None:
    site = tmp_path / "site.conf"
    site.write_text(f"server {{\n{location}\n}}\n")
    (tmp_path / "more.conf").write_text("proxy_buffering off;\nproxy_redirect off;\n")

    assert not fix(site, App())
    assert location in site.read_text()


# --- includes that were not read


@pytest.mark.parametrize("path", NGINX, ids=lambda path: path.stem)
def test_nothing_is_edited_where_an_include_was_not_read(path: Path, tmp_path: Path) -> None:
    """The missing lines may be in the include: a second `Host` gets 400 for every request."""
    copy = tmp_path / "site.conf"
    text = path.read_text(errors="replace")
    copy.write_text(re.sub(r"(location [^{;]*\{)", r"\1 include /nonexistent/params;", text))
    report = lint_file(copy, app_of(path))

    assert [finding for finding in report.findings if finding.edits] == []


def test_debian_layout_is_read_as_nginx_reads_it(tmp_path: Path) -> None:
    """`include proxy_params;` below sites-available is the one next to nginx.conf."""
    folder = tmp_path / "nginx"
    shutil.copytree(CORPUS / "layouts" / "debian", folder, symlinks=True)
    site = folder / "sites-available" / "site_missing.conf"
    fix(site, App())
    text = site.read_text()

    assert text.count("Host") == 0
    assert "proxy_set_header Upgrade $http_upgrade;" in text
    assert lint_file(site, App()).findings == []


def test_line_of_a_shared_include_is_never_changed_or_doubled(tmp_path: Path) -> None:
    """Other sites use it; the text says what is wrong, and nothing is edited."""
    main = "events {}\nhttp {\n    include site.conf;\n    include other.conf;\n}\n"
    (tmp_path / "nginx.conf").write_text(main)
    (tmp_path / "params").write_text("proxy_set_header Host localhost;\n")
    site = tmp_path / "site.conf"
    site.write_text(BARE.replace("8501;", "8501;\n        include params;"))
    (tmp_path / "other.conf").write_text(BARE.replace("8501;", "3000;\n        include params;"))
    report = lint_file(site, App())

    assert "STL501" in {finding.code for finding in report.findings}
    assert not any(finding.edits for finding in report.findings)


# --- backups


@pytest.mark.parametrize("name", ["sites-enabled", "conf.d", "sites-available"])
def test_backup_is_where_no_include_reaches(name: str, tmp_path: Path) -> None:
    """A copy next to a file in sites-enabled is loaded too: duplicate upstream."""
    folder = tmp_path / "nginx" / name
    folder.mkdir(parents=True)
    (tmp_path / "nginx" / "nginx.conf").write_text(f"events {{}}\nhttp {{ include {name}/*; }}\n")
    site = folder / "app"
    site.write_text(BARE)
    done = run("lint", str(site), "--fix", cwd=tmp_path, XDG_STATE_HOME=str(tmp_path / "state"))

    assert done.returncode == 0, done.stderr
    assert [path.name for path in folder.iterdir()] == ["app"]
    backups = list((tmp_path / "state").rglob("*.stlaunch.bak"))
    assert [backup.read_text() for backup in backups] == [BARE]
    assert str(backups[0]) in done.stderr


def test_backup_next_to_a_file_that_nobody_includes(tmp_path: Path) -> None:
    (tmp_path / "site.conf").write_text(BARE)
    changes = fix(tmp_path / "site.conf", App())

    assert [change.backup for change in changes] == [tmp_path / "site.conf.stlaunch.bak"]


# --- the proxy's own validator


def fake_nginx(folder: Path, script: str) -> str:
    """Put an nginx of our own first in PATH; it gets the configuration as its last argument."""
    program = folder / "nginx"
    program.write_text(f"#!/bin/sh\nfor last; do :; done\n{script}\n")
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


def test_refusal_restores_the_file(tmp_path: Path) -> None:
    """The proxy has the last word: a change that it rejects is reverted."""
    (tmp_path / "bin").mkdir()
    refuse = 'grep -q Upgrade "$(sed -n \'s/.*include "\\(.*\\)";.*/\\1/p\' "$last")" || exit 0\n'
    path = fake_nginx(tmp_path / "bin", refuse + "echo 'nginx: [emerg] not like this' >&2; exit 1")
    (tmp_path / "site.conf").write_text(BARE)
    done = run("lint", "site.conf", "--fix", cwd=tmp_path, PATH=path)

    assert done.returncode == 1
    assert "refuses the result" in done.stderr
    assert "not like this" in done.stderr
    assert (tmp_path / "site.conf").read_text() == BARE
    assert not list(tmp_path.rglob("*.stlaunch.bak*"))


def test_machine_without_the_upstreams_name_does_not_keep_a_file_from_being_fixed(
    tmp_path: Path,
) -> None:
    """Docker's names are unknown to `nginx -t` on the host, before as after."""
    (tmp_path / "bin").mkdir()
    said = 'nginx: [emerg] host not found in upstream "streamlit" in site.conf:4'
    path = fake_nginx(tmp_path / "bin", f"echo '{said}' >&2; exit 1")
    (tmp_path / "site.conf").write_text(BARE.replace("127.0.0.1", "streamlit"))
    done = run("lint", "site.conf", "--fix", cwd=tmp_path, PATH=path)

    assert done.returncode == 0
    assert "cannot check" in done.stderr
    assert "Upgrade" in (tmp_path / "site.conf").read_text()


@pytest.mark.proxy
def test_real_proxies_are_asked(tmp_path: Path) -> None:
    nginx = tmp_path / "site.conf"
    nginx.write_text(BARE)
    broken = tmp_path / "broken.conf"
    broken.write_text(BARE.replace("listen 80", "listen nonsense:x"))
    verdicts = [ask_proxy(nginx), ask_proxy(broken)]

    assert [verdict and verdict.is_refusal for verdict in verdicts] == [False, True]


@pytest.mark.proxy
def test_site_is_fixed_below_a_main_file_with_a_pid_and_a_name_that_is_not_known_here(
    tmp_path: Path,
) -> None:
    """Real nginx, whose every sentence has another clock and process, and one `pid` at most."""
    folder = tmp_path / "nginx"
    (folder / "conf.d").mkdir(parents=True)
    (folder / "nginx.conf").write_text(
        "worker_processes 1; pid /run/nginx.pid; error_log /var/log/nginx/error.log;\n"
        "events { worker_connections 64; }\nhttp { include conf.d/*.conf; }\n"
    )
    for name, host in (("here.conf", "127.0.0.1"), ("docker.conf", "streamlit.invalid")):
        site = folder / "conf.d" / name
        site.write_text(BARE.replace("127.0.0.1", host))
        done = run("lint", str(site), "--fix", cwd=tmp_path, XDG_STATE_HOME=str(tmp_path))

        assert done.returncode == 0, done.stderr
        assert ("cannot check" in done.stderr) == (name == "docker.conf")
        assert "Upgrade" in site.read_text()


@pytest.mark.proxy
def test_apache_is_asked_with_the_folders_that_debian_gives_it(tmp_path: Path) -> None:
    site = tmp_path / "site.conf"
    site.write_text(
        "<VirtualHost *:80>\nErrorLog ${APACHE_LOG_DIR}/error.log\n"
        "CustomLog ${APACHE_LOG_DIR}/access.log combined\n"
        "ProxyPass / http://localhost:8501/\n</VirtualHost>\n"
    )
    verdict = ask_proxy(site)

    assert verdict is not None
    assert verdict.said == ""


def test_all_files_are_changed_or_none(tmp_path: Path) -> None:
    """A change that cannot be written reverts those before it, with their backups."""
    good, gone = tmp_path / "good.conf", tmp_path / "gone.conf"
    for path in (good, gone):
        path.write_text(BARE)
    texts = edited(
        e for path in (good, gone) for f in lint_file(path, App()).findings for e in f.edits
    )
    gone.write_text(BARE + "# meanwhile\n")
    with pytest.raises(StartError, match="has changed since it was read"):
        apply(texts, os.environ)

    assert good.read_text() == BARE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gone.conf", "good.conf"]


# --- what is said


def test_it_is_said_where_nothing_can_be_changed(tmp_path: Path) -> None:
    shutil.copy(CORPUS / "yaml" / "traefik_rate.yaml", tmp_path / "dynamic.yaml")
    done = run("lint", "dynamic.yaml", "--fix", cwd=tmp_path)

    assert "--fix changes nothing here" in done.stdout
    assert "Not fixed automatically: dynamic.yaml:13: STL611" in done.stderr


def test_apache_fix_is_a_diff_and_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "site.conf"
    text = (CORPUS / "other" / "apache_bad.conf").read_text()
    path.write_text(text.replace(" #!", "\n    #!"))
    before = path.read_text()
    changes = edited(edit for item in lint_file(path, App()).findings for edit in item.edits)
    diff = unified_diff(changes)
    made = apply(changes, os.environ)

    assert "+    ProxyPass /app http://127.0.0.1:8501/ timeout=10 upgrade=websocket\n" in diff
    assert "+    ProxyPreserveHost On\n" in diff
    assert [change.backup.read_text() for change in made] == [before]
    assert not {"STL301", "STL501"} & {code for code, _, _ in found(path)}


def test_line_ends_and_odd_bytes_stay_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "site.conf"
    path.write_bytes(
        b"# Caf\xe9\r\nProxyPass / http://127.0.0.1:8501/\r\nProxyPreserveHost Off\r\n"
    )
    fix(path, App())

    expected = b"ProxyPass / http://127.0.0.1:8501/ upgrade=websocket\r\nProxyPreserveHost On\r\n"
    assert path.read_bytes() == b"# Caf\xe9\r\n" + expected


def test_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "site.conf"
    path.write_text(BARE)
    report = lint_file(path, App())
    texts = edited(edit for item in report.findings for edit in item.edits)
    path.write_text(BARE + "# mine\n")

    with pytest.raises(Exception, match="has changed since it was read"):
        apply(texts, os.environ)
    assert path.read_text() == BARE + "# mine\n"
