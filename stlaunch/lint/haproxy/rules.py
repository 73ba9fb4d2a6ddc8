"""Evaluate a backend of the app and its frontends, line by line. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import field
from itertools import pairwise

from stlaunch.diagnostics import page_load
from stlaunch.diagnostics.page_policy import header_problems
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.lint import streamlit
from stlaunch.lint.app import App
from stlaunch.lint.haproxy.conditions import Conditions, Request, Steps, condition_at
from stlaunch.lint.haproxy.parse import Section
from stlaunch.lint.haproxy.request import REFUSALS
from stlaunch.lint.units import seconds, whole
from stlaunch.lint.words import Line
from stlaunch.proxies.needs import Need
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls import streamlit_routes

_STICKY_BALANCE = {"source", "hdr", "hash", "url_param", "rdp-cookie", "uri", "first"}


@dataclass(frozen=True, slots=True)
class Fault:
    """A finding before it has a fix; `servers` are those that the fix names."""

    code: str
    line: int
    detail: str
    need: Need | None = None
    milder: Circumstance | None = None
    servers: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request for the app.

    Attributes:
        end: what is asked for, of `stlaunch.lint.streamlit`.
        at_front: as the rules of a frontend see it.
        at_back: as those of the backend do, which may get another path.
        assumed: what holds of it in the frontend, as it is for the app.
    """

    end: str
    at_front: Request
    at_back: Request
    assumed: Mapping[str, bool] = field(default_factory=dict)


