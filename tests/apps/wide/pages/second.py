"""Another page of the same session."""

from __future__ import annotations

import streamlit as st

st.title("Second")
st.text(f"Clicks: {st.session_state.get('clicks', 0)}.")
