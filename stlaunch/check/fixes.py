"""Write what to type for a finding, from what is known about the proxy and the app. Pure.

The lines themselves are `stlaunch.proxies`'; the words where no lines are known, the catalogue's.
"""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import urlsplit

from stlaunch.check.hop import Hop
from stlaunch.check.locations import resolve
from stlaunch.check.observations import Observations
from stlaunch.diagnostics.catalogue import entry
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Need
from stlaunch.proxies.site import Site
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

_STRIPPED = "stripped"
_MAX_TOLD = 1_000_000
_KEEPS = {"STL201": True, "STL202": False}
"""Wrong pairings: what the proxy has to do with the path from now on."""


def fix_text(code: str, hop: Hop | None, seen: Observations) -> str:
    """Return where to type what, and how to reload; the catalogue's words without a product."""
    known = entry(code)
    words = " ".join(known.fix.split())
    product = hop.product if hop else None
    if product is None:
        return words
    site = site_of(seen, keep_prefix=_KEEPS.get(code))
    found = (fix_for(Need(need), product, site) for need in known.needs)
    return "\n".join(one.text for one in found if one is not None) or words


def site_of(seen: Observations, *, keep_prefix: bool | None = None) -> Site:
    """Return the site as far as it showed itself.

    Args:
        seen: of one run.
        keep_prefix: what the proxy must do; None: as it does.
    """
    host = HostPort.parse(seen.host)
    site = Site(
        base_path=BasePath(seen.base_path),
        host=host.host if host else "",
        is_https=seen.scheme == "https",
        keep_prefix=is_kept(seen) if keep_prefix is None else keep_prefix,
    )
    port = host.port_or_default(seen.scheme) if host else None
    upstream = _upstream(seen)
    told = _told_by_app(seen, site)
    return replace(told, upstream=upstream or told.upstream, port=port or site.port)


def _told_by_app(seen: Observations, site: Site) -> Site:
    """Fill in what an app under stlaunch says about itself; the answer may be anybody's."""
    told = (seen.self_check or {}).get("app")
    if not isinstance(told, dict):
        return site
    place = HostPort.parse(str(told.get("upstream") or ""))
    return replace(
        site,
        upstream=str(place) if place and place.port else site.upstream,
        max_upload_mb=_number(told.get("max_upload_mb"), site.max_upload_mb),
        ping_interval_s=_number(told.get("ping_interval_s"), site.ping_interval_s),
    )


def _number(told: object, otherwise: int) -> int:
    return told if type(told) is int and 0 < told <= _MAX_TOLD else otherwise


def is_kept(seen: Observations) -> bool:
    """Tell whether the prefix arrives at the app, as far as that can be told."""
    told = (seen.self_check or {}).get("base_path")
    if isinstance(told, dict) and told.get("mode"):
        return bool(told["mode"] != _STRIPPED)
    # Streamlit leads a page with a final slash to the one without, by the path that it was given.
    moved = seen.http.get("deep_slash")
    if moved is not None and moved.is_redirect:
        path = resolve(moved.url, moved.header("location")).path
        return BasePath(seen.base_path).strip_from(path) is not None
    return True


def _upstream(seen: Observations) -> str:
    """Return the app's own address, where the app was also asked around the proxy."""
    place = HostPort.parse(urlsplit(seen.direct.url).netloc) if seen.direct else None
    if seen.direct is None or place is None:
        return ""
    return str(HostPort(place.host, place.port_or_default(seen.direct.scheme)))