_ASKED_SOMEWHERE = tuple(
    Asked(end=one.end, at_front=request, at_back=request)
    for one in streamlit.ALL
    for request in [Request(method=one.method, is_upgrade=one.is_upgrade)]
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rule:
    """A line with the requests that it is evaluated for, each under what is known of it."""

    line: Line
    requests: Sequence[tuple[str, Request, Conditions]]

    @property
    def text(self) -> str:
        return text_of(self.line)

    def applies_to(self, ends: Collection[str]) -> bool:
        """Return whether it is for such a request; an unknown exception is not met."""
        return any(
            conditions.exceeds(self.line.words, request, lambda _: False)
            for end, request, conditions in self.requests
            if end in ends
        )

    def limits(self, ends: Collection[str], limit: str) -> bool:
        """Return whether it refuses such a request above a limit, a word of its test."""
        return any(
            conditions.exceeds(self.line.words, request, lambda test: limit in test)
            for end, request, conditions in self.requests
            if end in ends
        )


def _rules(
    section: Section, fronts: Sequence[Section], asked: Sequence[Asked], steps: Steps
) -> Iterator[_Rule]:
    """Yield the lines in force for the app; the names of a section's ACLs are its own."""
    for scope in (section, *(front for front in fronts if front is not section)):
        conditions = Conditions.of(scope.lines, steps)
        is_front = any(scope is front for front in fronts)
        requests = [
            (
                one.end,
                one.at_back if scope is section else one.at_front,
                conditions.assuming(one.assumed, is_own=is_front),
            )
            for one in asked
        ]
        for line in scope.lines:
            yield _Rule(line=line, requests=requests)


def faults_of(
    section: Section,
    fronts: list[Section],
    servers: list[Line],
    app: App,
    *,
    asked: Sequence[Asked],
    steps: Steps,
) -> Iterator[Fault]:
    """Evaluate a backend of the app with the frontends that lead to it.

    Args:
        section: the backend.
        fronts: the frontends.
        servers: those of its servers that are the app.
        app: what is known of it.
        asked: what browsers ask it for; empty if no frontend of the file leads to it.
        steps: what following the conditions may cost.

    Raises:
        TooManyStepsError: where it cost too much.
    """
    yield from _timeout_faults(section, fronts, app)
    if section.is_tcp:
        return
    yield from _affinity_faults(section, servers)
    yield from _capacity_faults(section, servers)
    rules = list(_rules(section, fronts, asked or _ASKED_SOMEWHERE, steps))
    lines = [rule.line for rule in rules]
    for rule in rules:
        yield from _rule_faults(rule, app)
    yield from _rate_faults(rules)
    yield from _method_faults(lines, steps)
    scheme_lines = [line for line in lines if "x-forwarded-proto" in text_of(line)]
    if any(front.speaks_tls for front in fronts) and not scheme_lines:
        yield Fault(
            "STL402",
            section.line,
            "The site speaks https, but the app does not know: X-Forwarded-Proto is missing.",
            Need.SCHEME,
        )
    inherited = [
        line for front in (section, *fronts) for scope in front.scopes for line in scope.lines
    ]
    if not any(
        line.words[:2] == ("option", "forwardfor") or "x-forwarded-for" in text_of(line)
        for line in inherited
    ):
        yield Fault(
            "STL404",
            section.line,
            "The app does not learn the client's address: option forwardfor is missing.",
            Need.CLIENT,
        )
    yield from _header_faults(lines)


def _timeout_faults(section: Section, fronts: list[Section], app: App) -> Iterator[Fault]:
    """Evaluate how long a quiet WebSocket lives."""
    tunnel = _timeout(section, "tunnel")
    limits = (
        [tunnel]
        if tunnel
        else [_timeout(section, "server"), *(_timeout(front, "client") for front in fronts)]
    )
    for limit in {line.number: line for line in limits if line is not None}.values():
        value = seconds(limit.words[2], default_unit="ms")
        if value is not None and 0 < value <= app.ping_interval_s:
            yield Fault(
                "STL606",
                limit.number,
                f"A quiet WebSocket is cut after {value:g} s, and the app pings every "
                f"{app.ping_interval_s} s.",
                Need.IDLE_TIMEOUT,
            )
            return


def _affinity_faults(section: Section, servers: list[Line]) -> Iterator[Fault]:
    active = [line for line in servers if "backup" not in line.words]
    count = sum(_count(line) for line in active)
    if count <= 1:
        return
    scopes = section.scopes
    cookies = [line for scope in scopes for line in scope.all("cookie")]
    balance = next(
        (found[-1].words[1] for scope in scopes if (found := scope.all("balance"))), "roundrobin"
    )
    sticks = section.all("stick", "on") or section.all("stick", "match")
    if sticks or balance.split("(")[0] in _STICKY_BALANCE:
        return
    if cookies:
        cookie = cookies[0]
        named = [line for line in active if "cookie" in line.words]
        if "dynamic" in cookie.words or len(named) == len(active):
            return
        yield Fault(
            "STL702",
            cookie.number,
            f"`cookie {cookie.words[1]}` does nothing without `cookie VALUE` on each `server` "
            f"line: {count} servers take turns.",
            Need.AFFINITY,
            servers=tuple(servers),
        )
        return
    yield Fault(
        "STL702",
        section.line,
        f"{count} servers take turns: a browser's requests reach different replicas.",
        Need.AFFINITY,
        servers=tuple(servers),
    )


def _capacity_faults(section: Section, servers: list[Line]) -> Iterator[Fault]:
    """Evaluate `maxconn` of the servers: it counts all visitors' requests, and more wait."""
    usual = [line for scope in section.scopes for line in scope.all("default-server")][:1]
    active = [line for line in servers if "backup" not in line.words]
    limits = [
        _count(server) * (whole(_after("maxconn", server) or _after("maxconn", *usual)) or 0)
        for server in active
    ]
    if 0 in limits:  # none
        return
    if detail := page_load.fault_of_parallel(sum(limits), of_all=True):
        yield Fault("STL611", active[0].number, detail)


def _after(name: str, *lines: Line) -> str:
    """Return the word after a keyword; empty where there is none."""
    return next(
        (after for line in lines for word, after in pairwise(line.words) if word == name), ""
    )


# The requests that the rules of a code are about; for all others, each of these.
_ANY = frozenset((streamlit.PAGE, streamlit.STREAM, streamlit.UPLOAD))
_CONCERNED = {
    "STL301": {streamlit.STREAM},
    "STL307": {streamlit.STREAM},
    "STL502": {streamlit.STREAM},
    "STL506": {streamlit.UPLOAD},
}
_SETS_COOKIES = frozenset((streamlit.PAGE, streamlit_routes.HEALTH))
_RULES = (
    (
        r"http-request (del-header|set-header) (upgrade|connection)\b(?!.*%\[)",
        "STL301",
        Need.UPGRADE,
        "The WebSocket handshake loses a header.",
    ),
    (
        r"http-(request|response) del-header sec-websocket-protocol\b",
        "STL307",
        Need.SUBPROTOCOL,
        "The subprotocol is dropped, and the page closes the WebSocket.",
    ),
    (
        r"http-request (del-header|(set|add|replace)-header) origin\b(?! %\[req\.hdr\(origin\))",
        "STL502",
        Need.ORIGIN,
        (
            "The app sees another Origin than the browser's, so bare Streamlit lets "
            "pages of every site in."
        ),
    ),
    (
        r"http-request del-header cookie\b",
        "STL507",
        None,
        "The app gets no cookies: uploads and logins fail.",
    ),
    (
        r"http-request del-header x-xsrftoken\b",
        "STL506",
        None,
        "Uploads need X-Xsrftoken as it came.",
    ),
    (
        r"http-response del-header set-cookie\b",
        "STL505",
        None,
        "The app's cookies do not arrive in the browser: uploads and logins fail.",
    ),
    (
        r"http-response replace-(header|value) set-cookie .*httponly",
        "STL506",
        None,
        streamlit.HTTP_ONLY,
    ),
    (
        r"http-request set-header host ([0-9.]+|localhost)(:[0-9]+)?(?= if | unless |$)",
        "STL501",
        Need.HOST,
        "The app gets another address as Host, which is not the page's Origin.",
    ),
)


def _rule_faults(rule: _Rule, app: App) -> Iterator[Fault]:
    for pattern, code, need, detail in _RULES:
        is_of_cookies = "set-cookie" in pattern
        ends = _SETS_COOKIES if is_of_cookies else _CONCERNED.get(code, _ANY)
        if re.match(pattern, rule.text) and rule.applies_to(ends):
            yield Fault(code, rule.line.number, detail, need)
    limit = re.match(r"http-request deny.*\{ req\.body_size gt (\d{1,15})", rule.text)
    is_below = limit is not None and int(limit[1]) < app.max_upload_bytes
    if limit and is_below and rule.limits((streamlit.UPLOAD,), "req.body_size gt"):
        yield Fault(
            "STL607",
            rule.line.number,
            f"Uploads may have {app.max_upload_mb} MB, and {limit[1]} bytes pass.",
            Need.BODY_SIZE,
        )


def _rate_faults(rules: Sequence[_Rule]) -> Iterator[Fault]:
    """Check the usual recipe: a table of http_req_rate, and a rule that denies above a number."""
    acls = {rule.line.words[1]: rule.text for rule in rules if rule.line.name == "acl"}
    for rule in rules:
        line = rule.line
        if not _refuses(line) or not rule.limits((streamlit.SCRIPT,), "http_req_rate"):
            continue
        expanded = " ".join([rule.text, *(acls.get(word.lstrip("!"), "") for word in line.words)])
        match = re.search(r"http_req_rate\(?[^)]*\)?\s*(?:-m int )?(gt|ge) (\d{1,9})", expanded)
        match = match or re.search(r"http_req_rate[^ ]*,?(gt|ge)\((\d{1,9})\)", expanded)
        if match and int(match[2]) < page_load.MAX_REQUESTS:
            is_certain = int(match[2]) < page_load.MIN_REQUESTS
            yield Fault(
                "STL611",
                line.number,
                f"After {match[2]} requests the next ones are refused, and one load of a small "
                f"app is {page_load.MIN_REQUESTS} to {page_load.MAX_REQUESTS}.",
                milder=None if is_certain else Circumstance.LARGE_ONLY,
            )


def _refuses(line: Line) -> bool:
    return line.name == "http-request" and bool(REFUSALS.intersection(line.words[1:2]))


def _method_faults(lines: list[Line], steps: Steps) -> Iterator[Fault]:
    conditions = Conditions.of(lines, steps)
    for line in lines:
        is_about = condition_at(line.words) is not None
        if _refuses(line) and is_about and conditions.hold(line.words, Request(method="PUT")):
            yield refused_put(line)


def refused_put(line: Line) -> Fault:
    """Return what is wrong with a rule that takes other methods than PUT."""
    return Fault("STL512", line.number, "This rule refuses PUT, with which Streamlit uploads.")


def _header_faults(lines: list[Line]) -> Iterator[Fault]:
    added = [
        (line, line.words[2], line.words[3])
        for line in lines
        if line.words[:1] == ("http-response",)
        and len(line.words) > 3  # noqa: PLR2004
        and line.words[1] in {"set-header", "add-header"}
        and not {"if", "unless"} & set(line.words[4:])
    ]
    sent = [(name, value) for _, name, value in added]
    for problem in header_problems(sent, sent):
        need = Need(problem.need) if problem.need else None
        number = added[problem.index][0].number
        yield Fault(problem.code, number, problem.detail, need, milder=problem.milder)


def text_of(line: Line) -> str:
    """Return a line in one normal form, for searching."""
    return " ".join(line.words).lower()


def _timeout(section: Section, name: str) -> Line | None:
    for scope in section.scopes:
        if found := scope.all("timeout", name):
            return found[-1]
    return None


def _count(line: Line) -> int:
    if line.name == "server":
        return 1
    _, _, number = line.words[2].rpartition("-")
    found = whole(number)
    return 2 if found is None else found
