"""What is read at all: a text in braces is YAML, and Terraform is not read."""

from __future__ import annotations

from pathlib import Path

import pytest

from stlaunch.lint import App, lint_file

COMPOSE = """\
services:
  streamlit:
    image: app
    hostname: {}
    deploy:
      replicas: 3
      labels:
        - traefik.enable=true
        - traefik.http.routers.app.rule=Host(`app.example.com`)
        - traefik.http.services.app.loadbalancer.server.port=8501
"""


@pytest.mark.parametrize(
    ("value", "is_template"),
    [
        ('"{{.Node.Hostname}}-{{.Task.Slot}}"', False),
        ("'{{resolve:secretsmanager:Secret:SecretString:password}}'", False),
        ("app-{{.Task.Slot}}", False),
        ('"it says \\"{{ x }}\\""', False),
        ("{{ .Values.host }}", True),
        ("[ {{ .Values.host }} ]", True),
        ("x\n    {{- if .Values.tls }}\n    init: true\n    {{- end }}", True),
        ("x\n    {% if tls %}\n    init: true\n    {% endif %}", True),
        ("x\n    command: [{{ .Values.host }}]", True),
    ],
)
def test_text_in_braces_is_yaml(tmp_path: Path, value: str, is_template: bool) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(COMPOSE.replace("{}", value))
    report = lint_file(path, App())

    assert [finding.code for finding in report.findings] == ([] if is_template else ["STL702"])
    assert any("This is a template" in note.text for note in report.notes) == is_template


def test_text_in_braces_may_hide_the_route(tmp_path: Path) -> None:
    path = tmp_path / "compose.yaml"
    path.write_text(
        COMPOSE.replace("8501", "{{ port }}").replace("streamlit:", "app:").replace("{}", "app")
    )
    report = lint_file(path, App())

    assert report.is_incomplete
    assert "What {{ port }} is filled in with is not known." in [one.text for one in report.notes]


TEMPLATED = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: app
  annotations:
    nginx.ingress.kubernetes.io/proxy-body-size: 500m
    nginx.ingress.kubernetes.io/upstream-vhost: "{{ vhost }}"
    nginx.ingress.kubernetes.io/rewrite-target: "{{ rewrite }}"
spec:
  ingressClassName: nginx
  defaultBackend: { service: { name: streamlit, port: { number: 8501 } } }
"""


def test_kubernetes_fills_nothing_in(tmp_path: Path) -> None:
    """Ansible quotes its values, so that the template is YAML too."""
    path = tmp_path / "ingress.yaml"
    path.write_text(TEMPLATED)
    report = lint_file(path, App())

    assert report.findings == []
    assert report.is_incomplete
    assert [note.text for note in report.notes] == [
        "This is a template ({{ vhost }} is to be filled in): render it first, then lint that."
    ]


@pytest.mark.parametrize(
    ("label", "codes", "mark"),
    [
        ("passhostheader={{ keeps_host }}", [], "{{ keeps_host }}"),
        ("x={{ color }}", [], "{{ color }}"),
        ("x={{.Node.Hostname}}", [], ""),
        ("x={{ .Task.Slot }}-{{ color }}", [], "{{ color }}"),
        ("passhostheader=false", ["STL501"], ""),
    ],
    ids=["value", "other", "dockers", "both", "none"],
)
def test_what_is_filled_in_is_not_guessed(
    tmp_path: Path, label: str, codes: list[str], mark: str
) -> None:
    path = tmp_path / "compose.yaml"
    line = f"        - traefik.http.services.app.loadbalancer.{label}\n"
    path.write_text(COMPOSE.replace("replicas: 3", "replicas: 1").replace("{}", "app") + line)
    report = lint_file(path, App())
    gap = f"What {mark} is filled in with is not known."

    assert report.routes
    assert [finding.code for finding in report.findings] == codes
    assert report.is_incomplete == bool(mark)
    assert not mark or gap in [note.text for note in report.notes]


def test_finding_in_a_line_with_a_template_is_a_guess(tmp_path: Path) -> None:
    path = tmp_path / "dynamic.yml"
    path.write_text(
        "http:\n  services:\n    streamlit:\n      loadBalancer:\n"
        '        servers: [{ url: "http://{{ a }}:8501" }, { url: "http://{{ b }}:8501" }]\n'
    )
    report = lint_file(path, App())

    assert report.findings == []
    assert "What {{ a }} is filled in with is not known." in [one.text for one in report.notes]


@pytest.mark.parametrize("name", ["main.tf", "terraform.tfvars", "alb.hcl"])
def test_terraform_is_not_read(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text('resource "aws_lb" "app" {\n  port = 8501\n  stickiness {\n  }\n}\n')
    report = lint_file(path, App())

    assert not report.findings
    assert [note.text.partition(":")[0] for note in report.notes] == ["Terraform is not read"]


IIS = """\
<configuration><system.webServer><rewrite><rules><rule name="app"><match url="(.*)" />
<action type="Rewrite" url="http://localhost:8501/{R:1}" /></rule></rules></rewrite>
LIMITS
</system.webServer></configuration>
"""
LIMITS = (
    '<security><requestFiltering><requestLimits maxAllowedContentLength="300000000" />'
    "</requestFiltering></security>"
)


@pytest.mark.parametrize(
    ("limits", "max_upload_mb", "codes"),
    [
        ("", 200, ["STL607"]),
        (LIMITS, 200, []),
        ("", 20, []),
        (f"<!--\n{LIMITS}\n-->", 200, ["STL607"]),
    ],
    ids=["its-own", "raised", "small-uploads", "raised-in-a-comment"],
)
def test_iis_has_a_limit_of_its_own(
    tmp_path: Path, limits: str, max_upload_mb: int, codes: list[str]
) -> None:
    path = tmp_path / "web.config"
    path.write_text(IIS.replace("LIMITS", limits))
    report = lint_file(path, App(max_upload_mb=max_upload_mb))

    assert [(one.code, one.line) for one in report.findings] == [(code, 2) for code in codes]


@pytest.mark.parametrize(
    "comment",
    [
        '<!-- <webSocket enabled="false" /> -->',
        '<!--\n<requestLimits maxAllowedContentLength="1" />\n-->',
        '<!-- <customHeaders>\n<add name="X-Frame-Options" value="DENY" />\n</customHeaders> -->',
        '<!-- <webSocket enabled="false" />',
    ],
    ids=["websocket", "limit", "header", "unclosed"],
)
def test_comments_of_xml_configure_nothing(tmp_path: Path, comment: str) -> None:
    path = tmp_path / "web.config"
    path.write_text(IIS.replace("LIMITS", f"{LIMITS}\n{comment}"))
    report = lint_file(path, App())

    assert report.routes
    assert report.findings == []


def test_lines_below_a_comment_of_xml_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "web.config"
    off = '<!-- one\ntwo\n--><webSocket enabled="false" />'
    path.write_text(IIS.replace("LIMITS", f"{LIMITS}\n{off}"))

    assert [(one.code, one.line) for one in lint_file(path, App()).findings] == [("STL301", 6)]


INGRESS = """\
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: app
  annotations:
    ANNOTATIONS
