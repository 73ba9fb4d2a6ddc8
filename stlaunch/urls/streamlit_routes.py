"""What a path inside the app means: Streamlit's paths, ours, and each request's kind.

It is pure, and the only list of these paths. It does not know how a proxy changed a path: see
`stlaunch.urls.public_paths`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from enum import StrEnum

from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath

STREAM = "/_stcore/stream"
HEALTH = "/_stcore/health"
HOST_CONFIG = "/_stcore/host-config"
METRICS = "/_stcore/metrics"
UPLOAD = "/_stcore/upload_file/"
ASSETS = "/static/"
STATIC_FILES = "/app/static/"
LOGIN = "/auth/login"
CALLBACK = "/oauth2callback"
SELF_CHECK = "/_stlaunch"
_CORE = "/_stcore/"
_OURS = SELF_CHECK + "/"
_PAGE_SCRIPT = "page.js"
LOADER = ASSETS + "stlaunch/start.js"
"""Loads the page script from its own folder if its first address is blocked."""
_STREAMLIT = (_CORE, "/media/", "/component/", STATIC_FILES, "/auth/")
_STREAMLIT_FILES = ("/favicon.png", "/manifest.json", CALLBACK)

# What the page needs of ours is served below paths of Streamlit's own as well, for proxies that
# route nothing else (endpoints.js asks them in this order). Nothing below `/static/` is answered
# for one browser: proxies cache it. No diagnostic page is ever served there.
_FRONTS = (_OURS, _CORE + "stlaunch/", UPLOAD + "stlaunch/")
_SCRIPT_FRONT = ASSETS + "stlaunch/"
_FOR_THE_PAGE = ("tunnel", "upload", "token")
TUNNELS = tuple(front + "tunnel" for front in _FRONTS)
"""Where the HTTP transport is; the page asks the first one where the app itself answers."""
PIECES = tuple(front + "upload" for front in _FRONTS)
"""Where uploads arrive by POST, in pieces; likewise."""

SECRET_PATHS = (*(front + name + "/" for front in _FRONTS for name in _FOR_THE_PAGE), UPLOAD)
"""What follows these is an id that lets in anyone who knows it: a tunnel's, a session's."""

DIAGNOSTICS = ("check", "metrics", "fixes", "echo", "ticket", "arrived", "ws", "sink", "drip")
"""The pages below `_stlaunch/` that are for whoever runs the app, by their exact names: what
`--self-check` guards, and what every generated configuration closes. The others are the app's."""

# One segment: an id. The names of our endpoints are exact, so that a proxy's rule for one of them
# cannot be bypassed with another spelling of it.
_WITH_ID = re.compile(r"(tunnel|upload)(?:/([^/]+))?")
_NAME = re.compile(rf"{re.escape(SELF_CHECK)}(?:/([^/]*))?")


_PAGE_NEEDS = frozenset(
    {STREAM, HEALTH, HOST_CONFIG, _OURS + "health", LOGIN, "/auth/logout"} | {*_STREAMLIT_FILES}
)
_PAGE_NEEDS_BELOW = (
    ASSETS, STATIC_FILES, UPLOAD, "/media/", "/component/", _CORE + "bidi-components/",
)  # fmt: skip


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
    """Our script in the page, and its loader."""
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

    @property
    def has_fixed_name(self) -> bool:
        """Whether proxy rules are written for it: it is below `_stcore/`, or ours."""
        if self.kind is RequestKind.STREAMLIT:
            return (self.streamlit_path or "").startswith(_CORE)
        return self.kind not in {RequestKind.PAGE, RequestKind.ASSET, RequestKind.NOT_OURS}


def classify(app_path: str, mounts: Sequence[BasePath]) -> Route:
    """Decide what a request is for.

    >>> classify("/dashboard/_stcore/stream", [BasePath("/dashboard")]).kind.value
    'stream'

    Args:
        app_path: the path below the public path, decoded.
        mounts: where Streamlit is inside the app: `(BasePath(""),)` for a script; a FastAPI app
            may have it at `/dashboard`.
    """
    # Starlette's routes end with `$`, which matches before a final newline too: Streamlit would
    # take `/_stcore/stream%0A` for its stream, and FastAPI `/admin%0A` for its route.
    if app_path.endswith("\n"):
        return Route(kind=RequestKind.ALIAS)
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


