"""Keep N instances running: start, restart, roll, drain.

There is one more place than instances. A rolling restart starts each new instance in the spare
place and, once it is ready, asks an old one to drain, which leaves the next spare place.
"""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import field
from typing import TYPE_CHECKING

from stlaunch.errors import ExitCode, StartError
from stlaunch.proxies.haproxy.balancer import BalancerSite
from stlaunch.proxies.ports import check_port_is_free
from stlaunch.quick_dataclass import dataclass
from stlaunch.replicas.balancer import Balancer, find_balancer
from stlaunch.replicas.instance import Phase, Place
from stlaunch.storage.temporary_folder import TemporaryFolder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from stlaunch.forwarded.trusted_proxies import TrustedProxies
    from stlaunch.urls.origin import HostPort

logger = logging.getLogger(__name__)

_POLL_S = 0.1
_LOOK_S = 2.0
_START_DEADLINE_S = 300.0
_STOP_MARGIN_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicasPlan:
    """What to run.

    Attributes:
        count: the number of instances.
        command: what starts an instance.
        words: the arguments after it, of which `--uds FILE` comes first.
        environ: an instance's environment, with the secret that all of them share.
        listen: where the balancer listens.
        trusted: the peers whose forwarding headers are passed on.
        identity_headers: names that only a trusted proxy may send.
        app: what distinguishes this app from another one on the same host.
        drain_s: how long an instance may take to finish what runs.
    """

    count: int
    command: Sequence[str]
    words: Sequence[str]
    environ: Mapping[str, str] = field(repr=False)
    listen: HostPort
    trusted: TrustedProxies
    identity_headers: Sequence[str]
    app: str
    drain_s: float


@dataclass(slots=True)
class _Caught:
    """The signals that came; plain fields, safe to set in a handler."""

    first: int | None = None
    stops: int = 0
    rolls: int = 0

    def catch(self, number: int, _frame: FrameType | None) -> None:
        if signal.Signals(number).name == "SIGHUP":
            self.rolls += 1
        else:
            self.first = self.first or number
            self.stops += 1


