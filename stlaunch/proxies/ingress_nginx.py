"""Annotations of ingress-nginx, retired in March 2026; it passes the WebSocket on."""

from __future__ import annotations

from stlaunch.proxies.model import (
    IDENTITY_STAYS,
    NOT_CLOSED,
    Kind,
    Lines,
    Part,
    Recipe,
    common_without,
)
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.signs import default_page, sent

_VALIDATE = "kubectl apply --dry-run=server -f FILE"
_SIGNS = (
    default_page(r"^default backend - 404"),
    sent("x-original-forwarded-for"),
    sent("x-scheme", "x-real-ip", "x-request-id"),
)


# --- its lines for each need

_PREFIX = "nginx.ingress.kubernetes.io"


_LINES: Lines = {
    Need.HOST: (
        Part(
            "annotations",
            f"# No {_PREFIX}/upstream-vhost.",
            "Streamlit compares Host with Origin; ingress-nginx keeps Host by default.",
        ),
    ),
    Need.BODY_SIZE: (
        Part(
            "annotations",
            f'{_PREFIX}/proxy-body-size: "<<body_mb>>m"',
            "nginx refuses bodies above 1 MB by default; this is "
            "server.maxUploadSize and the form around it.",
        ),
    ),
    Need.HEADER_SIZE: (
        Part(
            "annotations",
            f'{_PREFIX}/proxy-buffer-size: "16k"',
            "The answer to a login can set 12 KB of cookies; nginx takes 4 KB, and answers 502. "
            'For the requests after it set large-client-header-buffers: "4 16k" in the '
            "controller's ConfigMap.",
        ),
    ),
    Need.IDLE_TIMEOUT: (
        Part(
            "annotations",
            (
                f'{_PREFIX}/proxy-read-timeout: "<<idle_s>>"\n'
                f'{_PREFIX}/proxy-send-timeout: "<<idle_s>>"'
            ),
            "Long enough for a quiet WebSocket to be pinged several times.",
        ),
    ),
    Need.REQUEST_RATE: (
        Part(
            "annotations",
            (
                f'{_PREFIX}/limit-rps: "100"\n'
                f'{_PREFIX}/limit-burst-multiplier: "5"\n'
                f'{_PREFIX}/limit-connections: "50"'
            ),
            "One load of the page asks for up to 131 files at once.",
        ),
    ),
    Need.BUFFERING: (
        Part(
            "annotations",
            (f'{_PREFIX}/proxy-buffering: "off"\n{_PREFIX}/proxy-request-buffering: "off"'),
            "Streams and uploads are forwarded at once.",
        ),
    ),
    Need.AFFINITY: (
        Part(
            "annotations",
            (
                f'{_PREFIX}/affinity: "cookie"\n'
                f'{_PREFIX}/affinity-mode: "persistent"\n'
                f'{_PREFIX}/session-cookie-name: "<<cookie>>"\n'
                f'{_PREFIX}/session-cookie-path: "<<base_slash>>"\n'
                f'{_PREFIX}/session-cookie-samesite: "Lax"'
            ),
            "Streamlit keeps sessions and uploads in one process; the cookie chooses the replica.",
        ),
    ),
}


# --- its complete configuration

_TEMPLATE = """\
#[ an Ingress of your own
#: Which requests go to the app, for ingress-nginx.
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: streamlit
  annotations:
    @annotations
    ?strip #: The path is stripped: what the second group matches is sent.
    ?strip nginx.ingress.kubernetes.io/use-regex: "true"
    ?strip nginx.ingress.kubernetes.io/rewrite-target: /$2
spec:
  ingressClassName: nginx
  ?tls #: The certificate and its key, as a Secret of type kubernetes.io/tls.
  ?tls tls:
  ?tls   - secretName: streamlit-tls
  ?tls     ?named hosts: [ <<host>> ]
  rules:
    #: Everything below the path goes to the app's Service.
    ?named - host: <<host>>
    ?named   http:
    ?!named - http:
        paths:
          ?strip - path: <<base_re>>(/|$)(.*)
          ?strip   pathType: ImplementationSpecific
          ?!strip - path: <<base_or_root>>
          ?!strip   pathType: Prefix
            backend:
              service:
                name: streamlit
                port:
                  number: <<upstream_port>>
#]
"""

_KINDS = (
    Kind(
        name="ingress",
        title="Kubernetes Ingress (ingress-nginx)",
        product=Product.INGRESS_NGINX,
        template=_TEMPLATE,
        put_into="a file for kubectl apply -f",
        needs=common_without(Need.HOST),
        restricts=False,
        notes=(
            (
                "ingress-nginx was retired in March 2026 and gets no security fixes any more: use"
                " the Gateway API (stlaunch proxy gateway-api) for anything new."
            ),
            IDENTITY_STAYS,
            NOT_CLOSED,
        ),
    ),
)


RECIPE = Recipe(
    title="ingress-nginx",
    signs=_SIGNS,
    places={"annotations": "in the Ingress, in `metadata.annotations`"},
    validate=_VALIDATE,
    reload="kubectl apply -f FILE",
    parts=_LINES,
    kinds=_KINDS,
)
