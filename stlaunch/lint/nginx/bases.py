"""Find the paths below which a server passes requests to the app."""

from __future__ import annotations

from collections.abc import Iterator

from stlaunch.diagnostics.severity import Circumstance
from stlaunch.lint import streamlit
from stlaunch.lint.findings import Report
from stlaunch.lint.nginx.faults import Fault
from stlaunch.lint.nginx.parse import Directive
from stlaunch.lint.nginx.request import (
    Location,
    NotUnderstoodError,
    Request,
    answer,
    find_location,
    literal_prefix,
)
from stlaunch.lint.nginx.targets import Targets
from stlaunch.proxies.needs import Need
from stlaunch.urls.base_path import BasePath


def bases_of(server: Directive, targets: Targets, report: Report) -> list[BasePath]:
    """Return the public paths of the app in this server; left-over routes become notes."""
    passes = [
        directive
        for directive in server.walk()
        if directive.name == "proxy_pass" and targets.is_app(directive)
    ]
    known = targets.app.base_path
    found: dict[str, bool] = {}
    places: dict[str, Directive] = {}
    for proxied in passes:
        for path, is_part, location in _paths(server, proxied, report):
            found[path] = found.get(path, True) and is_part
            places.setdefault(path, location)
    if known is not None:
        return [known] if passes else []
    bases, left = streamlit.choose_bases(found)
    for path in left:
        location = places[path]
        shown = ", ".join(base.with_slash for base in bases)
        text = (
            f"`location {' '.join(location.args)}` is left over: the app is at {shown}, and asks "
            "for nothing here."
        )
        report.note(location.file, location.line, text)
    return bases


def slash_fault(
    server: Directive, base: BasePath, targets: Targets, report: Report
) -> Iterator[Fault]:
    """Check the path without its final slash; nginx redirects it where a location ends with one."""
    if not base.value:
        return
    try:
        without = answer(server, Request(path=base.value), targets.maps)
        page = answer(server, Request(path=base.with_slash), targets.maps)
    except NotUnderstoodError as exc:
        place = exc.directive
        report.note(place.file, place.line, f"Not understood, so not checked: {exc}.")
        return
    redirects = any(
        Location.of(location) in {Location("", base.with_slash), Location("^~", base.with_slash)}
        for location in server.walk()
        if location.name == "location" and location.all("proxy_pass")
    )
    is_exact = without.location.name == "location" and Location.of(without.location).modifier == "="
    is_app = without.proxied is not None and targets.is_app(without.proxied)
    redirects_slash = without.returned is not None and without.is_redirect
    if is_app or redirects_slash or (redirects and not is_exact) or page.proxied is None:
        return
    if without.location.has_unread:
        return
    yield Fault(
        code="STL203",
        at=page.location,
        detail=f"{base} without its final slash does not lead to the app.",
        need=Need.SLASH,
        milder=Circumstance.OTHER_SPELLING,
    )


def _paths(
    server: Directive, proxied: Directive, report: Report
) -> Iterator[tuple[str, bool, Directive]]:
    location = next((up for up in proxied.ancestors() if up.name == "location"), None)
    if location is None:
        yield "", False, proxied
        return
    head = Location.of(location)
    if head.path.startswith("@"):
        yield from _paths_to_named(server, head.path)
        return
    prefix = literal_prefix(head)
    path, is_part = streamlit.base_of(prefix)
    if head.is_regex and prefix in {"", "/"} and not is_part:
        if _takes_all(server, location):
            yield "", False, location
            return
        text = f"It is not plain which paths `location {' '.join(location.args)}` takes."
        report.note(location.file, location.line, text, is_gap=True)
        return
    yield path, is_part, location


def _paths_to_named(server: Directive, name: str) -> Iterator[tuple[str, bool, Directive]]:
    for directive in server.walk():
        if directive.name not in {"try_files", "error_page"} or directive.args[-1] != name:
            continue
        location = next((up for up in directive.ancestors() if up.name == "location"), None)
        if location is None:
            yield "", False, directive
        else:
            path, is_part = streamlit.base_of(literal_prefix(Location.of(location)))
            yield path, is_part, location


def _takes_all(server: Directive, location: Directive) -> bool:
    try:
        return all(
            find_location(server, path) is location for path in (streamlit.PAGE, streamlit.STREAM)
        )
    except NotUnderstoodError:
        return False
