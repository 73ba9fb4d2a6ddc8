"""What `lint` shows on a terminal: wrapped words, whole lines, and a difference to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.terminal import COLOUR, COLUMNS, ESCAPE, LEGIBLE, shown, used_colours

CONFIG = """\
events {}
http {
    server {
        listen 8080;
        location /streamlitApp/ {
            proxy_pass http://127.0.0.1:8501/;
        }
    }
}
"""
ADDED = '+            proxy_set_header Connection "upgrade";'


@pytest.mark.process
def test_the_difference_of_a_fix_is_shown_once_and_in_styles(tmp_path: Path) -> None:
    """Heads and the difference; the lines of each fix would say it twice."""
    (tmp_path / "nginx.conf").write_text(CONFIG)
    screen = shown(tmp_path, "lint", "--fix", "nginx.conf")
    lines = ESCAPE.sub("", screen).replace("\r\n", "\n").splitlines()

    assert ADDED in lines
    assert f"\x1b[1m{ADDED}" in screen
    assert sum("proxy_set_header Upgrade" in line for line in lines) == 1
    assert "--fix would change" not in screen
    assert any(line.startswith("Changed 1 file. The old one: ") for line in lines)
    assert {"31", "35"} <= used_colours(screen) <= LEGIBLE
    assert all(len(line) <= COLUMNS or str(tmp_path) in line for line in lines), lines


@pytest.mark.process
def test_nothing_has_a_colour_where_none_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "nginx.conf").write_text(CONFIG)
    screen = shown(tmp_path, "lint", "nginx.conf", NO_COLOR="1")

    assert not COLOUR.search(screen)
    assert "--fix would change:" in screen
    assert "1 route to the app, 4 findings, 0 notes." in screen
