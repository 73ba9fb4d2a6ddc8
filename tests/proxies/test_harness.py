"""Each proxy of the harness does to a request what its name and setup say, seen on the wire."""

from __future__ import annotations

import asyncio
import http.client
import socket
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin

from stlaunch.errors import StartError, UsageError
from stlaunch.proxies.process import ProxyProcess
from stlaunch.proxies.starting import startable
from tests.harness.proxies import (
    CHAIN,
    CHAIN_LOSING_SCHEME,
    DEBIAN_BINARIES,
    KINDS,
    proxy_binary,
    start_proxy,
)
from tests.harness.tls import APP_HOST, Tls, make_tls
from tests.harness.upstream import Upstream, start_upstream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.harness.proxies import RunningProxy

pytestmark = pytest.mark.proxy

NGINXES = ("nginx", "nginx-1.22")
REWRITES_HOST = {"apache"}

recommended_matrix = pytest.mark.parametrize(
    ("kind", "keep_prefix", "is_tls"),
    [
        pytest.param(
            kind,
            keep,
            is_tls,
            id=f"{kind}-{'kept' if keep else 'stripped'}-{'https' if is_tls else 'http'}",
        )
        for kind in KINDS
        for keep in (False, True)
        for is_tls in (False, True)
    ],
)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    return make_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    with start_upstream() as running:
        yield running


@recommended_matrix
def test_recommended_setup_passes_path_upgrade_and_public_name(
    upstream: Upstream, tls: Tls, kind: str, keep_prefix: bool, is_tls: bool
) -> None:
    """Path as asked for, query untouched, upgrade intact, and the public name forwarded somehow."""
    front = tls if is_tls else None
    prefix = "/streamlitApp" if keep_prefix else ""

    with start_proxy(
        kind, "recommended", upstream.port, keep_prefix=keep_prefix, tls=front
    ) as proxy:
        status = get(proxy, "/streamlitApp/a/b%20c?x=1", front)
        page = upstream.last()
        echoed = echo(proxy, front)
        stream = upstream.last()

    assert (status, page.path) == (200, f"{prefix}/a/b%20c?x=1")
    assert (echoed, stream.path) == ("hello", f"{prefix}/_stcore/stream")
    public = f"{APP_HOST}:{proxy.port}"
    if kind in REWRITES_HOST:
        assert stream.headers["Host"] == f"127.0.0.1:{upstream.port}"
        assert stream.headers["X-Forwarded-Host"] == public
    else:
        assert stream.headers["Host"] == public
    assert page.headers["X-Forwarded-Proto"] == ("https" if is_tls else "http")
    assert stream.headers["X-Forwarded-Proto"] in ({"https", "wss"} if is_tls else {"http", "ws"})
    # Envoy puts the machine's own address in place of a loopback one.
    assert stream.headers["X-Forwarded-For"]


@pytest.mark.parametrize("keep_prefix", [False, True], ids=["stripped", "kept"])
@pytest.mark.parametrize("kind", [*NGINXES, "envoy", "apache", CHAIN])
def test_blog_setup_loses_the_upgrade(upstream: Upstream, kind: str, keep_prefix: bool) -> None:
    """The page arrives, the WebSocket does not; Envoy and nothing else refuses it itself."""
    prefix = "/streamlitApp" if keep_prefix else ""

    with start_proxy(kind, "blog", upstream.port, keep_prefix=keep_prefix) as proxy:
        status = get(proxy, "/streamlitApp/", None)
        page = upstream.last()
        refusal = echo(proxy, None)

    assert (status, page.path) == (200, f"{prefix}/")
    if kind == "envoy":
        assert refusal == 403
        assert upstream.last() is page
        return
    assert refusal == 200
    stream = upstream.last()
    assert stream.path == f"{prefix}/_stcore/stream"
    assert not stream.is_upgrade
    assert stream.headers["Sec-WebSocket-Key"]


@pytest.mark.parametrize("is_tls", [False, True], ids=["http", "https"])
@pytest.mark.parametrize("keep_prefix", [False, True], ids=["stripped", "kept"])
@pytest.mark.parametrize("setup", ["three-lines", "blog-stream"])
@pytest.mark.parametrize("kind", NGINXES)
def test_copied_nginx_setups_pass_the_upgrade_and_rewrite_host(
    upstream: Upstream, tls: Tls, *, kind: str, setup: str, keep_prefix: bool, is_tls: bool
) -> None:
    """The WebSocket opens, but the app gets the upstream's name, and no forwarding header."""
    front = tls if is_tls else None
    prefix = "/streamlitApp" if keep_prefix else ""

    with start_proxy(kind, setup, upstream.port, keep_prefix=keep_prefix, tls=front) as proxy:
        status = get(proxy, "/streamlitApp/page", front)
        page = upstream.last()
        echoed = echo(proxy, front)
        stream = upstream.last()

    assert (status, page.path) == (200, f"{prefix}/page")
    assert (echoed, stream.path) == ("hello", f"{prefix}/_stcore/stream")
    assert stream.headers["Host"] == f"127.0.0.1:{upstream.port}"
    assert stream.headers["Origin"] == f"{proxy.scheme}://{APP_HOST}:{proxy.port}"
    assert not [name for name in stream.headers if name.lower().startswith("x-forwarded")]


