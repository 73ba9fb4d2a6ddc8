"""h2o, 2.2 and newer; lines alone. It balances nothing, so there is no affinity to ask for."""

from __future__ import annotations

from stlaunch.proxies.fixes.model import DIAGNOSTICS, Need, Part, Recipe, Site

_WHY_UPGRADE = "h2o drops the WebSocket upgrade unless told otherwise."


def _self_check(site: Site) -> tuple[Part, ...]:
    allowed = ", ".join(f'"{network}"' for network in site.self_check_from)
    names = "|".join(DIAGNOSTICS)
    lines = (
        "mruby.handler: |\n"
        "  Proc.new do |env|\n"
        '    path = env["PATH_INFO"].gsub(/%([0-9a-fA-F]{2})/) { $1.hex.chr }\n'
        f"    hidden = path =~ /\\A\\/+(_stlaunch(\\/|\\/({names})\\/?)?|_stcore\\/metrics)\\z/\n"
        f'    is_ours = [{allowed}].include?(env["REMOTE_ADDR"])\n'
        '    hidden && !is_ours ? [403, {}, ["Forbidden"]] : [399, {}, []]\n'
        "  end"
    )
    return (Part("path", lines, "Diagnostic pages and metrics are not for everybody."),)


RECIPE = Recipe(
    places={
        "global": "in h2o.conf, at the top level",
        "paths": "in h2o.conf, in the host's `paths`",
        "static": "in h2o.conf, in the path `<<base>>/static/`",
        "path": "in h2o.conf, in the path `<<base_slash>>`",
    },
    reload="h2o -t -c /etc/h2o/h2o.conf && systemctl reload h2o",
    parts={
        Need.ROUTE: (
            Part(
                "path",
                'proxy.reverse.url: "http://<<upstream>><<target>>"',
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
                "h2o sends the upstream's address as Host, and Streamlit compares Host with "
                "Origin.",
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
        Need.COMPRESSION: (
            Part(
                "static",
                'proxy.reverse.url: "http://<<upstream>><<target>>static/"\ncompress: ON',
                "A first visit loads 1 MB instead of 3. The app itself lets browsers keep its "
                "hashed files for a year.",
            ),
        ),
        Need.SELF_CHECK: _self_check,
    },
)
