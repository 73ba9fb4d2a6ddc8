"""Find response headers that forbid what a Streamlit page needs; one place for all commands.

It is pure: it gets the headers as they are sent, or as a proxy's configuration would send them,
and never makes a request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import TypeAlias

from stlaunch.diagnostics.content_security import MAX_HEADER, Policy, read_policies
from stlaunch.diagnostics.severity import Circumstance
from stlaunch.quick_dataclass import dataclass

PAGE_POLICY = (
    "default-src 'none'",
    "script-src 'self' 'unsafe-eval' blob:",
    "style-src 'self' 'unsafe-inline'",
    "connect-src 'self'",
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "media-src 'self' data: blob:",
    "worker-src 'self' blob:",
    "frame-src 'self' blob: data:",
    "manifest-src 'self'",
    "base-uri 'self'",
    "form-action 'self'",
)
"""The strictest policy with which all of Streamlit's own elements work; a test checks it."""
_FEATURES = {
    "camera": "st.camera_input",
    "microphone": "st.audio_input",
    "clipboard-write": "copy buttons",
}
"""Features of Permissions-Policy, and what in Streamlit needs each."""
_CSP = "content-security-policy"
_FRAME_OPTIONS = "x-frame-options"
_EMBEDDER = "cross-origin-embedder-policy"
PAGE, COMPONENT = "page", "component"
PAGE_HEADERS = (_CSP, "permissions-policy", _EMBEDDER)
"""The headers that matter on the page itself. Of Cross-Origin-Opener-Policy and
Cross-Origin-Resource-Policy no value hurts an app on one address."""
COMPONENT_HEADERS = (_CSP, _FRAME_OPTIONS, _EMBEDDER)
"""Those that matter below `component/`."""
_MAX_PROBLEMS = 32
Headers: TypeAlias = Sequence[tuple[str, str]]
"""Names and values, in the order in which they are sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderProblem:
    """One header that breaks something.

    Attributes:
        code: of the catalogue.
        of: whose header it is: the page's, or that of what is below `component/`.
        index: which of the headers.
        detail: what is blocked, in one sentence.
        milder: why fewer people are hit than by the code's usual case.
        need: the name of the `stlaunch.proxies.Need` whose lines fix it; empty for words alone.
    """

    code: str
    index: int
    detail: str
    of: str = PAGE
    milder: Circumstance | None = None
    need: str = "content-policy"


@dataclass(frozen=True, slots=True)
class _Use:
    """What a page does, by the directive that it falls under, and what is lost."""

    directive: str
    loss: str
    milder: Circumstance | None = None


_USES = (
    _Use("script-src-elem", "its scripts: the page stays blank"),
    _Use("style-src-elem", "its style sheets"),
    _Use("connect-src", "its connection: the page stays a grey skeleton"),
    _Use("font-src", "its fonts and icons", Circumstance.PART_ONLY),
    _Use("img-src", "its pictures", Circumstance.PART_ONLY),
    _Use("media-src", "its audio and video", Circumstance.PART_ONLY),
    _Use("frame-src", "custom components", Circumstance.PART_ONLY),
)


def page_policy(embedders: Sequence[str] = ()) -> str:
    """Return the value of a Content-Security-Policy that is as strict as Streamlit allows.

    Args:
        embedders: origins of other sites that may show the app in a frame.
    """
    return "; ".join((*PAGE_POLICY, " ".join(("frame-ancestors 'self'", *embedders))))


def header_problems(page: Headers, component: Headers | None) -> Iterator[HeaderProblem]:
    """Evaluate the headers of the page, and of what is below `component/`.

    Anybody may have written them, as the self-check's page sends them: work and result are bounded.

    Args:
        page: its headers.
        component: None where they are not known.
    """
    page = [(name, value[:MAX_HEADER]) for name, value in page]
    if component is not None:
        component = [(name, value[:MAX_HEADER]) for name, value in component]
    found = chain(
        _page_problems(page),
        _component_problems(component or ()),
        embedder_problems(page, component),
        feature_problems(page),
    )
    yield from islice(found, _MAX_PROBLEMS)


def embedder_problems(page: Headers, component: Headers | None) -> Iterator[HeaderProblem]:
    """Evaluate Cross-Origin-Embedder-Policy, which has to be on both or on none."""
    for index, (name, value) in enumerate(page):
        policy = value.partition(";")[0].strip().lower()
        if name.lower() != _EMBEDDER or policy not in {"require-corp", "credentialless"}:
            continue
        is_alike = component is None or any(name.lower() == _EMBEDDER for name, _ in component)
        yield HeaderProblem(
            code="STL811",
            index=index,
            detail=f"Cross-Origin-Embedder-Policy: {policy} keeps images and frames of other sites "
            "out of the page."
            if is_alike
            else f"The page has Cross-Origin-Embedder-Policy: {policy}, and what is below "
            "component/ has not: the frames of custom components stay empty.",
            milder=Circumstance.IF_USED if is_alike else None,
            need="",
        )
        return


def feature_problems(headers: Headers) -> Iterator[HeaderProblem]:
    """Evaluate what the page's Permissions-Policy takes from the browser."""
    for index, (name, value) in enumerate(headers):
        if name.lower() != "permissions-policy":
            continue
        forbidden = _forbidden(value)
        refused = [
            f"{feature} ({used_by})"
            for feature, used_by in _FEATURES.items()
            if feature in forbidden
        ]
        if refused:
            yield HeaderProblem(
                code="STL811",
                index=index,
                detail=f"Permissions-Policy forbids {', '.join(refused)}.",
                milder=Circumstance.IF_USED,
                need="",
            )


