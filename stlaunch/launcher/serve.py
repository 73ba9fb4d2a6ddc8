"""Carry out a plan: write the configuration, load the app, listen, serve."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace

from starlette.types import ASGIApp

from stlaunch import streamlit_adapter
from stlaunch.errors import StartError
from stlaunch.gateway.compose import Composition, compose, composition_for, new_self_check_token
from stlaunch.launcher.learned_paths import read_learned, write_learned
from stlaunch.launcher.lifecycle import Lifecycle
from stlaunch.launcher.plan import LaunchPlan, plan_again
from stlaunch.launcher.render import render_banner
from stlaunch.launcher.verify import report_verdict
from stlaunch.log import configure
from stlaunch.process.heaps import share_heaps
from stlaunch.process.open_files import allow_many_open_files
from stlaunch.server.listener import Listener, bind_tcp, bind_unix
from stlaunch.server.serve import serve as run_server
from stlaunch.settings.model import LogFormat, SelfCheck, SourceKind
from stlaunch.storage.state_folder import write_config
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import PublicPaths

logger = logging.getLogger(__name__)


def serve(
    plan: LaunchPlan, *, on_ready: Callable[[str], None], is_own_process: bool = False
) -> int:
    """Run the app until it is stopped; return the exit code.

    Args:
        plan: see `plan_launch`.
        on_ready: called with the banner when the app listens.
        is_own_process: whether the process is ours: its heaps and garbage collector, its limit on
            open files, and its end, with its children, at a second signal.

    Raises:
        StartError: where the port, the file system or the app refuses.
    """
    _configure_log(plan)
    if is_own_process:
        allow_many_open_files()
        share_heaps()
    given_token = plan.settings.self_check_token
    if plan.settings.self_check is SelfCheck.TOKEN and given_token is None:
        settings = replace(plan.settings, self_check_token=new_self_check_token())
        plan = replace(plan, settings=settings)
    decisions = plan.decisions
    uds = decisions.uds
    if uds:
        listener = bind_unix(uds)
    else:
        is_asked = decisions.sources["host"].kind not in {SourceKind.PLATFORM, SourceKind.DEFAULT}
        listener = bind_tcp(decisions.host, decisions.port, is_any_family=not is_asked)
    try:
        plan, wrapped, composition = _load(plan, listener)
    except BaseException:
        listener.close()
        raise
    for warning in plan.warnings:
        logger.warning("%s", warning)
    tls = streamlit_adapter.tls_files()
    life = Lifecycle(
        plan.settings,
        composition,
        state=plan.state,
        url=_own_url(plan, listener, is_tls=tls is not None),
        public_url=str(plan.decisions.public_url or ""),
        is_own_process=is_own_process,
    )
    banner = render_banner(plan, listener.name, shows_token=given_token is None)

    def begin() -> None:
        life.begin()
        on_ready(banner)
        _verify(plan, composition)

    try:
        return run_server(
            wrapped,
            listener,
            websocket=streamlit_adapter.websocket_options(),
            tls=tls,
            on_ready=begin,
            on_stop=life.end,
            is_own_process=is_own_process,
        )
    finally:
        life.forget()


def _configure_log(plan: LaunchPlan) -> None:
    as_json = plan.settings.log_format is LogFormat.JSON
    handler = configure(as_json=as_json)
    if as_json or "logger.messageFormat" not in plan.user_options:
        streamlit_adapter.log_through(handler)


def _load(plan: LaunchPlan, listener: Listener) -> tuple[LaunchPlan, ASGIApp, Composition]:
    """Write the configuration, load the app and wrap it; return the plan as it came out."""
    if listener.port is not None and listener.port != plan.decisions.port:
        plan = plan_again(plan, port=listener.port, takes_base_path=plan.takes_base_path)
    plan = _write(plan)
    streamlit_adapter.apply_options(plan.streamlit_options)
    app = streamlit_adapter.load_app(
        script=plan.script,
        import_string=plan.import_string,
        args=plan.settings.script_args,
        options=plan.streamlit_options,
    )
    plan = _settle_base_path(plan, is_streamlit=streamlit_adapter.is_streamlit_app(app))
    paths = PublicPaths(
        known=plan.decisions.public_paths,
        mounts=plan.decisions.mount_paths,
        is_learning=plan.decisions.is_behind_proxy,
    )
    if paths.is_learning and not paths.known:
        paths.learned.restore(read_learned(plan.state))
        paths.learned.on_change = lambda learned: _keep(plan, learned)
    composition = composition_for(
        app,
        plan.settings,
        paths=paths,
        user_options=plan.user_options,
        trusted=plan.decisions.trusted,
        public_url=plan.decisions.public_url,
        is_embedded=plan.decisions.is_embedded,
    )
    return plan, compose(app, composition), composition


def _own_url(plan: LaunchPlan, listener: Listener, *, is_tls: bool) -> str:
    """Return the address at which this machine reaches the app."""
    paths = plan.decisions.public_paths
    base = paths[0].with_slash if paths else "/"
    if listener.uds is not None:
        return f"unix:{listener.uds.absolute()}:{base}"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(plan.decisions.host, plan.decisions.host)
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if is_tls else 'http'}://{shown}:{listener.port}{base}"


def _verify(plan: LaunchPlan, composition: Composition) -> None:
    url = plan.decisions.public_url
    if plan.settings.verify and url is not None:
        # A thread: the probe talks to this very server, whose event loop must stay free.
        threading.Thread(
            target=report_verdict,
            args=(str(url), composition.instance.id, composition.access_policy.own_key),
            name="verify",
            daemon=True,
        ).start()


def _write(plan: LaunchPlan) -> LaunchPlan:
    if plan.config_file is None:
        return plan
    try:
        read_back = write_config(plan.config_file, plan.decisions.options)
    except StartError:
        if plan.settings.config_out is not None:
            raise
        return replace(plan, config_file=None)  # the banner says so
    return replace(plan, decisions=replace(plan.decisions, options=read_back))


def _settle_base_path(plan: LaunchPlan, *, is_streamlit: bool) -> LaunchPlan:
    """Decide again where the app turned out to be of another kind than its source looked like."""
    if is_streamlit == plan.takes_base_path:
        return plan
    plan = _write(plan_again(plan, port=plan.decisions.port, takes_base_path=is_streamlit))
    streamlit_adapter.apply_options(plan.streamlit_options)
    return plan


def _keep(plan: LaunchPlan, learned: tuple[BasePath, ...]) -> None:
    write_learned(plan.state, learned)
    shown = ", ".join(path.with_slash for path in learned)
    logger.info("The app was reached under %s; /_stlaunch/check lists the paths.", shown)
