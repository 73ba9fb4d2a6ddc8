"""The compressed answers: which coding, which part, and whether it is what the client takes."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Hashable
from pathlib import Path

from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from stlaunch.gateway.assets import AssetStore, choose_coding
from stlaunch.gateway.assets.codings import available_codings
from tests.asgi.driver import make
from tests.fuzz.target import Target
from tests.fuzz.wire import INJECTIONS, ask, read_request, run

_CODINGS = {coding.token: coding for coding in available_codings()}
_NAME = "js/index.DormvYxC.js"
_CONTENT = b"".join(b"console.log(%d);\n" % number for number in range(400))


class _Files:
    """A small static folder as Streamlit has one, all of it compressed."""

    def __init__(self) -> None:
        folder = tempfile.TemporaryDirectory()
        atexit.register(folder.cleanup)
        root = Path(folder.name)
        (root / "static/js").mkdir(parents=True)
        (root / "static" / _NAME).write_bytes(_CONTENT)
        (root / "static/js/plain.js").write_bytes(b"1")
        (root / "index.html").write_text(f'<script src="./static/{_NAME}"></script>')
        self.store = AssetStore(root, None)
        self.store.build()
        files = Starlette(routes=[Mount("/app/static", StaticFiles(directory=root / "static"))])
        self.app = make(files, assets=self.store)


_files: list[_Files] = []


def encodings(data: bytes) -> Hashable:
    """Send the file, or a part of it, in a coding that the client takes."""
    if not _files:
        _files.append(_Files())
    asked = read_request(data)
    scope = asked.scope()
    if not scope["path"].startswith(("/app/static/", "/static/")):
        scope |= {"path": f"/app/static/{_NAME}", "raw_path": f"/app/static/{_NAME}".encode()}
    reply = run(ask(_files[0].app, scope))
    reply.check()
    token = reply.header(b"content-encoding").decode()
    accepts = ", ".join(v.decode("latin-1") for k, v in asked.headers if k == b"accept-encoding")
    if token:
        assert choose_coding(accepts, [token]) == token, (accepts, token)
    is_whole = reply.status == 200 and asked.method == "GET" and scope["path"].endswith(_NAME)
    if is_whole and reply.body:
        body = bytes(reply.body)
        plain = b"".join(_CODINGS[token].decompress([body])) if token else body
        assert plain == _CONTENT
    length = reply.header(b"content-length")
    if length and asked.method == "GET" and reply.status in {200, 206}:
        assert int(length) == len(reply.body)
    return (reply.status, token, asked.method if len(asked.method) < 8 else "")


TARGETS = (
    Target(
        name="encodings",
        promise="the file, or a part, in a coding that the client takes, and of the length it says",
        run=encodings,
        seeds=(
            f"GET /app/static/{_NAME} x\naccept-encoding: gzip, br;q=0.5, *;q=0".encode(),
            f"GET /static/{_NAME} x\naccept-encoding: br\nrange: bytes=1-9".encode(),
            f"HEAD /app/static/{_NAME} x\naccept-encoding: identity;q=0\nif-none-match: *".encode(),
            b"GET /app/static/js/plain.js x\nif-modified-since: Thu, 01 Jan 1970 00:00:00 GMT",
        ),
        tokens=(
            *(
                b"\naccept-encoding: ",
                b"gzip",
                b"br",
                b"zstd",
                b"x-gzip",
                b"identity",
                b";q=",
                b"*;q=0",
            ),
            *(
                b"\nrange: bytes=",
                b"0-0,1-2",
                b"-5",
                b"\nif-range: ",
                b"\nif-none-match: ",
                b'W/"x"',
            ),
            *(b"%00", b"..%2f", b"/../", b"x" * 300, *INJECTIONS),
        ),
    ),
)
