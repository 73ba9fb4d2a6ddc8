"""Every rule on recorded observations: it fires, stays quiet, and is skipped."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stlaunch.check.diagnosis import Check, Status, Verdict, diagnose, selects
from stlaunch.check.formats.markdown import render_markdown
from stlaunch.check.formats.text import render_text
from stlaunch.check.observations import Observations
from stlaunch.check.report import build_report, session_line
from stlaunch.check.rules import RULES, Hit, Rule
from stlaunch.diagnostics import catalogue, ranking
from stlaunch.diagnostics.severity import Severity
from tests.check.cases import BARE, CASES, INDEX, answer, opening, page
from tests.check.recording import GONE, recorded

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

    assert check.status in {Status.FAIL, Status.WARN, Status.INFO}, check


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


FELL_BACK = {"fallback": {"messages": 12, "finished_ms": 99}, "session": None}


def test_stripped_upgrade_is_a_warning_where_the_page_was_seen_to_fall_back() -> None:
    seen = recorded({**CASES["STL301"].fires, **FELL_BACK})
    fell_back = diagnose(seen)
    promised = diagnose(recorded(CASES["STL301"].fires)).findings[0]
    bare = diagnose(recorded({**CASES["STL301"].fires, **BARE})).findings[0]

    assert fell_back.findings[0].code == "STL301"
    assert fell_back.findings[0].status is Status.WARN
    assert fell_back.findings[0].evidence.endswith("the page uses HTTP requests instead.")
    assert session_line(seen) == "script finished over HTTP: 12 messages, 99 ms"
    assert (promised.code, promised.status) == ("STL301", Status.FAIL)
    assert (bare.code, bare.status) == ("STL301", Status.FAIL)


def test_a_fallback_that_fails_as_well_is_reported() -> None:
    patch = {**CASES["STL301"].fires, "http.tunnel": {"url": "x", "method": "POST", "status": 405}}
    first = diagnose(recorded(patch)).findings[0]

    assert first.status is Status.FAIL
    assert first.evidence.endswith("The fallback over HTTP requests fails too: POST gets 405.")


@pytest.mark.parametrize(
    ("component", "missing", "evidence"),
    [
        ([], [], "keeps images and frames of other sites"),
        (["cross-origin-embedder-policy"], [], "keeps images and frames of other sites"),
        (["x-frame-options"], [], "the frames of custom components stay empty"),
        ([], ["cross-origin-embedder-policy"], "the frames of custom components stay empty"),
    ],
    ids=["errors carry none", "both carry it", "errors carry others", "other errors carry it"],
)
def test_embedder_policy_is_compared_with_what_components_get(
    component: list[str], missing: list[str], evidence: str
) -> None:
    """A 404 without the header says nothing where the proxy leaves errors out."""
    embedder = "cross-origin-embedder-policy"
    patch = {
        "http.page.headers": [[embedder, "require-corp"]],
        "http.component.headers": [[name, "require-corp"] for name in component],
        "http.missing_asset.status": 404,
        "http.missing_asset.headers": [[name, "require-corp"] for name in missing],
    }
    found = next(one for one in diagnose(recorded(patch)).findings if one.code == "STL811")

    assert evidence in found.evidence
    assert (found.severity is Severity.INFO) == (evidence.startswith("keeps"))


# --- severity and ranking


@pytest.mark.parametrize(
    ("lacks_slash", "status"),
    [pytest.param(True, Status.FAIL, id="asked"), pytest.param(False, Status.WARN, id="other")],
)
@pytest.mark.parametrize("code", ["STL203", "STL205", "STL206"])
def test_the_address_without_its_slash_counts_as_it_was_asked_for(
    code: str, lacks_slash: bool, status: Status
) -> None:
    check = outcome(recorded({**CASES[code].fires, "lacks_slash": lacks_slash}), code)

    assert check.status is status


@pytest.mark.parametrize("side", ["STL203", "STL206", "STL508", "STL209"])
@pytest.mark.parametrize(
    "code",
    [*("STL301", "STL304", "STL307", "STL501", "STL120", "STL202", "STL208", "STL210"),
     *("STL505", "STL506", "STL512", "STL602", "STL702", "STL809")],
)  # fmt: skip
@pytest.mark.parametrize("lacks_slash", [True, False], ids=["bare", "slash"])
def test_what_blanks_the_page_comes_before_side_issues(
    code: str, side: str, lacks_slash: bool
) -> None:
    patch = {**CASES[side].fires, **CASES[code].fires, **BARE, "lacks_slash": lacks_slash}
    if code == "STL304":  # without an Origin it is refused as well
        patch["openings.no_origin.status"] = 403
    first = diagnose(recorded(patch)).findings[0]

    if (code, side, lacks_slash) in {
        (milder, spelling, True)
        for milder in ("STL602", "STL809")
        for spelling in ("STL203", "STL206")
    }:  # the address that was asked for shows nothing: worse than a limit
        assert first.code == side
    else:
        assert first.code == code


def test_streamlit_may_be_mounted_deeper_than_the_app_s_path() -> None:
    """`/app/st/` below a FastAPI app at `/app`: the page's own addresses say so."""
    deeper = {
        "base_path": "/app/st",
        "self_check.base_path.this_request": "/app/",
        "http.page.text": INDEX.replace("./static", "/app/st/static"),
    }

    assert "STL407" not in {finding.code for finding in diagnose(recorded(deeper)).findings}


