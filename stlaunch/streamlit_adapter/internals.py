"""The touch points with Streamlit that are not public, in one place.

`tests/asgi` uses each of them; CI runs it with the oldest and the newest supported version.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary


def option_templates() -> Mapping[str, Any]:
    """Return Streamlit's `ConfigOption` by key."""
    from streamlit import config

    return config._config_options_template  # noqa: SLF001


def set_main_script(path: Path) -> None:
    """Name the script whose folder holds `.streamlit/`; must come before options are read."""
    from streamlit import config

    config._main_script_path = str(path)  # noqa: SLF001


@contextmanager
def restored_configuration() -> Iterator[None]:
    """Put Streamlit's configuration back as it was, whatever is loaded meanwhile."""
    from streamlit import config

    before = config._main_script_path, config._config_options  # noqa: SLF001
    try:
        yield
    finally:
        config._main_script_path, config._config_options = before  # noqa: SLF001


def load_options(flags: Mapping[str, Any]) -> None:
    """Read all configuration anew, with `flags` (by key) above every file and variable."""
    from streamlit import config
    from streamlit.web import bootstrap

    # A first load is not an update: without this, Streamlit warns that options have changed.
    config._config_options = None  # noqa: SLF001
    bootstrap.load_config_options({key.replace(".", "_"): flags[key] for key in flags})


def prepare_process(script: Path, args: Sequence[str], flags: Mapping[str, Any]) -> None:
    """Set sys.path and sys.argv as `streamlit run` does, and watch the configuration files."""
    from streamlit import config
    from streamlit.web import bootstrap

    bootstrap._fix_sys_path(str(script))  # noqa: SLF001
    bootstrap._fix_sys_argv(str(script), list(args))  # noqa: SLF001
    bootstrap._install_config_watchers(  # noqa: SLF001
        {key.replace(".", "_"): flags[key] for key in flags}
    )
    config._server_mode = "starlette-app"  # noqa: SLF001


def share_module_watch() -> None:
    """Let all sessions share what Streamlit's file watcher finds out about modules.

    Each session resolves the path of every imported module again, in the event loop, and keeps a
    set of their names: 25 ms and 33 KB a session for an app that imports Streamlit alone (measured
    with 1.67). What is watched stays the same. A Streamlit that is built otherwise is left alone.
    """
    from streamlit.watcher import local_sources_watcher

    module: Any = local_sources_watcher
    watcher = module.LocalSourcesWatcher
    find: Callable[[ModuleType], set[str]] | None = getattr(module, "get_module_paths", None)
    update = getattr(watcher, "update_watched_modules", None)
    if find is None or update is None or find.__module__ == __name__:  # the last: done before
        return
    known: WeakKeyDictionary[ModuleType, set[str]] = WeakKeyDictionary()
    names: set[str] = set()

    def find_once(imported: ModuleType) -> set[str]:
        # Some packages put objects of their own into sys.modules: those may compare, hash and load
        # themselves as they like, and Streamlit knows how to ask them.
        if type(imported) is not ModuleType:
            return find(imported)
        found = known.get(imported)
        if found is None:
            found = find(imported)
            if found and "__file__" in vars(imported):  # a namespace package may still grow
                known[imported] = found
        return found

    def update_sharing(self: Any) -> None:
        nonlocal names
        update(self)
        own = getattr(self, "_cached_sys_modules", None)
        if own is None or own is names:
            return
        if own != names:
            names = own
        self._cached_sys_modules = names

    module.get_module_paths = find_once
    watcher.update_watched_modules = update_sharing


def discover_asgi_app(script: Path) -> str | None:
    """Return `module:attribute` where the script defines an ASGI app, by reading it only."""
    from streamlit.web.server.app_discovery import discover_asgi_app as discover

    found = discover(script)
    return found.import_string if found.is_asgi_app else None


def config_files() -> list[str]:
    """Return the config.toml files that Streamlit reads, whether they exist or not."""
    from streamlit import config

    return config.get_config_files("config.toml")


def own_routes(app: Any) -> Sequence[Any]:
    """Return the routes that an `st.App` was given beside Streamlit's."""
    routes: Sequence[Any] = app._user_routes  # noqa: SLF001
    return routes


def static_folder() -> str:
    """Return the folder of Streamlit's own static files."""
    from streamlit import file_util

    return file_util.get_static_dir()


def auth_cookie_secret() -> str | None:
    """Return `[auth].cookie_secret` from secrets.toml, or None."""
    secret = (_auth_section() or {}).get("cookie_secret")
    return str(secret) if secret else None


