"""nginx that strips, with a rule for one path: doubling the path bypasses nothing.

nginx is the real one, and so is the app; the page load is a browser's requests, one after another.
"""

from __future__ import annotations

import http.client
import sys
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.harness.own_proxy import start_nginx
from tests.harness.ports import free_port
from tests.harness.server import start_server

pytestmark = pytest.mark.proxy

BASE = "/streamlitApp"
PAGE = "import streamlit as st\nst.title('Hello')\n"
APPS = {
    "st_app": (
        "import streamlit as st\n"
        "from starlette.responses import PlainTextResponse\n"
        "from starlette.routing import Route\n"
        "async def admin(request):\n    return PlainTextResponse('secret')\n"
        "app = st.App('page.py', routes=[Route('/admin', admin)])\n"
    ),
    "fast": (
        "from fastapi import FastAPI\nimport streamlit as st\n"
        "st_app = st.App('page.py')\n"
        "app = FastAPI(lifespan=st_app.lifespan())\n"
        "@app.get('/admin')\ndef admin():\n    return 'secret'\n"
        "app.mount('/', st_app)\n"
    ),
}
CLOSED = ("admin", "_stcore/metrics")
NGINX = """
merge_slashes {merge};
location {base}/admin {{ return 403; }}
location {base}/_stcore/metrics {{ return 403; }}
location {base}/ {{ proxy_pass http://127.0.0.1:{upstream}/; }}
"""


@pytest.mark.parametrize(("name", "merge"), [("st_app", "on"), ("fast", "off")])
def test_a_doubled_path_is_no_way_around(name: str, merge: str, tmp_path: Path) -> None:
    """404 after one page load, for a route of the app's own and for Streamlit's metrics."""
    (tmp_path / "page.py").write_text(PAGE, encoding="utf-8")
    (tmp_path / f"{name}.py").write_text(APPS[name], encoding="utf-8")
    upstream = free_port()
    flags = ["--behind-proxy", BASE, "--host", "127.0.0.1", "--port", str(upstream)]
    with (
        start_server(
            [sys.executable, "-m", "stlaunch", f"{name}:app", *flags],
            cwd=tmp_path,
            ready_path="/_stlaunch/ready",
            port=upstream,
        ) as server,
        _nginx(upstream, merge) as port,
    ):
        thrice = [_get(port, f"{BASE}{path}") for path in _spelled("admin", times=3)]
        assert not any("secret" in body for _, body in thrice)

        _load_page(port)

        for closed in CLOSED:
            assert _get(port, f"{BASE}/{closed}")[0] == 403
            for path in _spelled(closed, times=2):
                status, body = _get(port, f"{BASE}{path}")
                assert status in {400, 403, 404}, (path, body[:200])
        assert _get(port, f"{BASE}/")[0] == 200
        assert _get(port, f"{BASE}/_stcore/health")[0] == 200

        server.restart()
        _load_page(port)

        assert _get(port, f"{BASE}{BASE}/admin")[0] == 404


def _spelled(closed: str, *, times: int) -> list[str]:
    """Return ways to write `/streamlitApp/admin` behind a first `/streamlitApp`."""
    doubled = [
        BASE,
        "/" + BASE,
        "/." + BASE,
        "/x/.." + BASE,
        "/%73treamlitApp",
        "%2FstreamlitApp",
        "/%2FstreamlitApp",
        "/streamlitApp/.",
        "/streamlitApp/",
    ]
    return [f"{front * (times - 1)}/{closed}" for front in doubled]


def _load_page(port: int) -> None:
    """Ask for what a browser asks for first."""
    assert _get(port, f"{BASE}/")[0] == 200
    referer = {"Referer": f"http://127.0.0.1:{port}{BASE}/"}
    assert _get(port, f"{BASE}/_stlaunch/page.js", referer)[0] == 200


def _get(port: int, path: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def _nginx(upstream: int, merge: str) -> AbstractContextManager[int]:
    return start_nginx(
        lambda _port: NGINX.format(upstream=upstream, base=BASE, merge=merge), upstream
    )
