"""The README and the handbook say what the code does: commands, settings, help, codes, links."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from stlaunch.cli import guide
from stlaunch.cli.commands import COMMANDS
from stlaunch.diagnostics import catalogue
from stlaunch.forwarded import headers as forwarding
from stlaunch.settings.fields import FIELDS
from tests.conftest import REPOSITORY
from tests.docs.generated import HANDBOOK, README, SECTIONS, documents, section, sections

CI = REPOSITORY / ".ci" / "run"
TIERS = ("fast", '"not fast"')
"""All tests, in two parts."""
MAX_LINES = 200
FIRST_SCREEN = 24


@pytest.fixture(scope="module")
def readme() -> str:
    return README.read_text(encoding="utf-8")


def name_of(path: Path) -> str:
    return "contents" if path.parent == HANDBOOK and path.name == "README.md" else path.stem


def commands_in(text: str) -> list[str]:
    """Return each stlaunch command line in a block, in a span, or in `eval "$(...)"`."""
    blocks = "\n".join(re.findall(r"^```sh\n(.*?)^```", text, re.DOTALL | re.MULTILINE))
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    lines = [*blocks.replace("\\\n", " ").splitlines(), *re.findall(r"`([^`\n]+)`", prose)]
    found = [re.search(r"(?:^|\$\()(stlaunch [^-)][^)]*)", line) for line in lines]
    return [match[1] for match in found if match]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        pytest.param(
            path, name, id=f"{path.stem}-{name}", marks=[pytest.mark.process] * (name == "help")
        )
        for path, name in sections()
    ],
)
def test_generated_section_is_up_to_date(path: Path, name: str) -> None:
    hint = "run: python -m tests.docs.generated"
    assert section(path.read_text(encoding="utf-8"), name) == SECTIONS[name](), hint


def test_every_section_has_a_place() -> None:
    assert {name for _, name in sections()} == set(SECTIONS)


def test_readme_is_short_and_begins_with_what_to_type(readme: str) -> None:
    lines = readme.splitlines()

    assert len(lines) <= MAX_LINES
    assert any("a blank page" in line and "stlaunch check" in line for line in lines[:FIRST_SCREEN])


def test_every_setting_has_one_item() -> None:
    page = guide.source("settings")
    items = re.findall(r"^- `(--[a-z-]+).*?`, `(\w+)`, `(\w+)`: ", page, re.MULTILINE)
    assert items == [(field.flag, field.env, field.name) for field in FIELDS]


def test_every_code_has_one_row_and_an_anchor() -> None:
    page = guide.source("codes")
    rows = re.findall(r'^\| <a id="(\w+)"></a>\[(\w+)\]', page, re.MULTILINE)
    assert rows == [(code.lower(), code) for code in catalogue.codes()]


def test_every_forwarding_header_is_named() -> None:
    page = guide.source("security").lower()
    for name in forwarding.FORWARDING_HEADERS:
        assert f"`{name.decode()}".lower() in page


def test_contents_name_every_page_once() -> None:
    assert sorted(guide.pages()) == sorted(
        path.stem for path in HANDBOOK.glob("*.md") if path.name != "README.md"
    )


def test_the_two_commands_are_one_line_each(readme: str) -> None:
    install_and_run, install_and_test = re.findall(r"^python3 -m venv .*$", readme, re.MULTILINE)

    assert install_and_run.endswith(' install ".[demo]" && .venv/bin/stlaunch demo')
    assert "--upgrade pip" in install_and_test  # --group came with pip 25.1
    assert "--group dev" in install_and_test
    assert install_and_test.endswith(" && .venv/bin/pytest -n 4 --dist worksteal")


def test_ci_runs_the_readme_s_tests_and_installs_what_they_need(readme: str) -> None:
    script = CI.read_text(encoding="utf-8")
    (packages,) = re.findall(r"^packages=\(([^)]*)\)$", script, re.MULTILINE)

    (named,) = re.findall(r"`apt-get install ([^`]*)`", readme)
    assert set(named.split()) == set(packages.split())
    for tier in TIERS:
        line = f"run_tests \\w+ .venv/bin/pytest -m {re.escape(tier)} -n 4 --dist worksteal"
        assert re.search(rf"(?m)^(measure )?{line}( |$)", script)
    assert CI.stat().st_mode & 0o111


@pytest.mark.parametrize("path", [*documents(), REPOSITORY / "CHANGELOG.md"], ids=name_of)
def test_every_link_leads_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        file, _, anchor = target.partition("#")
        if "://" in target:
            continue
        found = (path.parent / file).resolve() if file else path
        assert found.is_relative_to(REPOSITORY), target
        assert found.exists(), target
        if anchor:
            assert anchor in _anchors(found.read_text(encoding="utf-8")), target


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    named = re.findall(r'<a id="([^"]+)">', text)
    return {re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings} | {*named}


def test_supported_streamlit_versions_are_those_of_the_metadata(readme: str) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (oldest,) = re.findall(r"Streamlit (\d+\.\d+) to \d+\.\d+", readme)

    assert f"streamlit>={oldest}" in project["dependencies"]
    assert f"Python {project['requires-python'].removeprefix('>=')} or newer" in readme


@pytest.mark.parametrize("path", [*documents(), REPOSITORY / "CHANGELOG.md"], ids=name_of)
def test_commands_name_flags_that_exist(path: Path) -> None:
    """Each `stlaunch` command line in a text or a block is one that is understood."""
    for line in commands_in(path.read_text(encoding="utf-8")):
        word, *words = shlex.split(line, comments=True)[1:]
        if word.isupper() or not words:
            continue
        command = COMMANDS[word if word in COMMANDS else "run"].load()
        flags = {word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert {flag for flag in flags if "." not in flag} <= _options(command), line


def _options(command: click.Command) -> set[str]:
    options = {option for parameter in command.params for option in parameter.opts}
    if command.name == "replicas":
        options |= {field.flag for field in FIELDS}
    return options | {"--help"}


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_flags_in_the_text_exist(path: Path) -> None:
    """A flag of stlaunch that is named alone exists in one of its commands."""
    known = {"--help"}.union(*(_options(lazy.load()) for lazy in COMMANDS.values()))
    others = {"--group", "--time", "--init", "--no-proxy-headers", "--only", "--extra", "--user"}
    text = re.sub(
        r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE
    )
    flags = set(re.findall(r"`(--[a-z][a-z-]+)(?=[ `=])", text))

    assert flags <= known | others
