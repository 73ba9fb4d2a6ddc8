"""Files that are written whole or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from stlaunch.launcher.app_config import MergedConfig, write_merged
from stlaunch.storage.atomic_write import FOR_ALL, write_atomic


def _names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_the_text_is_written_with_its_line_ends(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", "é\r\n")
    write_atomic(tmp_path / "b", b"\x00", mode=FOR_ALL)

    assert (tmp_path / "a").read_bytes() == "é\r\n".encode()
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o644
    assert _names(tmp_path) == ["a", "b"]


def test_a_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """Somebody who plants a link must not choose which of our files is written over."""
    precious = tmp_path / "precious"
    precious.write_text("kept")
    (tmp_path / "planted").symlink_to(precious)
    write_atomic(tmp_path / "planted", "new")

    assert precious.read_text() == "kept"
    assert not (tmp_path / "planted").is_symlink()


def _no_links(*_: object) -> None:
    raise PermissionError(1, "Operation not permitted")


@pytest.mark.parametrize("has_links", [True, False], ids=["links", "FAT"])
@pytest.mark.parametrize("kind", ["file", "dangling link"])
def test_nothing_is_replaced_unasked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, has_links: bool
) -> None:
    if not has_links:
        monkeypatch.setattr(os, "link", _no_links)
    write_atomic(tmp_path / "free", "new", may_replace=False)
    assert (tmp_path / "free").read_text() == "new"
    (tmp_path / "free").unlink()
    path = tmp_path / "there"
    path.write_text("kept") if kind == "file" else path.symlink_to(tmp_path / "nowhere")

    with pytest.raises(FileExistsError):
        write_atomic(path, "new", may_replace=False)
    assert _names(tmp_path) == ["there"]


def test_a_failure_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()

    with pytest.raises(OSError, match="directory"):
        write_atomic(tmp_path / "folder", "new")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(tmp_path / "file", "\ud800")
    assert _names(tmp_path) == ["folder"]


def test_a_backup_goes_through_no_link(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("old")
    (tmp_path / "config.toml.bak").symlink_to(tmp_path / "elsewhere")
    backup = write_merged(MergedConfig(path=path, before="old", after="new"))

    assert backup == tmp_path / "config.toml.bak2"
    assert _names(tmp_path) == ["config.toml", "config.toml.bak", "config.toml.bak2"]
