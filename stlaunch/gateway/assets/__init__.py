"""Streamlit's hashed static files, compressed once and kept; they are served elsewhere."""

from __future__ import annotations

from stlaunch.gateway.assets.codings import Coding, choose_coding
from stlaunch.gateway.assets.folder import asset_folder
from stlaunch.gateway.assets.store import Asset, AssetStore

__all__ = ["Asset", "AssetStore", "Coding", "asset_folder", "choose_coding"]
