"""GET and POST are enough: real proxies that refuse every other method, in Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
from playwright.sync_api import expect

from tests.harness.browser import Visit
from tests.harness.generated import generated_site, start_generated
from tests.harness.journeys import LARGE_BYTES, SMALL_BYTES, count_to, open_first_page, upload
from tests.harness.proxies import RunningProxy, start_proxy
from tests.harness.server import RunningServer
from tests.harness.site import start_app

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

NGINX_LOCATION = re.compile(r"(location /streamlitApp/ \{)")
RULES = {
    "nginx limit_except": ("nginx", NGINX_LOCATION, r"\1 limit_except GET POST { deny all; }"),
    "nginx cuts": (
        "nginx",
        NGINX_LOCATION,
        r"\1 if ($request_method !~ ^(GET|HEAD|POST)$) { return 444; }",
    ),
    "haproxy deny": (
        "haproxy",
        re.compile(r"(    acl is_app path /)"),
        r"    http-request deny unless METH_GET or METH_POST\n\1",
    ),
    "caddy 405": (
        "caddy",
        re.compile(r"(handle /streamlitApp/\* \{)"),
        "\\1\n\t\t@other not method GET HEAD POST\n\t\trespond @other 405",
    ),
    "h2o 501": (
        "h2o",
        re.compile(r"( +)(hidden && !is_ours)"),
        r"""\1!%w(GET HEAD POST).include?(env["REQUEST_METHOD"]) ? [501, {}, []] : \2""",
    ),
    "apache LimitExcept": (
        "apache",
        re.compile(r"\Z"),
        "<Location />\n<LimitExcept GET POST>\nRequire all denied\n</LimitExcept>\n</Location>\n",
    ),
}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    """An app whose pages use plain requests alone."""
    with start_app("--prefix", "both", "--transport", "http") as server:
        yield server


def _start(
    kind: str, port: int, edit: Callable[[str], str]
) -> AbstractContextManager[RunningProxy]:
    if kind == "h2o":
        site = generated_site(kind, [port], keep_prefix=True, is_https=False)
        return start_generated(kind, site, None, edit=edit)
    return start_proxy(kind, "recommended", port, keep_prefix=True, edit=edit)


@pytest.mark.parametrize(("kind", "place", "rule"), RULES.values(), ids=RULES)
def test_get_and_post_are_enough(
    visit: Visit, server: RunningServer, kind: str, place: re.Pattern[str], rule: str
) -> None:
    """The page renders, clicks, uploads, also in several pieces, and deletes what it uploaded."""

    def edit(text: str) -> str:
        edited = place.sub(rule, text, count=1)
        assert edited != text
        return edited

    with _start(kind, server.port, edit) as proxy:
        open_first_page(visit, proxy.url)
        count_to(visit, 1)
        upload(visit, SMALL_BYTES)
        with visit.page.expect_response(
            lambda answer: "x-stlaunch-target" in answer.request.headers
        ) as deleted:
            visit.page.get_by_test_id("stFileChipDeleteBtn").get_by_role("button").click()
        expect(visit.page.get_by_text(f"{SMALL_BYTES} bytes")).not_to_be_visible()
        upload(visit, LARGE_BYTES)
        count_to(visit, 2)
        ours = [line for line in visit.errors() if "/_stlaunch/" in line]

    assert "STL302" not in server.log()  # the transport is as it was asked for
    assert deleted.value.json()["status"] == 204
    assert deleted.value.request.headers["x-stlaunch-method"] == "DELETE"
    assert not [line for line in ours if "/probe?" not in line]
