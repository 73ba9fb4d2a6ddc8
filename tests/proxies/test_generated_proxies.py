"""Generated configurations in the real proxies: valid, and nothing that a client forges arrives."""

from __future__ import annotations

import http.client
import re
import ssl
from dataclasses import replace
from pathlib import Path

import pytest

from tests.harness.generated import (
    RUNNABLE,
    WITHOUT_AFFINITY,
    generated_site,
    start_generated,
    validate,
)
from tests.harness.proxies import RunningProxy
from tests.harness.tls import APP_HOST, Tls
from tests.harness.upstream import Upstream, start_upstream

pytestmark = [pytest.mark.proxy, pytest.mark.unmeasured]

# h2o 2 removes no request headers, which its configuration says.
OVERWRITES = [name for name in RUNNABLE if name != "h2o"]
FORGED = {
    "X-Forwarded-For": "6.6.6.6",
    "X-Forwarded-Host": "evil.test",
    "X-Forwarded-Port": "666",
    "X-Forwarded-Prefix": "/evil",
    "X-Real-IP": "6.6.6.6",
    "Forwarded": "for=6.6.6.6;host=evil.test",
    "Remote-User": "evil",
    "X-Forwarded-User": "evil",
    "X-Forwarded-Email": "evil",
    "X-Auth-Request-User": "evil",
}
DIAGNOSTIC = (
    "_stlaunch/check",
    "_stlaunch/check/",
    "_stlaunch/echo?a=b",
    "_stlaunch/",
    "_stlaunch",
)
WAYS_AROUND = (
    "_stcore/metrics",
    "%5fstlaunch/check",
    "_stlaunch/%63heck",
    "_stlaunch%2fcheck",
    "_stlaunch%2Fcheck",
    "/_stlaunch/check",
    "_stcore/metric%73",
)
OPEN = ("_stlaunch/health", "_stlaunch/token", "_stlaunch/page.js", "_stcore/health", "x/y?q=1")


@pytest.mark.parametrize("name", [name for name in RUNNABLE if name != "traefik"])
@pytest.mark.parametrize("is_other", [False, True], ids=["kept-one", "stripped-replicas"])
def test_real_proxy_finds_it_valid(name: str, is_other: bool, tls: Tls, tmp_path: Path) -> None:
    """Traefik has no command for this; it is started below, and logs no error."""
    ports = [8501, 8502, 8503] if is_other and name not in WITHOUT_AFFINITY else [8501]
    site = generated_site(name, ports, keep_prefix=not is_other, is_https=True, port=18443)
    validate(name, site, tls, tmp_path)


@pytest.mark.parametrize("base_path", ["/", "/a.b~c/d-e_f"], ids=["root", "odd"])
@pytest.mark.parametrize("name", RUNNABLE)
def test_other_paths_and_plain_http(name: str, base_path: str) -> None:
    """Characters that mean something in a regular expression stand for themselves."""
    with start_upstream() as upstream:
        site = generated_site(
            name, [upstream.port], keep_prefix=False, is_https=False, base_path=base_path
        )
        with start_generated(name, site, None) as proxy:
            status, _ = fetch(proxy, f"{proxy.base_path}/page/x?q=1")

    assert status == http.HTTPStatus.OK
    assert upstream.last().path == "/page/x?q=1"


@pytest.mark.parametrize("keep_prefix", [True, False], ids=["kept", "stripped"])
@pytest.mark.parametrize("name", RUNNABLE)
def test_client_forges_nothing_and_diagnostics_are_closed(
    name: str, keep_prefix: bool, tls: Tls
) -> None:
    with start_upstream() as upstream:
        site = generated_site(name, [upstream.port], keep_prefix=keep_prefix, is_https=True)
        site = replace(site, self_check_from=())
        with start_generated(name, site, tls if site.is_https else None) as proxy:
            check_path_and_headers(proxy, upstream, name, site.values["target"])
            check_closed(proxy, upstream)
            log = proxy.log

    assert "level=error" not in log
    assert " ERR " not in log


