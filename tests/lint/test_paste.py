"""The linter's half of the paste proof: the lines that it prints, pasted, and it is silent.

The faults and the places are those of `tests.check.test_paste`. `python -m tests.lint.test_paste`
prints the table of pairs, with those that are not run.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from textwrap import dedent

import pytest

from stlaunch.lint import App, lint_file
from stlaunch.lint.findings import LintFinding
from stlaunch.proxies.model import recipe
from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import ProxyPlan, TlsFiles
from stlaunch.proxies.site import Site, fill
from stlaunch.urls.base_path import BasePath
from tests.check.apps import make_certificates
from tests.check.paste_frames import Parts, frame_of
from tests.check.paste_rows import ELSEWHERE, ROWS, RUNNABLE
from tests.check.pasting import paste
from tests.check.test_paste import finish
from tests.harness.validators import validate
from tests.harness.varnish import VARNISHD
from tests.lint.test_corpus import ALL, app_of

pytestmark = [pytest.mark.proxy, pytest.mark.unmeasured]

NAMES = {
    **dict.fromkeys(("bare", "based", "stl", "dead"), "127.0.0.1:8501"),
    "healthy_replica": "127.0.0.1:8502",
}
SITES = [Site(base_path=BasePath(path), keep_prefix=False) for path in ("/app", "")]
"""Where the linter does not know the path, its places name none."""
_STEP = re.compile(r"^(?P<where>(?:in|on) .+):\n(?P<lines>(?:    .*\n?|\n)+)", re.MULTILINE)
_PRODUCTS = {
    fill(words, site.values): product
    for site in SITES
    for product in Product
    for words in recipe(product).places.values()
}
p = Product
_BARE = Parts()
_CACHED = _BARE.with_more("http", "proxy_cache_path pages keys_zone=pages:1m;").with_more(
    "location",
    "proxy_cache pages;\nproxy_ignore_headers Cache-Control Expires;\nproxy_cache_valid 200 10m;",
)
_MORE: tuple[tuple[Product, Parts, bool], ...] = (
    (p.NGINX, _BARE.with_more("location", 'proxy_set_header Cookie "";'), False),
    (p.NGINX, _BARE.with_more("location", "proxy_set_header X-Forwarded-Prefix /other;"), False),
    (p.NGINX, _BARE.with_more("location", "proxy_set_header Origin http://a;"), False),
    (p.NGINX, replace(_BARE.with_more("location", "proxy_set_header Origin http://a;"), host=False),
     False),
    (p.NGINX, _CACHED, False),
    (p.APACHE, _BARE.with_more("server", "Timeout 10"), False),
    (p.APACHE, _BARE.with_more("server", "ProxyAddHeaders Off"), False),
    (p.HAPROXY, _BARE.with_more("backend", "http-request set-header Host localhost"), False),
    (p.HAPROXY, _BARE, True),
    (p.ENVOY, replace(_BARE, host=False), False),
)  # fmt: skip
"""Faults that the linter alone names: (product, parts, whether the browser speaks https)."""
NOT_RUN: Mapping[str, str] = {
    "STL402 traefik": "the lines are for its command line, which no file holds",
    "STL404 apache": "ProxyAddHeaders Off has to go: lines beside it change nothing",
    "STL404 haproxy": "the linter names it beside STL402 alone, whose lines are run",
    "STL501 envoy": "host_rewrite_literal has to go from the route: lines beside it change nothing",
    "STL501 haproxy": "the rule that rewrites Host has to go: lines beside it change nothing",
    "STL702 apache": "its balancer has to be built first: the lines name no member",
    "STL702 haproxy": "the lines name two servers that stand for the real ones",
}
"""Code and product -> why its lines are not pasted here."""


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    _, certificates = make_certificates(tmp_path_factory.mktemp("certificates"))
    return certificates["good"]


def steps_of(finding: LintFinding) -> list[tuple[str, str]]:
    """Return the places and lines that a finding prints."""
    return [
        (step["where"], dedent(step["lines"]).strip("\n")) for step in _STEP.finditer(finding.fix)
    ]


def faults_of(product: Product) -> Iterator[tuple[Parts, bool]]:
    """Return the faulty configurations of a product, each once, and whether they speak https."""
    rows = [(row.product, row.parts, row.tls) for row in ROWS]
    yield from dict.fromkeys(
        (parts, has_tls) for one, parts, has_tls in (*_MORE, *rows) if one is product
    )


def plan_of(product: Product, fault: tuple[Parts, bool]) -> ProxyPlan:
    """Return a faulty configuration."""
    parts, has_tls = fault
    files = TlsFiles(certificate=Path("cert.pem"), key=Path("key.pem"))
    return frame_of(product, parts).plan(18080, NAMES, files if has_tls else None)


def lint_text_of(plan: ProxyPlan, folder: Path) -> list[LintFinding]:
    """Return what the linter finds in a configuration."""
    path = folder / plan.config_name
    path.write_text(plan.config_text)
    return lint_file(path, App()).findings


@cache
def found_pairs(product: Product) -> Mapping[str, tuple[Parts, bool]]:
    """Return each code that the linter prints lines for, with a configuration at fault."""
    found: dict[str, tuple[Parts, bool]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for fault in faults_of(product):
            for finding in lint_text_of(plan_of(product, fault), Path(folder)):
                if steps_of(finding) and f"{finding.code} {product}" not in NOT_RUN:
                    found.setdefault(finding.code, fault)
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("product", RUNNABLE)
def test_printed_lines_silence_the_linter(product: Product, tls: TlsFiles, tmp_path: Path) -> None:
    assert found_pairs(product)
    for code, fault in found_pairs(product).items():
        plan = plan_of(product, fault)
        findings = lint_text_of(plan, tmp_path)
        finding = next(one for one in findings if one.code == code and steps_of(one))
        pasted = replace(plan, config_text=apply(plan.config_text, product, finding))
        after = {one.code for one in lint_text_of(pasted, tmp_path)}

        assert code not in after, f"{code}\n{finding.fix}\n{pasted.config_text}"
        assert after <= {one.code for one in findings}, f"{code}: {after}\n{pasted.config_text}"
        binary = VARNISHD if product is Product.VARNISH else frame_of(product, fault[0]).binary()
        validate(product, binary, pasted, tls, tmp_path)


def test_every_pair_is_run_or_says_why_not() -> None:
    """Over the linter's whole corpus; and no reason is left for lines no longer printed."""
    run = {f"{code} {product}" for product in RUNNABLE for code in found_pairs(product)}
    printed = {f"{code} {product}" for code, product in printed_pairs() if product in RUNNABLE}

    assert sorted(printed - run - set(NOT_RUN)) == []
    assert sorted(set(NOT_RUN) - printed) == []


