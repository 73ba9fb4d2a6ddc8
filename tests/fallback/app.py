"""A small real app for the transport's tests: echoes, counts, floods, and says how it ended."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from stlaunch.forwarded import TrustedProxies
from stlaunch.gateway.compose import compose
from stlaunch.gateway.composition import Composition
from stlaunch.gateway.origin_policy import OriginPolicy
from stlaunch.gateway.tunnel.registry import TunnelLimits, TunnelRegistry
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import PublicPaths

ENDED: list[int] = []
XSRF = "2|1234|5678|99"


async def stream(socket: WebSocket) -> None:
    """Answer each message with itself; `flood N S` with N messages of S bytes; `close` closes.

    A client that offers `slow` is never accepted.
    """
    if "slow" in socket.scope["subprotocols"]:
        await asyncio.Event().wait()
    await socket.accept("streamlit")
    try:
        while True:
            data = await socket.receive_bytes()
            if data.startswith(b"flood "):
                _, count, size = data.split()
                for index in range(int(count)):
                    await socket.send_bytes(index.to_bytes(4, "big") + b"x" * int(size))
            elif data == b"close":
                await socket.close(4000, "as asked")
                return
            else:
                await socket.send_bytes(data)
    except WebSocketDisconnect as gone:
        ENDED.append(gone.code)


async def upload(request: Request) -> JSONResponse:
    """Say how many bytes came, and their sum."""
    total = checksum = 0
    async for chunk in request.stream():
        total += len(chunk)
        checksum += sum(chunk)
        if total > 30_000_000:
            return JSONResponse({"error": "too large"}, 413)
    names = {name for name, _ in request.headers.items()}
    kept = {"x-xsrftoken", "content-type"} & names
    cookie, token = request.cookies.get("_streamlit_xsrf"), request.headers.get("x-xsrftoken")
    pair = {"pair": [cookie, token], "target": request.path_params["session"]}
    return JSONResponse({"bytes": total, "sum": checksum, "kept": sorted(kept), **pair})


async def health(_request: Request) -> Response:
    """Give out the cookie of a pair, as Streamlit does."""
    return Response("ok", headers={"set-cookie": f"_streamlit_xsrf={XSRF}; Path=/"})


async def delete(request: Request) -> Response:
    """Delete nothing, for any client with a token."""
    await request.body()
    return Response(status_code=204 if "x-xsrftoken" in request.headers else 403)


async def ended(_request: Request) -> JSONResponse:
    """Say how sockets ended."""
    return JSONResponse(ENDED)


def make(*, limits: TunnelLimits | None = None, **changes: Any) -> tuple[Any, TunnelRegistry]:
    """Wrap the app in all layers, below /app."""
    registry = TunnelRegistry(limits=limits or TunnelLimits(poll_s=2.0))
    app = Starlette(
        routes=[
            WebSocketRoute("/app/_stcore/stream", stream),
            Route("/app/_stcore/upload_file/{session}/{file}", upload, methods=["PUT"]),
            Route("/app/_stcore/upload_file/{session}/{file}", delete, methods=["DELETE"]),
            Route("/app/media/ended", ended),
            Route("/app/_stcore/health", health),
        ]
    )
    facts: dict[str, Any] = {
        "paths": PublicPaths(known=(BasePath("/app"),)),
        "policy": OriginPolicy(),
        "trusted": TrustedProxies.parse(["loopback"]),
        "proof_secret": b"s" * 32,
        "app_base": BasePath("/app"),
        "tunnels": registry,
        "max_message_bytes": lambda: 4_000_000,
    }
    return compose(app, Composition(**(facts | changes))), registry


async def run_ready_tasks() -> None:
    """Let the loop run whatever is ready."""
    for _ in range(5):
        await asyncio.sleep(0)
