"""The ways in which people configure a proxy for Streamlit without stlaunch."""

from __future__ import annotations

from enum import StrEnum


class Setup(StrEnum):
    """A name for each."""

    BLOG = "blog"
    """A bare forwarding of one path; the WebSocket upgrade is lost."""
    BLOG_STREAM = "blog-stream"
    """The same, and a second location with the upgrade lines for the WebSocket alone."""
    THREE_LINES = "three-lines"
    """The three upgrade lines without `Host`; the app sees the upstream's address as its own."""
    RECOMMENDED = "recommended"
    """What the proxy's own documentation recommends for WebSockets."""
