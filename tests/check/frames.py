"""What each proxy needs around the lines of interest to run on loopback without privileges.

A setup of the matrix holds only the lines that matter; `@name@` stands for the address of an app
(`host:port`), `@name@.port` for its port, `@next@` for the next proxy of a chain.
It starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import ProxyPlan, ProxySite, TlsFiles
from stlaunch.proxies.starting import find_binary
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort
from tests.harness.varnish import SHELL, VARNISHD

Render: TypeAlias = Callable[[HostPort, bool], tuple[str, str, tuple[str, ...]]]
"""(listen, is_tls) -> (name of the file, its text, arguments)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One proxy with its lines."""

    name: str
    render: Render
    binary: Callable[[], Path]
    ready_path: str | None = None
    lines: str = ""
    """What the published table shows."""

    def plan(self, port: int, names: Mapping[str, str], tls: TlsFiles | None) -> ProxyPlan:
        """Fill in addresses."""
        listen = HostPort("127.0.0.1", port)
        config_name, text, arguments = self.render(listen, tls is not None)
        for name, place in names.items():
            text = text.replace(f"@{name}@.port", place.rpartition(":")[2])
            text = text.replace(f"@{name}@", place)
        return ProxyPlan(
            name=self.name,
            site=ProxySite(
                listen=listen, upstream=listen, base_path=BasePath(), keep_prefix=True, tls=tls
            ),
            config_name=config_name,
            config_text=text,
            arguments=arguments,
            ready_path=self.ready_path,
        )


def nginx(lines: str, *, http: str = "", is_old: bool = False) -> Frame:
    """`lines` in the server block, `http` in the http block; old is Debian's 1.22."""
    more = ["fastcgi", "scgi", "uwsgi"] if is_old else []
    temp = "".join(f"{name}_temp_path {name}_temp; " for name in more)

    def render(listen: HostPort, is_tls: bool) -> tuple[str, str, tuple[str, ...]]:
        ssl = " ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem" if is_tls else ""
        text = f"""daemon off; master_process off; pid nginx.pid; error_log stderr;
events {{ }}
http {{
    access_log off; client_body_temp_path body_temp; proxy_temp_path proxy_temp; {temp}
    types {{ text/html html; text/javascript js; }}
    {http}
    server {{
        listen {listen}{ssl};
        {lines}
    }}
}}
"""
        return "nginx.conf", text, ("-p", ".", "-c", "nginx.conf", "-e", "stderr")

    return Frame(
        name="nginx 1.22" if is_old else "nginx",
        render=render,
        binary=lambda: Path("/usr/sbin/nginx") if is_old else find_binary(Product.NGINX),
        lines=_joined(http, lines),
    )


def apache(lines: str) -> Frame:
    """Debian's Apache; `lines` at the server's level."""
    names = [
        "mpm_event",
        "authz_core",
        "authz_host",
        "authz_user",
        "authn_core",
        "authn_file",
        "auth_basic",
        "headers",
        "proxy",
        "proxy_http",
        "proxy_wstunnel",
        "rewrite",
        "socache_shmcb",
        "ssl",
        "lbmethod_byrequests",
        "slotmem_shm",
        "proxy_balancer",
        "alias",
        "filter",
        "deflate",
    ]
    modules = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in names
    )

    def render(listen: HostPort, is_tls: bool) -> tuple[str, str, tuple[str, ...]]:
        ssl = "SSLEngine on\nSSLCertificateFile cert.pem\nSSLCertificateKeyFile key.pem"
        text = f"""{modules}
Listen {listen}
ServerName localhost
DefaultRuntimeDir .
PidFile apache.pid
ErrorLog /dev/stderr
User www-data
Group www-data
DocumentRoot /usr/share
<Directory />
AllowOverride None
</Directory>
StartServers 1
ServerLimit 1
ThreadsPerChild 25
MaxRequestWorkers 25
{ssl if is_tls else ""}
{lines}
"""
        return "httpd.conf", text, ("-d", ".", "-f", "httpd.conf", "-DFOREGROUND")

    return Frame(
        name="Apache",
        render=render,
        binary=lambda: Path("/usr/sbin/apache2"),
        lines=_joined(lines),
    )


