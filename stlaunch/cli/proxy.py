"""`stlaunch proxy KIND`: print a reverse proxy's configuration for this app.

It reads the command line and writes; what goes into a configuration is decided in
`stlaunch.proxies.configuration`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import click

from stlaunch.errors import ExitCode, StartError, UsageError
from stlaunch.platforms import Hit, detect_platforms
from stlaunch.process.working_folder import working_folder
from stlaunch.proxies.app_facts import AppFacts, read_app_facts
from stlaunch.proxies.configuration import KINDS, Configuration, generate, public_url_of
from stlaunch.proxies.model import Kind, recipe
from stlaunch.proxies.site_options import Asked, plan_site
from stlaunch.settings.model import Settings
from stlaunch.settings.project import read_project
from stlaunch.settings.read import read_settings
from stlaunch.settings.resolve import resolve_settings
from stlaunch.settings.suggestion import did_you_mean
from stlaunch.settings.target import DEFAULT_SCRIPT, resolve_target
from stlaunch.storage.atomic_write import FOR_ALL, write_atomic
from stlaunch.storage.state_roots import home_folder
from stlaunch.urls.base_path import BasePath

_EPILOG = """\
\b
KIND is one of:
  {kinds}

\b
Examples:
  stlaunch proxy nginx app.py --public-url https://example.com/streamlitApp
  stlaunch proxy caddy --public-url https://example.com/app -o Caddyfile
  stlaunch proxy apache --public-url https://example.com/app --security-headers
  stlaunch proxy haproxy --replicas 10.0.0.1:8501,10.0.0.2:8501 --explain
