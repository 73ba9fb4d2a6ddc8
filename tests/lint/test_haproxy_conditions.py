"""A rule of HAProxy is a fault only where its own `if` or `unless` holds for the app."""

from __future__ import annotations

import pytest

from stlaunch.lint.kinds import FileKind
from stlaunch.lint.read import lint_text

TEXT = """\
defaults
    mode http
    option forwardfor
    timeout tunnel 1h
frontend web
    bind :80
    acl is_ws hdr(Upgrade) -i websocket
    acl is_app path_beg /app
    acl too_fast sc_http_req_rate(0) gt 10
    FRONT
    use_backend streamlit if is_app
    default_backend other
backend other
    server o 127.0.0.1:9000
backend streamlit
    http-request replace-path /app(.*) \\1
    BACK
    server s 127.0.0.1:8501
"""
NOTHING = "# nothing"


def codes(front: str = NOTHING, back: str = NOTHING) -> list[str]:
    text = TEXT.replace("FRONT", front).replace("BACK", back)
    return [finding.code for finding in lint_text(text, FileKind.HAPROXY).findings]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("http-request del-header Upgrade if !is_ws", ""),
        ("http-request del-header Upgrade if is_ws", "STL301"),
        ("http-request del-header Upgrade unless is_app", ""),
        ("http-request del-header Upgrade unless !is_app", "STL301"),
        ("http-request del-header Cookie if { hdr(host) -i static.test }", ""),
        ("http-request del-header Cookie if { path_end .css }", ""),
        ("http-request del-header Cookie if is_app or METH_PUT", "STL507"),
        ("http-request del-header Cookie if !is_app", ""),
        ("http-request del-header Cookie", "STL507"),
        ("http-request del-header Origin if METH_PUT", ""),
        ("http-request del-header X-Xsrftoken if METH_GET", ""),
        ("http-request del-header X-Xsrftoken if METH_PUT", "STL506"),
        ("http-request set-header Host localhost if { path / }", ""),
        ("http-request set-header Host localhost if is_app", "STL501"),
        ("http-request deny if { req.body_size gt 1000 } METH_POST", ""),
        ("http-request deny if is_app { req.body_size gt 1000 }", "STL607"),
        ("http-request deny if { req.body_size gt 1000 } !{ src 10.0.0.0/8 }", "STL607"),
        ("http-request deny if { req.body_size gt 1000 } { hdr(host) api.test }", ""),
        ("http-request deny if too_fast { path_beg /api }", ""),
        ("http-request deny if too_fast !{ src 10.0.0.0/8 }", "STL611"),
        ("http-request deny if { sc_http_req_rate(0) gt 10 } is_app", "STL611"),
        ("http-request deny if is_ws too_fast", ""),
        ("http-request deny unless !too_fast", "STL611"),
        ("http-request deny unless !too_fast { src 10.0.0.0/8 }", "STL611"),
        ("http-request deny unless !too_fast or { src 10.0.0.0/8 }", "STL611"),
        ("http-request deny unless !too_fast or is_app", ""),
    ],
)
def test_rule_of_a_frontend_counts_where_its_condition_holds(rule: str, code: str) -> None:
    assert codes(rule) == ([code] if code else [])


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("http-response del-header Set-Cookie if { path_end .css .js }", ""),
        ("http-response del-header Set-Cookie if { path / }", "STL505"),
        ("http-request del-header Cookie if { path_beg /app }", ""),
    ],
    ids=["assets", "the-page", "as-it-came"],
)
def test_rule_of_a_backend_sees_the_path_that_it_gets(rule: str, code: str) -> None:
    assert codes(back=rule) == ([code] if code else [])


def test_backend_that_no_frontend_of_the_file_leads_to_is_checked() -> None:
    rule = "http-request del-header Upgrade"
    text = f"backend a\n    mode http\n    option forwardfor\n    {rule}%s\n    server a b:8501\n"
    found = {
        end: [one.code for one in lint_text(text % end, FileKind.HAPROXY).findings]
        for end in ("", " if METH_PUT", " if { hdr(upgrade) -i websocket }", " if { path /x }")
    }

    assert list(found.values()) == [["STL301"], [], ["STL301"], []]


BY_HOST = """\
defaults
    mode http
    option forwardfor
    timeout tunnel 1h
frontend web
    bind :80
    acl is_app hdr(host) -i app.example.com
    acl is_api hdr(host) -i api.example.com
    acl inside src 10.0.0.0/8
    FRONT
    use_backend api if is_api
    use_backend streamlit if is_app
backend api
    server a 127.0.0.1:9000
backend streamlit
    acl inside hdr(host) -i app.example.com
    acl is_app hdr(host) -i other.example.com
    BACK
    server s 127.0.0.1:8501
"""
APPS = "{ hdr(host) -i app.example.com }"
OTHERS = "{ hdr(host) -i api.example.com }"


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ("http-request del-header Origin if is_app", "STL502"),
        ("http-request del-header Origin if is_api", ""),
        ("http-request del-header Cookie if is_app", "STL507"),
        ("http-request del-header Cookie if !is_app", ""),
        ("http-request del-header Cookie unless is_app", ""),
        ("http-request del-header Cookie unless inside", "STL507"),
        ("http-request del-header Cookie if !inside", "STL507"),
        ("http-request del-header Cookie if inside", ""),
        ("http-request set-header Host localhost if is_app", "STL501"),
        (f"http-request del-header Origin if {APPS}", "STL502"),
        (f"http-request deny if {{ req.body_size gt 1000 }} {APPS}", "STL607"),
        (f"http-request deny if {{ req.body_size gt 1000 }} {OTHERS}", ""),
        (f"http-request deny if {{ sc_http_req_rate(0) gt 20 }} {APPS}", "STL611"),
        (f"http-request deny if {{ sc_http_req_rate(0) gt 20 }} {OTHERS}", ""),
    ],
)
def test_rule_for_the_apps_host_counts(rule: str, code: str) -> None:
    text = BY_HOST.replace("FRONT", rule).replace("BACK", NOTHING)

    found = [finding.code for finding in lint_text(text, FileKind.HAPROXY).findings]
    assert found == ([code] if code else [])


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        (f"http-request deny if {{ req.body_size gt 1000 }} {APPS}", "STL607"),
        (f"http-request deny if {{ req.body_size gt 1000 }} {OTHERS}", ""),
        (f"http-request deny if {{ sc_http_req_rate(0) gt 20 }} {APPS}", "STL611"),
        ("http-request del-header Cookie if is_app", ""),
        ("http-request del-header Cookie if inside", "STL507"),
    ],
    ids=["size", "size-of-another", "rate", "same-name", "same-test"],
)
def test_acl_of_a_backend_goes_by_its_test(rule: str, code: str) -> None:
    """The name of an ACL is its section's own; the same test has the same result in both."""
    text = BY_HOST.replace("FRONT", NOTHING).replace("BACK", rule)

    found = [finding.code for finding in lint_text(text, FileKind.HAPROXY).findings]
    assert found == ([code] if code else [])


def test_one_of_several_tests_of_an_acl_is_not_certain() -> None:
    second = "acl is_app hdr(host) -i www.example.com\n    "
    text = BY_HOST.replace("BACK", NOTHING)
    found = {
        rule: lint_text(text.replace("FRONT", second + rule), FileKind.HAPROXY).findings
        for rule in (
            f"http-request redirect location https://x.test if {APPS}",
            "http-request del-header Cookie if is_app",
        )
    }

    assert [[one.code for one in same] for same in found.values()] == [[], ["STL507"]]
