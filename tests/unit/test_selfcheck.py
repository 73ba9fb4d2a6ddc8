"""What the self-check decides by itself: detectors, limits, tickets, recognised proxies."""

from __future__ import annotations

import asyncio

import pytest

from stlaunch.diagnostics.finding import Finding
from stlaunch.gateway.monitor.detectors import (
    PageLoads,
    Replicas,
    prefix_mismatch,
    scheme_mismatch,
)
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.places import client_key
from stlaunch.gateway.selfcheck.rate_limiter import OPERATOR, ProbeLimits, RateLimiter
from stlaunch.gateway.selfcheck.tickets import ReceivedProbes, Tickets
from stlaunch.proxies.needs import Product
from stlaunch.proxies.recognition import products_in
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import Origin

APP = BasePath("/app")


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
