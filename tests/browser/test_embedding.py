"""The app in a frame of another site, in Chromium: uploads with `--embed-in`, or the reason."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import FrameLocator, expect

from tests.harness.browser import Visit
from tests.harness.journeys import TITLE
from tests.harness.proxies import start_proxy
from tests.harness.site import start_app
from tests.harness.tls import OTHER_HOST, Tls

pytestmark = [pytest.mark.browser, pytest.mark.proxy]


@contextmanager
def portal(tls: Tls) -> Iterator[tuple[str, list[str]]]:
    """Another site whose page shows one frame; the address goes into the list."""
    framed: list[str] = []

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = f'<iframe src="{framed[0]}" width="900" height="2400"></iframe>'.encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Stay quiet."""

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.certificate, tls.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        server.daemon_threads = True
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"https://{OTHER_HOST}:{server.server_address[1]}", framed
        finally:
            server.shutdown()
            thread.join()


def _open(visit: Visit, url: str) -> FrameLocator:
    visit.page.goto(url)
    frame = visit.page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name=TITLE, exact=True)).to_be_visible()
    return frame


def _choose_file(frame: FrameLocator) -> None:
    frame.locator("input[type=file]").set_input_files(
        {"name": "some.bin", "mimeType": "application/octet-stream", "buffer": b"x" * 100}
    )


def test_uploads_work_in_the_frame_of_a_site_that_was_named(visit: Visit, tls: Tls) -> None:
    """And no other site may show the app at all."""
    with (
        portal(tls) as (site, framed),
        portal(tls) as (other_site, framed_there),
        start_app("--embed-in", site) as server,
        start_proxy("caddy", "recommended", server.port, keep_prefix=False, tls=tls) as proxy,
    ):
        framed.append(proxy.url)
        framed_there.append(proxy.url)
        frame = _open(visit, site)
        _choose_file(frame)

        expect(frame.get_by_text("100 bytes")).to_be_visible()
        cookies = {cookie["name"]: cookie for cookie in visit.context.cookies(proxy.url)}
        for name in ("_streamlit_xsrf", "__Host-stlaunch"):
            assert cookies[name]["sameSite"] == "None"
            assert cookies[name]["secure"]

        visit.page.goto(other_site)
        expect(
            visit.page.frame_locator("iframe").get_by_role("heading", name=TITLE)
        ).not_to_be_visible()
        assert any("frame-ancestors" in line for line in visit.console)


def test_without_it_the_log_says_why_an_upload_is_refused(visit: Visit, tls: Tls) -> None:
    with (
        portal(tls) as (site, framed),
        start_app() as server,
        start_proxy("caddy", "recommended", server.port, keep_prefix=False, tls=tls) as proxy,
    ):
        framed.append(proxy.url)
        frame = _open(visit, site)
        _choose_file(frame)

        log = server.wait_for_log("STL510", timeout_s=60)

    assert "was refused, as happens in a frame of another site" in log
    assert "--embed-in" in log
