"""YAML: `lint_yaml` reads a file and checks each document that leads to the app."""

from __future__ import annotations

from stlaunch.lint.yaml.documents import lint_yaml

__all__ = ["lint_yaml"]
