"""From a kind and a site to a configuration; pure, and the same text for the same arguments."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from stlaunch.proxies.fixes import Need, Part, Product, Site, recipe
from stlaunch.proxies.fixes.model import fill
from stlaunch.proxies.generate import traefik
from stlaunch.proxies.generate.document import Group, commented, compose, explained, snippets, whole
from stlaunch.proxies.generate.kinds import Kind

_WIDTH = 96
_VERBATIM = "    "
"""What a line of the head begins with that is to be copied, and so not wrapped."""
_TEMPLATES = files("stlaunch.proxies.generate") / "templates"


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """A configuration in its three forms."""

    kind: Kind
    head: tuple[str, ...]
    """What is said before the first line, a sentence each."""
    groups: tuple[Group, ...]

    @property
    def text(self) -> str:
        """The whole file."""
        return self._with_head(whole(self.groups, self.kind.comment))

    @property
    def snippet(self) -> str:
        """What is pasted into an existing site."""
        return self._with_head(snippets(self.groups, self.kind.comment))

    @property
    def explained(self) -> str:
        """Every line, and why it is there."""
        return explained(self.groups)

    def _with_head(self, body: str) -> str:
        lines = [
            line
            for sentence in self.head
            for line in (
                [sentence] if sentence.startswith(_VERBATIM) else textwrap.wrap(sentence, _WIDTH)
            )
        ]
        head = "".join(commented(line, self.kind.comment) + "\n" for line in lines)
        first, newline, rest = body.partition("\n")
        if first.startswith("<?xml"):  # nothing may stand before it
            return f"{first}{newline}{head}{rest}"
        return f"{head}\n{body}"


def generate(kind: Kind, site: Site) -> Configuration:
    """Write the configuration of one site."""
    parts = _parts(kind, site)
    facts = {
        "tls": site.is_https and kind.ends_tls,
        "keep": site.keep_prefix or not site.base_path.value,
        "strip": not site.keep_prefix and bool(site.base_path.value),
        "replicas": len(site.servers) > 1,
        "named": bool(site.host),
        "rooted": not site.base_path.value,
        "restricted": bool(site.self_check_from),
        "certified": site.is_https and bool(site.certificate),
    }
    values = site.values | {
        "count": str(len(site.servers)),
        "public": public_url_of(site),
        "addresses": ", ".join(
            f"{{ ipAddress: '{place.rpartition(':')[0]}' }}" for place in site.servers
        ),
    }
    if kind.product is Product.TRAEFIK:
        middlewares = parts.get("middlewares", ())
        values |= traefik.values(site, middlewares)
        parts = _for_traefik(kind, site, parts)
    template = (_TEMPLATES / kind.template).read_text(encoding="utf-8")
    return Configuration(
        kind=kind,
        head=(*_head(kind, site), *_beside(kind, site, parts, template)),
        groups=compose(template, values, parts=parts, facts=facts),
    )


def _parts(kind: Kind, site: Site) -> dict[str, tuple[Part, ...]]:
    known = recipe(kind.product)
    placed: dict[str, list[Part]] = {}
    for need in kind.needs:
        if need is Need.SLASH and not site.base_path.value:
            continue
        if need is Need.AFFINITY and len(site.servers) == 1:
            continue
        for part in known.parts_for(need, site):
            placed.setdefault(part.place, []).append(part)
    if kind.product is Product.ENVOY:
        placed["endpoints"] = [_endpoints(site)]
    if kind.product is Product.IIS and site.self_check_from:
        placed["insiders"] = [_insiders(site)]
    return {place: tuple(parts) for place, parts in placed.items()}


def _for_traefik(
    kind: Kind, site: Site, parts: dict[str, tuple[Part, ...]]
) -> dict[str, tuple[Part, ...]]:
    middlewares, service = parts.get("middlewares", ()), parts.get("service", ())
    static = parts.get("static", ())
    if not site.is_https:
        static = tuple(
            Part(part.place, part.lines.replace(".websecure.", ".web."), part.why)
            for part in static
        )
    match kind.template:
        case "compose.yaml":
            flags = tuple(
                Part("static", "\n".join(f"- {line}" for line in part.lines.splitlines()), part.why)
                for part in static
            )
            return {"static": flags, "labels": _labels(site, middlewares, service)}
        case "ingressroute.yaml":
            return {
                "documents": traefik.as_middlewares(_with_strip(site, middlewares)),
                "service": tuple(part for part in service if not part.lines.startswith("servers")),
            }
        case _:
            return {"middlewares": middlewares, "service": service, "static": static}


def _with_strip(site: Site, middlewares: Sequence[Part]) -> tuple[Part, ...]:
    if site.keep_prefix or not site.base_path.value:
        return tuple(middlewares)
    lines = f'strip-path:\n  stripPrefix:\n    prefixes:\n      - "{site.values["base"]}"'
    return (*middlewares, Part("middlewares", lines, "The path is stripped."))


def _labels(site: Site, middlewares: Sequence[Part], service: Sequence[Part]) -> tuple[Part, ...]:
    names = traefik.values(site, _with_strip(site, middlewares))
    used = ", ".join(dict.fromkeys(names["middlewares"].split(", "))).replace(" ", "")
    router = "traefik.http.routers.streamlit"
    tls = f'\n{router}.tls: "true"' if site.is_https else ""
    inner = f'\n{router}-diagnostics.tls: "true"' if site.is_https else ""
    entry = names["entrypoint"]
    return (
        Part(
            "labels",
            f'{router}.rule: "{names["rule"]}"\n{router}.entrypoints: "{entry}"\n'
            f'{router}.middlewares: "{used}"{tls}',
            "Which requests go to the app.",
        ),
        Part(
            "labels",
            f'{router}-diagnostics.rule: "{names["diagnostic_rule"].replace("$", "$$")}"\n'
            f'{router}-diagnostics.entrypoints: "{entry}"\n'
            f'{router}-diagnostics.middlewares: "insiders,{used}"{inner}',
            "The same, for the diagnostic pages and metrics; its longer rule goes first.",
        ),
        *traefik.as_labels(_with_strip(site, middlewares), "traefik.http.middlewares"),
        Part(
            "labels",
            "traefik.http.services.streamlit.loadbalancer.server.port: "
            f'"{site.values["upstream_port"]}"',
            "Where the app listens in its container.",
        ),
        *traefik.as_labels(
            [part for part in service if not part.lines.startswith("servers")],
            "traefik.http.services.streamlit.loadbalancer",
        ),
    )


def _endpoints(site: Site) -> Part:
    def endpoint(place: str) -> str:
        host, _, port = place.rpartition(":")
        address = f'{{ address: "{host.strip("[]")}", port_value: {port} }}'
        return f"- endpoint: {{ address: {{ socket_address: {address} }} }}"

    return Part("endpoints", "\n".join(map(endpoint, site.servers)), "One line a replica.")


def _insiders(site: Site) -> Part:
    addresses = "|".join(place.replace(".", r"\.") for place in site.self_check_from)
    line = f'<add input="{{REMOTE_ADDR}}" pattern="^({addresses})$" negate="true" />'
    return Part("insiders", line, "Everybody but these.")


def public_url_of(site: Site) -> str:
    """Return the address that browsers show; the path alone where the host is not known."""
    usual = 443 if site.is_https else 80
    port = "" if site.port == usual else f":{site.port}"
    if not site.host:
        return site.base_path.value or "/"
    return f"{site.values['scheme']}://{site.host}{port}{site.base_path.value}"


def _beside(
    kind: Kind, site: Site, parts: Mapping[str, Sequence[Part]], template: str
) -> list[str]:
    """Tell the lines that stand in no file of this kind: commands and other command lines."""
    told = []
    for place, where in recipe(kind.product).places.items():
        lines = [line for part in parts.get(place, ()) for line in part.lines.splitlines()]
        if f"@{place}\n" not in template and lines:
            told += [f"Also, {fill(where, site.values)}:", *(_VERBATIM + line for line in lines)]
    return told


def _head(kind: Kind, site: Site) -> tuple[str, ...]:
    path = "strips" if not site.keep_prefix and site.base_path.value else "keeps"
    head = [
        f"{kind.title} before a Streamlit app; written by stlaunch proxy {kind.name}.",
        f"The app: stlaunch app.py --behind-proxy {public_url_of(site)}",
        f"This {path} the path {site.values['base_slash']}; uploads up to {site.max_upload_mb} MB.",
    ]
    if site.is_whole:
        head.append(f"It goes into {kind.put_into}.")
    reload = recipe(kind.product).reload
    if reload:
        head.append(f"Then: {reload}")
    return (*head, *kind.notes)
