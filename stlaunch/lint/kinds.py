"""Recognise the kind of a configuration file by its content or, in doubt, by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path


class FileKind(StrEnum):
    """The languages that are read."""

    NGINX = "nginx"
    CADDY = "caddy"
    APACHE = "apache"
    HAPROXY = "haproxy"
    YAML = "yaml"
    """Traefik, Compose, Kubernetes, Envoy, h2o and others; the documents say which."""
    LIGHTTPD = "lighttpd"
    VARNISH = "varnish"
    IIS = "iis"
    BICEP = "bicep"
    APP = "app"
    """A Dockerfile or a systemd unit: it starts the app, and is not a proxy's."""


# Words that only one language has, matched at the beginning of a line; the first one decides.
_SAID = (
    (FileKind.APP, r"FROM [\w./:${}@-]+|\[(Unit|Service|Install)\]\s*$"),
    (FileKind.IIS, r"<(configuration|system\.webServer|webSocket|requestLimits|rewrite|rule)\b"),
    (
        FileKind.BICEP,
        (
            r"(param \w+ (string|array|object|int|bool)|resource \w+ ')"
            r"|pickHostNameFromBackendAddress:|@(secure|description)\("
        ),
    ),
    (FileKind.VARNISH, r"vcl 4\.\d;|sub vcl_\w+|backend \w+ \{\s*$"),
    (FileKind.LIGHTTPD, r'\$HTTP\["|server\.modules\b|(proxy|server|ssl|url)\.[a-z-]+ *(\+?=|:=) '),
    (
        FileKind.APACHE,
        (
            r"<(VirtualHost|Location|LocationMatch|IfModule|Proxy|Directory|Macro)\b"
            r"|(ProxyPass|ProxyPassMatch|ProxyPreserveHost|RewriteRule|RewriteEngine|BalancerMember"
            r"|ServerRoot|LoadModule|DocumentRoot|ServerName)\s"
        ),
    ),
    (
        FileKind.HAPROXY,
        (
            r"(global|defaults|userlist|resolvers)\s*(#.*)?$"
            r"|(frontend|backend|listen|defaults|resolvers|peers)\s+[\w.:@-]+[^;{}]*$"
            r"|(default_backend|use_backend|http-request|timeout (connect|client|server|tunnel))\s"
            r"[^;{}]*$"
        ),
    ),
    (
        FileKind.NGINX,
        (
            r"(server|http|events|stream)\s*\{|(location|upstream|map|geo)\s[^;]*\{"
            r"|(server|http|events)\s*$|(proxy|client|server|ssl|fastcgi)_[a-z_]+\s[^;]*;"
            r"|(listen|include|set)\s[^;]*;"
        ),
    ),
    (
        FileKind.CADDY,
        (
            r"(reverse_proxy|handle_path|handle|route|redir|encode|tls|respond|file_server)\b[^;]*$"
            r"|[\w.:*/-]+(,\s*[\w.:*/-]+)*\s*\{\s*$"
        ),
    ),
)
_YAML_LINE = re.compile(r"""^\s*(- )?["']?[\w./:@*-]+["']?\s*:(\s|$)|^---\s*$|^\s*- \S""")
_COMMENT = re.compile(r"^\s*(#|//|<!--|$)")
_SCANNED_LINES = 2000
# Jinja, Helm, Ansible, Go, ERB; and what caddy-docker-proxy fills in by itself.
_MARKS = (("{{", "}}"), ("{%", "%}"), ("<%", "%>"))
_CADDY_DOCKER = "{{upstreams"
_QUOTED = re.compile(r"""(?<![\w\\])(?:"(?:[^"\\]|\\.)*"|'[^']*')""")
# What no YAML parser takes for a text: a value, a key or a line of its own that begins with it.
_KUBERNETES = (re.compile(r"(?m)^apiVersion\s*:"), re.compile(r"(?m)^kind\s*:"))
# What Docker, Traefik (for a container without a rule) and CloudFormation fill in themselves.
_OF_THE_PRODUCT = re.compile(
    r"\{\{-?\s*(?:(?:\w+ +)?\.(?:Node|Service|Task|Name|ContainerName)\b|resolve:)"
)
_UNQUOTED = re.compile(r"(?:^\s*|[:,\[{-]\s+|[\[{])\{\{")
_TERRAFORM = {".tf", ".tofu", ".tfvars", ".hcl"}
_PLACEHOLDER = re.compile(r"__[A-Z][A-Z0-9]{0,30}(?:_[A-Z0-9]{1,30}){0,5}__")
# nginx's own variables are in lower case; envsubst's are not.
_ENVIRONMENT = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}|\$([A-Z][A-Z0-9_]+)\b")
_OWN_VARIABLES = re.compile(
    r"(?m)^[ \t]*set +\$(\w+)|^[ \t]*(?:map|geo|split_clients) +\S+ +\$(\w+)|\(\?P?<(\w+)>"
)
_MAX_LINE = 1000
_MAX_MARK = 40


