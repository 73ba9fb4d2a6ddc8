"""The lines that keep a browser on one pod, in Kubernetes' own notation, for each controller.

`stlaunch proxy` writes these products in other notations, and ingress-nginx in its own file.
"""

from __future__ import annotations

ALB = "alb.ingress.kubernetes.io/"
"""What the annotations of the AWS Load Balancer Controller begin with."""
AZURE = "appgw.ingress.kubernetes.io/"
"""What those of Azure's Application Gateway Ingress Controller begin with."""
ALB_INGRESS = (
    "in the Ingress, in `metadata.annotations`:\n"
    f"    {ALB}target-type: ip\n"
    f"    {ALB}target-group-attributes: "
    "stickiness.enabled=true,stickiness.lb_cookie.duration_seconds=86400"
)
AZURE_INGRESS = (
    f'in the Ingress, in `metadata.annotations`:\n    {AZURE}cookie-based-affinity: "true"'
)
TRAEFIK_SERVICE = (
    "in the Service, in `metadata.annotations`:\n"
    '    traefik.ingress.kubernetes.io/service.sticky.cookie: "true"'
)
TRAEFIK_ROUTE = "in the IngressRoute, in the service:\n    sticky: { cookie: { httpOnly: true } }"
