"""Run as a program: one real target, wrapped, asked for the paths on stdin; answers as JSON.

A process holds one Streamlit runtime, whose public path is fixed when it starts.

    python -m tests.asgi.target_probe KIND BASE_PATH < requests.json

The base path `unknown` is given to nobody.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.types import ASGIApp
from starlette.websockets import WebSocketDisconnect
from streamlit.starlette import App

import stlaunch


async def _where(request: Request) -> JSONResponse:
    url_for = str(request.url_for("where"))
    return JSONResponse({"path": request.scope["path"], "url_for": url_for})


async def _go(_request: Request) -> RedirectResponse:
    return RedirectResponse("/api/where")


def _make_target(kind: str, folder: Path) -> ASGIApp:
    script = folder / "app.py"
    script.write_text("import streamlit as st\nst.title('Hello')\n", encoding="utf-8")
    routes = [Route("/api/where", _where, name="where"), Route("/api/go", _go)]
    match kind:
        case "script":
            return App(script)
        case "agent":
            settings = folder / ".streamlit" / "config.toml"
            settings.parent.mkdir()
            settings.write_text("[server]\nenableAgentApi = true\n", encoding="utf-8")
            return App(script)
        case "app-with-routes":
            return App(script, routes=routes)
        case "starlette":
            return Starlette(routes=routes)
        case "fastapi":
            app = FastAPI()
            app.router.routes.extend(routes)
            app.mount("/dashboard", App(script))
            return app
        case "nested":
            return Starlette(routes=[Mount("/in", routes=[Mount("/dashboard", App(script))])])
    raise ValueError(kind)


def _ask(client: TestClient, method: str, path: str, headers: dict[str, str]) -> dict[str, Any]:
    if method != "WEBSOCKET":
        answer = client.request(method, path, headers=headers)
        return {"status": answer.status_code, "headers": dict(answer.headers), "text": answer.text}
    try:
        with client.websocket_connect(
            path.replace("http:", "ws:", 1), ["streamlit"], headers=headers
        ):
            return {"status": 101}
    except WebSocketDisconnect:
        return {"status": 403}


def main(kind: str, base: str) -> None:
    """Answer all requests."""
    requests = json.load(sys.stdin)
    with tempfile.TemporaryDirectory() as folder:
        target = _make_target(kind, Path(folder))
        known = None if base == "unknown" else base or "/"
        wrapped = stlaunch.wrap_app(target, behind_proxy=known, environ={})
        with TestClient(
            wrapped, base_url="http://inner.test", client=("127.0.0.1", 1), follow_redirects=False
        ) as client:
            answers = [_ask(client, *request) for request in requests]
    sys.stdout.write(json.dumps(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
