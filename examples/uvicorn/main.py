"""A Streamlit script under plain uvicorn (or gunicorn, Hypercorn), without the stlaunch command."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

import stlaunch

app = stlaunch.wrap_app(
    st.App(Path(__file__).with_name("app.py")),
    behind_proxy="/streamlitApp",
)
