"""Caddyfile: `caddy adapt` says what it means, where Caddy is present; lines are looked up."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stlaunch.errors import UsageError
from stlaunch.lint.app import App
from stlaunch.lint.findings import LintFinding, Note, Report
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

_ADAPT_S = 30
_HEADERS = {
    "connection": ("STL301", Need.UPGRADE),
    "upgrade": ("STL301", Need.UPGRADE),
    "sec-websocket-protocol": ("STL307", Need.SUBPROTOCOL),
    "cookie": ("STL507", None),
    "x-xsrftoken": ("STL506", None),
}


def lint_caddy(path: Path, app: App) -> Report:
    """Judge the reverse proxies that lead to the app.

    Raises:
        UsageError: for a file that Caddy itself refuses.
    """
    report = Report(files=[path])
    binary = _binary()
    if binary is None:
        text = "Caddy is not installed, and only `caddy adapt` reads a Caddyfile reliably."
        report.notes.append(Note(file=path, line=1, text=text))
        return report
    config = _adapted(binary, path)
    lines = path.read_text(encoding="utf-8").splitlines()
    proxies = [handler for handler in _handlers(config) if _leads_to_app(handler, app)]
    for handler in proxies:
        line = _line_of(lines, "reverse_proxy")
        report.routes.append(f"{path}:{line} reverse_proxy")
        _judge(path, handler, lines, app, report)
    if not proxies:
        text = f"No reverse_proxy leads to port {app.port}: --upstream HOST:PORT"
        report.notes.append(Note(file=path, line=1, text=text))
        return report
    for handler in _all(config):
        limit = handler.get("max_size")
        is_body = handler.get("handler") == "request_body"
        if is_body and isinstance(limit, int) and 0 < limit < app.max_upload_mb * 1024 * 1024:
            detail = f"Uploads may have {app.max_upload_mb} MB, and {limit} bytes pass."
            _add(
                report,
                path,
                lines,
                "max_size",
                code="STL607",
                detail=detail,
                need=Need.BODY_SIZE,
                app=app,
            )
    return report


def _judge(path: Path, handler: dict[str, Any], lines: list[str], app: App, report: Report) -> None:
    request = handler.get("headers", {}).get("request", {})
    for name in request.get("delete", ()):
        if name.lower() in _HEADERS:
            code, need = _HEADERS[name.lower()]
            detail = f"{name} never reaches the app."
            _add(
                report,
                path,
                lines,
                rf"header_up\s+-{name}",
                code=code,
                detail=detail,
                need=need,
                app=app,
            )
    for name, values in request.get("set", {}).items():
        text = " ".join(values)
        where = rf"header_up\s+{name}"
        if name.lower() == "host" and "upstream" in text:
            detail = "The app gets the upstream's address as Host, which is not the page's Origin."
            _add(
                report,
                path,
                lines,
                where,
                code="STL501",
                detail=detail,
                need=Need.HOST,
                app=app,
            )
        elif name.lower() in _HEADERS and "{" not in text:
            code, need = _HEADERS[name.lower()]
            detail = f"{name} does not reach the app as the browser sent it."
            _add(
                report,
                path,
                lines,
                where,
                code=code,
                detail=detail,
                need=need,
                app=app,
            )
    response = handler.get("headers", {}).get("response", {})
    if "set-cookie" in {name.lower() for name in response.get("delete", ())}:
        detail = "The app's cookies do not arrive in the browser."
        _add(
            report,
            path,
            lines,
            r"header_down\s+-Set-Cookie",
            code="STL505",
            detail=detail,
            need=None,
            app=app,
        )
    upstreams = handler.get("upstreams", ())
    policy = handler.get("load_balancing", {}).get("selection_policy", {}).get("policy", "random")
    if len(upstreams) > 1 and policy not in {"cookie", "ip_hash", "client_ip_hash", "header"}:
        detail = f"{len(upstreams)} upstreams are chosen by {policy}: a browser's requests reach "
        detail += "different replicas."
        _add(
            report,
            path,
            lines,
            "reverse_proxy",
            code="STL702",
            detail=detail,
            need=Need.AFFINITY,
            app=app,
        )


def _add(
    report: Report,
    path: Path,
    lines: list[str],
    where: str,
    *,
    code: str,
    detail: str,
    need: Need | None,
    app: App,
) -> None:
    known = fix_for(need, Product.CADDY, app.site(BasePath())) if need else None
    report.findings.append(
        LintFinding(
            code=code,
            file=path,
            line=_line_of(lines, where),
            detail=detail,
            fix=known.text if known else "",
        )
    )


def _line_of(lines: list[str], where: str) -> int:
    pattern = re.compile(rf"^\s*{where}\b", re.IGNORECASE)
    return next((number for number, line in enumerate(lines, 1) if pattern.match(line)), 1)


def _binary() -> str | None:
    if found := shutil.which("caddy"):
        return found
    beside = Path(sys.executable).with_name("caddy")
    return str(beside) if beside.exists() else None


def _adapted(binary: str, path: Path) -> dict[str, Any]:
    try:
        done = subprocess.run(  # noqa: S603 - Caddy itself, which only reads
            [binary, "adapt", "--config", str(path), "--adapter", "caddyfile"],
            capture_output=True,
            text=True,
            timeout=_ADAPT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise UsageError(f"{path}: `caddy adapt` did not work: {exc}.") from exc
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()[-1:] or ["it says nothing"]
        raise UsageError(f"{path}: Caddy refuses it: {said[0].removeprefix('Error: ')}.")
    config = json.loads(done.stdout)
    return config if isinstance(config, dict) else {}


def _all(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from _all(value)
    elif isinstance(node, list):
        for value in node:
            yield from _all(value)


def _handlers(config: dict[str, Any]) -> Iterator[dict[str, Any]]:
    return (node for node in _all(config) if node.get("handler") == "reverse_proxy")


def _leads_to_app(handler: dict[str, Any], app: App) -> bool:
    for upstream in handler.get("upstreams", ()):
        place = HostPort.parse(str(upstream.get("dial", "")))
        if place and app.listens_at(place.host, place.port):
            return True
    return False
