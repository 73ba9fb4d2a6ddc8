"""The HTTP transport for pages whose WebSocket does not work, and uploads in pieces."""

from __future__ import annotations

from stlaunch.fallback.middleware import FallbackTransport
from stlaunch.fallback.registry import TunnelLimits, TunnelRegistry
from stlaunch.fallback.uploads import UploadPieces

__all__ = ["FallbackTransport", "TunnelLimits", "TunnelRegistry", "UploadPieces"]
