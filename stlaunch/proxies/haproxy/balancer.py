"""HAProxy in front of replicas that stlaunch starts, on one machine or in Compose.

A cookie keeps one browser on one replica. A draining replica gets no new browsers, but keeps those
that it has. From one that is gone, or that refuses a new session with 503, browsers move to
another at once.
"""

from __future__ import annotations

import hashlib
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

from stlaunch.forwarded.headers import FORWARDING_HEADERS
from stlaunch.proxies.haproxy.recipe import LEAVE_STOPPING, cookie_line, ready_check
from stlaunch.proxies.needs import REPLICA_COOKIE
from stlaunch.proxies.plans import ProxyPlan, ProxySite
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

if TYPE_CHECKING:
    from pathlib import Path

    from stlaunch.forwarded.trusted_proxies import TrustedProxies

_CONFIG = "haproxy.cfg"
IMAGE = "haproxy:2.8-alpine"
"""The newest release of the long-term-support line that the configuration is checked with."""

_DEFAULTS = """\
    timeout connect 5s
    timeout client 5m
    timeout server 5m
    timeout tunnel 1h
    timeout check 5s"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerSite:
    """What the balancer in front of one machine's replicas has to do.

    Attributes:
        listen: the address and port that proxies, or browsers, connect to.
        sockets: one Unix socket for each place that an instance may take.
        stats: the Unix socket on which the balancer itself answers.
        trusted: the peers whose forwarding headers are passed on.
        identity_headers: names that only a trusted proxy may send.
        app: distinguishes this app's affinity cookie from another's on the same host.
    """

    listen: HostPort
    sockets: Sequence[Path]
    stats: Path
    trusted: TrustedProxies
    identity_headers: Sequence[str]
    app: str


def plan_balancer(site: BalancerSite) -> ProxyPlan:
    """Plan HAProxy with one server for each socket."""
    return ProxyPlan(
        name="haproxy",
        site=ProxySite(
            listen=site.listen,
            upstream=HostPort("replicas"),
            base_path=BasePath(),
            keep_prefix=True,
        ),
        config_name=_CONFIG,
        config_text=render_balancer(site),
        arguments=("-f", _CONFIG, "-db"),
    )


def render_balancer(site: BalancerSite) -> str:
    """Return the configuration in front of one machine's replicas."""
    cookie = f"{REPLICA_COOKIE}_{hashlib.sha256(site.app.encode()).hexdigest()[:8]}"
    # A stranger's headers must not reach the instances, which trust all that come this way.
    names = [*sorted(name.decode() for name in FORWARDING_HEADERS), *site.identity_headers]
    trusted = " ".join(map(str, site.trusted.networks))
    only_ours = " v4v6" if site.listen.host == "::" else ""
    strangers = "".join(
        f"    http-request del-header {name} if !from_proxy\n" for name in dict.fromkeys(names)
    )
    servers = "".join(
        f"    server i{number} unix@{path} cookie i{number}\n"
        for number, path in enumerate(site.sockets, start=1)
    )
    return f"""global
    log stderr format raw local0 notice
    stats socket {site.stats} mode 600 level user

defaults
    mode http
    log global
    timeout http-request 30s
{_DEFAULTS}

frontend web
    bind {site.listen}{only_ours}
    acl from_proxy {f"src {trusted}" if trusted else "always_false"}
{strangers}    default_backend app

backend app
    balance leastconn
    {cookie_line(cookie, is_https=False)}
    option forwardfor
{_leaving()}
    default-server check inter 500ms fall 3 rise 1
{servers}"""


def render_compose(*, name: str, replicas: int, port: int) -> str:
    """Return the configuration in front of the replicas of a Compose service called `app`.

    Args:
        name: of the project; it makes the cookie's values its own.
        replicas: how many there are.
        port: where each of them listens.
    """
    unless_set = "if !{ req.hdr(X-Forwarded-%s) -m found }"
    return f"""global
    log stdout format raw local0 notice

defaults
    mode http
    log global
{_DEFAULTS}

resolvers docker
    nameserver dns 127.0.0.11:53
    hold valid 2s

frontend web
    bind :8080
    default_backend app

backend app
    balance leastconn
    {cookie_line(REPLICA_COOKIE, is_https=False, more=" dynamic")}
    dynamic-cookie-key {name}
    option forwardfor
    http-request set-header X-Forwarded-Host %[req.hdr(host)] {unless_set % "Host"}
    http-request set-header X-Forwarded-Proto http {unless_set % "Proto"}
{_leaving()}
    default-server check inter 1s fall 2 rise 1
    server-template app {replicas} app:{port} resolvers docker init-addr libc,none
"""


def _leaving() -> str:
    return textwrap.indent(f"{LEAVE_STOPPING}\n{ready_check('/')}", "    ")
