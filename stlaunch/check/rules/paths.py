"""STL2xx: base path, slashes, redirects and assets."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import SplitResult

from stlaunch.check import pages
from stlaunch.check.hops import author_of
from stlaunch.check.locations import is_within, resolve
from stlaunch.check.observations import Exchange, Observations
from stlaunch.check.rules.model import APP, Hit, Outcome, Rule, Unknown
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.proxies.needs import Need
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort, Origin

_SCRIPT_TYPES = {"text/javascript", "application/javascript", "application/x-javascript"}
_SAYS_NOTHING_OF_PATHS = {429, 502, 503, 504}
_BAD_REQUEST = 400
_ERRORS = 400


def _stripped(seen: Observations) -> Outcome:
    doubled, health = seen.http.get("doubled_health"), seen.http["health"]
    if doubled is None:
        return Unknown("the app is asked for at the root")
    if health.status in _SAYS_NOTHING_OF_PATHS:
        return Unknown(f"health is answered {health.status}")
    if pages.is_health(doubled) and not pages.is_health(health):
        return Hit(
            evidence=f"{_path(doubled)} is the app's health, {seen.base_path}/_stcore/health "
            "is not: the app gets the path without its prefix."
        )
    return None


def _kept(seen: Observations) -> Outcome:
    health, page = seen.http["health"], seen.http["page"]
    if not seen.base_path:
        return Unknown("the app is asked for at the root")
    if health.is_ok and pages.is_streamlit(health):
        answered = "with the app's page"
    elif pages.is_own_404(health) and (pages.is_streamlit(page) or page.is_redirect):
        answered = "404 by the app"
    else:
        return None
    return Hit(evidence=f"{_path(health)} is answered {answered}, which does not know the prefix.")


def _double_slash(seen: Observations) -> Outcome:
    page = seen.http["page"]
    if page.status == _BAD_REQUEST and page.text.strip() == "Bad Request":
        return Hit(evidence=f"{_path(page)} is answered 400 'Bad Request', as // is by Streamlit.")
    return None


def _bare_path(seen: Observations) -> Outcome:
    bare, page = seen.http["bare"], seen.http["page"]
    if not pages.is_streamlit(page):
        return Unknown("the page with its slash is not the app's")
    if bare.is_redirect:
        return None
    if pages.is_streamlit(bare) and pages.has_absolute_assets(bare):
        return None
    if pages.is_streamlit(bare):
        what = "is the page, whose assets are then looked for one level up"
    else:
        what = f"answers {bare.status or bare.detail}"
    return Hit(
        evidence=f"{seen.base_path}, without the final slash, {what}.",
        hop=author_of(bare),
        circumstances=_spelling(seen, "bare"),
    )


def _spelling(seen: Observations, name: str) -> tuple[Circumstance, ...]:
    """Return who is affected by an answer of that name, at the address that was given."""
    if name == "deep_slash":
        return (Circumstance.SUBPAGE_SLASH,)
    return (Circumstance.OTHER_SPELLING,) if name == "bare" and not seen.lacks_slash else ()


def _loses_prefix(seen: Observations) -> Outcome:
    base = BasePath(seen.base_path)
    for name in ("page", "bare", "deep_slash"):
        answers = seen.redirects if name == "page" else (seen.http.get(name),)
        for answer in answers:
            if answer is None or not answer.is_redirect:
                continue
            split = resolve(answer.url, answer.header("location"))
            if f"{split.scheme}://{split.netloc}" != _origin(seen):
                continue
            if not is_within(base, split.path):
                return Hit(
                    evidence=f"{_path(answer)} is redirected to {split.path}.",
                    circumstances=_spelling(seen, name),
                )
    return None


def _leaves_host(seen: Observations) -> Outcome:
    for name in ("page", "bare", "deep_slash"):
        answer = seen.http.get(name)
        if answer is None or not answer.is_redirect:
            continue
        place = resolve(answer.url, answer.header("location"))
        there = HostPort.parse(place.netloc)
        here = HostPort.parse(seen.host)
        if there is None or here is None:
            continue
        if there.host == here.host and _is_right_port(place, seen):
            continue
        if _is_internal(there.host) or there.host == here.host:
            return Hit(
                evidence=f"{_path(answer)} is redirected to {place.scheme}://{place.netloc}"
                f"{place.path}.",
                circumstances=_spelling(seen, name),
                # Another port of the same host is the proxy's own: it redirects without the app.
                needs=(Need.SLASH,) if there.host == here.host else (Need.HOST,),
            )
    return None


def _is_right_port(place: SplitResult, seen: Observations) -> bool:
    there = Origin.parse(f"{place.scheme}://{place.netloc}")
    here = Origin.parse(_origin(seen))
    if there is None or here is None:
        return True
    return there.scheme != here.scheme or there.port == here.port


def _is_internal(host: str) -> bool:
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host


def _wrong_asset(seen: Observations) -> Outcome:
    asset = seen.http["asset"]
    if not asset.is_ok:
        return None
    if asset.content_type in _SCRIPT_TYPES and not pages.is_html(asset):
        return None
    return Hit(
        evidence=f"{_path(asset)} comes as {asset.content_type or 'no content type'}: "
        f"{pages.title_of(asset)!r}."
    )


def _no_asset(seen: Observations) -> Outcome:
    asset = seen.http["asset"]
    if asset.status is None or asset.status >= _ERRORS or asset.is_redirect:
        outcome = asset.status or asset.detail
        return Hit(evidence=f"{_path(asset)}: {outcome}.", hop=author_of(asset))
    return None


def _deep_page(seen: Observations) -> Outcome:
    deep = seen.http["deep"]
    if not pages.is_streamlit(seen.http["page"]):
        return Unknown("the front page is not the app's")
    if pages.is_streamlit(deep) or deep.is_redirect:
        return None
    return Hit(evidence=f"{_path(deep)} answers {deep.status or deep.detail}.", hop=author_of(deep))


def _core_paths(seen: Observations) -> Outcome:
    health = seen.http["health"]
    config = seen.http["host_config"]
    if not pages.is_health(health):
        what = pages.title_of(health) or health.detail
        return Hit(
            evidence=f"{_path(health)} answers {health.status} with {what!r} instead of 'ok'.",
            hop=author_of(health),
            circumstances=without_pings(seen),
        )
    if not config.is_ok or config.content_type != "application/json":
        return Hit(
            evidence=f"{_path(config)} answers {config.status or config.detail} with "
            f"{config.content_type or 'nothing'}.",
            hop=author_of(config),
            circumstances=without_pings(seen),
        )
    return None


def without_pings(seen: Observations) -> tuple[Circumstance, ...]:
    """Return FALLBACK where stlaunch's page, which asks for neither, ran a session."""
    session = seen.session or seen.fallback
    is_run = session is not None and session.messages > 0
    return (Circumstance.FALLBACK,) if is_run and pages.is_stlaunch(seen.http["page"]) else ()


