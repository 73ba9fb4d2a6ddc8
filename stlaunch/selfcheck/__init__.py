"""What the app says about its own connection, below `{base}/_stlaunch/`."""

from __future__ import annotations

from stlaunch.selfcheck.app import SelfCheckMiddleware
from stlaunch.selfcheck.page_script import PAGE_SCRIPT_VERSION
from stlaunch.selfcheck.report import Instance

__all__ = ["PAGE_SCRIPT_VERSION", "Instance", "SelfCheckMiddleware"]
