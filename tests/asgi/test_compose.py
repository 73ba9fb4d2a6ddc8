"""The table of layers matches what requests pass through."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.gateway import compose
from stlaunch.gateway.assets import AssetStore
from stlaunch.gateway.chains import LIFESPAN, Branch, Endpoint, Key, Layer, render_table
from stlaunch.settings.model import Transport
from stlaunch.urls.streamlit_routes import RequestKind
from tests.asgi.driver import Recorder, handshake, make, request

TABLE = """
ForwardedHeaders   http: all; websocket: all
RequestLog         http: all; websocket: all
BasePath           http: all; websocket: all
TrafficMonitor     http: page, stream, tunnel, page script; websocket: stream
Embedding          http: page, health, upload, streamlit, token, not ours
UploadPieces       http: pieces
Tunnel             http: tunnel
SelfCheck          http: self-check; websocket: self-check
Token              http: token
PageScript         http: page script
StrippedHandshake  http: stream
NotFound           http: tunnel, pieces, token, page script, self-check, alias; websocket: \
tunnel, pieces, token, page script, self-check, alias
UploadSocket       websocket: stream
Readiness          lifespan
DrainingHealth     http: health
FullPage           http: page
OpeningTurns       websocket: stream
SessionLimit       websocket: stream
SameOrigin         websocket: stream
RefusedUpload      http: upload
Cookie             http: page, health, upload, asset, streamlit, not ours; websocket: \
page, stream, health, upload, asset, streamlit, not ours
LoginReturn        http: streamlit
LargeLogins        http: streamlit; websocket: stream
Page               http: page
MissingAsset       http: asset
PageChangeLog      websocket: stream
CompressedAssets   http: asset; lifespan
"""

PATHS = {
    RequestKind.PAGE: "/app/",
    RequestKind.STREAM: "/app/_stcore/stream",
    RequestKind.HEALTH: "/app/_stcore/health",
    RequestKind.UPLOAD: "/app/_stcore/upload_file/session/file",
    RequestKind.ASSET: "/app/static/js/index.js",
    RequestKind.STREAMLIT: "/app/media/picture.png",
    RequestKind.TUNNEL: "/app/_stlaunch/tunnel",
    RequestKind.PIECES: "/app/_stlaunch/upload",
    RequestKind.TOKEN: "/app/_stlaunch/token",
    RequestKind.PAGE_SCRIPT: "/app/_stlaunch/page.js",
    RequestKind.SELF_CHECK: "/app/_stlaunch/health",
    RequestKind.ALIAS: "/app/page/_stcore/health",
    RequestKind.NOT_OURS: "/app/items",
}
ROWS = (*compose.OUTER, *compose.BY_KIND)


def test_the_table_is_this() -> None:
    """Moving a layer means changing the table here too, and seeing what passes it."""
    assert render_table(ROWS) == TABLE.strip()
    assert all(row.reason for row in ROWS)


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the rows that requests meet, in order."""
    names: list[str] = []

    def watched(row: Layer | Branch | Endpoint) -> Any:
        def make_watched(*arguments: Any) -> ASGIApp:
            made = row.make(*arguments)

            async def watch(scope: Scope, receive: Receive, send: Send) -> None:
                names.append(row.name)
                await made(scope, receive, send)

            return watch

        return replace(row, make=make_watched)

    for table in ("OUTER", "BY_KIND"):
        monkeypatch.setattr(compose, table, tuple(map(watched, getattr(compose, table))))
    return names


def _stated(key: Key, absent: set[str]) -> Iterator[str]:
    """Return the names of the rows that a request meets, as the table has them."""
    for row in ROWS:
        if key in row.keys and row.name not in absent:
            yield row.name
            if isinstance(row, Endpoint):
                return


@pytest.mark.parametrize("kind", RequestKind)
@pytest.mark.parametrize("scope_type", ["http", "websocket"])
@pytest.mark.parametrize(
    ("options", "absent"),
    [
        ({"is_access_logged": True}, {"Embedding", "CompressedAssets"}),
        (
            {"is_embedded": True, "transport": Transport.WEBSOCKET},
            {"RefusedUpload", "CompressedAssets", "PageChangeLog", "Tunnel"},
        ),
    ],
    ids=["access log", "embedded, no tunnel"],
)
def test_a_request_meets_the_rows_of_its_kind_and_no_others(
    met: list[str],
    kind: RequestKind,
    scope_type: str,
    options: dict[str, Any],
    absent: set[str],
) -> None:
    """Of each kind, over HTTP and as a WebSocket, in the order of the table."""
    mounts = () if kind is RequestKind.NOT_OURS else None
    app = make(Recorder(), **options, **({"mounts": lambda: mounts} if mounts == () else {}))
    if scope_type == "http":
        request(app, PATHS[kind])
    else:
        handshake(app, PATHS[kind], [("x-stlaunch", "1")])

    assert met == list(_stated((scope_type, kind), absent))


def test_the_apps_start_meets_what_takes_part_in_it(met: list[str], tmp_path: Any) -> None:
    app = make(Recorder(), assets=AssetStore(tmp_path, None))

    async def nothing(*_: Message) -> Message:
        return {"type": "lifespan.startup"}

    asyncio.run(_run(app, {"type": "lifespan"}, nothing))

    outer = [row.name for row in compose.OUTER]
    assert met == [*outer, *(row.name for row in ROWS if LIFESPAN in row.keys)]


def test_a_tunnel_meets_what_a_websocket_meets(met: list[str]) -> None:
    """All rules of the stream, none of them twice, and the monitor once."""
    own_page = [("x-stlaunch", "1"), ("host", "a.test"), ("origin", "http://a.test")]
    request(make(Recorder()), PATHS[RequestKind.TUNNEL], own_page, method="POST")

    _, _, _, monitor, tunnel, *below = met
    stream = list(_stated(("websocket", RequestKind.STREAM), {"PageChangeLog"}))
    assert (monitor, tunnel) == ("TrafficMonitor", "Tunnel")
    assert below == stream[stream.index("UploadSocket") :]


async def _run(app: ASGIApp, scope: Scope, channel: Any) -> None:
    await app(scope, channel, channel)
