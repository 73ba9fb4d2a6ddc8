"""Make the app's redirects relative, so that no Host and no lost path can mislead them.

It must not touch a redirect to another site.
"""

from __future__ import annotations

import posixpath
from urllib.parse import unquote, urlsplit

from starlette.types import Message, Scope, Send


def relative_redirects(send: Send, scope: Scope, rest: str) -> Send:
    """Return a `send` that makes the app's redirects relative.

    Args:
        send: ASGI's.
        scope: as the app gets it.
        rest: the path below the public path that was asked for.
    """
    front = scope["path"].removesuffix(rest)
    host = next((value for name, value in scope["headers"] if name == b"host"), b"")

    async def send_relative(message: Message) -> None:
        if message["type"] == "http.response.start" and 300 <= message["status"] < 400:  # noqa: PLR2004
            message = {
                **message,
                "headers": [
                    (name, _relative(value, host, front, rest))
                    if name.lower() == b"location"
                    else (name, value)
                    for name, value in message["headers"]
                ],
            }
        await send(message)

    return send_relative


def relative_location(location: str, *, host: str, front: str, rest: str) -> str:
    """Make a redirect within the app relative, so that no Host can mislead it.

    >>> relative_location("http://127.0.0.1:8501/app/", host="127.0.0.1:8501",
    ...                   front="/app", rest="/page2")
    './'
    >>> relative_location("/app/page2?x=1", host="", front="/app", rest="/page2/")
    '../page2?x=1'

    Args:
        location: the app's Location header.
        host: the Host that the app saw; an absolute URL with that host is the app's own.
        front: the path before `rest` in the app's own addresses, decoded.
        rest: the path below it that this request asked for, decoded.
    """
    try:
        parts = urlsplit(location)
    except ValueError:  # such as `http://[x`
        return location
    if parts.netloc and parts.netloc != host:
        return location
    below = _below(front, parts.path)
    if below is None:
        return location
    # posixpath drops final slashes, which matter here: compare folders, keep the last name.
    folder, name = posixpath.split(below or "/")
    path = posixpath.relpath(folder, posixpath.dirname(rest) or "/")
    path = "./" if path == "." else path + "/"
    path = path.removeprefix("./") + name if name else path
    if ":" in path.partition("/")[0]:  # `x:y/` would have the scheme `x`
        path = f"./{path}"
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return path + query + fragment


def _relative(value: bytes, host: bytes, front: str, rest: str) -> bytes:
    location = relative_location(
        value.decode("latin-1"), host=host.decode("latin-1"), front=front, rest=rest
    )
    return location.encode("latin-1")


def _below(front: str, path: str) -> str | None:
    """Return what follows `front`, which is decoded, in `path`, which is not."""
    decoded = unquote(path)
    if not path.startswith("/") or not (decoded == front or decoded.startswith(front + "/")):
        return None
    return "".join(f"/{segment}" for segment in path.split("/")[1 + front.count("/") :])
