"""Whether this process takes sessions; it decides nothing about what is answered."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Readiness:
    """Whether the app can take sessions: started, warm and not draining.

    Attributes:
        is_started: the app's own start-up is over; who can ask is answered, so it listens too.
        is_draining: told to stop, and waiting for what is going on.
        not_warm: why the warm-up does not let anybody in yet; empty where it does.
    """

    is_started: bool = False
    is_draining: bool = False
    not_warm: str = ""

    @property
    def is_ready(self) -> bool:
        """Whether new sessions are taken."""
        return self.is_started and not self.is_draining and not self.not_warm

    @property
    def reason(self) -> str:
        """What is missing, for a person; empty when ready."""
        if self.is_draining:
            return "draining"
        if not self.is_started:
            return "starting"
        return self.not_warm
