"""A small ordinary Streamlit app that uses everything a proxy may break."""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

import numpy as np
import streamlit as st
import streamlit.components.v1 as components

HERE = Path(__file__).parent
SUN_RADIUS = 0.16
SEA_LEVEL = 0.72

ping = components.declare_component("ping", path=str(HERE / "component"))


@st.cache_resource
def server_run() -> str:
    """A name that changes when the server restarts."""
    return secrets.token_hex(3)


def dawn(waves: int, width: int = 1280, height: int = 360) -> np.ndarray:
    """A picture to send through the media route: a sky, a sun and waves."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    sky = np.array([11, 70, 90]) * (1 - y[..., None]) + np.array([250, 190, 110]) * y[..., None]
    sun = np.hypot((x - 0.7) * width / height, y - 0.55) < SUN_RADIUS
    sea = y > SEA_LEVEL + 0.02 * np.sin(x * 2 * np.pi * waves)
    sky[sun] = [255, 236, 179]
    sky[sea] = [11, 100, 105] + 40 * np.sin(y[sea] * 60)[..., None]
    return sky.clip(0, 255).astype(np.uint8)


st.set_page_config(page_title="Hello", layout="centered")
st.title("Hello from Streamlit")
st.markdown("![The way of a request](app/static/route.svg)")
st.write("If everything on this page works, whatever stands in front of it is set up well.")
st.page_link("pages/second_page.py", label="Open the second page")

left, right = st.columns(2)

with left.container(border=True, height="stretch"):
    st.subheader("Type and click")
    name = st.text_input("Your name", placeholder="Ada")
    if st.button("Count", type="primary"):
        st.session_state.clicks = st.session_state.get("clicks", 0) + 1
    clicks = st.session_state.get("clicks", 0)
    st.write(f"Clicked {clicks} {'time' if clicks == 1 else 'times'}{f', {name}' if name else ''}")

with right.container(border=True, height="stretch"):
    st.subheader("Custom component")
    st.write("A page in a frame that talks to Python.")
    pings = ping(key="ping", default=0)
    st.write(f"Python got ping {pings}")

with st.container(border=True):
    st.subheader("Upload")
    upload = st.file_uploader("Any file")
    if upload is not None:
        digest = hashlib.sha256(upload.getvalue()).hexdigest()
        st.write(f"**{upload.name}**, {upload.size} bytes")
        st.code(digest, language=None)

with st.container(border=True):
    st.subheader("See and keep")
    waves = st.slider("Waves", min_value=1, max_value=10, value=3)
    st.image(dawn(waves), caption="Painted by numpy, sent by the media route")
    if st.toggle("Show the waves as a chart"):
        st.line_chart(np.sin(np.linspace(0, 2 * np.pi * waves, 200)), height=220)
    st.download_button("Download greeting", "Hello, whoever is in front.\n", "greeting.txt")

st.caption(f"Server run {server_run()}")
