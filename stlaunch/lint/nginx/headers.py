"""Find response headers of nginx that break the page. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from stlaunch.diagnostics.page_policy import component_problems, page_problems
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.lint.nginx.faults import Fault
from stlaunch.lint.nginx.request import Answer
from stlaunch.proxies.needs import Need


def header_faults(page: Answer | None, component: Answer | None) -> Iterator[Fault]:
    """Judge what is added to the page, and to what is below `component/`."""
    for answer, judge in ((page, page_problems), (component, component_problems)):
        if answer is None:
            continue
        added = answer.location.inherited_all("add_header")
        for problem in judge([(header.args[0], header.args[1]) for header in added]):
            yield Fault(
                code=problem.code,
                at=added[problem.index],
                detail=problem.detail,
                location=answer.location,
                need=Need(problem.need),
                milder=Circumstance.PART_ONLY if problem.is_part_only else None,
            )
