"""Run an unmodified Streamlit app behind any reverse proxy, with every protection left on."""

from __future__ import annotations

__version__ = "0.1.0"
