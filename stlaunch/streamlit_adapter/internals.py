"""Every use of Streamlit's and uvicorn's private names: one entry each, in this file only.

An update of either may rename any of them. Then the feature is off, one log line says so, and the
app starts: `tests/insides` renames each name in a real Streamlit, in turn. Documented names need no
entry: `st.App`, `st.get_option`, `st.secrets`, `uvicorn.Config`, `uvicorn.Server.run`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import Distribution
from pathlib import Path
from types import ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from stlaunch.streamlit_adapter.touch import Touch

_UVICORN = "uvicorn 0.44 to 0.54"

# --- options

OPTION_TABLE = Touch(
    feature="checking Streamlit's own options",
    purpose="--section.option flags and STREAMLIT_* variables, which only Streamlit's CLI reads",
    names=(
        "streamlit.config:_config_options_template",
        "streamlit.config_option:ConfigOption.env_var",
        "streamlit.config_option:ConfigOption.sensitive",
        "streamlit.config_option:ConfigOption.default_val",
    ),
    without="--section.option flags and STREAMLIT_* variables are ignored; use config.toml.",
)
MAIN_SCRIPT = Touch(
    feature="finding the app's own .streamlit folder",
    purpose="the script's folder is where its config.toml and secrets.toml are",
    names=("streamlit.config:_main_script_path",),
    without=".streamlit/config.toml is read from the working directory.",
)
FIRST_LOAD = Touch(
    feature="reading options twice without a warning",
    purpose="a second load at start is no update, of which Streamlit would warn",
    names=("streamlit.config:_config_options",),
    without="Streamlit may warn at start that options have changed; ignore it.",
)
LOADING = Touch(
    feature="keeping stlaunch's options when a config.toml changes",
    purpose="puts options above every file, as flags of `streamlit run` are",
    names=("streamlit.config:get_config_options",),
    without="They are set once, at start.",
)
SETTING = Touch(
    feature="setting server.baseUrlPath from wrap_app()",
    purpose="the app's own path has to be the public one",
    names=("streamlit.config:set_option",),
    without="Set server.baseUrlPath to the public path in config.toml.",
)
USER_OPTIONS = Touch(
    feature="respecting what config.toml sets",
    purpose="a user's explicit option wins over stlaunch's default",
    names=("streamlit.config:is_manually_set", "streamlit.config:get_where_defined"),
    without="Where both set an option, stlaunch's counts.",
)
CONFIG_FILES = Touch(
    feature="checking config.toml before the start",
    purpose="names the line that is no TOML",
    names=("streamlit.config:get_config_files",),
    without="A broken config.toml shows Streamlit's own error.",
)
CONFIG_WATCH = Touch(
    feature="rereading config.toml while the app runs",
    purpose="`streamlit run` does it, for themes",
    names=("streamlit.web.bootstrap:_install_config_watchers",),
    without="Restart the app after a change in config.toml.",
)

# --- the app

DISCOVERY = Touch(
    feature="recognising a script that defines its own ASGI app",
    purpose="`stlaunch app.py` serves it, where app.py has `app = st.App(...)`",
    names=("streamlit.web.server.app_discovery:discover_asgi_app",),
    without="Start such an app by its name, such as module:app.",
)
OWN_ROUTES = Touch(
    feature="telling an st.App's own routes from Streamlit's",
    purpose="their answers are not the page, and are passed on as they are",
    names=("streamlit.starlette:App._user_routes",),
    without="A route of yours that ends like one of Streamlit's may be treated as Streamlit's.",
)
STATIC_FILES = Touch(
    feature="asking Streamlit where its static files are",
    purpose="they go out compressed, and missing ones are 404",
    names=("streamlit.file_util:get_static_dir",),
    without="They are looked for in streamlit/static.",
)
MODULE_WATCH = Touch(
    feature="sharing the module watch among sessions",
    purpose="each session resolves all modules again: 25 ms and 33 KB a session (1.67)",
    names=(
        "streamlit.watcher.local_sources_watcher:get_module_paths",
        "streamlit.watcher.local_sources_watcher:LocalSourcesWatcher.update_watched_modules",
        "streamlit.watcher.local_sources_watcher:LocalSourcesWatcher._cached_sys_modules",
    ),
    without="New sessions cost a little more time and memory.",
)
LOGGERS = Touch(
    feature="one format for all log lines",
    purpose="Streamlit's loggers write through stlaunch's handler",
    names=("streamlit.logger:setup_formatter", "streamlit.logger:_loggers"),
    without="Streamlit's log lines keep its own format.",
)

# --- sessions

RUNTIME = Touch(
    feature="reaching the running app",
    purpose="a drain asks it for its sessions, a warm-up for a run",
    names=("streamlit.runtime:Runtime.exists", "streamlit.runtime:Runtime.instance"),
    without="There is no warm-up, and running scripts are not waited for when the app stops.",
)
SESSIONS = Touch(
    feature="seeing sessions when the app stops",
    purpose="a drain closes idle pages and waits for running scripts",
    names=(
        "streamlit.runtime:Runtime._session_mgr",
        "streamlit.runtime.session_manager:SessionManager.list_active_sessions",
    ),
    without="Running scripts are not waited for when the app stops.",
)
RUNS = Touch(
    feature="seeing running scripts when the app stops",
    purpose="a drain waits for them",
    names=("streamlit.runtime.app_session:AppSession._scriptrunner",),
    without="Running scripts are not waited for when the app stops.",
)
LAST_RUN = Touch(
    feature="making a script's run the last one when the app stops",
    purpose="a page that runs its script again and again would never be idle",
    names=(
        "streamlit.runtime.app_session:AppSession.request_rerun",
        "streamlit.runtime.scriptrunner.script_runner:ScriptRunner._requests",
        "streamlit.runtime.scriptrunner_utils.script_requests:ScriptRequests.request_rerun",
        "streamlit.runtime.scriptrunner_utils.script_requests:ScriptRequests.request_stop",
    ),
    without="A page that reruns without a pause is closed at the end of the drain timeout.",
)
DELIVERY = Touch(
    feature="delivering a run's last messages when the app stops",
    purpose="a page is closed behind everything that was sent to it",
    names=(
        "streamlit.runtime.app_session:AppSession._browser_queue",
        "streamlit.runtime.forward_msg_queue:ForwardMsgQueue.is_empty",
        "streamlit.web.server.starlette.starlette_websocket:StarletteSessionClient._send_queue",
        "streamlit.runtime:Runtime._get_async_objs",
        "streamlit.runtime.runtime:AsyncObjects.need_send_data",
    ),
    without="A page may miss the end of a run that finishes while the app stops.",
)
SOCKETS = Touch(
    feature="closing each page as soon as it is idle when the app stops",
    purpose="close code 1012 lets the page connect to another replica at once",
    names=("streamlit.web.server.starlette.starlette_websocket:StarletteSessionClient._websocket",),
    without="Pages are closed together, at the end.",
)
WARM_UP = Touch(
    feature="the warm-up run",
    purpose="runs the script once before the app is ready",
    names=("streamlit.runtime:Runtime.does_script_run_without_error",),
    without="The app is ready at once; its first visitor waits longer.",
)
PAGE_NAMES = Touch(
    feature="naming pages in the request log",
    purpose="a page change is a message on the socket, and no request",
    names=(
        "streamlit.proto.BackMsg_pb2:BackMsg.RERUN_SCRIPT_FIELD_NUMBER",
        "streamlit.runtime.app_session:AppSession._pages_manager",
        "streamlit.runtime.pages_manager:PagesManager.get_pages",
    ),
    without="The request log has no lines for page changes.",
)

# --- uvicorn

PINGS = Touch(
    feature="pinging all sockets in step",
    purpose="a thousand idle sessions wake the process once a second, not a thousand times",
    seen_in=_UVICORN,
    names=tuple(
        f"uvicorn.protocols.websockets.websockets_sansio_impl:WebSocketsSansIOProtocol.{name}"
        for name in (
            "schedule_ping", "send_keepalive_ping", "ping_interval", "ping_timer",
            "last_ping_rtt", "loop", "conn", "handshake_initiated",
            "handshake_complete", "close_sent", "handle_connect", "start_keepalive",
        )
    ),
    without="uvicorn pings each socket at a time of its own, and always as often.",
)  # fmt: skip
BAD_BODIES = Touch(
    feature="ending a request with a malformed body",
    purpose="uvicorn answers it with 400, and logs an error when the app answers too",
    seen_in=_UVICORN,
    names=(
        "uvicorn.protocols.http.h11_impl:H11Protocol.send_400_response",
        "uvicorn.protocols.http.h11_impl:H11Protocol.cycle",
        "uvicorn.protocols.http.h11_impl:RequestResponseCycle.disconnected",
        "uvicorn.protocols.http.h11_impl:RequestResponseCycle.message_event",
    ),
    without="A malformed body leaves a traceback in the log.",
)
QUIET_LOOP = Touch(
    feature="waking once a second when idle",
    purpose="uvicorn's own loop looks ten times a second whether it was stopped",
    seen_in=_UVICORN,
    names=("uvicorn:Server.main_loop", "uvicorn:Server.on_tick"),
    without="An idle app takes a little more processor time.",
)
CONNECTIONS = Touch(
    feature="leaving connections to the app where its script forks",
    purpose="a connection ends for its browser only when the last process has closed it",
    seen_in=_UVICORN,
    names=("uvicorn:Server.server_state",),
    without="Connections may hang for as long as a process lives that the script forked.",
)
STOPPING = Touch(
    feature="uvicorn's clean shutdown",
    purpose="the drain begins while the listener is open, and uvicorn ends after it",
    seen_in=_UVICORN,
    names=("uvicorn:Server.started", "uvicorn:Server.should_exit"),
    without="The app counts as started before its own start-up events are over.",
)
CUT_SHORT = Touch(
    feature="ending an app whose clean shutdown is off",
    purpose="where uvicorn cannot be told to stop, its main loop is cancelled and this called",
    seen_in=_UVICORN,
    names=("uvicorn:Server.shutdown",),
    without="Where uvicorn cannot be told to stop either, the app's own shutdown events are lost.",
)
SECOND_SIGNAL = Touch(
    feature="ending at once by a second signal inside another program",
    purpose="a process of our own ends itself; in somebody else's, uvicorn drops what is open",
    seen_in=_UVICORN,
    names=("uvicorn:Server.force_exit",),
    without="There, a stop takes its time, whatever is sent meanwhile.",
)

# --- Python

QUICK_SOCKET = Touch(
    feature="a quick `stlaunch health`",
    purpose="Python's socket module imports enum and selectors, half of the command's time",
    seen_in="Python 3.11 to 3.13",
    names=("_socket:socket",),
    without="It takes twice as long.",
)
"""Used by cli/quick_health.py, which cannot afford to import this file."""
PARSED_METADATA = Touch(
    feature="parsing the metadata of each installed package once at start",
    purpose="Streamlit's search for components parses it four times: a tenth of a start's time",
    seen_in="Python 3.11 to 3.13",
    names=("importlib.metadata:Distribution.metadata",),
    without="The app starts a little later.",
)

TOUCHES: tuple[Touch, ...] = tuple(
    touch for touch in list(globals().values()) if isinstance(touch, Touch)
)
"""All entries."""


_PARSED = "_stlaunch_parsed_metadata"
_metadata: Any = vars(Distribution).get("metadata")


def parse_metadata_once() -> None:
    """Cache the parsed metadata of installed packages; for a start in a process of our own."""

    def parsed_once(distribution: Distribution) -> Any:
        known = vars(distribution)
        if _PARSED not in known:
            known[_PARSED] = _metadata.__get__(distribution)
        return known[_PARSED]

    if PARSED_METADATA.fits and isinstance(_metadata, property):
        Distribution.metadata = property(parsed_once)  # type: ignore[method-assign,assignment]


def parse_metadata_as_usual() -> None:
    """Undo `parse_metadata_once`."""
    if vars(Distribution).get("metadata") is not _metadata:
        Distribution.metadata = _metadata  # type: ignore[method-assign]


def option_templates() -> Mapping[str, Any]:
    """Return Streamlit's `ConfigOption` by key; empty if they cannot be read."""
    from streamlit import config

    return OPTION_TABLE.attempt(lambda: config._config_options_template, {})  # noqa: SLF001


