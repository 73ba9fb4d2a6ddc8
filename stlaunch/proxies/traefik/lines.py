"""Traefik 3: the lines of its dynamic configuration for each need."""

from __future__ import annotations

from collections.abc import Sequence

from stlaunch.proxies.model import Lines, Part
from stlaunch.proxies.needs import COMPRESSED_TYPES, Need
from stlaunch.proxies.security_headers import Header, header_lines
from stlaunch.proxies.site import Site


def _route(site: Site) -> tuple[Part, ...]:
    if site.socket:  # it connects to addresses only
        return ()
    servers = "".join(f'\n  - url: "http://{place}"' for place in site.servers)
    return (Part("service", f"servers:{servers}", "The app."),)


def _identity(site: Site) -> tuple[Part, ...]:
    lines = "\n".join(f'    {name}: ""' for name in (*site.identity_headers, "Forwarded"))
    why = (
        "Clients must not choose their own identity or address; an empty value removes the header."
    )
    block = (
        f"from-clients:\n  headers:\n    customRequestHeaders:\n{lines.replace('    ', '      ')}"
    )
    return (Part("middlewares", block, why),) if lines else ()


def _affinity(site: Site) -> tuple[Part, ...]:
    lines = (
        "sticky:\n  cookie:\n    name: <<cookie>>\n    path: <<base_slash>>\n    httpOnly: true\n"
        f"    secure: {str(site.is_https).lower()}\n    sameSite: lax"
    )
    why = "Streamlit keeps sessions and uploads in one process; the cookie chooses the replica."
    return (Part("service", lines, why),)


def _self_check(site: Site) -> tuple[Part, ...]:
    # 0.0.0.0/32 is nobody's address: an empty list would be an error.
    allowed = "\n".join(f'      - "{place}"' for place in site.self_check_from or ("0.0.0.0/32",))
    return (
        Part(
            "middlewares",
            f"insiders:\n  ipAllowList:\n    sourceRange:\n{allowed}",
            "Diagnostic pages and metrics are for operators only.",
        ),
    )


def _headers(need: Need, headers: Sequence[Header]) -> str:
    lines = "".join(f'\n      {name}: "{value}"' for name, value in headers)
    return f"{need}:\n  headers:\n    customResponseHeaders:{lines}"


LINES: Lines = {
    **header_lines("middlewares", _headers),
    Need.ROUTE: _route,
    Need.SLASH: (
        Part(
            "middlewares",
            (
                "final-slash:\n  redirectRegex:\n"
                '    regex: "^(https?://[^/]+)<<base_json_re>>(\\\\?.*)?$"\n'
                '    replacement: "${1}<<base_slash>>${2}"\n    permanent: true'
            ),
            "The address without its final slash leads to the app.",
        ),
    ),
    Need.HOST: (
        Part(
            "service",
            "passHostHeader: true",
            "Streamlit compares Host with Origin; false sends the upstream's address.",
        ),
    ),
    Need.SCHEME: (
        Part(
            "static",
            "--entrypoints.websecure.forwardedheaders.trustedips=<ADDRESS OF THE PROXY BEFORE>",
            "Traefik sends the scheme by itself; a proxy before it must be trusted by name.",
        ),
    ),
    Need.CLIENT: (
        Part(
            "static",
            "--entrypoints.websecure.forwardedheaders.insecure=false",
            "Traefik overwrites the forwarding headers of clients unless `insecure` is set.",
        ),
    ),
    Need.IDENTITY: _identity,
    Need.BODY_SIZE: (
        Part(
            "middlewares",
            "uploads:\n  buffering:\n    maxRequestBodyBytes: <<body_bytes>>",
            "Traefik has no limit of its own; a buffering middleware must let "
            "server.maxUploadSize through.",
        ),
    ),
    Need.IDLE_TIMEOUT: (
        Part(
            "static",
            "--entrypoints.websecure.transport.respondingtimeouts.readtimeout=0",
            "Traefik cuts requests, and so slow uploads, after 60 s; WebSockets it never cuts.",
        ),
    ),
    Need.BUFFERING: (
        Part(
            "service",
            "responseForwarding:\n  flushInterval: 1ms",
            "Streams are forwarded at once; no `buffering` middleware may stand before the app.",
        ),
    ),
    Need.COMPRESSION: (
        Part(
            "middlewares",
            "smaller:\n  compress:\n    includedContentTypes:\n"
            + "\n".join(f"      - {name}" for name in COMPRESSED_TYPES),
            "A first visit loads 1 MB instead of 3. The app itself lets browsers keep its "
            "hashed files for a year; the page is neither compressed nor kept.",
        ),
    ),
    Need.AFFINITY: _affinity,
    Need.SELF_CHECK: _self_check,
}
