"""What HAProxy does with a request: in the linter's model, and by HAProxy itself."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, RemoteDisconnected
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from stlaunch.lint.haproxy.conditions import Steps
from stlaunch.lint.haproxy.parse import read_sections
from stlaunch.lint.haproxy.request import Frontend, NotUnderstoodError
from stlaunch.proxies.needs import Product
from tests.harness.own_proxy import start_own

FILE = Path("/etc/haproxy.cfg")
TO_APP = "default_backend app"
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
    "Sec-WebSocket-Version": "13",
}
_DEFAULTS = """
global
    log stderr format raw local0 notice
defaults
    mode http
    timeout connect 5s
    timeout client 9s
    timeout server 9s
    timeout tarpit 10ms
"""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A frontend's lines, a backend's, a request, and what becomes of it."""

    front: str
    back: str = ""
    path: str = "/x"
    method: str = "GET"
    is_upgrade: bool = False
    result: str


def case(front: str, path: str, result: str, *, back: str = "", ask: str = "GET") -> Case:
    """Return a case; `ask` is a method, or `socket` for the WebSocket handshake."""
    is_socket = ask == "socket"
    method = "GET" if is_socket else ask
    return Case(
        front=front, back=back, path=path, method=method, is_upgrade=is_socket, result=result
    )


