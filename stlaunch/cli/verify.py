"""`stlaunch proxy --verify`: wait until the app answers through the proxy, then check it.

It starts nothing; `stlaunch.check` observes and evaluates.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import ssl
import sys
import time

import anyio
import click

from stlaunch.check.diagnosis import Diagnosis, Verdict, diagnose
from stlaunch.check.formats.text import render_text
from stlaunch.check.observations import Observations
from stlaunch.check.observe import observe
from stlaunch.check.options import CheckOptions
from stlaunch.check.target import Target
from stlaunch.cli.errors import has_colour, text_width
from stlaunch.cli.this_machine import FOR_INSIDERS
from stlaunch.errors import ExitCode
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.origin import HostPort
from stlaunch.urls.streamlit_routes import SELF_CHECK

_POLL_S = 1.0
_AGAIN_S = 3.0
_ANSWER_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What is verified, and for how long.

    Attributes:
        url: the public URL.
        reload: the command that puts the configuration in force; empty where there is none.
        connect_to: dial this instead of the URL's host.
        is_insecure: go on although the certificate is not trusted.
        wait_s: give up after this time.
    """

    url: str
    reload: str = ""
    connect_to: str = ""
    is_insecure: bool = False
    wait_s: float = 600.0


def wait_and_check(asked: Verification) -> ExitCode:
    """Wait, check, and report PASS or what is still wrong, again after each change, until PASS.

    Raises:
        UsageError: for a URL that cannot be checked.
    """
    target = Target.parse(asked.url, connect_to=asked.connect_to)
    options = CheckOptions(target=target, is_insecure=asked.is_insecure)
    deadline = time.monotonic() + asked.wait_s
    then = f", then: {asked.reload}" if asked.reload else ""
    click.echo(f"Install it{then}\nWaiting for {asked.url} (Ctrl-C to stop) ...", err=True)
    while not _answers(target):
        if time.monotonic() > deadline:
            click.echo(
                f"No answer from the app at {asked.url} within {asked.wait_s:g} s.", err=True
            )
            return ExitCode.NO_VERDICT
        time.sleep(_POLL_S)
    reported: set[str] | None = None
    while True:
        seen, diagnosis = _check(options)
        if diagnosis.verdict is Verdict.HEALTHY:
            click.echo(f"PASS {asked.url}", err=True)
            return ExitCode.OK
        codes = {finding.code for finding in diagnosis.findings}
        if codes != reported:
            click.echo(
                render_text(
                    seen,
                    diagnosis,
                    is_coloured=has_colour(os.environ, sys.stderr),
                    width=text_width(sys.stderr),
                ),
                err=True,
            )
            click.echo("Checking again until it passes (Ctrl-C to stop) ...", err=True)
            reported = codes
        if time.monotonic() > deadline:
            still = ", ".join(sorted(codes)) or str(diagnosis.verdict)
            click.echo(f"Still wrong after {asked.wait_s:g} s: {still}", err=True)
            is_known = diagnosis.verdict is not Verdict.UNKNOWN
            return ExitCode.FINDINGS if is_known else ExitCode.NO_VERDICT
        time.sleep(_AGAIN_S)


def _check(options: CheckOptions) -> tuple[Observations, Diagnosis]:
    """The one place where the check is run."""
    seen = anyio.run(observe, options)
    return seen, diagnose(seen, skip=FOR_INSIDERS)


def _answers(target: Target) -> bool:
    """Return whether an app launched by stlaunch answers through the proxy, whatever its state."""
    origin = target.origin
    place = target.connect_to or HostPort(origin.host, origin.port)
    port = place.port or origin.port
    context = ssl.create_default_context()
    # Whether the certificate can be trusted is the check's business.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    connection = (
        http.client.HTTPSConnection(place.host, port, timeout=_ANSWER_S, context=context)
        if origin.scheme == "https"
        else http.client.HTTPConnection(place.host, port, timeout=_ANSWER_S)
    )
    with contextlib.closing(connection):
        try:
            path = f"{target.base_path}{SELF_CHECK}/health"
            connection.request("GET", path, headers={"Host": str(origin.place)})
            return connection.getresponse().status == http.client.OK
        except (OSError, http.client.HTTPException):
            return False
