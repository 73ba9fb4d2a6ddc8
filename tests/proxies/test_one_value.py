"""A fact that words repeat has the value of its home."""

from __future__ import annotations

import re

from stlaunch.diagnostics.catalogue import entry
from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.site import Site
from stlaunch.urls.base_path import BasePath
from tests.conftest import REPOSITORY

SITE = Site(base_path=BasePath("/app"))


def handbook(name: str) -> str:
    return (REPOSITORY / "stlaunch" / "handbook" / name).read_text("utf-8")


def test_words_about_idle_connections_name_the_time_of_the_lines() -> None:
    assert re.findall(r"(\d+) s\b", entry("STL604").fix) == [SITE.values["idle_s"]]


def test_apache_gets_no_limit_that_it_does_not_apply() -> None:
    """The manual says of that directive: not applicable to proxy requests."""
    assert recipe(Product.APACHE).parts_for(Need.BODY_SIZE, SITE) == ()


def test_the_price_of_the_fallback_is_the_measured_one() -> None:
    """The table is written by `python -m tests.benchmarks`."""
    (row,) = re.findall(r"\| rerun latency p50 over the fallback, .*", handbook("performance.md"))
    measured = re.search(r"\| (\d[\d.]*)x \(", row)
    said = re.search(r"a rerun takes (\d[\d.]*) times", handbook("no-websocket.md"))

    assert measured
    assert said
    assert said[1] == measured[1]
