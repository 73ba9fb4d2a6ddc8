"""A slot for an instance: its socket, and the process that fills it for a while."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from enum import Enum
from typing import TYPE_CHECKING

from stlaunch.errors import StartError
from stlaunch.process.answers import answers_ok
from stlaunch.process.parent_death import end_with_parent
from stlaunch.process.unix import UNIX_FAMILY
from stlaunch.proxies.process import end_process_group, has_ended
from stlaunch.replicas.backoff import Backoff
from stlaunch.urls.streamlit_routes import SELF_CHECK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

_READY_PATH = SELF_CHECK + "/ready"
_ASK_TIMEOUT_S = 2.0


class Phase(Enum):
    """What a place is doing."""

    EMPTY = "empty"
    """Spare: the next instance of a rolling restart starts here."""
    STARTING = "starting"
    READY = "ready"
    DRAINING = "draining"
    """It was asked to stop, and finishes what is running."""
    WAITING = "waiting"
    """Its process ended by itself; another one starts here when `start_at` comes."""


class Place:
    """A socket, and at most one process on it.

    Attributes:
        number: from 1, as HAProxy counts them.
        socket: where an instance in this place listens.
        phase: what the place is doing.
        start_at: when a waiting place starts its process again.
        started_at: when its process was started.
        generation: the rolling restart that its process belongs to.
        has_answered: whether the balancer has had an answer from its process.
        is_silent: whether the log says that the process has stopped answering.
    """

    def __init__(self, number: int, folder: Path) -> None:
        self.number = number
        self.socket = folder / f"{number}.sock"
        self.phase = Phase.EMPTY
        self.start_at = 0.0
        self.started_at = 0.0
        self.generation = 0
        self.has_answered = False
        self.is_silent = False
        self._backoff = Backoff()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id, while there is a process."""
        return self._process.pid if self._process else None

    def start(
        self,
        command: Sequence[str],
        words: Sequence[str],
        environ: Mapping[str, str],
        generation: int,
    ) -> None:
        """Start a process for this place.

        Raises:
            StartError: where the machine allows no further process, or the command is gone.
        """
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own command line
                [*command, "--uds", str(self.socket), *words],
                env=environ,
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C is for the supervisor alone, which passes it on
                preexec_fn=end_with_parent(),  # noqa: PLW1509 - no other thread runs
            )
        except OSError as exc:
            raise StartError(f"{command[0]} cannot be started: {exc.strerror}.") from exc
        self.started_at = time.monotonic()
        self.generation = generation
        self.has_answered = self.is_silent = False
        self.phase = Phase.STARTING

    def drain(self) -> None:
        """Ask the process to stop; it finishes what runs.

        It is asked once: a second signal would end it at once.
        """
        if self.phase is not Phase.DRAINING:
            self._signal(signal.SIGTERM)
            self.phase = Phase.DRAINING

    def insist(self) -> None:
        """Ask again: the second signal makes an instance stop at once."""
        self._signal(signal.SIGTERM)

    def end_now(self) -> int | None:
        """End the process and its children, and return its exit code."""
        process, self._process = self._process, None
        self.phase = Phase.EMPTY
        code = end_process_group(process) if process else None
        with contextlib.suppress(OSError):  # the next instance replaces it
            self.socket.unlink()
        return code

    def reap(self) -> int | None:
        """Return the exit code where the process has ended by itself, else None."""
        if self._process is None or not has_ended(self._process):
            return None
        return self.end_now()

    def wait_to_start(self, now: float) -> float:
        """Let the place wait, longer each time, and return how long."""
        wait_s = self._backoff.ended(now)
        self.start_at = now + wait_s
        self.phase = Phase.WAITING
        return wait_s

    def look_whether_ready(self) -> bool:
        """Ask a starting process whether it serves, and note it if so."""
        if self.phase is Phase.STARTING and answers_ok(_UnixConnection(self.socket), _READY_PATH):
            self.phase = Phase.READY
            self._backoff.started(time.monotonic())
        return self.phase is Phase.READY

    def _signal(self, number: signal.Signals) -> None:
        # Not reaped yet, so the number is still its own; a zombie takes the signal in silence.
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._process.pid, number)


class _UnixConnection(http.client.HTTPConnection):
    """An HTTP connection over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=_ASK_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(UNIX_FAMILY)
        self.sock.settimeout(_ASK_TIMEOUT_S)
        self.sock.connect(str(self._path))
