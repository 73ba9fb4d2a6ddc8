"""Caddyfile: read through `caddy adapt` where Caddy is installed."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from stlaunch.diagnostics.page_policy import COMPONENT, PAGE, header_problems
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.errors import UsageError
from stlaunch.lint import streamlit
from stlaunch.lint.app import App, socket_path
from stlaunch.lint.findings import LintFinding, Report
from stlaunch.lint.sources import Sources, is_pattern
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import HostPort

_ADAPT_S = 20
_MAX_KIB = 4_000_000
_MAX_OUTPUT = 20_000_000
_HEADERS = {
    "connection": ("STL301", Need.UPGRADE),
    "upgrade": ("STL301", Need.UPGRADE),
    "sec-websocket-protocol": ("STL307", Need.SUBPROTOCOL),
    "cookie": ("STL507", None),
    "x-xsrftoken": ("STL506", None),
}
_DIRECTIVES = {
    "encode",
    "handle",
    "handle_path",
    "header",
    "import",
    "log",
    "redir",
    "request_body",
    "respond",
    "reverse_proxy",
    "rewrite",
    "root",
    "route",
    "tls",
    "uri",
}
_STICKY = {"cookie", "ip_hash", "client_ip_hash", "header", "uri_hash", "query"}
_VARIABLE = re.compile(r"\{\$(\w+)(:[^}]*)?\}")


@dataclass(frozen=True, slots=True)
class _Route:
    """One handler, with the path matchers and the hosts around it."""

    handler: dict[str, Any]
    paths: tuple[tuple[str, ...], ...]
    hosts: tuple[str, ...] = ()

    def takes(self, path: str) -> bool:
        """Tell whether a path gets here, as far as the path decides."""
        return all(any(_matches(pattern, path) for pattern in group) for group in self.paths)

    @property
    def prefix(self) -> str:
        """What the innermost matcher's paths begin with."""
        for group in reversed(self.paths):
            if group:
                return group[0].rstrip("*").rstrip("/")
        return ""


def lint_caddy(path: Path, app: App, sources: Sources) -> Report:
    """Judge the reverse proxies that lead to the app.

    Raises:
        UsageError: for a file that Caddy itself refuses.
    """
    report = Report(files=[path])
    text = sources.read(path)
    _check_imports(path, sources, ())
    unknown = [match for match in _VARIABLE.finditer(text) if not match[2]]
    binary = _binary()
    if unknown or binary is None or not sources.uses_disk:
        line = text.count("\n", 0, unknown[0].start()) + 1 if unknown else 1
        why = (
            f"{unknown[0][0]} comes from Caddy's environment, which is not known here."
            if unknown
            else "Caddy is not installed, and only `caddy adapt` reads a Caddyfile reliably."
        )
        report.note(path, line, why, is_gap=True)
        return report
    config = _adapted(binary, path, text)
    _Judge(path, text.split("\n"), app, report, list(_routes(config, ()))).judge()
    return report


