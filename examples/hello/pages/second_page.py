"""A second page, which may be opened directly by its own address."""

from __future__ import annotations

import streamlit as st

st.set_page_config(page_title="Second page", layout="centered")
st.title("Second page")
st.write("It has an address of its own: open it directly, reload it, go back.")
st.page_link("streamlit_app.py", label="Back to the first page")

with st.container(border=True):
    st.subheader("Wave")
    if st.button("Wave", type="primary"):
        st.session_state.waves = st.session_state.get("waves", 0) + 1
    waves = st.session_state.get("waves", 0)
    st.write(f"Waved {waves} {'time' if waves == 1 else 'times'}")
