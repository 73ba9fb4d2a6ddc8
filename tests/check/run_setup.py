"""Start the proxies of one row, check its URL, stop them, and report the outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import anyio

from stlaunch.check.diagnosis import Diagnosis, diagnose
from stlaunch.check.observations import Observations
from stlaunch.check.observe import observe
from stlaunch.check.options import CheckOptions
from stlaunch.check.target import Target
from stlaunch.errors import StartError
from stlaunch.proxies.plans import TlsFiles
from stlaunch.proxies.process import ProxyProcess
from tests.check.frames import Frame
from tests.check.setups import Setup
from tests.harness.ports import free_port

_ATTEMPTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one row gave."""

    seen: Observations
    diagnosis: Diagnosis
    log: str

    @property
    def first(self) -> str:
        """The code of the most likely cause; empty where nothing is above info."""
        above = [one.code for one in self.diagnosis.findings if one.severity != "info"]
        return above[0] if above else ""

    @property
    def summary(self) -> str:
        """Findings, time and the end of the log, for a failing test."""
        lines = [
            f"{one.code} ({one.severity}) {one.evidence} [{one.hop}] "
            f"<- {' '.join(below.code for below in one.consequences)}"
            for one in self.diagnosis.findings
        ]
        return "\n".join([*lines, f"{self.seen.elapsed_ms} ms", self.log[-1500:]])


def run_setup(
    setup: Setup, apps: Mapping[str, str], certificates: Mapping[str, TlsFiles]
) -> Outcome:
    """Run one row from its first proxy's start to its end."""
    with ExitStack() as stack:
        names = dict(apps)
        processes: list[ProxyProcess] = []
        for index, frame in reversed(list(enumerate(setup.hops))):
            tls = certificates[setup.tls] if setup.tls and index == 0 else None
            process = _start(stack, frame, names, tls)
            processes.append(process)
            names["next"] = str(process.plan.site.listen)
        front = names["next"] if processes else apps[setup.app]
        url = setup.address.replace("{port}", front.rpartition(":")[2])
        options = CheckOptions(
            target=Target.parse(url, connect_to=front),
            timeout_s=setup.timeout_s,
            measures_limits=bool(setup.limits),
            idle_s=setup.limits,
        )
        seen = anyio.run(observe, options)
        log = "\n".join(process.log_text() for process in processes)
    return Outcome(seen=seen, diagnosis=diagnose(seen), log=log)


@contextmanager
def start_front(
    frame: Frame, names: Mapping[str, str], tls: TlsFiles | None = None
) -> Iterator[str]:
    """Run one proxy; yield its `host:port`."""
    with ExitStack() as stack:
        yield str(_start(stack, frame, names, tls).plan.site.listen)


def _start(
    stack: ExitStack, frame: Frame, names: Mapping[str, str], tls: TlsFiles | None
) -> ProxyProcess:
    for attempt in range(1, _ATTEMPTS + 1):
        plan = frame.plan(free_port(), names, tls)
        try:
            return stack.enter_context(ProxyProcess(plan, frame.binary()))
        except StartError as exc:
            port_was_taken = "in use" in exc.hint or "taken" in exc.message
            if attempt == _ATTEMPTS or not port_was_taken:
                raise
    raise AssertionError
