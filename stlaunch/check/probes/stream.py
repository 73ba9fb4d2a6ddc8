"""Open the WebSocket, and run a session on it."""

from __future__ import annotations

import re
import secrets
from collections.abc import Awaitable, Callable, Sequence

from stlaunch.check import cookies as jar
from stlaunch.check.client import Client
from stlaunch.check.observations import Exchange, Opening, Session
from stlaunch.check.streamlit_session import run_script
from stlaunch.check.websocket import open_socket
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.streamlit_routes import STREAM

FOREIGN_ORIGIN = "https://stlaunch-check.invalid"
PROTOCOL = "streamlit"
_PLACEHOLDER = "PLACEHOLDER_AUTH_TOKEN"
_TOKENS = re.compile(r"""data-tokens=["']([A-Za-z0-9_\- ]{0,200})["']""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """What the page's script would send with its handshake; cookies are the client's."""

    xsrf: str = ""
    tokens: Sequence[str] = ()

    @classmethod
    def after(cls, client: Client, page: Exchange) -> Browser:
        """Read the page's tokens, and the XSRF cookie that the client has by now."""
        found = _TOKENS.search(page.text)
        cookies = client.jar.sent_to(client.dialer.target.path(STREAM))
        return cls(xsrf=cookies.get(jar.XSRF, ""), tokens=found[1].split() if found else ())

    def protocols(self, *more: str) -> list[str]:
        """Return the subprotocols that the page offers."""
        token = self.xsrf or _PLACEHOLDER
        return [PROTOCOL, token, *more, *(f"stlaunch.{token}" for token in self.tokens)]


async def run_session(
    client: Client,
    browser: Browser,
    *,
    with_session: Callable[[str], Awaitable[None]],
) -> tuple[Opening, Session | None]:
    """Open the stream as the page does, and run the script once."""
    target = client.dialer.target
    async with open_socket(
        client,
        target.path(STREAM),
        origin=str(target.origin),
        protocols=browser.protocols(),
    ) as (opening, socket):
        if socket is None:
            return opening, None
        session = await run_script(
            socket, timeout_s=client.dialer.timeout_s, with_session=with_session
        )
        await socket.close()
        return opening, session


async def only_open(client: Client, kind: str, browser: Browser) -> Opening:
    """Try one of the other handshakes: `no_origin`, `three_parts` or `foreign`."""
    target = client.dialer.target
    without: Sequence[str] = ()
    match kind:
        case "no_origin":
            # A program, not a browser: with the browser's cookies it would be taken for one.
            origin, protocols, without = "", [PROTOCOL, _PLACEHOLDER], client.jar.names
        case "three_parts":
            origin, protocols = str(target.origin), browser.protocols(secrets.token_hex(16))
        case _:
            # No token: it is in the app's own page, which another site cannot read.
            origin, protocols = FOREIGN_ORIGIN, [PROTOCOL, _PLACEHOLDER]
    async with open_socket(
        client, target.path(STREAM), origin=origin, protocols=protocols, without=without
    ) as (opening, socket):
        if socket is not None:
            await socket.close()
        return opening
