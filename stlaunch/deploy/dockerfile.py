"""The Dockerfile: two stages, slim, pinned, not root, with a health check of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stlaunch.deploy.model import USER_ID, GeneratedFile

if TYPE_CHECKING:
    from stlaunch.deploy.model import Deployment


def render_dockerfile(deployment: Deployment) -> tuple[GeneratedFile, ...]:
    """Return Dockerfile and .dockerignore; they belong in the app's folder."""
    return (
        GeneratedFile(name="Dockerfile", text=_dockerfile(deployment)),
        GeneratedFile(name=".dockerignore", text=_DOCKERIGNORE),
    )


def _dockerfile(deployment: Deployment) -> str:
    copy, install = "", ""
    if deployment.has_requirements:
        copy = "COPY requirements.txt ./\n"
        install = " -r requirements.txt"
    port = deployment.port
    run = f"--read-only --tmpfs /tmp --stop-timeout {deployment.stop_s}"
    return f"""# Build it in the app's folder:  docker build -t {deployment.image} .
# Run it:  docker run --rm {run} -p 127.0.0.1:{port}:{port} {deployment.image}
# For builds that repeat to the byte:  --build-arg BASE=python:3.13-slim@sha256:...
ARG BASE=python:3.13-slim-bookworm

FROM ${{BASE}} AS build
ARG STLAUNCH=stlaunch=={deployment.version}
WORKDIR /build
{copy}RUN python -m venv /opt/venv \\
    && /opt/venv/bin/pip install --no-cache-dir "${{STLAUNCH}}"{install}

FROM ${{BASE}}
COPY --from=build /opt/venv /opt/venv
# Everything that is written goes to /tmp, so the root file system can be read-only.
ENV PATH=/opt/venv/bin:$PATH HOME=/tmp PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app
COPY . .
USER {USER_ID}:{USER_ID}
EXPOSE {port}
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["stlaunch", "health"]
ENTRYPOINT ["stlaunch"]
CMD {json.dumps(list(deployment.command))}
"""


_DOCKERIGNORE = """.git
.venv
**/__pycache__
**/*.pyc
# Secrets come from the platform at run time, and never lie in an image.
.env
**/secrets.toml
Dockerfile
.dockerignore
compose.yaml
"""
