"""Describe the app to the layers and endpoints; everything is decided before the start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from starlette.types import ASGIApp, Scope

from stlaunch import streamlit_adapter
from stlaunch.diagnostics.protections import PROTECTIONS
from stlaunch.forwarded import TrustedProxies
from stlaunch.gateway.assets import AssetStore, asset_folder
from stlaunch.gateway.instance import Instance, installed_versions
from stlaunch.gateway.login_store import LIFE_S, MAX_BYTES
from stlaunch.gateway.origin_policy import OriginPolicy, derive_secret
from stlaunch.gateway.origin_settings import origin_policy
from stlaunch.gateway.selfcheck.access import AccessPolicy
from stlaunch.gateway.state import Readiness
from stlaunch.gateway.tunnel.registry import TunnelRegistry
from stlaunch.quick_dataclass import dataclass
from stlaunch.settings.model import SelfCheck, Settings, Transport
from stlaunch.storage.sealed_folder import SealedFolder
from stlaunch.storage.state_folder import login_folder
from stlaunch.streamlit_adapter import UserOption
from stlaunch.urls import streamlit_defaults
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
        is_embedded: whether cookies must work in a frame of another site.
        frame_ancestors: the only sites that may show the app in a frame; empty: any.
        access_policy: `--self-check`.
        app_base: `server.baseUrlPath`, which prefixes every path of a plain script.
        uses_root_path: whether ASGI gives the app its public path, as for FastAPI and Starlette.
        is_own_route: recognises the routes of an `st.App` that are not Streamlit's, likewise.
        mounts: where Streamlit is inside the app.
        identity_headers: names that an untrusted peer may not send.
        readiness: shared with the drain.
        max_sessions: how many sessions there may be; None for any number.
        is_access_logged: `--access-log`.
        transport: whether pages may fall back to HTTP, or must use it.
        tunnels: the connections of the HTTP transport, shared with the drain.
        max_message_bytes: Streamlit's limit for one message.
        assets: Streamlit's static files, compressed; None to leave them as they are.
        max_upload_bytes: Streamlit's limit for one file.
        ping_interval_s: how often Streamlit pings a quiet socket.
        adapts_pings: whether stlaunch may lower the interval when quiet sockets are cut.
        protections_off: the Streamlit options with which the user switched protections off.
        instance: this process.
        login_folder: stores large logins; None without a configured cookie secret.
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
    app_base: BasePath = BasePath()
    uses_root_path: bool = False
    is_own_route: Callable[[Scope], bool] = lambda _scope: False
    mounts: Callable[[], Sequence[BasePath]] = lambda: (BasePath(),)
    identity_headers: Callable[[], frozenset[bytes]] = frozenset
    readiness: Readiness = field(default_factory=Readiness)
    max_sessions: int | None = None
    is_access_logged: bool = False
    transport: Transport = Transport.AUTO
    tunnels: TunnelRegistry = field(default_factory=TunnelRegistry)
    max_message_bytes: Callable[[], int] = lambda: streamlit_defaults.MAX_MESSAGE_BYTES
    assets: AssetStore | None = None
    max_upload_bytes: Callable[[], int] = lambda: streamlit_defaults.MAX_UPLOAD_BYTES
    ping_interval_s: Callable[[], int] = lambda: streamlit_defaults.PING_INTERVAL_S
    adapts_pings: bool = True
    protections_off: tuple[str, ...] = ()
    instance: Instance = field(default_factory=lambda: Instance(versions=installed_versions()))
    login_folder: SealedFolder | None = None


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
        paths: the paths at which the app is served.
        user_options: what the user set for Streamlit.
        environ: names the folders for compressed assets and for logins.
    """
    is_streamlit = streamlit_adapter.is_streamlit_app(app)
    public_url, embed_in = settings.public_url.value, settings.embed_in
    cookie_secret = streamlit_adapter.cookie_secret(user_options)
    proof_secret = derive_secret(cookie_secret)
    return Composition(
        paths=paths,
        policy=origin_policy(settings, user_options),
        trusted=settings.trusted_proxies.value,
        proof_secret=proof_secret,
        public_url=public_url,
        is_embedded=bool(embed_in.value),
        # The platform's own frame is allowed, without locking anybody else out.
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
        adapts_pings="server.websocketPingInterval" not in user_options,
        login_folder=SealedFolder(
            find_folder=lambda: login_folder(environ),
            key=proof_secret,
            max_bytes=MAX_BYTES,
            life_s=LIFE_S,
        )
        if cookie_secret
        else None,
        protections_off=tuple(
            key for key in PROTECTIONS if key in user_options and user_options[key].value is False
        ),
    )
