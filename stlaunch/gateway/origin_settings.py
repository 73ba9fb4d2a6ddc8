"""Read the same-origin policy from the settings; `stlaunch.gateway.origin_policy` applies it."""

from __future__ import annotations

from collections.abc import Mapping

from stlaunch.gateway.origin_policy import OriginPolicy
from stlaunch.settings.model import Settings
from stlaunch.streamlit_adapter import UserOption
from stlaunch.urls.origin import Origin


def origin_policy(settings: Settings, user_options: Mapping[str, UserOption]) -> OriginPolicy:
    """Return the same-origin policy; Streamlit's own allow-list and CORS switch are honoured.

    A platform's public URL counts as an allowed origin and excludes no other: the app may have
    more host names than the platform's variables list.
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
