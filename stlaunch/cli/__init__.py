"""The command line: the only package that parses words, prints, and decides on an exit code."""

from __future__ import annotations
