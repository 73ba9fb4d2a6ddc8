"""STL6xx: sizes, times and buffering."""

from __future__ import annotations

from stlaunch.check import pages
from stlaunch.check.hops import author_of
from stlaunch.check.observations import Failure, Observations
from stlaunch.check.rules.model import Hit, Outcome, Rule, Unknown
from stlaunch.check.sent import ANNOUNCED_BYTES
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.urls.streamlit_defaults import MAX_UPLOAD_MB, PING_INTERVAL_S

_TOO_LARGE = 413
_HEADER_REFUSALS = {400, 413, 431, 494}
_MEBIBYTE = 1024 * 1024
# They are written over one second; machines are busy at either end.
_TOGETHER_MS = 400


def _rate(seen: Observations) -> Outcome:
    load = seen.load
    if load is None or not load.asked:
        return Unknown("the files of the page could not be asked for")
    if load.refusal is None:
        return None
    return Hit(
        evidence=f"Of {load.asked} files asked for at once, as one load of the page does, "
        f"{load.refused} were answered {load.refusal.status}.",
        hop=author_of(load.refusal),
    )


def _body(seen: Observations) -> Outcome:
    announced, upload = seen.http["announced"], seen.http.get("upload")
    if upload is not None and upload.status == _TOO_LARGE:
        return Hit(evidence="An upload of one byte is answered 413.", hop=author_of(upload))
    if announced.status != _TOO_LARGE:
        return None
    return Hit(
        evidence=f"An upload of {ANNOUNCED_BYTES // 1_000_000} MB, which Streamlit allows, is "
        "answered 413; a small one is not.",
        hop=author_of(announced),
    )


def _headers(seen: Observations) -> Outcome:
    if not pages.is_health(seen.http["health"]):
        return Unknown("health is not the app's")
    large = seen.http["large_header"]
    if large.status is None and large.failure is Failure.TIMEOUT:
        return Unknown("the answer took too long")
    if large.status in _HEADER_REFUSALS or (large.status is None and large.detail):
        return Hit(
            evidence=f"With 5 kB of cookies, as a login has: {large.status or large.detail}.",
            hop=author_of(large),
        )
    return None


def _message(seen: Observations) -> Outcome:
    limits, session = seen.limits, seen.session
    if session is not None and session.close_code == 1009:  # noqa: PLR2004 - RFC 6455
        return Hit(evidence=f"Closed with 1009 after {session.messages} messages.")
    if limits is None:
        return Unknown("not asked for (--limits)")
    if limits.message_refused is None:
        return Unknown(_not_measured("messages", limits.message_passed))
    if not limits.message_refused:
        return None
    return Hit(
        evidence=f"A message of {_size(limits.message_passed or 0)} passes, one of "
        f"{_size(limits.message_refused)} does not.",
        circumstances=(Circumstance.LARGE_ONLY,),
    )


def _measured_body(seen: Observations) -> Outcome:
    limits = seen.limits
    if limits is None or limits.body_refused is None:
        return Unknown(_not_measured("uploads", limits.body_passed if limits else None))
    if not limits.body_refused:
        return None
    return Hit(
        evidence=f"A body of {_size(limits.body_passed or 0)} passes, one of "
        f"{_size(limits.body_refused)} does not; Streamlit allows {MAX_UPLOAD_MB} MiB by default."
    )


def _idle(seen: Observations) -> Outcome:
    limits = seen.limits
    if limits is None or limits.idle_s is None:
        return Unknown("no WebSocket was opened")
    if not limits.idle_s or _is_lifetime(seen) or limits.idle_s < PING_INTERVAL_S:
        return None
    return Hit(evidence=f"A connection that only answers pings was cut after {limits.idle_s} s.")


def _idle_below_ping(seen: Observations) -> Outcome:
    limits = seen.limits
    if limits is None or limits.idle_s is None:
        return Unknown("no WebSocket was opened")
    if not limits.idle_s or _is_lifetime(seen) or limits.idle_s >= PING_INTERVAL_S:
        return None
    return Hit(
        evidence=f"A quiet connection was cut after {limits.idle_s} s; Streamlit pings every "
        f"{PING_INTERVAL_S} s."
    )


def _lifetime(seen: Observations) -> Outcome:
    limits = seen.limits
    if limits is None or limits.busy_s is None:
        return Unknown("no WebSocket was opened")
    if not _is_lifetime(seen):
        return None
    return Hit(evidence=f"A busy connection was cut after {limits.busy_s} s, a quiet one as well.")


def _is_lifetime(seen: Observations) -> bool:
    return bool(seen.limits and seen.limits.busy_s)


def _buffered(seen: Observations) -> Outcome:
    limits = seen.limits
    if limits is None or limits.drip_first_ms is None or limits.drip_last_ms is None:
        return Unknown("the app does not run under an stlaunch that has `drip`")
    if limits.drip_last_ms - limits.drip_first_ms > _TOGETHER_MS:
        return None
    return Hit(
        evidence=f"A response written in pieces came at once, after {limits.drip_last_ms} ms."
    )


def _not_measured(what: str, passed: int | None) -> str:
    """Return why a limit is not known: nothing was refused, but not all was answered in time."""
    passing = f"; up to {_size(passed)} they pass" if passed else ""
    return f"the {what} could not be measured{passing}"


def _size(count: int) -> str:
    if count >= _MEBIBYTE:
        return f"{count / _MEBIBYTE:.1f} MiB"
    return f"{count / 1024:.0f} KiB"


CAUSES = (
    Rule(
        code="STL611",
        requires=("load",),
        evaluate=_rate,
        explains=("STL2", "STL3", "STL5", "STL7", "STL8"),
    ),
)

RULES = (
    Rule(code="STL608", requires=("limits",), evaluate=_lifetime),
    Rule(code="STL606", requires=("limits",), evaluate=_idle_below_ping),
    Rule(code="STL604", requires=("limits",), evaluate=_idle),
    Rule(code="STL601", requires=("openings.browser",), evaluate=_message),
    Rule(code="STL602", requires=("http.announced",), evaluate=_body, explains=("STL607",)),
    Rule(code="STL607", requires=("limits",), evaluate=_measured_body),
    Rule(code="STL609", requires=("http.large_header", "http.health"), evaluate=_headers),
    Rule(code="STL605", requires=("limits",), evaluate=_buffered),
)
