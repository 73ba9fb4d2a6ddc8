"""Paste lines into a configuration as a person does: at the place named, in place of the same.

A place of a configuration is a region between the comments `#place{` and `#}place`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from textwrap import dedent, indent
from typing import TypeAlias

from stlaunch.proxies.fixes import recipe
from stlaunch.proxies.needs import Product
from stlaunch.proxies.site import Site, fill

Key: TypeAlias = Callable[[str], str]
"""The first line of an item -> what it sets."""


def region(place: str, *lines: str, margin: str = "") -> str:
    """Return a place with its content."""
    inner = [line for text in lines for line in dedent(text).strip("\n").splitlines()]
    return "\n".join(f"{margin}{line}" for line in (f"#{place}{{", *inner, f"#}}{place}"))


def paste(text: str, product: Product, site: Site, where: str, lines: str) -> str:
    """Return the configuration with `lines` at the place that `where` names in words.

    Raises:
        AssertionError: where the words name no place of this configuration.
    """
    places = {fill(words, site.values): name for name, words in recipe(product).places.items()}
    place = places[where]
    found = re.search(
        rf"(?m)^(?P<margin>[ \t]*)#{place}\{{\n(?P<inner>(?:.*\n)*?)[ \t]*#\}}{place}$", text
    )
    assert found, f"the configuration has no place {place!r} ({where}):\n{text}"
    key = _KEYS[product]
    pasted = items(lines, product)
    set_by_them = {key(item) for item in pasted}
    stay = [item for item in items(found["inner"], product) if key(item) not in set_by_them]
    is_first = "at the beginning" in where
    inner = "\n".join([*pasted, *stay] if is_first else [*stay, *pasted])
    margin = found["margin"]
    return (
        text[: found.start()]
        + f"{margin}#{place}{{\n{indent(inner, margin)}\n{margin}#}}{place}"
        + text[found.end() :]
    )


def items(text: str, product: Product) -> list[str]:
    """Split lines into statements: a block, or in YAML a key with what is below it, is one."""
    lines = dedent(text).strip("\n").splitlines()
    found: list[list[str]] = []
    depth = 0
    for line in lines:
        if not line.strip():
            continue
        is_inside = line[0] in " \t" or line.startswith((")", "}")) if found else False
        if not is_inside and (depth == 0 or product in _YAML):
            found.append([])
        found[-1].append(line)
        depth += line.count("{") + line.count("(") - line.count("}") - line.count(")")
        depth += len(re.findall(r"<[A-Z]\w+ ", line)) - len(re.findall(r"</[A-Z]\w+>", line))
    return ["\n".join(item) for item in found]


_YAML = {Product.ENVOY, Product.TRAEFIK, Product.H2O}


def _nginx(item: str) -> str:
    words = item.split()
    match words[0]:
        case "proxy_set_header":
            return f"request {words[1].lower()}"
        case "add_header":
            return f"added {words[1].lower()}"
        case "limit_req_zone" | "limit_conn_zone":
            return " ".join(word for word in words if "zone=" in word)
        case "proxy_hide_header" | "proxy_pass_header":
            return f"response {words[1].strip(';').lower()}"
        case "location" | "map" | "upstream":
            return item.partition("{")[0]
    return words[0]


def _apache(item: str) -> str:
    words = item.split()
    if words[0] in {"RequestHeader", "Header"}:
        is_in_table = words[1] in {"always", "onsuccess"}
        return f"{words[0]} {words[3 if is_in_table else 2].lower()}"
    if words[0].startswith("<"):
        return item.splitlines()[0]
    return " ".join(words[:2]) if words[0].startswith("ProxyPass") else words[0]


def _caddy(item: str) -> str:
    words = item.split()
    if words[0] == "header_up":
        return f"header_up {words[1].lstrip('+-')}"
    if words[0] == "header":
        fields = [word for word in words[1:] if word not in {"{", "defer"}]
        return f"header {fields[0].lower()}"
    if words[0] in {"redir", "respond"}:
        return " ".join(words[:2])
    return words[0]


def _haproxy(item: str) -> str:
    words = item.split()
    if words[0] == "no":
        words = words[1:]
    if words[:2] in (["http-request", "set-header"], ["http-request", "del-header"]):
        return f"header {words[2]}"
    if words[:2] == ["http-response", "set-header"]:
        return f"response {words[2]}"
    if words[0] == "http-request":
        return " ".join(words[1:4])
    return " ".join(words[:2]) if words[0] in {"option", "timeout"} else words[0]


def _yaml(item: str) -> str:
    first = item.splitlines()[0]
    return first if first.startswith("- ") else first.partition(":")[0].strip('"')


def _lighttpd(item: str) -> str:
    return item.partition("{")[0] if item.startswith("$") else item.partition("=")[0].strip()


def _varnish(item: str) -> str:
    first = item.partition("{")[0]
    return item.partition(" = ")[0] if item.startswith("set ") else first


_KEYS: Mapping[Product, Key] = {
    Product.NGINX: _nginx,
    Product.APACHE: _apache,
    Product.CADDY: _caddy,
    Product.HAPROXY: _haproxy,
    Product.ENVOY: _yaml,
    Product.TRAEFIK: _yaml,
    Product.H2O: _yaml,
    Product.LIGHTTPD: _lighttpd,
    Product.VARNISH: _varnish,
}
