"""Streamlit's static files go out compressed, and are otherwise what Streamlit sends."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.testclient import TestClient
from starlette.types import ASGIApp, Receive, Scope, Send

from stlaunch.gateway.assets import AssetStore
from stlaunch.gateway.assets.codings import available_codings
from stlaunch.streamlit_adapter import static_folder
from stlaunch.urls.base_path import BasePath
from tests.asgi.driver import Answer, Headers, make, make_scope

CODINGS = {coding.token: coding for coding in available_codings()}
HOST = ("host", "app.test")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> AssetStore:
    """All of Streamlit's files, compressed."""
    store = AssetStore(Path(static_folder()), tmp_path_factory.mktemp("assets"))
    store.build()
    return store


@pytest.fixture(scope="module")
def app(client: TestClient, streamlit_app: ASGIApp, store: AssetStore) -> ASGIApp:
    """The running Streamlit app of this process, below /app."""
    return make(streamlit_app, assets=store)


@pytest.fixture(scope="module")
def script(store: AssetStore) -> str:
    """The page's largest script."""
    sizes = {name: asset.size for name, asset in store._assets.items() if "/index." in name}
    return max(sizes, key=lambda name: sizes[name])


def get(
    app: ASGIApp,
    path: str,
    accept: str = "gzip",
    *,
    headers: Headers = (),
    method: str = "GET",
) -> Answer:
    return asyncio.run(_fetch(app, path, accept, headers=headers, method=method))


async def _fetch(
    app: ASGIApp, path: str, accept: str, *, headers: Headers = (), method: str = "GET"
) -> Answer:
    sent: list[Any] = []
    given: list[Any] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> Any:
        if not given:
            await asyncio.Event().wait()  # a client that stays
        return given.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    scope = make_scope(path, [HOST, ("accept-encoding", accept), *headers], method=method)
    await app(scope, receive, send)
    found = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
    return Answer(sent[0]["status"], found, b"".join(part.get("body", b"") for part in sent[1:]))


def _content(answer: Answer) -> bytes:
    """Return what was sent; below a base path Streamlit 1.57 compresses static files itself."""
    token = answer.header("content-encoding")
    return b"".join(CODINGS[token].decompress([answer.body])) if token else answer.body


def _files() -> Iterator[tuple[str, bytes]]:
    root = Path(static_folder()) / "static"
    for file in sorted(root.rglob("*")):
        if file.is_file():
            yield file.relative_to(root).as_posix(), file.read_bytes()


def test_every_file_is_what_streamlit_ships_in_every_coding(app: ASGIApp) -> None:
    """Byte for byte after decompression, with the prefix kept and stripped."""

    async def fetch_all() -> tuple[int, int]:
        plain = packed = 0
        for name, content in _files():
            for accept in (*CODINGS, "identity"):
                front = "/app" if accept == "gzip" else ""
                answer = await _fetch(app, f"{front}/static/{name}", accept)
                token = answer.header("content-encoding")
                body = _content(answer)

                assert answer.status == 200, name
                assert token in {None, accept}, name
                assert body == content, name
                assert answer.header("content-length") in {None, str(len(answer.body))}, name
                if accept == "gzip":
                    plain, packed = plain + len(content), packed + len(answer.body)
        return plain, packed

    plain, packed = asyncio.run(fetch_all())

    assert packed < plain / 2


def test_headers_are_streamlits_own_but_for_the_coding(app: ASGIApp, script: str) -> None:
    """Cached for a year as before; caches are told that the coding differs."""
    plain = dict(get(app, f"/app/static/{script}", "identity").headers)
    packed = dict(get(app, f"/app/static/{script}").headers)

    assert packed["content-encoding"] == "gzip"
    assert packed["vary"] == plain["vary"] == "Accept-Encoding"
    assert packed["etag"] == plain["etag"].removesuffix('"') + '-gzip"'
    assert "immutable" in packed["cache-control"]
    changed = {"content-encoding", "content-length", "etag", "accept-ranges"}
    others = {name: value for name, value in packed.items() if name not in changed}
    assert others == {name: value for name, value in plain.items() if name not in changed}


def test_head_answers_like_get_without_a_body(app: ASGIApp, script: str) -> None:
    for accept in (*CODINGS, "identity"):
        got = get(app, f"/app/static/{script}", accept)
        head = get(app, f"/app/static/{script}", accept, method="HEAD")

        assert head.body == b""
        assert (head.status, head.headers) == (got.status, got.headers)


@pytest.mark.parametrize(
    ("tag", "accept", "status"),
    [
        ("{tag}", "gzip", 304),
        ('"other", {tag}', "gzip", 304),
        ("W/{tag}", "gzip", 304),
        ('"other"', "gzip", 200),
        ("{tag}", "identity", 200),
        ("{plain}", "gzip", 200),
        ("{plain}", "identity", 304),
    ],
)
def test_conditional_requests(
    app: ASGIApp, script: str, tag: str, accept: str, status: int
) -> None:
    """A tag holds for the coding that it came with, and for no other."""
    path = f"/app/static/{script}"
    tags = {
        "tag": get(app, path).header("etag"),
        "plain": get(app, path, "identity").header("etag"),
    }

    answer = get(app, path, accept, headers=[("if-none-match", tag.format(**tags))])

    assert answer.status == status
    assert answer.header("vary") == "Accept-Encoding"
    assert answer.header("etag") == tags["tag" if accept == "gzip" else "plain"]
    assert (answer.body == b"") == (status == 304)
    assert status == 200 or answer.header("content-length") is None


def test_unchanged_since_is_304(app: ASGIApp, script: str) -> None:
    path = f"/app/static/{script}"
    since = get(app, path).header("last-modified") or ""

    assert get(app, path, headers=[("if-modified-since", since)]).status == 304