ROUTES = f"acl is_app path_beg /app\nuse_backend app if is_app\n{'default_backend other'}"
CASES = {
    "default": case(TO_APP, "/x", "sends /x"),
    "no-backend": case("use_backend app if { path /app }", "/x", "503"),
    "by-name": case(ROUTES, "/app/x", "sends /app/x"),
    "by-name-elsewhere": case(ROUTES, "/x", "elsewhere"),
    "first-counts": case(
        "use_backend other if { path_beg /app/x }\nuse_backend app if { path_beg /app }",
        *("/app/x", "elsewhere"),
    ),
    "unless": case(f"use_backend other unless {{ path_beg /app }}\n{TO_APP}", "/x", "elsewhere"),
    "or": case("use_backend app if { path /a } or { path /b }", "/b", "sends /b"),
    "bars": case("use_backend app if { path /a } || { path /b }", "/b", "sends /b"),
    "and": case("use_backend app if { path_beg /a } { method POST }", "/a", "503"),
    "not": case("use_backend app if !{ path /a } { path_beg / }", "/b", "sends /b"),
    "not-by-name": case("acl a path /a\nuse_backend app if !a", "/b", "sends /b"),
    "acl-of-two-lines": case(
        "acl a path /a\nacl a path /b\nuse_backend app if a", "/b", "sends /b"
    ),
    "several-patterns": case("use_backend app if { path /a /b }", "/b", "sends /b"),
    "any-case": case("use_backend app if { path_beg -i /APP }", "/app/x", "sends /app/x"),
    "its-case": case("use_backend app if { path_beg /APP }", "/app/x", "503"),
    "matched-by": case("use_backend app if { path -m beg /app }", "/app/x", "sends /app/x"),
    "exact": case("use_backend app if { path /app }", "/app/x", "503"),
    "end": case("use_backend app if { path_end .js }", "/a/x.js", "sends /a/x.js"),
    "part": case("use_backend app if { path_sub _stcore }", "/a/_stcore/x", "sends /a/_stcore/x"),
    "folder": case("use_backend app if { path_dir app }", "/a/app/x", "sends /a/app/x"),
    "folder-of-two": case("use_backend app if { path_dir /a/app }", "/a/app/x", "sends /a/app/x"),
    "no-folder": case("use_backend app if { path_dir app }", "/apple/x", "503"),
    "expression": case("use_backend app if { path_reg ^/app(/|$) }", "/app", "sends /app"),
    "no-expression": case("use_backend app if { path_reg ^/app(/|$) }", "/apple", "503"),
    "lowered": case("use_backend app if { path,lower -m beg /app }", "/APP/x", "sends /APP/x"),
    "always": case("use_backend app if TRUE", "/x", "sends /x"),
    "never": case("use_backend app if FALSE", "/x", "503"),
    "socket": case(
        f"use_backend other if {{ hdr(Upgrade) -i WebSocket }}\n{TO_APP}",
        *("/x", "elsewhere"),
        ask="socket",
    ),
    "no-socket": case(
        f"use_backend other if {{ hdr(Upgrade) -i WebSocket }}\n{TO_APP}", "/x", "sends /x"
    ),
    "socket-its-case": case(
        f"use_backend other if {{ hdr(upgrade) WebSocket }}\n{TO_APP}",
        *("/x", "sends /x"),
        ask="socket",
    ),
    "connection": case(
        f"use_backend other if {{ req.hdr(Connection) -i upgrade }}\n{TO_APP}",
        *("/x", "elsewhere"),
        ask="socket",
    ),
    "has-upgrade": case(
        f"use_backend other if {{ req.hdr(Upgrade) -m found }}\n{TO_APP}",
        *("/x", "elsewhere"),
        ask="socket",
    ),
    "negated-apart": case("use_backend app if ! { path /a } { path_beg / }", "/b", "sends /b"),
    "negated-apart-by-name": case("acl a path /a\nuse_backend app if ! a", "/a", "503"),
    "unless-or": case(
        f"http-request deny unless {{ path_beg /a }} or {{ path_beg /b }}\n{TO_APP}",
        "/b",
        "sends /b",
    ),
    "any-case-expression": case(
        "use_backend app if { path -m reg -i ^/APP }", "/app/x", "sends /app/x"
    ),
    "address": case("use_backend app if { url_beg /app }", "/app/x", "sends /app/x"),
    "part-of-connection": case(
        f"use_backend other if {{ hdr_sub(connection) -i upgrade }}\n{TO_APP}",
        *("/x", "elsewhere"),
        ask="socket",
    ),
    "lowered-header": case(
        f"use_backend other if {{ hdr(connection),lower -m beg up }}\n{TO_APP}",
        *("/x", "elsewhere"),
        ask="socket",
    ),
    "patterns-after-the-flags": case(
        f"use_backend other if {{ path -i -m str -- /X }}\n{TO_APP}", "/x", "elsewhere"
    ),
    # rules
    "denied": case(f"http-request deny if {{ path_beg /x }}\n{TO_APP}", "/x", "403"),
    "denied-with-status": case(
        f"http-request deny deny_status 404 unless {{ path_beg /app }}\n{TO_APP}", "/x", "404"
    ),
    "denied-without-condition": case(f"http-request deny\n{TO_APP}", "/x", "403"),
    "tarpit": case(f"http-request tarpit if {{ path /x }}\n{TO_APP}", "/x", "500"),
    "returned": case(f"http-request return status 410 if {{ path /x }}\n{TO_APP}", "/x", "410"),
    "rejected": case(f"http-request reject if {{ path /x }}\n{TO_APP}", "/x", "cut off"),
    "dropped": case(f"http-request silent-drop if {{ path /x }}\n{TO_APP}", "/x", "cut off"),
    "redirected": case(
        f"http-request redirect location /app/ if {{ path / }}\n{TO_APP}", "/", "302"
    ),
    "redirected-with-code": case(
        f"http-request redirect code 308 location /app/ if {{ path / }}\n{TO_APP}", "/", "308"
    ),
    "redirect-comes-last": case(
        f"redirect location / if {{ path /x }}\nhttp-request deny if {{ path /x }}\n{TO_APP}",
        *("/x", "403"),
    ),
    "allowed": case(
        f"http-request allow if {{ path /x }}\nhttp-request deny\n{TO_APP}", "/x", "sends /x"
    ),
    "allowed-here-denied-there": case(
        f"http-request allow\n{TO_APP}", "/x", "403", back="http-request deny"
    ),
    "denied-by-the-backend": case(TO_APP, "/x", "403", back="http-request deny if { path_beg /x }"),
    "method": case(
        f"http-request deny unless METH_GET or METH_POST\n{TO_APP}", "/x", "403", ask="PUT"
    ),
    "head-is-get": case(f"http-request deny unless METH_GET\n{TO_APP}", "/x", "sends /x"),
    "method-of-two": case(
        f"http-request deny if {{ method DELETE PUT }}\n{TO_APP}", "/x", "403", ask="PUT"
    ),
    "not-https": case(
        f"http-request redirect scheme https unless {{ ssl_fc }}\n{TO_APP}", "/x", "302"
    ),
    # paths
    "stripped": case(TO_APP, "/app/x", "sends /x", back=r"http-request replace-path /app/(.*) /\1"),
    "stripped-optional-slash": case(
        TO_APP, "/app", "sends /", back=r"http-request replace-path ^/app/?(.*)$ /\1"
    ),
    "doubled": case(TO_APP, "/app/x", "sends //x", back=r"http-request replace-path /app(.*) /\1"),
    "all-of-it-is-replaced": case(
        TO_APP, "/a/b/c", "sends /z", back=r"http-request replace-path /b /z"
    ),
    "not-replaced": case(TO_APP, "/x", "sends /x", back=r"http-request replace-path ^/b /z"),
    "set": case(TO_APP, "/x", "sends /app/x", back="http-request set-path /app%[path]"),
    "set-by-substitution": case(
        TO_APP, "/app/x", "sends /x", back="http-request set-path %[path,regsub(^/app,)]"
    ),
    "set-by-substitution-of-a-part": case(
        TO_APP, "/app/x", "sends /z/x", back="http-request set-path %[path,regsub(^/app/?,/z/)]"
    ),
    "set-by-quoted-substitution": case(
        *(TO_APP, "/app/x", "sends /x"),
        back="""http-request set-path '%[path,regsub(\"^/app(/|$)\",/)]'""",
    ),
    "set-by-substitution-any-case": case(
        TO_APP, "/APP/x", "sends /x", back="http-request set-path %[path,regsub(^/app,,i)]"
    ),
    "denied-after-the-change": case(
        rf"http-request replace-path /app/(.*) /\1{chr(10)}"
        f"http-request deny if {{ path_beg /x }}\n{TO_APP}",
        *("/app/x", "403"),
    ),
    "chosen-after-the-change": case(
        rf"http-request replace-path /app/(.*) /\1{chr(10)}{ROUTES}", "/app/x", "elsewhere"
    ),
    "changed-on-a-condition": case(
        *(TO_APP, "/app/x", "sends /app/x"),
        back=r"http-request replace-path /app/(.*) /\1 if { method POST }",
    ),
    "uri": case(TO_APP, "/app/x", "sends /x", back=r"http-request replace-uri /app/(.*) /\1"),
    "address-set": case(TO_APP, "/x", "sends /z/x", back="http-request set-uri /z%[path]"),
    "path-and-query": case(
        TO_APP, "/app/x", "sends /x", back=r"http-request replace-pathq /app/(.*) /\1"
    ),
    "acl-of-the-backend": case(
        *(TO_APP, "/x", "403"), back="acl bad path /x\nhttp-request deny if bad"
    ),
}


