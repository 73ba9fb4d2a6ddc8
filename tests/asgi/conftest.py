"""The one Streamlit app that a process may hold, wrapped in several ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

import stlaunch

Wrap = Callable[..., TestClient]


@pytest.fixture(scope="session")
def streamlit_app(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A real `st.App`; its public path is /app for all tests of this process."""
    from streamlit.starlette import App

    script = tmp_path_factory.mktemp("app") / "app.py"
    text = (
        "import os, time, streamlit as st\nst.title('Hello')\n"
        "if 'SCRIPT_FAILS' in os.environ: raise RuntimeError('as the test asked')\n"
        "if wanted := os.environ.get('SCRIPT_RERUNS_AFTER'):\n"
        "    while not os.path.exists(wanted): time.sleep(0.01)\n"
        "    st.rerun()\n"
    )
    script.write_text(text, encoding="utf-8")
    return App(Path(script))


@pytest.fixture(scope="session")
def client(streamlit_app: Any) -> Iterator[TestClient]:
    """The app below /app, started."""
    wrapped = stlaunch.wrap_app(streamlit_app, behind_proxy="/app", trusted_proxies=["loopback"])
    with TestClient(
        wrapped, base_url="http://app.test", client=("127.0.0.1", 50000), follow_redirects=False
    ) as client:
        yield client


@pytest.fixture
def wrap(client: TestClient, streamlit_app: Any) -> Wrap:
    """Wrap the running app with other settings."""

    def make(**settings: Any) -> TestClient:
        wrapped = stlaunch.wrap_app(streamlit_app, **({"behind_proxy": "/app"} | settings))
        # The client that started the app owns its event loop; this one borrows it.
        borrowed = TestClient(
            wrapped, base_url="http://app.test", client=("127.0.0.1", 1), follow_redirects=False
        )
        borrowed.portal = client.portal
        return borrowed

    return make
