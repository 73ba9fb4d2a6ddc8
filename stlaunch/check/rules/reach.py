"""STL101 to 115: name, address, port and TLS."""

from __future__ import annotations

from ipaddress import ip_address

from stlaunch.check.observations import Failure, Observations, Tls, TlsTrouble
from stlaunch.check.rules.model import EVERYTHING, Hit, Outcome, Rule, Unknown
from stlaunch.diagnostics.severity import Circumstance

_SOON_DAYS = 14
_DAY_S = 86400
_HTTPS_PORT_TEXTS = (
    "plain HTTP request was sent to HTTPS port",
    "speaking plain HTTP to an SSL-enabled server port",
    "HTTP request to an HTTPS server",
)


def _no_name(seen: Observations) -> Outcome:
    lookup = seen.dns
    if lookup is None or (lookup.failure is None and (lookup.ipv4 or lookup.ipv6)):
        return None
    return Hit(evidence=f"Looking up the name gave: {lookup.detail or 'no address'}.")


def _refused(seen: Observations) -> Outcome:
    if any(dialled.failure in {None, Failure.TIMEOUT} for dialled in seen.dialled):
        return None
    return Hit(evidence=_attempts(seen))


def _dropped(seen: Observations) -> Outcome:
    failures = {dialled.failure for dialled in seen.dialled}
    if None in failures or Failure.TIMEOUT not in failures:
        return None
    return Hit(evidence=_attempts(seen))


def _one_family(seen: Observations) -> Outcome:
    if len(seen.dialled) < 2:  # noqa: PLR2004 - both families
        return Unknown("the name has addresses of one family only")
    failed = [dialled for dialled in seen.dialled if dialled.failure is not None]
    if not failed or len(failed) == len(seen.dialled):
        return None
    is_local = all(ip_address(dialled.address).is_loopback for dialled in seen.dialled)
    circumstances = (Circumstance.OWN_MACHINE,) if is_local else ()
    return Hit(evidence=_attempts(seen), circumstances=circumstances)


def _attempts(seen: Observations) -> str:
    failures = [
        f"{dialled.address} port {dialled.port}: {dialled.detail or 'connected'}"
        for dialled in seen.dialled
    ]
    return "; ".join(failures) + "."


def _wrong_protocol(seen: Observations) -> Outcome:
    if seen.scheme == "https":
        if seen.tls is None:
            return Unknown("no TLS handshake was tried")
        if seen.tls.trouble is not TlsTrouble.PLAIN_HTTP:
            return None
        return Hit(evidence=f"https was asked, and the answer is not TLS ({seen.tls.detail}).")
    page = seen.http.get("page")
    if page is None:
        return Unknown("no page was asked for")
    if seen.tls is not None and seen.tls.trouble is None:
        return Hit(evidence="http was asked, and the port answers a TLS handshake.")
    if page.status == 400 and any(text in page.text for text in _HTTPS_PORT_TEXTS):  # noqa: PLR2004
        return Hit(evidence="The answer says that http was sent to an https port.")
    return None


def _trouble(kind: TlsTrouble, seen: Observations) -> Outcome:
    tls = seen.tls
    if tls is None or tls.trouble is not kind:
        return None
    return Hit(evidence=f"The TLS handshake says: {tls.detail}.")


def _expires_soon(seen: Observations) -> Outcome:
    tls = seen.tls or Tls()
    if tls.expires_at is None:
        return Unknown("the certificate was not read")
    days = (tls.expires_at - seen.at) / _DAY_S
    return Hit(evidence=f"It expires in {days:.0f} days.") if days < _SOON_DAYS else None


RULES = (
    Rule(code="STL101", requires=("dns",), evaluate=_no_name, explains=EVERYTHING),
    Rule(code="STL102", requires=("dialled",), evaluate=_refused, explains=EVERYTHING),
    Rule(code="STL103", requires=("dialled",), evaluate=_dropped, explains=EVERYTHING),
    Rule(code="STL114", requires=("dialled",), evaluate=_wrong_protocol, explains=EVERYTHING),
    Rule(
        code="STL112",
        requires=("tls.trust",),
        evaluate=lambda seen: _trouble(TlsTrouble.EXPIRED, seen),
        explains=EVERYTHING,
    ),
    Rule(
        code="STL111",
        requires=("tls.trust",),
        evaluate=lambda seen: _trouble(TlsTrouble.WRONG_NAME, seen),
        explains=EVERYTHING,
    ),
    Rule(
        code="STL110",
        requires=("tls.trust",),
        evaluate=lambda seen: _trouble(TlsTrouble.UNTRUSTED, seen),
        explains=EVERYTHING,
    ),
    Rule(
        code="STL115",
        requires=("tls",),
        evaluate=lambda seen: _trouble(TlsTrouble.HANDSHAKE, seen),
        explains=EVERYTHING,
    ),
    Rule(code="STL104", requires=("dialled",), evaluate=_one_family),
    Rule(code="STL113", requires=("tls.trust",), evaluate=_expires_soon),
)
