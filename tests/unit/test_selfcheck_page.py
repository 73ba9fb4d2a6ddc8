"""What the self-check's page decides in the browser, and that it says what `check` says."""

from __future__ import annotations

import json
import random
import re
import shutil
import subprocess
from typing import Any

import pytest

from stlaunch.diagnostics.catalogue import codes, entry
from stlaunch.diagnostics.clocks import MAX_SKEW_S
from stlaunch.diagnostics.ranking import rank
from stlaunch.diagnostics.severity import Circumstance, Severity
from stlaunch.gateway.selfcheck import browser_page
from stlaunch.gateway.selfcheck.fixes import PAGE_CODES, describe_fixes, fix_of_code
from stlaunch.proxies.fixes import replicas_note
from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Product
from stlaunch.proxies.site import Site
from stlaunch.urls.base_path import BasePath
from tests.conftest import REPOSITORY

APP = BasePath("/app")
FOLDER = REPOSITORY / "stlaunch/gateway/selfcheck/diagnosis"
TESTS = ("tests_http.js", "tests_socket.js", "tests_slow.js")


def test_every_code_of_the_page_is_in_the_catalogue() -> None:
    assert set(PAGE_CODES) <= set(codes())


@pytest.mark.process
def test_page_and_check_rank_alike() -> None:
    """The same findings, in any order, come out of both in one order."""
    known = {
        code: entry(code).severity_under((Circumstance.FALLBACK,))
        for code in PAGE_CODES
        if code in codes()
    }
    found = [
        {"code": code, "status": "fail" if entry(code).severity is Severity.ERROR else "warn"}
        for code, severity in known.items()
        if severity is not Severity.INFO
    ]
    random.Random(1).shuffle(found)
    fixes = describe_fixes(None, Site(base_path=APP))["codes"]
    ranked = run_script(f"likeliestFirst({json.dumps(found)}, {json.dumps(fixes)})")
    shown = [one["code"] for one in ranked]

    assert shown == sorted(shown, key=lambda code: rank(code, known[code]))


