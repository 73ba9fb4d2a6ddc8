"""An ordinary Streamlit script, for a container."""

from __future__ import annotations

import streamlit as st

st.title("In a container")
name = st.text_input("Your name", "Ada")
st.write(f"Hello, {name}")
