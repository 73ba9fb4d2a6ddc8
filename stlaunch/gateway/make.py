# ruff: noqa: D103 - each function is described by the row of its name
# ruff: noqa: PLC0415 - the large endpoints are imported when they are built: at their first request
"""Build each row of the table in `compose.py`, in the same order.

Functions of layers take the rest of the chain, those of endpoints all chains below them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from starlette.types import ASGIApp

from stlaunch import streamlit_adapter
from stlaunch.gateway import refusal
from stlaunch.gateway.composition import Composition
from stlaunch.gateway.middleware.base_path import BasePathMiddleware
from stlaunch.gateway.middleware.compressed_assets import CompressedAssetsMiddleware
from stlaunch.gateway.middleware.cookies import CookieMiddleware
from stlaunch.gateway.middleware.embedding import EmbeddingMiddleware, RefusedUploadMiddleware
from stlaunch.gateway.middleware.forwarded_headers import ForwardedHeadersMiddleware
from stlaunch.gateway.middleware.large_logins import LargeLoginsMiddleware
from stlaunch.gateway.middleware.login_return import LoginReturnMiddleware
from stlaunch.gateway.middleware.missing_assets import MissingAssetMiddleware
from stlaunch.gateway.middleware.opening_turns import OpeningTurnsMiddleware
from stlaunch.gateway.middleware.readiness import ReadinessLifespan
from stlaunch.gateway.middleware.request_log import PageChangeLogMiddleware, RequestLogMiddleware
from stlaunch.gateway.middleware.same_origin import SameOriginMiddleware
from stlaunch.gateway.middleware.session_limit import (
    DrainingHealthMiddleware,
    FullPageMiddleware,
    SessionLimitMiddleware,
)
from stlaunch.gateway.monitor.large_headers import LargeHeaders
from stlaunch.gateway.monitor.traffic_monitor import TrafficMonitorMiddleware
from stlaunch.gateway.origin_policy import OriginProof
from stlaunch.gateway.page import script
from stlaunch.gateway.page.proof import TokenEndpoint
from stlaunch.gateway.page.rewriting import PageMiddleware
from stlaunch.gateway.state import GatewayState
from stlaunch.gateway.uploads.socket import UploadSocketEndpoint, UploadSocketLayer
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.streamlit_routes import RequestKind as Kind

Below = Mapping[tuple[str, Kind | None], ASGIApp]


def forwarded_headers(app: ASGIApp, composition: Composition, state: GatewayState) -> ASGIApp:
    return ForwardedHeadersMiddleware(
        app,
        trusted=composition.trusted,
        public_url=composition.public_url,
        identity_headers=composition.identity_headers,
        finding_log=state.finding_log,
    )


def request_log(app: ASGIApp, composition: Composition, _state: GatewayState) -> ASGIApp:
    return RequestLogMiddleware(app, is_access_logged=composition.is_access_logged)


def base_path(app: ASGIApp, composition: Composition, state: GatewayState) -> ASGIApp:
    return BasePathMiddleware(
        app,
        paths=composition.paths,
        app_base=composition.app_base,
        uses_root_path=composition.uses_root_path,
        is_own_route=composition.is_own_route,
        mounts=composition.mounts,
        is_asset=streamlit_adapter.is_static_asset,
        requests_by_mode=state.requests_by_mode,
        finding_log=state.finding_log,
    )


def traffic_monitor(app: ASGIApp, composition: Composition, state: GatewayState) -> ASGIApp:
    return TrafficMonitorMiddleware(
        app,
        state=state,
        ping_interval_s=composition.ping_interval_s,
        adapts_pings=composition.adapts_pings,
    )


def embedding(app: ASGIApp, composition: Composition, _state: GatewayState) -> ASGIApp:
    return EmbeddingMiddleware(app, frame_ancestors=composition.frame_ancestors)


def upload_pieces(below: Below, _composition: Composition, state: GatewayState) -> ASGIApp:
    from stlaunch.gateway.uploads.pieces import UploadPiecesEndpoint

    return UploadPiecesEndpoint(
        uploads=below["http", Kind.UPLOAD],
        instance_id=state.instance.id,
        finding_log=state.finding_log,
        app_site=state.app_site,
        places=state.upload_places,
    )


def tunnel(below: Below, composition: Composition, state: GatewayState) -> ASGIApp:
    from stlaunch.gateway.tunnel.endpoint import TunnelEndpoint

    return TunnelEndpoint(
        stream=below["websocket", Kind.STREAM],
        state=state,
        max_message_bytes=composition.max_message_bytes,
        identity_headers=composition.identity_headers,
    )


def self_check(_below: Below, composition: Composition, state: GatewayState) -> ASGIApp:
    from stlaunch.gateway.selfcheck.endpoint import SelfCheckEndpoint

    return SelfCheckEndpoint(
        state=state,
        access_policy=composition.access_policy,
        max_upload_bytes=composition.max_upload_bytes,
        ping_interval_s=composition.ping_interval_s,
    )


def token(_below: Below, composition: Composition, _state: GatewayState) -> ASGIApp:
    return TokenEndpoint(proof=OriginProof(composition.proof_secret))


def page_script(_below: Below, _composition: Composition, state: GatewayState) -> ASGIApp:
    return script.PageScript(state.instance.id, state.preloads)


def stripped_handshake(_below: Below, composition: Composition, state: GatewayState) -> ASGIApp:
    from stlaunch.gateway.middleware.stripped_handshake import StrippedHandshakeEndpoint

    return StrippedHandshakeEndpoint(
        handshakes=state.handshakes,
        finding_log=state.finding_log,
        app_site=state.app_site,
        policy=composition.policy,
        proof=OriginProof(composition.proof_secret),
    )


def not_found(_below: Below, _composition: Composition, _state: GatewayState) -> ASGIApp:
    return refusal.not_found


def upload_socket(
    app: ASGIApp, below: Below, composition: Composition, state: GatewayState
) -> ASGIApp:
    endpoint = UploadSocketEndpoint(
        below=below, places=state.upload_places, finding_log=state.finding_log
    )
    # Only the app's own pages: an origin that may open the stream cannot upload with requests.
    policy = replace(composition.policy, allowed_origins=(), is_cors_disabled=False)
    own_pages = replace(composition, policy=policy)
    return UploadSocketLayer(app, guarded=same_origin(endpoint, own_pages, state))


def readiness(app: ASGIApp, _composition: Composition, state: GatewayState) -> ASGIApp:
    return ReadinessLifespan(app, readiness=state.readiness)


def draining_health(app: ASGIApp, _composition: Composition, state: GatewayState) -> ASGIApp:
    return DrainingHealthMiddleware(app, readiness=state.readiness)


def full_page(app: ASGIApp, _composition: Composition, state: GatewayState) -> ASGIApp:
    return FullPageMiddleware(app, sessions=state.sessions)


def opening_turns(app: ASGIApp, _composition: Composition, state: GatewayState) -> ASGIApp:
    return OpeningTurnsMiddleware(app, readiness=state.readiness)


def session_limit(app: ASGIApp, _composition: Composition, state: GatewayState) -> ASGIApp:
    return SessionLimitMiddleware(app, readiness=state.readiness, sessions=state.sessions)


def same_origin(app: ASGIApp, composition: Composition, state: GatewayState) -> ASGIApp:
    return SameOriginMiddleware(
        app,
        policy=composition.policy,
        proof=OriginProof(composition.proof_secret),
        handshakes=state.handshakes,
        finding_log=state.finding_log,
        app_site=state.app_site,
    )


def refused_upload(app: ASGIApp, _composition: Composition, state: GatewayState) -> ASGIApp:
    return RefusedUploadMiddleware(app, finding_log=state.finding_log)


def cookie(app: ASGIApp, composition: Composition, _state: GatewayState) -> ASGIApp:
    known = composition.paths.known
    return CookieMiddleware(app, base=known[0] if known else BasePath())


def login_return(app: ASGIApp, _composition: Composition, _state: GatewayState) -> ASGIApp:
    return LoginReturnMiddleware(app)


def large_logins(app: ASGIApp, composition: Composition, state: GatewayState) -> ASGIApp:
    paths = composition.paths
    return LargeLoginsMiddleware(
        app,
        store=state.logins,
        large_headers=LargeHeaders(
            finding_log=state.finding_log,
            app_site=state.app_site,
            is_proxied=bool(paths.known or paths.is_learning or composition.public_url),
        ),
    )


def page(app: ASGIApp, composition: Composition, state: GatewayState) -> ASGIApp:
    return PageMiddleware(
        app,
        proof=OriginProof(composition.proof_secret),
        public_paths=composition.paths.known,
        sends_proof=composition.policy.sends_proof,
        script_query=script.page_script_query(state.instance.id),
        transport=composition.transport,
        takes_host_config=streamlit_adapter.takes_host_config,
        preloads=state.preloads,
    )


def missing_asset(app: ASGIApp, _composition: Composition, _state: GatewayState) -> ASGIApp:
    return MissingAssetMiddleware(app)


def page_change_log(app: ASGIApp, _composition: Composition, _state: GatewayState) -> ASGIApp:
    return PageChangeLogMiddleware(app, page_of=streamlit_adapter.page_of)


def compressed_assets(app: ASGIApp, composition: Composition, _state: GatewayState) -> ASGIApp:
    if composition.assets is None:
        return app
    return CompressedAssetsMiddleware(app, store=composition.assets)
