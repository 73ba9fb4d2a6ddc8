"""Every rule on recorded observations: it fires, stays quiet, and is skipped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stlaunch.check import Check, Observations, Status, Verdict, diagnose
from stlaunch.check.diagnosis import selects
from stlaunch.check.formats.text import render_text
from stlaunch.check.rules import RULES, Hit, Rule
from stlaunch.diagnostics import catalogue
from stlaunch.diagnostics.catalogue import Severity
from tests.check.cases import BARE, CASES
from tests.check.recording import recorded

RULE_CODES = [rule.code for rule in RULES]


def outcome(seen: Observations, code: str) -> Check:
    return next(check for check in diagnose(seen).checks if check.code == code)


def test_every_rule_has_its_three_cases() -> None:
    assert sorted(RULE_CODES) == sorted(CASES)


def test_no_code_has_two_rules() -> None:
    assert len(set(RULE_CODES)) == len(RULE_CODES)


@pytest.mark.parametrize("code", RULE_CODES)
def test_rule_fires(code: str) -> None:
    check = outcome(recorded(CASES[code].fires), code)

    assert check.status in {Status.FAIL, Status.WARN}, check


@pytest.mark.parametrize("code", RULE_CODES)
def test_rule_stays_quiet(code: str) -> None:
    assert outcome(recorded(CASES[code].quiet), code).status is Status.PASS


@pytest.mark.parametrize("code", RULE_CODES)
def test_rule_is_skipped_with_a_reason(code: str) -> None:
    check = outcome(recorded(CASES[code].skips), code)

    assert check.status is Status.SKIP
    assert check.reason


@pytest.mark.parametrize("code", RULE_CODES)
def test_finding_says_what_was_seen_and_where_to_read_on(code: str) -> None:
    findings = diagnose(recorded(CASES[code].fires)).findings
    below = [one for finding in findings for one in (finding, *finding.consequences)]
    (found,) = [one for one in below if one.code == code]

    assert found.evidence.endswith((".", "/", ")")) or "->" in found.evidence
    assert found.fix
    assert found.explain == f"stlaunch explain {code}"


def test_recording_is_healthy() -> None:
    diagnosis = diagnose(recorded())

    assert diagnosis.verdict is Verdict.HEALTHY
    assert {finding.severity for finding in diagnosis.findings} <= {Severity.INFO}


def test_consequences_are_folded_under_their_cause() -> None:
    patch = {**CASES["STL120"].fires, **CASES["STL210"].fires, **CASES["STL304"].fires}
    first, *others = diagnose(recorded(patch)).findings

    assert first.code == "STL120"
    assert {"STL210", "STL304"} <= {one.code for one in first.consequences}
    assert {finding.severity for finding in others} <= {Severity.INFO}


def test_fix_is_written_for_the_recognised_proxy() -> None:
    (found, *_) = diagnose(recorded(CASES["STL602"].fires)).findings

    assert found.hop.startswith("nginx 1.")
    assert "client_max_body_size" in found.fix
    assert "nginx -s reload" in found.fix


def test_stripped_upgrade_is_a_warning_where_the_page_falls_back() -> None:
    under_stlaunch = diagnose(recorded(CASES["STL301"].fires)).findings[0]
    bare = diagnose(recorded({**CASES["STL301"].fires, **BARE})).findings[0]

    assert (under_stlaunch.code, under_stlaunch.status) == ("STL301", Status.WARN)
    assert (bare.code, bare.status) == ("STL301", Status.FAIL)


def test_a_crash_of_one_rule_hides_nothing_else() -> None:
    def crash(_seen: Observations) -> Hit | None:
        raise ZeroDivisionError("oh")

    rules = (Rule(code="STL101", requires=(), judge=crash), *RULES[1:])
    diagnosis = diagnose(recorded(CASES["STL602"].fires), rules=rules)

    assert {check.code: check.status for check in diagnosis.checks}["STL101"] is Status.CRASH
    assert "STL602" in {finding.code for finding in diagnosis.findings}


def test_a_crash_of_a_probe_is_told_by_the_rules_that_needed_it() -> None:
    patch = {"openings": {}, "crashed": {"openings.browser": "ValueError: oh"}}
    diagnosis = diagnose(recorded(patch))
    statuses = {check.code: check.status for check in diagnosis.checks}

    assert statuses["STL301"] is Status.CRASH
    assert statuses["STL203"] is Status.PASS


@pytest.mark.parametrize(
    ("only", "skip", "is_selected"),
    [
        pytest.param((), (), True, id="all"),
        pytest.param(("STL3",), (), True, id="family"),
        pytest.param(("STL301", "STL501"), (), True, id="code"),
        pytest.param(("STL5",), (), False, id="another"),
        pytest.param((), ("STL301",), False, id="skipped"),
        pytest.param(("STL3",), ("STL30",), False, id="skip-wins"),
    ],
)
def test_codes_are_selected_by_their_beginning(
    only: tuple[str, ...], skip: tuple[str, ...], is_selected: bool
) -> None:
    assert selects("STL301", only, skip) is is_selected


def test_difference_around_the_proxy_blames_the_app() -> None:
    seen = recorded(CASES["STL313"].fires)
    blamed = diagnose(replace(seen, direct=seen)).findings[0]

    assert "without the proxy" in blamed.hop


# --- the catalogue


def test_there_are_enough_codes_and_rules() -> None:
    assert len(catalogue.codes()) >= 60
    assert len(RULES) >= 60


@pytest.mark.parametrize("code", catalogue.codes())
def test_code_is_described(code: str) -> None:
    entry = catalogue.entry(code)

    for text in (entry.title, entry.problem, entry.by_hand, entry.fix):
        assert text.strip()
        assert text.isprintable() or "\n" in text


def test_a_line_to_paste_is_never_wrapped() -> None:
    """A directive in two halves is no longer what the documentation shows."""
    seen = recorded(CASES["STL301"].fires)
    diagnosis = diagnose(seen)
    line = "    location ~ ^/" + "(a|b|c) " * 15 + "{"
    finding = replace(diagnosis.findings[0], fix=f"in nginx:\n{line}")

    told = render_text(seen, replace(diagnosis, findings=(finding,)), is_coloured=False)

    assert line in told
