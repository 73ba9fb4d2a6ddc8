"""The only package that imports Streamlit, always late, inside functions."""

from __future__ import annotations

from stlaunch.proxies.app_facts import UserOption
from stlaunch.streamlit_adapter.app import (
    app_version,
    find_streamlit_mounts,
    header_names,
    is_own_route,
    is_static_asset,
    is_streamlit_app,
    load_app,
    static_asset_size,
    takes_host_config,
    trusted_user_headers,
)
from stlaunch.streamlit_adapter.internals import (
    TOUCHES,
    log_through,
    parse_metadata_as_usual,
    parse_metadata_once,
    static_folder,
)
from stlaunch.streamlit_adapter.options import (
    UserConfiguration,
    WebSocketOptions,
    apply_options,
    cookie_secret,
    current_user_options,
    default_options,
    get_options,
    max_upload_bytes,
    read_user_configuration,
    sensitive_options,
    set_base_url_path,
    tls_files,
    websocket_options,
)
from stlaunch.streamlit_adapter.sessions import (
    Session,
    connected_sessions,
    page_of,
    run_once,
    wait_for_flush,
)
from stlaunch.streamlit_adapter.target import defines_streamlit_app, find_asgi_app
from stlaunch.streamlit_adapter.touch import report_misfits

__all__ = [
    "TOUCHES",
    "Session",
    "UserConfiguration",
    "UserOption",
    "WebSocketOptions",
    "app_version",
    "apply_options",
    "connected_sessions",
    "cookie_secret",
    "current_user_options",
    "default_options",
    "defines_streamlit_app",
    "find_asgi_app",
    "find_streamlit_mounts",
    "get_options",
    "header_names",
    "is_own_route",
    "is_static_asset",
    "is_streamlit_app",
    "load_app",
    "log_through",
    "max_upload_bytes",
    "page_of",
    "parse_metadata_as_usual",
    "parse_metadata_once",
    "read_user_configuration",
    "report_misfits",
    "run_once",
    "sensitive_options",
    "set_base_url_path",
    "static_asset_size",
    "static_folder",
    "takes_host_config",
    "tls_files",
    "trusted_user_headers",
    "wait_for_flush",
    "websocket_options",
]
