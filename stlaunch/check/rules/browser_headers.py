"""STL809 to 811: what response headers forbid a browser to do with the page."""

from __future__ import annotations

from stlaunch.check import pages
from stlaunch.check.locations import resolve
from stlaunch.check.observations import Exchange, Observations
from stlaunch.check.rules.model import Hit, Outcome, Rule, Unknown
from stlaunch.diagnostics.content_security import Policies
from stlaunch.diagnostics.page_policy import COMPONENT_HEADERS, embedder_problems, feature_problems
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.proxies.needs import Need
from stlaunch.urls.origin import Origin

_OK = 200
_OPTIONS = "X-Frame-Options"
_EMBEDDER = "cross-origin-embedder-policy"


def _policy(seen: Observations) -> Outcome:
    page = seen.http["page"]
    if not pages.is_streamlit(page):
        return Unknown("the page is not the app's")
    here = Origin.parse(f"{seen.scheme}://{seen.host}")
    if here is None:
        return Unknown("the address has no origin")
    policies = Policies.parse(page.header("content-security-policy"), here)
    for what, is_needed_by_all, blocker in _blocked(seen, policies):
        return Hit(
            evidence=f"The page's policy {blocker!r} blocks {what}.",
            circumstances=() if is_needed_by_all else (Circumstance.PART_ONLY,),
        )
    return None


def _blocked(seen: Observations, policies: Policies) -> list[tuple[str, bool, str]]:
    """Return (what is blocked, whether every page needs it, the directive), the worst first."""
    page = seen.http["page"]
    script = resolve(page.url, "static/js/index.js")
    needs: list[tuple[str, bool, str]] = []

    def need(what: str, is_needed_by_all: bool, blocker: str) -> None:
        if blocker:
            needs.append((what, is_needed_by_all, blocker))

    need("the whole page", True, policies.sandbox())
    need("the page's scripts", True, policies.own_file("script-src-elem", script.path))
    need(
        "all that loads scripts by Trusted Types", True, policies.named("require-trusted-types-for")
    )
    need("the page's styles", True, policies.own_file("style-src-elem", script.path))
    need("the connection to the app", True, policies.own_connection())
    if seen.scheme == "http":
        need("all of a page on http", True, policies.named("upgrade-insecure-requests"))
    need("the frames of custom components", False, policies.own_file("frame-src", script.path))
    need("the page's fonts and icons", False, policies.own_file("font-src", script.path))
    need("images that the script shows", False, policies.own_file("img-src", script.path))
    need("charts by Vega (st.line_chart, st.altair_chart)", False, policies.evaluation())
    return sorted(needs, key=lambda need: not need[1])


def _frames(seen: Observations) -> Outcome:
    page, component = seen.http["page"], seen.http.get("component")
    if not pages.is_streamlit(page):
        return Unknown("the page is not the app's")
    if component is None:
        return Unknown("no component was asked for")
    here = Origin.parse(f"{seen.scheme}://{seen.host}")
    if here is None:
        return Unknown("the address has no origin")
    refused = _refuses_frames(component, here)
    if refused:
        return Hit(
            evidence=f"Below component/: {refused}. A custom component's frame stays empty.",
            needs=_cures(refused),
        )
    if component.status == _OK:
        return None
    # Without `always` nginx adds no header to errors: then answers for files that
    # exist show more than the 404 of a component that does not.
    other = seen.http.get("missing_asset")
    is_sent_on_errors = other is not None and other.status != _OK and _refuses_frames(other, here)
    everywhere = [seen.http[name] for name in ("page", "health", "asset") if name in seen.http]
    refused = _refuses_frames(page, here)
    if (
        is_sent_on_errors
        or not refused
        or not all(_refuses_frames(one, here) for one in everywhere)
    ):
        return None
    return Hit(
        evidence=f"Every answer carries {refused}. Below component/ it leaves the frame of a "
        "custom component empty.",
        needs=_cures(refused),
    )


def _cures(refused: str) -> tuple[Need, ...]:
    return (Need.FRAME_OPTIONS if refused.startswith(_OPTIONS) else Need.CONTENT_POLICY,)


def _refuses_frames(answer: Exchange, here: Origin) -> str:
    """Return the header that keeps the app's own page from showing this in a frame."""
    policies = Policies.parse(answer.header("content-security-policy"), here)
    if policies.has("frame-ancestors"):  # X-Frame-Options is then ignored (CSP 3, section 6.4.2)
        return policies.own_file("frame-ancestors", "/")
    options = {part.strip().lower() for part in answer.header("x-frame-options").split(",")}
    if "deny" in options or len(options - {""}) > 1:
        return f"{_OPTIONS}: {answer.header('x-frame-options')[:60]}"
    return ""


def _features(seen: Observations) -> Outcome:
    page, component = seen.http["page"], seen.http.get("component")
    if not pages.is_streamlit(page):
        return Unknown("the page is not the app's")
    other = seen.http.get("missing_asset")
    # An error without the header proves nothing if no error has any (nginx without `always`).
    is_told = component is not None and (
        component.status == _OK
        or any(component.header(name) for name in COMPONENT_HEADERS)
        or (other is not None and other.status != _OK and bool(other.header(_EMBEDDER)))
    )
    embedder = embedder_problems(page.headers, component.headers if component and is_told else None)
    for problem in (*embedder, *feature_problems(page.headers)):
        return Hit(
            evidence=problem.detail, circumstances=(problem.milder,) if problem.milder else ()
        )
    return None


_PAGE = ("http.page",)

RULES = (
    Rule(code="STL810", requires=_PAGE, evaluate=_policy),
    Rule(code="STL809", requires=_PAGE, evaluate=_frames),
    Rule(code="STL811", requires=_PAGE, evaluate=_features),
)