def test_a_range_is_one_of_the_file_as_it_is(app: ASGIApp, script: str) -> None:
    content = (Path(static_folder()) / "static" / script).read_bytes()
    path = f"/app/static/{script}"

    part = get(app, path, headers=[("range", "bytes=10-19")])
    tag = get(app, path).header("etag") or ""
    whole = get(app, path, headers=[("range", "bytes=10-19"), ("if-range", tag)])

    assert (part.status, part.body) == (206, content[10:20])
    assert (whole.status, _content(whole)) == (200, content)
    assert part.header("content-encoding") is None
    assert part.header("vary") == whole.header("vary") == "Accept-Encoding"


def test_what_is_missing_is_404_and_other_files_are_untouched(app: ASGIApp) -> None:
    missing = get(app, "/app/static/js/index.AAAAAAAA.js")
    outside = get(app, "/app/static/../index.html")
    answers = [get(app, f"/app/{name}") for name in ("favicon.png", "manifest.json", "")]

    assert (missing.status, missing.header("cache-control")) == (404, "no-store")
    assert outside.header("content-encoding") is None
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert not [answer for answer in answers if '-gzip"' in (answer.header("etag") or "")]


def test_another_method_is_the_apps_affair(app: ASGIApp, script: str) -> None:
    assert get(app, f"/app/static/{script}", method="POST").status == 405


def test_what_the_app_refuses_stays_refused(store: AssetStore, script: str) -> None:
    """An app with a login in front of its files is asked each time."""

    async def closed(scope: Any, receive: Any, send: Any) -> None:
        await PlainTextResponse("log in first", 401)(scope, receive, send)

    answer = get(make(closed, assets=store), f"/app/static/{script}")

    assert (answer.status, answer.body) == (401, b"log in first")


def test_an_app_that_compresses_by_itself_is_left_alone(store: AssetStore, script: str) -> None:
    root = Path(static_folder())
    content = (root / "static" / script).read_bytes()
    inner = Starlette(routes=[Mount("/", StaticFiles(directory=root))])

    answer = get(make(GZipMiddleware(inner), assets=store, app_base=BasePath()),
                 f"/static/{script}")  # fmt: skip

    assert answer.header("content-encoding") == "gzip"
    assert _content(answer) == content


def test_streamlit_inside_another_app(store: AssetStore, script: str) -> None:
    """Only below its mount; a file of the same name elsewhere is not ours."""
    root = Path(static_folder())
    inner = Starlette(routes=[Mount("/dash", StaticFiles(directory=root)),
                              Mount("/", StaticFiles(directory=root))])  # fmt: skip
    facts = {"app_base": BasePath(), "uses_root_path": True, "assets": store}
    app = make(inner, mounts=lambda: (BasePath("/dash"),), **facts)

    below = get(app, f"/app/dash/static/{script}")
    elsewhere = get(app, f"/app/static/{script}")

    assert (below.status, below.header("content-encoding")) == (200, "gzip")
    assert (elsewhere.status, elsewhere.header("content-encoding")) == (200, None)


def test_an_emptied_folder_costs_the_coding_and_nothing_else(
    client: TestClient, streamlit_app: ASGIApp, script: str, store: AssetStore, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    assert store.folder is not None
    shutil.copytree(store.folder, folder)
    fresh = AssetStore(store.source, folder)
    fresh.build()
    shutil.rmtree(folder)
    content = (Path(static_folder()) / "static" / script).read_bytes()

    answer = get(make(streamlit_app, assets=fresh), f"/app/static/{script}")

    assert (answer.status, _content(answer)) == (200, content)
    assert '-gzip"' not in (answer.header("etag") or "")


def test_two_requests_find_an_emptied_folder_at_once(tmp_path: Path) -> None:
    """The second one looked for a coding that the first one had just given up: 500."""
    source, folder = tmp_path / "streamlit", tmp_path / "kept"
    for place in (source / "static/js", folder):
        place.mkdir(parents=True)
    content = b"let x = 1;" * 1000
    (source / "static/js/index.abcdefgh.js").write_bytes(content)
    store = AssetStore(source, folder)
    store.build()
    store.stop()
    shutil.rmtree(folder)
    files = StaticFiles(directory=source / "static")
    inner = Starlette(routes=[Mount("/app/static", files)])

    async def fetch_both() -> list[Answer]:
        asked, is_answered = 0, asyncio.Event()

        async def slow(scope: Scope, receive: Receive, send: Send) -> None:
            nonlocal asked
            asked += 1
            if asked == 1:
                await is_answered.wait()
            await inner(scope, receive, send)

        app, path = make(slow, assets=store), "/app/static/js/index.abcdefgh.js"
        waiting = asyncio.create_task(_fetch(app, path, "gzip"))
        await asyncio.sleep(0)
        quick = await _fetch(app, path, "gzip")
        is_answered.set()
        return [quick, await waiting]

    answers = asyncio.run(fetch_both())

    assert [answer.status for answer in answers] == [200] * 2
    assert {answer.body for answer in answers} == {content}


def test_files_larger_than_a_piece_come_whole_from_memory_too(
    client: TestClient, streamlit_app: ASGIApp, store: AssetStore
) -> None:
    name = max(store._assets, key=lambda name: store._assets[name].size)
    kept = store._assets[name].kept["gzip"]
    assert isinstance(kept, Path)
    in_memory = AssetStore(store.source, None)
    in_memory._assets[name] = type(store._assets[name])(
        store._assets[name].size, {"gzip": kept.read_bytes()}
    )

    answer = get(make(streamlit_app, assets=in_memory), f"/app/static/{name}")

    assert answer.body == kept.read_bytes()
    assert len(answer.body) > 1_000_000
