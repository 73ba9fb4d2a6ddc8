"""Kubernetes Gateway API, v1.2 and newer: an HTTPRoute.

Beyond the standard, each gateway treats WebSockets, timeouts and sizes in its own way.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from textwrap import indent

from stlaunch.proxies.model import NOT_TRIED, Kind, Lines, Part, Recipe, common_without
from stlaunch.proxies.needs import REPLICA_COOKIE, Need, Product
from stlaunch.proxies.security_headers import Header, header_lines
from stlaunch.proxies.site import Site
from stlaunch.urls.streamlit_routes import DIAGNOSTICS

_VALIDATE = "kubectl apply --dry-run=server -f FILE"
WEBSOCKETS = "appProtocol: kubernetes.io/ws"
"""Of a Service's port: the app behind it speaks WebSocket (GEP-1911)."""
_NO_LIMIT = "timeouts:\n  request: 0s"

# --- its lines for each need


def _identity(site: Site) -> tuple[Part, ...]:
    names = (*site.identity_headers, "Forwarded", "X-Forwarded-Prefix")
    lines = "".join(f"\n      - {name}" for name in names)
    block = f"- type: RequestHeaderModifier\n  requestHeaderModifier:\n    remove:{lines}"
    return (Part("filters", block, "Clients must not choose their own identity or address."),)


def _self_check(_site: Site) -> tuple[Part, ...]:
    # With a prefix its final slash matches as well; that of _stlaunch would take the app's own.
    exact = [("Exact", end) for end in ("_stlaunch", "_stlaunch/")]
    prefixes = [("PathPrefix", f"_stlaunch/{name}") for name in DIAGNOSTICS]
    matches = "".join(
        f'\n    - {{ path: {{ type: {kind}, value: "<<base>>/{end}" }} }}'
        for kind, end in (("PathPrefix", "_stcore/metrics"), *exact, *prefixes)
    )
    lines = (
        f"- matches:{matches}\n"
        "  filters:\n"
        "    - type: RequestRedirect\n"
        "      requestRedirect:\n"
        '        path: { type: ReplaceFullPath, replaceFullPath: "<<base_slash>>" }\n'
        "        statusCode: 302"
    )
    why = "Diagnostic pages and metrics are not for everybody: they lead to the app's first page."
    return (Part("rules", lines, why),)


def _headers(_need: Need, headers: Sequence[Header]) -> str:
    lines = "".join(f'\n      - {{ name: {name}, value: "{value}" }}' for name, value in headers)
    return f"- type: ResponseHeaderModifier\n  responseHeaderModifier:\n    set:{lines}"


_LINES: Lines = {
    **header_lines("filters", _headers),
    Need.SLASH: (
        Part(
            "rules",
            (
                '- matches: [{ path: { type: Exact, value: "<<base_or_root>>" } }]\n'
                "  filters:\n"
                "    - type: RequestRedirect\n"
                "      requestRedirect:\n"
                '        path: { type: ReplaceFullPath, replaceFullPath: "<<base_slash>>" }\n'
                "        statusCode: 301"
            ),
            "The address without its final slash leads to the app.",
        ),
    ),
    Need.UPGRADE: (
        Part(
            "service",
            WEBSOCKETS,
            "This marks the app as speaking WebSocket (GEP-1911); some drop the "
            "upgrade without it.",
        ),
    ),
    Need.HOST: (
        Part(
            "rule",
            "# No URLRewrite filter with a hostname.",
            "Streamlit compares Host with Origin; a gateway keeps Host by default.",
        ),
    ),
    Need.IDENTITY: _identity,
    Need.IDLE_TIMEOUT: (
        Part(
            "rule",
            _NO_LIMIT,
            "0s switches the limit off, which would cut WebSockets and slow uploads.",
        ),
    ),
    Need.SELF_CHECK: _self_check,
    Need.AFFINITY: (
        Part(
            "rule",
            "sessionPersistence:\n  type: Cookie",
            "Streamlit keeps sessions and uploads in one process; the cookie chooses the "
            "replica. Experimental (GEP-1619): other fields differ from version to version.",
        ),
    ),
}


# --- its complete configuration

_TEMPLATE = """\
#: The app's pods, as one name.
apiVersion: v1
kind: Service
metadata:
  name: streamlit
spec:
  selector:
    app: streamlit
  ports:
    - name: http
      port: <<upstream_port>>
      targetPort: <<upstream_port>>
      #[ in the Service's port
      @service
      #]
---
#: Where requests come in; an existing Gateway will do.
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata:
  name: web
spec:
  gatewayClassName: my-gateway-class
  listeners:
    - name: <<scheme>>
      port: <<port>>
      ?tls protocol: HTTPS
      ?!tls protocol: HTTP
      ?named hostname: <<host>>
      ?tls #: The certificate and its key, as a Secret of type kubernetes.io/tls.
      ?tls tls:
      ?tls   certificateRefs: [ { name: streamlit-tls } ]
---
#[ an HTTPRoute of your own
#: Which requests go to the app.
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: streamlit
spec:
  parentRefs: [ { name: web } ]
  ?named hostnames: [ <<host>> ]
  rules:
    #: Everything below the path.
    - matches: [ { path: { type: PathPrefix, value: "<<base_or_root>>" } } ]
      filters:
        @filters
        ?strip #: The path is stripped.
        ?strip - type: URLRewrite
        ?strip   urlRewrite:
        ?strip     path: { type: ReplacePrefixMatch, replacePrefixMatch: / }
      @rule
      backendRefs: [ { name: streamlit, port: <<upstream_port>> } ]
    @rules
#]
"""


def affine_route(*, name: str, host: str, paths: Sequence[str]) -> str:
    """Return an HTTPRoute to the Service `name` that keeps one browser on one pod.

    Args:
        name: of the Service, and of the route.
        host: the public one; empty for any.
        paths: the public paths.
    """
    hostnames = f"  hostnames: [{json.dumps(host)}]\n" if host else ""
    matches = "".join(
        f"        - path: {{ type: PathPrefix, value: {json.dumps(path)} }}\n" for path in paths
    )
    return f"""apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {name}
spec:
  parentRefs:
    - name: gateway # of your Gateway
{hostnames}  rules:
    - matches:
{matches}      # No limit, which would cut WebSockets and slow uploads.
{indent(_NO_LIMIT, "      ")}
      backendRefs:
        - {{ name: {name}, port: 80 }}
      # In the experimental channel of Gateway API; one browser stays with one pod.
      sessionPersistence:
        sessionName: {REPLICA_COOKIE}
        type: Cookie
        cookieConfig: {{ lifetimeType: Session }}
"""


_KINDS = (
    Kind(
        name="gateway-api",
        title="Kubernetes Gateway API",
        product=Product.GATEWAY_API,
        template=_TEMPLATE,
        put_into="a file for kubectl apply -f",
        needs=common_without(Need.HOST),
        restricts=False,
        notes=(NOT_TRIED,),
    ),
)


RECIPE = Recipe(
    title="Kubernetes Gateway",
    places={
        "service": "in the Service's port",
        "rule": "in the HTTPRoute's rule",
        "rules": "in the HTTPRoute's rules",
        "filters": "in the HTTPRoute rule's filters",
    },
    validate=_VALIDATE,
    reload="kubectl apply -f FILE",
    parts=_LINES,
    kinds=_KINDS,
)
