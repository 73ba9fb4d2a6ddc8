"""`stlaunch health`: ask a running app whether it is ready, over a plain socket.

Decided before click is imported and with as few imports as possible, because a container asks
every few seconds. It reads no settings but those that name an address.
"""

from __future__ import annotations

import os
import sys

try:  # streamlit_adapter/internals.py: QUICK_SOCKET
    import _socket

    _socket.socket  # noqa: B018 - only whether it is there
except (AttributeError, ImportError):
    import socket as _socket  # type: ignore[no-redef]

from stlaunch.storage.running_apps import running_urls
from stlaunch.urls.streamlit_defaults import PORT

_READY = "_stlaunch/ready"
_TIMEOUT_S = 5.0
_MAX_BYTES = 16_384
_OK, _NOT_READY, _USAGE = 0, 1, 2

HELP = f"""\
Usage: stlaunch health [URL]

Ask whether the app accepts sessions: exit code 0 if it does, 1 if not.

Without URL, ask every app that this user runs here (they are listed in the state
folder); all of them have to be ready. If none is listed, ask 127.0.0.1 at the port
in STLAUNCH_PORT, or {PORT}.

URL is http://, https:// or unix:, with the app's path: unix:/run/app.sock:/app

Options:
  -h, --help  Show this message and exit.

Examples:
  stlaunch health
  stlaunch health http://127.0.0.1:8501/streamlitApp
  In a Dockerfile:
  HEALTHCHECK CMD ["stlaunch", "health"]
"""


class _BadUrlError(ValueError):
    """The address cannot be asked."""


def main(words: list[str], environ: object) -> int:
    """Print what was found, on stderr where it is bad; return the exit code."""
    if "--help" in words or "-h" in words:
        sys.stdout.write(HELP)
        return _OK
    if len(words) > 1 or (words and words[0].startswith("-")):
        return _refuse(f"stlaunch health takes one URL, but got {' '.join(map(repr, words))}.")
    urls = words or running_urls(environ) or [_default_url(environ)]
    is_ready = True
    for url in urls:
        try:
            status, answer = _ask(url)
        except _BadUrlError as exc:
            return _refuse(str(exc))
        except OSError as exc:
            status, answer = 0, f"no answer ({exc})"
        is_ready = is_ready and status == 200  # noqa: PLR2004 - http.HTTPStatus costs an import
        stream = sys.stdout if status == 200 else sys.stderr  # noqa: PLR2004
        stream.write(f"{url} {answer}\n")
    return _OK if is_ready else _NOT_READY


def _default_url(environ: object) -> str:
    port = environ.get("STLAUNCH_PORT") or PORT  # type: ignore[attr-defined] # a mapping
    return f"http://127.0.0.1:{port}/"


def _ask(url: str) -> tuple[int, str]:
    """Return the status and the first line of the answer."""
    scheme, rest = _split(url)
    netloc, _, path = rest.partition(":" if scheme == "unix" else "/")
    path = "/" + path.strip("/")
    if not path.endswith("/" + _READY):
        path = path.rstrip("/") + "/" + _READY
    connection = _connect(scheme, netloc)
    try:
        host = "localhost" if scheme == "unix" else netloc.rpartition("@")[2]
        request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
        connection.sendall(request.encode("latin-1", "replace"))
        data = b""
        while len(data) < _MAX_BYTES and (chunk := connection.recv(4096)):
            data += chunk
    finally:
        connection.close()
    head, _, body = data.partition(b"\r\n\r\n")
    parts = head.split(b" ", 2)
    if not data.startswith(b"HTTP/1.") or not parts[1].isdigit():
        return 0, "answers, but not in HTTP"
    status = int(parts[1])
    text = body.decode("utf-8", "replace").strip().partition("\n")[0][:200]
    said = text if text.startswith(("ready", "not ready")) else f"answers {status}"
    return (status if text == "ready" else 503), said


def _split(url: str) -> tuple[str, str]:
    if not url.isprintable() or " " in url:
        raise _BadUrlError(f"The URL {url!r} contains spaces or control characters.")
    if url.startswith("unix:"):
        return "unix", url[len("unix:") :]
    for scheme in ("http", "https"):
        if url.lower().startswith(f"{scheme}://"):
            return scheme, url[len(scheme) + 3 :].partition("?")[0].partition("#")[0]
    raise _BadUrlError(f"The URL {url!r} does not begin with http://, https:// or unix:.")


def _connect(scheme: str, netloc: str) -> _socket.socket:
    # The C module: Python's own imports enum and selectors, which take as long as all the rest.
    if scheme == "unix":
        if not hasattr(_socket, "AF_UNIX"):
            raise _BadUrlError(f"Python has no Unix sockets on this system: {netloc}.")
        return _opened(_socket.AF_UNIX, netloc)
    host, port = _host_and_port(netloc, 443 if scheme == "https" else 80)
    if scheme == "https":
        return _connect_tls(host, port)
    if host.replace(".", "").isdecimal():  # a name costs a look-up, and the IDNA tables
        return _opened(_socket.AF_INET, (host, port))
    found = _socket.getaddrinfo(host.encode("ascii", "replace"), port, type=_socket.SOCK_STREAM)
    family, _, _, _, address = found[0]
    return _opened(family, address)


def _opened(family: int, address: tuple[object, ...] | str) -> _socket.socket:
    connection = _socket.socket(family, _socket.SOCK_STREAM)
    connection.settimeout(_TIMEOUT_S)
    try:
        connection.connect(address)
    except OSError:
        connection.close()
        raise
    return connection


def _connect_tls(host: str, port: int) -> _socket.socket:
    import socket  # noqa: PLC0415
    import ssl  # noqa: PLC0415

    context = ssl.create_default_context()
    if host in {"127.0.0.1", "::1", "localhost"}:
        # The certificate is for the public name; the listener here is this machine anyway.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    connection = socket.create_connection((host, port), _TIMEOUT_S)
    try:
        return context.wrap_socket(connection, server_hostname=host)
    except OSError:
        connection.close()
        raise


def _host_and_port(netloc: str, default: int) -> tuple[str, int]:
    bare = netloc.rpartition("@")[2]
    host, _, port = bare.rpartition(":") if not bare.endswith("]") else (bare, "", "")
    if not host:
        host, port = bare, ""
    if not host.strip("[]") or (port and not (port.isdecimal() and int(port) <= 65535)):  # noqa: PLR2004
        raise _BadUrlError(f"The address {netloc!r} is not a host and a port.")
    return host.strip("[]"), int(port or default)


def _refuse(message: str) -> int:
    sys.stderr.write(f"Error: {message}\nHint: See stlaunch health --help.\n")
    return _USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