def test_a_login_without_a_title_has_no_empty_name() -> None:
    seen = recorded(page(401, "", ("www-authenticate", "Basic realm=x")))
    (login,) = [finding for finding in diagnose(seen).findings if finding.code == "STL121"]

    assert login.evidence == "This is the login of Basic authentication."


def test_every_code_that_check_finds_has_its_step() -> None:
    listed = [code for step in ranking.STEPS for code in step]

    assert len(listed) == len(set(listed))
    assert {rule.code for rule in RULES} <= set(listed) <= set(catalogue.codes())


def test_a_milder_cause_hides_nothing_worse() -> None:
    """Stlaunch's page needs no pings, but a cookie that is lost with them is missed."""
    patch = {**CASES["STL210"].fires, **CASES["STL506"].fires}
    found = {one.code: one.severity for one in diagnose(recorded(patch)).findings}

    assert found["STL506"] is Severity.ERROR
    assert found["STL210"] is Severity.WARNING


def test_circumstances_only_make_milder() -> None:
    for entry in map(catalogue.entry, catalogue.codes()):
        for circumstance, severity in entry.severity_when.items():
            assert severity.rank > entry.severity.rank, (entry.code, circumstance)
            assert entry.severity_under([circumstance]) is severity
        assert entry.severity_under(()) is entry.severity


@pytest.mark.parametrize("is_strict", [True, False])
@pytest.mark.parametrize(
    ("code", "verdict", "lax", "strict"),
    [
        pytest.param("STL301", Verdict.BROKEN, 1, 1, id="error"),
        pytest.param("STL602", Verdict.DEGRADED, 0, 1, id="warning"),
        pytest.param("STL804", Verdict.HEALTHY, 0, 0, id="info"),
    ],
)
def test_exit_code_and_counts(
    code: str, verdict: Verdict, lax: int, strict: int, is_strict: bool
) -> None:
    seen = recorded(CASES[code].fires)
    diagnosis = diagnose(seen)
    report = build_report(seen, diagnosis, is_strict=is_strict)

    assert diagnosis.verdict is verdict
    assert report["exit_code"] == (strict if is_strict else lax)
    assert report["counts"][str(diagnosis.findings[0].severity)] >= 1


def test_an_app_whose_script_was_not_run_is_not_said_to_work() -> None:
    seen = recorded({"session": None})
    text = render_text(seen, diagnose(seen), is_coloured=False)

    assert "works" not in text
    assert "whole" not in text
    assert "No session was run." in text


@pytest.mark.parametrize("code", ["STL502", "STL511"])
def test_the_app_s_own_protections_are_fixed_in_the_app(code: str) -> None:
    patch = {**CASES[code].fires}
    (found,) = [one for one in diagnose(recorded(patch)).findings if one.code == code]

    assert found.hop == "the app"
    assert found.fix.startswith("Remove server.enable")


def test_lines_name_the_app_s_address_where_it_is_known() -> None:
    seen = recorded(CASES["STL120"].fires)
    around = replace(
        recorded(), url="http://10.0.0.7:9000/app/", host="10.0.0.7:9000", scheme="http"
    )
    (found, *_) = diagnose(replace(seen, direct=around)).findings

    assert "proxy_pass http://10.0.0.7:9000" in found.fix


def test_a_crash_of_one_rule_hides_nothing_else() -> None:
    def crash(_seen: Observations) -> Hit | None:
        raise ZeroDivisionError("oh")

    rules = (Rule(code="STL101", requires=(), evaluate=crash), *RULES[1:])
    diagnosis = diagnose(recorded(CASES["STL602"].fires), rules=rules)

    assert {check.code: check.status for check in diagnosis.checks}["STL101"] is Status.CRASH
    assert "STL602" in {finding.code for finding in diagnosis.findings}


def test_a_crash_of_a_probe_is_reported_by_the_rules_that_needed_it() -> None:
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

    text = render_text(seen, replace(diagnosis, findings=(finding,)), is_coloured=False)

    assert line in text


def test_a_check_that_was_cut_says_of_nothing_that_it_works() -> None:
    assert diagnose(recorded({"is_cut": True})).verdict is Verdict.UNKNOWN
    assert diagnose(recorded({**CASES["STL301"].fires, "is_cut": True})).verdict is Verdict.BROKEN


