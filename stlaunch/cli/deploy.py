"""`stlaunch deploy`: generate the files that run the app elsewhere; `deploy` writes them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stlaunch import __version__
from stlaunch.cli.proxy import read_app
from stlaunch.deploy import DeployKind, Deployment, render, write_files
from stlaunch.deploy.closed_folder import closed_folder, closed_hint
from stlaunch.errors import ExitCode, UsageError
from stlaunch.process.working_folder import working_folder
from stlaunch.settings.fields import ENV_PREFIX
from stlaunch.settings.project import TABLE_NAME, read_project
from stlaunch.settings.target import DEFAULT_SCRIPT, resolve_target
from stlaunch.urls import streamlit_defaults
from stlaunch.urls.base_path import BasePath

if TYPE_CHECKING:
    from stlaunch.settings.model import Settings

_DEFAULT_REPLICAS = 2
_IN_THE_COMMAND = {"behind_proxy", "public_url", "host", "port", "uds"}
"""The settings that the command of an image says itself."""
_EVERYWHERE = "0.0.0.0"
_EVERYWHERES = (_EVERYWHERE, "::")


def make_deployment(
    app: str,
    *,
    behind_proxy: str | None,
    name: str | None,
    image: str | None,
    replicas: int,
    cwd: Path,
) -> Deployment:
    """Look the app and its project's settings up and return the facts of its deployment.

    The platform that this machine is says nothing about where the app will run.

    Raises:
        UsageError: for an app that is missing or not a script, or a value that is refused.
    """
    script = resolve_target(app, cwd).path
    if script is None:
        raise UsageError(
            f"{app!r} is a module, but a deployment needs a script.",
            hint="Name the file that defines the app: stlaunch deploy dockerfile main.py",
        )
    said = {"behind_proxy": [behind_proxy]} if behind_proxy is not None else {}
    _, settings = read_app(app, cwd=cwd, said=said, hits=())
    public, *others = _public_paths(settings) or (BasePath(),)
    host, port = _listener(settings)
    program = Path(sys.executable).with_name("stlaunch")
    closed = closed_folder((script, program, Path(sys.executable)))
    chosen = name or default_name(script)
    # The folder that an image is built from: where the command runs, if the app lies below it.
    folder = cwd if script.is_relative_to(cwd) else script.parent
    return Deployment(
        name=chosen,
        script=script.relative_to(folder).as_posix(),
        folder=str(folder),
        program=str(program),
        base_path=public,
        public_url=settings.public_url.value,
        replicas=replicas,
        image=image or f"{chosen}:1.0.0",
        has_requirements=(folder / "requirements.txt").is_file(),
        version=__version__,
        other_paths=tuple(others),
        detects_path=settings.is_behind_proxy and not settings.public_paths,
        host=host,
        port=port,
        drain_s=settings.drain_timeout.value,
        closed_folder=str(closed or ""),
        trusted=_trusted(settings),
    )


def _public_paths(settings: Settings) -> tuple[BasePath, ...]:
    """Return the public paths, that of the public URL first."""
    url = settings.public_url.value
    first = (url.base_path,) if url else ()
    return tuple(dict.fromkeys((*first, *settings.public_paths)))


def _listener(settings: Settings) -> tuple[str, int]:
    """Return the address and port for an image; no address where it needs no flags for them.

    In a container another machine connects, so a socket or an address of this one is overridden.
    """
    said = (settings.host, settings.port, settings.uds)
    if not any(setting.is_chosen for setting in said):
        return "", streamlit_defaults.PORT
    host = settings.host.value if settings.host.value in _EVERYWHERES else _EVERYWHERE
    return host, settings.port.value or streamlit_defaults.PORT


def _trusted(settings: Settings) -> tuple[str, ...]:
    """Return the peers that the project names; the unit adds its own proxy."""
    trusted = settings.trusted_proxies
    return tuple(name for name in trusted.value.names if trusted.is_chosen and name != "none")


def _left_behind(deployment: Deployment) -> str:
    """Return a hint where an image lacks the project file and what else it says."""
    folder = Path(deployment.folder)
    project, where = read_project((folder / deployment.script).parent)
    file = where.removesuffix(f" {TABLE_NAME}")
    names = [name for name in project if name not in _IN_THE_COMMAND]
    if not names or Path(file).is_relative_to(folder.resolve()):
        return ""
    variables = ", ".join(ENV_PREFIX + name.upper() for name in names)
    return f"The image does not contain {file}: set {variables} where it runs."


def default_name(script: Path) -> str:
    """Return a DNS label named after the script or, if its name is a generic one, its folder."""
    word = script.parent.name if script.stem in {"app", "main", "streamlit_app"} else script.stem
    return re.sub(r"[^a-z0-9]+", "-", word.lower()).strip("-0123456789")[:40].rstrip("-") or "app"


@click.command(
    "deploy",
    short_help="Write Dockerfile, Compose, Kubernetes or systemd files.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: stlaunch deploy kubernetes app.py "
    "--behind-proxy https://example.com/streamlitApp --replicas 3 -o deploy",
)
@click.argument("kind", type=click.Choice([str(kind) for kind in DeployKind]))
@click.argument("app", default=DEFAULT_SCRIPT)
@click.option(
    "--behind-proxy",
    metavar="PATH|URL",
    help="The public path (/streamlitApp) or address (https://example.com/streamlitApp). "
    "Default: what the project's settings say, else /.",
)
@click.option(
    "--name", help="The name of the service. Default: the name of the script or its folder."
)
@click.option("--image", help="The image and its version. Default: NAME:1.0.0.")
@click.option(
    "--replicas",
    type=int,
    default=_DEFAULT_REPLICAS,
    show_default=True,
    help="The number of instances.",
)
@click.option(
    "-o", "--output", metavar="DIR", type=click.Path(path_type=Path), help="Write the files here."
)
@click.option("--force", is_flag=True, help="With -o: overwrite files that differ.")
def deploy(
    *,
    kind: str,
    app: str,
    behind_proxy: str | None,
    name: str | None,
    image: str | None,
    replicas: int,
    output: Path | None,
    force: bool,
) -> int:
    """Write the files that run APP elsewhere, to standard output or with -o to a folder.

    \b
    compose     replicas of the app behind HAProxy with session affinity
    dockerfile  two stages, slim, pinned, not root, with a health check
    kubernetes  Deployment, Service, HPA, PodDisruptionBudget, HTTPRoute with affinity
    systemd     a service, and a template with a target for several; hardened, on Unix sockets
    """  # noqa: D301 - \b is click's mark for lines that are not to be joined
    if force and output is None:
        raise UsageError("--force needs -o.", hint="Add -o DIR.")
    deployment = make_deployment(
        app,
        behind_proxy=behind_proxy,
        name=name,
        image=image,
        replicas=replicas,
        cwd=working_folder(),
    )
    files = render(DeployKind(kind), deployment)
    if kind == DeployKind.SYSTEMD:
        hint = closed_hint(deployment.closed_folder)
    else:
        hint = _left_behind(deployment)
    if hint:
        click.echo(hint, err=True)
    if output is None:
        for file in files:
            head = f"# ---- {file.name}\n" if len(files) > 1 else ""
            print(head + file.text, end="")
        return ExitCode.OK
    for path in write_files(files, output, force=force):
        print(path)
    return ExitCode.OK
