"""Execute a plan: write the configuration, load the app, listen, serve."""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from starlette.types import ASGIApp

from stlaunch import streamlit_adapter
from stlaunch.errors import StartError
from stlaunch.gateway.compose import compose
from stlaunch.gateway.composition import Composition, composition_for
from stlaunch.gateway.selfcheck.access import new_self_check_token
from stlaunch.launcher.learned_paths import (
    Debounced,
    read_learned,
    write_learned,
)
from stlaunch.launcher.lifecycle import Lifecycle
from stlaunch.launcher.plan import LaunchPlan, plan_again
from stlaunch.launcher.render import render_banner
from stlaunch.launcher.verify import report_verdict
from stlaunch.log import configure
from stlaunch.process.heaps import share_heaps
from stlaunch.process.open_files import allow_many_open_files
from stlaunch.server.listener import Listener, bind_tcp, bind_unix
from stlaunch.server.serve import serve as run_server
from stlaunch.settings.model import LogFormat, SelfCheck
from stlaunch.storage.state_folder import check_is_ours, claim_state, write_config
from stlaunch.storage.state_roots import own_part_of
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import PublicPaths

logger = logging.getLogger(__name__)

_MAX_SHOWN = 8


def serve(
    plan: LaunchPlan,
    *,
    on_ready: Callable[[str], None],
    stop: threading.Event | None = None,
    is_own_process: bool = False,
    is_replica: bool = False,
) -> int:
    """Run the app until it is stopped; return the exit code.

    Args:
        plan: see `plan_launch`.
        on_ready: called with the banner when the app listens.
        stop: stops the app when set.
        is_own_process: whether the process is ours to control: its heaps, its limit on open
            files, and its end, including its children, at a second signal.
        is_replica: whether other instances serve the same public URL.

    Raises:
        StartError: if the port, the file system or the app fails.
    """
    _configure_log(plan)
    if is_own_process:
        allow_many_open_files()
        share_heaps()
    if plan.facts.state and not claim_state(plan.facts.state, plan.facts.environ):
        plan = plan.without_state()
    settings = plan.settings
    is_new_token = settings.self_check.value is SelfCheck.TOKEN and not settings.self_check_token
    if is_new_token:
        plan = plan.with_token(new_self_check_token())
    if settings.uds.value:
        listener = bind_unix(settings.uds.value)
    else:
        is_any_family = not settings.host.is_chosen
        listener = bind_tcp(settings.host.value, settings.port.value, is_any_family=is_any_family)
    try:
        plan, wrapped, composition = _load(plan, listener)
    except BaseException:
        listener.close()
        raise
    for warning in plan.warnings:
        logger.warning("%s", warning)
    _say_where_the_config_is(plan)
    tls = streamlit_adapter.tls_files()
    life = Lifecycle(
        plan.settings,
        composition,
        state=plan.facts.state,
        url=_own_url(plan, listener, is_tls=tls is not None),
        public_url=str(plan.settings.public_url.value or ""),
    )
    banner = render_banner(plan, listener.name, shows_token=is_new_token)

    def begin() -> None:
        streamlit_adapter.parse_metadata_as_usual()
        streamlit_adapter.report_misfits(streamlit_adapter.TOUCHES)
        life.begin()
        on_ready(banner)
        _verify(plan, "" if is_replica else composition.instance.id, composition)

    try:
        return run_server(
            wrapped,
            listener,
            websocket=streamlit_adapter.websocket_options(),
            tls=tls,
            on_ready=begin,
            on_stop=life.end,
            stop=stop,
            is_own_process=is_own_process,
        )
    finally:
        life.forget()


def _configure_log(plan: LaunchPlan) -> None:
    as_json = plan.settings.log_format.value is LogFormat.JSON
    handler = configure(as_json=as_json)
    if as_json or "logger.messageFormat" not in plan.user_options:
        streamlit_adapter.log_through(handler)


