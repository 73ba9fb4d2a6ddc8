"""Apache httpd: `lint_apache` reads a configuration and judges the routes to the app."""

from __future__ import annotations

from stlaunch.lint.apache.evaluate import lint_apache

__all__ = ["lint_apache"]
