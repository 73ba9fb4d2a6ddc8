"""Shows which process ran it, and for whom.

`?busy=1.5` takes that long on the processor, `?wait=1.5` takes that long without it.
"""

from __future__ import annotations

import os
import time

import streamlit as st

st.text(f"pid={os.getpid()}")
st.text(f"ip={st.context.ip_address}")
st.text(f"user={st.context.headers.get('X-User')}")
st.text(f"scheme={st.context.url.partition(':')[0] if st.context.url else ''}")
busy_s = float(st.query_params.get("busy", "0"))
st.text("started")
time.sleep(float(st.query_params.get("wait", "0")))
end = time.thread_time() + busy_s
while time.thread_time() < end:
    sum(range(10_000))
st.text(f"finished {st.query_params.get('number', '')}")
