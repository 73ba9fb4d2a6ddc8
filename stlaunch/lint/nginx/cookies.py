"""Evaluate how nginx changes the cookie that Streamlit's uploads need. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

from stlaunch.lint import streamlit
from stlaunch.lint.expressions import NotUnderstoodError, search
from stlaunch.lint.nginx.faults import Fault
from stlaunch.lint.nginx.parse import Directive
from stlaunch.lint.nginx.variables import has_variable
from stlaunch.urls.base_path import BasePath


def cookie_change_faults(location: Directive, base: BasePath) -> Iterator[Fault]:
    """Evaluate proxy_cookie_path and proxy_cookie_flags: of each, the first that matches counts."""
    for rewritten in location.inherited_all("proxy_cookie_path"):
        changed = _changed_path(rewritten)
        if changed is None:
            continue
        path, _, attributes = changed.partition(";")
        if not _covers(path.strip(), base):
            yield Fault(
                code="STL509",
                at=rewritten,
                detail=f"The app's cookies get the path {path.strip()}, which is not that of its "
                "requests.",
            )
        if "httponly" in re.split(r"[;\s]+", attributes.lower()):
            yield Fault(code="STL506", at=rewritten, detail=streamlit.HTTP_ONLY)
        break
    for flags in location.inherited_all("proxy_cookie_flags"):
        if _is_about_token(flags.args[0] if flags.args else ""):
            if "httponly" in map(str.lower, flags.args[1:]):
                yield Fault(code="STL506", at=flags, detail=streamlit.HTTP_ONLY)
            break


def _changed_path(rewritten: Directive) -> str | None:
    """Return what the cookies' path, a slash, becomes; None where it stays or is not known."""
    pattern, *rest = rewritten.args
    if not rest:
        return None
    groups: tuple[str, ...] = ()
    if pattern.startswith("~"):
        match = _searched(pattern, "/")
        if match is None:
            return None
        groups = match.groups("")
    elif pattern != "/":
        return None
    text = rest[0]
    for number, group in enumerate(groups, 1):
        text = text.replace(f"${number}", group)
    return None if has_variable(text) else text


def _covers(path: str, base: BasePath) -> bool:
    """Return whether browsers send a cookie of this path to the app; as `check` has it."""
    asked = base.value + streamlit.STREAM
    return not path.startswith("/") or f"{asked}/".startswith(f"{path.rstrip('/')}/")


def _is_about_token(name: str) -> bool:
    return name == streamlit.XSRF or (
        name.startswith("~")
        and _searched(f"~*{name.removeprefix('~')}", streamlit.XSRF) is not None
    )


def _searched(pattern: str, text: str) -> re.Match[str] | None:
    flags = re.IGNORECASE if pattern.startswith("~*") else 0
    try:
        return search(pattern.removeprefix("~").removeprefix("*"), text, flags)
    except NotUnderstoodError:
        return None