def is_for_page(path: str) -> bool:
    """Return whether a running page asks for this path below its base: never a diagnostic one.

    >>> [is_for_page(path) for path in ("/static/js/a.js", "/_stcore/metrics", "/page2")]
    [True, False, False]
    """
    ours = {RequestKind.TUNNEL, RequestKind.PIECES, RequestKind.TOKEN, RequestKind.PAGE_SCRIPT}
    is_streamlits = path in _PAGE_NEEDS or path.startswith(_PAGE_NEEDS_BELOW)
    return is_streamlits or _kind(path)[0] in ours


def _kind(path: str) -> tuple[RequestKind, str]:
    for front, find_kind in _FRONT_KINDS.items():
        if path.startswith(front):
            return find_kind(path.removeprefix(front))
    if path in _EXACT:
        return _EXACT[path], ""
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


def _kind_of_ours(rest: str) -> tuple[RequestKind, str]:
    kind, name = _kind_for_the_page(rest)
    if kind is not RequestKind.ALIAS or "/" in rest:
        return kind, name
    if rest == _PAGE_SCRIPT:
        return RequestKind.PAGE_SCRIPT, ""
    return RequestKind.SELF_CHECK, rest


def _kind_for_the_page(rest: str) -> tuple[RequestKind, str]:
    if found := _WITH_ID.fullmatch(rest):
        kind = RequestKind.TUNNEL if found[1] == "tunnel" else RequestKind.PIECES
        return kind, found[2] or ""
    return (RequestKind.TOKEN if rest == "token" else RequestKind.ALIAS), ""


def _kind_of_script(rest: str) -> tuple[RequestKind, str]:
    if rest == _PAGE_SCRIPT:
        return RequestKind.PAGE_SCRIPT, ""
    is_loader = rest == LOADER.removeprefix(_SCRIPT_FRONT)
    return (RequestKind.PAGE_SCRIPT, rest) if is_loader else (RequestKind.ALIAS, "")


_EXACT = {
    SELF_CHECK: RequestKind.SELF_CHECK,
    STREAM: RequestKind.STREAM,
    HEALTH: RequestKind.HEALTH,
}
_FRONT_KINDS = {
    **dict.fromkeys(_FRONTS, _kind_for_the_page),
    _OURS: _kind_of_ours,
    _SCRIPT_FRONT: _kind_of_script,
}
"""What is below a path of ours, or of Streamlit's where the page finds ours as well."""


def base_of_page_file(
    app_path: str, mounts: Sequence[BasePath], is_asset: Callable[[str], bool]
) -> BasePath | None:
    """Return the path below which a page asks for one of its files; None for another request.

    A page that really runs asks for its script, or for a file that exists.

    >>> base_of_page_file("/app/st/_stlaunch/page.js", [BasePath("/st")], lambda _: False)
    BasePath(value='/app')

    Args:
        app_path: what was asked for, below the paths that are known so far.
        mounts: where Streamlit is inside the app; see `classify`.
        is_asset: says whether `js/index.abc.js` is one of Streamlit's static files.
    """
    for script in (_OURS + _PAGE_SCRIPT, _SCRIPT_FRONT + _PAGE_SCRIPT, LOADER):
        if app_path.endswith(script):
            return _before_mount(app_path.removesuffix(script), mounts)[0]
    front, separator, name = app_path.partition(ASSETS)
    if separator and name.startswith("js/") and is_asset(name):
        return _before_mount(front, mounts)[0]
    return None


def split_page_address(app_path: str, mounts: Sequence[BasePath]) -> tuple[BasePath, str] | None:
    """Split what may be a page's address below an unknown path; None for any other address.

    >>> split_page_address("/app/dashboard/", [BasePath("/dashboard")])
    (BasePath(value='/app'), '/dashboard/')

    Args:
        app_path: what was asked for, below the paths that are known so far.
        mounts: where Streamlit is inside the app; see `classify`.
    """
    if not app_path.endswith("/") or any(owned in app_path for owned in (_CORE, _OURS)):
        return None
    base, page = _before_mount(app_path.rstrip("/"), mounts)
    return (base, page) if base is not None and base.value else None


def _before_mount(front: str, mounts: Sequence[BasePath]) -> tuple[BasePath | None, str]:
    """Return what precedes the mount at the end of a path, and the address of the mount's page."""
    for mount in sorted(mounts, key=lambda mount: -mount.depth):
        if front.endswith(mount.decoded):
            base = BasePath.parse_forwarded(front.removesuffix(mount.decoded) or "/")
            return base, mount.decoded + "/"
    return None, ""
