"""The only package that imports Streamlit, and it does so late: inside of functions."""

from __future__ import annotations

from stlaunch.streamlit_adapter.app import (
    find_streamlit_mounts,
    is_own_route,
    is_static_asset,
    is_streamlit_app,
    load_app,
    trusted_user_headers,
)
from stlaunch.streamlit_adapter.options import (
    UserOption,
    WebSocketOptions,
    apply_options,
    auth_redirect_uri,
    cookie_secret,
    current_user_options,
    get_options,
    read_user_options,
    set_base_url_path,
    tls_files,
    websocket_options,
)
from stlaunch.streamlit_adapter.target import defines_streamlit_app, find_asgi_app

__all__ = [
    "UserOption",
    "WebSocketOptions",
    "apply_options",
    "auth_redirect_uri",
    "cookie_secret",
    "current_user_options",
    "defines_streamlit_app",
    "find_asgi_app",
    "find_streamlit_mounts",
    "get_options",
    "is_own_route",
    "is_static_asset",
    "is_streamlit_app",
    "load_app",
    "read_user_options",
    "set_base_url_path",
    "tls_files",
    "trusted_user_headers",
    "websocket_options",
]
