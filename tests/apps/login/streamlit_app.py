"""Logs a user in and out, and shows who it is."""

from __future__ import annotations

import os

import streamlit as st

st.title("Login")
if st.user.is_logged_in:
    st.text(f"Hello {st.user.name}")
    st.text(f"pid={os.getpid()}")
    st.button("Log out", on_click=st.logout)
else:
    st.text("Hello stranger")
    st.button("Log in", on_click=st.login)
