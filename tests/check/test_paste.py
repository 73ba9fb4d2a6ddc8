"""The paste proof: the fault, the finding, its lines pasted by a program, and the finding is gone.

`python -m tests.check.test_paste` prints the table of pairs, with those that cannot be run here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from stlaunch.check.diagnosis import Diagnosis, Finding, diagnose
from stlaunch.check.fixes import lines_for, site_of
from stlaunch.check.observations import Observations
from stlaunch.check.observe import observe
from stlaunch.check.options import CheckOptions
from stlaunch.check.target import Target
from stlaunch.proxies.fixes import with_replicas
from stlaunch.proxies.needs import Product
from stlaunch.proxies.plans import ProxyPlan, TlsFiles
from stlaunch.proxies.process import ProxyProcess
from tests.check.apps import make_certificates, start_apps
from tests.check.frames import Frame
from tests.check.paste_frames import frame_of
from tests.check.paste_rows import ELSEWHERE, REASONS, ROWS, RUNNABLE, Row, printed_pairs, why_not
from tests.check.pasting import paste
from tests.check.setups import HOST
from tests.harness.outsider import start_outsider
from tests.harness.ports import free_port
from tests.harness.validators import validate
from tests.harness.varnish import VARNISHD


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    authority, certificates = make_certificates(tmp_path_factory.mktemp("certificates"))
    before = os.environ.get("SSL_CERT_FILE")
    os.environ["SSL_CERT_FILE"] = str(authority)
    with start_apps(tmp_path_factory.mktemp("apps")) as apps:
        yield World(apps, certificates["good"])
    os.environ.pop("SSL_CERT_FILE")
    if before is not None:
        os.environ["SSL_CERT_FILE"] = before


class World:
    """The apps, and the certificate."""

    def __init__(self, apps: Mapping[str, str], tls: TlsFiles) -> None:
        self.apps = apps
        self.tls = tls

    def plan(self, row: Row) -> tuple[Frame, ProxyPlan]:
        """Return the broken proxy's plan."""
        frame = frame_of(row.product, row.parts)
        return frame, frame.plan(free_port(), self.apps, self.tls if row.tls else None)

    def look(self, row: Row, frame: Frame, plan: ProxyPlan) -> tuple[Observations, Diagnosis]:
        """Run the proxy and check it, as somebody who knows where the app is."""
        with ExitStack() as stack:
            stack.enter_context(ProxyProcess(plan, frame.binary()))
            place = str(plan.site.listen)
            if row.is_outsider:
                place = stack.enter_context(start_outsider(plan.site.listen.port or 0))
            scheme = "https" if row.tls else "http"
            url = row.url or f"{scheme}://{HOST}:{place.rpartition(':')[2]}/app/"
            around = self.apps[row.app]
            base = "/app" if row.app in {"stl", "based"} else ""
            options = CheckOptions(
                direct=Target.parse(f"http://{around}{base}/") if row.is_compared else None,
                target=Target.parse(url, connect_to=place),
                timeout_s=60,
                measures_limits=bool(row.limits),
                idle_s=row.limits,
            )
            seen = anyio.run(observe, options)
        if row.is_compared:
            return seen, diagnose(seen)
        direct = replace(
            seen, url=f"http://{around}{base}/", base_path=base, scheme="http", http={}, direct=None
        )
        nothing = {"dns": None, "dialled": (), "tls": None, "openings": {}, "limits": None}
        direct = replace(direct, **nothing, session=None, fallback=None, self_check=None)
        seen = replace(seen, direct=direct)
        return seen, diagnose(seen)


@pytest.mark.proxy
@pytest.mark.unmeasured
@pytest.mark.timeout(300)
@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_printed_lines_cure(row: Row, world: World, tmp_path: Path) -> None:
    frame, broken = world.plan(row)
    seen, diagnosis = world.look(row, frame, broken)
    found = find(diagnosis, row.code)
    assert found is not None, summary(diagnosis)
    fix = lines_for(row.code, row.product, seen, row.needs)
    assert fix is not None
    steps = fix.steps
    if found.hop and str(row.product) in found.hop.lower():
        printed = [line.strip() for _, lines in steps for line in lines.splitlines()]
        assert [line for line in printed if line not in found.fix] == [], summary(diagnosis)

    text = broken.config_text
    site = site_of(seen)
    for where, lines in steps:
        filled = lines
        for name, replica in zip(with_replicas(site).replicas, row.replicas, strict=False):
            filled = filled.replace(name, world.apps[replica.strip("@")])
        text = paste(text, row.product, site, where, filled)
    text = finish(row.product, text, steps)
    # A shell starts varnishd.
    binary = VARNISHD if row.product is Product.VARNISH else frame.binary()
    validate(row.product, binary, replace(broken, config_text=text), world.tls, tmp_path)
    repaired, after = world.look(row, frame, replace(broken, config_text=text))

    assert find(after, row.code) is None, f"{summary(after)}\n{text}"
    assert repaired.http["page"].status is not None
    errors = {one.code for one in diagnosis.findings} | {row.code}
    new = [one for one in after.findings if one.severity == "error" and one.code not in errors]
    assert not new, f"{summary(after)}\n{text}"


def finish(product: Product, text: str, steps: list[tuple[str, str]]) -> str:
    """Do what the words of a place ask for besides the lines."""
    if product is Product.TRAEFIK:
        for where, lines in steps:
            if "named in the router's `middlewares` too" in where:
                name = lines.partition(":")[0]
                if f"[{name}" not in text and f", {name}" not in text:
                    text = text.replace("middlewares: [", f"middlewares: [{name}, ", 1)
                    if "middlewares: [" not in text:
                        text = text.replace(
                            "      service: app",
                            f"      service: app\n      middlewares: [{name}]",
                            1,
                        )
    return text


def find(diagnosis: Diagnosis, code: str) -> Finding | None:
    below = [one for head in diagnosis.findings for one in (head, *head.consequences)]
    return next((one for one in below if one.code == code), None)


def summary(diagnosis: Diagnosis) -> str:
    return "\n".join(
        f"{one.code} ({one.severity}) {one.evidence} [{one.hop}]\n{one.fix}"
        for one in diagnosis.findings
    )


def test_every_pair_is_run_or_says_why_not() -> None:
    run = {(row.code, row.product) for row in ROWS}
    printed = set(printed_pairs())

    assert not run - printed
    missing = [
        f"{code} {product}"
        for code, product in sorted(printed - run)
        if product in RUNNABLE and not why_not(code, product)
    ]
    assert not missing, missing
    # No reason is left over for what is run, or printed no more.
    assert not set(REASONS) & run
    assert not set(REASONS) - printed


def render_table() -> str:
    """Return all pairs, and what became of them."""
    run = {(row.code, row.product) for row in ROWS}
    lines = []
    for code, product in printed_pairs():
        pair = (code, product)
        why = "run" if pair in run else ELSEWHERE
        if pair not in run and product in RUNNABLE:
            why = why_not(code, product)
        lines.append(f"{code}  {product:<14} {why}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render_table())