@pytest.mark.parametrize("gone", ["openings.browser", "http.health", "http.asset", "session"])
def test_a_report_is_made_of_whatever_was_seen_in_time(gone: str) -> None:
    value = None if gone == "session" else GONE
    seen = recorded({gone: value, "handshake": None, "is_cut": True})

    assert build_report(seen, diagnose(seen))["verdict"] == "unknown"
    assert render_text(seen, diagnose(seen), is_coloured=False)


@pytest.mark.parametrize("age", ["\u00b2", "9" * 5000], ids=["two", "long"])
def test_an_age_that_is_no_number_is_none(age: str) -> None:
    """A hostile answer: `\u00b2` is a digit to Python and no number to it."""
    checks = diagnose(recorded(page(200, INDEX, ("age", age)))).checks

    assert not [check for check in checks if check.status is Status.CRASH]


# --- a rate limit that answers 503, as nginx's does


def test_a_rate_limit_is_not_taken_for_an_app_that_is_down() -> None:
    """limit_req with rate=1r/s and burst=5: the page passes, and the handshake gets 503."""
    limited = {**CASES["STL611"].fires, **opening(503, "<title>503</title>"), "session": None}
    diagnosis = diagnose(recorded(limited))
    first = diagnosis.findings[0]

    assert first.code == "STL611"
    assert "limit_req" in first.fix
    assert "STL120" not in {one.code for one in first.consequences}
    check = next(one for one in diagnosis.checks if one.code == "STL120")
    assert (check.status, "STL611" in check.reason) == (Status.SKIP, True)


def test_health_behind_a_rate_limit_is_not_down_either() -> None:
    limited = {**CASES["STL611"].fires, **answer("health", 503)}

    assert diagnose(recorded(limited)).findings[0].code == "STL611"


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param(opening(502), id="another-status"),
        pytest.param(opening(503) | {"load.asked": 66, "load.refused": 66}, id="nothing-passes"),
        pytest.param(opening(503) | {"load": None}, id="not-measured"),
        pytest.param(page(503, "<title>503</title>"), id="not-even-the-page"),
    ],
)
def test_an_app_that_is_down_is_not_taken_for_a_rate_limit(patch: dict[str, object]) -> None:
    first = diagnose(recorded({**CASES["STL611"].fires, **patch, "session": None})).findings[0]

    assert first.code == "STL120"


# --- cookies that are not Secure


def without_secure(*names: str) -> dict[str, object]:
    return {
        "http.page.headers": [],
        "http.health.headers": [["set-cookie", f"{name}=a; Path=/"] for name in names],
    }


@pytest.mark.parametrize(
    "name",
    [
        *("AWSALB", "AWSALBCORS", "AWSALBTG", "ARRAffinity", "ARRAffinitySameSite", "GCLB"),
        *("ApplicationGatewayAffinity", "SERVERID", "INGRESSCOOKIE", "_cfuvid", "route"),
        *("stlaunch_replica", "stlaunch_replica_1e5dc0ae", "stlaunch"),
    ],
)
def test_a_balancers_own_cookie_needs_no_secure(name: str) -> None:
    assert outcome(recorded(without_secure(name)), "STL508").status is Status.PASS


@pytest.mark.parametrize(
    "name", ["_streamlit_xsrf", "_streamlit_user.1e5dc0ae", "stlaunch_return", "_streamlit_session"]
)
def test_the_apps_cookies_are_named_without_the_balancers(name: str) -> None:
    findings = diagnose(recorded(without_secure("AWSALB", name))).findings
    found = next(one for one in findings if one.code == "STL508")

    assert found.evidence == f"Without Secure: {name}."


# --- a check that ran out of time

REASON = "the time for the check was over (--timeout 30)"
CUT = {"is_cut": True, "cut_reason": REASON}


@pytest.mark.parametrize("is_brief", [True, False], ids=["brief", "all"])
def test_a_cut_check_says_so_and_not_that_it_could_not_run(*, is_brief: bool) -> None:
    seen = recorded(CUT)
    diagnosis = diagnose(seen)
    text = render_text(seen, diagnosis, is_coloured=False, width=200, is_brief=is_brief)
    sentence = f"{REASON[0].upper()}{REASON[1:]}; what was seen so far shows no error."

    assert f"? {sentence}" in text
    assert text.count("The time for the check was over") == 1
    assert REASON in build_report(seen, diagnosis)["summary"]
    assert f"{REASON[0].upper()}{REASON[1:]}".replace("(", "\\(").partition(" \\")[0] in (
        render_markdown(seen, diagnosis)
    )


def test_a_cut_check_with_an_error_says_that_there_may_be_more() -> None:
    seen = recorded({**CASES["STL301"].fires, **CUT})
    text = render_text(seen, diagnose(seen), is_coloured=False, width=100, is_brief=True)

    assert "✗ Something is broken." in text
    assert "The time for the check was over (--timeout 30): there may be more." in text


def test_a_check_that_saw_nothing_could_not_run() -> None:
    seen = recorded()
    diagnosis = replace(diagnose(seen), verdict=Verdict.UNKNOWN)

    assert "The check could not run." in render_text(seen, diagnosis, is_coloured=False)
