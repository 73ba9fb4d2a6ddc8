"""What is public is `stlaunch.__all__`, and its keywords are the fields of the one table."""

from __future__ import annotations

import inspect
import os
import subprocess
import sys
import typing
from collections.abc import Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union

import pytest

import stlaunch
from stlaunch.settings.fields import FIELDS, Field

SERVERS_OWN = {
    "host",
    "port",
    "uds",
    "config_out",
    "verify",
    "drain_timeout",
    "warm_up",
    "log_format",
}
"""Settings of the process and its server, which under `wrap_app` are somebody else's."""
BESIDE_THE_TABLE = {
    "launch": {"self_check_token", "streamlit_options", "on_ready", "stop"},
    "wrap_app": {"self_check_token", "environ"},
}


def keywords(name: str) -> dict[str, inspect.Parameter]:
    parameters = inspect.signature(getattr(stlaunch, name)).parameters.values()
    assert inspect.Parameter.VAR_KEYWORD not in {parameter.kind for parameter in parameters}
    return {
        parameter.name: parameter
        for parameter in parameters
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    }


def types_of(annotation: Any) -> set[Any]:
    is_union = typing.get_origin(annotation) in {Union, UnionType}
    return set(typing.get_args(annotation)) if is_union else {annotation}


def wanted_types(field: Field[object]) -> set[Any]:
    """Return what Python code would write for the field."""
    if field.choices == ("on", "off"):
        return {bool, NoneType}
    if field.choices:
        choices: Any = Literal[tuple(map(str, field.choices))]
        return {choices, NoneType} | ({bool} if bool in field.also_takes else set())
    if float in field.also_takes:
        return {float, NoneType}
    if int in field.also_takes:
        return {int, NoneType}
    if field.metavar == "FILE":
        return {str, os.PathLike[str], NoneType}
    more = {Sequence[str]} if field.multiple else set()
    return {str, NoneType} | more | ({bool} if bool in field.also_takes else set())


@pytest.mark.parametrize("name", ["launch", "wrap_app"])
def test_every_setting_that_makes_sense_is_a_keyword(name: str) -> None:
    fields = {field.name for field in FIELDS}
    wanted = fields - (SERVERS_OWN if name == "wrap_app" else set())

    assert set(keywords(name)) == wanted | BESIDE_THE_TABLE[name]


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
@pytest.mark.parametrize("name", ["launch", "wrap_app"])
def test_keyword_has_the_type_of_its_field(name: str, field: Field[object]) -> None:
    parameter = keywords(name).get(field.name)
    if parameter is None:
        assert field.name in SERVERS_OWN
        return
    hints = typing.get_type_hints(getattr(stlaunch, name))

    assert types_of(hints[field.name]) == wanted_types(field)
    assert parameter.default is None


@pytest.mark.parametrize("name", ["launch", "wrap_app"])
def test_docstring_names_every_keyword(name: str) -> None:
    text = inspect.getdoc(getattr(stlaunch, name)) or ""

    assert [word for word in keywords(name) if f"\n    {word}: " not in text] == []


def test_everything_public_can_be_imported_and_the_types_are_shipped() -> None:
    code = "from stlaunch import *; print(*sorted(name for name in dir() if name[0] != '_'))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == sorted(set(stlaunch.__all__) - {"__version__"})
    assert (Path(stlaunch.__file__).parent / "py.typed").is_file()


def test_a_name_that_is_no_setting_is_refused() -> None:
    """A keyword with a typing error is never passed over in silence."""
    for function in (stlaunch.launch, stlaunch.wrap_app):
        with pytest.raises(TypeError, match="publik_url"):
            function("app.py", publik_url="https://app.example.test")  # type: ignore[call-arg]
