"""Non-files, endless files, terminal escapes: bounded, and one clear sentence."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from stlaunch.errors import StlaunchError
from stlaunch.lint import App, FileKind, lint_file, lint_text
from stlaunch.lint.expressions import NotUnderstoodError, search
from tests.proxies.test_proxy_command import ROOT, run

MEMORY = 700 * 1024 * 1024
VCL = 'vcl 4.1;\nbackend app { .host = "127.0.0.1"; .port = "8501"; }\nsub vcl_recv {\n'
LIGHTTPD = 'proxy.server = ( "" => ( ( "host" => "127.0.0.1", "port" => 8501 ) ) )\n'
HTTP = "defaults\nmode http\n"
PASS = "location / { proxy_pass http://127.0.0.1:8501; }"


def bounded(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the linter with little memory, and a test's time."""
    return subprocess.run(
        [sys.executable, "-m", "stlaunch", "lint", *words],
        cwd=cwd,
        env={"HOME": str(cwd), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY)),
    )


@pytest.mark.parametrize("target", ["/dev/zero", "fifo", "socket-folder", "/dev/tty", "/proc/kmsg"])
@pytest.mark.parametrize(
    "form",
    [
        pytest.param("", id="itself"),
        pytest.param(f"server {{ include NAME; {PASS} }}", id="nginx"),
        pytest.param("ProxyPass / http://127.0.0.1:8501/\nInclude NAME\n", id="apache"),
        pytest.param("import NAME\n:80 {\n reverse_proxy localhost:8501\n}\n", id="caddy"),
    ],
)
def test_what_is_no_regular_file_is_not_read(form: str, target: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "socket-folder").mkdir()
    name = target if target.startswith("/") else str(tmp_path / target)
    file = tmp_path / ("Caddyfile" if "import" in form else "site.conf")
    if form:
        file.write_text(form.replace("NAME", name))
        name = str(file)
    done = bounded(name, cwd=tmp_path)

    assert done.returncode in {0, 1, 2}, done.stderr
    said = done.stdout + done.stderr
    # Apache reads all files of a folder.
    is_folder = "Include" in form and "folder" in target
    why = ("not a regular file", "is a folder", "cannot be read")
    assert is_folder or any(words in said for words in why)


@pytest.mark.parametrize("count", [2, 12])
def test_includes_that_include_each_other_end(count: int, tmp_path: Path) -> None:
    """By a pattern, so that each of them names all."""
    for number in range(count):
        (tmp_path / f"{number}.conf").write_text(f"server {{ {PASS} }}\ninclude *.conf;\n")
    done = bounded("0.conf", cwd=tmp_path)

    assert done.returncode in {0, 1, 2}
    assert "includes itself" in done.stdout + done.stderr


