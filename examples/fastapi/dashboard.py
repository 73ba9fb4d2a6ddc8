"""The Streamlit page that main.py mounts."""

from __future__ import annotations

import streamlit as st

st.title("Stations")
station = st.selectbox("Station", ["Aachen", "Bonn", "Celle"])
st.write(f"Showing {station}")
