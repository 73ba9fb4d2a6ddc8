"""The one list of paths that Streamlit answers itself, relative to where it is mounted."""

from __future__ import annotations

from collections.abc import Sequence

from stlaunch.urls.base_path import BasePath

STREAM = "/_stcore/stream"
HEALTH = "/_stcore/health"
SELF_CHECK = "/_stlaunch"
TUNNEL = SELF_CHECK + "/tunnel"
UPLOAD_PIECES = SELF_CHECK + "/upload"
UPLOAD = "/_stcore/upload_file/"
ASSETS = "/static/"
_CORE = "/_stcore/"
_OWNED = (_CORE, ASSETS, "/media/", "/component/", "/app/static/", SELF_CHECK + "/", "/auth/")
_OWNED_FILES = ("/favicon.png", "/manifest.json", "/oauth2callback", SELF_CHECK)


def split_mount(rest: str, mounts: Sequence[BasePath]) -> tuple[BasePath, str] | None:
    """Return the Streamlit mount that `rest` is below, and the path inside it.

    `mounts` is `(BasePath(""),)` for a script; a FastAPI app may hold Streamlit at `/dashboard`.
    """
    for mount in sorted(mounts, key=lambda mount: -mount.depth):
        inner = mount.strip_from(rest)
        if inner is not None:
            return mount, inner
    return None


def is_page(inner: str) -> bool:
    """Tell whether a GET of this path, inside a Streamlit mount, is answered with the page."""
    return not inner.startswith(_OWNED) and inner not in _OWNED_FILES


def is_nested(inner: str) -> bool:
    """Tell whether one of Streamlit's own paths is asked below a path that is not its base.

    `/page2/_stcore/health` is what the page of a directly opened `/page2` asks first; an answer
    would make it take the wrong base (and bare Streamlit sends its index page for `stream`).
    """
    if inner.startswith(_OWNED):
        return False
    return any(owned in inner for owned in (_CORE, ASSETS, SELF_CHECK + "/"))
