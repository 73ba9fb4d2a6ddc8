"""Learn which of Streamlit's scripts each page of the app uses, from what pages report.

Anybody can send a report (`preloads.js` does). It can name only Streamlit's own files, which
browsers load after everything that the first screen needs, and the next visitor's report removes
unused ones. So the worst that a stranger can do is make visitors load up to `_MAX_BYTES` in vain,
until a page reports that, or preload nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from typing import Any, TypeAlias

from starlette.datastructures import QueryParams

from stlaunch.gateway.places import client_key
from stlaunch.gateway.request import RequestInfo
from stlaunch.quick_dataclass import dataclass

_MAX_PAGES = 64
_MAX_NAME = 200
_MAX_CLIENTS = 3
_MAX_SCRIPTS = 64
_MAX_BYTES = 8_000_000
_MAX_QUERY = 8_000
_MAX_BEFORE = 256

Scripts: TypeAlias = tuple[str, ...]
"""Names such as `Slider.abc.js`, in the order in which a page requested them."""


@dataclass(slots=True)
class Preloads:
    """The scripts that the pages of the last few clients used. A page gets those common to all.

    They are forgotten when the process ends, and when the app's files change.

    Attributes:
        size_of: the size of a static file such as `js/index.abc.js`; None if there is none.
        app_version: changes with the app's files.
    """

    size_of: Callable[[str], int | None]
    app_version: Callable[[], int]
    _version: int = 0
    _pages: dict[str, dict[str, Scripts]] = field(default_factory=dict)

    def scripts_for(self, request: RequestInfo) -> Scripts:
        """Return the scripts that the requested page will use."""
        page = _name(request, request.streamlit_path or "")
        reports = self._known().get(page)
        if not reports:
            return ()
        self._pages[page] = self._pages.pop(page)  # visited pages stay
        *others, last = reports.values()
        return tuple(name for name in last if all(name in other for other in others))

    def note(self, request: RequestInfo, query: bytes) -> None:
        """Record a report; it replaces the client's last one for that page."""
        if len(query) > _MAX_QUERY:
            return
        values = QueryParams(query)
        page, client = _name(request, values.get("page", "")), _client(request)
        reports = self._known().pop(page, {})
        reports.pop(client, None)
        reports[client] = tuple(self._existing(values.get("used", "").split()))
        self._pages[page] = reports
        _drop_first(reports, _MAX_CLIENTS)
        _drop_first(self._pages, _MAX_PAGES)

    def _known(self) -> dict[str, dict[str, Scripts]]:
        version = self.app_version()
        if version != self._version:
            self._pages.clear()
            self._version = version
        return self._pages

    def _existing(self, names: Sequence[str]) -> Iterator[str]:
        left = _MAX_BYTES
        for name in dict.fromkeys(names[:_MAX_SCRIPTS]):
            size = self.size_of(f"js/{name}") if name.endswith(".js") else None
            if size is not None and size <= left:
                left -= size
                yield name


def is_scripts_report(query: bytes) -> bool:
    """Return whether a request for the page script is a report, well-formed or not."""
    return b"&used=" in query[:_MAX_BEFORE]


def _name(request: RequestInfo, path: str) -> str:
    base = request.base.value if request.base is not None else ""
    return f"{base}/{path.strip('/')}"[:_MAX_NAME]


def _client(request: RequestInfo) -> str:
    return client_key(request.client or request.peer)


def _drop_first(items: dict[str, Any], limit: int) -> None:
    while len(items) > limit:
        del items[next(iter(items))]