def in_the_model(asked: Case) -> str:
    """Return `sends X`, `elsewhere`, a status, `cut off`, or what is not clear."""
    text = (
        f"{_DEFAULTS}\nfrontend web\nbind :80\n{asked.front}\nbackend app\n{asked.back}\n"
        "server a 127.0.0.1:8501\nbackend other\nserver a 127.0.0.1:1\n"
    )
    sections = read_sections(text, FILE)
    (front,) = [one for one in sections if one.kind == "frontend"]
    backends = {one.name: one for one in sections if one.kind == "backend"}
    try:
        found = Frontend(front, backends, {"app"}, Steps()).answer(
            asked.path, method=asked.method, is_upgrade=asked.is_upgrade
        )
    except NotUnderstoodError as exc:
        return f"not clear: {exc}"
    if found.backend is not None:
        return f"sends {found.sent}" if found.backend.name == "app" else "elsewhere"
    return found.status or "cut off"


@pytest.mark.parametrize("name", CASES)
def test_the_model(name: str) -> None:
    assert in_the_model(CASES[name]) == CASES[name].result


@pytest.mark.proxy
def test_haproxy_itself() -> None:
    """One HAProxy with a frontend for each case: the expectations above are its own."""
    with start_server("sends {}") as app, start_server("elsewhere") as other:
        text = f"backend other\nserver a 127.0.0.1:{other}\n"
        for number, asked in enumerate(CASES.values()):
            front = asked.front.replace("backend app", f"backend app{number}")
            text += (
                f"frontend web{number}\nbind unix@case{number}.sock\n{front}\n"
                f"backend app{number}\n{asked.back}\nserver a 127.0.0.1:{app}\n"
            )

        def config(port: int) -> str:
            return f"{_DEFAULTS}\nfrontend ready\nbind 127.0.0.1:{port}\n{text}"

        arguments = ("-db", "-f", "haproxy.cfg")
        with start_own(Product.HAPROXY, "haproxy.cfg", config, arguments, app) as process:
            said = {
                name: ask(process.directory / f"case{number}.sock", asked)
                for number, (name, asked) in enumerate(CASES.items())
            }

    assert said == {name: asked.result for name, asked in CASES.items()}


