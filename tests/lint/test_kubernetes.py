"""Kubernetes: what an Ingress, its class and the other objects really do."""

from __future__ import annotations

from pathlib import Path

import pytest

from stlaunch.lint import App, Report, lint_file

APP = "{ service: { name: streamlit, port: { number: 8501 } } }"
SIZE = "nginx.ingress.kubernetes.io/proxy-body-size: 300m"


def lint(folder: Path, text: str) -> Report:
    """Lint one file."""
    path = folder / "app.yaml"
    path.write_text(text)
    return lint_file(path, App())


def codes(folder: Path, text: str) -> list[str]:
    """Return the findings in one file."""
    return sorted(finding.code for finding in lint(folder, text).findings)


def ingress(
    *paths: tuple[str, str], class_name: str = "nginx", host: str = "a.test", **annotations: str
) -> str:
    """Return an Ingress; annotations have _ for -."""
    front = "nginx.ingress.kubernetes.io/"
    lines = [f"    {front}{key.replace('_', '-')}: {value}" for key, value in annotations.items()]
    ways = [
        f"          - {{ path: '{path}', pathType: {kind}, backend: {APP} }}"
        for path, kind in paths or [("/", "Prefix")]
    ]
    return "\n".join(
        [
            "apiVersion: networking.k8s.io/v1",
            "kind: Ingress",
            "metadata:",
            "  name: app",
            "  annotations:",
            f"    {SIZE}",
            *lines,
            "spec:",
            f"  ingressClassName: {class_name}",
            "  rules:",
            f"    - host: {host}",
            "      http:",
            "        paths:",
            *ways,
            "",
        ]
    )


@pytest.mark.parametrize(
    ("path", "kind", "target", "expected"),
    [
        ("/", "Prefix", "/", []),
        ("/app", "ImplementationSpecific", "/app", []),
        ("/app/", "Prefix", "/app/", []),
        ("/app", "Prefix", "''", []),
        # The controller makes the path /app/ before it compares: everything becomes /app.
        ("/app", "Prefix", "/app", ["STL316"]),
        ("/app", "Prefix", "/", ["STL316"]),
    ],
)
def test_rewrite_to_its_own_path_is_none(
    tmp_path: Path, path: str, kind: str, target: str, expected: list[str]
) -> None:
    """Locations get their final slash first: location.go and template.go of ingress-nginx."""
    assert codes(tmp_path, ingress((path, kind), rewrite_target=target)) == expected


CSP = "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob: wss:"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (f'add_header Content-Security-Policy "{CSP}";', []),
        (f'more_set_headers "Content-Security-Policy: {CSP}";', []),
        (f'more_set_headers "X-One: 1" "Content-Security-Policy: {CSP}";', []),
        ("# add_header X-Frame-Options DENY;", []),
        ('add_header X-One "#"; # more_set_headers "X-Frame-Options: DENY";', []),
        ("# proxy_set_header Origin '';", []),
        ("proxy_set_header Origin $http_origin;", []),
        ('more_set_headers -s 404 "X-Frame-Options: DENY";', []),
        ("location /api/ { add_header X-Frame-Options DENY; }", []),
        ('more_set_headers "X-One: 1" "X-Frame-Options: DENY";', ["STL809"]),
        ("add_header X-Frame-Options 'DENY' always;", ["STL809"]),
        ("more_set_headers 'X-Frame-Options: DENY';", ["STL809"]),
        ("""add_header Content-Security-Policy "default-src 'none'";""", ["STL810"]),
        ("proxy_set_header Origin '';", ["STL502"]),
    ],
)
def test_snippet_is_read_as_nginx_reads_it(tmp_path: Path, lines: str, expected: list[str]) -> None:
    text = ingress(server_snippet=f"|\n      {lines}")

    assert codes(tmp_path, text) == expected


def test_snippet_that_nginx_refuses_is_noted(tmp_path: Path) -> None:
    report = lint(tmp_path, ingress(configuration_snippet='|\n      add_header X-One "1'))

    assert report.findings == []
    assert "Not understood, so not checked: snippet, line 1: the quote" in report.notes[0].text


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([("/oauth2callback", "Exact"), ("/", "Prefix")], []),
        ([("/app", "Exact"), ("/app/", "Prefix")], []),
        ([("/app", "Exact"), ("/app(/|$)(.*)", "ImplementationSpecific")], []),
        ([("/_stcore/health", "Exact")], []),
        ([("/app", "Exact"), ("/other", "Prefix")], ["STL316"]),
        ([("/app", "Exact")], ["STL316"]),
    ],
)
def test_exact_path_may_be_one_of_several(
    tmp_path: Path, paths: list[tuple[str, str]], expected: list[str]
) -> None:
    assert codes(tmp_path, ingress(*paths)) == expected


