"""Notice headers too large for the usual proxy limits, once for requests and once for answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from starlette.types import Scope

from stlaunch.gateway.app_site import AppSite
from stlaunch.gateway.monitor.finding_log import FindingLog
from stlaunch.gateway.monitor.findings import large_headers
from stlaunch.gateway.request import request_info
from stlaunch.proxies.needs import Need
from stlaunch.proxies.recognition import products_in
from stlaunch.quick_dataclass import dataclass

MAX_BYTES = 4096  # nginx's proxy_buffer_size; for a request it allows twice that
_WAYS = ("A browser sends", "The app answers with")


@dataclass(slots=True, kw_only=True)
class LargeHeaders:
    """Reports large headers, and remembers which ones it has reported.

    Attributes:
        finding_log: takes the findings.
        app_site: knows the lines that raise a proxy's limit.
        is_proxied: whether a proxy is expected; without one there is no limit to warn about.
    """

    finding_log: FindingLog
    app_site: AppSite
    is_proxied: bool
    _said: set[str] = field(default_factory=set)

    def note(
        self, scope: Scope, headers: Iterable[tuple[bytes, bytes]], *, is_answer: bool
    ) -> None:
        """Check the headers of a request, or of its answer."""
        way = _WAYS[is_answer]
        if not self.is_proxied or way in self._said:
            return
        size = sum(len(name) + len(value) + 4 for name, value in headers)
        if size < MAX_BYTES:
            return
        self._said.add(way)
        request = request_info(scope)
        fix = self.app_site.fix_text(Need.HEADER_SIZE, request)
        if fix or not products_in(request.headers):  # else the proxy's limit is higher
            brief = self.app_site.brief_fix(Need.HEADER_SIZE, request, "STL609")
            self.finding_log.post(large_headers(way, size, fix=fix or brief, brief=brief))
