"""The page to go to and come back from."""

from __future__ import annotations

import streamlit as st

st.title("Other page")
st.write(f"Clicks elsewhere: {st.session_state.get('clicks', 0)}")
