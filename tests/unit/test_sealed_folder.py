"""Secrets in files: for one key, encrypted, bounded, and in a folder that is nobody else's."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from stlaunch.storage.sealed_folder import _USED_S, SealedFolder

SECRET = b"_streamlit_user=" + b"token" * 1000


def _sealed(
    folder: Path | None,
    key: bytes = b"k" * 32,
    *,
    max_bytes: int = 100_000,
    life_s: int = 10**6,
) -> SealedFolder:
    return SealedFolder(find_folder=lambda: folder, key=key, max_bytes=max_bytes, life_s=life_s)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def test_who_has_the_key_and_the_name_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "logins"
    _sealed(folder).write("one", SECRET)
    other = _sealed(folder)

    assert other.read("one") == SECRET
    assert other.read("two") is None
    assert _sealed(folder, b"x" * 32).read("one") is None
    other.remove("one")
    assert _sealed(folder).read("one") is None


def test_who_reads_the_disk_learns_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "logins"
    _sealed(folder).write("one", SECRET)
    (file,) = _files(folder)

    assert b"token" not in file.read_bytes()
    assert "one" not in file.name
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_changed_or_exchanged_file_is_none(tmp_path: Path) -> None:
    """Swapping one login's file for another's gives nobody that login."""
    sealed = _sealed(tmp_path / "logins")
    sealed.write("one", SECRET)
    (first,) = _files(tmp_path / "logins")
    sealed.write("two", b"another")
    (second,) = {*_files(tmp_path / "logins")} - {first}
    first.replace(second)

    assert sealed.read("two") is None
    assert not _files(tmp_path / "logins")
    sealed.write("one", SECRET)
    first.write_bytes(first.read_bytes()[:-10] + b"AAAAAAAAAA")
    assert sealed.read("one") is None


def test_it_ends(tmp_path: Path) -> None:
    """Whatever is done to the file's own time; what nobody reads is removed by the next one."""
    folder = tmp_path / "logins"
    _sealed(folder).write("one", SECRET)

    assert _sealed(folder, life_s=-1).read("one") is None
    _sealed(folder).write("two", SECRET)
    os.utime(_files(folder)[0], (0, 0))
    _sealed(folder).write("three", SECRET)
    assert len(_files(folder)) == 1


def test_what_was_used_least_gives_way(tmp_path: Path) -> None:
    sealed = _sealed(tmp_path / "logins")
    now = time.time()
    for index in range(20):
        sealed.write(str(index), SECRET)
        for file in _files(tmp_path / "logins"):
            os.utime(file, (now, file.stat().st_mtime - _USED_S - 1))
        assert sealed.read("0") == SECRET  # which notes that it is used
    kept = [index for index in range(20) if sealed.read(str(index))]
    size = sum(file.stat().st_size for file in _files(tmp_path / "logins"))

    assert size <= 100_000
    assert kept == [0, *range(21 - len(kept), 20)]


@pytest.mark.parametrize("kind", ["none", "writable for others", "a link"])
def test_no_private_folder_is_an_error(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "logins"
    if kind == "writable for others":
        folder.mkdir()
        folder.chmod(0o777)
    elif kind == "a link":
        (tmp_path / "elsewhere").mkdir()
        folder.symlink_to(tmp_path / "elsewhere")
    sealed = _sealed(None if kind == "none" else folder)

    with pytest.raises(OSError, match=r"can be written|alone"):
        sealed.write("one", SECRET)
    assert sealed.read("one") is None
    sealed.remove("one")
