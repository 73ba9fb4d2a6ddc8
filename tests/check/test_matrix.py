"""Every row of the matrix, with real proxies: the right code first, and none where all is well.

The table is published as tests/check/MATRIX.md; `python -m tests.check.test_matrix` writes it.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from stlaunch.diagnostics import catalogue
from tests.check.apps import make_certificates, start_apps
from tests.check.matrix_headers import HEADERS
from tests.check.matrix_nginx import NGINX_BROKEN, NGINX_HEALTHY
from tests.check.matrix_nginx_pages import NGINX_PAGES
from tests.check.matrix_others import OTHERS
from tests.check.matrix_proxies import PROXIES
from tests.check.matrix_side_issues import SIDE_ISSUES
from tests.check.run_setup import Outcome, run_setup
from tests.check.setups import Setup

SETUPS = (*NGINX_HEALTHY, *NGINX_BROKEN, *NGINX_PAGES, *PROXIES, *OTHERS, *SIDE_ISSUES, *HEADERS)
TABLE = Path(__file__).parent / "MATRIX.md"
_AT_A_TIME = 2
WARM_UP = {
    "bare": Setup(name="", expected="", app="bare", url="http://app.example.test:{port}/"),
    "based": Setup(name="", expected="", app="based"),
    "stl": Setup(name="", expected="", app="stl"),
    "stl2": Setup(name="", expected="", app="stl2"),
    "replica": Setup(name="", expected="", app="replica", url="http://app.example.test:{port}/"),
}


def row_id(setup: Setup) -> str:
    return f"{setup.proxies}: {setup.name}"


@pytest.mark.proxy
@pytest.mark.unmeasured
@pytest.mark.timeout(1500)
def test_every_setup_is_checked(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One test for all rows: they share five apps, and run two at a time."""
    authority, certificates = make_certificates(tmp_path_factory.mktemp("certificates"))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority))
    wrong: list[str] = []
    with (
        start_apps(tmp_path_factory.mktemp("apps")) as apps,
        ThreadPoolExecutor(_AT_A_TIME) as pool,
    ):
        # The first run of a script takes seconds on a busy machine: no row is to wait for it.
        list(pool.map(lambda name: run_setup(WARM_UP[name], apps, certificates), WARM_UP))
        outcomes = [(setup, pool.submit(run_setup, setup, apps, certificates)) for setup in SETUPS]
        for setup, future in outcomes:
            outcome = future.result()
            is_right = outcome.first == setup.expected and is_whole(setup, outcome)
            mark = "ok   " if is_right else "WRONG"
            took = f"{outcome.seen.elapsed_ms:5} ms"
            print(mark, took, setup.expected or "healthy", row_id(setup))  # noqa: T201 - the table
            if not is_right:
                wrong.append(
                    f"{row_id(setup)}: {outcome.first!r}, not {setup.expected!r}\n{outcome.summary}"
                )

    assert not wrong, "\n\n".join(wrong)


def is_whole(setup: Setup, outcome: Outcome) -> bool:
    """Return whether the script of a healthy app was run to its end."""
    session = outcome.seen.session
    return bool(setup.expected) or (session is not None and session.finished_ms is not None)


def test_matrix_is_as_large_as_promised() -> None:
    broken = {(setup.proxies, setup.name) for setup in SETUPS if setup.expected}
    healthy = {(setup.proxies, setup.name) for setup in SETUPS if not setup.expected}

    assert len(broken) >= 70
    assert len(healthy) >= 25
    assert len(broken) + len(healthy) == len(SETUPS)


def test_published_table_is_current() -> None:
    assert TABLE.read_text(encoding="utf-8") == render_table(), (
        "run: python -m tests.check.test_matrix"
    )


def render_table() -> str:
    """Return the matrix as Markdown."""
    broken = [setup for setup in SETUPS if setup.expected]
    healthy = [setup for setup in SETUPS if not setup.expected]
    lines = [
        "# What `stlaunch check` says about real setups",
        "",
        f"{len(broken)} broken and {len(healthy)} healthy ones, each run by the tests with the",
        "real proxy, and the code of the most likely cause.",
        "`@bare@` is Streamlit at the root, `@based@` Streamlit with `baseUrlPath`, `@stl@` an app",
        "under stlaunch, `@dead@` nobody. Generated: `python -m tests.check.test_matrix`.",
        "",
        "## Broken",
        "",
        "| proxy | what is wrong | code | it means | the lines |",
        "| --- | --- | --- | --- | --- |",
    ]
    for setup in broken:
        anchor = f"../../stlaunch/handbook/codes.md#{setup.expected.lower()}"
        link = f"[{setup.expected}]({anchor})"
        title = catalogue.entry(setup.expected).title
        lines.append(
            f"| {setup.proxies} | {_cell(setup.name)} | {link} | {title} | {_lines(setup)} |"
        )
    lines += ["", "## Healthy", "", "| proxy | setup | the lines |", "| --- | --- | --- |"]
    lines += [f"| {setup.proxies} | {_cell(setup.name)} | {_lines(setup)} |" for setup in healthy]
    return "\n".join(lines) + "\n"


def _lines(setup: Setup) -> str:
    return " > ".join(f"`` {_cell(frame.lines)} ``" for frame in setup.hops) or setup.app


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    TABLE.write_text(render_table(), encoding="utf-8")
