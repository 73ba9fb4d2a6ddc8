"""A finding about nginx before it has a fix."""

from __future__ import annotations

from stlaunch.diagnostics.severity import Circumstance
from stlaunch.lint.nginx.parse import Directive
from stlaunch.proxies.needs import Need
from stlaunch.quick_dataclass import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is wrong, where, and which lines would repair it.

    Attributes:
        code: of the catalogue.
        at: the directive that is at fault, or the location that lacks one.
        location: the one that answers, where the fault came from further out.
        detail: one sentence.
        need: the one whose lines repair it.
        headers: the names of those lines that count; empty for all of them.
        is_removed: the directive only has to go.
        milder: why this case hits fewer people.
        replicas: the servers of the group that the fix has to name.
    """

    code: str
    at: Directive
    detail: str
    need: Need | None = None
    headers: tuple[str, ...] = ()
    is_removed: bool = False
    location: Directive | None = None
    milder: Circumstance | None = None
    replicas: tuple[str, ...] = ()
