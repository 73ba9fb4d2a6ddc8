"""Traefik's other two notations of the same lines: Docker labels and Kubernetes resources."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from stlaunch.proxies.model import Part
from stlaunch.proxies.site import Site
from stlaunch.urls.streamlit_routes import DIAGNOSTICS

_OTHERS = "_stcore/+metrics/*|_st(launch|core)%2[Ff].*"


def values(site: Site, middlewares: Sequence[Part]) -> dict[str, str]:
    """Return what Traefik's templates need beyond `Site.values`."""
    host = f"Host(`{site.host}`) && " if site.host else ""
    base = site.values["base"]
    paths = f"(Path(`{base}`) || PathPrefix(`{base}/`))" if base else "PathPrefix(`/`)"
    pattern = f"^{site.values['base_json_re']}/+(_stlaunch(/+(({'|'.join(DIAGNOSTICS)})/*)?)?"
    names = [name for name in map(_name, middlewares) if name != "insiders"]
    if base and not site.keep_prefix:
        names.append("strip-path")
    return {
        "rule": host + paths,
        "diagnostic_rule": f"{host}PathRegexp(`{pattern}|{_OTHERS})$`)",
        "entrypoint": "websecure" if site.is_https else "web",
        "middlewares": ", ".join(names),
        "middleware_names": ", ".join(f"{{ name: {name} }}" for name in names),
    }


def as_labels(parts: Sequence[Part], prefix: str) -> tuple[Part, ...]:
    """Turn YAML lines into labels: `traefik.http.middlewares.x.headers.y: "z"`."""
    labelled = []
    for part in parts:
        lines = "\n".join(f'{prefix}.{path}: "{value}"' for path, value in _flat(part.lines))
        labelled.append(Part("labels", lines, part.why))
    return tuple(labelled)


def as_middlewares(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Turn each middleware into a resource of its own."""
    resources = []
    for part in parts:
        body = textwrap.dedent(part.lines.partition("\n")[2])
        lines = (
            f"apiVersion: traefik.io/v1alpha1\nkind: Middleware\nmetadata:\n"
            f"  name: {_name(part)}\nspec:\n{textwrap.indent(body, '  ')}"
        )
        resources += [
            Part("documents", lines, part.why),
            Part("documents", "---", "The next resource."),
        ]
    return tuple(resources)


def _name(part: Part) -> str:
    return part.lines.partition(":")[0]


def _flat(lines: str) -> Iterator[tuple[str, str]]:
    """Flatten the plain YAML of the fixes: mappings, and lists of plain values."""
    path: list[tuple[int, str]] = []
    listed: dict[str, list[str]] = {}
    found: dict[str, str] = {}
    for line in lines.splitlines():
        depth = len(line) - len(line.lstrip())
        text = line.strip()
        while path and path[-1][0] >= depth:
            path.pop()
        parent = ".".join(name for _, name in path)
        if text.startswith("- "):
            values = listed.setdefault(parent, [])
            values.append(text[2:].strip('"'))
            found[parent] = ",".join(values)
            continue
        name, _, value = text.partition(":")
        path.append((depth, name))
        if value.strip():
            # Docker Compose takes $ for the beginning of a variable.
            plain = value.strip().removeprefix('"').removesuffix('"').replace("$", "$$")
            found[".".join(name for _, name in path)] = plain
    yield from found.items()
