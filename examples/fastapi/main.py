"""FastAPI with Streamlit mounted at /dashboard, together behind one proxy path.

Run it in this folder with any ASGI server, its own reading of proxy headers switched off:

    uvicorn main:app --port 8501 --no-proxy-headers

Through a proxy at /streamlitApp the dashboard is at /streamlitApp/dashboard/.
"""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from fastapi import FastAPI

import stlaunch

dashboard = st.App(Path(__file__).with_name("dashboard.py"))
api = FastAPI(lifespan=dashboard.lifespan())


@api.get("/api/stations")
def stations() -> list[str]:
    return ["Aachen", "Bonn", "Celle"]


api.mount("/dashboard", dashboard)
app = stlaunch.wrap_app(api, behind_proxy="/streamlitApp")
