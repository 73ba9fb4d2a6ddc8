"""nginx: `lint_nginx` reads a configuration with its includes and checks the routes."""

from __future__ import annotations

from stlaunch.lint.nginx.evaluate import lint_nginx

__all__ = ["lint_nginx"]
