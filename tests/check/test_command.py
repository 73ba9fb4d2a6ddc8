"""`stlaunch check` and `stlaunch explain` as commands: reports, options, exit codes, secrets."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from xml.etree import ElementTree as ET

import pytest

from stlaunch.check.rules import RULES
from stlaunch.cli import guide
from stlaunch.cli.check import check as check_command
from stlaunch.diagnostics import catalogue
from stlaunch.errors import ExitCode
from stlaunch.proxies.plans import TlsFiles
from tests.check.apps import FAILING, SCRIPT, streamlit
from tests.check.frames import nginx
from tests.check.matrix_nginx import STL_HOST
from tests.check.run_setup import start_front
from tests.conftest import REPOSITORY
from tests.harness.ports import free_port
from tests.harness.server import stlaunch_app
from tests.harness.tls import Tls

SECRET = "s3cr3t-value"


@pytest.fixture(scope="module")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """URLs of an app: behind nginx that is right, that strips, around it; and of a failing one."""
    folder = tmp_path_factory.mktemp("command")
    script, failing = folder / "streamlit_app.py", folder / "failing.py"
    script.write_text(SCRIPT)
    failing.write_text(FAILING)
    with (
        stlaunch_app(script, free_port(), "--behind-proxy", "/app") as stl,
        streamlit(failing) as bare,
    ):
        names = {"stl": f"127.0.0.1:{stl.port}", "bare": f"127.0.0.1:{bare.port}"}
        stripped = nginx("location /app/ { proxy_pass http://@stl@/; }")
        with start_front(nginx(STL_HOST), names) as good, start_front(stripped, names) as bad:
            yield {
                "good": f"http://{good}/app/",
                "stripped": f"http://{bad}/app/",
                "direct": f"http://{names['stl']}/app/",
                "stl": names["stl"],
                "log": str(stl.log_path),
                "failing": f"http://{names['bare']}/",
            }


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stlaunch", *words],
        cwd=REPOSITORY,
        env=os.environ | {"COLUMNS": "100"} | environ,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


def check(url: str, *flags: str) -> subprocess.CompletedProcess[str]:
    return run("check", url, "--timeout", "90", *flags)


# --- reports


def test_healthy_app_is_reported_healthy_and_exits_0(apps: dict[str, str]) -> None:
    done = check(apps["good"])

    assert (done.returncode, done.stderr) == (ExitCode.OK, "")
    assert "The app is reachable and whole. Script finished:" in done.stdout
    assert re.search(r"browser -> nginx 1\.", done.stdout)
    assert "\x1b" not in done.stdout


def test_text_shows_cause_who_fix_and_what_arrived(apps: dict[str, str]) -> None:
    done = check(apps["stripped"])

    assert done.returncode == ExitCode.OK  # the fallback was run; bodies are limited: warnings
    assert "The app works, with warnings. Script finished over HTTP:" in done.stdout
    assert "STL301" in done.stdout
    assert "proxy_set_header Upgrade $http_upgrade;" in done.stdout
    assert "then: nginx -t && nginx -s reload" in done.stdout
    assert "stlaunch explain STL301" in done.stdout
    assert re.search(r"sent +arrived", done.stdout)
    assert re.search(r"Upgrade: websocket +sent +\(absent\)", done.stdout)


def test_fallback_goes_over_the_path_that_gets_through(apps: dict[str, str]) -> None:
    """The page finds another path for its HTTP requests, and so does the check; it says which."""
    lines = "location /app/ { proxy_pass http://@stl@/; proxy_set_header Host $http_host; }"
    rule = "location ~ ^/app/_st(launch|core/stlaunch)/tunnel { return 404; }"
    with start_front(nginx(f"{lines} {rule}"), apps) as front:
        done = check(f"http://{front}/app/")

    path = "at _stcore/upload_file/stlaunch/tunnel because _stlaunch/tunnel is blocked"
    assert done.returncode == ExitCode.OK
    assert f"Script finished over HTTP, {path}:" in " ".join(done.stdout.split())
    assert f"the page uses HTTP requests instead, {path}." in " ".join(done.stdout.split())


def test_fallback_without_any_path_is_an_error(apps: dict[str, str]) -> None:
    """No path is left, so the page does not work: nothing milder is said."""
    lines = "location /app/ { proxy_pass http://@stl@/; proxy_set_header Host $http_host; }"
    rule = "location ~ ^/app/.*/tunnel { return 403; }"
    with start_front(nginx(f"{lines} {rule}"), apps) as front:
        done = check(f"http://{front}/app/")

    assert done.returncode == ExitCode.FINDINGS
    assert "The fallback over HTTP requests fails too: POST gets 403." in " ".join(
        done.stdout.split()
    )


@pytest.mark.parametrize(
    ("rule", "code", "says_so"),
    [
        pytest.param("limit_except GET POST { deny all; }", ExitCode.OK, True, id="post"),
        pytest.param("if ($request_method = PUT) { return 405; }", ExitCode.OK, True, id="put"),
        pytest.param("limit_except GET { deny all; }", ExitCode.FINDINGS, False, id="get"),
    ],
)
def test_a_rule_on_methods_is_an_error_where_post_does_not_pass_either(
    apps: dict[str, str], rule: str, code: ExitCode, says_so: bool
) -> None:
    """Under stlaunch the page uploads with POST where PUT is refused."""
    with start_front(nginx(STL_HOST.replace("}", f"{rule} }}", 1)), apps) as front:
        done = check(f"http://{front}/app/")

    shown = " ".join(done.stdout.split())
    assert "STL512" in shown
    assert done.returncode == code
    assert ("Under stlaunch the page uploads with POST instead." in shown) == says_so


def test_json_is_stable(apps: dict[str, str]) -> None:
    report = json.loads(check(apps["stripped"], "--json").stdout)

    assert report["schema"] == "stlaunch.check/1"
    assert (report["url"], report["verdict"]) == (apps["stripped"], "degraded")
    assert report["exit_code"] == ExitCode.OK
    assert (report["counts"]["error"], report["counts"]["warning"] > 0) == (0, True)
    assert report["hops"][0]["product"] == "nginx"
    first = report["findings"][0]
    assert set(first) == {
        "code", "status", "severity", "title", "evidence", "hop", "fix", "explain", "consequences",
    }  # fmt: skip
    assert (first["code"], first["status"], first["severity"]) == ("STL301", "WARN", "warning")
    assert first["hop"].startswith("nginx")
    assert {"dns", "dialled", "tls", "http", "openings", "session"} <= set(report["observations"])
    assert set(report["checks"]) == {rule.code for rule in RULES}
    assert {entry["status"] for entry in report["checks"].values()} >= {"PASS", "WARN", "SKIP"}
    assert all(entry["reason"] for entry in report["checks"].values() if entry["status"] == "SKIP")


def test_markdown_can_be_pasted(apps: dict[str, str]) -> None:
    done = check(apps["failing"], "--markdown")

    assert done.stdout.startswith("### stlaunch check")
    assert "**FAIL STL313" in done.stdout
    assert "RuntimeError" in done.stdout


def test_junit_has_a_case_for_each_rule(apps: dict[str, str]) -> None:
    suite = ET.fromstring(check(apps["stripped"], "--junit").stdout)
    cases = suite.findall("testcase")

    assert len(cases) == len(RULES) == int(suite.get("tests", 0))
    assert len(suite.findall("testcase/skipped")) == int(suite.get("skipped", 0)) > 0


def test_github_gets_annotations(apps: dict[str, str]) -> None:
    (first, *_) = check(apps["stripped"], "--github").stdout.splitlines()

    assert first.startswith("::warning title=STL301 ")
    assert "%0A" in first


def test_prometheus_file_is_written(apps: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "stlaunch.prom"
    done = check(apps["good"], "--prometheus", str(file))
    text = file.read_text()

    assert done.returncode == ExitCode.OK
    assert f'stlaunch_check_up{{url="{apps["good"]}"}} 1\n' in text
    assert "stlaunch_check_script_seconds" in text
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_direct_shows_the_difference(apps: dict[str, str]) -> None:
    done = check(apps["stripped"], "--direct", apps["direct"], "--json")
    report = json.loads(done.stdout)
    rows = {name: (here, there) for name, here, there in report["proxied_and_direct"]}

    assert rows["WebSocket, browser"] == ("426 application/json", "101")
    assert rows["session"] == ("script finished over HTTP", "script finished")
    assert "without the proxy" not in report["findings"][0]["hop"]


def test_direct_blames_the_app_for_what_it_does_itself(apps: dict[str, str]) -> None:
    report = json.loads(check(apps["failing"], "--direct", apps["failing"], "--json").stdout)

    assert report["findings"][0]["code"] == "STL313"
    assert "without the proxy" in report["findings"][0]["hop"]


def test_secrets_of_the_user_and_of_the_app_stay_out(apps: dict[str, str]) -> None:
    flags = ("--header", f"Authorization: Bearer {SECRET}", "--header", f"X-Mine: {SECRET}",
             "--cookie", f"session={SECRET}")  # fmt: skip
    for kind in ((), ("--json",), ("--markdown",), ("--junit",), ("--github",)):
        done = check(apps["stripped"], *flags, *kind)

        assert SECRET not in done.stdout + done.stderr
        assert not re.search(r"_streamlit_xsrf=2|stlaunch=[\w-]{10}", done.stdout)
        assert not re.search(r"stlaunch\.[\w-]{20}", done.stdout)


def test_watch_prints_what_changes(tmp_path: Path) -> None:
    script = tmp_path / "streamlit_app.py"
    script.write_text(SCRIPT)
    with streamlit(script) as server:
        command = [sys.executable, "-m", "stlaunch", "check", server.url, "--watch", "1",
                   "--timeout", "90", "--only", "STL102"]  # fmt: skip
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as watch:
            assert watch.stdout is not None
            for line in watch.stdout:
                if "PASS" in line:
                    break
            server.terminate()
            lines = [next(watch.stdout)]
            while "new STL102" not in lines[-1]:
                lines.append(next(watch.stdout))
            watch.terminate()

    assert any("healthy -> broken" in line for line in lines)


@pytest.mark.parametrize("flags", [(), ("--cookie", "session=abc")], ids=["plain", "cookie"])
def test_probes_leave_no_trace_in_the_app_s_verdict(
    apps: dict[str, str], flags: tuple[str, ...]
) -> None:
    """Not even through a proxy that strips the upgrade, where they are recognised and counted."""

    def report_of_app() -> dict[str, Any]:
        with urlopen(apps["direct"] + "_stlaunch/check?json", timeout=30) as answer:
            report: dict[str, Any] = json.load(answer)
        return report

    before = report_of_app()
    for url in (apps["good"], apps["stripped"], apps["direct"]):
        check(url, *flags)
    after = report_of_app()

    assert after["verdict"] == before["verdict"] == "unseen"
    assert after["findings"] == before["findings"] == []
    assert after["handshakes"]["by_verdict"] == before["handshakes"]["by_verdict"]
    assert after["handshakes"]["by_transport"]["probe"] > 0
    assert after["handshakes"]["rejections_by_reason"]["probe"] > 0
    assert "STL" not in Path(apps["log"]).read_text()


def test_strict_exits_1_for_a_warning(apps: dict[str, str]) -> None:
    done = check(apps["stripped"], "--strict", "--json")

    assert done.returncode == json.loads(done.stdout)["exit_code"] == ExitCode.FINDINGS


# --- options


def test_only_and_skip_select_codes(apps: dict[str, str]) -> None:
    only = json.loads(check(apps["stripped"], "--only", "STL5,STL602", "--json").stdout)
    skip = json.loads(check(apps["stripped"], "--skip", "STL301,STL602", "--json").stdout)

    assert {one["code"] for one in only["findings"]} == {"STL602"}
    assert not {"STL301", "STL602"} & {one["code"] for one in skip["findings"]}


def test_list_names_every_rule() -> None:
    done = run("check", "--list")

    assert done.returncode == ExitCode.OK
    assert [line.split()[0] for line in done.stdout.splitlines()] == sorted(
        rule.code for rule in RULES
    )


def test_insecure_goes_on_past_a_certificate_that_nobody_knows(
    apps: dict[str, str], tls: Tls
) -> None:
    files = TlsFiles(certificate=tls.certificate, key=tls.key)
    with start_front(nginx(STL_HOST), {"stl": apps["stl"]}, files) as front:
        careful = json.loads(check(f"https://{front}/app/", "--json").stdout)
        done = check(f"https://{front}/app/", "--insecure", "--json")
    report = json.loads(done.stdout)

    assert [finding["code"] for finding in careful["findings"]] == ["STL110"]
    assert careful["observations"]["http"] == {}
    assert "STL110" not in {finding["code"] for finding in report["findings"]}
    assert report["checks"]["STL110"]["status"] == "SKIP"
    assert report["observations"]["session"]["finished_ms"] is not None


def test_nothing_listens_is_a_finding() -> None:
    done = run("check", f"http://127.0.0.1:{free_port()}/", "--json")

    assert done.returncode == ExitCode.FINDINGS
    assert json.loads(done.stdout)["findings"][0]["code"] == "STL102"


def test_a_name_without_an_address_is_a_finding() -> None:
    done = run("check", "http://stlaunch-check.invalid/", "--json", "--timeout", "10")

    assert done.returncode == ExitCode.FINDINGS
    assert json.loads(done.stdout)["findings"][0]["code"] == "STL101"


def test_progress_is_shown_on_a_terminal_only(apps: dict[str, str]) -> None:
    command = [sys.executable, "-m", "stlaunch", "check", apps["good"], "--timeout", "90"]
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as terminal:
        process = subprocess.Popen(
            command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=theirs,
            env=os.environ | {"TERM": "xterm"},
        )  # fmt: skip
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # what Linux says at the end of a terminal
            while piece := terminal.read(4096):
                shown += piece
        assert process.wait() == ExitCode.OK

    assert b"checking: " in shown


def test_nothing_to_check_is_exit_4() -> None:
    done = run("check", f"http://127.0.0.1:{free_port()}/", "--only", "STL3", "--json")

    assert done.returncode == ExitCode.NO_VERDICT
    assert json.loads(done.stdout)["verdict"] == "unknown"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["example.com"], "cannot be checked", id="no-scheme"),
        pytest.param(["ftp://example.com/"], "cannot be checked", id="scheme"),
        pytest.param(["http://a:b@example.com/"], "user name or password", id="user"),
        pytest.param(["http://example.com/?x=1"], "cannot be checked", id="query"),
        pytest.param(["http://x/", "--connect-to", "here"], "--connect-to 'here'", id="connect"),
        pytest.param(["http://x/", "--header", "nope"], "--header", id="header"),
        pytest.param(["http://x/", "--header", "Host: y"], "is set by the check", id="host"),
        pytest.param(["http://x/", "--header", "A: b\nC: d"], "--header", id="injection"),
        pytest.param(["http://x/", "--cookie", "nope"], "--cookie", id="cookie"),
        pytest.param(["http://x/", "--only", "STL999"], "no code 'STL999'", id="code"),
        pytest.param(["http://x/", "--json", "--junit"], "one report format", id="formats"),
    ],
)
def test_bad_input_is_one_sentence(words: list[str], expected: str) -> None:
    done = run("check", *words)

    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")
    assert expected in done.stderr.splitlines()[0]
    assert "Hint: " in done.stderr


def test_check_imports_nothing_of_streamlit(apps: dict[str, str]) -> None:
    command = [sys.executable, "-X", "importtime", "-m", "stlaunch", "check", apps["good"]]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}

    assert "stlaunch.check.observe" in imported
    assert not imported & {"streamlit", "starlette", "uvicorn", "google.protobuf"}


# --- explain, and the rendered list


def test_explain_prints_problem_by_hand_and_fix_for_each_proxy() -> None:
    done = run("explain", "stl301")

    assert done.returncode == ExitCode.OK
    assert done.stdout.startswith("STL301  ")
    for part in ("\nProblem\n", "\nBy hand\n", "\nFix\n", "proxy_set_header Upgrade", "  apache: "):
        assert part in done.stdout


def test_explain_without_a_code_lists_all() -> None:
    done = run("explain")

    assert [line.split()[0] for line in done.stdout.splitlines()] == list(catalogue.codes())


def test_explain_of_an_unknown_code_suggests() -> None:
    done = run("explain", "STL3011")

    assert done.returncode == ExitCode.USAGE
    assert "Did you mean" in done.stderr


def test_handbook_names_flags_that_exist() -> None:
    page = guide.source("check")
    known = {option for parameter in check_command.params for option in parameter.opts}

    assert set(re.findall(r"`(--[a-z-]+)", page)) <= known
    assert known - {"url"} <= {*re.findall(r"(--[a-z-]+)", page)}
