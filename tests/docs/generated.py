"""The generated parts of the README and the handbook; `python -m tests.docs.generated` writes them.

Owns the text between the markers `<!-- name -->` and `<!-- /name -->`, in whichever document they
are. It must not know the prose around them.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from stlaunch.cli.guide import HANDBOOK
from stlaunch.diagnostics import catalogue
from stlaunch.errors import ExitCode
from stlaunch.gateway.chains import Endpoint, Row
from stlaunch.gateway.compose import BY_KIND, OUTER
from stlaunch.proxies.configuration import KINDS
from stlaunch.proxies.fixes import fix_for
from stlaunch.proxies.needs import Need, Product
from stlaunch.proxies.security_headers import headers_for
from stlaunch.proxies.site import Site
from stlaunch.settings.fields import FIELDS, Field
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.streamlit_routes import RequestKind
from tests.benchmarks.table import render_machine, render_markdown
from tests.conftest import REPOSITORY
from tests.harness.generated import RUNNABLE

README = REPOSITORY / "README.md"
TABLE = REPOSITORY / "tests" / "benchmarks" / "table.json"
FAMILIES = {
    "1": "Reachability and TLS",
    "2": "Base path and assets",
    "3": "WebSocket and session",
    "4": "Forwarding headers and trust",
    "5": "Origin, XSRF and cookies",
    "6": "Limits",
    "7": "Replicas and affinity",
    "8": "Caching and versions",
    "9": "Platforms",
}
_END = re.compile(r"^<!-- /([\w ]+) -->$", re.MULTILINE)
SITE = Site(base_path=BasePath("/streamlitApp"))


def documents() -> list[Path]:
    """Return every document that users read: the README, and the handbook's pages."""
    return [README, *sorted(HANDBOOK.glob("*.md"))]


def sections() -> Iterator[tuple[Path, str]]:
    """Return each document with each generated section in it."""
    for path in documents():
        for name in re.findall(
            r"^<!-- /([\w ]+) -->$", path.read_text(encoding="utf-8"), re.MULTILINE
        ):
            yield path, name


def section(text: str, name: str) -> str:
    """Return the text between the markers of `name`."""
    _, _, rest = text.partition(f"<!-- {name} -->\n")
    inner, marker, _ = rest.partition(f"<!-- /{name} -->\n")
    assert marker, f"there is no section {name!r}"
    return inner


def render_settings() -> str:
    """Return the list of settings, one item for each field."""
    return "\n".join(_item(field) for field in FIELDS) + "\n"


def _item(field: Field[object]) -> str:
    what, _, default = field.help.partition(" Default: ")
    default = default.removesuffix(".") or "none"
    return (
        f"- `{field.flag} {field.metavar}`, `{field.env}`, `{field.name}`: {what} "
        f"Default: {default}."
    )


def render_exit_codes() -> str:
    """Return the table of exit codes, each with the docstring below it."""
    (enum,) = ast.parse(inspect.getsource(ExitCode)).body
    assert isinstance(enum, ast.ClassDef)
    meanings = [
        node.value.value.removesuffix(".")
        for node in enum.body[1:]
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    ]
    rows = [
        f"| {code.value} | {code.name} | {meaning} |\n"
        for code, meaning in zip(ExitCode, meanings, strict=True)
    ]
    return "| code | name | meaning |\n| --- | --- | --- |\n" + "".join(rows)


def render_help() -> str:
    """Return `stlaunch --help` as a terminal of 80 columns shows it."""
    environ = {"PATH": os.defpath, "COLUMNS": "80", "LANG": "C.UTF-8"}
    command = [sys.executable, "-m", "stlaunch", "--help"]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environ, capture_output=True, text=True, check=True
    )
    return f"```text\n{done.stdout}```\n"


def render_kinds() -> str:
    """Return the table of the configurations that `stlaunch proxy` writes."""
    head = (
        "| kind | for | can strip the path | affinity | tested |\n| --- | --- | --- | --- | --- |\n"
    )
    validated = {"ingress": "schema"}
    rows = [
        f"| `{kind.name}` | {kind.title} | {'yes' if kind.strips else 'no'} "
        f"| {'yes' if kind.has_affinity else 'no'} "
        f"| {'yes' if kind.name in RUNNABLE else validated.get(kind.name, 'no')} |\n"
        for kind in KINDS.values()
    ]
    return head + "".join(rows)


def render_benchmarks() -> str:
    """Return the measured table, as the benchmarks keep it."""
    return render_markdown(json.loads(TABLE.read_text(encoding="utf-8")))


SPEED = ("start-health", "click", "rerun-pandas", "page-slow", "memory-ready")


def render_speed() -> str:
    """Return five rows of the measured table, in plain figures."""
    document = json.loads(TABLE.read_text(encoding="utf-8"))
    rows = {row["name"]: row for row in document["rows"]}
    names = {"page-slow": "cold page load in Chromium over 20 Mbit/s with 60 ms"}
    lines = ["| measured | stlaunch | `streamlit run` |", "| --- | --- | --- |"]
    for name in SPEED:
        row = rows[name]
        ours, bare = (f"{row[who]:.3g} {row['scale']}" for who in ("ours", "bare"))
        lines.append(f"| {names.get(name, row['what'])} | {ours} | {bare} |")
    return "\n".join([*lines, "", render_machine(document)]) + "\n"


