"""Write counters as OpenMetrics text (openmetrics.io, version 1.0.0)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stlaunch.diagnostics.handshake import HandshakeVerdict
from stlaunch.gateway.state import GatewayState
from stlaunch.process.memory import Memory, read_memory

MEDIA_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"

_VERDICTS = ("intact", "degraded", "stripped", "rejected", "unseen")
_TRANSPORTS = ("websocket", "http")
_MODES = ("kept", "stripped")


def render_metrics(state: GatewayState) -> str:
    """Return all families, including every label value that can occur."""
    handshakes = state.handshakes
    verdicts = {str(name): handshakes.counts[name] for name in HandshakeVerdict}
    transports = {name: handshakes.transports[name] for name in _TRANSPORTS}
    modes = {name: state.requests_by_mode.get(name, 0) for name in _MODES}
    summary = handshakes.summary()
    verdict = {name: int(name == summary) for name in _VERDICTS}
    info = {"instance": state.instance.id, **state.instance.versions}
    lines = [
        *_counter("stlaunch_handshakes", "WebSocket handshakes.", "verdict", verdicts),
        *_counter("stlaunch_sessions", "Accepted connections.", "transport", transports),
        *_counter("stlaunch_requests", "Requests by prefix: stripped or kept.", "mode", modes),
        *_counter("stlaunch_rejections", "Refused handshakes.", "reason", handshakes.rejections),
        *_counter("stlaunch_findings", "Troubles noticed.", "code", state.finding_log.counts),
        *_gauge("stlaunch_verdict", "1 for the current verdict.", "verdict", verdict),
        *_single(
            "stlaunch_ready", "Whether the app accepts sessions.", int(state.readiness.is_ready)
        ),
        *_single("stlaunch_probes", "Running probes.", state.rate_limiter.inside),
        *_single("stlaunch_start_time_seconds", "Unix time.", state.instance.started_at),
        *_memory(read_memory()),
        "# TYPE stlaunch_build info",
        "# HELP stlaunch_build Versions in use.",
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
    """Return the gauges that are known; a missing one is more honest than a wrong zero."""
    gauges = {
        "process_resident_memory_bytes": ("Memory of this process.", memory.process_bytes),
        "stlaunch_cgroup_memory_bytes": ("Memory used by the container.", memory.cgroup_bytes),
        "stlaunch_cgroup_memory_limit_bytes": (
            "Memory limit of the container.",
            memory.limit_bytes,
        ),
    }
    for name, (text, value) in gauges.items():
        if value is not None:
            yield from _single(name, text, value)


def _labels(labels: Mapping[str, str]) -> str:
    return ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items())


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
