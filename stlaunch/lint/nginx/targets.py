"""Resolve where a `proxy_pass` leads: to the app, elsewhere, or unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from stlaunch.lint.app import App
from stlaunch.lint.hosted import routed_by_host
from stlaunch.lint.nginx.parse import Directive
from stlaunch.lint.nginx.request import place_of
from stlaunch.lint.nginx.variables import Variables, has_variable, maps_of
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.origin import HostPort

PROXY_HOST = "$proxy_host"
"""What nginx sends as Host where no line says otherwise."""


@dataclass(slots=True)
class Targets:
    """The groups of servers and the variables of one configuration, looked up once."""

    root: Directive
    app: App
    upstreams: dict[str, list[Directive]] = field(init=False)
    maps: Mapping[str, Directive] = field(init=False)

    def __post_init__(self) -> None:
        self.maps = maps_of(self.root)
        self.upstreams = {}
        for group in self.root.walk():
            if group.name == "upstream" and group.block is not None:
                self.upstreams.setdefault(group.args[0], []).append(group)

    def place(self, proxied: Directive) -> str:
        """Return `host:port`, `unix:/path` or the name of a group, variables filled in."""
        path = dict.fromkeys(("request_uri", "uri", "document_uri"), "/")
        request = {**path, "is_args": "", "args": ""}
        known = Variables(scope=proxied, maps=self.maps, request=request)
        expanded = known.expand(proxied.args[0])
        scheme, separator, rest = expanded.partition("://")
        return place_of(rest if separator else scheme)

    def is_app(self, proxied: Directive) -> bool:
        """Return whether it leads to the app."""
        place = self.place(proxied)
        if self.app.is_called(place):
            return True
        members = self.members(place)
        if members:
            return any(self.app.is_at(member.args[0]) for member in members)
        default = 443 if proxied.args[0].startswith("https:") else 80
        return self.app.is_at(place, default)

    def routed_host(self, proxied: Directive, host: str) -> str:
        """Return the public name by which a platform finds the target; mostly empty.

        Args:
            proxied: the `proxy_pass`.
            host: the Host that the target gets, as it is written. nginx's own is the name in
                `proxy_pass`: of a group of servers that is the group's, which no platform knows.
        """
        if not proxied.args[0].startswith("https:"):
            return ""
        place = self.place(proxied)
        members = [member.args[0] for member in self.members(place)]
        names = [routed_by_host(f"https://{one}") for one in members or [place]]
        if not all(names):
            return ""
        if not members:
            return names[0]
        sent = place if host == PROXY_HOST else host
        return sent if sent in names else ""

    def is_unclear(self, proxied: Directive) -> bool:
        """Return whether a variable hides where it leads."""
        return has_variable(self.place(proxied))

    def members(self, name: str) -> list[Directive]:
        """Return the servers of a group."""
        return [
            server
            for group in self.upstreams.get(name, ())
            for server in group.all("server")
            if server.args
        ]

    def shown(self, proxied: Directive) -> list[str]:
        """Return the places as `--upstream` takes them."""
        place = self.place(proxied)
        targets = [member.args[0] for member in self.members(place)] or [place]
        return [text for target in targets if (text := _as_upstream(target))]


def _as_upstream(target: str) -> str:
    if target.startswith("unix:"):
        return target
    place = HostPort.parse(target)
    return str(HostPort(place.host, place.port or 80)) if place else ""