""".format(kinds="\n  ".join(f"{kind.name:<19} {kind.title}" for kind in KINDS.values()))


def _complete_kind(_ctx: click.Context, _param: click.Parameter, text: str) -> list[str]:
    return [name for name in KINDS if name.startswith(text)]


@click.command(
    "proxy",
    short_help="Write the configuration of a reverse proxy.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog=_EPILOG,
)
@click.argument("kind", shell_complete=_complete_kind)
@click.argument("app", required=False)
@click.option(
    "--public-url",
    metavar="URL|PATH",
    help="What the browser shows: https://example.com/streamlitApp, or /streamlitApp alone. "
    "Default: what the project's settings say.",
)
@click.option(
    "--upstream", metavar="HOST:PORT", help="Where the app listens. Default: this machine."
)
@click.option(
    "--replicas", metavar="LIST", help="Several addresses instead, host:port separated by commas."
)
@click.option("--tls", metavar="CERT,KEY", help="The certificate file and its key file.")
@click.option(
    "--keep-prefix/--strip-prefix",
    default=True,
    help="Forward the path unchanged (default), or strip the public path; stlaunch serves both.",
)
@click.option(
    "--self-check-from",
    metavar="LIST",
    help="Addresses and networks that may open the diagnostic pages and metrics, or none. "
    "Default: the proxy's own machine.",
)
@click.option(
    "--security-headers",
    is_flag=True,
    help="Add a Content-Security-Policy as strict as Streamlit allows, and similar headers.",
)
@click.option("--snippet", is_flag=True, help="Print only the part to paste into an existing site.")
@click.option("--explain", is_flag=True, help="List the lines with their reasons.")
@click.option(
    "--verify",
    is_flag=True,
    help="Wait until the app answers at the public URL, check it, and print PASS or what is wrong.",
)
@click.option(
    "--connect-to", default="", metavar="HOST:PORT", help="With --verify: connect to this address."
)
@click.option("--insecure", is_flag=True, help="With --verify: accept any certificate.")
@click.option(
    "--wait",
    type=click.FloatRange(1, 86400),
    default=600,
    show_default=True,
    metavar="SECONDS",
    help="With --verify: give up after this time.",
)
@click.option("-o", "--output", metavar="FILE", type=click.Path(path_type=Path), help="Write here.")
@click.option("--force", is_flag=True, help="With --output: replace an existing file.")
def proxy(  # noqa: PLR0917 - click passes options by name
    kind: str,
    app: str | None,
    public_url: str | None,
    upstream: str | None,
    replicas: str | None,
    tls: str | None,
    keep_prefix: bool,
    self_check_from: str | None,
    security_headers: bool,
    snippet: bool,
    explain: bool,
    verify: bool,
    connect_to: str,
    insecure: bool,
    wait: float,
    output: Path | None,
    force: bool,
) -> int:
    """Print a complete configuration of a reverse proxy, with a reason for each line.

    Upload size, ping interval and identity headers come from the app's own Streamlit
    configuration. Path, host and port come from its stlaunch settings unless you give them here.
    """
    known = _kind(kind)
    if snippet and explain:
        raise UsageError("--snippet and --explain cannot be combined.", hint="Use one of them.")
    facts, settings = read_app(app)
    if settings.uds.value and not (upstream or replicas):
        raise UsageError(
            f"The app listens on the Unix socket {settings.uds.value}, but a proxy configuration "
            "needs an address and a port.",
            hint="Add --upstream 127.0.0.1:8501, and start the app with --port 8501.",
        )
    asked = Asked(
        public_url=public_url or _public_of(settings),
        upstream=upstream,
        replicas=replicas,
        tls=tls,
        strip_prefix=not keep_prefix,
        self_check_from=self_check_from,
        is_snippet=snippet,
        has_security_headers=security_headers,
        embedders=tuple(map(str, settings.embed_in.value)),
    )
    site = plan_site(known, asked, facts)
    if verify and not site.host:
        raise UsageError(
            "--verify needs the public URL.",
            hint="Add --public-url https://example.com/streamlitApp",
        )
    configuration = generate(known, site, drain_s=settings.drain_timeout.value)
    text = _form(configuration, is_snippet=snippet, is_explained=explain)
    if output is None:
        click.echo(text, nl=False)
    else:
        write_new(output, text, may_replace=force)
        click.echo(f"Wrote {output}.", err=True)
    left_out = _left_out(settings, site.base_path) if public_url is None else ()
    if left_out:
        paths = ", ".join(left_out)
        click.echo(
            f"Left out: {paths}. A configuration is for one path; for another one add "
            f"--public-url {left_out[0]}",
            err=True,
        )
    if site.is_https and not site.certificate and site.values["certificate"] in configuration.text:
        click.echo("The certificate files are a guess; name yours with --tls CERT,KEY.", err=True)
    if not verify:
        return ExitCode.OK
    # Late: it loads the whole check.
    from stlaunch.cli.verify import Verification, wait_and_check  # noqa: PLC0415

    return wait_and_check(
        Verification(
            url=public_url_of(site),
            reload=recipe(known.product).reload,
            connect_to=connect_to,
            is_insecure=insecure,
            wait_s=wait,
        )
    )


def write_new(path: Path, text: str, *, may_replace: bool) -> None:
    """Write a file as a whole or not at all, and never over another one unasked.

    Raises:
        UsageError: if it already exists.
        StartError: if it cannot be written.
    """
    if not may_replace and path.exists():
        raise UsageError(f"{path} already exists.", hint="Add --force to replace it.")
    try:
        mode = path.stat().st_mode & 0o777 if path.exists() else FOR_ALL
        write_atomic(path, text, mode=mode, may_replace=may_replace)
    except FileExistsError as exc:
        raise UsageError(f"{path} already exists.", hint="Add --force to replace it.") from exc
    except OSError as exc:
        raise StartError(f"{path} cannot be written: {exc.strerror}.") from exc


def _kind(name: str) -> Kind:
    try:
        return KINDS[name]
    except KeyError as exc:
        raise UsageError(
            f"There is no proxy kind {name!r}.",
            hint=did_you_mean(name, KINDS) or f"Known: {', '.join(KINDS)}.",
        ) from exc


def read_app(
    text: str | None,
    *,
    cwd: Path | None = None,
    said: Mapping[str, Sequence[str]] | None = None,
    hits: Sequence[Hit] | None = None,
) -> tuple[AppFacts, Settings]:
    """Return where the app will listen and be reached, and its limits.

    Args:
        text: the app; None for the one of the folder.
        cwd: the folder; None for the one that the command was started in.
        said: what the command line gave for the app's settings, by field name.
        hits: the platforms that the app will run on; None for this machine's.
    """
    cwd = cwd or working_folder()
    script = None
    if text is None and (cwd / DEFAULT_SCRIPT).is_file():
        text = DEFAULT_SCRIPT
    if text is not None:
        script = resolve_target(text, cwd).path
    project, where = read_project(script.parent if script else cwd)
    raw = read_settings(values=said or {}, environ=os.environ, project=project, project_where=where)
    home = home_folder(os.environ)
    facts = read_app_facts(script, cwd=cwd, home=Path(home) if home else None, environ=os.environ)
    settings = resolve_settings(
        raw,
        user_options=facts.place,
        hits=detect_platforms(os.environ, os.path.exists) if hits is None else hits,
        environ=os.environ,
    )
    return replace(facts, port=settings.port.value or facts.port), settings


def _public_of(settings: Settings) -> str | None:
    if settings.public_url.value:
        return str(settings.public_url.value)
    return str(settings.public_paths[0]) or "/" if settings.public_paths else None


def _left_out(settings: Settings, written: BasePath) -> tuple[str, ...]:
    return tuple(path.value or "/" for path in settings.public_paths if path != written)


def _form(configuration: Configuration, *, is_snippet: bool, is_explained: bool) -> str:
    if is_explained:
        return configuration.explained
    return configuration.snippet if is_snippet else configuration.text
