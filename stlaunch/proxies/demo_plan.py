"""Plan a proxy for the demo: the generated configuration, or the part that people often write.

No line is written here: they are those of `stlaunch proxy`.
"""

from __future__ import annotations

from dataclasses import replace

from stlaunch.proxies.configuration import Configuration, generate
from stlaunch.proxies.model import Start, recipe
from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import (
    ProxyPlan,
    ProxySetup,
    ProxySite,
    refuse_setup,
)
from stlaunch.proxies.site import Site
from stlaunch.proxies.starting import start_of


def plan_proxy(product: Product, setup: ProxySetup, site: ProxySite) -> ProxyPlan:
    """Plan a proxy in front of the app, over plain http.

    Raises:
        UsageError: for a setup that this product has no equivalent of.
        StartError: if no wheel carries this product.
    """
    start = start_of(product)
    kind = recipe(product).kinds[0]
    is_recommended = setup is ProxySetup.RECOMMENDED
    if not is_recommended:
        if setup not in start.broken:
            raise refuse_setup(recipe(product).title, setup)
        kind = replace(kind, needs=start.broken[setup])
    described = Site(
        base_path=site.base_path,
        upstream=str(site.upstream),
        bind=site.listen.host,
        port=site.listen.port or 0,
        is_https=False,
        keep_prefix=site.keep_prefix,
        is_whole=is_recommended,
    )
    return plan_configuration(str(product), start, generate(kind, described), site)


def plan_configuration(
    name: str, start: Start, configuration: Configuration, site: ProxySite
) -> ProxyPlan:
    """Return how a generated configuration is run in a folder of its own."""
    return ProxyPlan(
        name=name,
        site=site,
        config_name=start.config_name,
        config_text=start.before + start.finish(configuration.body),
        arguments=(*start.arguments(site), *configuration.elsewhere.get(start.place, ())),
        ready_path=start.ready_path,
    )
