"""nginx with one thing wrong, and a relay with a limit on messages, as proxies in Python have.

Owns the breakages. It starts nginx as `tests.harness.proxies` does, from the recommended lines.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, WebSocketException

from stlaunch.errors import StartError
from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import ProxySite, TlsFiles
from stlaunch.proxies.process import ProxyProcess
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort
from tests.harness.nginx import plan_nginx
from tests.harness.ports import free_port
from tests.harness.proxies import RunningProxy, proxy_binary
from tests.harness.setups import Setup

if TYPE_CHECKING:
    from collections.abc import Iterator

    from websockets.asyncio.client import ClientConnection
    from websockets.asyncio.server import ServerConnection

    from tests.harness.tls import Tls

BASE = "/streamlitApp"
_ATTEMPTS = 3
_UPGRADE = "            proxy_set_header Upgrade $http_upgrade;\n"
_CONNECTION = "            proxy_set_header Connection $connection_upgrade;\n"
_BODY = "            client_max_body_size 201m;"
_HOST = "proxy_set_header Host $http_host;"
_FORWARDED_HOST = "            proxy_set_header X-Forwarded-Host $http_host;\n"
_PROTO = "            proxy_set_header X-Forwarded-Proto $scheme;\n"
REMOVED = {
    "healthy": (),
    "stripped": (_UPGRADE, _CONNECTION),
    "host rewritten": (_HOST, _FORWARDED_HOST),
    "body limit": (_BODY,),
    "scheme not forwarded": (_PROTO,),
    "tutorial": (_UPGRADE, _CONNECTION, _HOST, _FORWARDED_HOST, _BODY),
}
"""Lines that are taken out of the recommended configuration."""
ADDED = {
    "idle limit": "proxy_read_timeout 3s;",
    # nginx hands small parts on as they come, but its compression waits for more of them.
    "buffering": "proxy_ignore_headers X-Accel-Buffering; gzip on; gzip_proxied any; "
    "gzip_types text/plain; gzip_min_length 0;",
    "cookies dropped": 'proxy_set_header Cookie ""; proxy_hide_header Set-Cookie;',
    "subprotocol dropped": 'proxy_set_header Sec-WebSocket-Protocol "";',
}
"""Lines that are added to it."""
REPLICAS = "replicas"
FRAME_LIMIT = "frame limit"


@contextmanager
def start_broken(
    breakage: str, *upstream_ports: int, tls: Tls | None = None, rules: str = ""
) -> Iterator[RunningProxy]:
    """Run nginx with a breakage until the block ends; it keeps the prefix.

    Several upstream ports are replicas that take turns; `rules` are more locations of its server.
    """
    with ExitStack() as stack:
        relay = 0
        if breakage == FRAME_LIMIT:
            relay = stack.enter_context(start_relay(upstream_ports[0], max_bytes=1024 * 1024))
        files = TlsFiles(certificate=tls.certificate, key=tls.key) if tls else None
        site = ProxySite(
            listen=HostPort("127.0.0.1", 0),
            upstream=HostPort("127.0.0.1", upstream_ports[0]),
            base_path=BasePath.parse(BASE),
            keep_prefix=True,
            tls=files,
        )
        process = _start(stack, breakage, site, upstream_ports, relay, rules=rules)
        listen = process.plan.site.listen
        yield RunningProxy(
            name=breakage,
            scheme=site.scheme,
            port=listen.port or 0,
            base_path=BASE,
            processes=(process,),
        )


@contextmanager
def start_switched(
    upstream_port: int, paths: str, status: int
) -> Iterator[tuple[RunningProxy, Path]]:
    """Run nginx; as long as the file exists, it answers what matches `paths` with `status`."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)  # nginx looks there as another user
        away = Path(folder, "away")
        rule = (
            f"set $way $uri; if (!-f {away}) {{ set $way ''; }} "
            f"if ($way ~ {paths}) {{ return {status}; }}"
        )
        with start_broken("healthy", upstream_port, rules=rule) as proxy:
            yield proxy, away


def _start(
    stack: ExitStack,
    breakage: str,
    site: ProxySite,
    ports: tuple[int, ...],
    relay: int,
    *,
    rules: str,
) -> ProxyProcess:
    binary = proxy_binary(Product.NGINX)
    for attempt in range(1, _ATTEMPTS + 1):
        here = replace(site, listen=HostPort("127.0.0.1", free_port()))
        plan = plan_nginx(Setup.RECOMMENDED, here)
        text = _broken(plan.config_text, breakage, ports, relay)
        text = text.replace("    server {\n", f"    server {{\n{rules}\n", 1)
        try:
            return stack.enter_context(ProxyProcess(replace(plan, config_text=text), binary))
        except StartError:
            if attempt == _ATTEMPTS:
                raise
    raise AssertionError


def _broken(text: str, breakage: str, ports: tuple[int, ...], relay: int) -> str:
    for line in REMOVED.get(breakage, ()):
        assert line in text, line
        text = text.replace(line, "", 1)
    if breakage in ADDED:
        text = text.replace(_BODY, f"{_BODY}\n            {ADDED[breakage]}", 1)
        assert ADDED[breakage] in text
    if breakage == REPLICAS:
        servers = " ".join(f"server 127.0.0.1:{port};" for port in ports)
        text = text.replace(
            "    server {\n", f"    upstream app {{ {servers} }}\n    server {{\n", 1
        )
        text = text.replace(f"http://127.0.0.1:{ports[0]}", "http://app")
    if relay:
        start = text.index("        location ")
        stop = text.index("        }", start) + len("        }\n")
        location = text[start:stop].replace(f"location {BASE}/", f"location {BASE}/_stlaunch/ws", 1)
        location = location.replace(f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{relay}")
        text = text[:start] + location + text[start:]
    return text


@contextmanager
def start_relay(upstream_port: int, *, max_bytes: int) -> Iterator[int]:
    """Run a WebSocket relay with a limit on messages until the block ends; yield its port.

    jupyter-server-proxy and others relay like this.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def handle(front: ServerConnection) -> None:
        request = front.request
        assert request is not None
        url = f"ws://127.0.0.1:{upstream_port}{request.path}"
        kept = ("origin", "cookie")
        headers = [
            (name, value) for name, value in request.headers.raw_items() if name.lower() in kept
        ]
        protocols = [front.subprotocol] if front.subprotocol else None
        with suppress(WebSocketException, OSError):
            async with connect(
                url, additional_headers=headers, subprotocols=protocols, max_size=max_bytes,
                proxy=None,
            ) as back:  # fmt: skip
                await _relay(front, back)

    async def start() -> object:
        return await serve(
            handle,
            "127.0.0.1",
            0,
            max_size=max_bytes,
            select_subprotocol=lambda _, offered: offered[0] if offered else None,
        )

    server = asyncio.run_coroutine_threadsafe(start(), loop).result(10)

    async def stop() -> None:
        server.close()  # type: ignore[attr-defined]
        await server.wait_closed()  # type: ignore[attr-defined]

    try:
        yield server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(15)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _relay(front: ServerConnection, back: ClientConnection) -> None:
    ways = {asyncio.create_task(_pipe(front, back)), asyncio.create_task(_pipe(back, front))}
    _, pending = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in pending:
        way.cancel()
    await asyncio.gather(*ways, return_exceptions=True)


async def _pipe(
    source: ServerConnection | ClientConnection, target: ServerConnection | ClientConnection
) -> None:
    with suppress(ConnectionClosed):
        async for message in source:
            await target.send(message)
