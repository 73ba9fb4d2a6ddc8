"""A proxy with a configuration of the test's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from stlaunch.errors import StartError
from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import ProxyPlan, ProxySite
from stlaunch.proxies.process import ProxyProcess
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort
from tests.harness.ports import free_port
from tests.harness.proxies import proxy_binary

_ATTEMPTS = 3
_FRAME = """
pid nginx.pid; daemon off; master_process off;
events {{}}
http {{
    access_log off;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {{
        listen 127.0.0.1:{port};
        {lines}
    }}
}}
"""


@contextmanager
def start_nginx(lines: Callable[[int], str], upstream: int) -> Iterator[int]:
    """Run nginx with these lines in its server block; yields its port, which they are given."""

    def config(port: int) -> str:
        return _FRAME.format(port=port, lines=lines(port))

    arguments = ("-p", ".", "-e", "stderr", "-c", "nginx.conf")
    with start_own(Product.NGINX, "nginx.conf", config, arguments, upstream) as process:
        yield process.plan.site.listen.port or 0


@contextmanager
def start_own(
    product: Product,
    config_name: str,
    config: Callable[[int], str],
    arguments: tuple[str, ...],
    upstream: int,
) -> Iterator[ProxyProcess]:
    """Run a proxy with a whole configuration, which is given a free port to listen on."""
    for attempt in range(_ATTEMPTS):
        port = free_port()
        plan = ProxyPlan(
            name=str(product),
            site=ProxySite(
                listen=HostPort("127.0.0.1", port),
                upstream=HostPort("127.0.0.1", upstream),
                base_path=BasePath(),
                keep_prefix=True,
            ),
            config_name=config_name,
            config_text=config(port),
            arguments=arguments,
        )
        process = ProxyProcess(plan, proxy_binary(product))
        try:
            process.__enter__()
        except StartError:
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        try:
            yield process
        finally:
            process.__exit__(None, None, None)
        return
