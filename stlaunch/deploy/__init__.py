"""Files that run an app elsewhere: Dockerfile, Compose, Kubernetes, systemd; it starts nothing.

A value is refused unless all of these languages can hold it as it is.
"""

from __future__ import annotations

from stlaunch.deploy.compose import render_compose
from stlaunch.deploy.dockerfile import render_dockerfile
from stlaunch.deploy.kubernetes import render_kubernetes
from stlaunch.deploy.model import DeployKind, Deployment, GeneratedFile
from stlaunch.deploy.systemd import render_systemd
from stlaunch.deploy.write import write_files

__all__ = ["DeployKind", "Deployment", "GeneratedFile", "render", "write_files"]

_RENDERERS = {
    DeployKind.COMPOSE: render_compose,
    DeployKind.DOCKERFILE: render_dockerfile,
    DeployKind.KUBERNETES: render_kubernetes,
    DeployKind.SYSTEMD: render_systemd,
}


def render(kind: DeployKind, deployment: Deployment) -> tuple[GeneratedFile, ...]:
    """Return the files of one kind; the same input gives the same bytes."""
    return _RENDERERS[kind](deployment)
