"""The check opens no more connections at once than a browser: it must not meet a limit first."""

from __future__ import annotations

import anyio
import pytest
from anyio.abc import SocketStream

from stlaunch.check import dialer
from stlaunch.check.observe import observe
from stlaunch.check.options import CheckOptions
from stlaunch.check.target import Target
from stlaunch.diagnostics.page_load import CONNECTIONS
from tests.check.hostile import Behaviour, closed_at_once, endless_pings, hostile_server, with_page


class Counted(dialer._Connection):
    """A connection that counts those that are open, and all that ever were."""

    now = most = ever = 0

    def __init__(self, stream: SocketStream) -> None:
        super().__init__(stream)
        Counted.now += 1
        Counted.ever += 1
        Counted.most = max(Counted.most, Counted.now)

    async def aclose(self) -> None:
        Counted.now -= 1
        await super().aclose()


@pytest.mark.parametrize(
    ("session", "limits"),
    [
        pytest.param(closed_at_once, False, id="short"),
        pytest.param(closed_at_once, True, id="limits"),
        pytest.param(endless_pings, False, id="long"),
    ],
)
def test_a_limit_that_lets_browsers_in_lets_the_check_in(
    session: Behaviour, *, limits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three handshakes came on top of eight requests, and `limit_conn 7` refused some."""
    monkeypatch.setattr(dialer, "_Connection", Counted)
    Counted.now = Counted.most = Counted.ever = 0
    with hostile_server(with_page(session)) as port:
        target = Target.parse(f"http://127.0.0.1:{port}/")
        options = CheckOptions(target=target, timeout_s=3, measures_limits=limits, idle_s=0.2)
        seen = anyio.run(observe, options)

    assert seen.http["page"].is_ok
    assert Counted.ever > 2 * CONNECTIONS
    assert Counted.most <= CONNECTIONS
    assert Counted.now == 0
