"""`stlaunch demo`: the example app behind a real proxy, both ended together.

It owns the two child processes; `stlaunch.proxies` writes the proxy's configuration.
"""

from __future__ import annotations

import contextlib
import http.client
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stlaunch.errors import ExitCode, StartError, UsageError
from stlaunch.process.answers import answers_ok
from stlaunch.process.unix import require_unix
from stlaunch.proxies.demo_plan import plan_proxy
from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import ProxyPlan, ProxySetup, ProxySite
from stlaunch.proxies.ports import check_port_is_free, free_port
from stlaunch.proxies.process import ProxyProcess, end_process_group, has_ended
from stlaunch.proxies.starting import find_binary, startable
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort
from stlaunch.urls.streamlit_routes import HEALTH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

DEMO_APP = Path(__file__).parent.parent / "demo" / "streamlit_app.py"

_BASE_PATH = BasePath("/streamlitApp")
_LOOPBACK = "127.0.0.1"
_DEFAULT_PORT = 8080
_START_DEADLINE_S = 60.0
_POLL_S = 0.1


def run_demo(
    proxy: Product, setup: str, keep_prefix: bool, port: int, *, app: Path | None = None
) -> int:
    """Run the app and a proxy in front of it until Ctrl-C or SIGTERM; return the exit code.

    Whatever ends it, both processes and the proxy's directory are gone afterwards.

    Args:
        proxy: the proxy, from its wheel.
        setup: a value of `ProxySetup`.
        keep_prefix: the proxy forwards `/streamlitApp` instead of stripping it.
        port: the proxy's port on localhost.
        app: another script than the example app.

    Raises:
        UsageError: for a setup that this proxy does not have.
        StartError: if the port is taken, the wheel is missing, or one of the two processes ends;
            on Windows.
    """
    require_unix(
        "stlaunch demo", instead="Run your app with stlaunch app.py, behind a proxy of your own."
    )
    script = app or DEMO_APP
    app_port = free_port()
    site = ProxySite(
        listen=HostPort(_LOOPBACK, port),
        upstream=HostPort(_LOOPBACK, app_port),
        base_path=_BASE_PATH,
        keep_prefix=keep_prefix,
    )
    plan = plan_proxy(proxy, _parse_setup(setup), site)
    binary = find_binary(proxy)
    # A browser tries ::1 first for localhost: it would show any other server there.
    check_port_is_free(port, _LOOPBACK, "::1")
    with (
        _caught_signals() as caught,
        _child(app_command(script, app_port)) as app_process,
        ProxyProcess(plan, binary, should_stop=caught.any) as proxy_process,
    ):
        deadline = time.monotonic() + _START_DEADLINE_S
        is_served = False
        while not caught.any():
            _raise_if_ended(app_process, proxy_process)
            if not is_served and (is_served := _serves_app(site)):
                block = render_block(plan, setup, proxy_process.config_path, script)
                click.echo(block, err=True)
            if not is_served and time.monotonic() > deadline:
                raise StartError(f"The app was not reachable within {_START_DEADLINE_S:.0f} s.")
            time.sleep(_POLL_S)
    return caught.exit_code


def app_command(script: Path, port: int) -> list[str]:
    """Return the command line that a user would type for the app behind this proxy."""
    # -P: the folder that the demo is started in must not shadow any module.
    options = ["--behind-proxy", str(_BASE_PATH), "--host", _LOOPBACK, "--port", str(port)]
    return [sys.executable, "-P", "-m", "stlaunch", str(script), *options]


def render_block(plan: ProxyPlan, setup: str, config_path: Path, script: Path) -> str:
    """Return what the newcomer reads: what runs where, and what to open."""
    prefix = "keeps" if plan.site.keep_prefix else "strips"
    return f"""
  stlaunch demo

    Open        http://localhost:{plan.site.listen.port}{_BASE_PATH.with_slash}

    {plan.name:<11} {plan.site.listen}, setup "{setup}", {prefix} {_BASE_PATH}
                {config_path}
    app         {plan.site.upstream}
                {script}

    Ctrl-C stops both.
"""


@dataclass(slots=True)
class _CaughtSignals:
    """The first signal that asked for the end; a plain flag, safe to set in a handler."""

    first: int | None = None

    def any(self) -> bool:
        return self.first is not None

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.INTERRUPTED if self.first == signal.SIGINT else ExitCode.OK

    def catch(self, number: int, _frame: FrameType | None) -> None:
        self.first = self.first or number


@contextlib.contextmanager
def _caught_signals() -> Iterator[_CaughtSignals]:
    """Catch instead of raise: an exception between fork and assignment would leave a child."""
    caught = _CaughtSignals()
    numbers = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    before = {number: signal.signal(number, caught.catch) for number in numbers}
    try:
        yield caught
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def _child(command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(  # noqa: S603 - our own command line
        command, stdin=subprocess.DEVNULL, process_group=0
    )
    try:
        yield process
    finally:
        end_process_group(process)


def _raise_if_ended(app_process: subprocess.Popen[bytes], proxy_process: ProxyProcess) -> None:
    if has_ended(app_process):
        raise StartError(
            f"The app ended with exit code {end_process_group(app_process)}.",
            hint="See its output above.",
        )
    proxy_process.raise_if_ended()


def _serves_app(site: ProxySite) -> bool:
    """Return whether the app is healthy, through the proxy too.

    The app is asked first, so that the proxy's log does not begin with its absence.
    """
    return _is_healthy(site.upstream) and _is_healthy(site.listen)


def _is_healthy(place: HostPort) -> bool:
    connection = http.client.HTTPConnection(place.host, place.port, timeout=2)
    return answers_ok(connection, f"{_BASE_PATH}{HEALTH}")


def _parse_setup(text: str) -> ProxySetup:
    try:
        return ProxySetup(text)
    except ValueError as exc:
        raise UsageError(
            f"There is no proxy setup {text!r}.", hint=f"Known: {', '.join(ProxySetup)}."
        ) from exc


@click.command(
    "demo",
    short_help="Try the example app behind a real proxy.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: stlaunch demo --proxy caddy --keep-prefix",
)
@click.option(
    "--proxy",
    type=click.Choice([str(kind) for kind in startable()]),
    default=str(Product.NGINX),
    show_default=True,
    help="The proxy; its binary comes with stlaunch[demo].",
)
@click.option(
    "--setup",
    type=click.Choice([str(setup) for setup in ProxySetup]),
    default=str(ProxySetup.RECOMMENDED),
    show_default=True,
    help="blog: only the path. three-lines: the path and the upgrade, without Host. "
    "recommended: what stlaunch proxy writes.",
)
@click.option("--keep-prefix", is_flag=True, help="Keep /streamlitApp in the path.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=_DEFAULT_PORT,
    show_default=True,
    help="The proxy's port on localhost.",
)
def demo(proxy: str, setup: str, keep_prefix: bool, port: int) -> int:
    """Show the example app behind a real reverse proxy at http://localhost:8080/streamlitApp/."""
    return run_demo(Product(proxy), setup, keep_prefix, port)