@pytest.mark.parametrize(
    ("front", "ask_for", "result"),
    [
        pytest.param("use_backend app if { hdr(host) -i app.test }", "GET", "sends /x", id="host"),
        pytest.param(
            "acl h hdr(host) -i a.test\nuse_backend other if h { hdr(upgrade) -i websocket }\n"
            "use_backend app if h",
            *("socket", "elsewhere"),
            id="the-same-host-twice",
        ),
        pytest.param(
            f"use_backend other if {{ hdr(host) b.test }}\n{TO_APP}",
            *("GET", "sends /x"),
            id="another-host",
        ),
        pytest.param(
            f"http-request deny if !{{ src 10.0.0.0/8 }}\n{TO_APP}",
            *("GET", "sends /x"),
            id="denied-perhaps",
        ),
        pytest.param(
            f"http-request deny unless {{ src 10.0.0.0/8 }} {{ path_beg /app }}\n{TO_APP}",
            *("GET", "403"),
            id="denied-whoever-asks",
        ),
        pytest.param(
            f"http-request set-path /z if {{ src 10.0.0.0/8 }}\n{TO_APP}",
            *("GET", "not clear: set-path on a condition that is not known"),
            id="changed-perhaps",
        ),
        pytest.param(
            "use_backend %[req.hdr(host),map(/etc/haproxy/hosts.map,app)]",
            *("GET", "not clear: a use_backend that depends on what is not known"),
            id="by-a-map",
        ),
        pytest.param(
            f"http-request set-path %[path,field(2,/)]\n{TO_APP}",
            *("GET", "not clear: a path made of path,field(2,/)"),
            id="another-converter",
        ),
        pytest.param(
            f"http-request set-path %HP/z\n{TO_APP}",
            *("GET", "not clear: a path made of %HP/z"),
            id="a-variable-of-the-log",
        ),
        pytest.param(
            rf"http-request replace-path ^/(x+)(b|bb)+$ /\1{chr(10)}{TO_APP}",
            *("GET", "not clear: the expression ^/(x+)(b|bb)+$"),
            id="unsafe-expression",
        ),
        pytest.param(
            f"http-request deny if {{ path_reg ^/(x+)(b|bb)+$ }}\n{TO_APP}",
            *("GET", "sends /x"),
            id="unsafe-expression-in-a-condition",
        ),
        pytest.param(
            f"http-request deny if {{ path -f /etc/haproxy/paths }}\n{TO_APP}",
            *("GET", "sends /x"),
            id="paths-in-a-file",
        ),
    ],
)
def test_what_is_not_known(front: str, ask_for: str, result: str) -> None:
    assert in_the_model(case(front, "/x", result, ask=ask_for)) == result


def ask(path: Path, asked: Case) -> str:
    """Send a request to a frontend's socket."""
    connection = HTTPConnection("app.test", timeout=10)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as wire:
        wire.connect(str(path))
        connection.sock = wire
        connection.request(asked.method, asked.path, headers=UPGRADE if asked.is_upgrade else {})
        try:
            answer = connection.getresponse()
        except (RemoteDisconnected, ConnectionResetError, TimeoutError):
            return "cut off"
        return answer.read().decode() if answer.status == HTTPStatus.OK else str(answer.status)


@contextlib.contextmanager
def start_server(says: str) -> Iterator[int]:
    """Run a server that answers each request with this text and its path; yields its port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.requestline.split()[1]  # `self.path` has one slash where two came
            body = says.format(path).encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_PUT(self) -> None:
            self.do_GET()

        def log_message(self, *_args: object) -> None:
            """Stay quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
