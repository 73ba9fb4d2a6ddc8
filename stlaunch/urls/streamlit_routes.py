"""What a path inside the app means: Streamlit's paths, ours, and each request's kind.

It is pure, and the only list of these paths. It does not know how a proxy changed a path: see
`stlaunch.urls.public_paths`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from stlaunch.urls.base_path import BasePath

STREAM = "/_stcore/stream"
HEALTH = "/_stcore/health"
HOST_CONFIG = "/_stcore/host-config"
UPLOAD = "/_stcore/upload_file/"
ASSETS = "/static/"
STATIC_FILES = "/app/static/"
SELF_CHECK = "/_stlaunch"
_CORE = "/_stcore/"
_OURS = SELF_CHECK + "/"
TUNNEL = _OURS + "tunnel"
_PIECES = _OURS + "upload"
_TOKEN = _OURS + "token"
_PAGE_SCRIPT = _OURS + "page.js"
_STREAMLIT = (_CORE, "/media/", "/component/", STATIC_FILES, "/auth/")
_STREAMLIT_FILES = ("/favicon.png", "/manifest.json", "/oauth2callback")

SECRET_PATHS = (TUNNEL + "/", _PIECES + "/", UPLOAD)
"""What follows these is an id that lets in anyone who knows it: a tunnel's, a session's."""

DIAGNOSTICS = ("check", "metrics", "fixes", "echo", "ticket", "arrived", "ws", "sink", "drip")
"""The pages below `_stlaunch/` that are for whoever runs the app, by their exact names: what
`--self-check` guards, and what every generated configuration closes. The others are the app's."""

# One segment: an id. The names of our endpoints are exact, so that a proxy's rule for one of them
# cannot be walked around with another spelling of it.
_WITH_ID = re.compile(rf"({re.escape(TUNNEL)}|{re.escape(_PIECES)})(?:/([^/]+))?")
_NAME = re.compile(rf"{re.escape(SELF_CHECK)}(?:/([^/]*))?")


class RequestKind(StrEnum):
    """What a request is for. Decided once, by path alone; see `classify`."""

    PAGE = "page"
    """Streamlit's HTML page, or a route that an `st.App` has in its place."""
    STREAM = "stream"
    """The app's WebSocket; over plain HTTP, a handshake that lost its upgrade."""
    HEALTH = "health"
    """Streamlit's health check."""
    UPLOAD = "upload"
    """One file for Streamlit."""
    ASSET = "asset"
    """A static file of Streamlit's page."""
    STREAMLIT = "streamlit"
    """Streamlit's other routes."""
    TUNNEL = "tunnel"
    """Our HTTP transport."""
    PIECES = "pieces"
    """Our uploads in pieces."""
    TOKEN = "token"  # noqa: S105 - a kind
    """Our origin proof, for a page that came from a shared cache."""
    PAGE_SCRIPT = "page script"
    """Our script in the page."""
    SELF_CHECK = "self-check"
    """Everything else below `/_stlaunch`."""
    ALIAS = "alias"
    """Another spelling of one of these paths, or one of them below a page: never served."""
    NOT_OURS = "not ours"
    """Outside Streamlit: a route of the FastAPI or Starlette app that Streamlit is mounted in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What a path below the public path is.

    Attributes:
        kind: what the request is for.
        name: which of our endpoints, or the id of a tunnel or an upload: `check` for
            `/_stlaunch/check`; empty for other kinds.
        mount: where Streamlit is inside the app; None outside of it.
        streamlit_path: the path below `mount`; None outside of it.
    """

    kind: RequestKind
    name: str = ""
    mount: BasePath | None = None
    streamlit_path: str | None = None

    @property
    def is_health(self) -> bool:
        """Whether it only says that the app runs: what a health check asks, past any proxy."""
        if self.kind is RequestKind.SELF_CHECK:
            return self.name in {"health", "ready"}
        return self.kind is RequestKind.HEALTH


def classify(app_path: str, mounts: Sequence[BasePath]) -> Route:
    """Decide what a request is for.

    >>> classify("/dashboard/_stcore/stream", [BasePath("/dashboard")]).kind.value
    'stream'

    Args:
        app_path: the path below the public path, decoded.
        mounts: where Streamlit is inside the app: `(BasePath(""),)` for a script; a FastAPI app
            may have it at `/dashboard`.
    """
    for mount in sorted(mounts, key=lambda mount: -mount.depth):
        path = mount.strip_from(app_path)
        if path is not None:
            kind, name = _kind(path)
            return Route(kind=kind, name=name, mount=mount, streamlit_path=path)
    # The self-check answers at the app's own root too, wherever Streamlit is mounted.
    if _is_ours(app_path):
        found = _NAME.fullmatch(app_path)
        kind = RequestKind.SELF_CHECK if found else RequestKind.ALIAS
        return Route(kind=kind, name=(found[1] or "") if found else "")
    return Route(kind=RequestKind.NOT_OURS)


def _kind(path: str) -> tuple[RequestKind, str]:
    # Starlette's routes end with `$`, which matches before a final newline too: Streamlit would
    # take `/_stcore/stream%0A` for its stream.
    if path.endswith("\n"):
        return RequestKind.ALIAS, ""
    if _is_ours(path):
        return _own_kind(path)
    if path == STREAM:
        return RequestKind.STREAM, ""
    if path == HEALTH:
        return RequestKind.HEALTH, ""
    if path.startswith(UPLOAD):
        return RequestKind.UPLOAD, ""
    if path.startswith(ASSETS):
        return RequestKind.ASSET, ""
    if path.startswith(_STREAMLIT) or path in _STREAMLIT_FILES:
        return RequestKind.STREAMLIT, ""
    # `/page2/_stcore/health` is what the page of a directly opened `/page2` asks first; an answer
    # would make it take the wrong base (and bare Streamlit sends its index page for `stream`).
    if any(owned in path for owned in (_CORE, ASSETS, _OURS)):
        return RequestKind.ALIAS, ""
    return RequestKind.PAGE, ""


def _is_ours(path: str) -> bool:
    return path == SELF_CHECK or path.startswith(_OURS)


def _own_kind(path: str) -> tuple[RequestKind, str]:
    if found := _WITH_ID.fullmatch(path):
        kind = RequestKind.TUNNEL if found[1] == TUNNEL else RequestKind.PIECES
        return kind, found[2] or ""
    if path == _TOKEN:
        return RequestKind.TOKEN, ""
    if path == _PAGE_SCRIPT:
        return RequestKind.PAGE_SCRIPT, ""
    if found := _NAME.fullmatch(path):
        return RequestKind.SELF_CHECK, found[1] or ""
    return RequestKind.ALIAS, ""


def base_of_page_file(app_path: str, is_asset: Callable[[str], bool]) -> BasePath | None:
    """Return the path below which a page asks for one of its files; None for another request.

    A page that really runs asks for its script, or for a file that exists.

    >>> base_of_page_file("/app/_stlaunch/page.js", lambda _: False)
    BasePath(value='/app')

    Args:
        app_path: what was asked for, below the paths that are known so far.
        is_asset: says whether `js/index.abc.js` is one of Streamlit's static files.
    """
    if app_path.endswith(_PAGE_SCRIPT):
        return BasePath.parse_forwarded(app_path.removesuffix(_PAGE_SCRIPT) or "/")
    base, separator, name = app_path.partition(ASSETS)
    if separator and name.startswith("js/") and is_asset(name):
        return BasePath.parse_forwarded(base or "/")
    return None
