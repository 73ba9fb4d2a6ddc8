"""`st.login` with a real OpenID Connect provider, in Chromium, behind TLS and below a path."""

from __future__ import annotations

import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import REPOSITORY
from tests.harness.browser import Visit
from tests.harness.oidc import NAME, start_provider
from tests.harness.ports import free_port
from tests.harness.proxies import start_proxy
from tests.harness.server import RunningServer, start_server, stlaunch_app
from tests.harness.tls import Tls

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

APP = REPOSITORY / "tests" / "apps" / "login" / "streamlit_app.py"
CALLBACK = "oauth2callback"
REPLICAS = 2


def prepare(folder: Path, secrets_toml: str) -> Path:
    (folder / ".streamlit").mkdir(parents=True)
    (folder / ".streamlit" / "secrets.toml").write_text(secrets_toml)
    return Path(shutil.copy(APP, folder))


@contextmanager
def login_replicas(
    folder: Path, port: int, secrets_toml: str, *flags: str
) -> Iterator[RunningServer]:
    """Run two instances of the app behind their balancer, likewise."""
    app = prepare(folder, secrets_toml)
    command = [sys.executable, "-m", "stlaunch", "replicas", str(REPLICAS), str(app), *flags]
    with start_server(
        [*command, "--host", "127.0.0.1", "--port", str(port)],
        cwd=folder,
        ready_path="/_stlaunch/ready",
        port=port,
    ) as server:
        yield server


@contextmanager
def login_app(folder: Path, port: int, secrets_toml: str, *flags: str) -> Iterator[RunningServer]:
    """Run the app from a folder of its own, with its own secrets.toml."""
    with stlaunch_app(prepare(folder, secrets_toml), port, *flags) as server:
        yield server


def says(page: Page, text: str) -> None:
    expect(page.get_by_text(text, exact=True)).to_be_visible()


def press(page: Page, name: str) -> None:
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    page.get_by_role("button", name=name, exact=True).click()


def agree(page: Page) -> None:
    page.get_by_role("link", name=f"Continue as {NAME}").click()


def login(page: Page) -> None:
    says(page, "Hello stranger")
    press(page, "Log in")
    agree(page)
    says(page, f"Hello {NAME}")


@pytest.mark.parametrize(
    ("setup", "keep_prefix"),
    [
        pytest.param("recommended", False, id="stripped"),
        pytest.param("recommended", True, id="kept"),
        pytest.param("blog", False, id="fallback"),
    ],
)
def test_login_and_logout(
    visit: Visit, tls: Tls, tmp_path: Path, setup: str, keep_prefix: bool
) -> None:
    """A stranger logs in, is still known after a reload, and logs out; the URL stays the same."""
    port = free_port()
    with ExitStack() as stack:
        proxy = stack.enter_context(
            start_proxy("nginx", setup, port, keep_prefix=keep_prefix, tls=tls)
        )
        redirect_uri = proxy.url + CALLBACK
        provider = stack.enter_context(start_provider([redirect_uri]))
        toml = provider.secrets_toml(redirect_uri, secrets.token_hex())
        server = stack.enter_context(
            login_app(tmp_path / "app", port, toml, "--behind-proxy", proxy.url)
        )
        page = visit.page
        page.goto(proxy.url)
        login(page)
        assert page.url == proxy.url
        page.reload()
        says(page, f"Hello {NAME}")

        names = {cookie["name"].partition(".")[0]: cookie for cookie in visit.context.cookies()}
        for name in ("_streamlit_user", "_streamlit_user_tokens"):
            assert names[name]["httpOnly"]
            assert names[name]["secure"] or setup == "blog"  # which tells the app of no https
        assert not names["_streamlit_xsrf"]["httpOnly"]

        press(page, "Log out")
        says(page, "Hello stranger")
        assert page.url == proxy.url
        # st.logout() greets the stranger first, and leaves for the page that deletes the cookies.
        visit.wait_until(
            lambda: "_streamlit_user" not in str([c["name"] for c in visit.context.cookies()])
        )
        says(page, "Hello stranger")
        assert page.url == proxy.url
        assert "redirect_uri" not in server.log()
        assert ("STL302" in server.log()) is (setup == "blog")  # the page fell back to HTTP


