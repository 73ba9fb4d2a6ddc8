"""A second page: open it from the first one, directly, or by reloading."""
# ruff: noqa: INP001 - Streamlit runs it as a script

from __future__ import annotations

import streamlit as st

st.title("Second page")
st.write("Reload it, or open its address in a new tab: it is served below the same prefix.")
name = st.text_input("Your name")
if name:
    st.write(f"Hello, {name}!")
st.page_link("streamlit_app.py", label="Back to the first page")