def _missing_asset(seen: Observations) -> Outcome:
    missing = seen.http["missing_asset"]
    if missing.is_ok and pages.is_streamlit(missing):
        return Hit(evidence=f"{_path(missing)}, which does not exist, is answered with the page.")
    return None


def _at_root(seen: Observations) -> Outcome:
    root = seen.http.get("root_health")
    if root is None:
        return Unknown("the app is asked for at the root")
    if pages.is_health(root) and not pages.is_stlaunch(seen.http["page"]):
        return Hit(evidence="/_stcore/health is answered by a Streamlit as well.")
    return None


def _path(answer: Exchange) -> str:
    return resolve(answer.url, "").path


def _origin(seen: Observations) -> str:
    return f"{seen.scheme}://{seen.host}"


CAUSES = (
    Rule(
        code="STL202",
        requires=("http.page", "http.health"),
        evaluate=_kept,
        explains=(*APP, "STL12"),
    ),
    Rule(
        code="STL201",
        requires=("http.page", "http.health"),
        evaluate=_stripped,
        explains=(*APP, "STL12"),
    ),
    Rule(
        code="STL204",
        requires=("http.page",),
        evaluate=_double_slash,
        explains=(*APP, "STL12"),
    ),
)
"""Wrong pairings of proxy and app, which make everything after them look different."""

RULES = (
    Rule(
        code="STL210",
        requires=("http.health", "http.host_config"),
        evaluate=_core_paths,
        explains=("STL3", "STL5"),
    ),
    Rule(code="STL208", requires=("http.asset",), evaluate=_no_asset, explains=("STL8",)),
    Rule(code="STL207", requires=("http.asset",), evaluate=_wrong_asset, explains=("STL8",)),
    Rule(code="STL205", requires=("http.page",), evaluate=_loses_prefix),
    Rule(code="STL203", requires=("http.bare", "http.page"), evaluate=_bare_path),
    Rule(code="STL209", requires=("http.deep", "http.page"), evaluate=_deep_page),
    Rule(code="STL212", requires=("http.page",), evaluate=_at_root),
    Rule(code="STL211", requires=("http.missing_asset",), evaluate=_missing_asset, is_of_app=True),
)

HOST_RULES = (Rule(code="STL206", requires=("http.page",), evaluate=_leaves_host),)
