"""The README's picture; `python -m tests.docs.picture` takes it again, of a real run.

An nginx with the one line of most tutorials in front of the example app, and the self-check page as
Chromium shows it there.
"""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser

from tests.conftest import REPOSITORY
from tests.harness.browser import start_chromium
from tests.harness.ports import free_port
from tests.harness.proxies import start_proxy
from tests.harness.server import stlaunch_app

PICTURE = REPOSITORY / "examples" / "pictures" / "self-check.png"
_APP = REPOSITORY / "examples" / "hello" / "streamlit_app.py"
_WIDTH = 880
_HEIGHT = 745
_COLOURS = 64


def take(browser: Browser, path: Path) -> None:
    """Save a picture of the self-check page behind an nginx that drops the upgrade."""
    with (
        stlaunch_app(_APP, free_port(), "--behind-proxy", "/streamlitApp") as app,
        start_proxy("nginx", "blog", app.port, keep_prefix=False) as proxy,
    ):
        context = browser.new_context(viewport={"width": _WIDTH, "height": _HEIGHT})
        page = context.new_page()
        page.goto(f"{proxy.url_for('localhost')}_stlaunch/")
        page.get_by_text("STL301").first.wait_for()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=path)
        context.close()


def shrink(path: Path) -> None:
    """Store the picture with a palette: text and flat colours need no more."""
    from PIL import Image

    with Image.open(path) as picture:
        small = picture.convert("RGB").quantize(_COLOURS)
    small.save(path, optimize=True)


def main() -> None:
    """Take the picture and keep it."""
    PICTURE.parent.mkdir(exist_ok=True)
    with start_chromium() as browser:
        take(browser, PICTURE)
    shrink(PICTURE)


if __name__ == "__main__":
    main()
