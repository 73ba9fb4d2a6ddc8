"""List the layers and endpoints around an app in one table, each with its kinds and its reason.

A request passes the rows of its kind from top to bottom. The first endpoint answers it; if there is
none, the app does. `tests/asgi/test_compose.py` prints the table.

A layer with nothing left to do returns the next layer's awaitable instead of awaiting it, so that
its coroutine does not stay in memory with an open socket (300 bytes a layer). The outermost layer
has to be a coroutine function: that is how ASGI servers tell ASGI 3 from ASGI 2.
"""

from __future__ import annotations

from starlette.types import ASGIApp

from stlaunch import streamlit_adapter
from stlaunch.gateway import make
from stlaunch.gateway.app_site import AppSite
from stlaunch.gateway.chains import ALL, Branch, Dispatch, Endpoint, Layer, build_chains, kinds
from stlaunch.gateway.composition import Composition
from stlaunch.gateway.login_store import LoginStore
from stlaunch.gateway.monitor.detectors import Detectors, Replicas
from stlaunch.gateway.page.preloads import Preloads
from stlaunch.gateway.selfcheck.tickets import Tickets
from stlaunch.gateway.state import GatewayState, session_places
from stlaunch.settings.model import Transport
from stlaunch.urls.streamlit_routes import RequestKind as Kind

_OURS = kinds(Kind.TUNNEL, Kind.PIECES, Kind.TOKEN, Kind.PAGE_SCRIPT, Kind.SELF_CHECK, Kind.ALIAS)
_APPS = ALL - _OURS

# Every request passes these; the last one decides its kind.
OUTER = (
    Layer(
        name="ForwardedHeaders",
        make=make.forwarded_headers,
        http=ALL,
        websocket=ALL,
        reason="removes forged identity headers, so nothing may come before it",
    ),
    Layer(
        name="RequestLog",
        make=make.request_log,
        http=ALL,
        websocket=ALL,
        reason="needs the trusted client address, and the path before BasePath changes it",
    ),
    Layer(
        name="BasePath",
        make=make.base_path,
        http=ALL,
        websocket=ALL,
        reason="decides the kind, which selects the rows below",
    ),
)

