"""IIS with Application Request Routing 3, URL Rewrite 2 and the WebSocket module; lines alone."""

from __future__ import annotations

from stlaunch.proxies.fixes.model import Need, Part, Recipe, Site


def _identity(site: Site) -> tuple[Part, ...]:
    lines = "\n".join(
        f'<set name="HTTP_{name.upper().replace("-", "_")}" value="" />'
        for name in (*site.identity_headers, "Forwarded", "X-Forwarded-Prefix", "X-Forwarded-Port")
    )
    return (Part("variables", lines, "Nobody may say himself who he is or where he is."),)


RECIPE = Recipe(
    places={
        "variables": "in web.config, in the rule's `<serverVariables>`",
        "webserver": "in web.config, in `<system.webServer>`",
        "server": "in a shell of the server's administrator",
    },
    reload="iisreset",
    parts={
        Need.UPGRADE: (
            Part(
                "webserver",
                '<webSocket enabled="true" />',
                "The WebSocket Protocol feature must be installed and on.",
            ),
            Part(
                "variables",
                '<set name="HTTP_SEC_WEBSOCKET_EXTENSIONS" value="" />',
                "ARR breaks compressed WebSockets, so none is offered.",
            ),
        ),
        Need.SUBPROTOCOL: (
            Part(
                "variables",
                '<set name="HTTP_SEC_WEBSOCKET_PROTOCOL" value="{HTTP_SEC_WEBSOCKET_PROTOCOL}" />',
                "Streamlit's page closes a WebSocket whose subprotocol is not answered.",
            ),
        ),
        Need.HOST: (
            Part(
                "variables",
                '<set name="HTTP_X_FORWARDED_HOST" value="{HTTP_HOST}" />',
                "The app is told the public host.",
            ),
            Part(
                "server",
                (
                    "appcmd set config -section:system.webServer/proxy /enabled:true "
                    "/preserveHostHeader:true /commit:apphost"
                ),
                "ARR sends the upstream's address as Host, and Streamlit compares Host with "
                "Origin.",
            ),
        ),
        Need.SCHEME: (
            Part(
                "variables",
                '<set name="HTTP_X_FORWARDED_PROTO" value="<<scheme>>" />',
                "Cookies get Secure, and redirects https.",
            ),
        ),
        Need.CLIENT: (
            Part(
                "variables",
                '<set name="HTTP_X_FORWARDED_FOR" value="{REMOTE_ADDR}" />',
                "The app sees the client's address, whatever the client claims.",
            ),
        ),
        Need.IDENTITY: _identity,
        Need.BODY_SIZE: (
            Part(
                "webserver",
                (
                    "<security>\n  <requestFiltering>\n"
                    '    <requestLimits maxAllowedContentLength="<<body_bytes>>" />\n'
                    "  </requestFiltering>\n</security>"
                ),
                "IIS refuses bodies above 30 MB unless told otherwise.",
            ),
        ),
        Need.IDLE_TIMEOUT: (
            Part(
                "server",
                (
                    "appcmd set config -section:system.webServer/proxy /timeout:00:05:00 "
                    "/commit:apphost"
                ),
                "ARR cuts after 2 minutes unless told otherwise.",
            ),
        ),
        Need.BUFFERING: (
            Part(
                "server",
                (
                    "appcmd set config -section:system.webServer/proxy "
                    "/responseBufferThreshold:0 /commit:apphost"
                ),
                "Responses go on as they come.",
            ),
        ),
        Need.COMPRESSION: (
            Part(
                "webserver",
                '<urlCompression doDynamicCompression="false" />',
                "The page holds a secret token, which must not be compressed; the app keeps its "
                "hashed files in browsers for a year.",
            ),
        ),
        Need.AFFINITY: (
            Part(
                "server",
                (
                    "appcmd set config -section:webFarms /\"[name='streamlit']."
                    'applicationRequestRouting.affinity.useCookie:true" /commit:apphost'
                ),
                "Streamlit keeps sessions and uploads in one process; ARR's cookie chooses the "
                "replica of the server farm `streamlit`.",
            ),
        ),
    },
)
