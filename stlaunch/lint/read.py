"""Recognises what kind of configuration a file is, and has it judged."""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

from stlaunch.errors import UsageError
from stlaunch.lint.app import App
from stlaunch.lint.findings import Note, Report

_MAX_BYTES = 5_000_000


class FileKind(StrEnum):
    """What a file can be."""

    NGINX = "nginx"
    CADDY = "caddy"
    APACHE = "apache"
    HAPROXY = "haproxy"
    YAML = "yaml"


def lint_file(path: Path, app: App) -> Report:
    """Judge one file, and what it includes.

    Raises:
        UsageError: for a file that cannot be read, or is broken.
    """
    text = _text_of(path)
    kind = recognise(path, text)
    if kind is None:
        note = "This is none of nginx, Caddyfile, Apache, HAProxy, Traefik, Compose or Kubernetes."
        return Report(notes=[Note(file=path, line=1, text=note)], files=[path])
    return _linter(kind)(path, app)


def recognise(path: Path, text: str) -> FileKind | None:
    """Tell what a file is by its name and by words that only one language has."""
    if path.suffix in {".yaml", ".yml"}:
        return FileKind.YAML
    if path.name.startswith("Caddyfile") or path.suffix == ".caddy":
        return FileKind.CADDY
    if re.search(
        r"(?im)^\s*(<VirtualHost|<Location|<IfModule|<Proxy|ProxyPass|RewriteRule)\b", text
    ):
        return FileKind.APACHE
    if re.search(r"(?m)^(global|defaults|frontend|backend|listen)\b[^;{}]*$", text):
        return FileKind.HAPROXY
    if re.search(r"(?m)^\s*(server|location|upstream|http|map|events)\b[^;]*\{", text):
        return FileKind.NGINX
    return FileKind.NGINX if re.search(r"(?m)^\s*proxy_[a-z_]+\s[^;]*;", text) else None


def _linter(kind: FileKind) -> Callable[[Path, App], Report]:
    # Each imports a parser of its own.
    match kind:
        case FileKind.NGINX:
            from stlaunch.lint.nginx import lint_nginx  # noqa: PLC0415

            return lint_nginx
        case FileKind.CADDY:
            from stlaunch.lint.caddy import lint_caddy  # noqa: PLC0415

            return lint_caddy
        case FileKind.APACHE:
            from stlaunch.lint.apache import lint_apache  # noqa: PLC0415

            return lint_apache
        case FileKind.HAPROXY:
            from stlaunch.lint.haproxy import lint_haproxy  # noqa: PLC0415

            return lint_haproxy
        case FileKind.YAML:
            from stlaunch.lint.yaml_files import lint_yaml  # noqa: PLC0415

            return lint_yaml


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise UsageError(f"{path} is larger than {_MAX_BYTES} bytes.")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as exc:
        raise UsageError(f"{path} does not exist.") from exc
    except OSError as exc:
        raise UsageError(f"{path} cannot be read: {exc.strerror}.") from exc
    except UnicodeDecodeError as exc:
        raise UsageError(f"{path} is not UTF-8 text.") from exc
