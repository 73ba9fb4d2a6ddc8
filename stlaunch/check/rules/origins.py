"""STL5xx: Origin, XSRF and cookies."""

from __future__ import annotations

from stlaunch.check import pages
from stlaunch.check.cookies import XSRF, SetCookie
from stlaunch.check.hops import author_of, proxies
from stlaunch.check.observations import Exchange, Failure, Observations
from stlaunch.check.rules.model import Hit, Outcome, Rule, Unknown
from stlaunch.check.target import Target
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.proxies.needs import REPLICA_COOKIE, Need

_FORBIDDEN = 403
_NO_SUCH_METHOD = {405, 501}
_OF_APP = ("_streamlit", "stlaunch", "__Host-stlaunch")
_SENT_TWICE = "stlaunch"


def _origin_refused(seen: Observations) -> Outcome:
    browser, without = seen.openings["browser"], seen.openings["no_origin"]
    if pages.refused_by_stlaunch(browser) == "STL501":
        return Hit(
            evidence=f"stlaunch refuses the handshake with Origin {seen.scheme}://{seen.host}: it "
            f"is not the host that the app sees, and no cookie proves that it is the app's page."
        )
    if browser.status != _FORBIDDEN or not without.is_open:
        return None
    return Hit(
        evidence=f"With Origin {seen.scheme}://{seen.host} the handshake is answered 403, without "
        "an Origin it opens."
    )


def _foreign_origin(seen: Observations) -> Outcome:
    if not seen.openings["foreign"].is_open:
        return None
    accepted = "A handshake with Origin https://stlaunch-check.invalid was accepted"
    around = seen.direct.openings.get("foreign") if seen.direct is not None else None
    if around is None or around.is_open:
        return Hit(evidence=f"{accepted}.", needs=())
    return Hit(
        evidence=f"{accepted}, and without the proxy it is refused: the proxy changes Origin.",
        needs=(Need.ORIGIN,),
        hop=next(iter(proxies(seen)), None),
    )


def _no_cookie(seen: Observations) -> Outcome:
    health = seen.http["health"]
    bare = seen.http["upload_bare"]
    if not pages.is_health(health):
        return Unknown("health is not the app's")
    if bare.status != _FORBIDDEN or _xsrf(seen):
        return None
    note = (
        " It comes from a cache."
        if health.header("age") or "x-cache" in dict(health.headers)
        else ""
    )
    return Hit(
        evidence=f"Health sets no cookie {XSRF}, and uploads without it are refused.{note}",
        hop=author_of(health),
    )


def _upload_refused(seen: Observations) -> Outcome:
    upload = seen.http["upload"]
    if upload.status == _FORBIDDEN and "xsrf" in upload.text.lower():
        return Hit(
            evidence=f"An upload with the XSRF pair is answered 403: {upload.text.strip()[:80]!r}."
        )
    return None


def _method(seen: Observations) -> Outcome:
    upload = seen.http["upload"]
    is_closed = upload.failure is Failure.CLOSED and upload.status is None
    is_forbidden = upload.status == _FORBIDDEN and "xsrf" not in upload.text.lower()
    if not (is_closed or is_forbidden or upload.status in _NO_SUCH_METHOD):
        return None
    evidence = f"PUT of an upload is answered: {upload.status or upload.detail}."
    pieces = seen.http.get("pieces")
    if pieces is None or not pages.refused_by_stlaunch(pieces):
        return Hit(evidence=evidence, hop=author_of(upload))
    return Hit(
        evidence=f"{evidence} Under stlaunch the page uploads with POST instead.",
        hop=author_of(upload),
        circumstances=(Circumstance.FALLBACK,),
    )


def _not_secure(seen: Observations) -> Outcome:
    if seen.scheme != "https":
        return Unknown("the URL is http")
    names = {
        cookie.name
        for answer in _answers(seen)
        for cookie in map(SetCookie.parse, answer.cookies())
        if not cookie.is_secure and cookie.value and _is_of_app(cookie.name)
    }
    if not names:
        return None
    # stlaunch makes them Secure once it knows the scheme; bare Streamlit never does.
    return Hit(
        evidence=f"Without Secure: {', '.join(sorted(names))[:200]}.",
        needs=(Need.SCHEME,) if pages.is_stlaunch(seen.http["page"]) else (),
    )


def _is_of_app(name: str) -> bool:
    """Return whether the app sets a cookie of this name; a balancer's affinity holds no secret."""
    # stlaunch sends its own cookie once for http, by this name, and once, Secure, for https.
    is_excused = name == _SENT_TWICE or name.startswith(REPLICA_COOKIE)
    return name.startswith(_OF_APP) and not is_excused


def _path(seen: Observations) -> Outcome:
    target = Target.parse(seen.url)
    for answer in _answers(seen):
        for cookie in map(SetCookie.parse, answer.cookies()):
            if cookie.name == XSRF and not cookie.reaches(target):
                return Hit(
                    evidence=f"{XSRF} is set for path {cookie.path[:80]!r}, domain "
                    f"{cookie.domain[:80]!r}: a browser does not send it to {seen.url}."
                )
    return None


def _xsrf_off(seen: Observations) -> Outcome:
    bare = seen.http["upload_bare"]
    if not pages.is_health(seen.http["health"]):
        return Unknown("health is not the app's")
    if bare.status != 400 or "session" not in bare.text.lower():  # noqa: PLR2004 - past XSRF
        return None
    return Hit(evidence="An upload without the XSRF pair got past the XSRF check.")


def _xsrf(seen: Observations) -> str:
    for answer in _answers(seen):
        for cookie in map(SetCookie.parse, answer.cookies()):
            if cookie.name == XSRF:
                return cookie.value
    return ""


def _answers(seen: Observations) -> tuple[Exchange, ...]:
    return tuple(seen.http[name] for name in ("page", "health") if name in seen.http)


CAUSES = (
    Rule(
        code="STL501",
        requires=("openings.browser", "openings.no_origin"),
        evaluate=_origin_refused,
        explains=("STL3", "STL206", "STL402", "STL403"),
    ),
)

RULES = (
    Rule(
        code="STL502",
        requires=("openings.foreign",),
        evaluate=_foreign_origin,
        explains=("STL511",),
        is_of_app=True,
    ),
    Rule(
        code="STL505",
        requires=("http.health", "http.upload_bare"),
        evaluate=_no_cookie,
        explains=("STL506",),
    ),
    Rule(code="STL509", requires=("http.health",), evaluate=_path, explains=("STL505", "STL506")),
    Rule(code="STL506", requires=("http.upload",), evaluate=_upload_refused),
    Rule(code="STL512", requires=("http.upload",), evaluate=_method, explains=("STL7",)),
    Rule(
        code="STL511",
        requires=("http.health", "http.upload_bare"),
        evaluate=_xsrf_off,
        is_of_app=True,
    ),
    Rule(code="STL508", requires=("http.page",), evaluate=_not_secure),
)
