"""Provide the public interface: `launch` and `wrap_app`, which take settings as keywords.

Each keyword has the name of its field in `stlaunch.settings.fields`, in both functions. Everything
that is not in `stlaunch.__all__` is private.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Literal

from starlette.types import ASGIApp

from stlaunch import streamlit_adapter
from stlaunch.errors import UsageError
from stlaunch.gateway.compose import compose
from stlaunch.gateway.composition import composition_for
from stlaunch.gateway.selfcheck.access import new_self_check_token
from stlaunch.platforms import detect_platforms
from stlaunch.process.working_folder import working_folder
from stlaunch.settings.model import SelfCheck
from stlaunch.settings.read import read_settings
from stlaunch.settings.request import read_request
from stlaunch.settings.resolve import resolve_settings
from stlaunch.urls.public_paths import PublicPaths

logger = logging.getLogger(__name__)


def launch(
    target: str | os.PathLike[str],
    *script_args: str,
    behind_proxy: bool | str | Sequence[str] | None = None,
    public_url: str | None = None,
    host: str | None = None,
    port: int | None = None,
    uds: str | os.PathLike[str] | None = None,
    trusted_proxies: str | Sequence[str] | None = None,
    allow_origin: str | Sequence[str] | None = None,
    origin_check: Literal["proof", "strict"] | None = None,
    embed_in: str | Sequence[str] | None = None,
    mount_path: str | Sequence[str] | None = None,
    prefix: Literal["auto", "kept", "stripped", "both"] | None = None,
    config_out: str | os.PathLike[str] | None = None,
    self_check: bool | Literal["public", "local", "token", "off"] | None = None,
    self_check_token: str | None = None,
    verify: bool | None = None,
    transport: Literal["auto", "websocket", "http"] | None = None,
    drain_timeout: float | None = None,
    warm_up: bool | None = None,
    max_sessions: int | None = None,
    log_format: Literal["text", "json"] | None = None,
    access_log: bool | None = None,
    streamlit_options: Mapping[str, str] | None = None,
    on_ready: Callable[[str], None] | None = None,
    stop: threading.Event | None = None,
) -> int:
    """Serve an app until it is stopped, as `stlaunch app.py` does; return the exit code.

        stlaunch.launch("app.py", behind_proxy="/streamlitApp", port=8502)

    SIGTERM and Ctrl-C stop it in the main thread. Python receives no signals in other threads: use
    `stop` there; without it the app runs until the process ends.

    Args:
        target: a script, a folder with `streamlit_app.py`, or `module:attr`.
        script_args: the script's `sys.argv[1:]`.
        behind_proxy: the public path or URL, or several; True: detect it from requests.
        public_url: the address that the browser shows.
        host: the address to listen on.
        port: the port to listen on; 0 picks a free one.
        uds: the Unix socket to listen on instead.
        trusted_proxies: the peers whose forwarding headers are trusted.
        allow_origin: other origins that may open the app's WebSocket.
        origin_check: how to accept a WebSocket whose Host a proxy rewrote.
        embed_in: the origins that may show the app in a frame.
        mount_path: other paths under which requests may arrive.
        prefix: what the proxy does to the public path.
        config_out: where to write the generated config.toml.
        self_check: who may use the diagnostic pages; True is `public`, False is `off`.
        self_check_token: for `self_check="token"`; None: stlaunch makes one, and shows it once.
        verify: whether to open the public URL as a browser would when ready.
        transport: how pages connect.
        drain_timeout: how many seconds running scripts may take on shutdown.
        warm_up: whether to run the script once before the app is ready.
        max_sessions: the maximum number of sessions.
        log_format: text lines, or one JSON object a line.
        access_log: whether to log each request.
        streamlit_options: Streamlit's own options, as text: `{"server.maxUploadSize": "500"}`.
        on_ready: called with the start-up banner when the app listens; None prints it to stderr.
        stop: set it from any thread to stop the app as SIGTERM does, within a second.

    A setting that is None comes from the environment, the project file, Streamlit's
    configuration or the platform, in this order.

    Raises:
        UsageError: for an invalid value, or if this thread has a running event loop.
        StartError: if the machine or the app does not allow the start.
    """
    _refuse_running_loop()
    # Late: an app under another ASGI server needs none of it.
    from stlaunch.launcher.facts import gather_facts  # noqa: PLC0415
    from stlaunch.launcher.plan import plan_launch  # noqa: PLC0415
    from stlaunch.launcher.serve import serve  # noqa: PLC0415

    request = read_request(
        os.fspath(target),
        cwd=working_folder(),
        values=_texts(
            behind_proxy=behind_proxy,
            public_url=public_url,
            host=host,
            port=port,
            uds=uds,
            trusted_proxies=trusted_proxies,
            allow_origin=allow_origin,
            origin_check=origin_check,
            embed_in=embed_in,
            mount_path=mount_path,
            prefix=prefix,
            config_out=config_out,
            self_check=self_check,
            verify=verify,
            transport=transport,
            drain_timeout=drain_timeout,
            warm_up=warm_up,
            max_sessions=max_sessions,
            log_format=log_format,
            access_log=access_log,
        ),
        environ=os.environ,
        script_args=script_args,
        streamlit_flags=tuple((streamlit_options or {}).items()),
        self_check_token=self_check_token,
        is_call=True,
    )
    plan = plan_launch(request, gather_facts(request, os.environ))
    return serve(plan, on_ready=on_ready or _print, stop=stop)


def wrap_app(
    app: ASGIApp,
    *,
    behind_proxy: bool | str | Sequence[str] | None = None,
    public_url: str | None = None,
    trusted_proxies: str | Sequence[str] | None = None,
    allow_origin: str | Sequence[str] | None = None,
    origin_check: Literal["proof", "strict"] | None = None,
    embed_in: str | Sequence[str] | None = None,
    mount_path: str | Sequence[str] | None = None,
    prefix: Literal["auto", "kept", "stripped", "both"] | None = None,
    self_check: bool | Literal["public", "local", "token", "off"] | None = None,
    self_check_token: str | None = None,
    transport: Literal["auto", "websocket", "http"] | None = None,
    max_sessions: int | None = None,
    access_log: bool | None = None,
    environ: Mapping[str, str] | None = None,
) -> ASGIApp:
    """Make your own app work as under `stlaunch app.py`, with any ASGI server.

    `app` is an `st.App`, or a FastAPI or Starlette app with Streamlit mounted in it. Switch the
    server's own proxy headers off (`uvicorn --no-proxy-headers`): stlaunch reads them. It reads
    no `STLAUNCH_*` variables and no project file.

        app = stlaunch.wrap_app(st.App("app.py"), behind_proxy="/streamlitApp")

    Args:
        app: the app; Streamlit mounts are found, even if added later.
        behind_proxy: the public path or URL, or several; None: detected from requests.
        public_url: the address that the browser shows.
        trusted_proxies: the peers whose forwarding headers are trusted; None: loopback, and private
            ones in a container.
        allow_origin: other origins that may open the app's WebSocket.
        origin_check: how to accept a WebSocket whose Host a proxy rewrote; None: `proof`.
        embed_in: the origins that may show the app in a frame.
        mount_path: other paths under which requests may arrive.
        prefix: what the proxy does to the public path.
        self_check: who may use the diagnostic pages; True and None are `public`, False is `off`.
        self_check_token: for `self_check="token"`; None: stlaunch makes one, and logs it once.
        transport: how pages connect; None: `auto`.
        max_sessions: the maximum number of sessions; None: no limit.
        access_log: whether to log each request.
        environ: the variables to detect the platform from; None: this process's.

    Raises:
        UsageError: for an invalid value.
    """
    environ = os.environ if environ is None else environ
    values = _texts(
        behind_proxy=behind_proxy,
        public_url=public_url,
        trusted_proxies=trusted_proxies,
        allow_origin=allow_origin,
        origin_check=origin_check,
        embed_in=embed_in,
        mount_path=mount_path,
        prefix=prefix,
        self_check=self_check,
        transport=transport,
        max_sessions=max_sessions,
        access_log=access_log,
        # The port is the ASGI server's business: what depends on it is not known.
        port=0,
    )
    raw = read_settings(
        values=values, environ={}, project={}, self_check_token=self_check_token, is_call=True
    )
    user_options = streamlit_adapter.current_user_options()
    settings = resolve_settings(
        raw,
        user_options=user_options,
        hits=detect_platforms(environ, os.path.exists),
        environ=environ,
    )
    if settings.self_check.value is SelfCheck.TOKEN and settings.self_check_token is None:
        settings = replace(settings, self_check_token=new_self_check_token())
        logger.info("The self-check's token, shown once: %s", settings.self_check_token)
    known = settings.public_paths
    if known and streamlit_adapter.is_streamlit_app(app):
        streamlit_adapter.set_base_url_path(known[0])
    composition = composition_for(
        app,
        settings,
        paths=PublicPaths(
            known=known,
            mounts=settings.mount_path.value,
            is_learning=not known,
            rule=settings.prefix.value,
        ),
        user_options=user_options,
        environ=environ,
    )
    return compose(app, composition)


def _refuse_running_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(
        "launch() cannot run in a thread with a running event loop, such as a notebook's.",
        hint="Call it in a thread: threading.Thread(target=stlaunch.launch, args=['app.py'])",
    )


def _texts(
    **values: bool | float | str | os.PathLike[str] | Sequence[str] | None,
) -> dict[str, Sequence[str]]:
    """Return the values as on a command line, which the table of fields parses."""
    found: dict[str, Sequence[str]] = {}
    for name, value in values.items():
        match value:
            case None:
                continue
            case bool():
                found[name] = ["on" if value else "off"]
            case str() | int() | float() | os.PathLike():
                found[name] = [str(value)]
            case _:
                found[name] = [str(item) for item in value]
    return found


def _print(banner: str) -> None:
    with contextlib.suppress(OSError):  # a full disk under the log is no reason not to serve
        sys.stderr.write(banner + "\n")
