"""One canonical path, whatever the proxy did to it; relative redirects out.

Worked example, public path `/app`, a script (Streamlit's own `server.baseUrlPath` is `app`):

    arrives as      what the proxy did      handed on as    root_path
    /app/page2      kept                    /app/page2      ""
    /page2          stripped                /app/page2      ""
    //page2         stripped, doubled       /app/page2      ""
    /app            kept, no slash          307 to app/

For a FastAPI or Starlette target, and for the routes that an `st.App` has beside Streamlit's, the
public path is ASGI's `root_path` and the path is the full one. Which paths belong to Streamlit is
known from `streamlit_routes` alone.
"""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from urllib.parse import quote, unquote, urlsplit

from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from stlaunch.gateway.request import RequestInfo, request_info, with_request_info
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import Location, PrefixMode, PublicPaths
from stlaunch.urls.streamlit_routes import ASSETS, SELF_CHECK, is_nested, is_page, split_mount

_PAGE_SCRIPT = SELF_CHECK + "/page.js"
_PATH_MARKS = "~!$&'()*+,;=:@"


class BasePathMiddleware:
    """Serve the app under its public path and under what is left of it after stripping.

    Args:
        app: the next layer.
        paths: the public and mount paths.
        app_base: the path that the app itself expects in front: `server.baseUrlPath` of a script.
        uses_root_path: hand the public path on as ASGI's root_path (FastAPI, Starlette).
        is_own_route: tells whether a request, its public path in root_path, is for a route that
            an `st.App` has beside Streamlit's: `app_base` is no part of that route's own path.
        mounts: where Streamlit is mounted inside the app; a function, because routes may be
            added after the app was wrapped.
        is_asset: tells whether `js/index.abc.js` exists among Streamlit's static files.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        paths: PublicPaths,
        app_base: BasePath = BasePath(),  # noqa: B008 - immutable
        uses_root_path: bool = False,
        is_own_route: Callable[[Scope], bool] = lambda _scope: False,
        mounts: Callable[[], Sequence[BasePath]] = lambda: (BasePath(),),
        is_asset: Callable[[str], bool] = lambda _name: False,
    ) -> None:
        self.app = app
        self.paths = paths
        self.app_base = app_base
        self.uses_root_path = uses_root_path
        self.is_own_route = is_own_route
        self.mounts = mounts
        self.is_asset = is_asset

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one ASGI scope."""
        if scope["type"] not in {"http", "websocket"}:
            return self.app(scope, receive, send)
        arrival = request_info(scope)
        outer = str(scope.get("root_path", ""))
        if outer and BasePath(outer) in self.paths.known:
            # `uvicorn --root-path /app` says what --behind-proxy says: it counts once.
            scope, outer = {**scope, "root_path": ""}, ""
        path = BasePath(outer).strip_from(scope["path"]) if outer else scope["path"]
        location = self._locate(path if path is not None else scope["path"], arrival)
        mount, inner = split_mount(location.rest, self.mounts()) or (None, None)
        answer = self._answer(scope, location, inner)
        if answer is not None:
            return answer(scope, receive, send)
        base = None
        if mount is not None and (location.public is not None or outer):
            base = BasePath(outer).joined(location.public or BasePath()).joined(mount)
        arrival = replace(
            arrival,
            public=location.public,
            rest=location.rest,
            mode=location.mode,
            base=base,
            inner=inner,
        )
        canonical = self._rewrite(scope, location, outer, arrival)
        if scope["type"] == "http":
            send = _relative_redirects(send, canonical, location.rest or "/")
        return self.app(canonical, receive, send)

    def _locate(self, path: str, arrival: RequestInfo) -> Location:
        location = self.paths.locate(path, arrival.forwarded.prefix)
        if not self.paths.is_learning or self.paths.known:
            return location
        # A page that really runs asks for its script, or for a file that exists, below its path.
        evidence = self._base_of_page_file(location.rest)
        if evidence is not None:
            here = location.public if location.mode is PrefixMode.KEPT else None
            self.paths.learned.confirm((here or BasePath()).joined(evidence))
            return self.paths.locate(path, arrival.forwarded.prefix)
        if location.mode is PrefixMode.STRIPPED and location.rest.endswith("/"):
            base = BasePath.parse_forwarded(location.rest.rstrip("/"))
            if base is not None:  # an address with a final slash is a base nobody told us of yet
                return replace(location, rest="/", depth=location.depth + base.depth)
        return location

    def _base_of_page_file(self, rest: str) -> BasePath | None:
        if rest.endswith(_PAGE_SCRIPT):
            return BasePath.parse_forwarded(rest.removesuffix(_PAGE_SCRIPT) or "/")
        base, separator, name = rest.partition(ASSETS)
        if separator and name.startswith("js/") and self.is_asset(name):
            return BasePath.parse_forwarded(base or "/")
        return None

    def _answer(self, scope: Scope, location: Location, inner: str | None) -> ASGIApp | None:
        if inner is None:
            return None
        # Starlette's routes end with `$`, which matches before a final newline too: Streamlit
        # would take `/_stcore/stream%0A` for its stream, and no layer here for one.
        if is_nested(inner) or inner.endswith("\n"):
            return _not_found if scope["type"] == "http" else _refuse_websocket
        if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
            return None
        if not inner:  # the base without its slash: relative addresses would miss it
            last = _encoded(scope["path"].rsplit("/", 1)[-1])
            here = "./" if not last or ":" in last else ""  # `a:b/` would be of the scheme `a`
            return _redirect(f"{here}{last}/" if last else here, scope)
        if is_page(inner) and inner.endswith("/") and inner != "/":
            page = location.rest.rstrip("/")
            ups = len(location.rest) - len(page)
            return _redirect("../" * ups + _encoded(page.rsplit("/", 1)[-1]), scope)
        return None

    def _rewrite(self, scope: Scope, location: Location, outer: str, arrival: RequestInfo) -> Scope:
        canonical = with_request_info(scope, arrival)
        root_path = outer + (location.public or BasePath()).decoded
        rooted = {"root_path": root_path, "path": root_path + (location.rest or "/")}
        if self.uses_root_path or self.is_own_route({**canonical, **rooted}):
            canonical.update(rooted)
            front = outer + (location.public or BasePath()).value
        else:
            canonical["path"] = outer + self.app_base.decoded + (location.rest or "/")
            front = outer + self.app_base.value
        raw_path = scope.get("raw_path")
        if raw_path is not None:
            cut = location.depth + BasePath(outer).depth
            canonical["raw_path"] = front.encode() + _drop_segments(raw_path, cut)
        return canonical


