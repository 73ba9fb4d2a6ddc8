"""Compose: the app's replicas and HAProxy before them, which keeps a browser at its replica."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stlaunch.deploy.model import AFFINITY_COOKIE, COOKIE_SECRET, PORT, STOP_S, GeneratedFile

if TYPE_CHECKING:
    from stlaunch.deploy.model import Deployment

# The newest of the long-supported line that the generated configuration is checked with.
_HAPROXY = "haproxy:2.8-alpine"
_PUBLISHED = "127.0.0.1:8080:8080"


def render_compose(deployment: Deployment) -> tuple[GeneratedFile, ...]:
    """Return compose.yaml, with HAProxy's configuration in it."""
    return (GeneratedFile(name="compose.yaml", text=_compose(deployment)),)


def _compose(deployment: Deployment) -> str:
    config = "".join(f"      {line}".rstrip() + "\n" for line in balancer(deployment).splitlines())
    # Compose would take a single $ for a variable of its own.
    config = config.replace("$", "$$")
    return f"""# Once, one secret for all replicas; keep the file to yourself:
#     (umask 077; echo "{COOKIE_SECRET}=$(openssl rand -hex 32)" >> .env)
# Then:  docker compose up --build
# and open http://localhost:8080{deployment.base_path.with_slash}
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
      - "{PORT}"
    healthcheck:
      test: ["CMD", "stlaunch", "health"]
      interval: 10s
      timeout: 5s
      start_period: 60s
    restart: unless-stopped
    stop_grace_period: {STOP_S}s
    read_only: true
    tmpfs:
      - "/tmp:size=64m,mode=1777"
    cap_drop: ["ALL"]
    security_opt: ["no-new-privileges:true"]

  balancer:
    image: {_HAPROXY}
    ports:
      - "{_PUBLISHED}"
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


def balancer(deployment: Deployment) -> str:
    """Return HAProxy's configuration.

    A replica that drains gets no new browsers, and still those that it has; one that is gone, or
    that refuses a new session with 503, is left for another at once.
    """
    return f"""global
    log stdout format raw local0 notice

defaults
    mode http
    log global
    timeout connect 5s
    timeout client 5m
    timeout server 5m
    timeout tunnel 1h
    timeout check 5s

resolvers docker
    nameserver dns 127.0.0.11:53
    hold valid 2s

frontend web
    bind :8080
    default_backend app

backend app
    balance leastconn
    cookie {AFFINITY_COOKIE} insert indirect nocache httponly attr "SameSite=Lax" dynamic
    dynamic-cookie-key {deployment.name}
    option forwardfor
    http-request set-header X-Forwarded-Host %[req.hdr(host)] if !{{ req.hdr(X-Forwarded-Host) -m found }}
    http-request set-header X-Forwarded-Proto http if !{{ req.hdr(X-Forwarded-Proto) -m found }}
    option persist
    option redispatch
    retries 2
    retry-on conn-failure empty-response 503
    http-request disable-l7-retry unless METH_GET
    option httpchk
    http-check send meth GET uri /_stlaunch/ready ver HTTP/1.1 hdr Host localhost
    default-server check inter 1s fall 2 rise 1
    server-template app {deployment.replicas} app:{PORT} resolvers docker init-addr libc,none
"""  # noqa: E501 - one line of HAProxy's
