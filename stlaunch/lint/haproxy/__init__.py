"""HAProxy: `parse` reads sections, `evaluate` finds the app's, `rules` checks them."""

from __future__ import annotations

from stlaunch.lint.haproxy.evaluate import lint_haproxy

__all__ = ["lint_haproxy"]
