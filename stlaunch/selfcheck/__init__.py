"""What the app says about its own connection, below `{base}/_stlaunch/`."""

from __future__ import annotations

from stlaunch.selfcheck.access import Gate
from stlaunch.selfcheck.app import SelfCheckMiddleware
from stlaunch.selfcheck.limits import ProbeLimits, Turnstile
from stlaunch.selfcheck.page_script import PAGE_SCRIPT_VERSION
from stlaunch.selfcheck.probes import Probes
from stlaunch.selfcheck.report import Facts, Instance
from stlaunch.selfcheck.tickets import Arrivals, Tickets
from stlaunch.selfcheck.watch import WatchMiddleware

__all__ = [
    "PAGE_SCRIPT_VERSION",
    "Arrivals",
    "Facts",
    "Gate",
    "Instance",
    "ProbeLimits",
    "Probes",
    "SelfCheckMiddleware",
    "Tickets",
    "Turnstile",
    "WatchMiddleware",
]
