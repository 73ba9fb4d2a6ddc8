"""Who the user is, over the tunnel as over a WebSocket: a real app behind a bare nginx."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator

import httpx
import pytest
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.web.server.starlette.starlette_app_utils import create_signed_value

from tests.fallback.client import Page
from tests.harness.ports import free_port
from tests.harness.proxies import RunningProxy, start_proxy
from tests.harness.server import stlaunch_app
from tests.harness.tls import APP_HOST

pytestmark = pytest.mark.proxy

SECRET = "a secret of this test, of a good length"
APP = """
import json
import streamlit as st
context = st.context
st.text("FACTS" + json.dumps({
    "user": st.user.to_dict(),
    "color": context.cookies.get("color"),
    "agent": context.headers.get("User-Agent"),
    "host": context.headers.get("Host"),
    "own": [name for name in context.headers if name.lower().startswith("x-stlaunch")],
    "kind": context.headers.get("Sec-WebSocket-Protocol", "")[:9],
    "proof": "stlaunch." in context.headers.get("Sec-WebSocket-Protocol", ""),
    "address": context.ip_address,
}))
"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningProxy]:
    folder = tmp_path_factory.mktemp("identity")
    files = {
        "app.py": APP,
        ".streamlit/config.toml": '[server.trustedUserHeaders]\nX-User = "login"\n',
        ".streamlit/secrets.toml": f"""
            [auth]
            redirect_uri = "http://{APP_HOST}/streamlitApp/oauth2callback"
            cookie_secret = "{SECRET}"
            client_id = "id"
            client_secret = "secret"
            server_metadata_url = "http://127.0.0.1:1/none"
            """,
    }
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    base = ["--behind-proxy", "/streamlitApp"]
    with (
        stlaunch_app(folder / "app.py", free_port(), *base) as server,
        start_proxy("nginx", "blog", server.port, keep_prefix=False) as proxy,
    ):
        yield proxy


def test_context_and_identity_headers_arrive(proxy: RunningProxy) -> None:
    """`st.context` shows the page's own request; a trusted proxy names the user."""
    facts = _facts(proxy, {"X-User": "ann"}, cookie="color=green")

    assert facts["user"]["login"] == "ann"
    assert facts["color"] == "green"
    assert facts["agent"] == "test agent"
    assert facts["host"] == f"{APP_HOST}:{proxy.port}"
    assert facts["kind"] == "streamlit"
    assert (facts["own"], facts["proof"]) == ([], False)


def test_a_login_is_known(proxy: RunningProxy) -> None:
    """The cookie that Streamlit's login route sets is read and checked, with its XSRF token."""
    facts = _facts(proxy, {}, cookie=_login(proxy, SECRET))

    assert facts["user"] == {"is_logged_in": True, "email": "ann@example.test", "login": None}


def test_a_forged_login_is_not(proxy: RunningProxy) -> None:
    """Signed with another secret."""
    facts = _facts(proxy, {}, cookie=_login(proxy, "another secret, just as long"))

    assert facts["user"].get("is_logged_in") is not True
    assert "email" not in facts["user"]


def _login(proxy: RunningProxy, secret: str) -> str:
    user = {
        "origin": f"http://{APP_HOST}:{proxy.port}",
        "is_logged_in": True,
        "email": "ann@example.test",
    }
    signed = create_signed_value(secret, "_streamlit_user", json.dumps(user))
    mark = hashlib.sha256(b"/streamlitApp").hexdigest()[:8]  # keeps apart the apps of one host
    return f"_streamlit_user.{mark}={signed.decode()}"


def _facts(proxy: RunningProxy, headers: dict[str, str], *, cookie: str) -> dict:
    """Do what the page does, with its cookies, tokens and Origin; return what the script saw."""
    base = f"http://127.0.0.1:{proxy.port}/streamlitApp"
    public = {"host": f"{APP_HOST}:{proxy.port}", "user-agent": "test agent"}
    answer = httpx.get(f"{base}/", headers=public)
    cookies = [line.partition(";")[0] for line in answer.headers.get_list("set-cookie")]
    tokens = re.findall(r'data-tokens="([^"]+)"', answer.text)[0].split()
    xsrf = next(pair.partition("=")[2] for pair in cookies if pair.startswith("_streamlit_xsrf"))
    page = Page(f"{base}/_stlaunch", **public, cookie="; ".join([*cookies, cookie]), **headers)
    try:
        offered = ["streamlit", xsrf, *(f"stlaunch.{token}" for token in tokens)]
        opened = page.open(
            origin=f"http://{APP_HOST}:{proxy.port}", **{"x-stlaunch-protocols": ", ".join(offered)}
        )
        assert opened.status_code == 200, opened.text
        rerun = BackMsg()
        rerun.rerun_script.query_string = ""
        page.send(rerun.SerializeToString())
        while True:
            for received in page.poll():
                text = ForwardMsg.FromString(received.payload).delta.new_element.text.body
                if text.startswith("FACTS"):
                    found: dict = json.loads(text.removeprefix("FACTS"))
                    return found
    finally:
        Page.opened.remove(page)
        page.http.close()
