"""Every reverse proxy that the tests know, started in front of an upstream on loopback.

They are configured as their own documentation or a blog has it, in a file for each product. A
binary that is missing fails the test, it never skips it.
"""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from stlaunch.errors import StartError
from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import ProxyPlan, ProxySite, TlsFiles
from stlaunch.proxies.process import ProxyProcess
from stlaunch.proxies.starting import find_binary, startable
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort
from tests.harness.apache import plan_apache
from tests.harness.caddy import plan_caddy
from tests.harness.envoy import plan_envoy
from tests.harness.haproxy import plan_haproxy
from tests.harness.lighttpd import plan_lighttpd
from tests.harness.nginx import plan_nginx
from tests.harness.ports import free_port
from tests.harness.setups import Setup
from tests.harness.tls import APP_HOST
from tests.harness.traefik import plan_traefik
from tests.harness.varnish import SHELL, VARNISHD, plan_varnish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.harness.tls import Tls

CHAIN = "traefik>nginx"
CHAIN_LOSING_SCHEME = "traefik>nginx, scheme lost"
"""nginx behind another proxy with its usual `X-Forwarded-Proto $scheme`: `http`, whatever came."""
DEBIAN_BINARIES = {"apache": Path("/usr/sbin/apache2"), "nginx-1.22": Path("/usr/sbin/nginx")}
KINDS: tuple[str, ...] = (*startable(), *DEBIAN_BINARIES, CHAIN)
HTTP_1_0 = "nginx, HTTP/1.0"
"""nginx that speaks HTTP/1.0 with the app, its default before 1.29.7."""
H2_CONNECT = "envoy, h2 with connect"
"""Envoy that offers browsers WebSockets over HTTP/2 (RFC 8441)."""
STRICT_CSP = "nginx, strict CSP"
"""nginx that adds a Content-Security-Policy which allows the site's own script files alone."""
WITHOUT_UPGRADES = {"varnish": VARNISHD, "lighttpd": Path("/usr/sbin/lighttpd")}
"""Debian's, known in one setup, over http alone."""

_DOCUMENTED = {
    Product.NGINX: plan_nginx,
    Product.CADDY: plan_caddy,
    Product.TRAEFIK: plan_traefik,
    Product.HAPROXY: plan_haproxy,
    Product.ENVOY: plan_envoy,
}
"""As people set them up without stlaunch; `tests.harness.generated` has what stlaunch writes."""
_INNER_NGINX = "nginx behind a proxy"
_ATTEMPTS = 3
_STAT_PREFIX = "                stat_prefix: web\n"
_TLS_CERTIFICATES = "                tls_certificates:\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningProxy:
    """A proxy, or a chain of them, that accepts connections on 127.0.0.1."""

    name: str
    """The kind, as it was asked for."""
    scheme: str
    port: int
    base_path: str
    """Without its final slash; empty for the root."""
    processes: tuple[ProxyProcess, ...]
    """From the browser to the app."""

    @property
    def url(self) -> str:
        """The app's address under the public name, which only tests resolve; with a slash."""
        return self.url_for(APP_HOST)

    @property
    def log(self) -> str:
        """All that the proxies wrote; it can be asked after their end, too."""
        return "\n".join(process.log_text() for process in self.processes)

    def url_for(self, host: str) -> str:
        """Return the app's address under another name of this machine; with a slash."""
        return f"{self.scheme}://{host}:{self.port}{self.base_path}/"


@contextmanager
def start_proxy(
    kind: str,
    setup: str,
    upstream_port: int,
    *,
    keep_prefix: bool,
    tls: Tls | None = None,
    base_path: str = "/streamlitApp",
    edit: Callable[[str], str] = str,
) -> Iterator[RunningProxy]:
    """Run a proxy of `KINDS` until the block ends, ready when it accepts connections.

    In a chain, Traefik forwards the path as it came and nginx has the `setup` and `keep_prefix`.
    `edit` changes the configuration of the outer one.

    Raises:
        UsageError: for a setup that this kind does not have.
        StartError: if it does not come up, with its log.
    """
    base = BasePath.parse(base_path)
    files = TlsFiles(certificate=tls.certificate, key=tls.key) if tls else None
    with ExitStack() as stack:
        hops: list[ProxyProcess] = []
        target, front_kind, front_setup, front_keeps = upstream_port, kind, setup, keep_prefix
        if kind in {CHAIN, CHAIN_LOSING_SCHEME}:
            inner = _site(target, base, keep_prefix=keep_prefix, tls=None)
            inner_kind = _INNER_NGINX if kind == CHAIN else Product.NGINX
            hops.append(_start(stack, inner_kind, setup, inner))
            target = hops[0].plan.site.listen.port or 0
            front_kind, front_setup, front_keeps = Product.TRAEFIK, "recommended", True
        outer = _site(target, base, keep_prefix=front_keeps, tls=files)
        hops.insert(0, _start(stack, front_kind, front_setup, outer, edit))
        front = hops[0].plan.site
        yield RunningProxy(
            name=kind,
            scheme=front.scheme,
            port=front.listen.port or 0,
            base_path=str(base),
            processes=tuple(hops),
        )


