"""A small app; `?size=1000&count=500` makes it send that many messages of that size.

`?tasks=1` makes it show how many asyncio tasks its server has.
"""

from __future__ import annotations

import time

import streamlit as st

size = int(st.query_params.get("size", "0"))
count = int(st.query_params.get("count", "0"))
if size:
    for index in range(count):
        # Unlike any before it, or Streamlit sends a reference to what the page has.
        st.text(f"{time.perf_counter_ns()} {index} ".ljust(size, "x"))
elif "tasks" in st.query_params:
    import asyncio

    from streamlit.runtime import get_instance

    st.text(f"tasks={len(asyncio.all_tasks(get_instance()._get_async_objs().eventloop))}")
else:
    st.title("Hello")
    name = st.text_input("Name", "you")
    value = st.slider("How many", 0, 100, 50)
    if st.button("Count"):
        st.session_state.count = st.session_state.get("count", 0) + 1
        st.write(f"Counted {st.session_state.count}")
    for index in range(10):
        st.write(f"{name} {value} {index}")