def _page_problems(headers: Headers) -> Iterator[HeaderProblem]:
    for index, (name, value) in enumerate(headers):
        if name.lower() != _CSP:
            continue
        for policy in read_policies(value):
            yield from _policy_problems(policy, index)


def _component_problems(headers: Headers) -> Iterator[HeaderProblem]:
    found = False
    for index, (name, value) in enumerate(headers):
        if name.lower() != _CSP:
            continue
        for policy in read_policies(value):
            if "frame-ancestors" not in policy.directives:
                continue
            found = True  # A browser then ignores X-Frame-Options.
            sources = policy.shown("frame-ancestors").partition(" ")[2]
            if not _allows_self(policy.sources("frame-ancestors")):
                yield HeaderProblem(
                    code="STL809",
                    index=index,
                    detail=f"frame-ancestors {sources or 'without a value'} keeps "
                    "custom components, which are frames of the app's own page, from being shown.",
                    of=COMPONENT,
                    milder=Circumstance.PART_ONLY,
                )
    if found:
        return
    for index, (name, value) in enumerate(headers):
        words = {word.strip().lower() for word in value.split(",")}
        if name.lower() == _FRAME_OPTIONS and "deny" in words:
            yield HeaderProblem(
                code="STL809",
                index=index,
                detail="X-Frame-Options: DENY keeps custom components, which are frames of the "
                "app's own page, from being shown; SAMEORIGIN does not.",
                of=COMPONENT,
                milder=Circumstance.PART_ONLY,
                need="frame-options",
            )


def _forbidden(header: str) -> set[str]:
    """Return the features that a Permissions-Policy forbids; the first word on each counts."""
    allowed: dict[str, str] = {}
    for part in header.lower().split(","):
        name, _, origins = part.strip().partition("=")
        allowed.setdefault(name, origins.strip())
    return {name for name, origins in allowed.items() if origins in {"()", '""', "'none'"}}


def _policy_problems(policy: Policy, index: int) -> Iterator[HeaderProblem]:
    if policy.is_sandboxed:
        yield HeaderProblem(
            code="STL810",
            index=index,
            detail="The policy's sandbox lets the page run no scripts of its own.",
        )
    judged: set[str] = set()
    listed: set[str] = set()
    for use in _USES:
        name = policy.governing(use.directive)
        # One line about `default-src 'none'`, for the worst that it does.
        if not name or name in judged:
            continue
        judged.add(name)
        if _allows_self(policy.sources(name)):
            continue
        listed.add(name)
        yield HeaderProblem(
            code="STL810",
            index=index,
            detail=f"`{policy.shown(name)}` blocks {use.loss}.",
            milder=use.milder,
        )
    scripts = policy.governing("script-src")
    if "require-trusted-types-for" in policy.directives:
        yield HeaderProblem(
            code="STL810",
            index=index,
            detail="`require-trusted-types-for` blocks its scripts: the page stays blank.",
        )
    elif scripts and scripts not in listed and not policy.allows_evaluation:
        yield HeaderProblem(
            code="STL810",
            index=index,
            detail=f"`{policy.shown(scripts)}` blocks charts by Vega (st.line_chart, "
            "st.altair_chart): 'unsafe-eval' is missing.",
            milder=Circumstance.PART_ONLY,
        )


def _allows_self(sources: Sequence[str]) -> bool:
    """Return whether the page's own origin may be in the list; a host may be its own."""
    words = set(sources)
    if "'strict-dynamic'" in words:
        return False
    if words & {"'self'", "*", "http:", "https:"}:
        return True
    return any(
        word.startswith(("http://", "https://", "$", "{"))
        or ("." in word and not word.startswith("'"))
        for word in words
    )
