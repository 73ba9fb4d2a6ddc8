"""Compare nginx's limits on rates and headers with what the app needs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from stlaunch.diagnostics import page_load
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.lint.app import App
from stlaunch.lint.nginx.faults import Fault
from stlaunch.lint.nginx.parse import Directive
from stlaunch.lint.units import size, whole
from stlaunch.proxies.needs import Need

_LOGIN = 12 * 1024
_MAX_CONNS = "max_conns="
_HEADER_ROOMS = (
    ("large_client_header_buffers", 8 * 1024, "later requests are answered 400"),
    ("proxy_buffer_size", 4 * 1024, "the login is answered 502"),
)


def rate_faults(location: Directive, root: Directive) -> Iterator[Fault]:
    """Evaluate the limits in force where the scripts of a page are answered."""
    for limit in location.inherited_all("limit_req"):
        words = dict(word.partition("=")[::2] for word in limit.args)
        burst = whole(words.get("burst", "0"))
        rate = _rate(root, words.get("zone", ""))
        if rate is None or burst is None:
            continue
        passing = int(burst + 1 + rate)
        if passing < page_load.MAX_REQUESTS:
            is_certain = passing < page_load.MIN_REQUESTS
            yield Fault(
                code="STL611",
                at=limit,
                need=Need.REQUEST_RATE,
                detail=f"About {passing} requests pass at once, and one load of a small app is "
                f"{page_load.MIN_REQUESTS} to {page_load.MAX_REQUESTS}: the others get an "
                "error, and the page stays blank.",
                milder=None if is_certain else Circumstance.LARGE_ONLY,
            )
    for limit in location.inherited_all("limit_conn"):
        if detail := page_load.fault_of_parallel(whole(limit.args[1]) or 0):
            yield Fault(code="STL611", at=limit, need=Need.REQUEST_RATE, detail=detail)


def capacity_faults(servers: Sequence[Directive]) -> Iterator[Fault]:
    """Evaluate `max_conns` of a group's servers: it counts all visitors' requests."""
    words = [word for server in servers for word in server.args if word.startswith(_MAX_CONNS)]
    limits = [whole(word.removeprefix(_MAX_CONNS)) or 0 for word in words]  # 0: no limit
    if len(limits) < len(servers) or 0 in limits:
        return
    if detail := page_load.fault_of_parallel(sum(limits), of_all=True):
        yield Fault(code="STL611", at=servers[0], detail=detail)


def header_size_faults(location: Directive, app: App) -> Iterator[Fault]:
    """Evaluate the room for the cookies of a login, and for the answer that sets them.

    Without a login here, another proxy may have one; less than nginx's default is deliberate.
    """
    for name, default, consequence in _HEADER_ROOMS:
        limit = location.inherited(name)
        room = size(limit.args[-1]) if limit and limit.args else default
        if room is None or (limit is None and location.may_hide(name)):
            continue
        if room < default or (app.has_login and room < _LOGIN):
            yield Fault(
                code="STL609",
                at=limit or location,
                need=Need.HEADER_SIZE,
                detail=f"{name} is {room // 1024} KB, and a login can have 12 KB of cookies (many "
                f"groups, expose_tokens): {consequence}.",
                milder=None if app.has_login and room < default else Circumstance.IF_USED,
            )


def _rate(root: Directive, zone: str) -> float | None:
    for directive in root.walk():
        if directive.name != "limit_req_zone":
            continue
        words = dict(word.partition("=")[::2] for word in directive.args)
        match = re.fullmatch(r"(\d{1,9})r/([sm])", words.get("rate", ""))
        if words.get("zone", "").partition(":")[0] == zone and match:
            return int(match[1]) / (1 if match[2] == "s" else 60)
    return None
