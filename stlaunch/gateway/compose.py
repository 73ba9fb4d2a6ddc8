"""Stack the layers around an app: the one place that knows their order.

    ForwardedHeaders -> RequestLog -> BasePath -> TrafficMonitor -> Embedding -> UploadPieces
        -> FallbackTransport -> SelfCheck -> HandshakeRecorder -> SessionGate -> SameOrigin
        -> Cookie -> Page -> MissingAsset -> (PageChangeLog) -> CompressedAssets -> the app

A layer that has nothing more to do hands back the next layer's awaitable instead of awaiting it:
no coroutine of it stays with an open socket (300 bytes a layer). The outermost one is a coroutine
function all the same, by which ASGI servers tell ASGI 3 from ASGI 2.

Never put a layer above ForwardedHeaders (it removes forged identities), nor one that accepts
sockets above SameOrigin; SelfCheck's echo socket has a rule of its own, its tickets.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from starlette.types import ASGIApp, Scope

from stlaunch import streamlit_adapter
from stlaunch.diagnostics.handshake import HandshakeStats
from stlaunch.forwarded import TrustedProxies
from stlaunch.gateway.assets import AssetStore, asset_folder
from stlaunch.gateway.middleware.base_path import BasePathMiddleware
from stlaunch.gateway.middleware.compressed_assets import CompressedAssetsMiddleware
from stlaunch.gateway.middleware.cookies import CookieMiddleware
from stlaunch.gateway.middleware.embedding import EmbeddingMiddleware
from stlaunch.gateway.middleware.forwarded_headers import ForwardedHeadersMiddleware
from stlaunch.gateway.middleware.handshake_recorder import HandshakeRecorderMiddleware
from stlaunch.gateway.middleware.missing_assets import MissingAssetMiddleware
from stlaunch.gateway.middleware.request_log import PageChangeLogMiddleware, RequestLogMiddleware
from stlaunch.gateway.middleware.same_origin import SameOriginMiddleware
from stlaunch.gateway.middleware.session_limit import SessionLimitMiddleware
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.monitor.observed_routes import ObservedRoutes
from stlaunch.gateway.monitor.traffic_monitor import TrafficMonitorMiddleware
from stlaunch.gateway.origin_policy import OriginPolicy, OriginProof, derive_secret
from stlaunch.gateway.page.rewriting import PageMiddleware, proof_cookies
from stlaunch.gateway.page.script import PAGE_SCRIPT_VERSION
from stlaunch.gateway.selfcheck.access import AccessPolicy
from stlaunch.gateway.selfcheck.endpoints import SelfCheckMiddleware
from stlaunch.gateway.selfcheck.probes import Probes
from stlaunch.gateway.selfcheck.rate_limiter import RateLimiter
from stlaunch.gateway.selfcheck.report import Facts, Instance
from stlaunch.gateway.selfcheck.tickets import ProbeArrivals, Tickets
from stlaunch.gateway.state import Readiness
from stlaunch.gateway.tunnel.endpoint import FallbackTransport
from stlaunch.gateway.tunnel.registry import TunnelRegistry
from stlaunch.gateway.uploads.pieces import UploadPieces
from stlaunch.settings.model import SelfCheck, Settings, Transport
from stlaunch.streamlit_adapter import UserOption
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import Origin, PublicUrl
from stlaunch.urls.public_paths import PublicPaths


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """Everything that the layers need to know.

    Attributes:
        paths: the public and mount paths.
        policy: the same-origin rule.
        trusted: whose forwarding headers are believed.
        proof_secret: signs the origin proof.
        public_url: the user's, else the platform's.
        is_embedded: whether cookies have to work in a frame of another site.
        frame_ancestors: the only sites that may show the app in a frame; empty: any.
        access_policy: `--self-check`.
        app_base: `server.baseUrlPath`, in front of all that a plain script serves.
        uses_root_path: for FastAPI and Starlette, which take the public path from ASGI.
        is_own_route: tells an `st.App`'s routes beside Streamlit's, likewise.
        mounts: where Streamlit is inside the app.
        identity_headers: names that an untrusted peer may not send.
        readiness: shared with whoever drains.
        max_sessions: how many sessions there may be; None for any number.
        is_access_logged: `--access-log`.
        transport: whether pages may fall back to HTTP, or must use it.
        tunnels: the fallback's connections, shared with whoever stops the server.
        max_message_bytes: Streamlit's limit for one message.
        assets: Streamlit's static files, compressed; None to leave them as they are.
        max_upload_bytes: Streamlit's limit for one file.
        ping_interval_s: how often a quiet socket is used.
        instance: this process.
    """

    paths: PublicPaths
    policy: OriginPolicy
    trusted: TrustedProxies
    proof_secret: bytes
    public_url: PublicUrl | None = None
    is_embedded: bool = False
    frame_ancestors: tuple[Origin, ...] = ()
    access_policy: AccessPolicy = field(
        default_factory=lambda: AccessPolicy(access=SelfCheck.PUBLIC)
    )
    app_base: BasePath = BasePath()  # noqa: RUF009 - immutable
    uses_root_path: bool = False
    is_own_route: Callable[[Scope], bool] = lambda _scope: False
    mounts: Callable[[], Sequence[BasePath]] = lambda: (BasePath(),)
    identity_headers: Callable[[], frozenset[bytes]] = frozenset
    readiness: Readiness = field(default_factory=Readiness)
    max_sessions: int | None = None
    is_access_logged: bool = False
    transport: Transport = Transport.AUTO
    tunnels: TunnelRegistry = field(default_factory=TunnelRegistry)
    max_message_bytes: Callable[[], int] = lambda: 200_000_000
    assets: AssetStore | None = None
    max_upload_bytes: Callable[[], int] = lambda: 200_000_000
    ping_interval_s: Callable[[], int] = lambda: 30
    instance: Instance = field(default_factory=lambda: Instance(versions=installed_versions()))


def compose(app: ASGIApp, composition: Composition) -> ASGIApp:
    """Wrap `app` in all layers."""
    proof = OriginProof(composition.proof_secret)
    handshake_stats = HandshakeStats()
    learned = ObservedRoutes()
    sends_proof = composition.policy.is_proof_accepted
    instance, finding_log = composition.instance, FindingLog()
    tickets, arrivals = Tickets(secret=composition.proof_secret), ProbeArrivals()
    requests_by_mode: Counter[str] = Counter()
    if composition.assets is not None:
        app = CompressedAssetsMiddleware(app, store=composition.assets)
    if composition.is_access_logged:
        app = PageChangeLogMiddleware(app, page_of=streamlit_adapter.page_of)
    app = MissingAssetMiddleware(app)
    app = PageMiddleware(
        app,
        proof=proof,
        public_paths=composition.paths.known,
        sends_proof=sends_proof,
        version=PAGE_SCRIPT_VERSION,
        instance=instance.id,
        transport=composition.transport,
    )
    known = composition.paths.known
    app = CookieMiddleware(app, base=known[0] if known else BasePath())
    app = SameOriginMiddleware(
        app,
        policy=composition.policy,
        proof=proof,
        handshake_stats=handshake_stats,
        finding_log=finding_log,
    )
    app = SessionLimitMiddleware(
        app, readiness=composition.readiness, most=composition.max_sessions
    )
    app = HandshakeRecorderMiddleware(app, handshake_stats=handshake_stats, finding_log=finding_log)
    app = SelfCheckMiddleware(
        app,
        facts=Facts(
            instance=instance,
            readiness=composition.readiness,
            handshake_stats=handshake_stats,
            finding_log=finding_log,
            paths=composition.paths,
            learned=learned,
            requests_by_mode=requests_by_mode,
        ),
        access_policy=composition.access_policy,
        probes=Probes(
            instance=instance.id,
            rate_limiter=RateLimiter(),
            tickets=tickets,
            arrivals=arrivals,
            max_upload_bytes=composition.max_upload_bytes,
        ),
        proof=proof,
        proof_cookies=proof_cookies,
        sends_proof=sends_proof,
        ping_interval_s=composition.ping_interval_s,
    )
    if composition.transport is not Transport.WEBSOCKET:
        app = FallbackTransport(
            app,
            registry=composition.tunnels,
            instance=instance.id,
            max_message_bytes=composition.max_message_bytes,
            handshake_stats=handshake_stats,
            identity_headers=composition.identity_headers,
            finding_log=finding_log,
        )
    app = UploadPieces(app, instance=instance.id, finding_log=finding_log)
    app = EmbeddingMiddleware(
        app,
        is_embedded=composition.is_embedded,
        frame_ancestors=composition.frame_ancestors,
    )
    app = TrafficMonitorMiddleware(
        app,
        finding_log=finding_log,
        learned=learned,
        instance=instance.id,
        public_paths=composition.paths.known,
        tickets=tickets,
        arrivals=arrivals,
        ping_interval_s=composition.ping_interval_s,
        requests_by_mode=requests_by_mode,
    )
    app = BasePathMiddleware(
        app,
        paths=composition.paths,
        app_base=composition.app_base,
        uses_root_path=composition.uses_root_path,
        is_own_route=composition.is_own_route,
        mounts=composition.mounts,
        is_asset=streamlit_adapter.is_static_asset,
    )
    app = RequestLogMiddleware(app, is_access_logged=composition.is_access_logged)
    return ForwardedHeadersMiddleware(
        app,
        trusted=composition.trusted,
        public_url=composition.public_url,
        identity_headers=composition.identity_headers,
        finding_log=finding_log,
    )


def new_self_check_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(24)


def composition_for(
    app: ASGIApp,
    settings: Settings,
    *,
    paths: PublicPaths,
    user_options: Mapping[str, UserOption],
    environ: Mapping[str, str],
) -> Composition:
    """Decide what the layers do, from what the user set for stlaunch and for Streamlit.

    Args:
        app: the app.
        settings: every setting, resolved.
        paths: where the app is looked for.
        user_options: what the user set for Streamlit.
        environ: names the folder for compressed assets.
    """
    is_streamlit = streamlit_adapter.is_streamlit_app(app)
    public_url, embed_in = settings.public_url.value, settings.embed_in
    return Composition(
        paths=paths,
        policy=origin_policy(settings, user_options),
        trusted=settings.trusted_proxies.value,
        proof_secret=derive_secret(streamlit_adapter.cookie_secret(user_options)),
        public_url=public_url,
        is_embedded=bool(embed_in.value),
        # The platform's frame is let in, and shuts nobody out.
        frame_ancestors=embed_in.value if embed_in.is_chosen else (),
        access_policy=AccessPolicy(
            access=settings.self_check.value,
            token=settings.self_check_token,
            is_proxied=bool(paths.known or paths.is_learning or public_url),
        ),
        app_base=paths.known[0] if is_streamlit and paths.known else BasePath(),
        uses_root_path=not is_streamlit,
        is_own_route=lambda scope: streamlit_adapter.is_own_route(app, scope),
        mounts=lambda: streamlit_adapter.find_streamlit_mounts(app),
        identity_headers=streamlit_adapter.trusted_user_headers,
        max_sessions=settings.max_sessions.value,
        is_access_logged=settings.access_log.value,
        transport=settings.transport.value,
        max_message_bytes=lambda: streamlit_adapter.websocket_options().max_message_bytes,
        assets=AssetStore(Path(streamlit_adapter.static_folder()), asset_folder(environ)),
        max_upload_bytes=streamlit_adapter.max_upload_bytes,
        ping_interval_s=lambda: streamlit_adapter.websocket_options().ping_interval_s,
    )


def origin_policy(settings: Settings, user_options: Mapping[str, UserOption]) -> OriginPolicy:
    """Return the same-origin policy; Streamlit's own allow-list and CORS switch are honoured.

    A platform's public URL is let in like an allowed origin, and refuses no other: the app may
    have further host names that the platform's variables do not name.
    """
    url = settings.public_url
    known = (url.value.origin,) if url.value else ()
    cors = user_options.get("server.enableCORS")
    listed = user_options.get("server.corsAllowedOrigins")
    origins = [Origin.parse(str(text).rstrip("/")) for text in (listed.value if listed else ())]
    return OriginPolicy(
        public_origins=known if url.is_chosen else (),
        allowed_origins=(
            *settings.allow_origin.value,
            *(() if url.is_chosen else known),
            *(origin for origin in origins if origin),
        ),
        check=settings.origin_check.value,
        is_cors_disabled=cors is not None and cors.value is False,
    )


def installed_versions() -> dict[str, str]:
    """Return the versions that a report about a problem needs."""
    return {name: version(name) for name in ("stlaunch", "streamlit", "starlette", "uvicorn")}
