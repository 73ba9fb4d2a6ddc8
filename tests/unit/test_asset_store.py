"""The asset cache: what is used, what is repaired, where it is stored."""

from __future__ import annotations

import gzip
import os
import threading
from pathlib import Path

import pytest

from stlaunch.gateway.assets import AssetStore, asset_folder
from stlaunch.gateway.assets import store as store_module

SCRIPT = b"export const answer = 42;\n" * 200


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A static folder as Streamlit's, small."""
    source = tmp_path / "source"
    (source / "static" / "js").mkdir(parents=True)
    (source / "static" / "media").mkdir()
    (source / "index.html").write_text('<script src="./static/js/index.AbCd1_-9.js"></script>')
    (source / "static" / "js" / "index.AbCd1_-9.js").write_bytes(SCRIPT)
    (source / "static" / "js" / "a.esm.AAAAAAAA.js").write_bytes(SCRIPT + b"a")
    (source / "static" / "js" / "plain.js").write_bytes(SCRIPT)
    (source / "static" / "js" / "small.BBBBBBBB.js").write_bytes(b"x")
    (source / "static" / "js" / "noise.CCCCCCCC.js").write_bytes(os.urandom(5000))
    (source / "static" / "media" / "font.DDDDDDDD.woff2").write_bytes(SCRIPT)
    (source / "secret.EEEEEEEE.js").write_bytes(SCRIPT)
    return source


def _built(source: Path, folder: Path | None) -> AssetStore:
    store = AssetStore(source, folder)
    store.build()
    return store


def _gzip_of(store: AssetStore, name: str) -> bytes:
    asset = store.find(name)
    assert asset is not None
    kept = asset.kept["gzip"]
    return kept if isinstance(kept, bytes) else kept.read_bytes()


def test_hashed_text_is_kept_and_nothing_else(source: Path, tmp_path: Path) -> None:
    store = _built(source, tmp_path)

    assert gzip.decompress(_gzip_of(store, "js/index.AbCd1_-9.js")) == SCRIPT
    assert gzip.decompress(_gzip_of(store, "js/a.esm.AAAAAAAA.js")) == SCRIPT + b"a"
    for name in (
        "js/plain.js",
        "js/small.BBBBBBBB.js",
        "js/noise.CCCCCCCC.js",
        "media/font.DDDDDDDD.woff2",
        "../secret.EEEEEEEE.js",
        "js/missing.FFFFFFFF.js",
    ):
        assert store.find(name) is None


def test_what_is_kept_is_used_again_and_what_is_damaged_is_made_anew(
    source: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    _built(source, folder)
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    first, second, *rest = sorted(folder.iterdir())
    first.write_bytes(first.read_bytes()[:40])
    second.write_bytes(b"alert('planted')")
    inodes = {file.name: file.stat().st_ino for file in rest}

    _built(source, folder)

    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert {file.name: file.stat().st_ino for file in rest} == inodes


def test_well_packed_bytes_of_another_file_are_not_used(source: Path, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    _built(source, folder)
    for file in folder.glob("*.gzip"):
        file.write_bytes(gzip.compress(b"alert('planted')"))

    store = _built(source, folder)

    assert gzip.decompress(_gzip_of(store, "js/index.AbCd1_-9.js")) == SCRIPT


@pytest.mark.parametrize("is_gone", [True, False], ids=["no folder", "folder not writable"])
def test_without_a_folder_a_bounded_part_stays_in_memory(
    source: Path, tmp_path: Path, is_gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = None if is_gone else tmp_path / "missing"  # root may write in a read-only folder
    monkeypatch.setattr(store_module, "_MAX_IN_MEMORY_BYTES", 200)

    store = _built(source, folder)

    kept = [kept for asset in store._assets.values() for kept in asset.kept.values()]
    assert 0 < sum(len(content) for content in kept if isinstance(content, bytes)) <= 200
    assert all(isinstance(content, bytes) for content in kept)
    assert gzip.decompress(_gzip_of(store, "js/index.AbCd1_-9.js")) == SCRIPT


def test_other_versions_make_room(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "kept"
    folder.mkdir()
    for age in range(4):
        old = folder / f"{age}.gzip"
        old.write_bytes(bytes(1000))
        os.utime(old, (1_000_000 - age, 1_000_000 - age))
    monkeypatch.setattr(store_module, "_MAX_KEPT_BYTES", 2500)

    store = _built(source, folder)

    assert {file.name for file in folder.iterdir() if file.stem.isdecimal()} == {"0.gzip", "1.gzip"}
    assert store.find("js/index.AbCd1_-9.js") is not None


def test_a_stopped_store_ends(source: Path, tmp_path: Path) -> None:
    store = AssetStore(source, tmp_path)
    before = _builders()  # of an app that lives as long as this process
    store.stop()
    store.start()
    store.stop()

    assert store.find("js/index.AbCd1_-9.js") is None
    assert _builders() <= before


def _builders() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "stlaunch-assets"}


def test_a_missing_static_folder_is_no_error(tmp_path: Path) -> None:
    assert _built(tmp_path / "missing", tmp_path).find("js/index.AbCd1_-9.js") is None


# --- where


def test_folder_is_below_the_users_own_cache(tmp_path: Path) -> None:
    folder = asset_folder({"HOME": str(tmp_path)})
    other = asset_folder({"HOME": "/nowhere", "XDG_CACHE_HOME": str(tmp_path / "xdg")})

    assert folder == tmp_path / ".cache" / "stlaunch" / "assets"
    assert folder.stat().st_mode & 0o077 == 0
    assert other == tmp_path / "xdg" / "stlaunch" / "assets"


@pytest.mark.parametrize("fault", ["writable", "link", "file", "stranger"])
def test_folder_that_others_may_write_is_not_used(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files are sent to browsers: anyone who can write there could run scripts in them."""
    cache = tmp_path / ".cache"
    planted = cache / "stlaunch"
    spare = tmp_path / "spare"
    spare.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(spare))
    match fault:
        case "writable":
            planted.mkdir(parents=True)
            planted.chmod(0o777)
        case "link":
            (tmp_path / "elsewhere").mkdir()
            cache.mkdir()
            planted.symlink_to(tmp_path / "elsewhere")
        case "file":
            cache.mkdir()
            planted.write_text("")
        case _:
            planted.mkdir(parents=True)
            monkeypatch.setattr("os.geteuid", lambda: os.getuid() + 1)

    folder = asset_folder({"HOME": str(tmp_path)})

    expected = None if fault == "stranger" else spare / f"stlaunch-{os.getuid()}" / "assets"
    assert folder == expected
