"""Whole proxy configurations for one app, composed from `stlaunch.remedies`; nothing is started."""

from __future__ import annotations

from stlaunch.proxies.generate.kinds import KINDS, Kind
from stlaunch.proxies.generate.render import Configuration, generate, public_url_of

__all__ = ["KINDS", "Configuration", "Kind", "generate", "public_url_of"]
