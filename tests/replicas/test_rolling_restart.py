"""A rolling restart of three replicas, seen by 30 real protocol sessions: nothing started is lost.

Session state in memory is Streamlit's, and goes with its process: that is not promised.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from stlaunch.base_path import BasePath
from stlaunch.forwarded import TrustedProxies
from stlaunch.origin import HostPort
from stlaunch.proxies import ProxyKind, ProxyPlan, ProxyProcess, ProxySite, find_binary
from stlaunch.replicas.balancer import BalancerSite, plan_balancer
from tests.harness.pages import open_pages, total
from tests.harness.ports import free_port
from tests.harness.server import RunningServer, stlaunch_app
from tests.replicas.test_replicas import APP, DEADLINE_S, instances, replicas, wait_until

pytestmark = [pytest.mark.proxy, pytest.mark.timeout(600)]

REPLICAS = 3
PAGES = 30
CONNECTED_WITHIN_S = 5.0

NGINX = """daemon off;
master_process off;
pid nginx.pid;
error_log stderr;
events {{
}}
http {{
    access_log off;
    client_body_temp_path client_body_temp;
    proxy_temp_path proxy_temp;
    map $http_upgrade $connection_upgrade {{
        default upgrade;
        '' close;
    }}
    map $cookie_replica $replica {{
        default $cookie_replica;
        '' $request_id;
    }}
    map $cookie_replica $new_cookie {{
        default '';
        '' 'replica=$request_id; Path=/; HttpOnly; SameSite=Lax';
    }}
    upstream app {{
        hash $replica consistent;
        # max_fails=0: else nginx avoids each replica for 10 s after it was restarted, and has none
        # left when the last one goes.
{servers}
    }}
    server {{
        listen {listen};
        location / {{
            proxy_pass http://app;
            # A replica that drains refuses new sessions with 503: another one takes them.
            proxy_next_upstream error timeout http_503;
            proxy_http_version 1.1;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            add_header Set-Cookie $new_cookie;
        }}
    }}
}}
"""


def plan_nginx(listen: HostPort, ports: list[int]) -> ProxyPlan:
    servers = "\n".join(f"        server 127.0.0.1:{port} max_fails=0;" for port in ports)
    return ProxyPlan(
        name="nginx",
        site=ProxySite(
            listen=listen, upstream=HostPort("replicas"), base_path=BasePath(), keep_prefix=True
        ),
        config_name="nginx.conf",
        config_text=NGINX.format(servers=servers, listen=listen),
        arguments=("-p", ".", "-c", "nginx.conf", "-e", "stderr"),
    )


def plan_haproxy(listen: HostPort, ports: list[int]) -> ProxyPlan:
    site = BalancerSite(
        listen=listen,
        sockets=[Path(f"/{port}.sock") for port in ports],
        trusted=TrustedProxies.parse(["loopback"]),
        identity_headers=[],
        app="app",
    )
    plan = plan_balancer(site)
    text = plan.config_text
    for port in ports:
        text = text.replace(f"unix@/{port}.sock", f"127.0.0.1:{port}")
    return replace(plan, config_text=text)


@contextmanager
def behind(kind: ProxyKind) -> Iterator[tuple[str, Callable[[], None]]]:
    """Run three replicas behind a proxy; yield the address, and what restarts them in place."""
    planners = {ProxyKind.NGINX: plan_nginx, ProxyKind.HAPROXY: plan_haproxy}
    with ExitStack() as stack:
        ports = [free_port() for _ in range(REPLICAS)]
        apps = [stack.enter_context(stlaunch_app(APP, port)) for port in ports]
        listen = HostPort("127.0.0.1", free_port())
        stack.enter_context(ProxyProcess(planners[kind](listen, ports), find_binary(kind)))

        def restart() -> None:
            for app in apps:
                app.restart()

        yield f"http://{listen}/", restart


@contextmanager
def supervised() -> Iterator[tuple[str, Callable[[], None]]]:
    """Run `stlaunch replicas`; yield the address, and what rolls its instances."""
    with replicas(REPLICAS) as server:

        def roll() -> None:
            before = instances(server)
            os.kill(server.pid, signal.SIGHUP)
            wait_until(lambda: is_rolled(server, before), "all instances are new")

        yield server.url, roll


def is_rolled(server: RunningServer, before: set[int]) -> bool:
    now = instances(server)
    return not before & now and len(now) == REPLICAS


@pytest.mark.parametrize("kind", ["haproxy", "nginx", "replicas"])
def test_no_run_that_started_is_lost(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    """30 pages run their script all the time while each replica is exchanged once."""
    setup = supervised() if kind == "replicas" else behind(ProxyKind(kind))
    with setup as (url, restart), open_pages(url, PAGES, "wait=0.7") as pages:
        wait_until(lambda: all(page.counts.finished for page in pages), "every page has run")
        restart()
        before = [page.counts.finished for page in pages]
        deadline = time.monotonic() + DEADLINE_S
        for page, finished in zip(pages, before, strict=True):
            while page.counts.finished < finished + 2:
                assert time.monotonic() < deadline, f"a page runs no more: {page.trouble}"
                time.sleep(0.1)
    counts = total(pages)
    with capsys.disabled():
        sys.stdout.write(f"\nrolling restart, {kind}: {counts}\n")

    assert counts.lost == []
    assert sum(counts.codes.values()) >= PAGES  # each page was cut off at least once
    assert set(counts.codes) == {1012}
    assert max(counts.gaps_s) < CONNECTED_WITHIN_S
