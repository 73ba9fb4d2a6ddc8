"""`stlaunch replicas`: plan one instance, and let the supervisor run several."""

from __future__ import annotations

import json
import os
import re
import secrets
import sys
from typing import TYPE_CHECKING

import click

from stlaunch import streamlit_adapter
from stlaunch.cli.app_command import request_of
from stlaunch.cli.arguments import split_arguments
from stlaunch.cli.errors import say
from stlaunch.cli.run import IS_INSTANCE, run_command
from stlaunch.errors import ExitCode, UsageError
from stlaunch.log import configure
from stlaunch.process.unix import require_unix
from stlaunch.proxies.ports import free_port
from stlaunch.replicas import ReplicasPlan, Supervisor
from stlaunch.settings.fields import SELF_CHECK_TOKEN
from stlaunch.settings.model import LogFormat, SelfCheck
from stlaunch.urls.origin import HostPort

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stlaunch.cli.arguments import Arguments
    from stlaunch.launcher.plan import LaunchPlan

_MAX = 64
_SECRET = "STREAMLIT_SERVER_COOKIE_SECRET"  # noqa: S105 - a name
_HEADER_NAME = re.compile("[A-Za-z0-9_-]+")
# The balancer's; an instance listens on a socket, and trusts only the balancer.
_NOT_FOR_INSTANCES = ("--host", "--port", "--trusted-proxies")


def instance_words(given: Arguments, trusted: str) -> list[str]:
    """Return an instance's words after `stlaunch`, without its socket.

    Args:
        given: the words after `stlaunch replicas N`, sorted.
        trusted: the balancer's trusted proxies; what it passes on came through them.
    """
    kept: list[str] = []
    words = iter(given.own)
    for word in words:
        if word in _NOT_FOR_INSTANCES:
            next(words)
        elif word.partition("=")[0] not in _NOT_FOR_INSTANCES:
            kept.append(word)
    names = [name for name in trusted.split(", ") if name not in {"none", "unix"}]
    flags = [f"--{name}={value}" for name, value in given.streamlit_flags]
    script_args = ["--", *given.script_args] if given.script_args else []
    return [*kept, *flags, "--trusted-proxies", ",".join(["unix", *names]), *script_args]


def make_plan(count: int, given: Arguments, launch: LaunchPlan) -> ReplicasPlan:
    """Return what to run, from the plan of a single launch.

    The secret that signs cookies is the user's where there is one, else a new one; the instances
    get it in their environment, which other users cannot read, like the self-check's token.
    """
    instances = dict(launch.facts.environ)
    for name in ("STLAUNCH_HOST", "STLAUNCH_PORT", "STLAUNCH_UDS", "STLAUNCH_TRUSTED_PROXIES"):
        instances.pop(name, None)
    instances[IS_INSTANCE] = "1"
    if launch.settings.self_check_token is not None:
        instances[SELF_CHECK_TOKEN] = launch.settings.self_check_token
    if "server.cookieSecret" not in launch.user_options and not instances.get(_SECRET):
        instances[_SECRET] = secrets.token_hex(32)
    port = launch.settings.port.value or free_port()
    return ReplicasPlan(
        count=count,
        command=[sys.executable, "-P", "-m", "stlaunch", "run"],
        words=instance_words(given, str(launch.settings.trusted_proxies.value)),
        environ=instances,
        listen=HostPort(launch.settings.host.value, port),
        trusted=launch.settings.trusted_proxies.value,
        identity_headers=_identity_headers(launch),
        app=str(launch.facts.script),
        drain_s=launch.settings.drain_timeout.value,
    )