def set_main_script(path: Path) -> None:
    """Set the script whose folder contains `.streamlit/`; call it before options are read."""
    from streamlit import config

    if MAIN_SCRIPT.fits:
        config._main_script_path = str(path)  # noqa: SLF001


def main_script() -> Path | None:
    """Return the app's script; None if no script is known, as in an app of another framework."""
    from streamlit import config

    known = MAIN_SCRIPT.attempt(lambda: config._main_script_path, None)  # noqa: SLF001
    return Path(known) if known else None


@contextmanager
def restored_configuration() -> Iterator[None]:
    """Restore Streamlit's configuration after the block, whatever was loaded in it."""
    from streamlit import config

    names = [
        *(["_main_script_path"] if MAIN_SCRIPT.fits else []),
        *(["_config_options"] if FIRST_LOAD.fits else []),
    ]
    before = {name: getattr(config, name) for name in names}
    try:
        yield
    finally:
        vars(config).update(before)


def load_options(flags: Mapping[str, Any]) -> None:
    """Reread all configuration, with `flags` (by key) above every file and variable.

    Options that this Streamlit does not have are left out.

    Raises:
        RuntimeError: if options contradict each other.
    """
    from streamlit import config

    if FIRST_LOAD.fits:
        config._config_options = None  # noqa: SLF001
    known = option_templates() or flags
    given = {key: flags[key] for key in flags if key in known and flags[key] not in (None, ())}

    def arguments() -> inspect.BoundArguments:
        signature = inspect.signature(config.get_config_options)
        return signature.bind(force_reparse=True, options_from_flags=given)

    # Only its signature is checked here: its exceptions are about the user's configuration.
    if bound := LOADING.attempt(arguments, None):
        config.get_config_options(*bound.args, **bound.kwargs)
        return
    for key, value in given.items():
        set_option(key, value)