@pytest.mark.parametrize(("host", "expected"), [("a.test", []), ("b.test", ["STL316"])])
def test_exact_path_may_have_an_ingress_of_its_own(
    tmp_path: Path, host: str, expected: list[str]
) -> None:
    own = ingress(("/oauth2callback", "Exact"))

    assert codes(tmp_path, f"{own}---\n{ingress(host=host)}") == expected


@pytest.mark.parametrize(("host", "expected"), [("a.test", []), ("app.internal", ["STL501"])])
def test_vhost_may_be_the_pages_own(tmp_path: Path, host: str, expected: list[str]) -> None:
    assert codes(tmp_path, ingress(upstream_vhost=host)) == expected


def http_route(*rules: str) -> str:
    """Return an HTTPRoute with rules to the app."""
    backend = "backendRefs: [{ name: streamlit, port: 8501 }]"
    return "\n".join(
        [
            "apiVersion: gateway.networking.k8s.io/v1",
            "kind: HTTPRoute",
            "spec:",
            "  rules:",
            *(f"    - {{ {rule}{backend} }}" for rule in rules),
            "",
        ]
    )


def exact(path: str) -> str:
    """Return the match of one path."""
    return f"matches: [{{ path: {{ type: Exact, value: {path} }} }}], "


REPLACED = (
    "filters: [{ type: URLRewrite, urlRewrite: { path: "
    "{ type: ReplaceFullPath, replaceFullPath: /_stcore/health } } }], "
)
ROOT = "matches: [{ path: { type: PathPrefix, value: / } }], "


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([f"{exact('/healthz')}{REPLACED}", ROOT], []),
        ([f"{exact('/healthz')}{REPLACED}", ""], []),
        ([exact("/oauth2callback"), ROOT], []),
        ([exact("/")], ["STL316"]),
        ([f"{ROOT}{REPLACED}"], ["STL316"]),
        ([REPLACED], ["STL316"]),
    ],
)
def test_http_route_may_have_exact_paths(
    tmp_path: Path, rules: list[str], expected: list[str]
) -> None:
    assert codes(tmp_path, http_route(*rules)) == expected


def test_wide_path_of_another_service_is_no_way_to_the_app(tmp_path: Path) -> None:
    other = http_route(ROOT).replace("name: streamlit, port: 8501", "name: web, port: 80")

    assert codes(tmp_path, f"{http_route(exact('/app'))}---\n{other}") == ["STL316"]


@pytest.mark.parametrize(
    ("annotation", "termination", "expected"),
    [
        ("timeout", "edge", []),
        ("timeout", "reencrypt", []),
        ("timeout", "passthrough", ["STL606"]),
        ("timeout-tunnel", "edge", ["STL606"]),
    ],
)
def test_openshift_has_a_limit_for_tunnels(
    tmp_path: Path, annotation: str, termination: str, expected: list[str]
) -> None:
    text = f"""\
apiVersion: route.openshift.io/v1
kind: Route
metadata: {{ name: app, annotations: {{ haproxy.router.openshift.io/{annotation}: 15s }} }}
spec:
  to: {{ kind: Service, name: streamlit }}
  port: {{ targetPort: 8501 }}
  tls: {{ termination: {termination} }}
"""

    assert codes(tmp_path, text) == expected


def deployment(replicas: int) -> str:
    """Return the app's Deployment and Service."""
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: streamlit }}
spec:
  replicas: {replicas}
  template:
    metadata: {{ labels: {{ app: streamlit }} }}
    spec: {{ containers: [{{ name: app, ports: [{{ containerPort: 8501 }}] }}] }}
---
apiVersion: v1
kind: Service
metadata: {{ name: streamlit }}
spec: {{ selector: {{ app: streamlit }}, ports: [{{ port: 8501 }}] }}
---
"""


MIDDLEWARE = (
    "apiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata: {{ name: {} }}\nspec: {}\n"
)


def ingress_route(*matches: str, middleware: str = "one") -> str:
    """Return an IngressRoute to the app."""
    routes = [
        f"    - {{ match: '{match}', middlewares: [{{ name: {middleware} }}], "
        "services: [{ name: streamlit, port: 8501 }] }"
        for match in matches
    ]
    head = ["apiVersion: traefik.io/v1alpha1", "kind: IngressRoute", "spec:", "  routes:"]
    return "\n".join([*head, *routes, "---", ""])


ALB = "alb.ingress.kubernetes.io/"
STICKY_ALB = f"{ALB}target-group-attributes: 'a=b, stickiness.enabled=true'"
STICKY_AZURE = 'appgw.ingress.kubernetes.io/cookie-based-affinity: "true"'
HTTP_PROXY = "apiVersion: projectcontour.io/v1\nkind: HTTPProxy\nspec: { routes: [ROUTE] }\n"
GKE = "apiVersion: cloud.google.com/v1\nkind: BackendConfig\nspec: "
GKE_SERVICE = f"""\
{GKE.replace("spec: ", "metadata: { name: long }")}
---
apiVersion: v1
kind: Service
metadata:
  name: SERVICE
  annotations: {{ cloud.google.com/backend-config: '{{"default": "long"}}' }}
