"""Find response headers of nginx that break the page. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from stlaunch.diagnostics.page_policy import COMPONENT, PAGE, header_problems
from stlaunch.lint.nginx.faults import Fault
from stlaunch.lint.nginx.request import Answer
from stlaunch.proxies.needs import Need


def header_faults(page: Answer | None, component: Answer | None) -> Iterator[Fault]:
    """Evaluate what is added to the page, and to what is below `component/`."""
    answers = {of: answer for of, answer in ((PAGE, page), (COMPONENT, component)) if answer}
    added = {of: answer.location.inherited_all("add_header") for of, answer in answers.items()}
    sent = {
        of: [(header.args[0], header.args[1]) for header in headers]
        for of, headers in added.items()
    }
    for problem in header_problems(sent.get(PAGE, []), sent.get(COMPONENT)):
        yield Fault(
            code=problem.code,
            at=added[problem.of][problem.index],
            detail=problem.detail,
            location=answers[problem.of].location,
            need=Need(problem.need) if problem.need else None,
            milder=problem.milder,
        )