def set_option(key: str, value: object, where: str = "stlaunch") -> None:
    """Set one option until the configuration is read again."""
    from streamlit import config

    SETTING.attempt(lambda: config.set_option(key, value, where), None)


def explicit_options() -> Mapping[str, tuple[Any, str]]:
    """Return the value and source of each option that is set explicitly, anywhere."""
    import streamlit
    from streamlit import config

    def read() -> Mapping[str, tuple[Any, str]]:
        return {
            key: (streamlit.get_option(key), config.get_where_defined(key))
            for key in option_templates()
            if config.is_manually_set(key)
        }

    return USER_OPTIONS.attempt(read, {})


def config_files() -> list[str]:
    """Return the config.toml files that Streamlit reads, whether they exist or not."""
    from streamlit import config

    return CONFIG_FILES.attempt(lambda: config.get_config_files("config.toml"), [])


def watch_config_files(flags: Mapping[str, Any]) -> None:
    """Read the configuration again, with `flags` above it, whenever a config.toml changes."""
    if CONFIG_WATCH.fits:
        from streamlit.web import bootstrap

        named = {key.replace(".", "_"): flags[key] for key in flags}
        CONFIG_WATCH.attempt(lambda: bootstrap._install_config_watchers(named), None)  # noqa: SLF001