def caddy(lines: str) -> Frame:
    """`lines` in the site block."""

    def render(listen: HostPort, is_tls: bool) -> tuple[str, str, tuple[str, ...]]:
        scheme, tls = ("https", "\n\ttls cert.pem key.pem") if is_tls else ("http", "")
        text = f"""{{
	admin off
	auto_https off
	persist_config off
	grace_period 1s
	servers {{
		protocols h1 h2
	}}
}}

{scheme}://:{listen.port} {{
	bind {listen.host}{tls}
{lines}
}}
"""
        return "Caddyfile", text, ("run", "--config", "Caddyfile", "--adapter", "caddyfile")

    return Frame(
        name="Caddy",
        render=render,
        binary=lambda: find_binary(Product.CADDY),
        lines=_joined(lines),
    )


def traefik(
    *servers: str,
    rule: str = "PathPrefix(`/app`)",
    middlewares: Mapping[str, str] | None = None,
    load_balancer: str = "",
) -> Frame:
    """One router; `middlewares` are name -> one line of YAML, used in their order."""
    used = dict(middlewares or {})

    def render(listen: HostPort, is_tls: bool) -> tuple[str, str, tuple[str, ...]]:
        names = f"\n      middlewares: [{', '.join(used)}]" if used else ""
        tls = "\n      tls: {}" if is_tls else ""
        blocks = "".join(f"    {name}: {line}\n" for name, line in used.items())
        text = f"""http:
  routers:
    app:
      rule: "{rule}"
      service: app{names}{tls}
    ready:
      rule: "Path(`/ready-traefik`)"
      service: ping@internal{tls}
{"  middlewares:" if used else ""}
{blocks}  services:
    app:
      loadBalancer:
        servers: [{", ".join(f'{{url: "http://{server}"}}' for server in servers)}]
        {load_balancer}
"""
        if is_tls:
            text += "tls: {stores: {default: {defaultCertificate: "
            text += "{certFile: cert.pem, keyFile: key.pem}}}}\n"
        arguments = (
            f"--entrypoints.web.address={listen}",
            "--entrypoints.web.transport.lifecycle.gracetimeout=100ms",
            "--providers.file.filename=dynamic.yml",
            "--providers.file.watch=false",
            "--providers.providersthrottleduration=50ms",
            "--ping.manualrouting=true",
            "--global.checknewversion=false",
            "--global.sendanonymoususage=false",
        )
        return "dynamic.yml", text, arguments

    return Frame(
        name="Traefik",
        render=render,
        binary=lambda: find_binary(Product.TRAEFIK),
        ready_path="/ready-traefik",
        lines=_joined(
            f"rule: {rule}",
            *(f"{name}: {line}" for name, line in used.items()),
            f"servers: {', '.join(servers)}",
            load_balancer,
        ),
    )


def haproxy(frontend: str = "", backend: str = "", *, timeouts: str = "timeout tunnel 1h") -> Frame:
    """Lines of the frontend and of the one backend `app`."""

    def render(listen: HostPort, is_tls: bool) -> tuple[str, str, tuple[str, ...]]:
        ssl = " ssl crt cert-and-key.pem alpn h2,http/1.1" if is_tls else ""
        text = f"""global
    log stderr format raw local0 notice
defaults
    mode http
    log global
    timeout connect 5s
    timeout client 1m
    timeout server 1m
    {timeouts}
userlist people
    user jane insecure-password x
frontend web
    bind {listen}{ssl}
    {frontend}
    default_backend app
backend app
    option forwardfor
    {backend}
"""
        return "haproxy.cfg", text, ("-f", "haproxy.cfg", "-db")

    return Frame(
        name="HAProxy",
        render=render,
        binary=lambda: find_binary(Product.HAPROXY),
        lines=_joined(frontend, backend, timeouts if "1h" not in timeouts else ""),
    )


