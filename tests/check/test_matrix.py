"""Every row of the matrix, with real proxies: the right code first, and none where all is well.

The table is published as tests/check/MATRIX.md; `python -m tests.check.test_matrix` writes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from stlaunch import catalogue
from tests.check.apps import make_certificates, start_apps
from tests.check.matrix_nginx import NGINX_BROKEN, NGINX_HEALTHY
from tests.check.matrix_nginx_pages import NGINX_PAGES
from tests.check.matrix_others import OTHERS
from tests.check.matrix_proxies import PROXIES
from tests.check.run_setup import Outcome, run_setup
from tests.check.setups import Setup

SETUPS = (*NGINX_HEALTHY, *NGINX_BROKEN, *NGINX_PAGES, *PROXIES, *OTHERS)
TABLE = Path(__file__).parent / "MATRIX.md"
_AT_A_TIME = 2


def row_id(setup: Setup) -> str:
    return f"{setup.proxies}: {setup.name}"


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Mapping[str, Future[Outcome]]]:
    """Start all selected rows, two at a time; each test waits for its own."""
    chosen = {item.name.partition("[")[2].removesuffix("]") for item in request.session.items}
    authority, certificates = make_certificates(tmp_path_factory.mktemp("certificates"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(authority))
        with (
            start_apps(tmp_path_factory.mktemp("apps")) as apps,
            ThreadPoolExecutor(_AT_A_TIME) as pool,
        ):
            yield {
                row_id(setup): pool.submit(run_setup, setup, apps, certificates)
                for setup in SETUPS
                if row_id(setup) in chosen
            }
            pool.shutdown(cancel_futures=True)


@pytest.mark.proxy
@pytest.mark.parametrize("setup", SETUPS, ids=row_id)
@pytest.mark.timeout(600)
def test_setup_is_judged(setup: Setup, outcomes: Mapping[str, Future[Outcome]]) -> None:
    outcome = outcomes[row_id(setup)].result()

    assert outcome.first == setup.expected, outcome.told
    if not setup.expected:
        assert outcome.seen.session is not None
        assert outcome.seen.session.finished_ms is not None


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
        link = f"[{setup.expected}](../../stlaunch/catalogue/README.md#{setup.expected.lower()})"
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
