"""What probes send and rules look for in the answers: constants only."""

from __future__ import annotations

from stlaunch.check.options import Headers
from stlaunch.urls.streamlit_defaults import MAX_UPLOAD_MB

FORGED_ADDRESS = "192.0.2.77"
FORGED_HOST = "stlaunch-check.invalid"
FORGED: Headers = (
    ("X-Forwarded-For", FORGED_ADDRESS),
    ("X-Real-Ip", FORGED_ADDRESS),
    ("X-Forwarded-Host", FORGED_HOST),
)
ANNOUNCED_BYTES = MAX_UPLOAD_MB * 1_000_000 - 1024 * 1024
"""A file near Streamlit's default `server.maxUploadSize`; a proxy that stops at 200 MB is close
enough, whichever way it counts them."""
