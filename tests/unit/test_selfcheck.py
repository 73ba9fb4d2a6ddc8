"""What the self-check decides by itself: detectors, limits, tickets, recognised proxies."""

from __future__ import annotations

import asyncio
import json
import random
import re
import shutil
import subprocess
from typing import Any

import pytest

from stlaunch.diagnostics.catalogue import codes, entry
from stlaunch.diagnostics.clocks import MAX_SKEW_S
from stlaunch.diagnostics.finding import Finding
from stlaunch.diagnostics.ranking import rank
from stlaunch.diagnostics.severity import Circumstance, Severity
from stlaunch.gateway.monitor.detectors import (
    PageLoads,
    Replicas,
    prefix_mismatch,
    scheme_mismatch,
)
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.places import client_key
from stlaunch.gateway.selfcheck import browser_page
from stlaunch.gateway.selfcheck.fixes import PAGE_CODES, describe_fixes, fix_of_code
from stlaunch.gateway.selfcheck.rate_limiter import OPERATOR, ProbeLimits, RateLimiter
from stlaunch.gateway.selfcheck.tickets import ReceivedProbes, Tickets
from stlaunch.proxies.fixes import replicas_note
from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Product
from stlaunch.proxies.recognition import products_in
from stlaunch.proxies.site import Site
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import Origin
from tests.conftest import REPOSITORY

APP = BasePath("/app")
FOLDER = REPOSITORY / "stlaunch/gateway/selfcheck/diagnosis"
TESTS = ("tests_http.js", "tests_socket.js", "tests_slow.js")


# --- pages without a connection


def test_pages_without_a_connection_are_noticed_once() -> None:
    pages = PageLoads()
    found = []
    for second in range(0, 60, 4):
        pages.script_asked()
        found.append(pages.served(float(second), APP))
    said = [finding for finding in found if finding]

    assert [finding.code for finding in said] == ["STL314"]
    assert "/app/_stlaunch/" in said[0].fix


def test_pages_whose_script_never_comes_have_another_path() -> None:
    pages = PageLoads()
    said = [finding for second in range(0, 40, 4) if (finding := pages.served(float(second), APP))]

    assert [finding.code for finding in said] == ["STL208"]
    assert "--behind-proxy PATH" in said[0].fix


def test_pages_with_a_connection_are_fine() -> None:
    pages = PageLoads()
    found = []
    for second in range(0, 60, 4):
        found.append(pages.served(float(second), APP))
        pages.connected()

    assert not any(found)


def test_pages_far_apart_are_no_proof() -> None:
    """A visitor an hour may be a robot that wants the page alone; several in a row are a person."""
    pages = PageLoads()
    apart = [pages.served(float(second), APP) for second in range(0, 36_000, 601)]
    in_a_row = [pages.served(40_000.0 + second, APP) for second in range(0, 2400, 600)]

    assert not any(apart)
    assert [finding.code for finding in in_a_row if finding] == ["STL208"]


def test_a_burst_of_pages_is_no_proof() -> None:
    pages = PageLoads()

    assert not any(pages.served(1.0, APP) for _ in range(20))


# --- replicas, scheme, prefix


def test_replicas_alternate_and_a_restart_does_not() -> None:
    alternating, restarted = Replicas("ours"), Replicas("ours")
    mixed = [alternating.script_asked(name) for name in ["ours", "theirs"] * 4]
    after = [restarted.script_asked(name) for name in ["old"] * 4 + ["ours"] * 12]

    assert any(found and found.code == "STL702" for found in mixed)
    assert not any(after)


@pytest.mark.parametrize(
    ("page", "scheme", "code"),
    [
        ("https://a.test", "http", "STL402"),
        ("https://a.test", None, "STL402"),
        ("https://a.test", "https", None),
        ("http://a.test", None, None),
        ("null", "http", None),
    ],
)
def test_scheme_mismatch(page: str, scheme: str | None, code: str | None) -> None:
    finding = scheme_mismatch(Origin.parse(page), scheme, "")

    assert (finding.code if finding else None) == code


