"""Every example, started as its README says and opened in Chromium.

Its programs are the real ones, on other ports, in a copy of the folders. There is no Docker where
these tests run: `test_docker` starts what the image would start, and here is the nginx before it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import FrameLocator, Page, expect

from tests.examples.client import get, open_app
from tests.examples.readmes import folders, read_example, write
from tests.examples.terminals import Opened, open_terminals
from tests.harness.browser import Visit
from tests.harness.ports import free_port
from tests.harness.proxies import proxy_binary
from tests.harness.server import start_server, stlaunch_app

ALL = {folder.name: read_example(folder) for folder in folders()}


def test_every_folder_has_a_readme_of_ten_lines_and_what_the_issue_names() -> None:
    """About ten: a long address may take one more."""
    lengths = {
        name: len((example.folder / "README.md").read_text(encoding="utf-8").splitlines())
        for name, example in ALL.items()
    }

    assert {
        "nginx", "caddy", "traefik", "apache", "haproxy", "docker", "fastapi", "uvicorn", "iframe",
        "login", "two-apps",
    } <= set(lengths)  # fmt: skip
    assert all(8 <= length <= 11 for length in lengths.values()), lengths
    assert all(example.terminals and example.urls for example in ALL.values())


WRITTEN = [
    pytest.param(example.folder / file, arguments, id=f"{name}/{file}")
    for name, example in ALL.items()
    for arguments, file in example.written
]


@pytest.mark.parametrize(("file", "arguments"), WRITTEN)
def test_configurations_are_what_the_readme_s_command_prints(
    file: Path, arguments: Sequence[str]
) -> None:
    """`python -m tests.examples.readmes` writes them."""
    assert file.read_text(encoding="utf-8") == write(arguments)


def _count(page: Page | FrameLocator) -> None:
    """A click that the app answers."""
    page.get_by_role("button", name="Count").click()
    expect(page.get_by_text("Clicked 1 time")).to_be_visible()


def _hello(visit: Visit, opened: Opened) -> None:
    """Over the WebSocket, with nothing red; the address without its slash leads there as well."""
    visit.page.goto(opened.urls[0])
    _count(visit.page)
    path = urlsplit(opened.urls[0]).path.rstrip("/")
    status, headers, _ = get(opened.ports["8080"], path)

    assert visit.sockets
    assert not visit.asked("_stlaunch/tunnel")
    assert not visit.errors()
    assert status in {HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT}
    assert headers["location"].removeprefix(f"http://localhost:{opened.ports['8080']}") in {
        f"{path}/",
        f"{path.removeprefix('/')}/",
    }


def _alone(visit: Visit, opened: Opened) -> None:
    visit.page.goto(opened.urls[0])
    _count(visit.page)


def _uvicorn(visit: Visit, opened: Opened) -> None:
    visit.page.goto(opened.urls[0])
    visit.page.get_by_role("slider").press("ArrowRight")
    expect(visit.page.get_by_text("Counted to 4")).to_be_visible()
    open_app(opened.ports["8501"], "/", "Under plain uvicorn")  # as a proxy that strips the path

    assert "Traceback" not in opened.log()


def _fastapi(visit: Visit, opened: Opened) -> None:
    """The API is at the address that the README names, and both without the path."""
    visit.page.goto(opened.urls[0])
    expect(visit.page.get_by_text("Showing Aachen")).to_be_visible()
    port = opened.ports["8501"]
    open_app(port, "/dashboard/", "Stations")

    assert get(port, "/streamlitApp/api/stations")[2] == '["Aachen","Bonn","Celle"]'
    assert get(port, "/api/stations")[0] == HTTPStatus.OK
    assert "Traceback" not in opened.log()


def _two_apps(visit: Visit, opened: Opened) -> None:
    """Each counts by itself, in one browser."""
    for url, name, times in zip(opened.urls, ("Sales", "Stock"), (2, 1), strict=True):
        visit.page.goto(url)
        for number in range(1, times + 1):
            visit.page.get_by_role("button", name="Add one").click()
            expect(visit.page.get_by_text(f"{name}: {number}")).to_be_visible()

    assert not visit.errors()


def _iframe(visit: Visit, opened: Opened) -> None:
    """Clicks and an upload, which needs a cookie that a frame of another site may have."""
    visit.page.goto(opened.urls[1])
    frame = visit.page.frame_locator("iframe")
    _count(frame)
    frame.locator("input[type=file]").set_input_files(
        {"name": "some.bin", "mimeType": "application/octet-stream", "buffer": b"x" * 100}
    )
    expect(frame.get_by_text("100 bytes")).to_be_visible()


def _login(visit: Visit, opened: Opened) -> None:
    """In and out again, with cookies that https alone carries."""
    page = visit.page
    page.goto(opened.urls[0])
    expect(page.get_by_text("Hello stranger")).to_be_visible()
    page.get_by_role("button", name="Log in").click()
    page.get_by_role("link", name="Continue as Ada").click()
    expect(page.get_by_text("Hello Ada Lovelace")).to_be_visible()
    assert page.url.startswith(opened.urls[0])
    assert all(cookie["secure"] for cookie in visit.context.cookies(opened.urls[0]))
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_text("Hello stranger")).to_be_visible()


STEPS: dict[str, Callable[[Visit, Opened], None]] = {
    "apache": _hello,
    "caddy": _hello,
    "fastapi": _fastapi,
    "haproxy": _hello,
    "hello": _alone,
    "iframe": _iframe,
    "login": _login,
    "nginx": _hello,
    "traefik": _hello,
    "two-apps": _two_apps,
    "uvicorn": _uvicorn,
}


@pytest.mark.browser
@pytest.mark.proxy
@pytest.mark.parametrize("name", STEPS)
def test_the_example_works_as_its_readme_says(visit: Visit, tmp_path: Path, name: str) -> None:
    with open_terminals(ALL[name], tmp_path) as opened:
        STEPS[name](visit, opened)


@pytest.mark.proxy
def test_nginx_of_a_distribution_works_too(tmp_path: Path) -> None:
    """Debian's 1.22, which is older and has more modules."""
    with open_terminals(ALL["nginx"], tmp_path, programs={"nginx": "nginx-1.22"}) as opened:
        open_app(opened.ports["8080"], "/streamlitApp/", "Hello from Streamlit")


@pytest.mark.proxy
def test_the_app_works_behind_the_nginx_of_the_compose_file(tmp_path: Path) -> None:
    """The whole file that compose.yaml mounts, with this machine in place of the service's name."""
    folder = ALL["docker"].folder
    text = (folder / "nginx.conf").read_text(encoding="utf-8")
    port = free_port()
    with stlaunch_app(folder / "app.py", free_port(), "--behind-proxy", "/streamlitApp") as app:
        moved = text.replace("listen 80;", f"listen 127.0.0.1:{port};")
        moved = moved.replace("//app:8501;", f"//127.0.0.1:{app.port};")
        (tmp_path / "nginx.conf").write_text(moved, encoding="utf-8")
        quiet = "daemon off; pid nginx.pid;"
        nginx = str(proxy_binary("nginx"))
        command = [nginx, "-p", ".", "-c", "nginx.conf", "-e", "stderr", "-g", quiet]
        ready = "/streamlitApp/_stlaunch/health"
        with start_server(command, cwd=tmp_path, ready_path=ready, port=port):
            open_app(port, "/streamlitApp/", "In a container")


def test_each_example_is_run() -> None:
    assert set(ALL) == {*STEPS, "docker"}
