"""Rank findings: the one whose fix makes the page work comes first.

A browser loads the page step by step; a fault that stops it earlier hides the later ones, so it is
fixed first. What hits fewer people comes after what hits more, whatever the step.
"""

from __future__ import annotations

from stlaunch.diagnostics.severity import Severity

STEPS: tuple[tuple[str, ...], ...] = (
    # The machine is reached.
    ("STL101", "STL102", "STL103", "STL114", "STL112", "STL111", "STL110", "STL115"),
    # Proxy and app agree on the path; otherwise everything below looks different.
    ("STL202", "STL201", "STL204"),
    # The page arrives, and it is the app's.
    ("STL124", "STL125", "STL120", "STL126", "STL121", "STL127", "STL128", "STL123", "STL122"),
    # Its scripts arrive, and may run.
    ("STL611", "STL208", "STL207", "STL802", "STL810"),
    # It asks who is there.
    ("STL210",),
    # The WebSocket opens, or something in its place.
    ("STL303", "STL501", "STL503", "STL301", "STL310", "STL305", "STL316", "STL308", "STL304"),
    ("STL309", "STL307", "STL302", "STL315", "STL314"),
    # A session runs on it.
    ("STL312", "STL306", "STL311", "STL603", "STL703"),
    # It stays on one replica, and with one browser.
    ("STL702", "STL705", "STL701", "STL706", "STL704", "STL504", "STL507", "STL510"),
    # The script itself runs: another replica's may be another one.
    ("STL313",),
    # Uploads arrive.
    ("STL509", "STL505", "STL506", "STL512", "STL602", "STL607"),
    # Custom components show.
    ("STL809",),
    # Later, or for some, it breaks: quiet minutes, sizes.
    ("STL608", "STL606", "STL604", "STL601", "STL609", "STL605", "STL801"),
    # The proxy tells the app who sends the request, and for what.
    ("STL401", "STL405", "STL406", "STL402", "STL403", "STL407", "STL213", "STL404", "STL408"),
    # Others may come in.
    ("STL502", "STL511"),
    # Other addresses of the same app.
    ("STL209", "STL205", "STL206", "STL203", "STL104", "STL212", "STL214", "STL215"),
    # What could be better.
    ("STL508", "STL113", "STL811", "STL806", "STL610"),
    ("STL803", "STL804", "STL812", "STL805", "STL211", "STL807", "STL808"),
)
"""The codes in the order in which each stops a page."""

_ORDER = {code: at for at, code in enumerate(code for step in STEPS for code in step)}


def step_of(code: str) -> int:
    """Return when the fault stops a page: the lower, the earlier; what is not listed is last."""
    return _ORDER.get(code, len(_ORDER))


def rank(code: str, severity: Severity) -> tuple[int, int]:
    """Return a key that sorts the most likely cause first."""
    return severity.rank, step_of(code)
