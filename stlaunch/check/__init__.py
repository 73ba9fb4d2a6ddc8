"""Judge from outside whether a Streamlit app is reachable and whole, and who is to blame if not.

Probes use the network and produce observations; rules are pure and turn those into findings. It
imports nothing of Streamlit, starlette or uvicorn, and never prints.
"""

from __future__ import annotations

from stlaunch.check.diagnosis import Check, Diagnosis, Finding, Status, Verdict, diagnose
from stlaunch.check.observations import Observations
from stlaunch.check.observe import observe
from stlaunch.check.options import CheckOptions
from stlaunch.check.report import build_report, exit_code
from stlaunch.check.target import Target

__all__ = [
    "Check",
    "CheckOptions",
    "Diagnosis",
    "Finding",
    "Observations",
    "Status",
    "Target",
    "Verdict",
    "build_report",
    "diagnose",
    "exit_code",
    "observe",
]
