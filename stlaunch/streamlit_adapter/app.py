"""Load Streamlit as an ASGI app, and inspect such an app."""

from __future__ import annotations

import functools
import importlib
import json
import os
import re
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from starlette.routing import Match
from starlette.types import ASGIApp, Scope

from stlaunch.errors import AppFailedError, StartError, UsageError
from stlaunch.process import quick_start
from stlaunch.streamlit_adapter import internals
from stlaunch.streamlit_adapter.options import get_options
from stlaunch.urls.base_path import BasePath


def load_app(
    *, script: Path, import_string: str | None, args: Sequence[str], options: Mapping[str, Any]
) -> ASGIApp:
    """Return the target as an ASGI app; the script's own code runs only if it defines one.

    Args:
        script: the script, or the file that represents it in sys.argv.
        import_string: `module:attribute` of an ASGI app, or None for a plain script.
        args: what the script finds in `sys.argv[1:]`.
        options: what the app runs with, kept in force when configuration files change.

    Raises:
        UsageError: if there is no such module or attribute.
        AppFailedError: if the target raises while it is imported.
    """
    # As `streamlit run` does, and for `package.module:app` as uvicorn does: the package's folder.
    folder = os.path.dirname(script)  # noqa: PTH120 - empty for the working directory
    for _ in range((import_string or "").partition(":")[0].count(".")):
        folder = os.path.dirname(folder)  # noqa: PTH120
    sys.path.insert(0, folder)
    sys.argv = [str(script), *args]
    internals.watch_config_files(options)
    internals.share_module_watch()
    if import_string is None:
        from streamlit.starlette import App

        return App(script)
    module_name, _, attribute = import_string.partition(":")
    found: Any = _import(module_name, import_string)
    for name in attribute.split("."):
        if not hasattr(found, name):
            raise UsageError(
                f"The module {module_name!r} has no attribute {attribute!r}.",
                hint="Name the variable that holds the app, such as main:app.",
            )
        found = getattr(found, name)
    if not callable(found):
        raise StartError(f"{import_string!r} is not an ASGI app but {type(found).__name__!r}.")
    return found  # type: ignore[no-any-return]  # ASGI is a convention, checked by calling it


def _import(module_name: str, import_string: str) -> object:
    quick_start.end()
    internals.parse_metadata_as_usual()
    try:
        return importlib.import_module(module_name)
    except (Exception, SystemExit) as exc:
        is_missing = isinstance(exc, ModuleNotFoundError) and exc.name is not None
        if is_missing and f"{module_name}.".startswith(f"{getattr(exc, 'name', '')}."):
            raise UsageError(
                f"There is no module {module_name!r} to import {import_string!r} from.",
                hint=f"Python looked in: {', '.join(sys.path[:3])}, ...",
            ) from exc
        lines = traceback.format_exception(type(exc), exc, _own_frames(exc.__traceback__))
        raise AppFailedError(
            f"{import_string!r} failed while it was imported: {type(exc).__name__}.",
            traceback="".join(lines),
            hint="See the traceback above.",
        ) from exc


def _own_frames(frames: TracebackType | None) -> TracebackType | None:
    """Skip the frames before the app's own: ours and importlib's.

    Return None if it has none: a SyntaxError names its file and line itself.
    """
    here = (__file__, "<frozen importlib", importlib.__file__)
    rest = frames
    while rest is not None and rest.tb_frame.f_code.co_filename.startswith(here):
        rest = rest.tb_next
    return rest


def is_streamlit_app(app: object) -> bool:
    """Distinguish an `st.App` from other ASGI apps."""
    return any(
        kind.__name__ == "App" and kind.__module__.startswith("streamlit.")
        for kind in type(app).__mro__
    )


def find_streamlit_mounts(app: Any) -> tuple[BasePath, ...]:
    """Return the paths inside `app` below which Streamlit is mounted; the root for an `st.App`."""
    if is_streamlit_app(app):
        return (BasePath(),)
    found: list[BasePath] = []
    for route in getattr(app, "routes", None) or ():
        inner = getattr(route, "app", None)
        if inner is not None and hasattr(route, "path"):
            place = BasePath(route.path.rstrip("/"))
            found.extend(place.joined(mount) for mount in find_streamlit_mounts(inner))
    return tuple(found)


def is_own_route(app: object, scope: Scope) -> bool:
    """Return whether a request is for a route that the user added to an `st.App`.

    Args:
        app: any ASGI app; only an `st.App` has such routes.
        scope: with the public path as its root_path, because these routes' own paths do not include
            `server.baseUrlPath`.
    """
    if not is_streamlit_app(app):
        return False
    return any(route.matches(scope)[0] is not Match.NONE for route in internals.own_routes(app))


def is_static_asset(name: str) -> bool:
    """Return whether Streamlit ships a static file with this name, such as `js/index.abc.js`."""
    return name in _static_assets()


def static_asset_size(name: str) -> int | None:
    """Return the size in bytes of the static file with this name; None if there is none."""
    return _static_assets().get(name)


@functools.cache
def _static_assets() -> dict[str, int]:
    folder = os.path.join(internals.static_folder(), "static", "js")  # noqa: PTH118
    try:
        return {f"js/{entry.name}": entry.stat().st_size for entry in os.scandir(folder)}
    except OSError:
        return {}


def app_version() -> int:
    """Return a number that changes with the app's script and the files of its `pages` folder."""
    script = internals.main_script()
    files = [script, *sorted(script.parent.glob("pages/*.py"))] if script is not None else []
    try:
        return hash(tuple((file.name, file.stat().st_mtime_ns) for file in files))
    except OSError:
        return 0


@functools.lru_cache(maxsize=4)
def takes_host_config(entry_script: str) -> bool:
    """Return whether the page's entry script reads `window.__streamlit.HOST_CONFIG`.

    Args:
        entry_script: its name among the static files, such as `js/index.abc.js`.
    """
    if not is_static_asset(entry_script):
        return False
    path = os.path.join(internals.static_folder(), "static", entry_script)  # noqa: PTH118
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return re.search(rb"\bHOST_CONFIG\b", file.read()) is not None
    except OSError:
        return False


def trusted_user_headers() -> frozenset[bytes]:
    """Return the lower-case names of headers from which the app takes the user's identity."""
    names = header_names(get_options(["server.trustedUserHeaders"])["server.trustedUserHeaders"])
    return frozenset(name.encode("latin-1", "replace") for name in names)


def header_names(option: object) -> frozenset[str]:
    """Return the lower-case names in a value of `server.trustedUserHeaders`, parsed or as text."""
    if isinstance(option, str):
        try:
            option = json.loads(option)
        except ValueError:
            return frozenset()
    return frozenset(map(str.lower, option)) if isinstance(option, dict) else frozenset()
