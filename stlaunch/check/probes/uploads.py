"""Upload by PUT with the XSRF pair, into no session and into a real one; ask about POST."""

from __future__ import annotations

import secrets

from stlaunch.check import cookies as jar
from stlaunch.check import pages
from stlaunch.check.client import CHECK, Client
from stlaunch.check.observations import Exchange
from stlaunch.check.probes.stream import Browser
from stlaunch.check.sent import ANNOUNCED_BYTES
from stlaunch.urls.streamlit_routes import PIECES, UPLOAD

_BOUNDARY = "stlaunch-check-7d1f"
_HEAD = (
    f"--{_BOUNDARY}\r\n"
    'Content-Disposition: form-data; name="file"; filename="stlaunch-check"\r\n'
    "Content-Type: application/octet-stream\r\n\r\n"
).encode()
_TAIL = f"\r\n--{_BOUNDARY}--\r\n".encode()
# Servers answer such an announcement within a tenth of a second, on a busy machine in a whole one.
_AT_ONCE_S = 2.0
_TIMES_USUAL = 3
_FAKE_XSRF = "2|00000000|00000000000000000000000000000000|1700000000"


def invented_session() -> str:
    """Return an id that no session has."""
    return secrets.token_hex(16)


async def put(
    client: Client,
    browser: Browser,
    session_id: str,
    *,
    has_token: bool = True,
    padding: int = 0,
    timeout_s: float | None = None,
) -> Exchange:
    """Upload one byte, and after its end `padding` bytes, which are skipped (RFC 2046, 5.1.1)."""
    token = browser.xsrf
    cookies: tuple[str, ...] = ()
    extra = [
        ("Content-Type", f"multipart/form-data; boundary={_BOUNDARY}"),
        ("Origin", str(client.dialer.target.origin)),
    ]
    if has_token and not token:
        token = _FAKE_XSRF
        cookies = (f"{jar.XSRF}={token}",)
    if has_token:
        extra.append(("X-Xsrftoken", token))
    else:
        extra.append(CHECK)
    return await client.send(
        "PUT",
        _path(client, session_id),
        extra=tuple(extra),
        cookies=cookies,
        without=() if has_token else (jar.XSRF,),
        body=_HEAD + b"x" + _TAIL,
        padding=padding,
        limit=64 * 1024,
        timeout_s=timeout_s,
    )


async def find_pieces(client: Client) -> Exchange:
    """Ask where stlaunch takes uploads by POST, as pieces.js does.

    It opens no upload: where POST arrives, stlaunch answers that the upload's address is missing.
    """
    target = client.dialer.target
    extra = (CHECK, ("Origin", str(target.origin)))
    tried: list[Exchange] = []
    for path in map(target.path, PIECES):
        tried.append(await client.send("POST", path, extra=extra))
        if pages.refused_by_stlaunch(tried[-1]):
            break
    return tried[-1]


async def announce(client: Client, browser: Browser, *, usual_s: float) -> Exchange:
    """Announce an upload of the largest usual size, and send nothing of it.

    A server that limits bodies by Content-Length answers 413 at once; others wait, or say 100. On
    a slow network `at once` takes longer: `usual_s` is how long the slowest other answer took.
    """
    at_once_s = max(_AT_ONCE_S, _TIMES_USUAL * usual_s)
    token = browser.xsrf or _FAKE_XSRF
    return await client.send(
        "PUT",
        _path(client, invented_session()),
        extra=(
            ("Content-Type", f"multipart/form-data; boundary={_BOUNDARY}"),
            ("X-Xsrftoken", token),
        ),
        cookies=(f"{jar.XSRF}={token}",),
        padding=ANNOUNCED_BYTES,
        holds_body=True,
        timeout_s=min(at_once_s, client.dialer.timeout_s),
    )


def _path(client: Client, session_id: str) -> str:
    return client.dialer.target.path(f"{UPLOAD}{session_id}/stlaunch-check")
