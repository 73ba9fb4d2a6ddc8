"""The kinds of configuration that are written, as data; nothing is written here."""

from __future__ import annotations

from dataclasses import dataclass, field

from stlaunch.proxies.fixes import Need, Product

_COMMON = (
    Need.ROUTE,
    Need.UPGRADE,
    Need.HOST,
    Need.SCHEME,
    Need.CLIENT,
    Need.IDENTITY,
    Need.BODY_SIZE,
    Need.IDLE_TIMEOUT,
    Need.BUFFERING,
    Need.AFFINITY,
    Need.SLASH,
    Need.COMPRESSION,
    Need.SELF_CHECK,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of configuration.

    Attributes:
        name: what the user types.
        title: its name in words.
        product: whose lines it is made of.
        template: the file below `templates/`.
        put_into: where the file goes.
        comment: how its language marks a comment.
        needs: in the order in which their lines stand.
        strips: it can strip the path.
        has_affinity: it can send one browser to one replica.
        ends_tls: it can speak https with the browser.
        takes_files: the certificate is named by files.
        needs_host: nothing can be written without the public host.
        restricts: it can open the diagnostic pages to some addresses; without, they are closed.
        takes_networks: these addresses may be networks.
        notes: what a reader has to know that no line can say.
    """

    name: str
    title: str
    product: Product
    template: str
    put_into: str
    comment: str = "# {}"
    needs: tuple[Need, ...] = _COMMON
    strips: bool = True
    has_affinity: bool = True
    ends_tls: bool = True
    takes_files: bool = False
    needs_host: bool = False
    restricts: bool = True
    takes_networks: bool = True
    notes: tuple[str, ...] = field(default=())


def _without(*needs: Need) -> tuple[Need, ...]:
    return tuple(need for need in _COMMON if need not in needs)


_TRAEFIK = _without(Need.BODY_SIZE, Need.SCHEME)
_NOT_TRIED = (
    "Written from the vendor's documentation, not tried by stlaunch's own tests. The sure way to "
    "close the diagnostic pages is to start stlaunch with --self-check off."
)
_NOT_CLOSED = (
    "It cannot close single paths: start stlaunch with --self-check off, or block "
    "_stlaunch/check and _stcore/metrics elsewhere."
)

_ALL = (
    Kind(
        name="nginx",
        takes_files=True,
        title="nginx",
        product=Product.NGINX,
        template="nginx.conf",
        put_into="/etc/nginx/nginx.conf",
    ),
    Kind(
        name="apache",
        takes_files=True,
        title="Apache httpd",
        product=Product.APACHE,
        template="apache.conf",
        put_into="/etc/apache2/sites-enabled/streamlit.conf",
        needs=_without(Need.UPGRADE),
    ),
    Kind(
        name="caddy",
        takes_files=True,
        title="Caddy",
        product=Product.CADDY,
        template="Caddyfile",
        put_into="/etc/caddy/Caddyfile",
        needs=_without(Need.UPGRADE, Need.HOST, Need.SCHEME),
    ),
    Kind(
        name="traefik",
        takes_files=True,
        title="Traefik (file provider)",
        product=Product.TRAEFIK,
        template="traefik.yaml",
        put_into="a file of --providers.file.directory",
        needs=_TRAEFIK,
    ),
    Kind(
        name="traefik-docker",
        title="Traefik (Docker labels)",
        product=Product.TRAEFIK,
        template="compose.yaml",
        put_into="compose.yaml",
        needs=_TRAEFIK,
    ),
    Kind(
        name="traefik-kubernetes",
        title="Traefik (Kubernetes IngressRoute)",
        product=Product.TRAEFIK,
        template="ingressroute.yaml",
        put_into="a file for kubectl apply -f",
        needs=_TRAEFIK,
    ),
    Kind(
        name="haproxy",
        takes_files=True,
        title="HAProxy",
        product=Product.HAPROXY,
        template="haproxy.cfg",
        put_into="/etc/haproxy/haproxy.cfg",
        needs=(*_without(Need.ROUTE, Need.UPGRADE), Need.ROUTE),
    ),
    Kind(
        name="envoy",
        takes_files=True,
        title="Envoy",
        product=Product.ENVOY,
        template="envoy.yaml",
        put_into="/etc/envoy/envoy.yaml",
        needs=(
            Need.UPGRADE,
            Need.HOST,
            Need.CLIENT,
            Need.IDENTITY,
            Need.IDLE_TIMEOUT,
            Need.AFFINITY,
            Need.SELF_CHECK,
            Need.COMPRESSION,
            Need.SLASH,
            Need.ROUTE,
        ),
    ),
    Kind(
        name="lighttpd",
        takes_files=True,
        title="lighttpd",
        product=Product.LIGHTTPD,
        template="lighttpd.conf",
        put_into="/etc/lighttpd/lighttpd.conf",
        notes=("Affinity goes by the client's address: browsers behind one address share.",),
    ),
    Kind(
        name="h2o",
        takes_files=True,
        title="h2o",
        product=Product.H2O,
        template="h2o.conf",
        put_into="/etc/h2o/h2o.conf",
        needs=(Need.SELF_CHECK, *_without(Need.SELF_CHECK)),
        has_affinity=False,
        takes_networks=False,
        notes=(
            (
                "h2o 2 removes no request headers: never use server.trustedUserHeaders behind it,"
                " and start stlaunch with --public-url."
            ),
        ),
    ),
    Kind(
        name="varnish",
        title="Varnish",
        product=Product.VARNISH,
        template="default.vcl",
        put_into="/etc/varnish/default.vcl",
        needs=(
            Need.HOST,
            Need.SCHEME,
            Need.IDENTITY,
            Need.SELF_CHECK,
            Need.SLASH,
            Need.ROUTE,
            Need.AFFINITY,
            Need.UPGRADE,
            Need.CACHING,
            Need.BUFFERING,
            Need.COMPRESSION,
        ),
        ends_tls=False,
        notes=(
            "Varnish speaks no TLS: for https a proxy such as hitch stands in front of it.",
            "Affinity goes by the client's address: browsers behind one address share.",
        ),
    ),
    Kind(
        name="gateway-api",
        title="Kubernetes Gateway API",
        product=Product.GATEWAY_API,
        template="httproute.yaml",
        put_into="a file for kubectl apply -f",
        needs=_without(Need.HOST),
        restricts=False,
        notes=(_NOT_TRIED,),
    ),
    Kind(
        name="ingress",
        title="Kubernetes Ingress (ingress-nginx)",
        product=Product.INGRESS_NGINX,
        template="ingress.yaml",
        put_into="a file for kubectl apply -f",
        needs=_without(Need.HOST),
        restricts=False,
        notes=(
            (
                "ingress-nginx was retired in March 2026 and gets no security fixes any more: use"
                " the Gateway API (stlaunch proxy gateway-api) for anything new."
            ),
            _NOT_CLOSED,
        ),
    ),
    Kind(
        name="openshift",
        title="OpenShift route",
        product=Product.OPENSHIFT,
        template="route.yaml",
        put_into="a file for oc apply -f",
        restricts=False,
        notes=(_NOT_CLOSED, _NOT_TRIED),
    ),
    Kind(
        name="aws-alb",
        title="AWS Application Load Balancer (CloudFormation)",
        product=Product.AWS_ALB,
        template="alb.yaml",
        put_into="a file for aws cloudformation deploy",
        strips=False,
        restricts=False,
        notes=(_NOT_TRIED,),
    ),
    Kind(
        name="azure-gateway",
        title="Azure Application Gateway (Bicep)",
        product=Product.AZURE_GATEWAY,
        template="gateway.bicep",
        put_into="a file for az deployment group create",
        comment="// {}",
        restricts=False,
        notes=(_NOT_TRIED,),
    ),
    Kind(
        name="cloudflare",
        needs_host=True,
        title="Cloudflare Tunnel",
        product=Product.CLOUDFLARE,
        template="cloudflared.yml",
        put_into="/etc/cloudflared/config.yml",
        strips=False,
        has_affinity=False,
        restricts=False,
        notes=(
            (
                "Cloudflare refuses bodies above 100 MB (Free and Pro) and cuts WebSockets that "
                "are quiet for 100 s; Streamlit's pings come earlier."
            ),
            _NOT_TRIED,
        ),
    ),
    Kind(
        name="iis",
        title="IIS with Application Request Routing",
        product=Product.IIS,
        template="web.config",
        put_into="the site's web.config",
        comment="<!-- {} -->",
        takes_networks=False,
        notes=(
            (
                "ARR 3, URL Rewrite 2 and the WebSocket Protocol feature must be installed; "
                "replicas are a server farm named streamlit."
            ),
            _NOT_TRIED,
        ),
    ),
)
KINDS = {kind.name: kind for kind in _ALL}
"""By name, in the order of the documentation."""
