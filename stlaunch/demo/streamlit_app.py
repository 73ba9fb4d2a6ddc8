"""The app of `stlaunch demo`: an ordinary Streamlit app that knows nothing about proxies."""
# ruff: noqa: INP001 - Streamlit runs it as a script

from __future__ import annotations

import math

import streamlit as st

POINTS = 120

st.set_page_config(page_title="stlaunch demo", layout="centered")

st.title("Hello from behind the proxy")
st.write(
    "This is an unmodified Streamlit app. Everything below goes over one connection, "
    "through a real reverse proxy, with CORS and XSRF protection on."
)

count, reset, total = st.columns([2, 2, 3], vertical_alignment="center")
st.session_state.setdefault("clicks", 0)
if count.button("Count", type="primary", width="stretch"):
    st.session_state.clicks += 1
if reset.button("Reset", width="stretch"):
    st.session_state.clicks = 0
total.metric("Clicks", st.session_state.clicks)

st.subheader("A slider and a chart")
frequency = st.slider("Waves", min_value=1, max_value=10, value=3)
st.line_chart(
    {
        "sine": [math.sin(2 * math.pi * frequency * i / POINTS) for i in range(POINTS)],
        "cosine": [math.cos(2 * math.pi * frequency * i / POINTS) for i in range(POINTS)],
    }
)

st.subheader("An upload")
upload = st.file_uploader("Any file; it is only measured")
if upload is not None:
    st.success(f"{upload.name}: {upload.size:,} bytes arrived")

st.subheader("How this page arrived")
shown = ("Host", "Origin", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix")
headers = st.context.headers
st.table({name: headers.get(name, "not sent") for name in shown})
st.caption(f"The browser shows {st.context.url}")
st.page_link("pages/second_page.py", label="Open the second page")
