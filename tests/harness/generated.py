"""Generated configurations, run by the real proxies in front of apps on loopback.

Owns what a configuration needs around it to run without privileges in a private folder. No line of
the configuration itself is changed; what surrounds one of the demo's products is the demo's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

from stlaunch.errors import StartError
from stlaunch.proxies.configuration import KINDS, generate
from stlaunch.proxies.demo_plan import plan_configuration
from stlaunch.proxies.model import Start
from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import (
    CERTIFICATE_AND_KEY_FILE,
    CERTIFICATE_FILE,
    KEY_FILE,
    ProxyPlan,
    ProxySite,
    TlsFiles,
)
from stlaunch.proxies.process import ProxyProcess
from stlaunch.proxies.site import Site
from stlaunch.proxies.starting import find_binary, start_of
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort
from tests.harness import validators
from tests.harness.ports import free_port
from tests.harness.proxies import RunningProxy
from tests.harness.tls import APP_HOST, Tls

RUNNABLE = (
    "nginx",
    "nginx-1.22",
    "apache",
    "caddy",
    "traefik",
    "haproxy",
    "envoy",
    "lighttpd",
    "h2o",
    "varnish",
)
"""What this machine can run; a name with a version is another binary for the same configuration."""

WITHOUT_TLS = {"varnish"}
WITHOUT_AFFINITY = {"h2o"}

_DEBIAN = {
    "nginx-1.22": "/usr/sbin/nginx",
    "apache": "/usr/sbin/apache2",
    "lighttpd": "/usr/sbin/lighttpd",
    "h2o": "/usr/bin/h2o",
    "varnish": "/usr/sbin/varnishd",
}
_APACHE_MODULES = (
    "http2",
    "mpm_event",
    "authn_core",
    "authz_core",
    "authz_host",
    "alias",
    "headers",
    "deflate",
    "filter",
    "proxy",
    "proxy_http",
    "proxy_balancer",
    "lbmethod_byrequests",
    "slotmem_shm",
    "setenvif",
    "env",
    "ssl",
    "socache_shmcb",
)
_ATTEMPTS = 3


def generated_site(
    name: str,
    ports: Sequence[int],
    *,
    keep_prefix: bool,
    is_https: bool,
    port: int = 0,
    base_path: str = "/streamlitApp",
    **more: object,
) -> Site:
    """Describe the site as `stlaunch proxy` would, for apps at `ports` of this machine."""
    places = tuple(f"127.0.0.1:{number}" for number in ports)
    certificate = CERTIFICATE_AND_KEY_FILE if name == "haproxy" else CERTIFICATE_FILE
    site = Site(
        base_path=BasePath.parse(base_path),
        upstream=places[0],
        replicas=places if len(places) > 1 else (),
        host=APP_HOST,
        port=port,
        is_https=is_https and name not in WITHOUT_TLS,
        certificate=certificate,
        key=KEY_FILE,
        keep_prefix=keep_prefix,
        is_whole=True,
    )
    return replace(site, **more)  # type: ignore[arg-type]


@contextmanager
def start_generated(
    name: str,
    site: Site,
    tls: Tls | None,
    *,
    around: str = "",
    edit: Callable[[str], str] = str,
) -> Iterator[RunningProxy]:
    """Run the generated configuration until the block ends; the port is chosen here.

    `edit` changes it. With `around`, an existing site with `{before}`, `{port}` and `{snippet}` in
    it, only the snippet is taken.
    """
    with ExitStack() as stack:
        placed, process = _start(stack, name, site, tls, around, edit=edit)
        yield RunningProxy(
            name=name,
            scheme="https" if placed.is_https else "http",
            port=placed.port,
            base_path=placed.base_path.value,
            processes=(process,),
        )


def _start(
    stack: ExitStack,
    name: str,
    site: Site,
    tls: Tls | None,
    around: str,
    *,
    edit: Callable[[str], str],
) -> tuple[Site, ProxyProcess]:
    for attempt in range(1, _ATTEMPTS + 1):
        placed = replace(site, port=free_port())
        try:
            plan = _plan(name, placed, tls, around)
            plan = replace(plan, config_text=edit(plan.config_text))
            process = ProxyProcess(plan, _binary(name))
            return placed, stack.enter_context(process)
        except StartError as exc:
            port_was_taken = "in use" in exc.hint or "taken" in exc.message
            if attempt == _ATTEMPTS or not port_was_taken:
                raise
    raise AssertionError


def validate(name: str, site: Site, tls: Tls, folder: Path) -> None:
    """Have the real proxy check the configuration, as its documentation says to.

    Raises:
        AssertionError: with what the proxy said.
    """
    product = Product(name.partition("-")[0])
    binary = Path(_DEBIAN[name]) if name in _DEBIAN else find_binary(product)
    files = TlsFiles(certificate=tls.certificate, key=tls.key)
    validators.validate(product, binary, _plan(name, site, tls), files, folder)


def _binary(name: str) -> Path:
    if name in _DEBIAN:
        binary = Path(_DEBIAN[name])
        assert binary.exists(), f"{name} needs {binary}: apt-get install {binary.name}"
        return Path("/bin/sh") if name in {"varnish", "apache"} else binary
    return find_binary(Product(name))


def _plan(name: str, site: Site, tls: Tls | None, around: str = "") -> ProxyPlan:
    configuration = generate(KINDS[name.partition("-")[0]], site)
    here = ProxySite(
        listen=HostPort("127.0.0.1", site.port),
        upstream=HostPort("127.0.0.1", int(site.servers[0].rpartition(":")[2])),
        base_path=site.base_path,
        keep_prefix=site.keep_prefix,
        tls=TlsFiles(certificate=tls.certificate, key=tls.key) if tls else None,
    )
    start = _debian_start(name, site) if name in _DEBIAN else start_of(Product(name))
    plan = plan_configuration(name, start, configuration, here)
    if not around:
        return plan
    text = around.format(before=start.before, port=site.port, snippet=configuration.snippet)
    return replace(plan, config_text=start.finish(text))


def _debian_start(name: str, site: Site) -> Start:
    """What Debian's own packages bring before the file, and the command line."""
    match name:
        case "nginx-1.22":
            return replace(start_of(Product.NGINX), wheel="")
        case "apache":
            modules = "".join(
                f"LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n"
                for module in _APACHE_MODULES
            )
            main = (
                f"{modules}Listen {site.port}\nServerName localhost\nDefaultRuntimeDir .\n"
                "PidFile apache.pid\nErrorLog /dev/stderr\nUser www-data\nGroup www-data\n"
                "ThreadsPerChild 25\nMaxRequestWorkers 25\nServerLimit 1\nStartServers 1\n"
            )
            shell = 'exec /usr/sbin/apache2 -d "$PWD" -f "$PWD/apache.conf" -DFOREGROUND'
            return _start_with("apache.conf", "-c", shell, before=main)
        case "lighttpd":
            errors = 'server.errorlog = "/dev/stderr"\n'
            return _start_with("lighttpd.conf", "-D", "-f", "lighttpd.conf", before=errors)
        case "h2o":
            return _start_with("h2o.conf", "-m", "worker", "-c", "h2o.conf", before="user: root\n")
        case "varnish":
            shell = (
                'exec /usr/sbin/varnishd -F -j none -n "$PWD/work" -f "$PWD/default.vcl" '
                f"-a 127.0.0.1:{site.port} -p pipe_timeout={site.values['idle_s']} "
                "-s malloc,64m -s Transient=malloc,64m"
            )
            return _start_with("default.vcl", "-c", shell)
        case _:
            raise AssertionError(name)


def _start_with(config_name: str, *arguments: str, before: str = "") -> Start:
    return Start(
        wheel="",
        binary="",
        config_name=config_name,
        arguments=lambda _: arguments,
        before=before,
    )