def _auth_section() -> Mapping[str, Any] | None:
    from streamlit.runtime.secrets import secrets_singleton

    if not secrets_singleton.load_if_toml_exists():
        return None
    section = secrets_singleton.get("auth")
    return section if isinstance(section, Mapping) else None


def connected_sessions() -> list[tuple[Any, Any]]:
    """Return session and client of every page that is connected."""
    from streamlit.runtime import Runtime

    if not Runtime.exists():
        return []
    manager = Runtime.instance()._session_mgr  # noqa: SLF001
    return [(info.session, info.client) for info in manager.list_active_sessions()]


def is_running(session: Any) -> bool:
    """Tell whether a script run is going, or is about to be repeated."""
    return session._scriptrunner is not None  # noqa: SLF001


def let_no_run_follow(session: Any) -> None:
    """Make the script run that is going the session's last; where none is, none begins.

    Whatever asks for another one asks in vain: the page, `st.rerun`, a fragment's timer, a file
    that changed. Call it in the app's event loop, once a session.
    """
    session.request_rerun = _ignore_request
    runner = session._scriptrunner  # noqa: SLF001
    if runner is not None:
        runner._on_script_finished = _LastRun(runner)  # noqa: SLF001


class _LastRun:
    """Stands in for what a script runner calls in its thread at the end of a run, the last one."""

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        self._finish = runner._on_script_finished  # noqa: SLF001

    def __call__(self, *args: Any, **kwargs: Any) -> None:
        from streamlit.proto.ClientState_pb2 import ClientState
        from streamlit.runtime.scriptrunner import ScriptRunnerEvent

        self._finish(*args, **kwargs)
        # The oldest Streamlit tells it only at the usual end of the thread; twice does no harm.
        shutdown, state = ScriptRunnerEvent.SHUTDOWN, ClientState()
        self._runner.on_event.send(self._runner, event=shutdown, client_state=state)
        # Not request_stop: after st.rerun the next run would begin, and stop at its first command.
        raise SystemExit  # ends this thread alone, and in silence


def _ignore_request(*_args: Any, **_kwargs: Any) -> None:
    """Ignore a request for a run: the page asks again where it connects next."""


def has_undelivered(session: Any, client: Any) -> bool:
    """Tell whether messages of a run are still on their way to the socket."""
    queue = getattr(client, "_send_queue", None)  # an agent's client has none
    is_queued = not session._browser_queue.is_empty()  # noqa: SLF001
    return is_queued or (queue is not None and not queue.empty())


def socket_of(client: Any) -> Any:
    """Return the Starlette WebSocket of a client; None for one that is no page."""
    return getattr(client, "_websocket", None)


def flush_request() -> asyncio.Event | None:
    """Return the event that asks the runtime to send what is queued.

    It is cleared when a cycle of sending begins, so the one before is over. None without runtime.
    """
    from streamlit.runtime import Runtime

    return Runtime.instance()._get_async_objs().need_send_data if Runtime.exists() else None  # noqa: SLF001


async def run_script_once() -> str:
    """Run the script in a session of its own; return what went wrong, empty for nothing."""
    from streamlit.runtime import Runtime

    if not Runtime.exists():
        return ""
    is_fine, said = await Runtime.instance().does_script_run_without_error()
    return "" if is_fine else said


def read_page(data: bytes) -> tuple[str, str] | None:
    """Return hash and name of the page that a page's message asks for; None for other messages.

    The page names its first page by name, and later ones by hash.
    """
    from streamlit.proto.BackMsg_pb2 import BackMsg

    message = BackMsg()
    try:
        message.ParseFromString(data)
    except Exception:  # noqa: BLE001 - protobuf's own, and the app answers it with a close
        return None
    if message.WhichOneof("type") != "rerun_script":
        return None
    return message.rerun_script.page_script_hash, message.rerun_script.page_name


def pages() -> Mapping[str, Any]:
    """Return what is known about each page of the app, by its hash."""
    found: dict[str, Any] = {}
    for session, _ in connected_sessions():
        found.update(session._pages_manager.get_pages())  # noqa: SLF001
    return found


def log_through(handler: logging.Handler) -> None:
    """Make Streamlit's loggers, also later ones, write through `handler` alone."""
    from streamlit import logger as streamlit_logger

    def set_up(logger: Any) -> None:
        old = getattr(logger, "streamlit_console_handler", None)
        if old is not None:
            logger.removeHandler(old)
        logger.streamlit_console_handler = handler
        logger.addHandler(handler)

    streamlit_logger.setup_formatter = set_up
    for logger in streamlit_logger._loggers.values():  # noqa: SLF001
        set_up(logger)
