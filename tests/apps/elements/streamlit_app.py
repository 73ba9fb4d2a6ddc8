"""One of each element that a Content-Security-Policy could break."""

from __future__ import annotations

import hashlib
import io
import math
import struct
import wave
from pathlib import Path

import numpy as np
import pandas as pd
import pydeck
import streamlit as st
import streamlit.components.v1 as components_v1
import streamlit.components.v2 as components_v2

HERE = Path(__file__).parent
RATE = 8000

ping = components_v1.declare_component("ping", path=str(HERE / "component"))
pong = components_v2.component(
    "pong",
    html="<button>Pong Python</button>",
    css="button { color: rgb(1, 2, 3); }",
    js="""
export default function ({ parentElement, setStateValue }) {
  let pongs = 0;
  parentElement.querySelector("button").onclick = () => setStateValue("pongs", (pongs += 1));
}
""",
)


def tone() -> bytes:
    """Return a tenth of a second of sound, as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        for index in range(RATE // 10):
            sound.writeframes(struct.pack("<h", int(9000 * math.sin(index / 3))))
    return file.getvalue()


st.title("Elements")
st.markdown("**Bold**, $\\frac{a}{b}$ and <span style='color: rgb(4, 5, 6)'>styled</span>",
            unsafe_allow_html=True)  # fmt: skip
st.code("print('highlighted')", language="python")
st.json({"a": [1, 2]})
st.dataframe(pd.DataFrame({"x": [1, 2], "y": [3, 4]}))
st.line_chart(np.sin(np.linspace(0, 6, 50)), height=150)
st.graphviz_chart("digraph { here -> there }")
st.pydeck_chart(
    pydeck.Deck(
        map_style=None,
        map_provider=None,
        initial_view_state=pydeck.ViewState(latitude=0, longitude=0, zoom=1),
        layers=[
            pydeck.Layer(
                "ScatterplotLayer",
                data=[{"p": [0, 0]}],
                get_position="p",
                get_radius=1_000_000,
                get_fill_color=[200, 30, 0],
            )
        ],
    ),
    height=150,
)
st.image(np.zeros((9, 9, 3), dtype=np.uint8), caption="picture")
st.audio(tone(), format="audio/wav")
st.html("<p style='color: rgb(7, 8, 9)'>own HTML</p>")
st.download_button("Download", "whole\n", "file.txt")
upload = st.file_uploader("Any file")
if upload is not None:
    st.write(f"SHA-256 {hashlib.sha256(upload.getvalue()).hexdigest()}")
st.write(f"Python got ping {ping(key='ping', default=0)}")
pongs = pong(key="pong", on_pongs_change=lambda: None).pongs
st.write(f"Python got pong {pongs or 0}")
