"""Counters as OpenMetrics text (openmetrics.io, version 1.0.0); it counts nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stlaunch.diagnostics.handshake import HandshakeVerdict
from stlaunch.gateway.selfcheck.report import Facts
from stlaunch.process.memory import Memory, read_memory

MEDIA_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_VERDICTS = ("intact", "degraded", "stripped", "rejected", "unseen")
_TRANSPORTS = ("websocket", "http")
_MODES = ("kept", "stripped")


def render_metrics(facts: Facts, *, probes_inside: int) -> str:
    """Return all families, each label value that can occur included."""
    handshake_stats = facts.handshake_stats
    verdicts = {str(verdict): handshake_stats.counts[verdict] for verdict in HandshakeVerdict}
    transports = {name: handshake_stats.transports[name] for name in _TRANSPORTS}
    modes = {name: facts.requests_by_mode.get(name, 0) for name in _MODES}
    state = {name: int(name == handshake_stats.summary) for name in _VERDICTS}
    notices: dict[str, int] = {}
    for notice in facts.finding_log.notices:
        notices[notice.finding.code] = notices.get(notice.finding.code, 0) + notice.count
    info = {"instance": facts.instance.id, **facts.instance.versions}
    lines = [
        *_counter("stlaunch_handshakes", "WebSocket handshakes.", "verdict", verdicts),
        *_counter("stlaunch_sessions", "Accepted connections.", "transport", transports),
        *_counter("stlaunch_requests", "Requests by what became of the prefix.", "mode", modes),
        *_counter(
            "stlaunch_rejections", "Refused handshakes.", "reason", handshake_stats.rejections
        ),
        *_counter("stlaunch_findings", "Troubles noticed.", "code", notices),
        *_gauge("stlaunch_verdict", "1 for the verdict in force.", "verdict", state),
        *_single("stlaunch_ready", "Whether sessions are taken.", int(facts.readiness.is_ready)),
        *_single("stlaunch_probes", "Probes under way.", probes_inside),
        *_single("stlaunch_start_time_seconds", "Unix time.", facts.instance.started_at),
        *_memory(read_memory()),
        "# TYPE stlaunch_build info",
        "# HELP stlaunch_build What runs.",
        f"stlaunch_build_info{{{_labels(info)}}} 1",
        "# EOF",
    ]
    return "\n".join(lines) + "\n"


def _counter(name: str, text: str, label: str, values: Mapping[str, int]) -> Iterable[str]:
    yield f"# TYPE {name} counter"
    yield f"# HELP {name} {text}"
    for key, value in values.items():
        yield f"{name}_total{{{_labels({label: str(key)})}}} {value}"


def _gauge(name: str, text: str, label: str, values: Mapping[str, int]) -> Iterable[str]:
    yield f"# TYPE {name} gauge"
    yield f"# HELP {name} {text}"
    for key, value in values.items():
        yield f"{name}{{{_labels({label: key})}}} {value}"


def _single(name: str, text: str, value: float) -> Iterable[str]:
    yield from (f"# TYPE {name} gauge", f"# HELP {name} {text}", f"{name} {value}")


def _memory(memory: Memory) -> Iterable[str]:
    """Return what is known; a gauge that is not there says more than a wrong zero."""
    gauges = {
        "process_resident_memory_bytes": ("Memory of this process.", memory.process_bytes),
        "stlaunch_cgroup_memory_bytes": ("Memory of the container.", memory.cgroup_bytes),
        "stlaunch_cgroup_memory_limit_bytes": ("What it may use.", memory.limit_bytes),
    }
    for name, (text, value) in gauges.items():
        if value is not None:
            yield from _single(name, text, value)


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
