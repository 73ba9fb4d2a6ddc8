"""Logs a visitor in and out with an OpenID provider."""

from __future__ import annotations

import streamlit as st

st.title("Members only")
if st.user.is_logged_in:
    st.text(f"Hello {st.user.name}")
    st.button("Log out", on_click=st.logout)
else:
    st.text("Hello stranger")
    st.button("Log in", type="primary", on_click=st.login)
