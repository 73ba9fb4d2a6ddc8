"""A small OpenID Connect provider with one user, to try st.login on one machine.

It asks for no password: never let another machine reach it.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import html
import json
import secrets
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt  # streamlit[auth] brings it along
from joserfc.jwk import RSAKey

CLIENT_ID = "hello"
CLIENT_SECRET = secrets.token_urlsafe()
KEY = RSAKey.generate_key(2048, {"kid": "1"})
SECRETS = """\
# Written by provider.py, new at each of its starts.
[auth]
redirect_uri = "{app}/oauth2callback"
cookie_secret = "{cookie_secret}"
client_id = "{client_id}"
client_secret = "{client_secret}"
server_metadata_url = "{issuer}/.well-known/openid-configuration"
"""

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--port", type=int, default=9000)
parser.add_argument("--app", required=True, help="The app's public address.")
options = parser.parse_args()
app = options.app.rstrip("/")
issuer = f"http://localhost:{options.port}"
codes: dict[str, dict[str, str]] = {}


class Provider(BaseHTTPRequestHandler):
    """Answers what OpenID Connect's code flow with PKCE asks for."""

    def do_GET(self) -> None:
        """Send the metadata, the public key, the page to agree on, or the way back."""
        query = dict(parse_qsl(urlsplit(self.path).query))
        match urlsplit(self.path).path:
            case "/.well-known/openid-configuration":
                self.send(200, metadata())
            case "/keys":
                self.send(200, {"keys": [KEY.as_dict(private=False)]})
            case "/authorize" if query.get("redirect_uri") == f"{app}/oauth2callback":
                code = secrets.token_urlsafe()
                codes[code] = query
                back = urlencode({"code": code, "state": query.get("state", "")})
                link = html.escape(f"{app}/oauth2callback?{back}")
                self.send(200, f'<h1>Provider</h1><a href="{link}">Continue as Ada</a>')
            case "/logout":
                self.send(302, "", location=f"{app}/")
            case _:
                self.send(404, "This address is not one that the client has registered.")

    def do_POST(self) -> None:
        """Exchange a code for an ID token, once, for the client that began."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = dict(parse_qsl(body))
        asked = codes.pop(form.get("code", ""), None)
        client = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if self.headers["Authorization"] != f"Basic {client}":
            self.send(401, {"error": "invalid_client"})
        elif asked is None or asked.get("code_challenge") != challenge:
            self.send(400, {"error": "invalid_grant"})
        else:
            self.send(200, tokens(asked.get("nonce", "")))

    def send(self, status: int, body: object, location: str = "") -> None:
        """Answer with a page, or with JSON."""
        text = body if isinstance(body, str) else json.dumps(body)
        kind = "text/html; charset=utf-8" if isinstance(body, str) else "application/json"
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())


def metadata() -> dict[str, object]:
    """Return what a client has to know."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/keys",
        "end_session_endpoint": f"{issuer}/logout",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
    }


def tokens(nonce: str) -> dict[str, object]:
    """Return an ID token that says who the user is."""
    now = int(time.time())
    claims = {"iss": issuer, "sub": "ada", "aud": CLIENT_ID, "iat": now, "exp": now + 3600}
    claims |= {"name": "Ada Lovelace", "email": "ada@example.com", "nonce": nonce}
    id_token = jwt.encode({"alg": "RS256", "kid": "1"}, claims, KEY)
    return {"access_token": secrets.token_urlsafe(), "token_type": "Bearer", "id_token": id_token}


if __name__ == "__main__":
    folder = Path(__file__).with_name(".streamlit")
    folder.mkdir(exist_ok=True)
    with (folder / "secrets.toml").open("w", encoding="utf-8") as file:
        Path(file.name).chmod(0o600)
        file.write(
            SECRETS.format(
                app=app,
                cookie_secret=secrets.token_hex(32),
                client_id=CLIENT_ID,
                client_secret=CLIENT_SECRET,
                issuer=issuer,
            )
        )
    ThreadingHTTPServer(("127.0.0.1", options.port), Provider).serve_forever()
