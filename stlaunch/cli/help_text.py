"""The prose around the options in `stlaunch --help`; no option is described here."""

from __future__ import annotations

PROMISE = "Run a Streamlit app behind any reverse proxy, with every protection left on."

USAGE = "[OPTIONS] [APP] [--section.option VALUE ...] [-- SCRIPT ARGS ...]"

ABOUT = """\
APP is a script, a folder with streamlit_app.py, or module:attr of an ASGI app;
the default is streamlit_app.py in this folder. Streamlit's own flags
(--server.maxUploadSize 500) and STREAMLIT_* variables work as in "streamlit run".
Each option is also a variable (STLAUNCH_PORT) and a key in stlaunch.toml or in
[tool.stlaunch] of pyproject.toml (port = 8501). The command line overrides the
variable, and the variable overrides the file."""

EXAMPLES = """\
  The app runs next to the proxy, at 127.0.0.1:8501:

    stlaunch app.py --behind-proxy /streamlitApp

  The proxy may strip /streamlitApp or keep it. What its configuration needs:

    nginx     three lines pass the WebSocket on; without them nginx drops it:
                location /streamlitApp/ {
                  proxy_pass http://127.0.0.1:8501;
                  proxy_http_version 1.1;
                  proxy_set_header Upgrade $http_upgrade;
                  proxy_set_header Connection "upgrade";
                }
    Caddy     reverse_proxy /streamlitApp* 127.0.0.1:8501
    Traefik   rule: PathPrefix(`/streamlitApp`)
    HAProxy   timeout tunnel 1h
    Envoy     upgrade_configs: [{ upgrade_type: websocket }]
    Apache    ProxyPass /streamlitApp http://127.0.0.1:8501 upgrade=websocket

  The proxy runs on another machine:
    stlaunch app.py --behind-proxy /streamlitApp \\
      --host 0.0.0.0 --trusted-proxies 10.0.0.5
  The strictest origin check:
    stlaunch app.py --behind-proxy https://example.com/streamlitApp
  Show what would be started:
    stlaunch app.py --behind-proxy /streamlitApp --dry-run"""
