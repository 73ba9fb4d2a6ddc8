"""Resolve where a line of Apache's passes requests: to the app or elsewhere. Pure."""

from __future__ import annotations

import re

from stlaunch.lint.apache.parse import Node
from stlaunch.lint.apache.request import Pass
from stlaunch.lint.app import App, socket_path


def place_of(target: str) -> str | None:
    """Return `host:port`, `unix:/path` or a balancer's name; None if it is not a URL."""
    if socket_path(target) is not None and target.startswith("unix:"):
        return target.partition("|")[0]
    scheme, separator, rest = target.partition("://")
    if not separator or scheme not in {"http", "https", "ws", "wss", "h2c", "h2", "balancer"}:
        return None
    return re.split(r"[/$?]", rest, maxsplit=1)[0] if "${" not in rest else rest.partition("/")[0]


def passes_on(one: Pass) -> bool:
    """Return whether a line passes requests on over HTTP, and is no redirect."""
    is_redirect = one.node.name == "rewriterule" and not one.flags & {"P", "PROXY"}
    return place_of(one.target) is not None and not is_redirect


def is_app(one: Pass, root: Node, app: App) -> bool:
    """Return whether a line passes requests to the app."""
    place = place_of(one.target) or ""
    if not one.target.startswith("balancer:"):
        secure = one.target.startswith(("https:", "wss:"))
        return app.is_at(place, 443 if secure else 80)
    return app.is_called(place) or any(
        app.is_at(place_of(member.words[1]) or "", 80) for member in members(place, root)
    )


def members(name: str, root: Node) -> list[Node]:
    """Return the BalancerMember lines of a balancer."""
    found = []
    for node in root.walk():
        if node.name != "balancermember":
            continue
        section = node.section("proxy")
        if section and " ".join(section.words).rstrip("/").endswith(f"balancer://{name}"):
            found.append(node)
    return found


def path_of(url: str) -> str:
    """Return the path that a URL asks for."""
    _, _, rest = url.rpartition("|")[2].partition("://")
    return rest[len(re.split(r"[/?]", rest, maxsplit=1)[0]) :].partition("?")[0] or "/"
