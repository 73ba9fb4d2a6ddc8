"""A small server that knows who is signed in, as oauth2-proxy and Authelia are asked by nginx.

Owns one visitor and nginx's lines for each way of asking. It must not know the app.
"""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, urlsplit

FORMS = {
    # https://oauth2-proxy.github.io/oauth2-proxy/configuration/integration: "auth_request"
    "oauth2-proxy's page": "error_page 401 =403 /oauth2/sign_in;",
    "oauth2-proxy's redirect": "error_page 401 = @start;",
    # https://www.authelia.com/integration/proxies/nginx: "authelia-authrequest.conf"
    "Authelia": "error_page 401 =302 $portal?rd=$scheme://$http_host$request_uri;",
    "a page of its own": "error_page 401 =200 /oauth2/sign_in;",
    "auth_request alone": "",
    "auth_request, forbidden": "error_page 401 =403 /oauth2/nothing;",
}
"""What nginx does where `auth_request` says no."""


@dataclass(slots=True, kw_only=True)
class SignIn:
    """The server's port, and whether the visitor is signed in."""

    port: int
    is_signed_in: bool = True

    def nginx(self, form: str) -> SignInLines:
        """Return what asks it, in the way of `FORMS`."""
        return SignInLines(port=self.port, form=form)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignInLines:
    """An edit of nginx's configuration."""

    port: int
    form: str

    def __call__(self, config: str) -> str:
        """Put the lines into a configuration."""
        server = f"""
        set $portal http://login.example.test:{self.port}/oauth2/sign_in;
        location = /auth {{
            internal;
            proxy_pass http://127.0.0.1:{self.port};
            proxy_pass_request_body off;
            proxy_set_header Content-Length "";
        }}
        location /oauth2/ {{
            proxy_pass http://127.0.0.1:{self.port};
            proxy_set_header X-Auth-Request-Redirect $request_uri;
        }}
        location @start {{ return 302 /oauth2/sign_in?rd=$request_uri; }}
"""
        config = config.replace("    server {\n", f"    server {{\n{server}", 1)
        lines = f"            auth_request /auth;\n            {FORMS[self.form]}\n"
        found = re.search(r"location /streamlitApp/ \{\n", config)
        assert found is not None, config
        return config.replace(found[0], found[0] + lines, 1)


@contextmanager
def start_sign_in() -> Iterator[SignIn]:
    """Run the server until the block ends."""
    state = SignIn(port=0)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            back = parse_qs(urlsplit(self.path).query).get("rd", [""])[0]
            back = back or self.headers.get("X-Auth-Request-Redirect", "")
            if path == "/auth":
                self._answer(202 if state.is_signed_in else 401)
            elif path == "/oauth2/done":
                state.is_signed_in = True
                self._answer(302, location=back)
            elif path == "/oauth2/nothing":
                self._answer(403)
            else:
                link = f"/oauth2/done?rd={quote(back)}"
                self._answer(200, f'<a href="{html.escape(link)}">Continue as Ada</a>')

        def _answer(self, status: int, body: str = "", location: str = "") -> None:
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        state.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield state
        server.shutdown()
