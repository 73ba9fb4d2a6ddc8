"""Render the report as plain text: `curl -H "Accept: text/plain" .../_stlaunch/check`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from stlaunch.log import harmless

_MEANINGS = {
    "intact": "WebSocket handshakes arrive intact.",
    "degraded": "Some WebSocket handshakes arrive intact, but not all.",
    "stripped": "WebSocket handshakes arrive without their upgrade: a proxy drops it.",
    "rejected": "WebSocket handshakes arrive but are refused: Origin and Host differ.",
    "unseen": "No page of the app has tried a WebSocket yet: open the app in a browser.",
}


def render_text(report: Mapping[str, Any]) -> str:
    """Return the report in lines as wide as a terminal, without colour."""
    shakes, request, instance = report["handshakes"], report["request"], report["instance"]
    versions = instance["versions"]
    transports = _counts(shakes["by_transport"]) or "none yet"
    base = report["base_path"]
    known = ", ".join(base["known"] or base["learned"]) or "not known"
    rows = [
        ("verdict", f"{report['verdict']}: {_MEANINGS[report['verdict']]}"),
        ("ready", "yes" if report["ready"] else "no"),
        (
            "handshakes",
            (
                f"{shakes['total']} ({shakes['intact']} intact, {shakes['stripped']} stripped, "
                f"{shakes['rejected']} rejected)"
            ),
        ),
        ("sessions", transports),
        ("base path", f"{known}; this request: {base['mode'] or 'unknown'}"),
        (
            "instance",
            f"{instance['id']}, up {instance['uptime_s']:.0f} s, "
            + ", ".join(f"{name} {number}" for name, number in versions.items()),
        ),
    ]
    lines = ["stlaunch self-check", "", *_table(rows), "", "Your request as it arrived"]
    lines += _table(
        [
            ("protocol", f"HTTP/{request['http_version']}"),
            ("scheme", request["scheme"] or "unknown"),
            ("host", request["host"] or "none"),
            ("client", request["client"] or "unknown"),
            ("peer", f"{request['peer']} ({_trust(request)}), {request['hops']} hops"),
            *((item["name"], _forwarding(item)) for item in request["forwarding"]),
        ]
    )
    lines += ["", f"Findings: {len(report['findings']) or 'none'}"]
    for item in report["findings"]:
        lines += ["", f"  {item['severity']:<8} {item['code']}  {item['title']}"]
        lines += [f"           {line}" for line in item["fix"].splitlines()]
    return harmless("\n".join(lines)) + "\n"


def _trust(request: Mapping[str, Any]) -> str:
    return "a trusted proxy" if request["peer_is_trusted"] else "not a trusted proxy"


def _forwarding(item: Mapping[str, Any]) -> str:
    verdict = "believed" if item["believed"] else f"not believed: {item['reason']}"
    return f"{item['value']}  [{verdict}]"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} over {name}" for name, number in counts.items() if number)


def _table(rows: list[tuple[str, str]]) -> list[str]:
    width = max(len(name) for name, _ in rows)
    return [f"  {name:<{width}}  {value}" for name, value in rows]