def run_script(expression: str, before: str = "") -> Any:
    """Return what an expression gives in the page's own script, with a stub of the browser."""
    parts = [(FOLDER / name).read_text("utf-8") for name in ("outcome.js", *TESTS)]
    stub = "const document = { body: { dataset: { clockSkewS: '300' } } }; const base = '';"
    program = f"""{stub} const noAnswer = () => ""; {"".join(parts)} {before};
    Promise.resolve({expression}).then((it) => console.log(JSON.stringify(it ?? null)))"""
    node = shutil.which("node")
    assert node, "apt-get install nodejs"
    done = subprocess.run([node, "-"], input=program, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


# --- sizes: only what is refused, or ends, has met a limit


def echo(ended: str, passes: int) -> Any:
    """Return what comes of a socket that echoes so many messages, and then ends or is silent."""
    socket = f"""const sent = []; const socket = {{
      get ended() {{ return sent.length > {passes} ? {ended} : null; }},
      socket: {{ send: (one) => sent.push(one) }},
      next: async () => sent.length > {passes} ? undefined
        : typeof sent.at(-1) === "string" ? sent.at(-1) : sent.at(-1).buffer,
    }}"""
    return run_script("testEcho({ socket }, () => undefined)", socket)


@pytest.mark.process
def test_a_slow_echo_is_not_measured() -> None:
    """16 MB within 30 s is more than many an uplink carries."""
    outcome = echo("null", passes=8)

    assert outcome["status"] == "skip"
    assert "code" not in outcome
    assert outcome["evidence"][0].endswith("did not come back within 30.0 s.")


@pytest.mark.process
def test_a_socket_that_ends_has_met_a_limit() -> None:
    outcome = echo("{ code: 1009, ageMs: 1 }", passes=8)

    assert (outcome["status"], outcome["code"]) == ("fail", "STL601")
    assert outcome["evidence"][0].endswith("the socket ended with code 1009.")


@pytest.mark.process
def test_a_socket_that_ended_while_it_was_quiet_has_met_an_idle_limit() -> None:
    """Uploads of the tests before may take longer on a slow line than the proxy waits."""
    outcome = echo("{ code: 1006, ageMs: 8000 }", passes=-1)

    assert (outcome["status"], outcome["code"]) == ("warn", "STL604")


SLOW = "throw new DOMException('signal timed out', 'TimeoutError')"
CUT = "throw new TypeError('Failed to fetch')"


@pytest.mark.process
@pytest.mark.parametrize(
    ("answer", "passes"),
    [
        pytest.param(SLOW, None, id="slow"),
        pytest.param("return { ok: false, status: 408 }", None, id="a-proxy-gave-up"),
        pytest.param(CUT, False, id="cut"),
        pytest.param("return { ok: false, status: 413 }", False, id="refused"),
        pytest.param("return { ok: true, json: () => ({ received: 5 }) }", True, id="arrived"),
        pytest.param("return { ok: true, json: () => ({ received: 4 }) }", False, id="shortened"),
    ],
)
def test_only_a_refusal_limits_an_upload(answer: str, passes: bool | None) -> None:
    assert run_script("uploadPasses(5)", f"const ask = async () => {{ {answer} }}") is passes


@pytest.mark.process
@pytest.mark.parametrize(
    ("test", "answer", "code"),
    [
        pytest.param("testUpload", SLOW, None, id="3 MB, slow"),
        pytest.param("testUpload", CUT, "STL512", id="3 MB, cut"),
        pytest.param("testUploadSizes", SLOW, None, id="sizes, slow"),
        pytest.param("testUploadSizes", CUT, "STL607", id="sizes, cut"),
    ],
)
def test_a_slow_upload_is_not_measured(test: str, answer: str, code: str | None) -> None:
    outcome = run_script(
        f"{test}(Object.assign(new Facts(), {{ fixes: {{ max_upload_bytes: 8e6 }} }}), () => 0)",
        f"const ask = async () => {{ {answer} }}",
    )

    assert outcome.get("code") == code
    assert (outcome["status"] == "skip") is (code is None)


# --- one home for what check and the page both say


def test_the_page_is_as_grave_as_the_catalogue() -> None:
    """A literal that differs from the catalogue makes check and page disagree."""
    named = {"warn": Severity.WARNING, "fail": Severity.ERROR}
    for name in TESTS:
        text = (FOLDER / name).read_text("utf-8")
        for how, code in re.findall(r'\b(warn|fail)\(\s*"(STL\d+)"', text):
            known = entry(code)
            assert named[how] in {known.severity, *known.severity_when.values()}, (name, code)


@pytest.mark.process
@pytest.mark.parametrize("code", ["STL404", "STL505", "STL806"])
def test_a_graded_outcome_follows_the_catalogue(code: str) -> None:
    fixes = json.dumps({"codes": describe_fixes(None, Site(base_path=APP))["codes"]})
    outcome = run_script(f'graded({{ fixes: {fixes} }}, "{code}", "")')
    statuses = {Severity.ERROR: "fail", Severity.WARNING: "warn", Severity.INFO: "info"}

    assert outcome["status"] == statuses[entry(code).severity]
    assert outcome["code"] == code


def test_page_and_check_allow_the_same_skew() -> None:
    text = bytes(browser_page.page().body).decode()

    assert f'data-clock-skew-s="{MAX_SKEW_S}"' in text
    assert (MAX_SKEW_S, "five minutes" in entry("STL806").problem) == (300, True)


# --- the lines that the page and the log show are those of `stlaunch check`


@pytest.mark.parametrize("code", PAGE_CODES)
def test_words_where_a_products_lines_fix_nothing(code: str) -> None:
    """Caddy's `stream_close_delay` cures no idle limit: check said so, and the page did not."""
    site = Site(base_path=APP)
    for product in Product:
        if code in recipe(product).by_words:
            assert fix_of_code(code, product, site) == entry(code).fix


@pytest.mark.parametrize("product", [Product.CADDY, Product.TRAEFIK, Product.CLOUDFLARE])
@pytest.mark.parametrize("code", ["STL604", "STL606"])
def test_a_proxy_that_has_no_idle_limit_to_raise_has_no_lines_for_it(
    code: str, product: Product
) -> None:
    assert fix_of_code(code, product, Site(base_path=APP)) == entry(code).fix


def test_lines_that_go_along_with_others_are_shown() -> None:
    fix = fix_of_code("STL122", Product.LIGHTTPD, Site(base_path=APP))

    assert 'proxy.header = ( "upgrade" => "enable"' in fix


def test_words_come_first_where_lines_alone_may_not_help() -> None:
    fix = fix_of_code("STL122", Product.NGINX, Site(base_path=APP))

    assert fix.startswith(entry("STL122").fix)
    assert "proxy_pass http://127.0.0.1:8501" in fix


def test_a_hidden_machine_is_not_printed_as_a_fact() -> None:
    hidden = Site(base_path=APP, upstream="127.0.0.1:9000", knows_upstream=False)
    fix = fix_of_code("STL122", Product.NGINX, hidden)

    assert "127.0.0.1:9000 stands for your app's address." in fix
    assert "--direct" not in fix, "that is an option of `stlaunch check`"


@pytest.mark.parametrize(
    ("lines", "note"),
    [
        pytest.param("server 127.0.0.1:8501;", "", id="none"),
        pytest.param("to REPLICA-1:8501", "REPLICA-1:8501 stands for a replica's address.", id="1"),
        pytest.param(
            "REPLICA-10:8501 REPLICA-2:8501",
            "REPLICA-2:8501 and REPLICA-10:8501 stand for your replicas' addresses.",
            id="in-their-order",
        ),
    ],
)
def test_the_note_on_replicas_names_those_in_the_lines(lines: str, note: str) -> None:
    assert replicas_note(lines).startswith(note)
    assert bool(replicas_note(lines)) is bool(note)
