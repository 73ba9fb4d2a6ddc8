"""The settings: one table, the places that values come from, and the one resolver."""

from __future__ import annotations
