"""`--verify`: dial the app's own public URL as a browser would, and say what comes of it.

A small probe: the way through the proxy to this very process, and the WebSocket handshake with the
public Origin. `verify` is the one door; a fuller check may stand behind it.
"""

from __future__ import annotations

import json
import logging
import ssl
import time
import urllib.error
import urllib.request
from typing import Any

from websockets.exceptions import InvalidStatus, WebSocketException
from websockets.sync.client import connect
from websockets.typing import Origin as WebSocketOrigin
from websockets.typing import Subprotocol

from stlaunch.catalogue import Severity, entry
from stlaunch.findings import Finding
from stlaunch.origin import PublicUrl

logger = logging.getLogger(__name__)

_TIMEOUT_S = 10
_ATTEMPTS = 5
_PAUSE_S = 2.0
_LARGEST_BYTES = 1_000_000
_FORBIDDEN, _OK = 403, 200


def report_verdict(url: str, instance: str, key: str) -> None:
    """Verify, again for a while where nothing answers yet, and log the verdict."""
    findings: list[Finding] = []
    for attempt in range(_ATTEMPTS):
        findings = verify(url, instance=instance, key=key)
        if not any(finding.code in {"STL102", "STL120"} for finding in findings):
            break
        if attempt + 1 < _ATTEMPTS:
            time.sleep(_PAUSE_S)
    if not findings:
        logger.info("Verified: %s reaches this app, and its WebSocket works.", url)
    for finding in findings:
        level = logging.INFO if finding.severity is Severity.INFO else logging.WARNING
        logger.log(level, "%s %s. %s", finding.code, finding.title, finding.fix)
    if findings:
        logger.warning("Not verified: %s has the trouble above.", url)


def verify(url: str, *, instance: str, key: str) -> list[Finding]:
    """Return what is wrong between the public URL and this process; empty where nothing is.

    Args:
        url: the public URL.
        instance: this process's id.
        key: opens the self-check for this process.
    """
    public = PublicUrl.parse(url)
    front = f"{public.origin}{public.base_path.with_slash}"
    try:
        status, report = _get(f"{front}_stlaunch/check", key)
    except ssl.SSLError as exc:
        return [_finding("STL110", f"{url} cannot be dialled: {exc.reason or exc}")]
    except (OSError, ValueError) as exc:
        return [_finding("STL102", f"{url} cannot be dialled: {_reason(exc)}")]
    found = []
    if status in {502, 503, 504}:
        return [_finding("STL120", f"{url} answers {status}")]
    if report is None and status != 404:  # noqa: PLR2004 - with `--self-check off` there is no report
        return [_finding("STL122", f"{front}_stlaunch/check answers {status}, and not this app")]
    if report is not None and report["instance"]["id"] != instance:
        found.append(_finding("STL702", f"{url} leads to another instance of the app"))
    return [*found, *_dial(front, str(public.origin))]


def _get(url: str, key: str) -> tuple[int, dict[str, Any] | None]:
    headers = {"Accept": "application/json"}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - PublicUrl is http or https
    # A login in front of the app redirects to another host, which must not get the key.
    request.add_unredirected_header("X-Stlaunch-Token", key)
    # Not through a proxy of the environment: the public URL is dialled as it stands.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT_S) as response:
            return response.status, _report(response.read(_LARGEST_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            return error.code, None
    except urllib.error.URLError as exc:
        reason = exc.reason
        raise (reason if isinstance(reason, OSError) else OSError(str(reason))) from exc


def _report(body: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    is_ours = isinstance(found, dict) and found.get("schema") == "stlaunch.selfcheck/1"
    return found if is_ours else None


def _dial(front: str, origin: str) -> list[Finding]:
    address = front.replace("http", "ws", 1) + "_stcore/stream"
    try:
        with connect(
            address,
            origin=WebSocketOrigin(origin),
            subprotocols=[Subprotocol("streamlit"), Subprotocol("PLACEHOLDER_AUTH_TOKEN")],
            open_timeout=_TIMEOUT_S,
            close_timeout=1,
            proxy=None,
        ) as socket:
            if socket.subprotocol != "streamlit":
                return [_finding("STL307", "The WebSocket opens without its subprotocol")]
            return []
    except InvalidStatus as exc:
        return [_refused(exc.response.status_code, bytes(exc.response.body or b""))]
    except TimeoutError:
        return [_finding("STL305", f"{address} gets no answer")]
    except (OSError, WebSocketException) as exc:
        return [_finding("STL304", f"The WebSocket does not open: {_reason(exc)}")]


def _refused(status: int, body: bytes) -> Finding:
    try:
        answer = json.loads(body)
    except ValueError:
        answer = {}
    if isinstance(answer, dict) and answer.get("schema") == "stlaunch.handshake/1":
        found = answer.get("finding", {})
        return Finding(code="STL301", title=str(found.get("title")), fix=str(found.get("fix")))
    if isinstance(answer, dict) and answer.get("code") == "STL501":
        return _finding("STL501", "The app refuses the WebSocket of its own public URL")
    code = "STL310" if 300 <= status < 400 else "STL301" if status == _OK else "STL304"  # noqa: PLR2004
    return _finding(code, f"The WebSocket handshake is answered with {status}")


def _finding(code: str, title: str) -> Finding:
    known = entry(code)
    return Finding(code=code, title=title, fix=known.fix or f"See: stlaunch explain {code}")


def _reason(exc: BaseException) -> str:
    return str(getattr(exc, "strerror", None) or exc)[:200]
