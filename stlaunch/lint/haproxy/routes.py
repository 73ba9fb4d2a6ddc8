"""What a browser asks a Streamlit app for, and where HAProxy loses it on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stlaunch.lint import streamlit
from stlaunch.lint.app import App
from stlaunch.lint.haproxy.conditions import Request
from stlaunch.lint.haproxy.request import Answer, Frontend, NotUnderstoodError
from stlaunch.lint.haproxy.rules import Asked, Fault, refused_put
from stlaunch.lint.words import Line
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath

# Of those that the conditions of a hostile file name.
_MAX_BASES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The app at one path of one frontend, and what becomes of each request there.

    Attributes:
        front: the frontend.
        base: the path.
        answers: by what is asked for; what is not certain is not in it.
        unclear: why.
    """

    front: Frontend
    base: BasePath
    answers: dict[str, Answer]
    unclear: list[NotUnderstoodError]

    def is_app(self, found: Answer) -> bool:
        """Return whether the app gets a request."""
        return found.backend is not None and self.front.leads_to(found.backend)

    @property
    def shows_page(self) -> bool:
        """The page comes from the app."""
        found = self.answers.get(streamlit.PAGE)
        return found is not None and self.is_app(found)

    @property
    def socket_backend(self) -> str | None:
        """The name of the section that gets the WebSocket; None where that is not known."""
        found = self.answers.get(streamlit.STREAM)
        return found.backend.name if found and found.backend and self.is_app(found) else None

    @property
    def asked(self) -> Iterator[Asked]:
        """What a browser asks for, before and after the rules that change the path."""
        is_tls = self.front.section.speaks_tls
        for one in streamlit.ALL:
            found = self.answers.get(one.end)
            request = Request(
                method=one.method,
                path=self.base.value + one.end,
                is_upgrade=one.is_upgrade,
                is_tls=is_tls,
            )
            sent = found.sent if found and self.is_app(found) else request.path
            yield Asked(
                end=one.end,
                at_front=request,
                at_back=replace(request, path=sent),
                assumed=self.front.assumed(request),
            )

    def faults(self) -> Iterator[Fault]:
        """Yield what does not reach the app, and what reaches it by a wrong path."""
        seen: set[int] = set()
        for asked in streamlit.ALL:
            found = self.answers.get(asked.end)
            if found is None:
                continue
            if not self.is_app(found):
                yield from self._loss(asked, found)
            elif (at := found.changed_by) and at.number not in seen:
                seen.add(at.number)
                yield from self._mapping(asked, found, at)

    def _loss(self, asked: streamlit.Asked, found: Answer) -> Iterator[Fault]:
        line = found.by.number if found.by else self.front.section.line
        where = f"{self.base}{asked.end}"
        if found.by and found.backend is None and self._is_of_method(asked, found.by):
            yield refused_put(found.by)
        elif asked.is_upgrade and found.backend is None and found.by:
            code = "STL310" if found.is_redirect else "STL304"
            result = f"gets {found.status}" if found.status else "is cut off"
            yield Fault(code, line, f"The WebSocket handshake at {where} {result}.")
        elif not (asked.end == streamlit.PAGE and found.is_redirect):
            yield Fault(asked.code, line, f"{asked.loss}: this answers {where} instead.")

    def _is_of_method(self, asked: streamlit.Asked, rule: Line) -> bool:
        """Return whether a rule refuses PUT, and lets the same request through as a POST."""
        if asked.method != "PUT":
            return False
        try:
            return self.front.answer(self.base.value + asked.end, method="POST").by is not rule
        except NotUnderstoodError:
            return False

    def _mapping(self, asked: streamlit.Asked, found: Answer, at: Line) -> Iterator[Fault]:
        where = f"{self.base}{asked.end}"
        if streamlit.is_own_path(self.base, asked.end, found.sent):
            return  # right if that is the app's own path
        if fault := streamlit.mapping_fault(self.base, asked.end, found.sent):
            code, what = fault
            yield Fault(code, at.number, f"The app gets {found.sent} for {where}, {what}.")


def routes_of(front: Frontend, app: App) -> list[Route]:
    """Return the paths at which a frontend shows the app.

    Raises:
        TooManyStepsError: where following the requests cost too much.
    """
    if app.base_path is not None:
        named = _route(front, app.base_path)
        return [named] if any(map(named.is_app, named.answers.values())) else []
    found: list[Route] = []
    for base in _bases("/", *front.tested_paths):
        route = _route(front, base)
        is_inner = any(other.base.strip_from(base.value) is not None for other in found)
        if route.shows_page and not is_inner:
            found.append(route)
    # The app may be at the root and, where a rule takes a prefix off, below that as well.
    for base in _bases(*front.replaced_paths):
        route = _route(front, base)
        if route.shows_page and not any(base == other.base for other in found):
            found.append(route)
    # Nothing is certain of a frontend that goes by a map, say: what is unclear is noted.
    return found or [replace(_route(front, BasePath()), answers={})]


def _bases(*paths: str) -> list[BasePath]:
    """Return the base paths that the beginnings of paths imply, the outermost first."""
    named = sorted({streamlit.base_of(path)[0] or "/" for path in paths})[:_MAX_BASES]
    return [base for path in named if (base := BasePath.parse_forwarded(path)) is not None]


def _route(front: Frontend, base: BasePath) -> Route:
    answers: dict[str, Answer] = {}
    unclear: list[NotUnderstoodError] = []
    for asked in streamlit.ALL:
        path = base.value + asked.end
        try:
            answers[asked.end] = front.answer(
                path, method=asked.method, is_upgrade=asked.is_upgrade
            )
        except NotUnderstoodError as exc:
            unclear.append(exc)
    return Route(front=front, base=base, answers=answers, unclear=unclear)
