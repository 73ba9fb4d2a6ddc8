"""The settings: one table, the sources of values, and the one resolver."""

from __future__ import annotations
