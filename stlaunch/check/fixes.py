"""Write the fix for a finding from what is known about the proxy and the app. Pure.

The lines come from `stlaunch.proxies`; where none are known, the words come from the catalogue.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from stlaunch.check import pages
from stlaunch.check.hop import Hop
from stlaunch.check.locations import is_within, resolve
from stlaunch.check.observations import Observations
from stlaunch.diagnostics.catalogue import entry
from stlaunch.diagnostics.content_security import read_policies
from stlaunch.proxies.fixes import OF_REPLICAS, WORDS_FIRST, Fix, fix_for_code, with_replicas
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.site import SOME_HOST, SOME_SOCKET, Site, is_plain_socket, plain_origins
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

_STRIPPED = "stripped"
_MAX_REPORTED = 1_000_000
_KEEPS = {"STL201": True, "STL202": False}
"""Wrong pairings: what the proxy must do with the path instead."""
_HIDDEN = (f"{SOME_HOST}:", f"unix:{SOME_SOCKET}")
"""How the address begins that an app under stlaunch reports to strangers."""
_HINT = "--direct URL fills it in"
REPLACE = "Add these lines; where one sets what is set there already, it takes its place."


def fix_text(
    code: str, hop: Hop | None, seen: Observations, needs: Sequence[Need] | None = None
) -> str:
    """Return what to type where, and how to reload; without lines, the catalogue's words.

    Args:
        code: of the finding.
        hop: the hop to blame; the lines are for its product.
        seen: the observations of the same run.
        needs: those whose lines fix it; None for the catalogue's.
    """
    words = " ".join(entry(code).fix.split())
    found = lines_for(code, hop.product, seen, needs) if hop and hop.product else None
    if found is None:
        return words
    return "\n".join([*([words] if code in WORDS_FIRST else []), REPLACE, found.text])


def lines_for(
    code: str, product: Product, seen: Observations, needs: Sequence[Need] | None = None
) -> Fix | None:
    """Return a product's lines that fix a finding; none where words say more."""
    site = site_of(seen, keep_prefix=_KEEPS.get(code))
    if code in OF_REPLICAS:
        site = with_replicas(site, len(set(seen.instances or ())))
    is_bare = not pages.is_stlaunch(seen.http.get("page"))
    return fix_for_code(code, product, site, needs=needs, is_bare=is_bare, hint=_HINT)


def site_of(seen: Observations, *, keep_prefix: bool | None = None) -> Site:
    """Return the site, as far as it is known.

    The app's address is known from `--direct`, or from an app that runs under stlaunch. A loopback
    address that this one reports may stand for another, which it hides from strangers.

    Args:
        seen: the observations of one run.
        keep_prefix: what the proxy must do; None: as it does.
    """
    host = HostPort.parse(seen.host)
    site = Site(
        base_path=BasePath(seen.base_path),
        host=host.host if host else "",
        is_https=seen.scheme == "https",
        keep_prefix=is_kept(seen) if keep_prefix is None else keep_prefix,
        knows_upstream=False,
        embedders=_embedders(seen),
    )
    port = host.port_or_default(seen.scheme) if host else None
    site = replace(_reported_by_app(seen, site), port=port or site.port)
    upstream = _upstream(seen)
    return replace(site, upstream=upstream, knows_upstream=True) if upstream else site


def _reported_by_app(seen: Observations, site: Site) -> Site:
    """Fill in what an app under stlaunch says about itself; anybody may have written the answer."""
    reported = (seen.self_check or {}).get("app")
    if not isinstance(reported, dict):
        return site
    upstream = _place(str(reported.get("upstream") or ""))
    return replace(
        site,
        upstream=upstream or site.upstream,
        knows_upstream=bool(upstream) and not upstream.startswith(_HIDDEN),
        max_upload_mb=_number(reported.get("max_upload_mb"), site.max_upload_mb),
        ping_interval_s=_number(reported.get("ping_interval_s"), site.ping_interval_s),
    )


def _place(text: str) -> str:
    """Return an address or a socket that is plain enough for lines; empty for anything else."""
    if text.startswith("unix:"):
        return text if is_plain_socket(text.removeprefix("unix:")) else ""
    place = HostPort.parse(text)
    return str(place) if place and place.port else ""


def _embedders(seen: Observations) -> tuple[str, ...]:
    """Return the other sites that may embed the page: a policy that is printed keeps them."""
    page = seen.http.get("page")
    policies = read_policies(page.header("content-security-policy")) if page else ()
    return plain_origins(
        source
        for policy in policies
        if "frame-ancestors" in policy.directives
        for source in policy.sources("frame-ancestors")
    )


def _number(value: object, otherwise: int) -> int:
    return value if type(value) is int and 0 < value <= _MAX_REPORTED else otherwise


def is_kept(seen: Observations) -> bool:
    """Return whether the prefix arrives at the app, if that is known."""
    reported = (seen.self_check or {}).get("base_path")
    if isinstance(reported, dict) and reported.get("mode"):
        return bool(reported["mode"] != _STRIPPED)
    if seen.direct is not None and seen.base_path:
        return seen.direct.base_path == seen.base_path
    # Streamlit redirects a page with a final slash to the one without, using the path it received.
    moved = seen.http.get("deep_slash")
    if moved is not None and moved.is_redirect:
        path = resolve(moved.url, moved.header("location")).path
        return is_within(BasePath(seen.base_path), path)
    return True


def _upstream(seen: Observations) -> str:
    """Return the app's own address, if the check also bypassed the proxy."""
    place = HostPort.parse(urlsplit(seen.direct.url).netloc) if seen.direct else None
    if seen.direct is None or place is None:
        return ""
    return str(HostPort(place.host, place.port_or_default(seen.direct.scheme)))
