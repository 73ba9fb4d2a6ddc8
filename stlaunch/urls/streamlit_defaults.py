"""The defaults of a Streamlit app whose author set nothing: what proxies and checks must fit.

Source: `streamlit config show`; tests/insides compares each with the installed Streamlit.
"""

from __future__ import annotations

PORT = 8501
"""`server.port`."""
MAX_UPLOAD_MB = 200
"""`server.maxUploadSize`, which Streamlit counts in MiB."""
MAX_UPLOAD_BYTES = MAX_UPLOAD_MB * 1024 * 1024
MAX_MESSAGE_MB = 200
"""`server.maxMessageSize`, which Streamlit counts in millions of bytes."""
MAX_MESSAGE_BYTES = MAX_MESSAGE_MB * 1_000_000
PING_INTERVAL_S = 30
"""`server.websocketPingInterval`, where Streamlit leaves it to its server: ours uses this."""
