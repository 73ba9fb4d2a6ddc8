"""Every element that uses the network; each shows as text what reached Python."""

from __future__ import annotations

import hashlib
import io
import math
import struct
import time
import wave
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
import streamlit.components.v1 as components_v1
import streamlit.components.v2 as components_v2
from PIL import Image

COMPONENT = Path(__file__).parents[1] / "elements" / "component"
RATE = 8000

ping = components_v1.declare_component("ping", path=str(COMPONENT))
pong = components_v2.component(
    "pong",
    html="<button>Pong Python</button>",
    js="""
export default function ({ parentElement, setStateValue }) {
  let pongs = 0;
  parentElement.querySelector("button").onclick = () => setStateValue("pongs", (pongs += 1));
}
""",
)


def tone() -> bytes:
    """A second of sound, as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(RATE)
        for index in range(RATE):
            sound.writeframes(struct.pack("<h", int(9000 * math.sin(index / 3))))
    return file.getvalue()


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:12]


def words() -> Iterator[str]:
    for number in range(1, 41):
        yield f"w{number} "
        time.sleep(0.005)


@st.dialog("A question")
def ask() -> None:
    if st.button("Yes"):
        st.session_state.answer = "yes"
        st.rerun()


def clock() -> None:
    ticks = st.session_state.get("ticks")
    if ticks is not None:
        st.session_state.ticks = ticks = ticks + 1
    st.text(f"{'Several' if (ticks or 0) > 2 else 'Few'} ticks.")


state = st.session_state
st.title("Wide")
if st.button("Click"):
    state.clicks = state.get("clicks", 0) + 1
st.text(f"Clicks: {state.get('clicks', 0)}.")

if st.button("Stream"):
    st.write_stream(words)

if st.button("Tick"):
    state.ticks = 0

if st.button("Ask"):
    ask()
st.text(f"Answer: {state.get('answer', 'none')}.")

if st.button("Set query"):
    st.query_params["page"] = "2 & 3"
st.text(f"Query: {sorted(st.query_params.to_dict().items())}.")

files = st.file_uploader("Files", accept_multiple_files=True)
st.text(f"Files: {sorted((file.name, digest(file.getvalue())) for file in files)}.")

st.download_button("Download", bytes(range(256)) * 4096, "bytes.bin")

st.image(np.full((9, 8, 3), 90, dtype=np.uint8), caption="picture")
st.audio(tone(), format="audio/wav")

st.text(f"Pings: {ping(key='ping', default=0)}.")
st.text(f"Pongs: {pong(key='pong', on_pongs_change=lambda: None).pongs or 0}.")

photo = st.camera_input("Camera")
st.text(f"Photo: {Image.open(photo).size if photo else None}.")

edited = st.data_editor(pd.DataFrame({"name": ["a", "b"]}), key="editor", width=300)
st.text(f"Names: {list(edited['name'])}.")

# Streamlit sends a message this large once, and then a reference to it.
st.dataframe(pd.DataFrame({"n": np.arange(20_000)}), width=300)

# It begins when told and ends after some: in a run of the script at the same time, bare Streamlit
# leaves out elements now and then.
is_ticking = state.get("ticks", 3) < 3
st.fragment(clock, run_every=0.3 if is_ticking else None)()
if said := st.chat_input("Say", accept_file=True):
    state.said = (said.text, [(file.name, digest(file.getvalue())) for file in said.files])
st.text(f"Said: {state.get('said')}.")