spec:
  ingressClassName: nginx
  rules:
  - http:
      paths:
      - path: /
        backend: { service: { name: streamlit, port: { number: 8501 } } }
      - path: /x
        backend: { service: { name: streamlit, port: { number: 8501 } } }
"""
BODY = 'nginx.org/client-max-body-size: "500m"'
SOCKETS = 'nginx.org/websocket-services: "other, streamlit"'


@pytest.mark.parametrize(
    ("annotations", "codes"),
    [
        ([BODY, SOCKETS], []),
        ([BODY], ["STL301"]),
        ([BODY, 'nginx.org/websocket-services: "other"'], ["STL301"]),
        ([SOCKETS], ["STL607"]),
        (['nginx.org/client-max-body-size: "10m"', SOCKETS], ["STL607"]),
        (['nginx.org/client-max-body-size: "0"', SOCKETS], []),
        ([BODY, SOCKETS, 'nginx.org/proxy-read-timeout: "10s"'], ["STL606"]),
        ([BODY, SOCKETS, 'nginx.org/proxy-read-timeout: "1h"'], []),
        (["nginx.com/slow-start: 10s"], ["STL301", "STL607"]),
        ([BODY, "nginx.ingress.kubernetes.io/proxy-body-size: 500m"], []),
    ],
)
def test_f5_ingress_has_annotations_of_its_own(
    tmp_path: Path, annotations: list[str], codes: list[str]
) -> None:
    path = tmp_path / "ingress.yaml"
    path.write_text(INGRESS.replace("ANNOTATIONS", "\n    ".join(annotations)))
    report = lint_file(path, App())

    assert sorted(finding.code for finding in report.findings) == codes
    assert all("nginx.org/" in finding.fix for finding in report.findings)


def test_haproxy_first_fills_one_server_before_the_next(tmp_path: Path) -> None:
    path = tmp_path / "haproxy.cfg"
    text = "listen a\nmode http\nbind :80\noption forwardfor\nbalance %s\n" + "".join(
        f"server s{number} 10.0.0.{number}:8501\n" for number in (1, 2)
    )
    found = {}
    for balance in ("first", "roundrobin"):
        path.write_text(text % balance)
        found[balance] = [finding.code for finding in lint_file(path, App()).findings]

    assert found == {"first": [], "roundrobin": ["STL702"]}


@pytest.mark.process
@pytest.mark.parametrize(("policy", "codes"), [("first", []), ("random", ["STL702"])])
def test_caddy_first_is_failover(tmp_path: Path, policy: str, codes: list[str]) -> None:
    path = tmp_path / "Caddyfile"
    targets = "10.0.0.1:8501 10.0.0.2:8501"
    path.write_text(f"a.test {{\n\treverse_proxy {targets} {{\n\t\tlb_policy {policy}\n\t}}\n}}\n")

    assert [finding.code for finding in lint_file(path, App()).findings] == codes
