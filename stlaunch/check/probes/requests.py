"""The HTTP requests of a page, and a few that only a check makes, by name."""

from __future__ import annotations

import re

from stlaunch.check.client import Client
from stlaunch.check.locations import resolve
from stlaunch.check.observations import Exchange
from stlaunch.check.target import Target
from stlaunch.urls.streamlit_routes import HEALTH, HOST_CONFIG, METRICS

MISSING_ASSET = "/static/js/stlaunch-check.00000000.js"
COMPONENT = "/component/stlaunch_check.none/index.html"
DEEP_PAGE = "/stlaunch_check"
_MAX_REDIRECTS = 10
_ASSET_LIMIT = 8 * 1024 * 1024
_COOKIE_BYTES = 5000
_ASSET = re.compile(r"""src=["']([^"']*static/js/[^"']+\.js)["']""")


def planned(target: Target) -> dict[str, str]:
    """Return name -> path of the requests that depend on nothing."""
    paths = {
        "deep": target.path(DEEP_PAGE),
        "deep_slash": target.path(DEEP_PAGE + "/"),
        "host_config": target.path(HOST_CONFIG),
        "missing_asset": target.path(MISSING_ASSET),
        "component": target.path(COMPONENT),
        "metrics": target.path(METRICS),
    }
    if target.base_path.value:
        paths["bare"] = target.base_path.value
        paths["root_health"] = HEALTH
        paths["doubled_health"] = target.base_path.value + target.path(HEALTH)
    return paths


async def follow(client: Client, first: Exchange) -> tuple[tuple[Exchange, ...], Exchange]:
    """Follow the page's redirects on the same origin; return them and the last answer."""
    chain: list[Exchange] = []
    last = first
    while last.is_redirect and len(chain) < _MAX_REDIRECTS:
        split = resolve(last.url, last.header("location"))
        if f"{split.scheme}://{split.netloc}" != str(client.dialer.target.origin):
            break
        chain.append(last)
        path = (split.path or "/") + (f"?{split.query}" if split.query else "")
        if not path.isascii() or not path.isprintable() or " " in path:
            break
        last = await client.get(path)
        client.jar.keep(last)
    return tuple(chain), last


def asset_path(page: Exchange) -> str | None:
    """Return the path of the page's first script below static/js, if it is on the same origin."""
    found = _ASSET.search(page.text)
    if not found:
        return None
    split = resolve(page.url, found[1])
    here = resolve(page.url, "")
    is_plain = split.path.isascii() and split.path.isprintable() and " " not in split.path
    return split.path if split.netloc == here.netloc and is_plain else None


async def get_asset(client: Client, path: str, *, compressed: bool) -> Exchange:
    """Request an asset as a browser does, or uncompressed."""
    encoding = "gzip, deflate, br" if compressed else "identity"
    return await client.get(path, extra=(("Accept-Encoding", encoding),), limit=_ASSET_LIMIT)


async def get_with_large_header(client: Client, target: Target) -> Exchange:
    """Request health with as many cookies as a login sets."""
    filler = f"stlaunch_check={'x' * _COOKIE_BYTES}"
    return await client.get(target.path(HEALTH), cookies=(filler,))
