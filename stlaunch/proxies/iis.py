"""IIS with Application Request Routing 3, URL Rewrite 2 and the WebSocket module."""

from __future__ import annotations

from collections.abc import Sequence

from stlaunch.proxies.model import IN_PIECES, NOT_TRIED, Kind, Lines, Part, Parts, Recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.security_headers import Header, header_lines
from stlaunch.proxies.signs import VERSION, default_page, sent, server
from stlaunch.proxies.site import Site

_MAX_BODY_BYTES = 2**32 - 1
"""maxAllowedContentLength is an unsigned 32-bit number."""
_SIGNS = (
    server(rf"Microsoft-IIS{VERSION}"),
    default_page(r"IIS Windows Server|iisstart"),
    sent("x-arr-log-id"),
)


# --- its lines for each need


def _identity(site: Site) -> tuple[Part, ...]:
    lines = "\n".join(
        f'<set name="HTTP_{name.upper().replace("-", "_")}" value="" />'
        for name in (*site.identity_headers, "Forwarded", "X-Forwarded-Prefix", "X-Forwarded-Port")
    )
    return (Part("variables", lines, "Clients must not choose their own identity or address."),)


def _body_size(site: Site) -> tuple[Part, ...]:
    wanted = int(site.values["body_bytes"])
    allowed = min(wanted, _MAX_BODY_BYTES)
    lines = (
        "<security>\n  <requestFiltering>\n"
        f'    <requestLimits maxAllowedContentLength="{allowed}" />\n'
        "  </requestFiltering>\n</security>"
    )
    why = "IIS refuses bodies above 30 MB by default."
    return (Part("webserver", lines, why if allowed == wanted else f"{why} {IN_PIECES}"),)


def _headers(_need: Need, headers: Sequence[Header]) -> str:
    lines = "\n".join(
        f'    <remove name="{name}" />\n    <add name="{name}" value="{value}" />'
        for name, value in headers
    )
    return f"<httpProtocol>\n  <customHeaders>\n{lines}\n  </customHeaders>\n</httpProtocol>"


_LINES: Lines = {
    **header_lines("webserver", _headers),
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
            "The app gets the public host.",
        ),
        Part(
            "server",
            (
                "appcmd set config -section:system.webServer/proxy /enabled:true "
                "/preserveHostHeader:true /commit:apphost"
            ),
            "ARR sends the upstream's address as Host, and Streamlit compares Host with Origin.",
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
    Need.BODY_SIZE: _body_size,
    Need.IDLE_TIMEOUT: (
        Part(
            "server",
            ("appcmd set config -section:system.webServer/proxy /timeout:00:05:00 /commit:apphost"),
            "ARR cuts after 2 minutes by default.",
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
}


# --- its complete configuration


def _with_insiders(site: Site, parts: Parts) -> tuple[Parts, dict[str, str]]:
    if not site.self_check_from:
        return parts, {}
    addresses = "|".join(place.replace(".", r"\.") for place in site.self_check_from)
    line = f'<add input="{{REMOTE_ADDR}}" pattern="^({addresses})$" negate="true" />'
    return parts | {"insiders": (Part("insiders", line, "Everybody but these."),)}, {}


_TEMPLATE = """\
<?xml version="1.0" encoding="utf-8"?>
#: What IIS reads in the folder of a site.
<configuration>
  <system.webServer>
    #[ in <system.webServer>
    @webserver
    <rewrite>
      <rules>
        #: Diagnostic pages and metrics are for operators only.
        <rule name="streamlit-diagnostics" stopProcessing="true">
          <match url="^<<base_rest_re>>(_stlaunch(/+((<<diagnostics>>)/*)?)?|_stcore/+metrics/*)$" />
          ?restricted <conditions>
          ?restricted   @insiders
          ?restricted </conditions>
          <action type="CustomResponse" statusCode="403" statusReason="Forbidden" statusDescription="Forbidden" />
        </rule>
        ?!rooted #: The address without its final slash leads to the app.
        ?!rooted <rule name="streamlit-slash" stopProcessing="true">
        ?!rooted   <match url="^<<base_bare_re>>$" />
        ?!rooted   <conditions>
        ?!rooted     <add input="{PATH_INFO}" pattern="/$" negate="true" />
        ?!rooted   </conditions>
        ?!rooted   <action type="Redirect" url="<<base_slash>>" redirectType="Permanent" />
        ?!rooted </rule>
        #: Everything below the path goes to the app.
        <rule name="streamlit" stopProcessing="true">
          <match url="^<<base_rest_re>>(.*)$" />
          #: Each name must be allowed once: appcmd set config -section:system.webServer/rewrite/allowedServerVariables /+[name='NAME'] /commit:apphost
          <serverVariables>
            @variables
          </serverVariables>
          ?replicas <action type="Rewrite" url="http://streamlit<<target>>{R:1}" />
          ?!replicas <action type="Rewrite" url="http://<<upstream>><<target>>{R:1}" />
        </rule>
      </rules>
    </rewrite>
    #]
  </system.webServer>
</configuration>
"""  # noqa: E501 - lines of its language

_KINDS = (
    Kind(
        name="iis",
        title="IIS with Application Request Routing",
        product=Product.IIS,
        template=_TEMPLATE,
        shape=_with_insiders,
        put_into="the site's web.config",
        comment="<!-- {} -->",
        takes_networks=False,
        notes=(
            (
                "ARR 3, URL Rewrite 2 and the WebSocket Protocol feature must be installed; "
                "replicas are a server farm named streamlit."
            ),
            NOT_TRIED,
        ),
    ),
)


RECIPE = Recipe(
    title="IIS",
    signs=_SIGNS,
    places={
        "variables": "in web.config, in the rule's `<serverVariables>`",
        "webserver": "in web.config, in `<system.webServer>`",
        "server": "in a shell of the server's administrator",
    },
    reload="iisreset",
    parts=_LINES,
    kinds=_KINDS,
)