@pytest.mark.parametrize(
    ("prefix", "known", "code"),
    [
        ("/tool", ("/app",), "STL407"),
        ("/app", ("/app",), None),
        ("/b", ("/a", "/b"), None),
        ("/tool", (), None),
        (None, ("/app",), None),
    ],
)
def test_prefix_mismatch(prefix: str | None, known: tuple[str, ...], code: str | None) -> None:
    paths = tuple(BasePath(path) for path in known)
    finding = prefix_mismatch(BasePath(prefix) if prefix else None, paths)

    assert (finding.code if finding else None) == code


# --- the notice finding_log


def test_a_trouble_is_logged_once_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    finding_log = FindingLog()
    for number in range(100):
        finding_log.post(Finding(code="STL501", title=f"From {number % 50}", fix="Do that"))

    assert 0 < len(caplog.records) <= 20
    assert finding_log.notices[0].count == 2


def test_names_of_others_are_left_out() -> None:
    finding = Finding(code="STL501", title="From evil.test", fix="evil", names_others=True)

    assert "evil" not in str(finding.without_others())
    assert finding.without_others().code == "STL501"


# --- limits and tickets


def test_rate_limiter_bounds_number_rate_and_bytes() -> None:
    now = [0.0]
    limits = ProbeLimits(
        max_at_once=3, max_at_once_per_client=2, requests_per_10_s_per_client=5,
        bytes_per_minute_per_client=1000,
    )  # fmt: skip
    rate_limiter = RateLimiter(limits=limits, clock=lambda: now[0])
    admitted = [rate_limiter.admit(client) for client in "aaabb"]
    inside = [ticket.__enter__() for ticket in admitted]
    rate = [rate_limiter.takes_request("a") for _ in range(7)]
    sizes = [rate_limiter.takes_bytes("a", 400) for _ in range(4)]
    for ticket in admitted:
        ticket.__exit__(None, None, None)
    now[0] = 61.0

    assert inside == [True, True, False, True, False]
    assert rate == [True] * 5 + [False] * 2
    assert sizes == [True, True, False, False]
    assert rate_limiter.inside == 0
    assert rate_limiter.takes_request("a")


def test_strangers_cannot_lock_out_who_holds_the_token() -> None:
    """What they use up together is theirs; the operator has the bounds of one client."""
    limits = ProbeLimits(
        max_at_once=2,
        max_at_once_per_client=2,
        requests_per_10_s=5,
        requests_per_10_s_per_client=5,
        bytes_per_minute=5,
        bytes_per_minute_per_client=5,
    )
    rate_limiter = RateLimiter(limits=limits, clock=lambda: 0.0)
    for number in range(6000):
        rate_limiter.takes_request(str(number))
        rate_limiter.takes_bytes(str(number), 1)

    with rate_limiter.admit("a"), rate_limiter.admit("b"), rate_limiter.admit("c") as stranger:
        assert not stranger
        with rate_limiter.admit(OPERATOR) as operator:
            assert operator
    assert [rate_limiter.takes_request(OPERATOR) for _ in range(6)] == [True] * 5 + [False]
    assert rate_limiter.takes_bytes(OPERATOR, 5)
    assert not rate_limiter.takes_request("a")


