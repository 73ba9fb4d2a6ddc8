"""No text that came over the wire is in a line that an operator pastes, but as one quoted word."""

from __future__ import annotations

import shlex

import pytest

from stlaunch.gateway.app_site import AppSite
from stlaunch.gateway.monitor.findings import origin_rejected, untrusted_forwarding
from stlaunch.gateway.request import request_info
from stlaunch.proxies.needs import Need, Product
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.public_paths import PublicPaths
from tests.asgi.driver import Recorder, make, request

# Each is a plain path, as RFC 3986 has it, and does something in a shell or a configuration.
PATHS = [
    *("/x;reboot", "/x&reboot", "/$(reboot)", "/x'a", "/x!!", "/x*y", "/a(b)", "/~root", "/x=y"),
    *("/a,b", "/$host", "/%7B%7D", "/%24%28id%29", "/x;proxy_pass", "/a:b@c", "/+x", "/-x"),
]
# What may stand in a line without quotes, in every shell and every proxy's language.
HARMLESS = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._~-")


@pytest.mark.parametrize("path", PATHS)
def test_no_proxys_lines_hold_a_path_that_a_stranger_invented(path: str) -> None:
    """Every product, every need: an odd path is left for the operator to fill in."""
    app = Recorder()
    learning = PublicPaths(is_learning=True)
    wrapped = make(app, paths=learning, app_base=BasePath())
    answer = request(wrapped, "/media/x", [("host", "app.test"), ("x-forwarded-prefix", path)])
    arrived = request_info(app.last)
    assert (answer.status, str(arrived.base)) == (200, path), "it is believed for its request"
    texts = [
        AppSite().fix_text(need, arrived, product, hides_host=hides)
        for need in Need
        for product in Product
        for hides in (False, True)
    ]

    assert any(texts)
    if not set(path) <= HARMLESS:
        assert [text for text in texts if path in text] == []


@pytest.mark.parametrize(
    "origin",
    [
        "https://$(reboot).test",
        "https://evil.test;reboot",
        "https://evil.test' --origin-check proof",
        "https://evil.test\n--self-check public",
        "https://evil.test`id`",
        "https://-x.test",
        "null",
        "https://[::1]:80",
    ],
)
def test_an_origin_is_one_word_of_a_flag(origin: str) -> None:
    fix = origin_rejected(origin, "app.test", None, ()).fix
    line = fix.split("`")[1] if fix.count("`") == 2 else pytest.fail(fix)
    flag, value = shlex.split(line)

    assert flag == "--allow-origin"
    assert value in {origin, "https://HOST"} or value == origin.replace(":80", "")
    assert "\n" not in line


@pytest.mark.parametrize("peer", ["203.0.113.9", "fe80::1%eth0;reboot", "x y", "$(reboot)"])
def test_a_peer_is_one_word_of_a_flag(peer: str) -> None:
    fix = untrusted_forwarding(peer, ("Via",)).fix

    assert shlex.split(fix.partition(": ")[2]) == ["--trusted-proxies", peer]
