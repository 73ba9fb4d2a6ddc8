"""The ways in which people configure a proxy for Streamlit without stlaunch."""

from __future__ import annotations

from enum import StrEnum

from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import ProxyPlan, ProxySite, refuse_setup
from stlaunch.proxies.starting import start_of


class Setup(StrEnum):
    """A name for each."""

    BLOG = "blog"
    """A bare forwarding of one path; the WebSocket upgrade is lost."""
    BLOG_STREAM = "blog-stream"
    """The same, and a second location with the upgrade lines for the WebSocket alone."""
    THREE_LINES = "three-lines"
    """The three upgrade lines without `Host`; the app sees the upstream's address as its own."""
    RECOMMENDED = "recommended"
    """What the proxy's own documentation recommends for WebSockets."""


def plan_documented(product: Product, setup: Setup, site: ProxySite, text: str) -> ProxyPlan:
    """Plan a configuration of a product without other setups; the demo's start runs it.

    Raises:
        UsageError: for a setup other than `recommended`.
    """
    if setup is not Setup.RECOMMENDED:
        raise refuse_setup(recipe(product).title, setup)
    start = start_of(product)
    return ProxyPlan(
        name=str(product),
        site=site,
        config_name=start.config_name,
        config_text=start.before + start.finish(text),
        arguments=start.arguments(site),
        ready_path=start.ready_path,
    )
