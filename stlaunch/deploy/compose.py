"""Compose: replicas of the app behind HAProxy, which keeps each browser on one replica."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stlaunch.deploy.model import COOKIE_SECRET, GeneratedFile
from stlaunch.proxies.haproxy import balancer

if TYPE_CHECKING:
    from stlaunch.deploy.model import Deployment

_PUBLISHED = "127.0.0.1:8080"


def render_compose(deployment: Deployment) -> tuple[GeneratedFile, ...]:
    """Return compose.yaml, with HAProxy's configuration in it."""
    return (GeneratedFile(name="compose.yaml", text=_compose(deployment)),)


def _reached(deployment: Deployment) -> str:
    if deployment.public_url:  # browsers at any other address are refused
        return f"and have your proxy forward {deployment.public_url} to {_PUBLISHED}"
    return f"and open http://{_PUBLISHED}{deployment.base_path.with_slash}"


def _compose(deployment: Deployment) -> str:
    text = balancer.render_compose(
        name=deployment.name, replicas=deployment.replicas, port=deployment.port
    )
    config = "".join(f"      {line}".rstrip() + "\n" for line in text.splitlines())
    # Compose would take a single $ for a variable of its own.
    config = config.replace("$", "$$")
    return f"""# Once, one secret for all replicas; keep the file to yourself:
#     (umask 077; echo "{COOKIE_SECRET}=$(openssl rand -hex 32)" >> .env)
# Then:  docker compose up --build
# {_reached(deployment)}
name: {deployment.name}

services:
  app:
    build: .
    image: {json.dumps(deployment.image)}
    command: {json.dumps(list(deployment.command))}
    environment:
      {COOKIE_SECRET}: "${{{COOKIE_SECRET}:?see the first lines of compose.yaml}}"
    deploy:
      replicas: {deployment.replicas}
    expose:
      - "{deployment.port}"
    healthcheck:
      test: ["CMD", "stlaunch", "health"]
      interval: 10s
      timeout: 5s
      start_period: 60s
    restart: unless-stopped
    stop_grace_period: {deployment.stop_s}s
    read_only: true
    tmpfs:
      - "/tmp:size=64m,mode=1777"
    cap_drop: ["ALL"]
    security_opt: ["no-new-privileges:true"]

  balancer:
    image: {balancer.IMAGE}
    ports:
      - "{_PUBLISHED}:8080"
    configs:
      - source: balancer
        target: /usr/local/etc/haproxy/haproxy.cfg
    depends_on:
      app:
        condition: service_healthy
    restart: unless-stopped
    read_only: true
    cap_drop: ["ALL"]
    security_opt: ["no-new-privileges:true"]

configs:
  balancer:
    content: |
{config}"""
