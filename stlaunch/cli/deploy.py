"""`stlaunch deploy`: generate the files that run the app elsewhere; `deploy` writes them."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import click

from stlaunch import __version__
from stlaunch.deploy import DeployKind, Deployment, render, write_files
from stlaunch.errors import ExitCode, UsageError
from stlaunch.process.working_folder import working_folder
from stlaunch.settings.parsers import parse_behind_proxy
from stlaunch.settings.target import DEFAULT_SCRIPT, resolve_target
from stlaunch.urls.base_path import BasePath

_DEFAULT_REPLICAS = 2


def make_deployment(
    app: str, *, behind_proxy: str, name: str | None, image: str | None, replicas: int, cwd: Path
) -> Deployment:
    """Look the app up and return the facts of its deployment.

    Raises:
        UsageError: for an app that is missing or not a script, or a value that is refused.
    """
    script = resolve_target(app, cwd).path
    if script is None:
        raise UsageError(
            f"{app!r} is a module, but a deployment needs a script.",
            hint="Name the file that defines the app: stlaunch deploy dockerfile main.py",
        )
    behind = parse_behind_proxy([behind_proxy])
    paths = behind.paths or (BasePath(),)
    chosen = name or default_name(script)
    # The folder that an image is built from: where the command runs, if the app lies below it.
    folder = cwd if script.is_relative_to(cwd) else script.parent
    return Deployment(
        name=chosen,
        script=script.relative_to(folder).as_posix(),
        folder=str(folder),
        program=str(Path(sys.executable).with_name("stlaunch")),
        base_path=paths[0],
        public_url=behind.url,
        replicas=replicas,
        image=image or f"{chosen}:1.0.0",
        has_requirements=(folder / "requirements.txt").is_file(),
        version=__version__,
    )


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
    default="/",
    help="The public path (/streamlitApp) or address (https://example.com/streamlitApp).",
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
    behind_proxy: str,
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
    if output is None:
        for file in files:
            head = f"# ---- {file.name}\n" if len(files) > 1 else ""
            print(head + file.text, end="")
        return ExitCode.OK
    for path in write_files(files, output, force=force):
        print(path)
    return ExitCode.OK
