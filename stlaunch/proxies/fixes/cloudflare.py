"""Cloudflare Tunnel; lines of cloudflared's config.yml alone.

The WebSocket, Host and scheme it hands on. It strips no path, and balances nothing.
"""

from __future__ import annotations

from stlaunch.proxies.fixes.model import Need, Part, Recipe

RECIPE = Recipe(
    places={"origin": "in cloudflared's config.yml, in the rule's `originRequest`"},
    reload="cloudflared tunnel ingress validate && systemctl restart cloudflared",
    parts={
        Need.HOST: (
            Part(
                "origin",
                "httpHostHeader: <<host>>",
                "The name that the browser shows; Streamlit compares Host with Origin.",
            ),
        ),
        Need.IDLE_TIMEOUT: (
            Part(
                "origin",
                "keepAliveTimeout: <<idle_s>>s",
                "Connections to the app outlive several pings. Cloudflare itself cuts a WebSocket "
                "that is quiet for 100 s.",
            ),
        ),
        Need.BUFFERING: (
            Part(
                "origin",
                "disableChunkedEncoding: false",
                "Uploads go on as they come.",
            ),
        ),
    },
)
