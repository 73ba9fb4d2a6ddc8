"""What `check --limits` says of uploads: the proxy's limit each time, and not the app's own."""

from __future__ import annotations

from pathlib import Path

import anyio
import pytest

from stlaunch.check.observations import Limits
from stlaunch.check.observe import observe
from stlaunch.check.options import CheckOptions
from stlaunch.check.target import Target
from stlaunch.proxies.needs import Product
from stlaunch.proxies.process import ProxyProcess
from tests.check.apps import SCRIPT, streamlit
from tests.check.paste_frames import frame_of
from tests.check.paste_rows import ROWS
from tests.harness.ports import free_port

TRIES = 6
LIMIT = 1_000_000
SMALL_UPLOAD_MB = 1


def measure(url: str) -> Limits:
    options = CheckOptions(target=Target.parse(url), timeout_s=60, measures_limits=True, idle_s=0.1)
    limits = anyio.run(observe, options).limits
    assert limits is not None
    return limits


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "streamlit_app.py"
    path.write_text(SCRIPT)
    return path


@pytest.mark.proxy
def test_a_limit_that_counts_while_it_reads_is_found_each_time(script: Path) -> None:
    """The app's early refusal of an upload without a session overtook Caddy's count."""
    (row,) = (row for row in ROWS if row.code == "STL607")
    frame = frame_of(Product.CADDY, row.parts)
    with streamlit(script) as app:
        plan = frame.plan(free_port(), {row.app: f"127.0.0.1:{app.port}"}, None)
        with ProxyProcess(plan, frame.binary()):
            seen = [measure(f"http://127.0.0.1:{plan.site.listen.port}/app/") for _ in range(TRIES)]
    for limits in seen:
        assert limits.body_passed
        assert limits.body_refused
        assert limits.body_passed < LIMIT < limits.body_refused < 1.2 * LIMIT


def test_the_apps_own_limit_is_not_taken_for_a_proxys(script: Path) -> None:
    with streamlit(script, f"--server.maxUploadSize={SMALL_UPLOAD_MB}") as app:
        limits = measure(f"http://127.0.0.1:{app.port}/")
    assert limits.body_passed
    assert limits.body_passed <= SMALL_UPLOAD_MB * 1024 * 1024
    assert limits.body_refused == 0