class Supervisor:
    """Runs a plan until SIGTERM or SIGINT."""

    def __init__(self, plan: ReplicasPlan) -> None:
        self._plan = plan
        self._places: list[Place] = []
        self._generation = 0
        self._look_at = 0.0
        self._caught = _Caught()

    def run(self, *, on_ready: Callable[[], None]) -> int:
        """Run the instances and the balancer; return the exit code.

        Whatever ends it, all processes and sockets are gone afterwards.

        Args:
            on_ready: called when the balancer takes connections, with all instances ready.

        Raises:
            StartError: where the balancer is not installed, the port is taken, or an instance
                cannot start. Instances that die later are restarted instead.
        """
        plan = self._plan
        binary = find_balancer()
        check_port_is_free(plan.listen.port or 0, plan.listen.host)
        with ExitStack() as stack:
            temporary = TemporaryFolder("replicas")
            stack.callback(temporary.remove)
            folder = temporary.path
            self._places = [Place(number, folder) for number in range(1, plan.count + 2)]
            stack.enter_context(self._caught_signals())
            stack.callback(self._end_all)
            self._start_all()
            if self._caught.stops:
                return self._exit_code()
            site = BalancerSite(
                listen=plan.listen,
                sockets=[place.socket for place in self._places],
                stats=folder / "stats.sock",
                trusted=plan.trusted,
                identity_headers=plan.identity_headers,
                app=plan.app,
            )
            balancer = Balancer(site, binary)
            stack.enter_context(balancer)
            on_ready()
            while not self._caught.stops:
                now = time.monotonic()
                balancer.keep_running(now)
                self._mend(now)
                self._look_for_silent(balancer, now)
                self._roll(balancer)
                time.sleep(_POLL_S)
            self._drain_all()
            return self._exit_code()

    def _exit_code(self) -> int:
        is_interrupted = self._caught.first == signal.SIGINT
        return ExitCode.INTERRUPTED if is_interrupted else ExitCode.OK

    def _start_all(self) -> None:
        first = self._places[: self._plan.count]
        for place in first:
            self._start(place)
        while not all(self._is_ready(place) for place in first):
            if self._caught.stops:
                return
            for place in first:
                code = place.reap()
                if code is not None:
                    raise StartError(
                        f"Instance {place.number} ended with exit code {code} before it was ready.",
                        hint="See its output above.",
                    )
                if time.monotonic() - place.started_at > _START_DEADLINE_S:
                    raise StartError(
                        f"Instance {place.number} was not ready within {_START_DEADLINE_S:.0f} s."
                    )
            time.sleep(_POLL_S)

    def _is_ready(self, place: Place) -> bool:
        """Check, and report it the first time: the instances themselves are silent about it."""
        was_ready = place.phase is Phase.READY
        is_ready = place.look_whether_ready()
        if is_ready and not was_ready:
            logger.info("Instance %s (pid %s) is ready.", place.number, place.pid)
        return is_ready

    def _start(self, place: Place) -> None:
        place.start(self._plan.command, self._plan.words, self._plan.environ, self._generation)

    def _try_to_start(self, place: Place, now: float) -> None:
        """Start it beside running ones, which a failure must not end: that counts as its end."""
        try:
            self._start(place)
        except StartError as exc:
            place.end_now()
            what = f"did not start ({exc.message.removesuffix('.')})"
            self._take_note_of_end(place, Phase.STARTING, now, what)

    def _mend(self, now: float) -> None:
        for place in self._places:
            phase, pid = place.phase, place.pid
            code = place.reap()
            if code is not None and phase is Phase.DRAINING:
                logger.info("Instance %s (pid %s) has drained.", place.number, pid)
            elif code is not None:
                early = " before it was ready" if phase is Phase.STARTING else ""
                what = f"(pid {pid}) ended with exit code {code}{early}"
                self._take_note_of_end(place, phase, now, what)
            elif phase is Phase.STARTING and now - place.started_at > _START_DEADLINE_S:
                place.end_now()
                self._take_note_of_end(place, phase, now, f"(pid {pid}) was never ready")
            elif phase is Phase.STARTING:
                self._is_ready(place)
            elif phase is Phase.WAITING and now >= place.start_at:
                self._try_to_start(place, now)

    def _look_for_silent(self, balancer: Balancer, now: float) -> None:
        """Log which instances have stopped answering, and which answer again."""
        if now < self._look_at:
            return
        self._look_at = now + _LOOK_S
        ready, silent = balancer.ready_places(), balancer.silent_places()
        for place in self._places:
            if place.phase is not Phase.READY:
                continue
            name = f"Instance {place.number} (pid {place.pid})"
            if place.number in silent and place.has_answered and not place.is_silent:
                place.is_silent = True
                logger.error("%s has stopped answering; visitors go to the others.", name)
            elif place.number in ready:
                if place.is_silent:
                    logger.info("%s answers again.", name)
                place.has_answered, place.is_silent = True, False

    def _take_note_of_end(self, place: Place, phase: Phase, now: float, what: str) -> None:
        name = f"Instance {place.number}"
        if not self._is_surplus():
            wait_s = place.wait_to_start(now)
            logger.error("%s %s; another one starts in %.0f s.", name, what, wait_s)
        elif phase is Phase.STARTING:
            # The new one of a rolling restart: the old ones are all still there.
            self._caught.rolls = 0
            for other in self._places:
                other.generation = self._generation
            logger.error(
                "%s %s: the rolling restart stops here; the running instances keep running. "
                "Fix the error, then send SIGHUP again.",
                name,
                what,
            )
        else:
            logger.error("%s %s; its successor is ready.", name, what)

    def _is_surplus(self) -> bool:
        taken = [
            place for place in self._places if place.phase not in {Phase.EMPTY, Phase.DRAINING}
        ]
        return len(taken) >= self._plan.count

    def _roll(self, balancer: Balancer) -> None:
        """Take the next step of a rolling restart, if one was asked for."""
        old = [place for place in self._places if self._is_old(place)]
        if not old:
            if not self._caught.rolls:
                return
            self._caught.rolls = 0
            self._generation += 1
            logger.info("SIGHUP: restarting %s instances, one by one.", self._plan.count)
            return
        if any(place.phase in {Phase.STARTING, Phase.DRAINING} for place in self._places):
            return
        spare = next((place for place in self._places if place.phase is Phase.EMPTY), None)
        if spare is not None:
            self._try_to_start(spare, time.monotonic())
            return
        ready = {place.number for place in self._places if place.phase is Phase.READY}
        if ready <= balancer.ready_places():
            old[0].drain()  # the new one is ready next to all the old ones

    def _is_old(self, place: Place) -> bool:
        is_there = place.phase in {Phase.READY, Phase.STARTING}
        return is_there and place.generation < self._generation

    def _drain_all(self) -> None:
        for place in self._places:
            place.drain()
        deadline = time.monotonic() + self._plan.drain_s + _STOP_MARGIN_S
        has_insisted = False
        while any(place.pid for place in self._places):
            for place in self._places:
                place.reap()
            if self._caught.stops > 1 and not has_insisted:
                has_insisted = True
                deadline = min(deadline, time.monotonic() + _STOP_MARGIN_S)
                for place in self._places:
                    place.insist()
            if time.monotonic() > deadline:
                return  # _end_all does what is left
            time.sleep(_POLL_S)

    def _end_all(self) -> None:
        for place in self._places:
            place.drain()
        for place in self._places:
            place.end_now()

    @contextmanager
    def _caught_signals(self) -> Iterator[None]:
        """Catch instead of raise: an exception between fork and assignment leaves a child."""
        numbers = [signal.Signals[name] for name in ("SIGINT", "SIGTERM", "SIGHUP")]
        before = {number: signal.signal(number, self._caught.catch) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
