"""Streamlit's own protections, and the finding about one that the user switched off. Pure.

It says what `stlaunch check` says, from the inside, for the log and the self-check.
"""

from __future__ import annotations

from stlaunch.diagnostics.catalogue import entry
from stlaunch.diagnostics.finding import Finding

PROTECTIONS = {
    "server.enableCORS": ("STL502", "every website may open this app's WebSocket"),
    "server.enableXsrfProtection": ("STL511", "every website may upload files to this app"),
}
"""Streamlit's own, with the code and the meaning of each one that is switched off."""


def protection_off(key: str, where: str = "") -> Finding:
    """Describe a protection of Streamlit that the user switched off, as `stlaunch check` does.

    Args:
        key: of `PROTECTIONS`.
        where: the file or flag that says so; for the log alone.
    """
    code, meaning = PROTECTIONS[key]
    source = f" ({where})" if where else ""
    return Finding(
        code=code,
        title=f"{key} is false{source}: {meaning}",
        fix=f"{' '.join(entry(code).fix.split())} stlaunch works with it on.",
    )
