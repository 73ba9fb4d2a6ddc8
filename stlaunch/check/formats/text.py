"""Format the report for a terminal, with Rich; the only file that imports it."""

from __future__ import annotations

import contextlib
import io
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stlaunch.check.diagnosis import Diagnosis, Finding, Status, Verdict
from stlaunch.check.observations import Observations
from stlaunch.check.redact import safe_text
from stlaunch.check.report import (
    proxied_and_direct,
    sent_and_arrived,
    session_line,
    verdict_sentence,
)

_WIDTH = 100
_MARGIN = 8
_MAX_NAMED = 6
"""Skipped checks of one reason that a person wants by name; `--json` names all of them."""
_MARKS = {
    Status.FAIL: ("✗", "bold red"),
    Status.WARN: ("!", "yellow"),
    Status.INFO: ("i", "dim"),
    Status.CRASH: ("☠", "bold magenta"),
}
_VERDICTS = {
    Verdict.HEALTHY: ("✓", "bold green"),
    Verdict.DEGRADED: ("!", "bold yellow"),
    Verdict.BROKEN: ("✗", "bold red"),
    Verdict.UNKNOWN: ("?", "bold"),
}


def render_text(
    seen: Observations, diagnosis: Diagnosis, *, is_coloured: bool, width: int = _WIDTH
) -> str:
    """Return the report; without colour it is plain text of the same layout.

    Lines to paste are never wrapped; where one is longer, the whole report is as wide.
    """
    out = io.StringIO()
    fixes = [line for finding in diagnosis.findings for line in finding.fix.splitlines()]
    pasted = [len(line) for line in fixes if line.startswith(" ")]
    console = Console(
        file=out,
        force_terminal=is_coloured,
        no_color=not is_coloured,
        color_system="standard" if is_coloured else None,
        width=max([width, *(length + _MARGIN for length in pasted)]),
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    console.print(Text(f"stlaunch check {safe_text(seen.url)}", style="bold"))
    mark, style = _VERDICTS[diagnosis.verdict]
    told = session_line(seen)
    sentence = f"{verdict_sentence(seen, diagnosis)} {told[:1].upper()}{told[1:]}."
    console.print(Text(f"{mark} {sentence}", style=style))
    if diagnosis.hops:
        route = " -> ".join(["browser", *(safe_text(str(hop)) for hop in diagnosis.hops)])
        console.print(Text(f"Seen on the way: {route}"))
    for index, finding in enumerate(diagnosis.findings):
        console.print()
        is_cause = index == 0 and finding.status is Status.FAIL
        _print_finding(console, finding, label="most likely cause" if is_cause else "")
    _print_table(console, ("", "sent", "arrived"), sent_and_arrived(seen))
    _print_table(console, ("", "through the proxy", "around it"), proxied_and_direct(seen))
    console.print()
    _print_counts(console, seen, diagnosis)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


@contextlib.contextmanager
def show_progress(stream: TextIO, *, is_shown: bool) -> Iterator[Callable[[str], None]]:
    """Show on a terminal what is being done; on anything else stay quiet."""
    if not is_shown:
        yield lambda _: None
        return
    console = Console(file=stream, highlight=False, markup=False)
    with console.status("") as status:
        yield lambda text: status.update(f"checking: {text}")


def _print_finding(console: Console, finding: Finding, *, label: str) -> None:
    mark, style = _MARKS[finding.status]
    head = Text(f"{mark} {finding.code}  {finding.title}", style=style)
    if label:
        head.append(f"   ({label})", style="default")
    console.print(head)
    rows = [("seen", safe_text(finding.evidence))]
    if finding.hop:
        rows.append(("who", safe_text(finding.hop)))
    if finding.fix:
        rows.append(("fix", finding.fix))
    if finding.consequences:
        told = "\n".join(f"{one.code} {one.title}" for one in finding.consequences)
        rows.append(("hence", told))
    rows.append(("more", finding.explain))
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in rows:
        grid.add_row(f"  {name}", Text(text))
    console.print(grid)


def _print_table(
    console: Console, head: tuple[str, str, str], rows: list[tuple[str, str, str]]
) -> None:
    if not rows:
        return
    console.print()
    table = Table(box=None, padding=(0, 2), header_style="dim")
    for name in head:
        table.add_column(name, overflow="fold")
    for what, before, after in rows:
        is_changed = bool(before) and before != after
        table.add_row(what, Text(before), Text(after, style="red" if is_changed else ""))
    console.print(table)


def _print_counts(console: Console, seen: Observations, diagnosis: Diagnosis) -> None:
    counts = dict.fromkeys(Status, 0)
    reasons: dict[str, list[str]] = defaultdict(list)
    for check in diagnosis.checks:
        counts[check.status] += 1
        if check.status is Status.SKIP:
            reasons[check.reason].append(check.code)
    told = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    console.print(Text(f"{told}; {seen.elapsed_ms / 1000:.1f} s"))
    for reason, codes in reasons.items():
        named = " ".join(codes) if len(codes) <= _MAX_NAMED else f"{len(codes)} checks"
        console.print(Text(f"  SKIP {named}: {safe_text(reason)}", style="dim"))
