"""Caddyfile: `adapt` has Caddy read it, `evaluate` finds the app's routes and checks them."""

from __future__ import annotations

from stlaunch.lint.caddy.evaluate import lint_caddy

__all__ = ["lint_caddy"]