spec: {{ selector: {{ app: SERVICE }}, ports: [{{ port: 80, targetPort: 8501 }}] }}
"""
ISTIO = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
spec: { hosts: [a.test], http: [{ route: [{ destination: { host: SERVICE } }] }] }
"""
MAPPING = "apiVersion: getambassador.io/v3alpha1\nkind: Mapping\nspec: { service: 'SERVICE' }\n"
POLICY = "apiVersion: networking.gke.io/v1\nkind: GCPBackendPolicy\nspec: "


@pytest.mark.parametrize(
    "objects",
    [
        ingress(class_name="alb").replace(SIZE, STICKY_ALB),
        ingress(class_name="azure-application-gateway").replace(SIZE, STICKY_AZURE),
        ingress(class_name="gce").replace(SIZE, "a: b")
        + f"---\n{GKE}{{ sessionAffinity: {{ affinityType: GENERATED_COOKIE }} }}\n",
        http_route("")
        + f"---\n{POLICY}{{ default: {{ sessionAffinity: {{ type: CLIENT_IP }} }} }}\n",
        HTTP_PROXY.replace("ROUTE", "{ loadBalancerPolicy: { strategy: Cookie } }"),
    ],
    ids=["alb", "azure", "gke", "gke-gateway", "contour"],
)
def test_replicas_may_be_sticky_in_every_product(tmp_path: Path, objects: str) -> None:
    report = lint(tmp_path, deployment(2) + objects)

    assert report.findings == []
    assert not [note for note in report.notes if "2 replicas" in note.text]


@pytest.mark.parametrize(
    "objects",
    [
        ingress(class_name="kong").replace(SIZE, "a: b"),
        ingress(class_name="gce").replace(SIZE, "a: b"),
        GKE_SERVICE.replace("SERVICE", "streamlit"),
        HTTP_PROXY.replace("ROUTE", "{ services: [{ name: streamlit, port: 8501 }] }"),
        ISTIO.replace("SERVICE", "streamlit.default.svc.cluster.local"),
        MAPPING.replace("SERVICE", "http://streamlit.default:8501"),
    ],
    ids=["kong", "gce", "gke", "contour", "istio", "emissary"],
)
def test_replicas_behind_an_unknown_class_are_noted(tmp_path: Path, objects: str) -> None:
    report = lint(tmp_path, deployment(2) + objects)

    assert report.findings == []
    assert any("2 replicas: whether each browser stays" in note.text for note in report.notes)


@pytest.mark.parametrize(
    "objects",
    [
        GKE_SERVICE.replace("SERVICE", "api").replace("8501", "9000"),
        HTTP_PROXY.replace("ROUTE", "{ services: [{ name: api, port: 9000 }] }"),
        ISTIO.replace("SERVICE", "api"),
        MAPPING.replace("SERVICE", "api:9000"),
    ],
    ids=["gke", "contour", "istio", "emissary"],
)
def test_objects_of_another_service_say_nothing_of_the_apps(tmp_path: Path, objects: str) -> None:
    assert codes(tmp_path, f"{deployment(2)}{ingress()}---\n{objects}") == ["STL702"]
    assert codes(tmp_path, f"{deployment(2)}{objects}") == ["STL702"]


@pytest.mark.parametrize(
    ("objects", "lines"),
    [
        (ingress(), 'nginx.ingress.kubernetes.io/affinity: "cookie"'),
        (ingress(class_name="''"), 'nginx.ingress.kubernetes.io/affinity: "cookie"'),
        (ingress(class_name="''").replace(SIZE, f"{ALB}scheme: internal"), "stickiness.enabled"),
        (ingress(class_name="alb").replace(SIZE, "a: b"), "stickiness.enabled=true"),
        (ingress(class_name="azure-application-gateway").replace(SIZE, "a: b"), "cookie-based"),
        (ingress(class_name="traefik").replace(SIZE, "a: b"), "service.sticky.cookie"),
        (ingress(class_name="nginx-internal").replace(SIZE, "a: b"), "affinity-mode"),
        (ingress(class_name="external-nginx").replace(SIZE, "a: b"), "affinity-mode"),
        (ingress(class_name="alb-public").replace(SIZE, "a: b"), "stickiness.enabled=true"),
        (ingress(class_name="traefik-lan").replace(SIZE, "a: b"), "service.sticky.cookie"),
        (http_route(""), "sessionPersistence"),
        (
            ingress_route("Host(`a.test`)"),
            "sticky: { cookie:",
        ),
    ],
    ids=[
        "nginx",
        "no-class",
        "alb-annotation",
        "alb",
        "azure",
        "traefik",
        "nginx-internal",
        "external-nginx",
        "alb-public",
        "traefik-lan",
        "gateway",
        "route",
    ],
)
def test_replicas_get_the_lines_of_their_product(tmp_path: Path, objects: str, lines: str) -> None:
    (finding,) = lint(tmp_path, deployment(2) + objects).findings

    assert finding.code == "STL702"
    assert lines in finding.fix