def relative_location(location: str, *, host: str, front: str, rest: str) -> str:
    """Turn a redirect within the app into a relative one, so that no Host can mislead it.

    >>> relative_location("http://127.0.0.1:8501/app/", host="127.0.0.1:8501",
    ...                   front="/app", rest="/page2")
    './'
    >>> relative_location("/app/page2?x=1", host="", front="/app", rest="/page2/")
    '../page2?x=1'

    Args:
        location: the app's Location header.
        host: the Host that the app saw; an absolute address there is the app's own.
        front: the path in front of `rest` in the app's own addresses, decoded.
        rest: what this request asked for below it, decoded.
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
    if ":" in path.partition("/")[0]:  # `x:y/` would be of the scheme `x`
        path = f"./{path}"
    query = f"?{parts.query}" if parts.query else ""
    fragment = f"#{parts.fragment}" if parts.fragment else ""
    return path + query + fragment


def _below(front: str, path: str) -> str | None:
    """Return what follows `front`, which is decoded, in `path`, which is not."""
    decoded = unquote(path)
    if not path.startswith("/") or not (decoded == front or decoded.startswith(front + "/")):
        return None
    return "".join(f"/{segment}" for segment in path.split("/")[1 + front.count("/") :])


def _encoded(segment: str) -> str:
    return quote(segment, safe=_PATH_MARKS)


def _relative_redirects(send: Send, scope: Scope, rest: str) -> Send:
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


def _relative(value: bytes, host: bytes, front: str, rest: str) -> bytes:
    location = relative_location(
        value.decode("latin-1"), host=host.decode("latin-1"), front=front, rest=rest
    )
    return location.encode("latin-1")


def _drop_segments(raw_path: bytes, count: int) -> bytes:
    path = b"/" + raw_path.lstrip(b"/")
    for _ in range(count):
        path = b"/" + path.lstrip(b"/").partition(b"/")[2]
    return b"/" + path.lstrip(b"/")


def _redirect(target: str, scope: Scope) -> ASGIApp:
    query = scope.get("query_string", b"").decode("latin-1")
    headers = {"location": target + ("?" + query if query else ""), "cache-control": "no-store"}
    return Response(status_code=307, headers=headers)


async def _not_found(scope: Scope, receive: Receive, send: Send) -> None:
    response = PlainTextResponse("Not Found", 404, {"cache-control": "no-store"})
    await response(scope, receive, send)


async def _refuse_websocket(_scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1008})