def _load(plan: LaunchPlan, listener: Listener) -> tuple[LaunchPlan, ASGIApp, Composition]:
    """Write the configuration, load the app and wrap it; return the final plan with them."""
    if listener.port is not None and listener.port != plan.settings.port.value:
        plan = plan_again(plan, port=listener.port, takes_base_path=plan.facts.takes_base_path)
    plan = _write(plan)
    script = plan.facts.script
    streamlit_adapter.apply_options(script, plan.streamlit_options)
    app = streamlit_adapter.load_app(
        script=script,
        import_string=plan.facts.import_string,
        args=plan.request.script_args,
        options=plan.streamlit_options,
    )
    plan = _check_base_path(
        plan, port=listener.port, is_streamlit=streamlit_adapter.is_streamlit_app(app)
    )
    paths = PublicPaths(
        known=plan.settings.public_paths,
        mounts=plan.settings.mount_path.value,
        is_learning=plan.settings.is_behind_proxy,
        rule=plan.settings.prefix.value,
    )
    if paths.is_learning and not paths.known:
        paths.learned.restore(read_learned(plan.facts.state))
        paths.learned.on_change = Debounced(lambda learned: _keep(plan, learned))
    composition = composition_for(
        app,
        plan.settings,
        paths=paths,
        user_options=plan.user_options,
        environ=plan.facts.environ,
    )
    return plan, compose(app, composition), composition


def _own_url(plan: LaunchPlan, listener: Listener, *, is_tls: bool) -> str:
    """Return the app's address on this machine."""
    paths, bound = plan.settings.public_paths, plan.settings.host.value
    base = paths[0].with_slash if paths else "/"
    if listener.uds is not None:
        return f"unix:{listener.uds.absolute()}:{base}"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(bound, bound)
    shown = f"[{host}]" if ":" in host else host
    return f"{'https' if is_tls else 'http'}://{shown}:{listener.port}{base}"


def _verify(plan: LaunchPlan, instance: str, composition: Composition) -> None:
    url = plan.settings.public_url.value
    if plan.settings.verify.value and url is not None:
        # In a thread: the probe talks to this very server, whose event loop must stay free.
        threading.Thread(
            target=report_verdict,
            args=(str(url), instance, composition.access_policy.own_key),
            name="verify",
            daemon=True,
        ).start()


def _write(plan: LaunchPlan) -> LaunchPlan:
    if plan.config_file is None:
        return plan
    if plan.config_file == plan.settings.config_out.value:
        check_is_ours(plan.config_file)
    try:
        read_back = write_config(plan.config_file, plan.options)
    except StartError:
        if plan.settings.config_out.value is not None:
            raise
        return replace(plan, config_file=None)
    return replace(plan, options=read_back)


def _say_where_the_config_is(plan: LaunchPlan) -> None:
    """Log where config.toml is, unless it is in its usual place."""
    if plan.config_file is None:
        logger.info("config.toml is in memory: no private folder is writable.")
    elif Path(own_part_of(tempfile.gettempdir())) in plan.config_file.parents:
        logger.info("config.toml is in a temporary folder: %s", plan.config_file)


def _check_base_path(plan: LaunchPlan, *, port: int | None, is_streamlit: bool) -> LaunchPlan:
    """Decide again if the app is not of the kind that its source suggested."""
    if is_streamlit == plan.facts.takes_base_path:
        return plan
    plan = _write(plan_again(plan, port=port, takes_base_path=is_streamlit))
    streamlit_adapter.apply_options(plan.facts.script, plan.streamlit_options)
    return plan


def _keep(plan: LaunchPlan, learned: tuple[BasePath, ...]) -> None:
    write_learned(plan.facts.state, learned)
    shown = ", ".join(path.with_slash for path in learned[:_MAX_SHOWN])
    logger.info("The app was reached under %s; /_stlaunch/check lists the paths.", shown)
