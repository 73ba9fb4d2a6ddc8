"""Ask the app itself for a small answer, on behalf of a browser whose request has arrived."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence

from starlette.types import ASGIApp, Message, Scope

from stlaunch.gateway.request import for_streamlit_path
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.streamlit_routes import RequestKind

logger = logging.getLogger(__name__)

MAX_ASKED_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The app's answer; more than `MAX_ASKED_BYTES` if it is too large."""

    status: int = 0
    headers: Sequence[tuple[bytes, bytes]] = ()
    body: bytes = b""


async def ask(
    app: ASGIApp, scope: Scope, path: str, kind: RequestKind, *, without: Collection[bytes]
) -> Asked:
    """Make a GET request as this browser would; return an empty answer if the app fails.

    Args:
        app: the chain for requests of this kind, or the rest of it.
        scope: the browser's request, or its handshake.
        path: inside Streamlit.
        kind: of that path.
        without: the names of the headers to leave out.
    """
    asked = for_streamlit_path(scope, path, kind)
    asked.pop("subprotocols", None)
    headers = [item for item in scope["headers"] if item[0] not in without]
    scheme = "https" if scope["scheme"] in {"https", "wss"} else "http"
    asked |= {"type": "http", "scheme": scheme, "method": "GET", "headers": headers}
    status, found = 0, list[tuple[bytes, bytes]]()
    body = b""

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def collect(message: Message) -> None:
        nonlocal status, body
        if message["type"] == "http.response.start":
            status = message["status"]
            found.extend(message["headers"])
        elif message["type"] == "http.response.body" and len(body) <= MAX_ASKED_BYTES:
            body += message.get("body", b"")

    try:
        await app(asked, receive, collect)
    except Exception:  # nothing asked for here is worth failing the browser's own request
        logger.warning("The app did not answer %s when it was asked", path, exc_info=True)
        return Asked()
    return Asked(status=status, headers=found, body=body)
