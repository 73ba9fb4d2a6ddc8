"""A small real OpenID Connect provider on loopback: code flow with PKCE, signed tokens, logout.

Owns one client and one user. It is as strict as the real ones where apps go wrong: the redirect
URI must be a registered one to the letter, a code works once, and the verifier must fit.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import secrets
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CLIENT_ID = "stlaunch-tests"
NAME = "Ada Lovelace"


@dataclass(slots=True, kw_only=True)
class Provider:
    """The provider's address, its client's secret, and what it was asked."""

    port: int
    redirect_uris: tuple[str, ...]
    client_secret: str = field(default_factory=secrets.token_urlsafe)
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "1"}))
    groups: tuple[str, ...] = ()
    """What the user belongs to, in each id token."""
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    """The redirect URIs that were asked for and are not registered."""

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def metadata_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    def secrets_toml(self, redirect_uri: str, cookie_secret: str, more: str = "") -> str:
        """Return the `secrets.toml` of an app that logs in here, with `more` lines."""
        values = {
            "redirect_uri": redirect_uri,
            "cookie_secret": cookie_secret,
            "client_id": CLIENT_ID,
            "client_secret": self.client_secret,
            "server_metadata_url": self.metadata_url,
        }
        lines = "".join(f'{name} = "{value}"\n' for name, value in values.items())
        return f"[auth]\n{lines}{more}"


@contextmanager
def start_provider(redirect_uris: Sequence[str]) -> Iterator[Provider]:
    """Run a provider that knows these redirect URIs until the block ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.daemon_threads = True
        provider = Provider(port=server.server_address[1], redirect_uris=tuple(redirect_uris))
        server.provider = provider
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    timeout = 10

    @property
    def provider(self) -> Provider:
        return self.server.provider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        match parts.path:
            case "/.well-known/openid-configuration":
                self._send_json(self._metadata())
            case "/jwks":
                self._send_json({"keys": [self.provider.key.as_dict(private=False)]})
            case "/authorize":
                self._authorize(query)
            case "/logout":
                self._logout(query)
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        code = self.provider.codes.pop(form.get("code", ""), None)
        expected = base64.b64encode(f"{CLIENT_ID}:{self.provider.client_secret}".encode()).decode()
        verifier = form.get("code_verifier", "").encode()
        if self.headers["Authorization"] != f"Basic {expected}":
            self._send_json({"error": "invalid_client"}, HTTPStatus.UNAUTHORIZED)
        elif (
            urlsplit(self.path).path != "/token"
            or code is None
            or code["redirect_uri"] != form.get("redirect_uri")
            or code["code_challenge"] != _base64url(hashlib.sha256(verifier).digest())
        ):
            self._send_json({"error": "invalid_grant"}, HTTPStatus.BAD_REQUEST)
        else:
            self._send_json(self._tokens(code))

    def _metadata(self) -> Mapping[str, object]:
        issuer = self.provider.issuer
        return {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/jwks",
            "end_session_endpoint": f"{issuer}/logout",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        }

    def _authorize(self, query: dict[str, str]) -> None:
        redirect_uri = query.get("redirect_uri", "")
        if query.get("client_id") != CLIENT_ID or redirect_uri not in self.provider.redirect_uris:
            self.provider.refused.append(redirect_uri)
            self._send_page("<h1>redirect_uri_mismatch</h1>", HTTPStatus.BAD_REQUEST)
            return
        code = secrets.token_urlsafe()
        self.provider.codes[code] = query
        back = f"{redirect_uri}?{urlencode({'code': code, 'state': query['state']})}"
        self._send_page(f'<h1>Provider</h1><a href="{html.escape(back)}">Continue as {NAME}</a>')

    def _logout(self, query: dict[str, str]) -> None:
        back = query.get("post_logout_redirect_uri", "")
        if back not in self.provider.redirect_uris:
            self._send_page("<h1>redirect_uri_mismatch</h1>", HTTPStatus.BAD_REQUEST)
            return
        self.send_response(HTTPStatus.FOUND)
        self.send_header("Location", back)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _tokens(self, code: dict[str, str]) -> Mapping[str, object]:
        now = int(time.time())
        claims = {
            "iss": self.provider.issuer,
            "sub": "ada",
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + 3600,
            "name": NAME,
            "email": "ada@example.test",
            "nonce": code.get("nonce", ""),
            "groups": self.provider.groups,
        }
        id_token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, self.provider.key)
        return {
            "access_token": secrets.token_urlsafe(),
            "token_type": "Bearer",
            "expires_in": 3600,
            "id_token": id_token,
        }

    def _send_json(
        self, document: Mapping[str, object], status: HTTPStatus = HTTPStatus.OK
    ) -> None:
        self._send("application/json", json.dumps(document), status)

    def _send_page(self, body: str, status: HTTPStatus = HTTPStatus.OK) -> None:
        # A page that asks for nothing else: no icon, no style.
        head = '<!doctype html><link rel="icon" href="data:,">'
        self._send("text/html; charset=utf-8", head + body, status)

    def _send(self, content_type: str, text: str, status: HTTPStatus) -> None:
        content = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_args: object) -> None:
        """Stay quiet."""


def _base64url(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
