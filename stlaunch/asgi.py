"""Stack the layers around an app: the one place that knows their order.

    ForwardedHeaders -> BasePath -> UploadPieces -> FallbackTransport -> SelfCheck
        -> HandshakeRecorder -> SameOrigin -> Cookie -> Page -> MissingAsset -> the app

Never put a layer above ForwardedHeaders (it removes forged identities), nor one that accepts
sockets above SameOrigin.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version

from starlette.types import ASGIApp, Scope

from stlaunch import streamlit_adapter
from stlaunch.base_path import BasePath
from stlaunch.fallback import FallbackTransport, TunnelRegistry, UploadPieces
from stlaunch.forwarded import TrustedProxies
from stlaunch.handshake import HandshakeLedger
from stlaunch.middleware import (
    BasePathMiddleware,
    CookieMiddleware,
    ForwardedHeadersMiddleware,
    HandshakeRecorderMiddleware,
    MissingAssetMiddleware,
    PageMiddleware,
    SameOriginMiddleware,
)
from stlaunch.middleware.page import proof_cookies
from stlaunch.origin import Origin, PublicUrl
from stlaunch.platforms.container import is_in_container
from stlaunch.public_paths import PublicPaths
from stlaunch.same_origin import OriginPolicy, OriginProof, derive_secret
from stlaunch.selfcheck import PAGE_SCRIPT_VERSION, Instance, Readiness, SelfCheckMiddleware
from stlaunch.settings.model import Settings, Transport
from stlaunch.settings.resolve import resolve_settings
from stlaunch.streamlit_adapter import UserOption


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """Everything that the layers need to know.

    Attributes:
        paths: the public and mount paths.
        policy: the same-origin rule.
        trusted: whose forwarding headers are believed.
        proof_secret: signs the origin proof.
        public_url: where the user gave one.
        is_diagnostic: `--self-check`.
        app_base: `server.baseUrlPath`, in front of all that a plain script serves.
        uses_root_path: for FastAPI and Starlette, which take the public path from ASGI.
        is_own_route: tells an `st.App`'s routes beside Streamlit's, likewise.
        mounts: where Streamlit is inside the app.
        identity_headers: names that an untrusted peer may not send.
        readiness: shared with whoever drains.
        transport: whether pages may fall back to HTTP, or must use it.
        tunnels: the fallback's connections, shared with whoever stops the server.
        largest_message_bytes: Streamlit's limit for one message.
    """

    paths: PublicPaths
    policy: OriginPolicy
    trusted: TrustedProxies
    proof_secret: bytes
    public_url: PublicUrl | None = None
    is_diagnostic: bool = True
    app_base: BasePath = BasePath()  # noqa: RUF009 - immutable
    uses_root_path: bool = False
    is_own_route: Callable[[Scope], bool] = lambda _scope: False
    mounts: Callable[[], Sequence[BasePath]] = lambda: (BasePath(),)
    identity_headers: Callable[[], frozenset[bytes]] = frozenset
    readiness: Readiness = field(default_factory=Readiness)
    transport: Transport = Transport.AUTO
    tunnels: TunnelRegistry = field(default_factory=TunnelRegistry)
    largest_message_bytes: Callable[[], int] = lambda: 200_000_000


def compose(app: ASGIApp, composition: Composition) -> ASGIApp:
    """Wrap `app` in all layers."""
    proof = OriginProof(composition.proof_secret)
    ledger = HandshakeLedger()
    sends_proof = composition.policy.is_proof_accepted
    instance = Instance(versions=installed_versions())
    app = MissingAssetMiddleware(app)
    app = PageMiddleware(
        app,
        proof=proof,
        public_paths=composition.paths.known,
        sends_proof=sends_proof,
        version=PAGE_SCRIPT_VERSION,
        transport=composition.transport,
    )
    known = composition.paths.known
    app = CookieMiddleware(app, base=known[0] if known else BasePath())
    app = SameOriginMiddleware(app, policy=composition.policy, proof=proof, ledger=ledger)
    app = HandshakeRecorderMiddleware(app, ledger=ledger)
    app = SelfCheckMiddleware(
        app,
        instance=instance,
        readiness=composition.readiness,
        ledger=ledger,
        paths=composition.paths,
        proof=proof,
        proof_cookies=proof_cookies,
        is_diagnostic=composition.is_diagnostic,
        sends_proof=sends_proof,
    )
    if composition.transport is not Transport.WEBSOCKET:
        app = FallbackTransport(
            app,
            registry=composition.tunnels,
            instance=instance.id,
            largest_message_bytes=composition.largest_message_bytes,
            ledger=ledger,
            identity_headers=composition.identity_headers,
        )
    app = UploadPieces(app, instance=instance.id)
    app = BasePathMiddleware(
        app,
        paths=composition.paths,
        app_base=composition.app_base,
        uses_root_path=composition.uses_root_path,
        is_own_route=composition.is_own_route,
        mounts=composition.mounts,
        is_asset=streamlit_adapter.is_static_asset,
    )
    return ForwardedHeadersMiddleware(
        app,
        trusted=composition.trusted,
        public_url=composition.public_url,
        identity_headers=composition.identity_headers,
    )


def wrap_app(
    app: ASGIApp,
    *,
    behind_proxy: str | Sequence[str] = (),
    public_url: str | None = None,
    trusted_proxies: Sequence[str] | None = None,
    allow_origins: Sequence[str] = (),
    origin_check: str = "proof",
    mount_paths: Sequence[str] = (),
    self_check: bool = True,
    environ: Mapping[str, str] | None = None,
) -> ASGIApp:
    """Give an app of your own what `stlaunch app.py` gives a script, under any ASGI server.

    `app` is an `st.App`, or a FastAPI or Starlette app with Streamlit mounted in it. Switch the
    server's own proxy headers off (`uvicorn --no-proxy-headers`): they are read here.

        app = stlaunch.wrap_app(st.App("app.py"), behind_proxy="/streamlitApp")

    Args:
        app: the app; Streamlit mounts are found, also those added later.
        behind_proxy: the public path or URL, or several; empty: found out from requests.
        public_url: the address that the browser shows.
        trusted_proxies: addresses and networks; None for loopback, and private ones in a container.
        allow_origins: other sites that may open the app's socket.
        origin_check: `proof` or `strict`.
        mount_paths: other paths that may arrive.
        self_check: serve `{base}/_stlaunch/check`.
        environ: for the detection of a container; None for this process's.

    Raises:
        UsageError: for a value that cannot be used.
    """
    settings = resolve_settings(
        target="",
        values={
            "behind_proxy": [behind_proxy] if isinstance(behind_proxy, str) else behind_proxy,
            "public_url": [] if public_url is None else [public_url],
            "trusted_proxies": () if trusted_proxies is None else trusted_proxies,
            "allow_origin": allow_origins,
            "origin_check": [origin_check],
            "mount_path": mount_paths,
            "self_check": ["on" if self_check else "off"],
        },
        environ={},
        project={},
    )
    user_options = streamlit_adapter.current_user_options()
    is_streamlit = streamlit_adapter.is_streamlit_app(app)
    if is_streamlit and settings.public_paths:
        streamlit_adapter.set_base_url_path(settings.public_paths[0])
    composition = composition_for(
        app,
        settings,
        paths=public_paths_for(settings, is_learning=not settings.public_paths),
        user_options=user_options,
        in_container=is_in_container(os.environ if environ is None else environ, os.path.exists),
    )
    return compose(app, composition)


def public_paths_for(settings: Settings, *, is_learning: bool) -> PublicPaths:
    """Return where the app is looked for."""
    return PublicPaths(
        known=settings.public_paths, mounts=settings.mount_paths, is_learning=is_learning
    )


def composition_for(
    app: ASGIApp,
    settings: Settings,
    *,
    paths: PublicPaths,
    user_options: Mapping[str, UserOption],
    in_container: bool,
) -> Composition:
    """Decide what the layers do, from what the user set for stlaunch and for Streamlit."""
    is_streamlit = streamlit_adapter.is_streamlit_app(app)
    return Composition(
        paths=paths,
        policy=origin_policy(settings, user_options),
        trusted=settings.trusted_proxies or TrustedProxies.default(in_container=in_container),
        proof_secret=derive_secret(streamlit_adapter.cookie_secret(user_options)),
        public_url=settings.public_url,
        is_diagnostic=settings.self_check,
        app_base=paths.known[0] if is_streamlit and paths.known else BasePath(),
        uses_root_path=not is_streamlit,
        is_own_route=lambda scope: streamlit_adapter.is_own_route(app, scope),
        mounts=lambda: streamlit_adapter.find_streamlit_mounts(app),
        identity_headers=streamlit_adapter.trusted_user_headers,
        transport=settings.transport,
        largest_message_bytes=lambda: streamlit_adapter.websocket_options().largest_message_bytes,
    )


def origin_policy(settings: Settings, user_options: Mapping[str, UserOption]) -> OriginPolicy:
    """Return the same-origin policy; Streamlit's own allow-list and CORS switch are honoured."""
    cors = user_options.get("server.enableCORS")
    listed = user_options.get("server.corsAllowedOrigins")
    origins = [Origin.parse(str(text).rstrip("/")) for text in (listed.value if listed else ())]
    return OriginPolicy(
        public_origins=(settings.public_url.origin,) if settings.public_url else (),
        allowed_origins=(*settings.allow_origins, *(origin for origin in origins if origin)),
        check=settings.origin_check,
        is_cors_disabled=cors is not None and cors.value is False,
    )


def installed_versions() -> dict[str, str]:
    """Return the versions that a report about a problem needs."""
    return {name: version(name) for name in ("stlaunch", "streamlit", "starlette", "uvicorn")}
