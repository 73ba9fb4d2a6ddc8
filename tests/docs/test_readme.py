"""The README says what the code does: commands, settings, help, exit codes, links."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import pytest

from stlaunch.cli.config import config
from stlaunch.cli.demo import demo
from stlaunch.cli.detect import detect
from stlaunch.errors import ExitCode
from stlaunch.forwarded import headers as forwarding
from stlaunch.settings.fields import FIELDS
from tests.conftest import REPOSITORY
from tests.docs.generated import README, SECTIONS, section

CI = REPOSITORY / ".ci" / "run"
TESTS = ".venv/bin/pytest -n 3 --dist worksteal"


@pytest.fixture(scope="module")
def readme() -> str:
    return README.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.process if name == "help" else ()) for name in SECTIONS],
)
def test_generated_section_is_up_to_date(readme: str, name: str) -> None:
    hint = "run: python -m tests.docs.generated"
    assert section(readme, name) == SECTIONS[name](), hint


def test_every_setting_has_one_row(readme: str) -> None:
    rows = re.findall(r"^\| `(--[a-z-]+).*?` \| `(\w+)` \| `(\w+)` \|", readme, re.MULTILINE)
    assert rows == [(field.flag, field.env, field.name) for field in FIELDS]


def test_every_exit_code_has_one_row(readme: str) -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+) \|", section(readme, "exit codes"), re.MULTILINE)
    assert rows == [(str(code.value), code.name) for code in ExitCode]


def test_every_forwarding_header_is_named(readme: str) -> None:
    for name in forwarding.FORWARDING_HEADERS:
        assert f"`{name.decode()}".lower() in readme.lower()


def test_the_two_commands_are_one_line_each(readme: str) -> None:
    install_and_run, install_and_test = re.findall(r"^python3 -m venv .*$", readme, re.MULTILINE)

    assert install_and_run.endswith(' install ".[demo]" && .venv/bin/stlaunch demo')
    assert "--upgrade pip" in install_and_test  # --group came with pip 25.1
    assert "--group dev" in install_and_test
    assert install_and_test.endswith(f" && {TESTS}")


def test_ci_runs_the_readme_s_tests_and_installs_what_they_need(readme: str) -> None:
    script = CI.read_text(encoding="utf-8")
    (packages,) = re.findall(r"^packages=\(([^)]*)\)$", script, re.MULTILINE)

    (named,) = re.findall(r"`apt-get install ([^`]*)`", readme)
    assert set(named.split()) == set(packages.split())
    assert f"\nrun_tests all {TESTS} " in script
    assert CI.stat().st_mode & 0o111


def test_every_link_leads_somewhere(readme: str) -> None:
    targets = re.findall(r"\]\(([^)]+)\)", readme)
    headings = re.findall(r"^#+ (.+)$", readme, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}

    assert targets
    for target in targets:
        if target.startswith("#"):
            assert target[1:] in anchors, target
        else:
            assert target.startswith("https://") or (REPOSITORY / target).exists(), target


def test_supported_streamlit_versions_are_those_of_the_metadata(readme: str) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (oldest,) = re.findall(r"Streamlit (\d+\.\d+) to \d+\.\d+", readme)

    assert f"streamlit>={oldest}" in project["dependencies"]
    assert f"Python {project['requires-python'].removeprefix('>=')} or newer" in readme


@pytest.mark.parametrize("path", [README, REPOSITORY / "CHANGELOG.md"], ids=lambda path: path.name)
def test_commands_name_flags_that_exist(path: Path) -> None:
    """Each `stlaunch` command line that stands in a text or a block is one that is understood."""
    known = {field.flag for field in FIELDS} | {"--dry-run", "--json", "--version", "--help"}
    for command in (demo, config, detect):
        known |= {option for parameter in command.params for option in parameter.opts}
    text = path.read_text(encoding="utf-8")
    names = "app|config|demo|detect"
    lines = re.findall(rf"(?:^|`)(stlaunch (?:{names})[^`\n\\]*)", text, re.MULTILINE)

    assert lines
    for line in lines:
        words = shlex.split(line, comments=True)
        flags = [word for word in words if word.startswith("--") and word != "--"]
        assert set(flags) <= known, line
