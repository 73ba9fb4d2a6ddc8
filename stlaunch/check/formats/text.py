"""Format the report for a terminal, with Rich; the only file that imports it."""

from __future__ import annotations

import contextlib
import io
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TextIO

from rich.console import Console
from rich.table import Table
from rich.text import Text

from stlaunch.check.diagnosis import Diagnosis, Finding, Status, Verdict
from stlaunch.check.observations import Observations
from stlaunch.check.redact import safe_text
from stlaunch.check.report import (
    cut_line,
    proxied_and_direct,
    sent_and_arrived,
    session_line,
    verdict_sentence,
)

_WIDTH = 100
_LABEL = 6
_PASTED = (" ", "then: ")
"""How the lines of a fix begin that are to be pasted, and so never wrapped."""
_MAX_NAMED = 6
"""How many checks skipped for one reason to name; `--json` names all of them."""
# Only marks have a colour, one that is readable on black and on white; words are bold.
_MARKS = {
    Status.FAIL: ("✗", "bold red"),
    Status.WARN: ("!", "bold magenta"),
    Status.INFO: ("i", "dim"),
    Status.CRASH: ("☠", "bold magenta"),
}
_VERDICTS = {
    Verdict.HEALTHY: ("✓", "bold green"),
    Verdict.DEGRADED: ("!", "bold magenta"),
    Verdict.BROKEN: ("✗", "bold red"),
    Verdict.UNKNOWN: ("?", "bold"),
}


def render_text(
    seen: Observations,
    diagnosis: Diagnosis,
    *,
    is_coloured: bool,
    width: int = _WIDTH,
    is_brief: bool = False,
) -> str:
    """Return the report; without colour it is plain text of the same layout.

    Lines to paste are never wrapped, however narrow the terminal. With `is_brief`, the report is
    as long as a screen: the first finding in full, one line for each of the others, no tables.
    """
    out = io.StringIO()
    console = Console(
        file=out,
        force_terminal=is_coloured,
        no_color=not is_coloured,
        color_system="standard" if is_coloured else None,
        width=width,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        soft_wrap=True,
    )
    console.print(Text(f"stlaunch check {safe_text(seen.url)}", style="bold"))
    session = session_line(seen)
    sentence = f"{verdict_sentence(seen, diagnosis)} {session[:1].upper()}{session[1:]}."
    _print_marked(console, _VERDICTS[diagnosis.verdict], sentence)
    if diagnosis.hops:
        route = " -> ".join(["browser", *(safe_text(str(hop)) for hop in diagnosis.hops)])
        _print_words(console, f"Seen on the way: {route}")
    if is_brief:
        _print_briefly(console, seen, diagnosis)
    else:
        _print_all(console, seen, diagnosis)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


@contextlib.contextmanager
def show_progress(stream: TextIO, *, is_shown: bool) -> Iterator[Callable[[str], None]]:
    """Show progress on a terminal; stay quiet on anything else."""
    if not is_shown:
        yield lambda _: None
        return
    console = Console(file=stream, highlight=False, markup=False)
    with console.status("") as status:
        yield lambda text: status.update(f"checking: {text}")


def _print_all(console: Console, seen: Observations, diagnosis: Diagnosis) -> None:
    for index, finding in enumerate(diagnosis.findings):
        console.print()
        is_cause = index == 0 and finding.status is Status.FAIL
        _print_finding(console, finding, label="most likely cause" if is_cause else "")
    _print_table(console, ("", "sent", "arrived"), sent_and_arrived(seen))
    _print_table(console, ("", "through the proxy", "around it"), proxied_and_direct(seen))
    console.print()
    _print_counts(console, seen, diagnosis)
    _print_skipped(console, diagnosis)


def _print_briefly(console: Console, seen: Observations, diagnosis: Diagnosis) -> None:
    notes = [finding for finding in diagnosis.findings if finding.status is Status.INFO]
    graver = [finding for finding in diagnosis.findings if finding not in notes]
    for first in graver[:1]:
        console.print()
        is_cause = len(graver) > 1 and first.status is Status.FAIL
        _print_finding(console, first, label="most likely cause" if is_cause else "", is_brief=True)
    console.print()
    for finding in graver[1:]:
        _print_marked(console, _MARKS[finding.status], f"{finding.code}  {finding.title}")
    if notes:
        codes = " ".join(finding.code for finding in notes)
        _print_marked(
            console, _MARKS[Status.INFO], f"{codes}  (notes; stlaunch explain CODE says more)"
        )
    _print_counts(console, seen, diagnosis)
    if diagnosis.verdict is not Verdict.UNKNOWN and (cut := cut_line(seen)):
        _print_words(console, f"{cut[:1].upper()}{cut[1:]}: there may be more.")
    _print_words(console, "Everything, with all lines to paste: --all", style="dim")


def _print_marked(console: Console, marked: tuple[str, str], text: str, *, more: str = "") -> None:
    mark, style = marked
    first, *rest = _wrapped(f"{mark} {text}{more}", console.width, indent=2)
    line = Text(first)
    line.stylize("bold", len(mark))
    line.stylize(style, 0, len(mark))
    console.print(line)
    for continued in rest:
        console.print(Text(continued, style="bold"))


def _print_finding(
    console: Console, finding: Finding, *, label: str, is_brief: bool = False
) -> None:
    head = f"{finding.code}  {finding.title}"
    _print_marked(console, _MARKS[finding.status], head, more=f"   ({label})" if label else "")
    rows = [("seen", safe_text(finding.evidence))]
    if finding.hop:
        rows.append(("who", safe_text(finding.hop)))
    if finding.fix:
        rows.append(("fix", finding.fix))
    if finding.consequences and is_brief:
        rows.append(("hence", " ".join(one.code for one in finding.consequences)))
    elif finding.consequences:
        consequences = "\n".join(f"{one.code} {one.title}" for one in finding.consequences)
        rows.append(("hence", consequences))
    rows.append(("more", finding.explain))
    for name, text in rows:
        lines = [
            part
            for line in text.splitlines() or [""]
            for part in ([line] if line.startswith(_PASTED) else _wrapped(line, console.width - 9))
        ]
        for index, line in enumerate(lines):
            shown = Text(f"  {name if index == 0 else '':<{_LABEL}}{line}")
            shown.stylize("dim", 0, 2 + _LABEL)
            console.print(shown)


def _print_words(console: Console, text: str, *, style: str = "") -> None:
    for line in _wrapped(text, console.width, indent=4):
        console.print(Text(line, style=style))


def _wrapped(text: str, width: int, *, indent: int = 0) -> Sequence[str]:
    return textwrap.wrap(
        text,
        max(width, 20),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [""]


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
    console.print(table, soft_wrap=False)


def _print_counts(console: Console, seen: Observations, diagnosis: Diagnosis) -> None:
    counts = dict.fromkeys(Status, 0)
    for check in diagnosis.checks:
        counts[check.status] += 1
    totals = ", ".join(f"{count} {status}" for status, count in counts.items() if count)
    _print_words(console, f"{totals}; {seen.elapsed_ms / 1000:.1f} s")


def _print_skipped(console: Console, diagnosis: Diagnosis) -> None:
    reasons: dict[str, list[str]] = defaultdict(list)
    for check in diagnosis.checks:
        if check.status is Status.SKIP:
            reasons[check.reason].append(check.code)
    for reason, codes in reasons.items():
        named = " ".join(codes) if len(codes) <= _MAX_NAMED else f"{len(codes)} checks"
        _print_words(console, f"  SKIP {named}: {safe_text(reason)}", style="dim")