def test_chain_can_lose_the_scheme(upstream: Upstream, tls: Tls) -> None:
    """An inner nginx that writes its own $scheme says http, although the browser spoke https."""
    with start_proxy(
        CHAIN_LOSING_SCHEME, "recommended", upstream.port, keep_prefix=False, tls=tls
    ) as proxy:
        get(proxy, "/streamlitApp/", tls)

    assert upstream.last().headers["X-Forwarded-Proto"] == "http"


@pytest.mark.parametrize("base_path", ["", "/user/jane-doe", "/a.b/c~d"])
@pytest.mark.parametrize("kind", KINDS)
def test_other_base_paths_are_stripped_whole(upstream: Upstream, kind: str, base_path: str) -> None:
    """Nothing of the prefix is read as a pattern, and the root is nothing special."""
    with start_proxy(
        kind, "recommended", upstream.port, keep_prefix=False, base_path=base_path
    ) as proxy:
        status = get(proxy, f"{base_path}/x", None)

    assert (status, upstream.last().path) == (200, "/x")


@pytest.mark.parametrize("kind", ["caddy", "traefik", "haproxy"])
def test_setup_without_counterpart_is_refused(kind: str) -> None:
    """A proxy that passes upgrades by itself has no configuration that loses them."""
    with (
        pytest.raises(UsageError, match="for nginx only"),
        start_proxy(kind, "blog", 1, keep_prefix=False),
    ):
        pass


def test_base_path_that_a_configuration_could_misread_is_refused() -> None:
    """A valid URL path may hold characters that would end a directive."""
    with (
        pytest.raises(UsageError, match="base path"),
        start_proxy("nginx", "blog", 1, keep_prefix=False, base_path="/a;b"),
    ):
        pass


def test_taken_port_is_a_start_error() -> None:
    """The error names the port, and no proxy is started that would share it."""
    with start_proxy("nginx", "recommended", 1, keep_prefix=False) as proxy:
        second = ProxyProcess(proxy.processes[0].plan, proxy_binary("nginx"))
        with pytest.raises(StartError, match=f"{proxy.port} is taken"), second:
            pass

        proxy.processes[0].raise_if_ended()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != CHAIN])
def test_refused_configuration_is_a_start_error_with_the_proxys_words(kind: str) -> None:
    """A proxy that ends at once is reported with what it wrote, and its directory is removed."""
    with start_proxy(kind, "recommended", 1, keep_prefix=False) as proxy:
        good = proxy.processes[0]
    broken = ProxyProcess(replace(good.plan, arguments=("--no-such-option",)), proxy_binary(kind))

    with pytest.raises(StartError, match="exit code") as caught, broken:
        pass

    assert caught.value.hint.startswith("Its last output:")
    assert not broken.directory.exists()


@pytest.mark.parametrize("kind", KINDS)
def test_end_leaves_no_process_and_no_directory(kind: str) -> None:
    """Workers end with the proxy that started them; its log can still be read."""
    with start_proxy(kind, "recommended", 1, keep_prefix=False) as proxy:
        family = [
            member
            for hop in proxy.processes
            for parent in [psutil.Process(hop.pid)]
            for member in (parent, *parent.children(recursive=True))
        ]
        assert family

    assert [member for member in family if member.is_running()] == []
    assert [hop.directory for hop in proxy.processes if hop.directory.exists()] == []
    assert isinstance(proxy.log, str)


def test_every_kind_has_its_binary() -> None:
    """A machine that lacks one fails here, by name."""
    for kind in (*startable(), *DEBIAN_BINARIES):
        assert proxy_binary(kind).is_file()


def get(proxy: RunningProxy, path: str, tls: Tls | None) -> int:
    connection = http.client.HTTPConnection(APP_HOST, proxy.port)
    connection.sock = connect_to(proxy, tls)
    with closing(connection):
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()
        return response.status


def echo(proxy: RunningProxy, tls: Tls | None) -> str | int:
    """Return what came back over a WebSocket, or the status that refused it."""
    return asyncio.run(_echo(proxy, tls))


async def _echo(proxy: RunningProxy, tls: Tls | None) -> str | int:
    # Not websockets.sync: it reads and writes one TLS connection in two threads, and with Python
    # 3.11 a session ticket that arrives at the wrong moment swallows the request (3 in 1500).
    try:
        async with connect(
            proxy.url.replace("http", "ws", 1) + "_stcore/stream",
            host="127.0.0.1",
            port=proxy.port,
            ssl=tls.client_context() if tls else None,
            origin=Origin(f"{proxy.scheme}://{APP_HOST}:{proxy.port}"),
            compression=None,
            proxy=None,
            ping_interval=None,
            open_timeout=30,
            close_timeout=1,
        ) as websocket:
            await websocket.send("hello")
            return str(await asyncio.wait_for(websocket.recv(), 30))
    except InvalidStatus as exc:
        return exc.response.status_code


def connect_to(proxy: RunningProxy, tls: Tls | None) -> socket.socket:
    raw = socket.create_connection(("127.0.0.1", proxy.port), timeout=60)
    return tls.client_context().wrap_socket(raw, server_hostname=APP_HOST) if tls else raw