def test_many_includes_end(tmp_path: Path) -> None:
    """Twelve levels of two includes each would be 4,096 files."""
    for number in range(12):
        (tmp_path / f"{number}.inc").write_text(f"include {number + 1}.inc;\n" * 2)
    (tmp_path / "12.inc").write_text("proxy_set_header A b;\n")
    (tmp_path / "site.conf").write_text(f"server {{ include 0.inc; {PASS} }}\n")
    done = bounded("site.conf", cwd=tmp_path)

    assert done.returncode in {0, 1}
    assert "form a loop" in done.stdout


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("a.yaml", "[" * 50_000, id="yaml-brackets"),
        pytest.param("a.yaml", "{a: " * 50_000, id="yaml-mappings"),
        pytest.param("a.yaml", "- " * 50_000, id="yaml-dashes"),
        pytest.param("a.yaml", "a: 1\n" * 150_000, id="yaml-many"),
        pytest.param(
            "a.yaml",
            "a: &a [x,x]\n"
            + "".join(
                f"{chr(98 + n)}: &{chr(98 + n)} [" + f"*{chr(97 + n)}," * 9 + "]\n"
                for n in range(20)
            )
            + "services: *u\n",
            id="yaml-laughs",
        ),
        pytest.param("a.conf", "server { " * 50_000, id="nginx-blocks"),
        pytest.param("a.conf", "server {\n" + "listen 80;\n" * 80_000 + "}", id="nginx-many"),
        pytest.param("a.conf", "server {" + " a" * 400_000 + ";}", id="nginx-long-line"),
        pytest.param("a.conf", "server {\n" + '"' * 99_999 + "\n}", id="nginx-quotes"),
        pytest.param(
            "a.conf",
            "server {\n"
            + "".join(f"set $v{n} $v{n + 1}$v{n + 1}$v{n + 1};\n" for n in range(90))
            + "location / { proxy_pass http://$v0; }\n}\n",
            id="nginx-variables",
        ),
        pytest.param(
            "a.conf",
            f"server {{ location / {{ proxy_pass http://127.0.0.1:8501; "
            f"proxy_read_timeout {'58501' * 200}tp; }} }}",
            id="nginx-time",
        ),
        pytest.param(
            "a.conf",
            "server {\nlocation /" + "a" * 60 + "/ { proxy_pass http://127.0.0.1:8501; }\n"
            "location ~ ^/(a+)+b { return 403; }\n"
            "location ~ a*a*a*a*a*a*a*a*b { return 403; }\n}\n",
            id="nginx-expression",
        ),
        pytest.param("a.conf", "<Location /a>\n" * 20_000, id="apache-sections"),
        pytest.param("a.conf", "ProxyPass / \\\n" * 60_000, id="apache-continued"),
        pytest.param(
            "a.cfg", "backend a\n" + "server s 10.0.0.1:8501\n" * 45_000, id="haproxy-many"
        ),
        pytest.param(
            "a.cfg", HTTP + "listen a\nserver s 127.0.0.1:8501\n" * 20_000, id="haproxy-apps"
        ),
        pytest.param(
            "a.cfg",
            HTTP
            + "frontend a\n"
            + "".join(f"acl a path_reg ^/{n}(.*)x\n" for n in range(24_000))
            + "http-request deny if a\n" * 24_000
            + "default_backend b\nbackend b\nserver s 127.0.0.1:8501\n",
            id="haproxy-conditions",
        ),
        pytest.param(
            "a.cfg",
            HTTP
            + "frontend a\n"
            + "".join(f"use_backend b if {{ path_beg /{n} }}\n" for n in range(48_000))
            + "backend b\nserver s 127.0.0.1:8501\n",
            id="haproxy-routes",
        ),
        pytest.param(
            "a.cfg",
            HTTP
            + "default_backend b\n" * 20_000
            + "frontend a\n" * 20_000
            + "backend b\nserver s 127.0.0.1:8501\n",
            id="haproxy-defaults",
        ),
        pytest.param(
            "a.cfg",
            "".join(f"defaults d{n} from d{n - 1}\n" for n in range(24_000))
            + "listen b from d23999\nmode http\nserver s 127.0.0.1:8501\n",
            id="haproxy-inherited",
        ),
        pytest.param(
            "a.cfg",
            f"{HTTP}timeout client {'58501' * 200}tp\nlisten b\nserver s 127.0.0.1:8501\n",
            id="haproxy-time",
        ),
        pytest.param("a.txt", "\n" * 900_000, id="empty-lines"),
        pytest.param("a.txt", " " * 99_000 + "\n" + "{{" * 49_000, id="spaces-and-marks"),
        pytest.param("a.conf", "x" * 1_000_001, id="too-large"),
        pytest.param("a.conf", "server {\0}", id="binary"),
        pytest.param("a.vcl", "vcl 4.1;\n" + "backend a {\n" * 49_000, id="varnish"),
        pytest.param("a.vcl", VCL + ("/*" * 45_000 + "\n") * 9, id="varnish-comments"),
        pytest.param("a.vcl", VCL + ("set req.http.a = " * 5_000 + "\n") * 10, id="varnish-lines"),
        pytest.param(
            "a.conf",
            LIGHTTPD + ("setenv.set-response-header = (" * 3_000 + "\n") * 10,
            id="lighttpd-lists",
        ),
        pytest.param("Caddyfile", ":80 {\n" + "handle {\n" * 5_000, id="caddy-nested"),
        pytest.param(
            "Caddyfile",
            ":80 {\n" + "handle {\n" * 20_000 + "reverse_proxy 127.0.0.1:8501\n" + "}\n" * 20_001,
            id="caddy-closed",
        ),
    ],
)
def test_time_and_memory_have_a_bound(name: str, text: str, tmp_path: Path) -> None:
    """No traceback, no exit 70, and the run ends."""
    (tmp_path / name).write_text(text)
    done = bounded(name, cwd=tmp_path)

    assert done.returncode in {0, 1, 2, 4}, done.stderr[-2000:]
    assert "Traceback" not in done.stderr


ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\x7f\u202e"


