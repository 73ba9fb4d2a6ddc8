"""A started app compresses its static files by itself, and keeps them for the next start."""

from __future__ import annotations

import gzip
import http.client
import re
import time
from pathlib import Path

import pytest

from stlaunch.streamlit_adapter import static_folder
from tests.harness.ports import free_port
from tests.harness.server import SHARED_CACHE, RunningServer, stlaunch_app

DEADLINE_S = 60


def _get(server: RunningServer, path: str) -> tuple[dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    try:
        connection.request("GET", path, headers={"accept-encoding": "gzip"})
        response = connection.getresponse()
        return {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def _wait_until_compressed(server: RunningServer, path: str) -> tuple[dict[str, str], bytes]:
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        headers, body = _get(server, path)
        if "content-encoding" in headers:
            return headers, body
        time.sleep(0.05)
    raise AssertionError(f"{path} never came compressed:\n{server.log()}")


def test_scripts_come_compressed_after_a_moment_and_after_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SHARED_CACHE)
    script = tmp_path / "app.py"
    script.write_text("import streamlit as st\nst.title('Hello')\n", encoding="utf-8")
    with stlaunch_app(script, free_port(), "--behind-proxy", "/app") as server:
        page = _get(server, "/app/")[1].decode()
        found = re.search(r'src="/app(/static/js/index[^"]+)"', page)
        assert found is not None
        headers, body = _wait_until_compressed(server, f"/app{found[1]}")
        folder = Path(server.env["HOME"]) / ".cache" / "stlaunch" / "assets"
        kept = {file.read_bytes() for file in folder.glob("*.gzip")}
        server.restart()
        again, other = _wait_until_compressed(server, found[1])

    assert headers["content-encoding"] == "gzip"
    assert "immutable" in headers["cache-control"]
    assert gzip.decompress(body) == (Path(static_folder()) / found[1].lstrip("/")).read_bytes()
    assert body in kept
    assert (again["etag"], other) == (headers["etag"], body)