@dataclass(slots=True)
class _Judge:
    """The report on one file while it grows."""

    path: Path
    lines: list[str]
    app: App
    report: Report
    routes: list[_Route]

    def judge(self) -> None:
        for route in self.routes:
            if route.handler.get("handler") != "reverse_proxy":
                continue
            targets = [str(one.get("dial", "")) for one in route.handler.get("upstreams") or ()]
            if not targets and "dynamic_upstreams" not in route.handler:
                note = "reverse_proxy names no upstream."
                self.report.note(self.path, self._line_of("reverse_proxy") or 1, note, is_gap=True)
            if any(self._is_app(target) for target in targets):
                self._route(route, targets)
                continue
            for target in targets:
                if place := HostPort.parse(target):
                    self.report.pass_elsewhere(self.path, self._line_at(target), str(place))
                elif "{" in target:
                    note = f"It is not plain where {target} leads."
                    self.report.note(self.path, self._line_at(target), note, is_gap=True)

    def _is_app(self, target: str) -> bool:
        socket = socket_path(target)
        if socket is not None:
            return self.app.listens_on_socket(socket)
        return self.app.is_at(target)

    def _route(self, route: _Route, targets: list[str]) -> None:
        line = self._line_at(targets[0])
        self.report.routes.append(f"{self.path}:{line} reverse_proxy")
        base, _ = streamlit.base_of(route.prefix)
        base_path = self.app.base_path or BasePath(base if re.fullmatch(r"[\w./~-]*", base) else "")
        self._request_headers(route.handler)
        self._affinity(route.handler, targets, line)
        beside = [one for one in self.routes if one.hosts in {(), route.hosts}]
        for other in beside:
            self._body(other, base_path)
        self._slash(beside, base_path, line)
        self._page_headers(beside, base_path)

    def _request_headers(self, handler: Mapping[str, Any]) -> None:
        headers = handler.get("headers") or {}
        request = headers.get("request") or {}
        for name in request.get("delete") or ():
            if name.lower() in _HEADERS:
                code, need = _HEADERS[name.lower()]
                self._add(
                    code, rf"header_up\s+-{re.escape(name)}", f"{name} never reaches the app.", need
                )
            elif name.lower() == "origin":
                self._origin(rf"header_up\s+-{re.escape(name)}")
        for name, values in (request.get("set") or {}).items():
            text = " ".join(map(str, values))
            where = rf"header_up\s+{re.escape(name)}"
            if name.lower() == "host" and ("upstream" in text or _is_local(text)):
                detail = f"The app gets {_shown(text)} as Host, which is not the page's Origin."
                self._add("STL501", where, detail, Need.HOST)
            elif name.lower() == "origin" and text != "{http.request.header.Origin}":
                self._origin(where)
            elif name.lower() == "x-forwarded-proto" and text == "http":
                self._add("STL402", where, "The app sees http.", Need.SCHEME)
            elif name.lower() in _HEADERS and "{" not in text:
                code, need = _HEADERS[name.lower()]
                detail = f"{name} does not reach the app as the browser sent it."
                self._add(code, where, detail, need)
        response = headers.get("response") or {}
        if "set-cookie" in {name.lower() for name in response.get("delete") or ()}:
            detail = "The app's cookies do not arrive in the browser."
            self._add("STL505", r"header_down\s+-Set-Cookie", detail, None)

    def _origin(self, where: str) -> None:
        detail = (
            "The app sees another Origin than the browser's, so bare Streamlit lets pages "
            "of every site in."
        )
        self._add("STL502", where, detail, Need.ORIGIN)

    def _affinity(self, handler: Mapping[str, Any], targets: list[str], line: int) -> None:
        balancing = handler.get("load_balancing") or {}
        policy = (balancing.get("selection_policy") or {}).get("policy", "random")
        if len(targets) > 1 and policy not in _STICKY:
            detail = (
                f"{len(targets)} upstreams are chosen by {policy}: a browser's requests reach "
                "different replicas."
            )
            self._add_at("STL702", line, detail, Need.AFFINITY)

    def _body(self, route: _Route, base: BasePath) -> None:
        limit = route.handler.get("max_size")
        if route.handler.get("handler") != "request_body" or not isinstance(limit, int):
            return
        if 0 < limit < self.app.max_upload_bytes and route.takes(base.value + streamlit.UPLOAD):
            detail = f"Uploads may have {self.app.max_upload_mb} MB, and {limit} bytes pass."
            self._add("STL607", "max_size", detail, Need.BODY_SIZE)

    def _slash(self, beside: list[_Route], base: BasePath, line: int) -> None:
        """`handle_path /app/*` does not match `/app`, and Caddy then answers an empty 200."""
        if not base.value:
            return
        is_told = any(
            other.takes(base.value)
            and (
                other.handler.get("handler") in {"reverse_proxy", "file_server"}
                or _redirects(other.handler)
            )
            for other in beside
        )
        if is_told:
            return
        detail = f"{base} without its final slash does not lead to the app."
        at = self._line_of(rf"(handle_path|handle)\s+{re.escape(base.value)}/\*")
        if at is not None:
            self._add_at("STL203", at, detail, Need.SLASH, base, Circumstance.OTHER_SPELLING)
        else:
            self.report.note(self.path, line, detail)

    def _page_headers(self, beside: list[_Route], base: BasePath) -> None:
        added = {
            of: [
                (str(name), " ".join(map(str, values)))
                for route in beside
                if route.takes(base.value + end)
                for response in _responses(route.handler)
                for kind in ("set", "add")
                for name, values in (response.get(kind) or {}).items()
            ]
            for of, end in ((PAGE, streamlit.PAGE), (COMPONENT, streamlit.COMPONENT))
        }
        for problem in header_problems(added[PAGE], added[COMPONENT]):
            name = re.escape(added[problem.of][problem.index][0])
            line = self._line_of(rf"(header|header_down)\s+.*{name}") or self._line_of(name)
            need = Need(problem.need) if problem.need else None
            self._add_at(problem.code, line or 1, problem.detail, need, base, milder=problem.milder)

    def _add(self, code: str, where: str, detail: str, need: Need | None) -> None:
        self._add_at(code, self._line_of(where) or 1, detail, need)

    def _add_at(  # noqa: PLR0917 - one finding
        self,
        code: str,
        line: int,
        detail: str,
        need: Need | None = None,
        base: BasePath | None = None,
        milder: Circumstance | None = None,
    ) -> None:
        known = fix_for(need, Product.CADDY, self.app.site(base or BasePath())) if need else None
        self.report.findings.append(
            LintFinding(
                code=code,
                file=self.path,
                line=line,
                detail=detail,
                fix=known.text if known else "",
                milder=milder,
            )
        )

    def _line_of(self, where: str) -> int | None:
        pattern = re.compile(rf"^\s*[+>?-]?{where}", re.IGNORECASE)
        return next((n for n, line in enumerate(self.lines, 1) if pattern.match(line)), None)

    def _line_at(self, target: str) -> int:
        """Find the line that names an upstream, else the first reverse_proxy."""
        place = target.rpartition("/")[2] if target.startswith("unix") else target
        for shown in (place, place.rpartition(":")[2]):
            for number, line in enumerate(self.lines, 1):
                if shown and re.search(rf"(?<![\w.]){re.escape(shown)}(?![\w.])", line):
                    return number
        return self._line_of("reverse_proxy") or 1


