"""h2o, 2.2 and newer. It has no load balancing, so no affinity either."""

from __future__ import annotations

from collections.abc import Sequence

from stlaunch.proxies.model import IDENTITY_STAYS, Kind, Lines, Part, Recipe, common_without
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.security_headers import Header, header_lines
from stlaunch.proxies.signs import VERSION, server, via
from stlaunch.proxies.site import Site
from stlaunch.urls.streamlit_routes import DIAGNOSTICS

_VALIDATE = "h2o -t -c /etc/h2o/h2o.conf"
_SIGNS = (
    server(rf"h2o{VERSION}"),
    via(r"\bh2o\b"),
)


# --- its lines for each need

_WHY_UPGRADE = "h2o drops the WebSocket upgrade by default."


def _self_check(site: Site) -> tuple[Part, ...]:
    allowed = ", ".join(f'"{network}"' for network in site.self_check_from)
    names = "|".join(DIAGNOSTICS)
    lines = (
        "mruby.handler: |\n"
        "  Proc.new do |env|\n"
        '    path = env["PATH_INFO"].gsub(/%([0-9a-fA-F]{2})/) { $1.hex.chr }\n'
        f"    hidden = path =~ /(_stlaunch(\\/+(({names})\\/*)?)?|"
        "_stcore\\/+metrics\\/*)\\z/\n"
        f'    is_ours = [{allowed}].include?(env["REMOTE_ADDR"])\n'
        '    hidden && !is_ours ? [403, {}, ["Forbidden"]] : [399, {}, []]\n'
        "  end"
    )
    return (Part("first", lines, "Diagnostic pages and metrics are for operators only."),)


def _place(site: Site) -> str:
    return f"[unix:{site.socket}]" if site.socket else "<<upstream>>"


def _headers(_need: Need, headers: Sequence[Header]) -> str:
    return "\n".join(f'header.set: "{name}: {value}"' for name, value in headers)


_LINES: Lines = {
    **header_lines("path", _headers),
    Need.ROUTE: lambda site: (
        Part(
            "path",
            f'proxy.reverse.url: "http://{_place(site)}<<target>>"',
            "Everything below the path goes to the app.",
        ),
    ),
    Need.SLASH: (
        Part(
            "paths",
            (
                '"<<base_or_root>>":\n'
                '  redirect: { status: 308, url: "<<base_slash>>", internal: NO }'
            ),
            "The address without its final slash leads to the app.",
        ),
    ),
    Need.UPGRADE: (Part("global", "proxy.websocket: ON", _WHY_UPGRADE),),
    Need.HOST: (
        Part(
            "global",
            "proxy.preserve-host: ON",
            "h2o sends the upstream's address as Host, and Streamlit compares Host with Origin.",
        ),
    ),
    Need.SCHEME: (
        Part(
            "global",
            "proxy.preserve-x-forwarded-proto: OFF",
            "h2o writes X-Forwarded-Proto itself.",
        ),
    ),
    Need.BODY_SIZE: (
        Part(
            "global",
            "limit-request-body: <<body_bytes>>",
            "Uploads may be as large as server.maxUploadSize, and no larger.",
        ),
    ),
    Need.IDLE_TIMEOUT: (
        Part(
            "global",
            "proxy.websocket.timeout: <<idle_s>>000\nproxy.timeout.io: <<idle_s>>000",
            "In ms; a quiet WebSocket outlives several pings.",
        ),
    ),
    Need.COMPRESSION: lambda site: (
        Part(
            "static",
            f'proxy.reverse.url: "http://{_place(site)}<<target>>static/"\ncompress: ON',
            "A first visit loads 1 MB instead of 3. The app itself lets browsers keep its "
            "hashed files for a year.",
        ),
    ),
    Need.SELF_CHECK: _self_check,
}


# --- its complete configuration

_TEMPLATE = """\
#: The site.
listen:
  port: <<port>>
  ?tls #: The certificate, with its chain, and its key.
  ?tls ssl:
  ?tls   certificate-file: <<certificate>>
  ?tls   key-file: <<key>>
@global

#: The paths of the host.
hosts:
  ?named "<<host>>:<<port>>":
  ?!named default:
    paths:
      #[ in your host's paths
      @paths

      #: The app.
      "<<base_slash>>":
        @first
        @path

      #: Streamlit's assets.
      "<<base>>/static/":
        @static
      #]
"""

_KINDS = (
    Kind(
        name="h2o",
        takes_files=True,
        title="h2o",
        product=Product.H2O,
        template=_TEMPLATE,
        put_into="/etc/h2o/h2o.conf",
        needs=(Need.SELF_CHECK, *common_without(Need.SELF_CHECK)),
        has_affinity=False,
        takes_networks=False,
        notes=(IDENTITY_STAYS,),
    ),
)


RECIPE = Recipe(
    title="h2o",
    signs=_SIGNS,
    places={
        "global": "in h2o.conf, at the top level",
        "paths": "in h2o.conf, in the host's `paths`",
        "static": "in h2o.conf, in the path `<<base>>/static/`",
        "first": "in h2o.conf, in the path `<<base_slash>>`, before everything else",
        "path": "in h2o.conf, in the path `<<base_slash>>`",
    },
    validate=_VALIDATE,
    reload=f"{_VALIDATE} && systemctl reload h2o",
    parts=_LINES,
    kinds=_KINDS,
    by_words=frozenset({"STL702"}),
)
