"""An ordinary small page, which also shows its server's tasks and number of heaps."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter

import streamlit as st
from streamlit.runtime import get_instance

from tests.harness.heaps import count_heaps

st.session_state["runs"] = st.session_state.get("runs", 0) + 1
st.session_state.setdefault("load", bytearray(100_000))
st.text(f"runs={st.session_state['runs']};")
st.title("Soak")
st.slider("A number", 0, 100, 50)
if "tasks" in st.query_params:
    gc.collect()  # what is garbage is no leak
    loop = get_instance()._get_async_objs().eventloop
    names = Counter(task.get_coro().__qualname__ for task in asyncio.all_tasks(loop))
    st.text(f"heaps={count_heaps()}")
    st.text("tasks=" + ",".join(f"{name}:{names[name]}" for name in sorted(names)))
