"""STL4xx: what the proxy sends to the app, as an app under stlaunch reports it."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Any
from urllib.parse import unquote

from stlaunch.check import pages
from stlaunch.check.locations import resolve
from stlaunch.check.observations import Observations
from stlaunch.check.rules.model import Hit, Outcome, Rule, Unknown
from stlaunch.check.sent import FORGED_ADDRESS, FORGED_HOST
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.proxies.needs import Need
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort


def _request(report: Mapping[str, Any] | None) -> Mapping[str, Any]:
    request = (report or {}).get("request")
    return request if isinstance(request, Mapping) else {}


def _untrusted(seen: Observations) -> Outcome:
    request = _request(seen.self_check)
    ignored = request.get("ignored")
    if request.get("peer_is_trusted") or not isinstance(ignored, Mapping) or not ignored:
        return None
    names = ", ".join(sorted(str(name) for name in ignored))[:200]
    return Hit(evidence=f"The app ignores {names}: the peer is not one of --trusted-proxies.")


def _scheme(seen: Observations) -> Outcome:
    if seen.scheme != "https":
        return Unknown("the URL is http")
    scheme = _request(seen.self_check).get("scheme")
    if scheme is not None:
        if scheme == "https":
            return None
        return Hit(evidence=f"The page is on https, but the app sees {str(scheme)[:20]!r}.")
    for name in ("bare", "deep_slash"):
        answer = seen.http.get(name)
        if answer is None or not answer.is_redirect:
            continue
        place = resolve(answer.url, answer.header("location"))
        if place.scheme == "http" and place.netloc.partition(":")[0] == seen.host.partition(":")[0]:
            return Hit(evidence=f"A redirect of the app leads to {place.scheme}://{place.netloc}.")
    return None


def _host(seen: Observations) -> Outcome:
    shown = HostPort.parse(str(_request(seen.self_check).get("host")))
    here = HostPort.parse(seen.host)
    if shown is None or here is None:
        return Unknown("the app did not report the host it sees")
    same = shown.host == here.host and shown.port_or_default(seen.scheme) == here.port_or_default(
        seen.scheme
    )
    if same:
        return None
    return Hit(evidence=f"The browser asks for {seen.host}, but the app sees {shown}.")


def _forgeable(seen: Observations) -> Outcome:
    asked = _request(seen.self_check)
    if not (asked.get("hops") or asked.get("believed")):
        return Unknown("no forwarding headers arrived: the request may have bypassed the proxy")
    is_told = "X-Forwarded-For" in (asked.get("believed") or ())
    if is_told and not _is_public(asked.get("client")):
        return Unknown("the check runs at an address that may itself be a trusted proxy's")
    forged = _request(seen.forged)
    believed = []
    if forged.get("client") == FORGED_ADDRESS:
        believed.append(f"the client's address {FORGED_ADDRESS}")
    if str(forged.get("host")).startswith(FORGED_HOST):
        believed.append(f"the host {FORGED_HOST}")
    if not believed:
        return None
    # A forged host only reaches the one who forged it; a forged address is somebody else's.
    is_address = forged.get("client") == FORGED_ADDRESS
    return Hit(
        evidence=f"The app believed {' and '.join(believed)}, which a request invented.",
        circumstances=() if is_address else (Circumstance.FORGER_ONLY,),
        needs=(Need.CLIENT,) if is_address else (Need.HOST,),
    )


def _is_public(address: object) -> bool:
    try:
        return ip_address(str(address)).is_global
    except ValueError:
        return False


def _prefix(seen: Observations) -> Outcome:
    report = (seen.self_check or {}).get("base_path")
    seen_path = report.get("this_request") if isinstance(report, Mapping) else None
    if not isinstance(seen_path, str):
        return Unknown("the app does not know its public path yet")
    base = BasePath(seen.base_path)
    if unquote(seen_path) == f"{base.decoded}/":
        return None
    # Streamlit may be mounted deeper in another app; then its page knows better than the report.
    assets = pages.asset_base(seen.http["page"])
    if assets is not None and unquote(assets) == base.decoded:
        return None
    return Hit(evidence=f"The browser uses {base.with_slash}, but the app uses {seen_path[:80]}.")


_REPORT = ("self_check",)

RULES = (
    Rule(code="STL401", requires=_REPORT, evaluate=_untrusted, explains=("STL402", "STL403")),
    Rule(code="STL405", requires=(*_REPORT, "forged"), evaluate=_forgeable),
    Rule(code="STL402", requires=("http.page",), evaluate=_scheme, explains=("STL508",)),
    Rule(code="STL403", requires=_REPORT, evaluate=_host),
    Rule(code="STL407", requires=(*_REPORT, "http.page"), evaluate=_prefix),
)
