"""STL7xx: several instances behind one address."""

from __future__ import annotations

from stlaunch.check.observations import Observations
from stlaunch.check.rules.model import Hit, Outcome, Rule, Unknown

_BAD_REQUEST = 400


def _affinity(seen: Observations) -> Outcome:
    instances = set(seen.instances or ())
    if len(instances) > 1:
        return Hit(
            evidence=f"{len(seen.instances or ())} connections of one browser reached "
            f"{len(instances)} instances."
        )
    uploads = seen.uploads
    if uploads is None:
        if seen.instances:
            return None
        return Unknown("no session was started, and the app does not run under stlaunch")
    kept = sum(200 <= status < 300 for status in uploads)  # noqa: PLR2004 - HTTP
    lost = uploads.count(_BAD_REQUEST)
    if not lost:
        return None
    return Hit(
        evidence=f"Of {len(uploads)} uploads into one session {kept} arrived, and {lost} reached "
        "an instance that does not know the session."
    )


RULES = (Rule(code="STL702", requires=("http.page",), evaluate=_affinity, explains=("STL706",)),)
