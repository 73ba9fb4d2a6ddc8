"""The lines that the README gives for each proxy are the ones that work.

nginx, Caddy and Traefik: they stand in the examples, which `tests/examples` runs. HAProxy, Envoy
and Apache: they are put into as little around them as the proxy needs to start.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import indent

import pytest

from tests.conftest import REPOSITORY
from tests.docs.generated import README
from tests.examples.client import open_app
from tests.harness.ports import free_port
from tests.harness.proxies import proxy_binary
from tests.harness.server import RunningServer, start_server, stlaunch_app

EXAMPLES = REPOSITORY / "examples"
CONFIG = "proxy.yaml"  # Envoy goes by the ending, the others do not care


def lines_for(proxy: str) -> str:
    """Return the configuration block below the proxy's heading."""
    _, _, rest = README.read_text(encoding="utf-8").partition(f"\n### {proxy}\n")
    found = re.search(r"```\w*\n(.*?)```", rest.partition("\n## ")[0], re.DOTALL)
    assert found, proxy
    return found[1]


@pytest.mark.parametrize(
    ("proxy", "file"),
    [
        ("nginx", "nginx/nginx.conf"),
        ("nginx", "docker/nginx.conf"),
        ("Caddy", "caddy/Caddyfile"),
        ("Traefik", "traefik/dynamic.yml"),
    ],
)
def test_readme_lines_stand_in_the_example(proxy: str, file: str) -> None:
    example = (EXAMPLES / file).read_text().replace("http://app:8501", "http://127.0.0.1:8501")
    example_lines = iter([line.strip() for line in example.splitlines()])
    wanted = [line.strip() for line in lines_for(proxy).splitlines()]
    wanted = [line for line in wanted if line and not line.startswith("#")]

    missing = [line for line in wanted if line not in example_lines]  # in this order

    assert not missing


def haproxy(lines: str, port: int, _app_port: int) -> tuple[str, list[str]]:
    timeout, frontend, backend = lines.split("\n\n")
    config = f"""defaults
    mode http
    timeout connect 5s
    timeout client 1m
    timeout server 1m
{indent(timeout, "    ")}

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
    needed = ("proxy", "proxy_http", "headers")  # what the README says
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
    with stlaunch_app(hello_app, free_port(), "--behind-proxy", "/streamlitApp") as server:
        yield server


@pytest.mark.proxy
@pytest.mark.parametrize(
    ("heading", "around"), [("HAProxy", haproxy), ("Envoy", envoy), ("Apache", apache)]
)
def test_readme_lines_work(
    app: RunningServer,
    tmp_path: Path,
    heading: str,
    around: Callable[[str, int, int], tuple[str, list[str]]],
) -> None:
    port = free_port()
    lines = lines_for(heading).replace("127.0.0.1:8501", f"127.0.0.1:{app.port}")
    config, arguments = around(lines, port, app.port)
    (tmp_path / CONFIG).write_text(config)

    with start_server(
        [str(proxy_binary(heading.lower())), *arguments],
        cwd=tmp_path,
        ready_path="/streamlitApp/_stlaunch/health",
        port=port,
    ):
        open_app(port, "/streamlitApp/", "Hello from Streamlit")
