"""What one load of a small app's page asks for, measured with Streamlit 1.67: only figures."""

from __future__ import annotations

MIN_REQUESTS = 66
"""At least."""
MAX_REQUESTS = 131
"""At most."""
CONNECTIONS = 7
"""At a time, over HTTP/1.1: six, and the WebSocket."""
HTTP2_SAVES = 12
"""Round trips of a first visit. Its scripts come in two waves, 62 and 17: 14 turns of six, or 2."""
ROOM = 200
"""Requests at once that a limit should let through."""
