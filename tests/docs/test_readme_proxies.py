"""The lines that the README and the handbook give for each proxy are lines that work.

They are put into as little around them as the proxy needs to start.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import indent

import pytest
from playwright.sync_api import expect

from tests.docs.generated import short_block
from tests.harness.browser import Visit
from tests.harness.ports import free_port
from tests.harness.proxies import proxy_binary
from tests.harness.server import RunningServer, start_server, stlaunch_app

CONFIG = "proxy.yaml"  # Envoy and Traefik go by the ending, the others do not care


def lines_for(proxy: str) -> str:
    """Return the configuration in the proxy's block."""
    found = re.fullmatch(r"```\w+\n(.*?)```\n", short_block(proxy), re.DOTALL)
    assert found, proxy
    return found[1]


def nginx(lines: str, port: int, _app_port: int) -> tuple[str, list[str]]:
    config = f"""daemon off;
pid nginx.pid;
events {{
}}
http {{
    access_log off;
    client_body_temp_path client_body_temp;
    proxy_temp_path proxy_temp;
    server {{
        listen 127.0.0.1:{port};
{indent(lines, " " * 8)}
    }}
}}"""
    return config, ["-p", ".", "-c", CONFIG, "-e", "stderr"]


def caddy(lines: str, port: int, _app_port: int) -> tuple[str, list[str]]:
    config = f"""{{
    admin off
    persist_config off
}}
http://127.0.0.1:{port}, http://localhost:{port} {{
{indent(lines, "    ")}
}}
"""
    return config, ["run", "--config", CONFIG, "--adapter", "caddyfile"]


def traefik(lines: str, port: int, _app_port: int) -> tuple[str, list[str]]:
    return lines, [
        f"--entrypoints.web.address=127.0.0.1:{port}",
        f"--providers.file.filename={CONFIG}",
    ]


def haproxy(lines: str, port: int, _app_port: int) -> tuple[str, list[str]]:
    frontend, backend = lines.split("\n\n")
    config = f"""defaults
    mode http
    timeout connect 5s
    timeout client 1m
    timeout server 1m

frontend web
    bind 127.0.0.1:{port}
{indent(frontend, "    ")}

{backend}"""
    return config, ["-f", CONFIG, "-db"]


def envoy(lines: str, port: int, app_port: int) -> tuple[str, list[str]]:
    manager, routes = lines.split("\n\n")
    kind = "type.googleapis.com/envoy.extensions.filters"
    config = f"""static_resources:
  listeners:
    - address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }}
      filter_chains:
        - filters:
            - name: web
              typed_config:
                "@type": {kind}.network.http_connection_manager.v3.HttpConnectionManager
                stat_prefix: web
{indent(manager, " " * 16)}
                http_filters:
                  - name: router
                    typed_config: {{ "@type": {kind}.http.router.v3.Router }}
                route_config:
                  virtual_hosts:
                    - name: web
                      domains: ["*"]
                      routes:
{indent(routes, " " * 24)}
  clusters:
    - name: streamlit
      connect_timeout: 5s
      load_assignment:
        cluster_name: streamlit
        endpoints:
          - lb_endpoints:
              - endpoint:
                  address:
                    socket_address: {{ address: 127.0.0.1, port_value: {app_port} }}
"""
    return config, ["-c", CONFIG, "--disable-hot-restart", "--concurrency", "1"]


def apache(lines: str, port: int, _app_port: int) -> tuple[str, list[str]]:
    needed = ("proxy", "proxy_http")  # what the handbook says
    modules = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
        for name in ("mpm_event", "authz_core", *needed)
    )
    config = f"""{modules}
Listen 127.0.0.1:{port}
ServerName localhost
DefaultRuntimeDir .
PidFile apache.pid
ErrorLog /dev/stderr
User www-data
Group www-data
{lines}"""
    return config, ["-d", ".", "-f", CONFIG, "-DFOREGROUND"]


@pytest.fixture(scope="module")
def app(hello_app: Path) -> Iterator[RunningServer]:
    with stlaunch_app(
        hello_app, free_port(), "--behind-proxy", "/streamlitApp", "--prefix", "both"
    ) as server:
        yield server


@pytest.mark.browser
@pytest.mark.proxy
@pytest.mark.parametrize(
    ("name", "around"),
    [
        ("nginx", nginx),
        ("Apache", apache),
        ("Caddy", caddy),
        ("Traefik", traefik),
        ("HAProxy", haproxy),
        ("Envoy", envoy),
    ],
)
def test_lines_work(
    app: RunningServer,
    visit: Visit,
    tmp_path: Path,
    name: str,
    around: Callable[[str, int, int], tuple[str, list[str]]],
) -> None:
    port = free_port()
    lines = lines_for(name).replace("127.0.0.1:8501", f"127.0.0.1:{app.port}")
    config, arguments = around(lines, port, app.port)
    (tmp_path / CONFIG).write_text(config)

    with start_server(
        [str(proxy_binary(name.lower())), *arguments],
        cwd=tmp_path,
        ready_path="/streamlitApp/_stlaunch/health",
        port=port,
    ):
        with visit.page.expect_websocket() as opened:
            visit.page.goto(f"http://localhost:{port}/streamlitApp/")
        expect(visit.page.get_by_text("Hello from Streamlit").first).to_be_visible()

        assert not opened.value.is_closed()
