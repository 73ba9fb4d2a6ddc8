# ruff: noqa: INP001 - a script, not a package
"""Fail where a JUnit report holds no test, or one that was skipped: green has to mean run."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree as ET

cases = list(ET.parse(Path(sys.argv[1])).iter("testcase"))  # noqa: S314 - our own file
skipped = [
    f"{case.get('classname')}::{case.get('name')}: {mark.get('message')}"
    for case in cases
    for mark in case.iter("skipped")
    if mark.get("type") != "pytest.xfail"  # it ran, and failed as it is known to
]
if skipped or not cases:
    sys.exit("\n".join([f"{len(skipped)} of {len(cases)} tests did not run:", *skipped]))
