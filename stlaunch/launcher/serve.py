"""Carry out a plan: write the configuration, load the app, listen, serve."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from stlaunch import server, streamlit_adapter
from stlaunch.asgi import Composition, compose, composition_for, new_self_check_token
from stlaunch.base_path import BasePath
from stlaunch.exceptions import StartError
from stlaunch.launcher.drain import drain
from stlaunch.launcher.plan import LaunchPlan, plan_again
from stlaunch.launcher.render import render_banner
from stlaunch.launcher.state import read_learned, write_config, write_learned
from stlaunch.launcher.verify import report_verdict
from stlaunch.log import configure
from stlaunch.public_paths import PublicPaths
from stlaunch.settings.model import SelfCheck

logger = logging.getLogger(__name__)


def serve(
    plan: LaunchPlan, *, on_ready: Callable[[str], None], is_own_process: bool = False
) -> int:
    """Run the app until it is stopped; return the exit code.

    Args:
        plan: see `plan_launch`.
        on_ready: called with the banner when the app listens.
        is_own_process: whether a second signal may end the process, and its children, at once.

    Raises:
        StartError: where the port, the file system or the app refuses.
    """
    configure()
    given_token = plan.settings.self_check_token
    if plan.settings.self_check is SelfCheck.TOKEN and given_token is None:
        settings = replace(plan.settings, self_check_token=new_self_check_token())
        plan = replace(plan, settings=settings)
    decisions = plan.decisions
    uds = decisions.uds
    listener = server.bind_unix(uds) if uds else server.bind_tcp(decisions.host, decisions.port)
    try:
        if listener.port is not None and listener.port != decisions.port:
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
        wrapped = compose(app, composition)
    except BaseException:
        listener.close()
        raise
    for warning in plan.warnings:
        logger.warning("%s", warning)
    banner = render_banner(plan, listener.name, shows_token=given_token is None)
    return server.serve(
        wrapped,
        listener,
        websocket=streamlit_adapter.websocket_options(),
        tls=streamlit_adapter.tls_files(),
        on_ready=lambda: _ready(plan, composition, on_ready, banner),
        on_stop=partial(
            drain,
            composition.readiness,
            composition.tunnels,
            timeout_s=plan.settings.drain_timeout_s,
        ),
        is_own_process=is_own_process,
    )


def _ready(
    plan: LaunchPlan, composition: Composition, on_ready: Callable[[str], None], banner: str
) -> None:
    on_ready(banner)
    url = plan.settings.public_url
    if plan.settings.verify and url is not None:
        # A thread: the probe talks to this very server, whose event loop must stay free.
        threading.Thread(
            target=report_verdict,
            args=(str(url), composition.instance.id, composition.gate.own_key),
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
