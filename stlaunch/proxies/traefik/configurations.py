"""Traefik's three configurations: of the file provider, Docker labels, Kubernetes resources."""

from __future__ import annotations

from collections.abc import Sequence

from stlaunch.proxies.model import Kind, Part, Parts, common_without
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.site import Site
from stlaunch.proxies.traefik import notations

_NEEDS = common_without(Need.BODY_SIZE, Need.SCHEME)
_ROUTER = "traefik.http.routers.streamlit"
_SERVICE = "traefik.http.services.streamlit.loadbalancer"


def _as_file(site: Site, parts: Parts) -> tuple[Parts, dict[str, str]]:
    return parts | {"static": _static(site, parts)}, _values(site, parts)


def _as_labels(site: Site, parts: Parts) -> tuple[Parts, dict[str, str]]:
    flags = tuple(
        Part("static", "\n".join(f"- {line}" for line in part.lines.splitlines()), part.why)
        for part in _static(site, parts)
    )
    labels = _labels(site, parts.get("middlewares", ()), _without_servers(parts))
    return {"static": flags, "labels": labels}, _values(site, parts)


def _as_resources(site: Site, parts: Parts) -> tuple[Parts, dict[str, str]]:
    middlewares = _with_strip(site, parts.get("middlewares", ()))
    resources = notations.as_middlewares(middlewares)
    return {"documents": resources, "service": _without_servers(parts)}, _values(site, parts)


def _values(site: Site, parts: Parts) -> dict[str, str]:
    return notations.values(site, parts.get("middlewares", ()))


def _static(site: Site, parts: Parts) -> tuple[Part, ...]:
    static = parts.get("static", ())
    if site.is_https:
        return static
    return tuple(
        Part(part.place, part.lines.replace(".websecure.", ".web."), part.why) for part in static
    )


def _without_servers(parts: Parts) -> tuple[Part, ...]:
    """Docker and Kubernetes know themselves where the app is."""
    service = parts.get("service", ())
    return tuple(part for part in service if not part.lines.startswith("servers"))


def _with_strip(site: Site, middlewares: Sequence[Part]) -> tuple[Part, ...]:
    if site.keep_prefix or not site.base_path.value:
        return tuple(middlewares)
    lines = f'strip-path:\n  stripPrefix:\n    prefixes:\n      - "{site.values["base"]}"'
    return (*middlewares, Part("middlewares", lines, "The path is stripped."))


def _labels(site: Site, middlewares: Sequence[Part], service: Sequence[Part]) -> tuple[Part, ...]:
    names = notations.values(site, _with_strip(site, middlewares))
    used = ", ".join(dict.fromkeys(names["middlewares"].split(", "))).replace(" ", "")
    tls = f'\n{_ROUTER}.tls: "true"' if site.is_https else ""
    inner = f'\n{_ROUTER}-diagnostics.tls: "true"' if site.is_https else ""
    entry = names["entrypoint"]
    return (
        Part(
            "labels",
            f'{_ROUTER}.rule: "{names["rule"]}"\n{_ROUTER}.entrypoints: "{entry}"\n'
            f'{_ROUTER}.middlewares: "{used}"{tls}',
            "Which requests go to the app.",
        ),
        Part(
            "labels",
            f'{_ROUTER}-diagnostics.rule: "{names["diagnostic_rule"].replace("$", "$$")}"\n'
            f'{_ROUTER}-diagnostics.entrypoints: "{entry}"\n'
            f'{_ROUTER}-diagnostics.middlewares: "insiders,{used}"{inner}',
            "The same, for the diagnostic pages and metrics; its longer rule goes first.",
        ),
        *notations.as_labels(_with_strip(site, middlewares), "traefik.http.middlewares"),
        Part(
            "labels",
            f'{_SERVICE}.server.port: "{site.values["upstream_port"]}"',
            "Where the app listens in its container.",
        ),
        *notations.as_labels(service, _SERVICE),
    )