@pytest.mark.parametrize(("most", "expected"), [(5, ["STL702"]), (1, [])])
def test_autoscaler_decides_about_one_replica(
    tmp_path: Path, most: int, expected: list[str]
) -> None:
    scaler = (
        "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\n"
        f"spec: {{ scaleTargetRef: {{ name: streamlit }}, maxReplicas: {most} }}\n"
    )

    assert codes(tmp_path, deployment(1) + scaler) == expected


@pytest.mark.parametrize(
    ("chained", "expected"), [("two", ["STL809"]), ("one", []), ("missing", [])]
)
def test_chain_of_middlewares_is_followed(
    tmp_path: Path, chained: str, expected: list[str]
) -> None:
    """Also where it leads back to itself."""
    text = "---\n".join(
        [
            ingress_route("Host(`a.test`)"),
            MIDDLEWARE.format("one", f"{{ chain: {{ middlewares: [{{ name: {chained} }}] }} }}"),
            MIDDLEWARE.format("two", "{ headers: { frameDeny: true } }"),
        ]
    )

    assert codes(tmp_path, text) == expected


@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        (["Host(`a.test`)"], ["STL316"]),
        (["Path(`/alive`)", "Host(`a.test`)"], ["STL316"]),
        (["Path(`/healthz`)"], []),
    ],
)
def test_replaced_path_of_an_ingress_route(
    tmp_path: Path, matches: list[str], expected: list[str]
) -> None:
    """A single path may well be replaced; here the same middleware is everybody's."""
    replaced = MIDDLEWARE.format("one", "{ replacePath: { path: /_stcore/health } }")

    assert codes(tmp_path, ingress_route(*matches) + replaced) == expected


@pytest.mark.parametrize(
    ("matches", "expected"),
    [
        (["Host(`a.test`) && Path(`/app`)"], ["STL316"]),
        (["Path(`/app`)", "PathPrefix(`/app/`)"], []),
        (["Path(`/app`) || PathPrefix(`/app/`)"], []),
    ],
)
def test_exact_path_of_an_ingress_route(
    tmp_path: Path, matches: list[str], expected: list[str]
) -> None:
    assert codes(tmp_path, ingress_route(*matches)) == expected


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        (ingress_route("Host(`a.test`) && Path(`/app`)"), "write PathPrefix(`/app`) in the rule"),
        (http_route(exact("/app")), "write type: PathPrefix in the rule's path"),
    ],
    ids=["traefik", "gateway"],
)
def test_exact_path_has_a_fix_of_its_own(tmp_path: Path, text: str, fix: str) -> None:
    (finding,) = lint(tmp_path, text).findings

    assert finding.code == "STL316"
    assert finding.fix == fix


F5 = 'nginx.org/client-max-body-size: "500m"'
SOCKETS = f"{F5}\n    nginx.org/websocket-services: streamlit"


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        ([("/app", "Exact")], ["STL316"]),
        ([("/app", "Exact"), ("/", "Prefix")], []),
        ([("/app", "Prefix")], []),
    ],
    ids=["exact", "covered", "prefix"],
)
def test_exact_path_of_f5_lets_nothing_below_through(
    tmp_path: Path, paths: list[tuple[str, str]], expected: list[str]
) -> None:
    assert codes(tmp_path, ingress(*paths).replace(SIZE, SOCKETS)) == expected


@pytest.mark.parametrize(
    ("annotations", "expected"), [(F5, ["STL301"]), (SOCKETS, [])], ids=["unnamed", "named"]
)
def test_default_backend_of_f5_is_named_for_the_websocket(
    tmp_path: Path, annotations: str, expected: list[str]
) -> None:
    head, _, _ = ingress().replace(SIZE, annotations).partition("  rules:")
    report = lint(tmp_path, f"{head}  defaultBackend: {APP}\n")

    assert [finding.code for finding in report.findings] == expected
    assert all("streamlit" in finding.fix for finding in report.findings)