def envoy(
    server: str,
    *,
    routes: str,
    upgrades: bool = True,
    manager: str = "",
    filters: str = "",
    config: str = "",
    alpn: str = "",
) -> Frame:
    """`routes` are YAML list entries, one a line; `{up}` in them is the cluster."""
    extensions = "envoy.extensions.filters"
    kind = "type.googleapis.com/envoy.extensions"

    def render(listen: HostPort, is_tls: bool) -> tuple[str, str, tuple[str, ...]]:
        upgrade = "upgrade_configs: [{upgrade_type: websocket}]" if upgrades else ""
        listed = "\n".join(f"                        {line}" for line in routes.split("\n") if line)
        tls = f"""          transport_socket:
            name: envoy.transport_sockets.tls
            typed_config:
              "@type": {kind}.transport_sockets.tls.v3.DownstreamTlsContext
              common_tls_context:
                alpn_protocols: [{alpn or "http/1.1"}]
                tls_certificates:
                  - certificate_chain: {{ filename: cert.pem }}
                    private_key: {{ filename: key.pem }}
"""
        text = f"""static_resources:
  listeners:
    - address:
        socket_address: {{ address: "{listen.host}", port_value: {listen.port} }}
      filter_chains:
        - filters:
            - name: {extensions}.network.http_connection_manager
              typed_config:
                "@type": {kind}.filters.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: web
                use_remote_address: true
                {upgrade}
                {manager}
                http_filters:
                  {filters}
                  - name: {extensions}.http.router
                    typed_config:
                      "@type": {kind}.filters.http.router.v3.Router
                route_config:
{config}                  virtual_hosts:
                    - name: web
                      domains: ["*"]
                      routes:
{listed}
{tls if is_tls else ""}  clusters:
    - name: app
      connect_timeout: 5s
      type: STATIC
      load_assignment:
        cluster_name: app
        endpoints:
          - lb_endpoints:
              - endpoint:
                  address:
                    socket_address: {{ address: "127.0.0.1", port_value: {server}.port }}
"""
        arguments = ("-c", "envoy.yaml", "--disable-hot-restart", "--concurrency", "1")
        return "envoy.yaml", text, (*arguments, "-l", "warn")

    return Frame(
        name="Envoy",
        render=render,
        binary=lambda: find_binary(Product.ENVOY),
        lines=_joined(routes, "" if upgrades else "(no upgrade_configs)", manager, filters),
    )


def lighttpd(lines: str) -> Frame:
    """Debian's lighttpd; `@name@.port` is the port of an address alone."""

    def render(listen: HostPort, is_tls: bool) -> tuple[str, str, tuple[str, ...]]:
        assert not is_tls, "lighttpd's TLS module is a package of its own"
        text = f"""server.modules = ("mod_proxy", "mod_redirect", "mod_access", "mod_deflate",
  "mod_setenv")
server.bind = "{listen.host}"
server.port = {listen.port}
server.document-root = "/usr/share"
server.errorlog = "/dev/stderr"
server.upload-dirs = (".")
mimetype.assign = (".html" => "text/html")
{lines}
"""
        return "lighttpd.conf", text, ("-D", "-f", "lighttpd.conf")

    return Frame(
        name="lighttpd",
        render=render,
        binary=lambda: Path("/usr/sbin/lighttpd"),
        lines=_joined(lines),
    )


def h2o(paths: str) -> Frame:
    """Debian's h2o; `paths` is YAML below `paths:`, indented by six."""

    def render(listen: HostPort, is_tls: bool) -> tuple[str, str, tuple[str, ...]]:
        assert not is_tls
        text = f"""listen:
  host: {listen.host}
  port: {listen.port}
num-threads: 1
error-log: /dev/stderr
hosts:
  default:
    paths:
{paths}
"""
        return "h2o.conf", text, ("-m", "worker", "-c", "h2o.conf")

    return Frame(
        name="h2o", render=render, binary=lambda: Path("/usr/bin/h2o"), lines=_joined(paths)
    )


def varnish(server: str, vcl: str) -> Frame:
    """Debian's Varnish; `vcl` after the one backend."""

    def render(listen: HostPort, is_tls: bool) -> tuple[str, str, tuple[str, ...]]:
        assert not is_tls
        text = f"""vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{server}.port"; }}
{vcl}
"""
        command = (
            f'exec {VARNISHD} -F -j none -n "$PWD/work" -f "$PWD/default.vcl" -a {listen} '
            "-s malloc,32m -s Transient=malloc,32m -T none -p thread_pool_min=10"
        )
        return "default.vcl", text, ("-c", command)

    return Frame(name="Varnish", render=render, binary=lambda: SHELL, lines=_joined(vcl))


def _joined(*texts: str) -> str:
    lines = (line.strip() for text in texts for line in text.splitlines())
    return " ".join(line for line in lines if line)
