"""An app that sends every kind of traffic a Streamlit app knows; each part shows what arrived."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import streamlit as st
import streamlit.components.v1 as components

REPOSITORY = Path(__file__).parents[3]
WORDS = 150
DOWNLOAD = bytes(range(256)) * 4096

ping = components.declare_component(
    "ping", path=str(REPOSITORY / "examples" / "hello" / "component")
)


@st.cache_resource
def server_run() -> str:
    """A name that changes when the server restarts."""
    return secrets.token_hex(3)


def words() -> Iterator[str]:
    """Numbered words, so that a lost, doubled or moved one shows."""
    for number in range(1, WORDS + 1):
        yield f"w{number} "
        time.sleep(0.01)


st.set_page_config(page_title="Exercise")
state = st.session_state
state.runs = state.get("runs", 0) + 1
st.title("Exercise")
st.write(f"Runs: {state.runs}.")
st.write(f"Server run {server_run()}")

typed = st.text_input("Text")
st.write(f"Typed: {typed}.")

level = st.slider("Level", min_value=0, max_value=1000)
st.write(f"Level is {level}.")

if st.button("Click"):
    state.clicks = state.get("clicks", 0) + 1
st.write(f"Clicks: {state.get('clicks', 0)}.")

if st.button("Stream"):
    st.write_stream(words)
    st.write("The stream has ended.")

if st.button("Work"):
    bar = st.progress(0)
    for percent in range(101):
        bar.progress(percent)
        time.sleep(0.01)
    st.write("The work is done.")

if st.button("Many messages"):
    place = st.empty()
    for number in range(200):
        st.text(f"line {number}")
        place.write(f"Message {number}.")
    st.write("All messages sent.")

if st.button("Chart"):
    st.line_chart(np.sin(np.linspace(0, 20, 200)), height=200)

if st.button("Table"):
    # 100,000 rows of 7 numbers: 5.6 MB.
    st.dataframe(np.arange(700_000.0).reshape(-1, 7))

st.download_button("Download", DOWNLOAD, "bytes.bin")

if st.button("Rerun"):
    state.left = 3
if state.get("left"):
    state.left -= 1
    state.reruns = state.get("reruns", 0) + 1
    st.rerun()
st.write(f"Reruns: {state.get('reruns', 0)}.")


@st.fragment
def part() -> None:
    """Run alone when its own button is clicked."""
    if st.button("Part"):
        state.parts = state.get("parts", 0) + 1
    st.write(f"Parts: {state.get('parts', 0)}.")


@st.fragment(run_every=0.5)
def clock() -> None:
    """Rerun at an interval by itself."""
    state.ticks = state.get("ticks", 0) + 1
    st.write(f"Ticks: {state.ticks}.")


part()
if st.toggle("Clock"):
    clock()

st.write(f"Pings: {ping(key='ping', default=0)}.")
upload = st.file_uploader("File")
st.write(f"Bytes: {upload.size if upload else 0}.")

state.setdefault("said", [])
if said := st.chat_input("Say"):
    state.said.append(said)
for number, message in enumerate(state.said):
    st.chat_message("user").write(f"{number}: {message}")
