"""Hold the state that the layers and endpoints of one process share; `compose` makes it once.

It counts and remembers; it never decides how a request is answered.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import field

from stlaunch.diagnostics.handshake import HandshakeStats
from stlaunch.gateway.app_site import AppSite
from stlaunch.gateway.instance import Instance
from stlaunch.gateway.login_store import LoginStore
from stlaunch.gateway.monitor.detectors import Detectors
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.monitor.observed_routes import ObservedRoutes
from stlaunch.gateway.page.preloads import Preloads
from stlaunch.gateway.places import PlaceLimits, Places
from stlaunch.gateway.selfcheck.rate_limiter import RateLimiter
from stlaunch.gateway.selfcheck.tickets import ReceivedProbes, Tickets
from stlaunch.gateway.tunnel.registry import TunnelRegistry
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.public_paths import PublicPaths

UPLOAD_LIMITS = PlaceLimits(most=64, per_browser=8, per_address=16, per_proxy=48)


@dataclass(slots=True)
class Readiness:
    """Whether the app can take sessions: started, warm and not draining.

    Attributes:
        is_started: the app has completed its start-up.
        is_draining: the app is stopping, and waits for running scripts.
        not_warm: why the warm-up still blocks visitors; empty if it does not.
        waiting: how many handshakes wait for their turn to be opened.
    """

    is_started: bool = False
    is_draining: bool = False
    not_warm: str = ""
    waiting: int = 0

    @property
    def is_ready(self) -> bool:
        """Whether the app accepts new sessions."""
        return self.is_started and not self.is_draining and not self.not_warm

    @property
    def reason(self) -> str:
        """Why the app is not ready, as text; empty when it is."""
        if self.is_draining:
            return "draining"
        if not self.is_started:
            return "starting"
        return self.not_warm


def session_places(limit: int) -> Places:
    """Return the places of `--max-sessions`, some of which are always left for other visitors.

    One browser or one address leaves an eighth to others, at least one place. An address that may
    be a proxy's represents many visitors, who together may take all places.
    """
    share = limit - max(1, limit // 8) if limit > 1 else limit
    return Places(
        PlaceLimits(most=limit, per_browser=share, per_address=share, per_proxy=limit),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayState:
    """Everything that more than one layer or endpoint reads or writes.

    Attributes:
        instance: this process.
        readiness: shared with the drain and the warm-up.
        paths: the public paths, given and learned.
        sessions: who holds one; None if there is no limit.
        tunnels: the open connections of the HTTP transport, shared with the drain.
        handshakes: counts of handshakes and transports.
        finding_log: the problems that this process has noticed.
        detectors: what the monitor remembers of the traffic.
        preloads: which of Streamlit's scripts each page uses.
        observed_routes: how pages reached the app.
        requests_by_mode: how many requests came kept, how many stripped.
        tickets: signs and reads the tickets of probes.
        logins: the login cookies that are too large for a browser and a proxy.
        app_site: the app's address and limits, for the lines of fixes.
        received_probes: the handshake that arrived with each ticket.
        rate_limiter: limits what probes may use.
        protections_off: the Streamlit options with which the user switched protections off.
        upload_places: how many uploads each visitor has in progress, in pieces or over a socket.
    """

    instance: Instance
    readiness: Readiness
    paths: PublicPaths
    sessions: Places | None
    tunnels: TunnelRegistry
    tickets: Tickets
    logins: LoginStore
    detectors: Detectors
    preloads: Preloads
    protections_off: tuple[str, ...] = ()
    app_site: AppSite = field(default_factory=AppSite)
    handshakes: HandshakeStats = field(default_factory=HandshakeStats)
    finding_log: FindingLog = field(default_factory=FindingLog)
    observed_routes: ObservedRoutes = field(default_factory=ObservedRoutes)
    requests_by_mode: Counter[str] = field(default_factory=Counter)
    received_probes: ReceivedProbes = field(default_factory=ReceivedProbes)
    rate_limiter: RateLimiter = field(default_factory=RateLimiter)
    upload_places: Places = field(default_factory=lambda: Places(UPLOAD_LIMITS))
