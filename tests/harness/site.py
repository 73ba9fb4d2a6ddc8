"""An example app under stlaunch, alone or behind a proxy, and what the app says of itself.

Owns how browser tests start the two. It must not know what is tried there.
"""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.harness.middleman import Middleman
from tests.harness.ports import free_port
from tests.harness.proxies import RunningProxy, start_proxy
from tests.harness.server import RunningServer, stlaunch_app
from tests.harness.tls import APP_HOST, Tls

HELLO = Path(__file__).parents[2] / "examples" / "hello" / "streamlit_app.py"
BASE = "/streamlitApp"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """An app and the proxy in front of it."""

    server: RunningServer
    proxy: RunningProxy

    @property
    def url(self) -> str:
        """Where the browser finds the app, with a final slash."""
        return self.proxy.url


def start_app(
    *flags: str, app: Path = HELLO, behind: str = BASE
) -> AbstractContextManager[RunningServer]:
    """Run an app under stlaunch until the block ends; without `behind` it has to find its path."""
    return stlaunch_app(app, free_port(), "--behind-proxy", *filter(None, [behind]), *flags)


@contextmanager
def start_site(
    kind: str,
    setup: str,
    *flags: str,
    keep_prefix: bool = False,
    tls: Tls | None = None,
    app: Path = HELLO,
    behind: str = BASE,
) -> Iterator[Site]:
    """Run an app, and a proxy of `tests.harness.proxies.KINDS` in front, until the block ends."""
    with (
        start_app(*flags, app=app, behind=behind) as server,
        start_proxy(kind, setup, server.port, keep_prefix=keep_prefix, tls=tls) as proxy,
    ):
        yield Site(server=server, proxy=proxy)


def url_through(hop: Middleman) -> str:
    """Return where the browser finds the app behind a hop, with a final slash."""
    return f"http://{APP_HOST}:{hop.port}{BASE}/"


def read_report(url: str) -> dict[str, Any]:
    """Ask the app at `url` (with its final slash) for its self-check."""
    with urllib.request.urlopen(f"{url}_stlaunch/check", timeout=30) as answer:
        report: dict[str, Any] = json.load(answer)
        return report