_FILE = """\
#: The part of the configuration that Traefik reloads by itself.
http:
  #[ in http of a file that the file provider reads
  #: Which requests go to the app.
  routers:
    streamlit:
      rule: "<<rule>>"
      entryPoints: [ <<entrypoint>> ]
      middlewares: [ <<middlewares>> ]
      service: streamlit
      ?tls tls: {}
    #: The same, for the diagnostic pages and metrics alone; its longer rule goes first.
    streamlit-diagnostics:
      rule: "<<diagnostic_rule>>"
      entryPoints: [ <<entrypoint>> ]
      middlewares: [ insiders, <<middlewares>> ]
      service: streamlit
      ?tls tls: {}

  #: What happens to a request.
  middlewares:
    @middlewares
    ?strip #: The path is stripped.
    ?strip strip-path:
    ?strip   stripPrefix:
    ?strip     prefixes: [ "<<base>>" ]

  #: The app.
  services:
    streamlit:
      loadBalancer:
        @service
  #]

?certified #: The certificate, with its chain, and its key.
?certified tls:
?certified   certificates:
?certified     - certFile: "<<certificate>>"
?certified       keyFile: "<<key>>"
"""

_COMPOSE = """\
#: The containers.
services:
  #: The proxy.
  traefik:
    image: traefik:v3
    command:
      - --providers.docker=true
      - --providers.docker.exposedbydefault=false
      - --entrypoints.<<entrypoint>>.address=:<<port>>
      @static
    ports:
      - "<<port>>:<<port>>"
    #: Traefik reads the labels below from Docker.
    volumes:
      - /var/run/docker.sock:/var/run/docker.sock:ro

  #[ in your compose.yaml, at the app's service
  #: The app.
  streamlit:
    image: my-streamlit-app
    command: [ "app.py", "--behind-proxy", "<<public>>" ]
    #: A stop waits for running scripts; Docker would end them after 10 seconds.
    stop_grace_period: <<stop_s>>s
    ?replicas #: Each replica gets its own container.
    ?replicas deploy:
    ?replicas   replicas: <<count>>
    labels:
      traefik.enable: "true"
      @labels
  #]
"""

_RESOURCES = """\
@documents
#[ an IngressRoute of your own
#: Which requests go to the app.
apiVersion: traefik.io/v1alpha1
kind: IngressRoute
metadata:
  name: streamlit
spec:
  entryPoints: [ <<entrypoint>> ]
  routes:
    - kind: Rule
      match: "<<rule>>"
      middlewares: [ <<middleware_names>> ]
      #: The app's Service.
      services:
        - name: streamlit
          port: <<upstream_port>>
          @service
    #: The same, for the diagnostic pages and metrics alone; its longer rule goes first.
    - kind: Rule
      match: "<<diagnostic_rule>>"
      middlewares: [ { name: insiders }, <<middleware_names>> ]
      services:
        - name: streamlit
          port: <<upstream_port>>
          @service
  ?tls #: The certificate and its key, as a Secret of type kubernetes.io/tls.
  ?tls tls:
  ?tls   secretName: streamlit-tls
#]
"""

KINDS = (
    Kind(
        name="traefik",
        takes_files=True,
        title="Traefik (file provider)",
        product=Product.TRAEFIK,
        template=_FILE,
        shape=_as_file,
        put_into="a file of --providers.file.directory",
        needs=_NEEDS,
    ),
    Kind(
        name="traefik-docker",
        title="Traefik (Docker labels)",
        product=Product.TRAEFIK,
        template=_COMPOSE,
        shape=_as_labels,
        put_into="compose.yaml",
        needs=_NEEDS,
    ),
    Kind(
        name="traefik-kubernetes",
        title="Traefik (Kubernetes IngressRoute)",
        product=Product.TRAEFIK,
        template=_RESOURCES,
        shape=_as_resources,
        put_into="a file for kubectl apply -f",
        needs=_NEEDS,
    ),
)
