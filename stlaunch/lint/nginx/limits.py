"""Compare nginx's rate limits with what one page load needs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stlaunch.diagnostics import page_load
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.lint.nginx.faults import Fault
from stlaunch.lint.nginx.parse import Directive
from stlaunch.proxies.needs import Need


def rate_faults(location: Directive, root: Directive) -> Iterator[Fault]:
    """Judge the limits in force where the scripts of a page are answered."""
    for limit in location.inherited_all("limit_req"):
        words = dict(word.partition("=")[::2] for word in limit.args)
        burst = words.get("burst", "0")
        rate = _rate(root, words.get("zone", ""))
        if rate is None or not burst.isdigit():
            continue
        passing = int(int(burst) + 1 + rate)
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
        count = limit.args[1]
        if count.isdigit() and int(count) < page_load.CONNECTIONS:
            yield Fault(
                code="STL611",
                at=limit,
                need=Need.REQUEST_RATE,
                detail=f"limit_conn lets {count} request(s) through at a time; one browser uses "
                f"{page_load.CONNECTIONS}, and more over HTTP/2.",
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
