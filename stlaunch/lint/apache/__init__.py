"""Apache httpd: `lint_apache` reads a configuration and checks the routes to the app."""

from __future__ import annotations

from stlaunch.lint.apache.evaluate import lint_apache

__all__ = ["lint_apache"]
