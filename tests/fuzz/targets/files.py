"""What `stlaunch lint` reads: every language, and no error but its own."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator
from functools import partial
from pathlib import Path

from stlaunch.errors import StlaunchError
from stlaunch.lint import FileKind, lint_text
from stlaunch.lint.kinds import is_template, recognise
from tests.fuzz.target import Target

CORPUS = Path(__file__).parents[2] / "lint" / "corpus"
_MAX_BYTES = 2048
_WHOLE = {
    FileKind.NGINX: (
        b"server { listen 80; location /app/ { proxy_pass http://127.0.0.1:8501/; } }",
        b"http { map $http_upgrade $c { default upgrade; '' close; } upstream a { ip_hash; server"
        b" streamlit:8501; } server { set $b a; location ~ ^/(x|y)/ { proxy_set_header Upgrade"
        b" $http_upgrade; proxy_set_header Connection $c; proxy_pass http://$b; } } }",
        b"server { add_header Content-Security-Policy \"default-src 'self'\"; limit_req zone=a;"
        b" location = /x { return 302 /x/; } client_max_body_size 1m; proxy_read_timeout 5s; }",
    ),
    FileKind.CADDY: (
        b":80 {\n\thandle_path /app/* {\n\t\treverse_proxy localhost:8501\n\t}\n}\n",
        b"(snip) {\n header_up Host {upstream_hostport}\n}\na.test {\n import snip\n route {\n"
        b" rewrite * /x{uri}\n reverse_proxy 127.0.0.1:8501 {\n flush_interval -1\n }\n }\n}\n",
    ),
    FileKind.APACHE: (
        b"<VirtualHost *:80>\nProxyPass /app/ http://127.0.0.1:8501/\nRewriteEngine on\n"
        b"RewriteCond %{HTTP:Upgrade} websocket [NC]\n"
        b"RewriteRule ^/app/(.*) ws://127.0.0.1:8501/$1 [P,L]\n</VirtualHost>\n",
        b"<Location /app>\nProxyPass http://127.0.0.1:8501 upgrade=websocket timeout=3\n"
        b'RequestHeader set Host "x"\nLimitRequestBody 100\n</Location>\n',
    ),
    FileKind.HAPROXY: (
        b"defaults\n mode http\n timeout client 5s\nfrontend f\n bind :80\n acl a path_beg"
        b" /app\n use_backend b if a\nbackend b\n http-request set-path %[path,regsub(^/app,,)]\n"
        b" server s 127.0.0.1:8501 cookie s\n",
        b"listen l\n mode http\n bind :443 ssl\n http-request replace-path ^/app/?(.*)$ /\\1 if !{ path"
        b" -m reg -i ^/x(/|$) } || { hdr(upgrade),lower -m found }\n http-request deny unless METH_GET"
        b" or { method POST PUT }\n redirect code 308 location / if { path / }\n use_backend l\n server"
        b" streamlit unix@/run/streamlit.sock maxconn 9\n",
    ),
    FileKind.YAML: (
        b"http:\n  routers:\n    a: {rule: PathPrefix(`/app`), service: s, middlewares: [m]}\n"
        b"  middlewares: {m: {stripPrefix: {prefixes: [/app]}}}\n"
        b"  services: {s: {loadBalancer: {servers: [{url: 'http://127.0.0.1:8501'}]}}}\n",
        b"apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: a, annotations:"
        b" {nginx.ingress.kubernetes.io/rewrite-target: /$2}}\nspec: {rules: [{http: {paths:"
        b" [{path: /app(/|$)(.*), backend: {service: {name: s, port: {number: 8501}}}}]}}]}\n---\n",
        b"services:\n  web: {image: nginx, ports: ['80:80']}\n  app: {command: streamlit run a.py}\n",
    ),
    FileKind.LIGHTTPD: (
        b'server.modules += ("mod_proxy")\n$HTTP["url"] =~ "^/app" {\n proxy.server = ("" =>'
        b' (("host" => "127.0.0.1", "port" => 8501)))\n proxy.header = ("upgrade" => "enable")\n}\n',
    ),
    FileKind.VARNISH: (
        b'vcl 4.1;\nbackend a {\n .host = "127.0.0.1";\n .port = "8501";\n}\nsub vcl_recv {\n if'
        b' (req.http.upgrade ~ "(?i)websocket") { return (pipe); }\n}\n',
    ),
    FileKind.IIS: (
        b'<configuration><system.webServer><webSocket enabled="false"/><rewrite><rules><rule'
        b' name="a"><match url="^app/(.*)"/><action type="Rewrite" url="http://127.0.0.1:8501/{R:1}"'
        b"/></rule></rules></rewrite></system.webServer></configuration>",
    ),
    FileKind.BICEP: (
        b"param a string\nresource gw 'Microsoft.Network/applicationGateways@2023-01-01' = {\n"
        b" properties: { backendHttpSettingsCollection: [ {\n  port: 8501\n  requestTimeout: 20\n"
        b"  pickHostNameFromBackendAddress: true\n } ] }\n}\n",
    ),
    FileKind.APP: (
        b'FROM python:3.12\nCMD ["streamlit", "run", "app.py", "--server.enableCORS=false"]\n',
        b"[Service]\nExecStart=/usr/bin/streamlit run app.py --server.baseUrlPath x\n",
    ),
}
_TOKENS = (
    *(
        b"{",
        b"}",
        b";",
        b"\n",
        b"\n  ",
        b"\\\n",
        b"#",
        b'"',
        b"'",
        b"$",
        b"${",
        b"%{",
        b"`",
        b"<",
        b"/>",
    ),
    *(
        b"[",
        b"]",
        b"(",
        b")*",
        b"(a+)+",
        b"^/",
        b"$1",
        b"~ ",
        b"&a ",
        b"*a",
        b"<<: ",
        b"!!x ",
        b"|\n",
        b"- ",
    ),
    *(
        b"include ",
        b"import ",
        b"Include ",
        b"/dev/zero",
        b"*.conf",
        b"8501",
        b"127.0.0.1",
        b"streamlit",
    ),
    *(
        b"0s",
        b"99999999999999999999",
        b"-1",
        b"1m",
        b"off",
        b"on",
        b"\xef\xbb\xbf",
        b"\xe2\x80\xa8",
    ),
)


def of_corpus(kind: FileKind) -> Iterator[bytes]:
    """Yield the linter's own test files of a language: each reaches rules that no other does."""
    for file in sorted(CORPUS.rglob("*")):
        data = file.read_bytes() if file.is_file() else b""
        if len(data) <= _MAX_BYTES and recognise(file, data.decode("latin-1")) is kind:
            yield data


def lint(kind: FileKind, data: bytes) -> Hashable:
    """Evaluate a text: findings in its own lines, or a sentence."""
    text = data.decode("utf-8", "replace")
    recognise(Path("x.conf"), text)
    is_template(text, kind)
    try:
        report = lint_text(text, kind)
    except StlaunchError as exc:
        return str(exc)[:24]
    lines = len(re.split("\r\n|\r|\n", text))
    for found in (*report.findings, *report.notes):
        assert 1 <= found.line <= lines + 1, found
    for edit in (edit for found in report.findings for edit in found.edits):
        assert edit.file == Path(f"text.{kind}"), edit
    return (
        len(report.routes),
        report.is_incomplete,
        *sorted({one.code for one in report.findings}),
    )


TARGETS = tuple(
    Target(
        name=f"lint-{kind}",
        promise="findings in the text's own lines, or one of our own errors",
        run=partial(lint, kind),
        seeds=(*_WHOLE[kind], *of_corpus(kind)),
        tokens=_TOKENS,
        max_bytes=_MAX_BYTES,
    )
    for kind in FileKind
)
