"""Ask an app under stlaunch how the request arrived."""

from __future__ import annotations

import json
from typing import Any

import anyio

from stlaunch.check.client import Client
from stlaunch.check.observations import Exchange
from stlaunch.check.options import Headers
from stlaunch.check.probes.stream import Browser
from stlaunch.check.websocket import open_socket
from stlaunch.urls.streamlit_routes import SELF_CHECK

SCHEMA = "stlaunch.selfcheck/1"
PATH = SELF_CHECK + "/check"
SOCKET = SELF_CHECK + "/ws"
_CONNECTIONS = 8


def parse(exchange: Exchange) -> dict[str, Any] | None:
    """Return the report; None where something else answered."""
    if not exchange.is_ok or exchange.content_type != "application/json":
        return None
    try:
        report = json.loads(exchange.text)
    except (ValueError, RecursionError):
        return None
    is_ours = isinstance(report, dict) and report.get("schema") == SCHEMA
    return report if is_ours else None


async def ask(client: Client, extra: Headers = ()) -> dict[str, Any] | None:
    """Return the report for one request."""
    return parse(await client.get(client.dialer.target.path(PATH), extra=extra))


async def ask_received_handshake(client: Client, browser: Browser) -> dict[str, Any] | None:
    """Return how a handshake arrived, as the app's echo socket reports; None if it does not."""
    target = client.dialer.target
    async with open_socket(
        client,
        target.path(SOCKET),
        origin=str(target.origin),
        protocols=browser.protocols(),
    ) as (opening, socket):
        if socket is None:
            return None
        with anyio.move_on_after(client.dialer.timeout_s):
            message = await socket.receive()
            await socket.close()
            try:
                report = json.loads(message or b"")
            except (ValueError, RecursionError):
                return None
            headers = report.get("headers") if isinstance(report, dict) else None
            return {"sent": opening.sent, "arrived": _pairs(headers)}
    return None


def _pairs(headers: object) -> list[tuple[str, str]]:
    listed = headers if isinstance(headers, list) else []
    return [
        (str(item.get("name"))[:100].lower(), str(item.get("value"))[:300])
        for item in listed[:100]
        if isinstance(item, dict)
    ]


async def ask_instances(client: Client) -> tuple[str, ...]:
    """Ask on several connections, as one browser, which instance answers."""
    ids: list[str] = []

    async def one() -> None:
        path = client.dialer.target.path(PATH)
        report = parse(await client.get(path))
        instance = report.get("instance") if report else None
        if isinstance(instance, dict):
            ids.append(str(instance.get("id"))[:64])

    async with anyio.create_task_group() as tasks:
        for _ in range(_CONNECTIONS):
            tasks.start_soon(one)
    return tuple(ids)
