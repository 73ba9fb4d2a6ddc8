"""One of two apps; each has its own path, sessions and cookies."""

from __future__ import annotations

import streamlit as st

st.title("Sales")
if st.button("Add one", type="primary"):
    st.session_state.count = st.session_state.get("count", 0) + 1
st.text(f"Sales: {st.session_state.get('count', 0)}")
