"""An ordinary Streamlit script."""

from __future__ import annotations

import streamlit as st

st.title("Under plain uvicorn")
st.write(f"Counted to {st.slider('Count', 0, 10, 3)}")
