"""nginx: `lint_nginx` reads a configuration with its includes and judges the routes to the app."""

from __future__ import annotations

from stlaunch.lint.nginx.evaluate import lint_nginx

__all__ = ["lint_nginx"]
