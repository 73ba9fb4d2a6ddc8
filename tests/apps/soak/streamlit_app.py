"""An ordinary small page, which also tells how many tasks its server has."""

from __future__ import annotations

import asyncio

import streamlit as st
from streamlit.runtime import get_instance

st.title("Soak")
st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.session_state.setdefault("load", bytearray(100_000))
st.text(f"runs={st.session_state['runs']}")
loop = get_instance()._get_async_objs().eventloop
st.text(f"tasks={len(asyncio.all_tasks(loop))}")