def _matches(pattern: str, path: str) -> bool:
    if pattern.endswith("*") and "*" not in pattern[:-1]:
        return path.lower().startswith(pattern[:-1].lower())
    if "*" in pattern or "{" in pattern:
        return True
    return path.lower() == pattern.lower()


def _redirects(handler: Mapping[str, Any]) -> bool:
    if handler.get("handler") != "static_response":
        return False
    headers = {str(name).lower() for name in handler.get("headers") or {}}
    return "location" in headers


def _responses(handler: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if handler.get("handler") == "headers":
        yield handler.get("response") or {}
    elif handler.get("handler") == "reverse_proxy":
        yield (handler.get("headers") or {}).get("response") or {}


def _is_local(text: str) -> bool:
    return re.fullmatch(r"(localhost|[0-9.]+)(:\d+)?", text) is not None


def _shown(text: str) -> str:
    return "the upstream's address" if "upstream" in text else text


def _routes(
    node: Any, paths: tuple[tuple[str, ...], ...], hosts: tuple[str, ...] = ()
) -> Iterator[_Route]:
    """Go through all handlers with the matchers around them."""
    if isinstance(node, list):
        for one in node:
            yield from _routes(one, paths, hosts)
        return
    if not isinstance(node, dict):
        return
    if "handler" in node:
        yield _Route(node, paths, hosts)
    if isinstance(node.get("handle"), list):
        # Each set of matchers is a choice; one without paths takes them all.
        sets = [one for one in node.get("match") or () if isinstance(one, dict)]
        patterns = [one.get("path") or () for one in sets]
        if patterns and all(patterns):
            paths = (*paths, tuple(str(one) for group in patterns for one in group))
        named = tuple(str(host) for one in sets for host in one.get("host") or ())
        hosts = named or hosts
    for value in node.values():
        yield from _routes(value, paths, hosts)


def _check_imports(path: Path, sources: Sources, stack: tuple[Path, ...]) -> None:
    """Read what is imported, within bounds, before Caddy does so without any.

    Raises:
        UsageError: for what cannot be read, and for files that import each other.
    """
    for number, line in enumerate(sources.read(path).split("\n"), 1):
        words = line.split()
        if words[:1] != ["import"] or len(words) == 1:
            continue
        name = words[1].strip('"`')
        target = path.parent / name
        if "/" not in name and not is_pattern(name) and not sources.is_file(target):
            continue  # The name of a snippet.
        for file in sources.matches(target) if is_pattern(name) else [target]:
            if file in (*stack, path):
                raise UsageError(f"{path}, line {number}: {file} imports itself.")
            if file not in sources.texts:
                sources.read(file)
                _check_imports(file, sources, (*stack, path))


def _binary() -> str | None:
    if found := shutil.which("caddy"):
        return found
    beside = Path(sys.executable).with_name("caddy")
    return str(beside) if beside.exists() else None


def _adapted(binary: str, path: Path, text: str) -> dict[str, Any]:
    if not _is_part(text):
        return _adapt(binary, path, path)
    # Lines for an existing site get one around them, on the first line, so that numbers stay.
    with tempfile.TemporaryDirectory(prefix="stlaunch-lint-") as folder:
        whole = Path(folder) / "Caddyfile"
        body = text.split("\n", 1)
        first = "" if body[0].lstrip().startswith("#") else f"\n{body[0]}"
        rest = body[1] if len(body) > 1 else ""
        data = f":80 {{{first}\n{rest}\n}}\n"
        whole.write_bytes(data.encode("utf-8", errors="surrogateescape"))
        return _adapt(binary, whole, path)


def _is_part(text: str) -> bool:
    """Tell whether a text begins with a directive instead of the address of a site."""
    for line in text.split("\n"):
        words = line.split()
        if words and not words[0].startswith("#"):
            return words[0] in _DIRECTIVES
    return False


def _adapt(binary: str, path: Path, shown: Path) -> dict[str, Any]:
    command = [binary, "adapt", "--config", str(path), "--adapter", "caddyfile"]
    # Some directives read files of their own; the limit is on memory that is only reserved too.
    bounded = ["/bin/sh", "-c", f'ulimit -v {_MAX_KIB}; exec "$@"', "sh", *command]
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        try:
            done = subprocess.run(  # noqa: S603 - Caddy itself, which only reads
                bounded,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                timeout=_ADAPT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as exc:
            raise UsageError(f"{shown}: `caddy adapt` did not end within {_ADAPT_S} s.") from exc
        except OSError as exc:
            raise UsageError(f"{shown}: `caddy adapt` cannot be run: {exc.strerror}.") from exc
        output.seek(0)
        errors.seek(0)
        said = errors.read(20_000).decode(errors="replace").strip().splitlines()
        text = output.read(_MAX_OUTPUT)
    if done.returncode != 0:
        raise UsageError(f"{shown}: Caddy refuses it: {_refusal(said, path)}")
    try:
        config = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"{shown}: what `caddy adapt` prints cannot be read.") from exc
    return config if isinstance(config, dict) else {}


def _refusal(said: list[str], path: Path) -> str:
    """Return Caddy's own sentence, which has the line: `Caddyfile:2: unrecognized directive`."""
    line = next((one for one in reversed(said) if '"level":"error"' in one), "")
    try:
        text = str(json.loads(line).get("msg", "")) if line else ""
    except ValueError:
        text = ""
    if not text:
        line = next((one for one in reversed(said) if one.startswith("Error:")), "")
        text = line.removeprefix("Error: ") or (said[-1] if said else "it says nothing")
    text = text.removeprefix("adapting config using caddyfile: ")
    text = text.replace(f"{path}:", "line ").replace(str(path), path.name)
    return f"{text[:500].rstrip('.')}."