def proxy_binary(kind: str) -> Path:
    """Return the kind's binary, or fail the test where it is missing."""
    if binary := (DEBIAN_BINARIES | WITHOUT_UPGRADES).get(kind):
        if not binary.exists():
            pytest.fail(f"{kind} needs {binary}: apt-get install {binary.name}")
        return binary
    variants = dict.fromkeys((_INNER_NGINX, HTTP_1_0, STRICT_CSP), Product.NGINX)
    variants[H2_CONNECT] = Product.ENVOY
    try:
        return find_binary(variants.get(kind) or Product(kind))
    except StartError as exc:
        pytest.fail(f"{exc.message} {exc.hint}")


def _site(
    upstream_port: int, base: BasePath, *, keep_prefix: bool, tls: TlsFiles | None
) -> ProxySite:
    return ProxySite(
        listen=HostPort("127.0.0.1", 0),
        upstream=HostPort("127.0.0.1", upstream_port),
        base_path=base,
        keep_prefix=keep_prefix,
        tls=tls,
    )


def _start(
    stack: ExitStack,
    kind: str,
    setup: str,
    site: ProxySite,
    edit: Callable[[str], str] = str,
) -> ProxyProcess:
    binary = proxy_binary(kind)
    if binary == VARNISHD:
        binary = SHELL
    for attempt in range(1, _ATTEMPTS + 1):
        listen = HostPort("127.0.0.1", free_port())
        plan = _plan(kind, Setup(setup), replace(site, listen=listen))
        plan = replace(plan, config_text=edit(plan.config_text))
        try:
            return stack.enter_context(ProxyProcess(plan, binary))
        except StartError as exc:
            port_was_taken = "in use" in exc.hint or "taken" in exc.message
            if attempt == _ATTEMPTS or not port_was_taken:
                raise
    raise AssertionError


def _plan(kind: str, setup: Setup, site: ProxySite) -> ProxyPlan:
    match kind:
        case "apache":
            return plan_apache(setup, site)
        case "nginx-1.22":
            plan = plan_nginx(setup, site)
            return replace(plan, config_text=_with_debian_temp_paths(plan.config_text))
        case "nginx behind a proxy":
            plan = plan_nginx(setup, site)
            passed_on = plan.config_text.replace("$scheme;", "$http_x_forwarded_proto;")
            return replace(plan, config_text=passed_on)
        case "varnish":
            return plan_varnish(setup, site)
        case "lighttpd":
            return plan_lighttpd(setup, site)
        case "nginx, HTTP/1.0":
            plan = plan_nginx(setup, site)
            return replace(plan, config_text=_with_http_1_0(plan.config_text))
        case "nginx, strict CSP":
            plan = plan_nginx(setup, site)
            return replace(plan, config_text=_with_strict_csp(plan.config_text))
        case "envoy, h2 with connect":
            plan = plan_envoy(setup, site)
            return replace(plan, config_text=_with_h2_connect(plan.config_text))
        case _:
            return _DOCUMENTED[Product(kind)](setup, site)


def _with_debian_temp_paths(config: str) -> str:
    """Debian builds in modules, unknown to the wheel, whose default paths only root may write."""
    lines = [f"    {name}_temp_path {name}_temp;\n" for name in ("fastcgi", "scgi", "uwsgi")]
    return config.replace("http {\n", "http {\n" + "".join(lines), 1)


def _with_http_1_0(config: str) -> str:
    without = config.replace("            proxy_http_version 1.1;\n", "")
    return without.replace("    server {\n", "    proxy_http_version 1.0;\n    server {\n", 1)


def _with_strict_csp(config: str) -> str:
    header = "add_header Content-Security-Policy \"script-src 'self'\" always;"
    return config.replace("    server {\n", f"    server {{\n        {header}\n", 1)


def _with_h2_connect(config: str) -> str:
    options = "                http2_protocol_options: { allow_connect: true }\n"
    offered = '                alpn_protocols: ["h2", "http/1.1"]\n'
    config = config.replace(_STAT_PREFIX, _STAT_PREFIX + options, 1)
    return config.replace(_TLS_CERTIFICATES, offered + _TLS_CERTIFICATES, 1)
