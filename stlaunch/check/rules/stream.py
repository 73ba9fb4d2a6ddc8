"""STL3xx: the WebSocket handshake and the session on it."""

from __future__ import annotations

from stlaunch.check import pages
from stlaunch.check.fallback import without_socket
from stlaunch.check.hop import Hop
from stlaunch.check.hops import author_of, proxies
from stlaunch.check.locations import resolve
from stlaunch.check.observations import Failure, Observations, Opening
from stlaunch.check.rules.model import Hit, Outcome, Rule, Unknown
from stlaunch.proxies.needs import Need, Product
from stlaunch.urls.streamlit_routes import STREAM

_OK, _BAD, _FORBIDDEN, _NOT_FOUND = 200, 400, 403, 404
_SERVER_ERROR = 500
_GATEWAY = {502, 503, 504}


def _opening(seen: Observations) -> Opening:
    return seen.openings["browser"]


def _hit(
    seen: Observations,
    evidence: str,
    hop: Hop | None = None,
    needs: tuple[Need, ...] | None = None,
) -> Hit:
    circumstances, more = without_socket(seen)
    return Hit(evidence=evidence + more, hop=hop, circumstances=circumstances, needs=needs)


def _of_envoy(seen: Observations, hop: Hop | None, *needs: Need) -> tuple[Need, ...]:
    """Return needs that only Envoy's own lines fix: elsewhere a rule of the user's is to blame."""
    known = hop or next(iter(proxies(seen)), None)
    return needs if known is not None and known.product is Product.ENVOY else ()


def stripped(opening: Opening) -> str:
    """Return how the answer shows that the upgrade was lost; empty if it does not."""
    if opening.status == _OK and pages.is_streamlit(opening):
        return "the handshake is answered 200 with the app's page, as a plain request is"
    if opening.status == _BAD and 'Can "Upgrade" only' in opening.text:
        return 'the handshake is answered 400 \'Can "Upgrade" only to "WebSocket"\' (Tornado)'
    missing = pages.stripped_by_stlaunch(opening)
    if missing is not None:
        return f"the app got the handshake without {' and '.join(missing) or 'its headers'}"
    return ""


def _upgrade(seen: Observations) -> Outcome:
    missing = stripped(_opening(seen))
    if not missing:
        return None
    return _hit(seen, f"{_sentence(missing)}.")


def _redirected(seen: Observations) -> Outcome:
    opening = _opening(seen)
    place = opening.header("location")
    if opening.status is None or not 300 <= opening.status < 400 or not place:  # noqa: PLR2004
        return None
    split = resolve(opening.url, place)
    shown = f"{split.scheme}://{split.netloc}{split.path}" if split.netloc else split.path
    return _hit(seen, f"The handshake is answered {opening.status} to {shown[:200]}.")


def _hangs(seen: Observations) -> Outcome:
    opening = _opening(seen)
    if opening.failure is Failure.TIMEOUT and opening.status is None:
        return _hit(seen, f"No answer within {opening.elapsed_ms / 1000:.1f} s.")
    return None


def _no_route(seen: Observations) -> Outcome:
    opening = _opening(seen)
    if opening.status in {_NOT_FOUND, _SERVER_ERROR}:
        return _hit(
            seen,
            f"{STREAM} answers {opening.status}: {pages.title_of(opening)!r}.",
            author_of(opening),
        )
    return None


def _headers(seen: Observations) -> Outcome:
    opening = _opening(seen)
    if opening.is_open and not opening.is_accept_right:
        return _hit(seen, "101 comes without the Sec-WebSocket-Accept that belongs to the key.")
    if (
        opening.status in {_BAD, 426}
        and "websocket" in opening.text.lower()
        and not stripped(opening)
    ):
        return _hit(seen, f"The app answers {opening.status}: {opening.text.strip()[:120]!r}.")
    parts = seen.openings.get("three_parts")
    if opening.is_open and parts is not None and not parts.is_open:
        outcome = parts.status or parts.detail
        return _hit(seen, f"With a third subprotocol, as after a lost connection: {outcome}.")
    return None