def discover_asgi_app(script: Path) -> str | None:
    """Return `module:attribute` if the script defines an ASGI app; only read its source."""

    def look() -> str | None:
        from streamlit.web.server.app_discovery import discover_asgi_app as discover

        found = discover(script)
        return found.import_string if found.is_asgi_app else None

    return DISCOVERY.attempt(look, None)


def own_routes(app: Any) -> Sequence[Any]:
    """Return the routes that the user added to an `st.App`."""
    return OWN_ROUTES.attempt(lambda: list(app._user_routes), [])  # noqa: SLF001


def static_folder() -> str:
    """Return the folder of Streamlit's own static files."""
    import streamlit
    from streamlit import file_util

    beside = os.path.join(os.path.dirname(streamlit.__file__), "static")  # noqa: PTH118, PTH120
    return STATIC_FILES.attempt(lambda: str(file_util.get_static_dir()), beside)


def share_module_watch() -> None:
    """Let all sessions share what Streamlit's file watcher learns about modules.

    It still watches the same files.
    """
    if not MODULE_WATCH.fits:
        return
    from streamlit.watcher import local_sources_watcher

    module: Any = local_sources_watcher
    watcher = module.LocalSourcesWatcher
    find: Callable[[ModuleType], set[str]] = module.get_module_paths
    update = watcher.update_watched_modules
    if find.__module__ == __name__:  # done before
        return
    known: WeakKeyDictionary[ModuleType, set[str]] = WeakKeyDictionary()
    names: set[str] = set()

    def find_once(imported: ModuleType) -> set[str]:
        # Some packages put their own objects into sys.modules, which may compare, hash and load in
        # unusual ways; Streamlit knows how to handle them.
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


def log_through(handler: logging.Handler) -> None:
    """Make Streamlit's loggers, including later ones, write only through `handler`."""

    def set_up(logger: Any) -> None:
        old = getattr(logger, "streamlit_console_handler", None)
        if old is not None:
            logger.removeHandler(old)
        logger.streamlit_console_handler = handler
        logger.addHandler(handler)

    def set_up_all() -> None:
        from streamlit import logger as streamlit_logger

        for logger in streamlit_logger._loggers.values():  # noqa: SLF001
            set_up(logger)
        streamlit_logger.setup_formatter = set_up

    LOGGERS.attempt(set_up_all, None)


