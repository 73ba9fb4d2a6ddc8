"""STL8xx: caches, compression, HTTP/2, versions, clocks, and what is open to the public."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

from stlaunch.check import pages
from stlaunch.check.observations import Exchange, Failure, Observations
from stlaunch.check.rules.model import Hit, Outcome, Rule, Unknown
from stlaunch.diagnostics.clocks import MAX_SKEW_S
from stlaunch.diagnostics.page_load import HTTP2_SAVES
from stlaunch.proxies.needs import Need

_OLDEST = (1, 57)
_LARGE = 100 * 1024
_AN_HOUR_S = 3600
_MIN_SAVED_MS = 100  # what nobody notices is not worth a line
_MAX_AGE = re.compile(r"(?:s-maxage|max-age)\s*=\s*(\d{1,10})")
_VARNISH_HIT = re.compile(r"\d+ \d+")


def _page_cached(seen: Observations) -> Outcome:
    page = seen.http["page"]
    if not pages.is_streamlit(page):
        return Unknown("the page is not the app's")
    hit = _hit(page)
    if hit:
        return Hit(evidence=f"The page comes from a cache ({hit}).", needs=(Need.CACHING,))
    control = page.header("cache-control").lower()
    age = _MAX_AGE.search(control)
    if age and int(age[1]) > 0 and "no-cache" not in control:
        return Hit(evidence=f"The page may be kept: Cache-Control: {control[:80]}.")
    return None


def _age(answer: Exchange) -> int:
    """Return for how many seconds a cache had the answer; 0 without a plausible Age."""
    text = answer.header("age")
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else 0


def _hit(answer: Exchange) -> str:
    if age := _age(answer):
        return f"Age: {age}"
    if "hit" in answer.header("x-cache").lower() or answer.header("cf-cache-status") == "HIT":
        return "a hit, says the cache"
    if _VARNISH_HIT.fullmatch(answer.header("x-varnish")):
        return "a hit, says X-Varnish"
    return ""


def _damaged(seen: Observations) -> Outcome:
    asset = seen.http["asset"]
    if asset.failure is not None and asset.size:
        return Hit(evidence=f"After {asset.size} bytes of the script: {asset.detail}.")
    direct = seen.direct.http.get("asset") if seen.direct else None
    if direct is None or not (asset.is_ok and direct.is_ok) or asset.header("content-encoding"):
        return None
    is_same_file = direct.url.rpartition("/")[2] == asset.url.rpartition("/")[2]
    if not is_same_file or asset.sha256 == direct.sha256:
        return None
    return Hit(
        evidence=f"The script has {asset.size} bytes through the proxy, and {direct.size} other "
        "ones without it."
    )


def _not_kept(seen: Observations) -> Outcome:
    asset = seen.http["asset"]
    if not asset.is_ok:
        return Unknown("the script did not come")
    control = asset.header("cache-control").lower()
    age = _MAX_AGE.search(control)
    is_short = age is not None and int(age[1]) < _AN_HOUR_S
    if "no-store" in control or "no-cache" in control or is_short:
        return Hit(evidence=f"A script with a hash in its name: Cache-Control: {control[:80]}.")
    return None


def _uncompressed(seen: Observations) -> Outcome:
    asset = seen.http["asset_gzip"]
    if not asset.is_ok:
        return Unknown("the script did not come")
    if asset.header("content-encoding") or asset.size < _LARGE:
        return None
    return Hit(evidence=f"A script of {asset.size // 1024} KiB comes as it is.")


def _version(seen: Observations) -> Outcome:
    session = seen.session or seen.fallback
    version = session.streamlit_version if session else ""
    found = re.match(r"(\d{1,4})\.(\d{1,4})", version)
    if not found:
        return Unknown("the app did not report its version")
    if (int(found[1]), int(found[2])) >= _OLDEST:
        return None
    return Hit(evidence=f"The app runs Streamlit {found[0]}.")


def _clocks(seen: Observations) -> Outcome:
    date = seen.http["page"].header("date")
    try:
        there = parsedate_to_datetime(date).timestamp()
    except (ValueError, TypeError, OverflowError):
        return Unknown("the answer has no date")
    skew = there + _age(seen.http["page"]) - seen.at
    if abs(skew) < MAX_SKEW_S:
        return None
    return Hit(
        evidence=f"The answer's date is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}."
    )


def _self_check_open(seen: Observations) -> Outcome:
    return Hit(evidence="_stlaunch/check answered.") if seen.self_check else None


def _metrics_open(seen: Observations) -> Outcome:
    metrics = seen.http["metrics"]
    if metrics.failure is Failure.TIMEOUT:
        return Unknown("no answer")
    if metrics.is_ok and ("# TYPE" in metrics.text or "openmetrics" in metrics.content_type):
        return Hit(evidence="_stcore/metrics answered.")
    return None


def _without_http2(seen: Observations) -> Outcome:
    opened = [one.elapsed_ms for one in seen.dialled if one.failure is None]
    if seen.tls is None or seen.tls.trouble is not None or not opened:
        return Unknown("no connection was opened")
    saved_ms = HTTP2_SAVES * min(opened)
    if seen.tls.alpn == "h2" or saved_ms < _MIN_SAVED_MS:
        return None
    return Hit(
        evidence=f"A connection opens in {min(opened)} ms, and HTTP/2 saves a first visit about "
        f"{HTTP2_SAVES} such round trips: {saved_ms / 1000:.1f} s."
    )


RULES = (
    Rule(code="STL801", requires=("http.page",), evaluate=_page_cached),
    Rule(code="STL802", requires=("http.asset",), evaluate=_damaged),
    Rule(code="STL803", requires=("http.asset",), evaluate=_not_kept),
    Rule(code="STL804", requires=("http.asset_gzip",), evaluate=_uncompressed),
    Rule(code="STL805", requires=("http.page",), evaluate=_version, is_of_app=True),
    Rule(code="STL806", requires=("http.page",), evaluate=_clocks),
    Rule(code="STL807", requires=("http.page",), evaluate=_self_check_open, is_of_app=True),
    Rule(code="STL808", requires=("http.metrics",), evaluate=_metrics_open, is_of_app=True),
    Rule(code="STL812", requires=("tls", "dialled"), evaluate=_without_http2),
)