def _refused(seen: Observations) -> Outcome:
    opening = _opening(seen)
    if opening.is_open or stripped(opening) or opening.status in _GATEWAY:
        return None
    if opening.failure is Failure.TIMEOUT and opening.status is None:
        return None
    if opening.status in {_NOT_FOUND, _SERVER_ERROR} or 300 <= (opening.status or 0) < 400:  # noqa: PLR2004
        return None
    outcome = f"answers {opening.status}" if opening.status else opening.detail
    shown = pages.title_of(opening)
    hop = author_of(opening)
    return _hit(
        seen,
        f"The handshake: {outcome}{f' ({shown!r})' if shown else ''}, with an Origin and without.",
        hop,
        _of_envoy(seen, hop, Need.UPGRADE),
    )


def _over_http2(seen: Observations) -> Outcome:
    http2 = seen.http2
    if http2 is None or not http2.is_advertised:
        return None
    if http2.status == _OK:
        return None
    return _hit(
        seen,
        f"The server offers WebSockets over HTTP/2, and the handshake gets "
        f"{http2.status or http2.detail}; over HTTP/1.1 it gets {_opening(seen).status}.",
    )


def _subprotocol(seen: Observations) -> Outcome:
    opening = _opening(seen)
    if not opening.is_open:
        return Unknown("no WebSocket was opened")
    chosen = opening.header("sec-websocket-protocol")
    if chosen == "streamlit":
        return None
    named = f"names {chosen[:60]!r}" if chosen else "names none"
    return _hit(seen, f"'streamlit' was offered, and the answer {named}.")


def _closed(seen: Observations) -> Outcome:
    session = seen.session
    if session is None or session.closed_ms is None or session.damage:
        return None
    if session.close_code == 1009:  # noqa: PLR2004 - a message too big, STL601
        return None
    code = f"close code {session.close_code}" if session.close_code else "no close frame"
    reason = f" {session.close_reason!r}" if session.close_reason else ""
    return _hit(
        seen,
        f"Closed after {session.closed_ms} ms and {session.messages} messages, {code}{reason}.",
    )


def _silent(seen: Observations) -> Outcome:
    session = seen.session
    if session is None or session.messages or session.closed_ms is not None or session.damage:
        return None
    return _hit(seen, "101, and then not one message.")


def _damaged(seen: Observations) -> Outcome:
    session = seen.session
    if session is None or not session.damage:
        return None
    return _hit(seen, f"{_sentence(session.damage)}.")


def _script(seen: Observations) -> Outcome:
    session = seen.session or seen.fallback
    if session is None:
        return Unknown("no session was run")
    if not session.is_compiled:
        return Hit(evidence="The script cannot be compiled.")
    if session.exception:
        return Hit(evidence=f"The script shows an exception: {session.exception}.")
    return None


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


_OPENING = ("openings.browser",)
_REST = ("STL3",)

RULES = (
    Rule(code="STL301", requires=_OPENING, evaluate=_upgrade, explains=_REST),
    Rule(code="STL310", requires=_OPENING, evaluate=_redirected, explains=_REST),
    Rule(code="STL305", requires=_OPENING, evaluate=_hangs, explains=_REST),
    Rule(code="STL316", requires=_OPENING, evaluate=_no_route, explains=_REST),
    Rule(code="STL308", requires=_OPENING, evaluate=_headers, explains=_REST),
    Rule(code="STL304", requires=_OPENING, evaluate=_refused, explains=_REST),
    Rule(code="STL309", requires=(*_OPENING, "http2"), evaluate=_over_http2),
    Rule(code="STL307", requires=_OPENING, evaluate=_subprotocol, explains=_REST),
    Rule(code="STL312", requires=("session",), evaluate=_damaged, explains=_REST),
    Rule(code="STL306", requires=("session",), evaluate=_closed, explains=_REST),
    Rule(code="STL311", requires=("session",), evaluate=_silent, explains=_REST),
    Rule(code="STL313", requires=("http.page",), evaluate=_script, is_of_app=True),
)