def recognise(path: Path, text: str) -> FileKind | None:
    """Return the language of a file, or None."""
    name = path.name.lower()
    if is_terraform(path):
        return None
    if path.suffix.lower() in {".yaml", ".yml"}:
        return FileKind.YAML
    if path.suffix.lower() == ".bicep":
        return FileKind.BICEP
    if name.startswith("dockerfile") or name.endswith((".dockerignore", ".service", ".target")):
        return FileKind.APP
    if name.startswith("caddyfile") or name.endswith((".caddyfile", ".caddy")):
        return FileKind.CADDY
    lines = [
        line[:_MAX_LINE]
        for line in text.removeprefix("\ufeff").splitlines()[:_SCANNED_LINES]
        if not _COMMENT.match(line)
    ]
    # No comment of YAML begins with //.
    if _is_yaml(lines) and not re.search(r"(?m)^//", text):
        return FileKind.YAML
    return next((kind for kind, said in _SAID if _says(said, lines)), None)


def is_terraform(path: Path) -> bool:
    """Return whether a file is Terraform's, by its name: its blocks look like a Caddyfile's."""
    return path.suffix.lower() in _TERRAFORM


def is_template(text: str, kind: FileKind) -> tuple[int, str] | None:
    """Return the line and the mark of something that is filled in before the proxy reads it.

    A text with `{{ }}` inside is still YAML, which Docker, Traefik and CloudFormation fill in
    themselves; Kubernetes fills nothing in.
    """
    is_strict = kind is not FileKind.YAML or all(one.search(text) for one in _KUBERNETES)
    return next(_marks(text, kind, is_strict=is_strict), None)


def filled_in(text: str, kind: FileKind) -> list[tuple[int, str]]:
    """Return all that is filled in, each with its line, also in the texts of YAML."""
    return list(_marks(text, kind, is_strict=True))


def is_of_the_product(mark: str) -> bool:
    """Return whether a mark is one that the product itself fills in.

    >>> is_of_the_product("{{.Node.Hostname}}"), is_of_the_product("{{ host }}")
    (True, False)
    """
    return _OF_THE_PRODUCT.match(mark) is not None


def _marks(text: str, kind: FileKind, *, is_strict: bool) -> Iterator[tuple[int, str]]:
    own = _OWN_VARIABLES.findall(text) if kind is FileKind.NGINX else []
    defined = {name for names in own for name in names if name}
    for number, line in enumerate(text.split("\n"), 1):
        if _COMMENT.match(line):
            continue
        for opening, closing in _MARKS:
            if opening not in line or (opening == "{{" and not is_strict and _is_quoted(line)):
                continue
            start = line.find(opening)
            while start >= 0 and (end := line.find(closing, start + len(opening))) >= 0:
                if not line.startswith(_CADDY_DOCKER, start):
                    yield number, line[start : end + len(closing)][:_MAX_MARK]
                start = line.find(opening, end)
        names = list(_PLACEHOLDER.finditer(line))
        if kind is FileKind.NGINX:
            names += [m for m in _ENVIRONMENT.finditer(line) if (m[1] or m[2]) not in defined]
        if names:
            yield number, names[0][0][:_MAX_MARK]


def _is_quoted(line: str) -> bool:
    """Return whether what is in braces is inside a text of YAML."""
    return _UNQUOTED.search(_QUOTED.sub("''", line)) is None


def _is_yaml(lines: list[str]) -> bool:
    """All lines look like YAML, or the first ones do: h2o's files have Ruby inside."""
    first = lines[:20]
    return (
        bool(first)
        and all(_YAML_LINE.match(line) for line in first[:3])
        and not any(line.rstrip().endswith((";", "{")) for line in first[:3])
    )


def _says(pattern: str, lines: list[str]) -> bool:
    compiled = re.compile(rf"\s*(?:{pattern})", re.IGNORECASE if "VirtualHost" in pattern else 0)
    return any(compiled.match(line) for line in lines)
