"""The apps behind the matrix's proxies, and the certificates before them, started once."""

from __future__ import annotations

import datetime as dt
import socket
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import trustme

from stlaunch.proxies.plans import TlsFiles
from tests.check.setups import HOST
from tests.harness.ports import free_port
from tests.harness.server import RunningServer, start_server, stlaunch_app

SCRIPT = 'import streamlit as st\nst.title("Hello")\nst.write("one, two, three")\n'
FAILING = 'import streamlit as st\nst.title("Hello")\nraise RuntimeError("out of order")\n'
# Streamlit looks its own address up on the internet when it refuses an Origin; where that is
# black-holed it stands still for two seconds. A proxy that nobody runs makes it fail at once.
_NO_EGRESS = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
_QUIET = ("--server.headless=true", "--browser.gatherUsageStats=false")


@contextmanager
def start_apps(folder: Path) -> Iterator[Mapping[str, str]]:
    """Run all apps; yield name -> `host:port`."""
    script, failing = folder / "streamlit_app.py", folder / "failing.py"
    script.write_text(SCRIPT)
    failing.write_text(FAILING)
    unprotected = ("--server.enableCORS=false", "--server.enableXsrfProtection=false")
    with ExitStack() as stack:
        nobody = stack.enter_context(socket.socket())
        nobody.bind(("127.0.0.1", 0))
        starts = {
            "bare": lambda: streamlit(script),
            "based": lambda: streamlit(script, "--server.baseUrlPath=app", base="/app"),
            "replica": lambda: streamlit(failing),
            "healthy_replica": lambda: streamlit(script),
            "unprotected": lambda: streamlit(script, *unprotected),
            "stl": lambda: stlaunch_app(script, free_port(), "--behind-proxy", "/app"),
            "stl2": lambda: stlaunch_app(script, free_port(), "--behind-proxy", "/app"),
        }
        ports = {name: stack.enter_context(start()).port for name, start in starts.items()}
        # Bound and not listening: a connection is refused, and nobody else is given it.
        ports["dead"] = nobody.getsockname()[1]
        yield {name: f"127.0.0.1:{port}" for name, port in ports.items()}


@contextmanager
def streamlit(
    script: Path, *flags: str, base: str = "", python: str = sys.executable
) -> Iterator[RunningServer]:
    """Run bare Streamlit."""
    port = free_port()
    command = [python, "-m", "streamlit", "run", str(script), *_QUIET, *flags]
    with start_server(
        [*command, f"--server.port={port}", "--server.address=127.0.0.1"],
        cwd=script.parent,
        env=_NO_EGRESS,
        ready_path=f"{base}/_stcore/health",
        port=port,
    ) as server:
        yield server


def make_certificates(folder: Path) -> tuple[Path, Mapping[str, TlsFiles]]:
    """Write certificates by name; return the authority that a client trusts as well."""
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    trusted, unknown = trustme.CA(), trustme.CA()
    issued = {
        "good": trusted.issue_cert(HOST),
        "unknown": unknown.issue_cert(HOST),
        "other": trusted.issue_cert("other.test"),
        "expired": trusted.issue_cert(HOST, not_before=now - 9 * day, not_after=now - day),
        "soon": trusted.issue_cert(HOST, not_after=now + 3 * day),
    }
    authority = folder / "authority.pem"
    trusted.cert_pem.write_to_path(str(authority))
    files = {}
    for name, certificate in issued.items():
        one = TlsFiles(certificate=folder / f"{name}.pem", key=folder / f"{name}.key")
        one.certificate.write_bytes(b"".join(p.bytes() for p in certificate.cert_chain_pems))
        one.key.write_bytes(certificate.private_key_pem.bytes())
        files[name] = one
    return authority, files
