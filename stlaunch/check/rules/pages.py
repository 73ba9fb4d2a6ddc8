"""STL120 to 128: what answers at the page's address instead of the app."""

from __future__ import annotations

from stlaunch.check import pages
from stlaunch.check.fallback import without_socket
from stlaunch.check.hops import author_of
from stlaunch.check.locations import origin_of, resolve
from stlaunch.check.observations import Exchange, Failure, Observations
from stlaunch.check.rules.model import APP, Hit, Outcome, Rule, Unknown

_GATEWAY = {502, 503, 504}
_REFUSED = {401, 403, 406, 429, 451}
_NOT_FOUND = {404, 410}
_LIMITED = Unknown("a rate limit answers in the same way (STL611)")


def _page(seen: Observations) -> Exchange:
    return seen.http["page"]


def _no_http(seen: Observations) -> Outcome:
    page = _page(seen)
    if page.failure in {Failure.BAD_HTTP, Failure.TOO_LARGE, Failure.CLOSED, Failure.TLS}:
        return Hit(evidence=f"The page: {page.detail}.", hop=author_of(page))
    return None


def _too_slow(seen: Observations) -> Outcome:
    page = _page(seen)
    if page.failure is not Failure.TIMEOUT:
        return None
    what = "no answer" if page.status is None else f"status {page.status}, and no end of the body"
    return Hit(evidence=f"The page: {what} after {page.elapsed_ms / 1000:.1f} s.")


def _upstream_down(seen: Observations) -> Outcome:
    named = [("The page", _page(seen)), ("Health", seen.http.get("health"))]
    for name, answer in named:
        if answer is not None and answer.status in _GATEWAY:
            if _is_limited(seen, answer.status):
                return _LIMITED
            return Hit(
                evidence=f"{name} answers {answer.status}: {pages.title_of(answer)!r}.",
                hop=author_of(answer),
            )
    opening = seen.openings.get("browser")
    if opening is not None and opening.status in _GATEWAY:
        if _is_limited(seen, opening.status):
            return _LIMITED
        circumstances, more = without_socket(seen)
        return Hit(
            evidence=f"The WebSocket handshake is answered with {opening.status}.{more}",
            hop=author_of(opening),
            circumstances=circumstances,
        )
    return None


def _is_limited(seen: Observations, status: int | None) -> bool:
    """Return whether a rate limit answers with this status: some of the files got it at once."""
    load = seen.load
    if load is None or load.refusal is None or not _page(seen).is_ok:
        return False
    return load.refused < load.asked and load.refusal.status == status


def _redirect_loop(seen: Observations) -> Outcome:
    places = [answer.url for answer in seen.redirects]
    last = _page(seen)
    is_same_origin = last.is_redirect and origin_of(resolve(last.url, last.header("location"))) == (
        origin_of(resolve(seen.url, ""))
    )
    if len(set(places)) == len(places) and not (is_same_origin and len(places) > 1):
        return None
    shown = " -> ".join(resolve(place, "").path for place in dict.fromkeys(places))
    return Hit(evidence=f"{shown} -> {last.header('location')[:100]}", hop=author_of(last))


def _login(seen: Observations) -> Outcome:
    page = _page(seen)
    # A login whose form is built by a script, or elsewhere, shows by the redirect to it alone.
    is_shut = (page.is_ok or page.is_redirect) and not pages.is_streamlit(page)
    for answer in (page, *(reversed(seen.redirects) if is_shut else ())):
        if not (name := pages.login_of(answer)):
            continue
        title = pages.title_of(answer)
        where = f"redirect to {_shown(answer)}" if answer.is_redirect else title and repr(title)
        return Hit(evidence=f"This is the login of {name}{f' ({where})' if where else ''}.")
    return None


def _leads_away(seen: Observations) -> Outcome:
    page = _page(seen)
    if not page.is_redirect:
        return None
    place = resolve(page.url, page.header("location"))
    if origin_of(place) == origin_of(resolve(seen.url, "")):
        return None
    return Hit(evidence=f"The page answers {page.status} to {_shown(page)}.", hop=author_of(page))


def _default_page(seen: Observations) -> Outcome:
    page = _page(seen)
    if name := pages.default_page_of(page):
        return Hit(evidence=f"This is {name}'s default page.", hop=author_of(page))
    if page.failure is None and page.status in _NOT_FOUND:
        return Hit(
            evidence=f"The page answers {page.status}: {pages.title_of(page)!r}.",
            hop=author_of(page),
        )
    return None


def _refusal(seen: Observations) -> Outcome:
    page = _page(seen)
    if page.status not in _REFUSED:
        return None
    who = pages.refusal_of(page)
    refuser = f", as {who} does" if who else ""
    return Hit(
        evidence=f"The page answers {page.status}{refuser}: {pages.title_of(page)!r}.",
        hop=author_of(page),
    )


def _not_streamlit(seen: Observations) -> Outcome:
    page = _page(seen)
    if page.failure is not None or page.is_redirect or pages.is_streamlit(page):
        return None
    return Hit(
        evidence=f"The page answers {page.status} with {page.content_type or 'no content type'}: "
        f"{pages.title_of(page)!r}.",
        hop=author_of(page),
    )


def _shown(answer: Exchange) -> str:
    place = resolve(answer.url, answer.header("location"))
    return f"{origin_of(place)}{place.path}"[:200]


RULES = tuple(
    Rule(code=code, requires=("http.page",), evaluate=evaluate, explains=(*APP, "STL12"))
    for code, evaluate in (
        ("STL124", _no_http),
        ("STL125", _too_slow),
        ("STL120", _upstream_down),
        ("STL126", _redirect_loop),
        ("STL121", _login),
        ("STL127", _leads_away),
        ("STL128", _refusal),
        ("STL123", _default_page),
        ("STL122", _not_streamlit),
    )
)