def known_to(visit: Visit) -> set[str]:
    """Open the page until each replica has greeted the user by name; return their process ids."""
    found: set[str] = set()
    for _ in range(4 * REPLICAS):
        visit.context.clear_cookies(name=re.compile("stlaunch_replica"))
        visit.page.reload()
        says(visit.page, f"Hello {NAME}")
        found.add(visit.page.get_by_text("pid=").inner_text())
        if len(found) == REPLICAS:
            break
    return found


def test_a_large_login_fits_through_nginx_and_comes_back(
    visit: Visit, tls: Tls, tmp_path: Path
) -> None:
    """120 groups and both tokens make cookies of 12 KB, for which nginx has no room as it comes.

    Every replica knows the visitor, even one that has never seen them.
    """
    port = free_port()
    with ExitStack() as stack:
        proxy = stack.enter_context(
            start_proxy("nginx", "recommended", port, keep_prefix=False, tls=tls)
        )
        redirect_uri = proxy.url + CALLBACK
        provider = stack.enter_context(start_provider([redirect_uri]))
        provider.groups = tuple(secrets.token_hex(18) for _ in range(120))
        exposed = 'expose_tokens = ["id", "access"]\n'
        toml = provider.secrets_toml(redirect_uri, secrets.token_hex(), exposed)
        server = stack.enter_context(
            login_replicas(tmp_path / "app", port, toml, "--behind-proxy", proxy.url)
        )
        page, asked = visit.page, f"{proxy.url}?team=a%20b&x=1"
        page.goto(asked)
        login(page)
        assert page.url == asked
        page.reload()
        says(page, f"Hello {NAME}")
        cookies = visit.context.cookies()
        assert sum(len(cookie["name"]) + len(cookie["value"]) for cookie in cookies) < 2000
        assert "A login set cookies of" in server.log()
        assert len(known_to(visit)) == REPLICAS
        assert "is not stored here" not in server.log()
        press(page, "Log out")
        says(page, "Hello stranger")


def test_two_apps_on_one_host(visit: Visit, tls: Tls, tmp_path: Path) -> None:
    """A login below one path neither gives, nor takes, nor disturbs one at another path.

    Cookies know neither ports nor paths of names: two proxies on two ports are one host to them.
    The app at the root of the host is the one whose cookies everybody else would get.
    """
    with ExitStack() as stack:
        ports = [free_port(), free_port()]
        outer, inner = (
            stack.enter_context(
                start_proxy("nginx", "recommended", port, keep_prefix=True, tls=tls, base_path=path)
            )
            for port, path in zip(ports, ("/", "/inner"), strict=True)
        )
        uris = [outer.url + CALLBACK, inner.url + CALLBACK]
        provider = stack.enter_context(start_provider(uris))
        for port, proxy, uri in zip(ports, (outer, inner), uris, strict=True):
            toml = provider.secrets_toml(uri, secrets.token_hex())
            folder = tmp_path / str(port)
            flags = ("--behind-proxy", proxy.url)
            stack.enter_context(login_app(folder, port, toml, *flags))
        first, second = visit.page, visit.context.new_page()
        first.goto(outer.url)
        second.goto(inner.url)
        says(second, "Hello stranger")

        # In the middle of a login to one of them, the other one is logged in to.
        press(first, "Log in")
        expect(first.get_by_role("link", name=f"Continue as {NAME}")).to_be_visible()
        login(second)
        agree(first)
        says(first, f"Hello {NAME}")

        # Both know the user; one logout leaves the other login alone, whichever comes first.
        second.reload()
        says(second, f"Hello {NAME}")
        press(second, "Log out")
        says(second, "Hello stranger")
        first.reload()
        says(first, f"Hello {NAME}")
        login(second)
        press(first, "Log out")
        says(first, "Hello stranger")
        second.reload()
        says(second, f"Hello {NAME}")


def test_wrong_redirect_uri_is_reported_at_start(tmp_path: Path) -> None:
    """The warning contains the exact line to write."""
    with start_provider([]) as provider:
        toml = provider.secrets_toml("http://localhost:8501/oauth2callback", secrets.token_hex())
        flags = ("--behind-proxy", "https://app.example.test/streamlitApp")
        with login_app(tmp_path / "app", free_port(), toml, *flags) as server:
            log = server.wait_for_log("redirect_uri")

    assert "is 'http://localhost:8501/oauth2callback'" in log
    expected = "https://app.example.test/streamlitApp/oauth2callback"
    assert f'Write redirect_uri = "{expected}" and register' in log
    assert provider.client_secret not in log