def check_path_and_headers(proxy: RunningProxy, upstream: Upstream, name: str, target: str) -> None:
    base = proxy.base_path
    status, headers = fetch(proxy, f"{base}?a=b")
    assert status in {301, 308}, "the slash"
    assert headers["Location"].endswith(f"{base}/?a=b")

    for path in OPEN:
        assert fetch(proxy, f"{base}/{path}", FORGED)[0] == http.HTTPStatus.OK, path
        assert upstream.last().path == f"{target}{path}"

    arrived = upstream.last().headers
    public = f"{APP_HOST}:{proxy.port}"
    assert arrived["Host"] == public
    if name in OVERWRITES:
        text = str(arrived)
        assert "evil" not in text, text
        # As a value of its own: a random request ID may have the digits in it.
        assert not re.search(r"(?<![\w.])666(?![\w.])", text), text
        # Only in front of what the proxy added.
        assert text.count("6.6.6.6") <= 1
        last = ", ".join(arrived.get_all("X-Forwarded-For")).replace(" ", "").split(",")[-1]
        assert last != "6.6.6.6"
        assert arrived["X-Forwarded-Host"] == public
    if proxy.scheme == "https":
        assert arrived["X-Forwarded-Proto"] == "https"


def check_closed(proxy: RunningProxy, upstream: Upstream) -> None:
    before = len(upstream.requests)
    for path in (*DIAGNOSTIC, *WAYS_AROUND):
        status, _ = fetch(proxy, f"{proxy.base_path}/{path}")

        assert status in {403, 404}, path
    assert len(upstream.requests) == before


@pytest.mark.parametrize("name", RUNNABLE)
def test_self_check_is_open_to_whom_the_user_says(name: str, tls: Tls) -> None:
    """Loopback is where the tests come from; Envoy sees them under the machine's own address."""
    with start_upstream() as upstream:
        site = generated_site(name, [upstream.port], keep_prefix=False, is_https=True)
        with start_generated(name, site, tls if site.is_https else None) as proxy:
            status, _ = fetch(proxy, f"{proxy.base_path}/_stlaunch/check")

    assert status == http.HTTPStatus.OK
    assert upstream.last().path == "/_stlaunch/check"


def fetch(
    proxy: RunningProxy, path: str, headers: dict[str, str] | None = None
) -> tuple[int, http.client.HTTPMessage]:
    """GET through the proxy under the public name."""
    context = ssl._create_unverified_context()
    connection = (
        http.client.HTTPSConnection("127.0.0.1", proxy.port, timeout=30, context=context)
        if proxy.scheme == "https"
        else http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=30)
    )
    try:
        host = {"Host": f"{APP_HOST}:{proxy.port}"}
        connection.request("GET", path, headers=host | (headers or {}))
        response = connection.getresponse()
        response.read()
        return response.status, response.headers
    finally:
        connection.close()


EXISTING_SITES = {
    "nginx": "events {{}}\nhttp {{\n server {{\n listen {port};\n{snippet}\n }}\n}}\n",
    "apache": "{before}<VirtualHost *:{port}>\n{snippet}\n</VirtualHost>\n",
    "caddy": "{before}http://:{port} {{\n{snippet}\n}}\n",
}


@pytest.mark.parametrize("keep_prefix", [True, False], ids=["kept", "stripped"])
@pytest.mark.parametrize("name", EXISTING_SITES)
def test_snippet_works_in_an_existing_site(name: str, keep_prefix: bool) -> None:
    with start_upstream() as upstream:
        site = generated_site(name, [upstream.port], keep_prefix=keep_prefix, is_https=False)
        site = replace(site, is_whole=False)
        with start_generated(name, site, None, around=EXISTING_SITES[name]) as proxy:
            status, _ = fetch(proxy, f"{proxy.base_path}/page", FORGED)

    assert status == http.HTTPStatus.OK
    assert upstream.last().path == f"{site.values['target']}page"
    assert upstream.last().headers["Host"] == f"{APP_HOST}:{proxy.port}"
    assert "evil" not in str(upstream.last().headers)
