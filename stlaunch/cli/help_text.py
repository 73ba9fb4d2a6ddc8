"""The text around the options in `stlaunch --help`."""

from __future__ import annotations

from textwrap import indent

from stlaunch.proxies.fixes import least_lines
from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Product
from stlaunch.proxies.site import Site
from stlaunch.urls.base_path import BasePath

PROMISE = "Run a Streamlit app behind any reverse proxy, with every protection left on."

USAGE = "[OPTIONS] [APP] [--section.option VALUE ...] [-- SCRIPT ARGS ...]"

ABOUT = """\
APP is a script, a folder with streamlit_app.py, or module:attr of an ASGI app;
the default is streamlit_app.py in this folder. Streamlit's own flags
(--server.maxUploadSize 500) and STREAMLIT_* variables work as in "streamlit run".
Each option is also a variable (STLAUNCH_PORT) and a key in stlaunch.toml or in
[tool.stlaunch] of pyproject.toml (port = 8501). The command line overrides the
variable, and the variable overrides the file."""

_BEFORE = """\
  The app runs next to the proxy, at 127.0.0.1:8501:

    stlaunch app.py --behind-proxy /streamlitApp

  The proxy may strip /streamlitApp or keep it. What its configuration needs:

    nginx     three lines pass the WebSocket on; without them nginx drops it:"""

_AFTER = """\
  The proxy runs on another machine:
    stlaunch app.py --behind-proxy /streamlitApp \\
      --host 0.0.0.0 --trusted-proxies 10.0.0.5
  The strictest origin check:
    stlaunch app.py --behind-proxy https://example.com/streamlitApp
  Show what would be started:
    stlaunch app.py --behind-proxy /streamlitApp --dry-run"""

_OTHERS = (Product.CADDY, Product.TRAEFIK, Product.HAPROXY, Product.ENVOY, Product.APACHE)
_SITE = Site(base_path=BasePath("/streamlitApp"))


def examples() -> str:
    """Return the examples, with the fewest lines that each proxy needs."""
    nginx = indent(least_lines(Product.NGINX, _SITE), " " * 16)
    others = "\n".join(map(_line, _OTHERS))
    return f"{_BEFORE}\n{nginx}\n{others}\n\n{_AFTER}"


def _line(product: Product) -> str:
    lines = indent(least_lines(product, _SITE), " " * 14)
    return f"    {recipe(product).title:<10}{lines.lstrip()}"