def apply(text: str, product: Product, finding: LintFinding) -> str:
    """Do what a finding says."""
    if "Delete the line." in finding.fix:
        lines = text.splitlines(keepends=True)
        del lines[finding.line - 1]
        text = "".join(lines)
    steps = steps_of(finding)
    for where, lines in steps:
        site = next(site for site in SITES if _is_place(where, product, site))
        text = paste(text, product, site, where, lines)
    return finish(product, text, steps)


def _is_place(where: str, product: Product, site: Site) -> bool:
    return where in {fill(words, site.values) for words in recipe(product).places.values()}


def printed_pairs() -> set[tuple[str, Product]]:
    """Return each code and product that the linter prints lines for, anywhere in its corpus."""
    return {
        (finding.code, product)
        for path in ALL
        for finding in lint_file(path, app_of(path)).findings
        for where, _ in steps_of(finding)
        for product in {_product_of(where)}
        if product is not None
    }


def _product_of(where: str) -> Product | None:
    return _PRODUCTS.get(where) or next(
        (
            product
            for product in Product
            for words in recipe(product).places.values()
            if where.startswith(words.partition("`")[0].strip() or "-")
        ),
        None,
    )


def render_table() -> str:
    """Return all pairs, and what became of them."""
    run = {(code, product) for product in RUNNABLE for code in found_pairs(product)}
    lines = [
        f"{code}  {product:<14} "
        + ("run" if (code, product) in run else NOT_RUN.get(f"{code} {product}", ELSEWHERE))
        for code, product in sorted(run | printed_pairs())
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render_table())