def render_codes() -> str:
    """Return all finding codes, by family, with an anchor for each."""
    lines = []
    for digit, family in FAMILIES.items():
        lines += ["", f"## STL{digit}xx: {family}", "", "| code | severity | finding |"]
        lines.append("| --- | --- | --- |")
        for code in catalogue.codes():
            if code.startswith(f"STL{digit}"):
                known = catalogue.entry(code)
                entry = f"../diagnostics/catalogue/entries/{code}.toml"
                anchor = f'<a id="{code.lower()}"></a>'
                lines.append(f"| {anchor}[{code}]({entry}) | {known.severity} | {known.title} |")
    return "\n".join(lines[1:]) + "\n"


def render_proxies() -> str:
    """Return the least that each of the README's five proxies needs."""
    return "\n".join(f"{name}:\n\n{short_block(name)}" for name in list(SHORT)[:5])


def render_six_proxies() -> str:
    """Return the least that each of six proxies needs, below a heading for each."""
    return "\n".join(f"## {name}\n\n{short_block(name)}" for name in SHORT)


def short_block(name: str) -> str:
    """Return the shortest working configuration of a proxy as a Markdown block."""
    product, language, around = SHORT[name]
    needs = {need.value.replace("-", "_"): _lines(product, need, around) for need in Need}
    return f"```{language}\n{around.format(**needs)}\n```\n"


def _lines(product: Product, need: Need, around: str) -> str:
    """Return the lines for a need, indented as the place where they go."""
    fix = fix_for(need, product, SITE)
    place = re.search(rf"^( *).*{{{need.value}}}", around, re.MULTILINE)
    return fix.lines.replace("\n", f"\n{place[1] if place else ''}") if fix else ""


_NGINX = """\
location /streamlitApp/ {{
    {route}
    {upgrade}
}}"""
_CADDY = """\
reverse_proxy /streamlitApp* {{
    {route}
}}"""
_TRAEFIK = """\
http:
  routers:
    app: {{ rule: PathPrefix(`/streamlitApp`), service: app }}
  services:
    app:
      loadBalancer:
        {route}"""
_HAPROXY = """\
# in your frontend
use_backend app if {{ path /streamlitApp }} or {{ path_beg /streamlitApp/ }}

backend app
    {route}"""
_ENVOY = """\
# in your HttpConnectionManager
{upgrade}

# in the routes; the cluster `streamlit` is 127.0.0.1:8501
{route}"""
SHORT = {
    "nginx": (Product.NGINX, "nginx", _NGINX),
    "Apache": (Product.APACHE, "apache", "{upgrade}"),
    "Caddy": (Product.CADDY, "caddy", _CADDY),
    "Traefik": (Product.TRAEFIK, "yaml", _TRAEFIK),
    "HAProxy": (Product.HAPROXY, "haproxy", _HAPROXY),
    "Envoy": (Product.ENVOY, "yaml", _ENVOY),
}
"""The frames around the lines of `stlaunch.proxies`, which fill in the names of their needs."""


def render_security_headers() -> str:
    """Return what `--security-headers` writes, as an answer has it."""
    headers = headers_for(Need.SECURITY_HEADERS, SITE)
    lines = [f"{name}: {value}" for name, value in headers]
    return "```text\n" + "\n".join(lines).replace("; ", ";\n    ") + "\n```\n"


LANES = {
    "the page": ("http", RequestKind.PAGE),
    "WebSocket": ("websocket", RequestKind.STREAM),
    "stripped": ("http", RequestKind.STREAM),
    "over HTTP": ("http", RequestKind.TUNNEL),
}
_ALWAYS = {field.name: field.default for field in dataclasses.fields(Row)}["when"]


def render_way() -> str:
    """Return a drawing of the layers that four requests pass, from the table of the layers."""
    rows = [row for row in (*OUTER, *BY_KIND) if set(LANES.values()) & set(row.keys)]
    head = _lanes("", list(LANES)) + "\n" + _lanes("", ["|"] * len(LANES))
    lines, answered = [head], set[str]()
    for row in rows:
        keys = set(row.keys)
        marks = []
        for lane, key in LANES.items():
            is_met = key in keys and lane not in answered
            if is_met and isinstance(row, Endpoint):
                answered.add(lane)
                marks.append("#")
            else:
                marks.append("o" if is_met else "" if lane in answered else "|")
        if set(marks) & {"o", "#"}:
            optional = "" if row.when is _ALWAYS else " *"
            lines.append(_lanes(row.name + optional, marks))
    lines.append(_lanes("", ["" if lane in answered else "v" for lane in LANES]))
    lines.append(_lanes("", ["" if lane in answered else "the app" for lane in LANES]))
    drawing = "\n".join(lines)
    reasons = "\n".join(f"- `{row.name}`: {row.reason}" for row in rows if row.name in drawing)
    return f"```text\n{drawing}\n```\n\nWhy in this order:\n\n{reasons}\n"


def _lanes(name: str, marks: Sequence[str]) -> str:
    return f"{name:<20}{''.join(f'{mark:^14}' for mark in marks)}".rstrip()


SECTIONS = {
    "security headers": render_security_headers,
    "settings": render_settings,
    "exit codes": render_exit_codes,
    "help": render_help,
    "kinds": render_kinds,
    "benchmarks": render_benchmarks,
    "codes": render_codes,
    "proxies": render_proxies,
    "six proxies": render_six_proxies,
    "speed": render_speed,
    "way": render_way,
}


def main() -> None:
    """Rewrite the sections in place."""
    for path, name in sections():
        text = path.read_text(encoding="utf-8")
        before, marker, rest = text.partition(f"<!-- {name} -->\n")
        text = before + marker + SECTIONS[name]() + rest[len(section(text, name)) :]
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
