"""Complete proxy configurations for one app, from `stlaunch.proxies.fixes`; it starts nothing."""

from __future__ import annotations

from stlaunch.proxies.generate.kinds import KINDS, Kind
from stlaunch.proxies.generate.render import Configuration, generate, public_url_of

__all__ = ["KINDS", "Configuration", "Kind", "generate", "public_url_of"]