def test_a_refused_client_waits_and_only_so_many_do() -> None:
    """Fifty that ask again at once would keep the app busy with refusals alone."""

    async def ask(rate_limiter: RateLimiter, clients: int) -> list[bool]:
        asked = [asyncio.create_task(rate_limiter.pause()) for _ in range(clients)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        waited = [not task.done() for task in asked]
        await asyncio.gather(*asked)
        return waited

    rate_limiter = RateLimiter(limits=ProbeLimits(pause_s=0.01, max_paused=4))

    for _ in range(2):
        assert asyncio.run(ask(rate_limiter, 6)) == [True] * 4 + [False] * 2


def test_clients_share_limits_by_network() -> None:
    assert client_key("2001:db8::1") == client_key("2001:db8::ffff")
    assert client_key("::ffff:192.0.2.1") == "192.0.2.1"
    assert client_key("192.0.2.1") != client_key("192.0.2.2")
    assert (client_key(None), client_key("?")) == ("unix", "unknown")


def test_tickets_expire_and_cannot_be_forged() -> None:
    now = [1_000_000.0]
    tickets = Tickets(secret=b"s" * 32, clock=lambda: now[0])
    ticket = tickets.issue()
    fresh = tickets.read(f"ticket={ticket}&n=3".encode())
    forged = [
        tickets.read(query)
        for query in (
            f"ticket={ticket[:-1]}&n=3".encode(),
            f"ticket={ticket}&n=12345".encode(),
            f"ticket=1{ticket}".encode(),
            b"ticket=..&n=1",
            b"&" * 300,
            "ticket=ü.ü.ü".encode(),
        )
        if not query.startswith(b"&")
    ]
    now[0] += 1000

    assert fresh is not None
    assert fresh[1] == "3"
    assert forged == [None] * len(forged)
    assert tickets.read(f"ticket={ticket}".encode()) is None
    assert Tickets(secret=b"t" * 32).read(f"ticket={ticket}".encode()) is None


def test_received_probes_are_bounded() -> None:
    probes = ReceivedProbes()
    for number in range(3000):
        probes.keep(("id", str(number)), {"verdict": "intact"})

    assert probes.find(("id", "0")) is None
    assert probes.find(("id", "2999")) == {"verdict": "intact"}


@pytest.mark.parametrize("tickets", [1, 64], ids=["one-ticket", "many-tickets"])
def test_a_flood_of_probes_evicts_none_of_others(tickets: int) -> None:
    """One ticket, with each number on a request of its own, drove out all records of others."""
    probes = ReceivedProbes()
    for number in range(5):
        probes.keep(("other", str(number)), {"verdict": "intact"})

    for number in range(9999):
        probes.keep((f"flood {number % tickets}", str(number)), {"verdict": "intact"})
    probes.keep(("other", "0"), {"answer": 101})

    assert probes.find(("other", "0")) == {"verdict": "intact", "answer": 101}
    assert all(probes.find(("other", str(number))) for number in range(5))
    assert sum(map(len, probes._kept.values())) == probes._count <= 1024


def test_the_oldest_ticket_makes_room() -> None:
    probes = ReceivedProbes()
    for number in range(1025):
        probes.keep((f"ticket {number}", "0"), {"verdict": "intact"})

    assert probes.find(("ticket 0", "0")) is None
    assert probes.find(("ticket 1", "0")) == {"verdict": "intact"}
    assert len(probes._kept) == 1024


# --- recognised proxies


@pytest.mark.parametrize(
    ("headers", "products"),
    [
        ({"server": "nginx/1.31"}, [Product.NGINX]),
        ({"via": "1.1 Caddy"}, [Product.CADDY]),
        ({"server": "Microsoft-Azure-Application-Gateway/v2"}, [Product.AZURE_GATEWAY]),
        ({"cf-ray": "1-FRA", "server": "nginx"}, [Product.NGINX, Product.CLOUDFLARE]),
        ({"x-envoy-expected-rq-timeout-ms": "15000"}, [Product.ENVOY]),
        (
            {"x-forwarded-server": "h", "x-forwarded-port": "80", "x-real-ip": "192.0.2.1"},
            [Product.TRAEFIK],
        ),
        (
            {"x-forwarded-server": "h", "x-forwarded-host": "h", "x-forwarded-for": "192.0.2.1"},
            [Product.APACHE],
        ),
        ({"server": "uvicorn"}, []),
    ],
    ids=["nginx", "caddy", "azure", "cloudflare", "envoy", "traefik", "apache", "none"],
)
def test_proxies_are_recognised(headers: dict[str, str], products: list[Product]) -> None:
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]

    assert list(products_in(raw)) == products


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
    """Return what comes of a socket that echoes so many messages."""
    socket = f"""const sent = []; const socket = {{
      ended: {ended}, socket: {{ send: (one) => sent.push(one) }},
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
