"""The layers around the app, one concern a file, each plain ASGI; `stlaunch.asgi` stacks them."""

from __future__ import annotations

from stlaunch.middleware.base_path import BasePathMiddleware
from stlaunch.middleware.compressed_assets import CompressedAssetsMiddleware
from stlaunch.middleware.cookies import CookieMiddleware
from stlaunch.middleware.embedding import EmbeddingMiddleware
from stlaunch.middleware.forwarded_headers import ForwardedHeadersMiddleware
from stlaunch.middleware.handshake_recorder import HandshakeRecorderMiddleware
from stlaunch.middleware.missing_assets import MissingAssetMiddleware
from stlaunch.middleware.page import PageMiddleware
from stlaunch.middleware.request_log import PageChangeLogMiddleware, RequestLogMiddleware
from stlaunch.middleware.same_origin import SameOriginMiddleware
from stlaunch.middleware.session_gate import SessionGateMiddleware

__all__ = [
    "BasePathMiddleware",
    "CompressedAssetsMiddleware",
    "CookieMiddleware",
    "EmbeddingMiddleware",
    "ForwardedHeadersMiddleware",
    "HandshakeRecorderMiddleware",
    "MissingAssetMiddleware",
    "PageChangeLogMiddleware",
    "PageMiddleware",
    "RequestLogMiddleware",
    "SameOriginMiddleware",
    "SessionGateMiddleware",
]