BY_KIND = (
    Layer(
        name="TrafficMonitor",
        make=make.traffic_monitor,
        http=kinds(Kind.PAGE, Kind.STREAM, Kind.TUNNEL, Kind.PAGE_SCRIPT),
        websocket=kinds(Kind.STREAM),
        reason="must see what browsers send, not what the tunnel opens below",
    ),
    Layer(
        name="Embedding",
        make=make.embedding,
        http=_APPS - kinds(Kind.STREAM, Kind.ASSET) | kinds(Kind.TOKEN),
        when=lambda composition: composition.is_embedded,
        reason="changes the cookies that all rows below set, the token's included",
    ),
    Endpoint(
        name="UploadPieces",
        make=make.upload_pieces,
        http=kinds(Kind.PIECES),
        reason="sends the upload into the rows below, under the rules of any upload",
    ),
    Endpoint(
        name="Tunnel",
        make=make.tunnel,
        http=kinds(Kind.TUNNEL),
        when=lambda composition: composition.transport is not Transport.WEBSOCKET,
        reason="opens a WebSocket into the rows below, under the rules of any stream",
    ),
    Endpoint(
        name="SelfCheck",
        make=make.self_check,
        http=kinds(Kind.SELF_CHECK),
        websocket=kinds(Kind.SELF_CHECK),
        reason="guards its echo socket with tickets, not with SameOrigin",
    ),
    Endpoint(
        name="Token",
        make=make.token,
        http=kinds(Kind.TOKEN),
        when=lambda composition: composition.policy.sends_proof,
        reason="below Embedding, which has to change the cookies it sets",
    ),
    Endpoint(
        name="PageScript",
        make=make.page_script,
        http=kinds(Kind.PAGE_SCRIPT),
        reason="below TrafficMonitor, which takes it as the sign that a page is running",
    ),
    Endpoint(
        name="StrippedHandshake",
        make=make.stripped_handshake,
        http=kinds(Kind.STREAM),
        reason="answers before Streamlit does, which would send its page",
    ),
    Endpoint(
        name="NotFound",
        make=make.not_found,
        http=_OURS,
        websocket=_OURS,
        reason="keeps our addresses from the app: unused aliases, and what an option switched off",
    ),
    Branch(
        name="UploadSocket",
        make=make.upload_socket,
        websocket=kinds(Kind.STREAM),
        reason="below the tunnel, which can carry it too; above SessionLimit, as it is no session",
    ),
    Layer(
        name="Readiness",
        make=make.readiness,
        has_lifespan=True,
        reason="meets no request: notes when the app has started, and when it stops",
    ),
    Layer(
        name="DrainingHealth",
        make=make.draining_health,
        http=kinds(Kind.HEALTH),
        reason="answers for Streamlit, which does not know that the app is draining",
    ),
    Layer(
        name="FullPage",
        make=make.full_page,
        http=kinds(Kind.PAGE),
        reason="above Page, to do no work for a page that could not connect",
    ),
    Layer(
        name="OpeningTurns",
        make=make.opening_turns,
        websocket=kinds(Kind.STREAM),
        reason="above SessionLimit, whose decision must still hold when the app is asked",
    ),
    Layer(
        name="SessionLimit",
        make=make.session_limit,
        websocket=kinds(Kind.STREAM),
        reason="below the tunnel, whose sessions count too",
    ),
    Layer(
        name="SameOrigin",
        make=make.same_origin,
        websocket=kinds(Kind.STREAM),
        reason="below the tunnel, above everything that accepts a socket",
    ),
    Layer(
        name="RefusedUpload",
        make=make.refused_upload,
        http=kinds(Kind.UPLOAD),
        when=lambda composition: not composition.is_embedded,
        reason="below UploadPieces, whose uploads count too",
    ),
    Layer(
        name="Cookie",
        make=make.cookie,
        http=_APPS - kinds(Kind.STREAM),
        websocket=_APPS,
        reason="below our endpoints: covers only what the app answers",
    ),
    Layer(
        name="LoginReturn",
        make=make.login_return,
        http=kinds(Kind.STREAMLIT),
        reason="below Cookie, which makes its cookie Secure",
    ),
    Layer(
        name="LargeLogins",
        make=make.large_logins,
        http=kinds(Kind.STREAMLIT),
        websocket=kinds(Kind.STREAM),
        reason="below Cookie, which gives the login cookies the names that the app knows",
    ),
    Layer(
        name="Page",
        make=make.page,
        http=kinds(Kind.PAGE),
        reason="below Cookie, which makes the page's cookies Secure",
    ),
    Layer(
        name="MissingAsset",
        make=make.missing_asset,
        http=kinds(Kind.ASSET),
        reason="answers for the app, which would send its page",
    ),
    Layer(
        name="PageChangeLog",
        make=make.page_change_log,
        websocket=kinds(Kind.STREAM),
        when=lambda composition: composition.is_access_logged,
        reason="below SameOrigin, because a refused socket shows no page",
    ),
    Layer(
        name="CompressedAssets",
        make=make.compressed_assets,
        http=kinds(Kind.ASSET),
        has_lifespan=True,
        when=lambda composition: composition.assets is not None,
        reason="last, because it asks the app for the file's headers",
    ),
)


def compose(app: ASGIApp, composition: Composition) -> ASGIApp:
    """Wrap `app` in all layers."""
    limit = composition.max_sessions
    state = GatewayState(
        instance=composition.instance,
        readiness=composition.readiness,
        paths=composition.paths,
        sessions=session_places(limit) if limit is not None else None,
        tunnels=composition.tunnels,
        tickets=Tickets(secret=composition.proof_secret),
        logins=LoginStore(composition.proof_secret, composition.login_folder),
        protections_off=composition.protections_off,
        app_site=AppSite(
            max_upload_bytes=composition.max_upload_bytes,
            ping_interval_s=composition.ping_interval_s,
            embedders=composition.frame_ancestors,
        ),
        detectors=Detectors(replicas=Replicas(composition.instance.id)),
        preloads=Preloads(
            size_of=streamlit_adapter.static_asset_size, app_version=streamlit_adapter.app_version
        ),
    )
    app = Dispatch(build_chains(app, BY_KIND, composition, state))
    for layer in reversed(OUTER):
        app = layer.make(app, composition, state)
    return app
