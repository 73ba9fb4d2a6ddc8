"""Knowledge about proxies is in `stlaunch/proxies`, and nowhere else in the package."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.site import Site
from stlaunch.urls.base_path import BasePath
from tests.conftest import REPOSITORY

PACKAGE = REPOSITORY / "stlaunch"
# Words of a proxy's language that nobody needs who does not write or read it.
WORDS = re.compile(
    r"proxy_set_header|proxy_pass|proxy_http_version|proxy_(read|send)_timeout|proxy_buffering"
    r"|proxy_request_buffering|proxy_next_upstream|client_max_body_size|\badd_header\b|\bgzip_types"
    r"|absolute_redirect|listen \d+ ssl|location /\S* \{"  # nginx
    r"|\bProxyPass|ProxyPreserveHost|ProxyTimeout|RequestHeader |BalancerMember|LimitRequestBody"
    r"|RedirectMatch|upgrade=websocket"  # Apache
    r"|reverse_proxy|header_up|handle_path|flush_interval|stream_close_delay|\brespond @"  # Caddy
    r"|use_backend|default_backend|http-request |http-check |option (forwardfor|httpchk|persist"
    r"|redispatch|http-)|timeout (tunnel|connect|client|server)|balance (roundrobin|leastconn"
    r"|source)|stick-table|\binsert indirect|server-template|default-server|retry-on "  # HAProxy
    r"|upgrade_configs|upgrade_type|lb_policy|stream_idle_timeout|prefix_rewrite"  # Envoy
    r"|[sS]tripPrefix:|passHostHeader|maxRequestBodyBytes|respondingtimeouts|forwardedheaders"
    r"|PathPrefix\(|traefik\.http\."  # Traefik
    r"|\bproxy\.(server|header|balance =|websocket|preserve-|reverse|timeout)|server\.max-request"
    r"|server\.stream-|limit-request-body|beresp\.|bereq\.|req\.backend_hint|vcl_|pipe_timeout"
    r"|ingress\.kubernetes\.io|router\.openshift\.io|rewrite-target|sessionPersistence|URLRewrite"
    r"|stickiness\.|idle_timeout\.timeout|cookieBasedAffinity|httpHostHeader|requestLimits"
)
LINTER = "lint/"
# The linter reads these languages, so it knows their words; a line that it prints comes from here.
PRINTED = re.compile(
    r"proxy_set_header [\w{}$-]+ [^\s\"'|]+;|ProxyPreserveHost On|[ ]upgrade=websocket[\"`]"
    r"|client_max_body_size \d+m|proxy_(read|send)_timeout \d+|option forwardfor`"
    r"|RequestHeader (set|unset) \S|reverse_proxy \S+:\d|upgrade_type: websocket"
)


def sources() -> Iterator[tuple[str, str]]:
    for path in sorted(PACKAGE.rglob("*")):
        if path.suffix in {".py", ".js", ".toml", ".html", ".css"}:
            yield path.relative_to(PACKAGE).as_posix(), path.read_text(encoding="utf-8")


def test_no_other_module_holds_a_proxys_language() -> None:
    found = {
        f"{name}: {match[0]}"
        for name, text in sources()
        if not name.startswith(("proxies/", LINTER))
        for match in WORDS.finditer(text)
    }

    assert found == set()


def test_the_linter_prints_no_line_of_its_own() -> None:
    found = {name for name, text in sources() if name.startswith(LINTER) and PRINTED.search(text)}

    assert found == set()


@pytest.mark.parametrize("product", Product)
def test_the_words_of_every_product_are_looked_for(product: Product) -> None:
    """A product whose lines hold none of the words could leave its file unseen."""
    known = recipe(product)
    site = Site(base_path=BasePath("/app"), replicas=("10.0.0.1:8501", "10.0.0.2:8501"))
    lines = "\n".join(part.lines for need in Need for part in known.parts_for(need, site))
    template = "\n".join(kind.template for kind in known.kinds)

    assert WORDS.search(f"{lines}\n{template}")


@pytest.mark.parametrize("product", Product)
def test_a_products_file_holds_all_of_it(product: Product) -> None:
    known = recipe(product)

    assert known.title
    assert known.places
    assert known.parts
    assert known.kinds
    assert {kind.product for kind in known.kinds} == {product}
    assert not known.validate or known.reload