def _runtime() -> Any:
    """Return Streamlit's runtime; None if the app has not started."""

    def look() -> Any:
        from streamlit.runtime import Runtime

        return Runtime.instance() if Runtime.exists() else None

    return RUNTIME.attempt(look, None)


def connected_sessions() -> list[tuple[Any, Any]]:
    """Return session and client of every connected page."""
    runtime = _runtime()

    def look() -> list[tuple[Any, Any]]:
        sessions = runtime._session_mgr.list_active_sessions()  # noqa: SLF001
        return [(info.session, info.client) for info in sessions]

    return [] if runtime is None else SESSIONS.attempt(look, [])


def is_running(session: Any) -> bool:
    """Return whether a script is running, or is about to rerun."""
    return RUNS.attempt(lambda: session._scriptrunner is not None, otherwise=False)  # noqa: SLF001


def let_no_run_follow(session: Any) -> None:
    """Make the current script run the session's last; if there is none, start none.

    Requests from the page, fragment timers and changed files are ignored. If the script itself asks
    for another run (`st.rerun`), its own run ends there, as `st.stop` would end it. Call it in the
    app's event loop, once per session.
    """

    def make_last() -> None:
        session.request_rerun = _ignore_request
        runner = session._scriptrunner  # noqa: SLF001
        if runner is None:
            return
        requests = runner._requests  # noqa: SLF001

        def stop(*_args: Any, **_kwargs: Any) -> bool:
            requests.request_stop()
            return False  # the request is refused, as by a runner that has stopped

        requests.request_rerun = stop
        if hasattr(requests, "request_rerun_batch"):  # of callbacks, since 1.6x
            requests.request_rerun_batch = stop

    if RUNS.fits:
        LAST_RUN.attempt(make_last, None)


def _ignore_request(*_args: Any, **_kwargs: Any) -> None:
    """Ignore a request for a run: the page repeats it wherever it connects next."""


def has_undelivered(session: Any, client: Any) -> bool:
    """Return whether messages of a run are still on their way to the socket."""

    def look() -> bool:
        queue = getattr(client, "_send_queue", None)  # an agent's client has none
        is_queued = not session._browser_queue.is_empty()  # noqa: SLF001
        return is_queued or (queue is not None and not queue.empty())

    return DELIVERY.attempt(look, otherwise=False)


def flush_request() -> asyncio.Event | None:
    """Return the event that asks the runtime to send queued messages; None without a runtime.

    It is cleared when a send cycle starts, so the previous one is over.
    """
    runtime = _runtime()

    def look() -> asyncio.Event:
        event: asyncio.Event = runtime._get_async_objs().need_send_data  # noqa: SLF001
        return event

    return None if runtime is None else DELIVERY.attempt(look, None)


def socket_of(client: Any) -> Any:
    """Return the Starlette WebSocket of a client; None if it is not a page."""
    return getattr(client, "_websocket", None) if SOCKETS.fits else None


async def run_script_once() -> str:
    """Run the script in a session of its own; return what went wrong, empty if nothing."""
    runtime = _runtime()
    if runtime is None:
        return ""

    def begin() -> asyncio.Future[Any] | None:
        future: asyncio.Future[Any] = asyncio.ensure_future(runtime.does_script_run_without_error())
        return future

    run = WARM_UP.attempt(begin, None)
    if run is None:
        return ""
    answer = await run

    def read() -> str:
        is_fine, said = answer
        return "" if is_fine else said

    return WARM_UP.attempt(read, "")


def read_page(data: bytes) -> tuple[str, str] | None:
    """Return hash and name of the page that a message asks for; None for other messages.

    The browser identifies its first page by name, and later ones by hash.
    """

    def look() -> tuple[str, str] | None:
        from streamlit.proto.BackMsg_pb2 import BackMsg

        message = BackMsg()
        try:
            message.ParseFromString(data)
        except Exception:  # noqa: BLE001 - protobuf's own, and the app answers it with a close
            return None
        sent = {field.name: value for field, value in message.ListFields()}
        wanted = sent.get("rerun_script")
        return None if wanted is None else (wanted.page_script_hash, wanted.page_name)

    return PAGE_NAMES.attempt(look, None)


def pages() -> Mapping[str, Any]:
    """Return what is known about each page of the app, by its hash."""

    def look() -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        for session, _ in connected_sessions():
            found.update(session._pages_manager.get_pages())  # noqa: SLF001
        return found

    return PAGE_NAMES.attempt(look, {})
