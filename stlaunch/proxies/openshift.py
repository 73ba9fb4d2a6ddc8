"""Annotations of an OpenShift route; its HAProxy passes WebSocket, Host and scheme on."""

from __future__ import annotations

from collections.abc import Sequence

from stlaunch.proxies.model import NOT_CLOSED, NOT_TRIED, Kind, Lines, Part, Recipe
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.security_headers import Header, header_lines
from stlaunch.proxies.signs import default_page
from stlaunch.proxies.site import Site

_VALIDATE = "oc apply --dry-run=server -f FILE"
_SIGNS = (default_page(r"Application is not available"),)


# --- its lines for each need


def _strip(site: Site) -> tuple[Part, ...]:
    if site.keep_prefix:
        return ()
    line = 'haproxy.router.openshift.io/rewrite-target: "/"'
    return (Part("annotations", line, "The router strips the path."),)


def _headers(_need: Need, headers: Sequence[Header]) -> str:
    return "\n".join(
        f'- name: {name}\n  action: {{ type: Set, set: {{ value: "{value}" }} }}'
        for name, value in headers
    )


def _identity(site: Site) -> tuple[Part, ...]:
    lines = "\n".join(
        f"- name: {name}\n  action: {{ type: Delete }}"
        for name in (*site.identity_headers, "X-Forwarded-Prefix")
    )
    return (Part("request", lines, "Clients must not choose their own identity or path."),)


_LINES: Lines = {
    **header_lines("response", _headers),
    Need.ROUTE: _strip,
    Need.CLIENT: (
        Part(
            "annotations",
            'haproxy.router.openshift.io/set-forwarded-headers: "replace"',
            "What the client claims about its address and host is overwritten.",
        ),
    ),
    Need.IDENTITY: _identity,
    Need.IDLE_TIMEOUT: (
        Part(
            "annotations",
            (
                'haproxy.router.openshift.io/timeout: "<<idle_s>>s"\n'
                'haproxy.router.openshift.io/timeout-tunnel: "<<idle_s>>s"'
            ),
            "The router cuts after 30 s by default; a quiet WebSocket outlives several pings.",
        ),
    ),
    Need.AFFINITY: (
        Part(
            "annotations",
            (
                'haproxy.router.openshift.io/balance: "roundrobin"\n'
                'haproxy.router.openshift.io/disable_cookies: "false"\n'
                'router.openshift.io/cookie_name: "<<cookie>>"'
            ),
            "Streamlit keeps sessions and uploads in one process; the router's cookie chooses "
            "the replica.",
        ),
    ),
}


# --- its complete configuration

_TEMPLATE = """\
#[ a Route of your own
#: Which requests go to the app.
apiVersion: route.openshift.io/v1
kind: Route
metadata:
  name: streamlit
  annotations:
    @annotations
spec:
  #: What the router does to headers.
  httpHeaders:
    actions:
      request:
        @request
      ?secured response:
        @response
  ?named host: <<host>>
  path: "<<base_or_root>>"
  #: The app's Service.
  to:
    kind: Service
    name: streamlit
  port:
    targetPort: <<upstream_port>>
  ?tls #: The router ends TLS, and plain http is redirected.
  ?tls tls:
  ?tls   termination: edge
  ?tls   insecureEdgeTerminationPolicy: Redirect
#]
"""

_KINDS = (
    Kind(
        name="openshift",
        title="OpenShift route",
        product=Product.OPENSHIFT,
        template=_TEMPLATE,
        put_into="a file for oc apply -f",
        restricts=False,
        notes=(NOT_CLOSED, NOT_TRIED),
    ),
)


RECIPE = Recipe(
    title="OpenShift",
    signs=_SIGNS,
    places={
        "annotations": "in the Route, in `metadata.annotations`",
        "request": "in the Route, in `spec.httpHeaders.actions.request`",
        "response": "in the Route, in `spec.httpHeaders.actions.response`",
    },
    validate=_VALIDATE,
    reload="oc apply -f FILE",
    parts=_LINES,
    kinds=_KINDS,
)
