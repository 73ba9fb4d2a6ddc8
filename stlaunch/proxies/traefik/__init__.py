"""Traefik; `recipe` combines what is known about it."""

from __future__ import annotations

from stlaunch.proxies.traefik.recipe import RECIPE

__all__ = ["RECIPE"]