@pytest.mark.parametrize("words", [(), ("--json",), ("--fix",)], ids=["text", "json", "fix"])
@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param(
            "site.conf",
            f'server {{\n  location / {{\n    proxy_set_header Host "{ESCAPES}localhost";\n'
            f"    # {ESCAPES}\n    proxy_pass http://127.0.0.1:8501;\n  }}\n}}\n",
            id="nginx",
        ),
        pytest.param("site.conf", f"server {{ include /x{ESCAPES}; }}\n", id="include"),
        pytest.param("site.conf", f"server {{\n x{ESCAPES}\n}}\n", id="refused"),
        pytest.param("a.yaml", f"http: {{ x: '{ESCAPES}\n", id="yaml"),
        pytest.param("h.cfg", f"backend {ESCAPES}\n  server a streamlit:8501\n", id="haproxy"),
        pytest.param(f"s{ESCAPES.replace('/', '')}.conf", "server {\n", id="name"),
    ],
)
def test_no_foreign_control_character_reaches_the_terminal(
    name: str, text: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / name).write_text(text)
    done = run("lint", name, *words, cwd=tmp_path)
    said = done.stdout + done.stderr

    assert done.returncode in {0, 1, 2, 4}
    assert [char for char in said if not (char.isprintable() or char == "\n")] == []


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)*b", "(.*,)*x", "a*a*a*a*a*a*b", "x" * 600])
def test_expression_that_could_run_for_ever_is_not_run(pattern: str) -> None:
    with pytest.raises(NotUnderstoodError):
        search(pattern, "a" * 100)


@pytest.mark.process
@pytest.mark.parametrize("kind", list(FileKind))
@pytest.mark.parametrize(
    "text", ["", "\n", "{", "}", ";", "a", "'", '"', "\\", "<", ">", "\x85", "- "]
)
def test_any_text_of_any_kind_ends_in_a_report_or_a_sentence(kind: FileKind, text: str) -> None:
    """The entry for a fuzzer: no file is read, and nothing but our own errors is raised."""
    with contextlib.suppress(StlaunchError):
        lint_text(text, kind)


def test_text_reads_no_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.conf"
    secret.write_text("proxy_set_header Upgrade $http_upgrade;\n")
    report = lint_text(f"server {{ {PASS[:-1]} include {secret}; }} }}", FileKind.NGINX)

    assert any("does not exist" in note.text for note in report.notes)
    assert lint_file(secret, App()).files == [secret]


_NGINX = "upstream streamlit {{ server 127.0.0.1:8501 max_conns={0}; }} limit_req_zone $a zone=z:1m rate=5r/s; client_max_body_size {0}m; proxy_read_timeout {0}s; server {{ location / {{ limit_conn a {0}; limit_req zone=z burst={0}; proxy_pass http://streamlit; }} }}"  # noqa: E501
_HAPROXY = "defaults\n mode http\n timeout server {0}s\nbackend app\n server-template app 1-{0} 127.0.0.1:8501 maxconn {0}\n"  # noqa: E501
_TRAEFIK = "http:\n  middlewares:\n    a: {{buffering: {{maxRequestBodyBytes: {0}}}}}\n    b: {{inFlightReq: {{amount: {0}}}}}\n    c: {{rateLimit: {{average: {0}, burst: {0}}}}}\n  routers: {{r: {{rule: 'PathPrefix(`/`)', service: s, middlewares: [a, b, c]}}}}\n  services: {{s: {{loadBalancer: {{servers: [{{url: 'http://127.0.0.1:8501'}}]}}}}}}\n"  # noqa: E501


@pytest.mark.parametrize("digits", ["\u00b2", "\u0663", "9" * 5000], ids=["two", "three", "long"])
@pytest.mark.parametrize(
    ("name", "text"),
    [("site.conf", _NGINX), ("haproxy.cfg", _HAPROXY), ("dynamic.yml", _TRAEFIK)],
)
def test_digits_that_no_proxy_takes_are_no_number(
    name: str, text: str, digits: str, tmp_path: Path
) -> None:
    """`\u00b2` is a digit to Python and no number to it; 5000 digits are too many for it."""
    path = tmp_path / name
    path.write_text(text.format(digits), encoding="utf-8")

    assert lint_file(path, App()).routes
