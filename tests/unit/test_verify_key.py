"""The key that `--verify` sends to its own address goes to nobody else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from stlaunch.launcher.verify import verify

KEY = "opens-the-self-check"


@contextmanager
def _serving(location: str = "") -> Iterator[tuple[str, list[str | None]]]:
    """Answer each request with a redirect to `location`, or 404; gather the keys that came."""
    keys: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.append(self.headers["X-Stlaunch-Token"])
            self.send_response(302 if location else 404)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/app", keys
        finally:
            server.shutdown()
            thread.join()


def test_a_login_on_another_host_does_not_get_the_key() -> None:
    """Its holder is treated as an operator, and a login redirects everybody."""
    with ExitStack() as stack:
        login, of_login = stack.enter_context(_serving())
        public, of_app = stack.enter_context(_serving(login))
        findings = verify(public, instance="", key=KEY)

    assert of_app[0] == KEY
    assert KEY not in of_login
    assert findings