class _ReplicasCommand(click.Command):
    """N, then the words of a run command, which that command parses."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args or args[0] in {"-h", "--help"}:
            return super().parse_args(ctx, args)
        ctx.params["count"] = _parse_count(args[0])
        ctx.params["words"] = args[1:]
        return []


@click.command(
    "replicas",
    cls=_ReplicasCommand,
    short_help="Run several instances of an app behind a load balancer.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    options_metavar="",
    epilog="Example: stlaunch replicas 4 app.py --behind-proxy /streamlitApp",
)
@click.argument("count", metavar="N")
@click.argument("words", metavar="[OPTIONS] [APP] ...", nargs=-1)
def replicas(count: int, words: Sequence[str]) -> int:
    """Run N instances of APP on this machine behind HAProxy; each browser stays on one of them.

    All options of `stlaunch APP` work here; HAProxy listens on --host and --port. Install it with
    stlaunch[replicas].

    An instance that dies is restarted. SIGHUP restarts all of them one by one, each new one
    before its predecessor drains. SIGTERM and Ctrl-C drain them all; the second one kills them.
    """
    require_unix("stlaunch replicas", instead="Run one app: stlaunch app.py; or use Linux, or WSL.")
    # Streamlit comes in.
    from stlaunch.gateway.selfcheck.access import new_self_check_token  # noqa: PLC0415
    from stlaunch.launcher.facts import gather_facts  # noqa: PLC0415
    from stlaunch.launcher.plan import plan_launch  # noqa: PLC0415
    from stlaunch.launcher.render import render_banner, render_plan  # noqa: PLC0415

    with run_command.make_context("stlaunch replicas N", list(words)) as ctx:
        request = request_of(ctx, ctx.params["app"])
        is_dry, as_json = ctx.params["dry_run"], ctx.params["json"]
    launch = plan_launch(request, gather_facts(request, os.environ))
    settings = launch.settings
    if settings.uds.value is not None and settings.uds.is_chosen:
        raise UsageError(
            f"{settings.uds.where}: replicas need an address and a port.",
            hint="Use --host and --port; each instance gets its own Unix socket.",
        )
    is_token = settings.self_check.value is SelfCheck.TOKEN
    is_new_token = is_token and settings.self_check_token is None
    if is_new_token:
        launch = launch.with_token(new_self_check_token())
    _refuse_tls(launch)
    plan = make_plan(count, split_arguments(words), launch)
    if is_dry:
        print(_render(plan, render_plan(launch, as_json), as_json))
        return ExitCode.OK
    configure(as_json=settings.log_format.value is LogFormat.JSON)
    banner = render_banner(
        launch,
        f"http://{plan.listen}",
        shows_token=is_new_token,
        more=[
            ("instances", f"{plan.count} behind HAProxy"),
            ("restart them", f"kill -HUP {os.getpid()}, one by one"),
        ],
    )
    return Supervisor(plan).run(on_ready=lambda: say(sys.stderr, f"{banner}\n"))


def _parse_count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= _MAX):
        raise UsageError(
            f"The number of replicas must be 1 to {_MAX}, not {text!r}.",
            hint="Write it first: stlaunch replicas 4 app.py --behind-proxy /streamlitApp",
        )
    return int(text)


def _identity_headers(launch: LaunchPlan) -> list[str]:
    option = launch.user_options.get("server.trustedUserHeaders")
    names = sorted(streamlit_adapter.header_names(option.value if option else None))
    for name in names:
        if not _HEADER_NAME.fullmatch(name):
            raise UsageError(
                f"server.trustedUserHeaders names {name!r}, which the load balancer cannot remove.",
                hint="Use a header name of letters, digits, - and _.",
            )
    return names


def _refuse_tls(launch: LaunchPlan) -> None:
    given = launch.user_options.get("server.sslCertFile")
    if given and given.value:
        raise UsageError(
            f"server.sslCertFile ({given.where}) makes each instance speak https, but the load "
            "balancer in front of them speaks http.",
            hint="Remove it, and use https on the proxy in front.",
        )


def _render(plan: ReplicasPlan, instance: str, as_json: bool) -> str:
    if as_json:
        document = {
            "schema": "stlaunch.replicas/1",
            "version": 1,
            "replicas": plan.count,
            "listen": {"host": plan.listen.host, "port": plan.listen.port},
            "instance": json.loads(instance),
        }
        return json.dumps(document, indent=2)
    return (
        f"{plan.count} instances on Unix sockets, behind HAProxy on http://{plan.listen}\n"
        f"Each of them: stlaunch {' '.join(plan.words)} --uds FILE\n\n{instance}"
    )
