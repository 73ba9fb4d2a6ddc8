"""FastAPI with Streamlit mounted at /dashboard, together behind one proxy path."""

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
