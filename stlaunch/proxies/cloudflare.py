"""Cloudflare Tunnel: cloudflared's config.yml.

It passes WebSocket, Host and scheme on. It strips no path, and balances nothing.
"""

from __future__ import annotations

from stlaunch.proxies.model import IDENTITY_STAYS, NOT_TRIED, Kind, Lines, Part, Recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.signs import Side, refusal, sent, server

_VALIDATE = "cloudflared tunnel ingress validate"
_SIGNS = (
    sent("cf-ray", side=Side.BOTH),
    server(r"cloudflare"),
    refusal(r"Attention Required! \| Cloudflare|cf-error-details"),
)


# --- its lines for each need

_LINES: Lines = {
    Need.HOST: (
        Part(
            "origin",
            "httpHostHeader: <<host>>",
            "The name that the browser shows; Streamlit compares Host with Origin.",
        ),
    ),
    Need.IDLE_TIMEOUT: (
        Part(
            "origin",
            "keepAliveTimeout: <<idle_s>>s",
            "Connections to the app outlive several pings. Cloudflare itself cuts a WebSocket "
            "that is quiet for 100 s.",
        ),
    ),
    Need.BUFFERING: (
        Part(
            "origin",
            "disableChunkedEncoding: false",
            "Uploads are forwarded at once.",
        ),
    ),
}


# --- its complete configuration

_TEMPLATE = """\
#: Your tunnel: cloudflared tunnel create NAME.
tunnel: 00000000-0000-0000-0000-000000000000
credentials-file: /etc/cloudflared/credentials.json

ingress:
  #[ in ingress
  #: Diagnostic pages and metrics are for operators only.
  - hostname: <<host>>
    path: ^<<base_re>>/(_stlaunch(/+((<<diagnostics>>)/*)?)?|_stcore/+metrics/*)$
    service: http_status:403
  #: Everything below the path goes to the app, with the path as it came.
  - hostname: <<host>>
    path: ^<<base_re>>(/|$)
    service: http://<<upstream>>
    originRequest:
      @origin
  #]
  #: The last rule must match everything.
  - service: http_status:404
"""

_KINDS = (
    Kind(
        name="cloudflare",
        needs_host=True,
        title="Cloudflare Tunnel",
        product=Product.CLOUDFLARE,
        template=_TEMPLATE,
        put_into="/etc/cloudflared/config.yml",
        strips=False,
        has_affinity=False,
        restricts=False,
        notes=(
            (
                "Cloudflare refuses bodies above 100 MB (Free and Pro) and cuts WebSockets that "
                "are quiet for 100 s; keep server.websocketPingInterval below that."
            ),
            IDENTITY_STAYS,
            NOT_TRIED,
        ),
    ),
)


RECIPE = Recipe(
    title="Cloudflare",
    signs=_SIGNS,
    places={"origin": "in cloudflared's config.yml, in the rule's `originRequest`"},
    validate=_VALIDATE,
    reload=f"{_VALIDATE} && systemctl restart cloudflared",
    parts=_LINES,
    kinds=_KINDS,
    by_words=frozenset({"STL604", "STL606"}),  # its own limit cannot be set
)
