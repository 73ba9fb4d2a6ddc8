"""Collects what each place says about each setting, unparsed; unknown names are refused here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stlaunch.errors import UsageError
from stlaunch.settings.fields import ENV_PREFIX, FIELDS, Field
from stlaunch.settings.model import SourceKind
from stlaunch.settings.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


SELF_CHECK_TOKEN = ENV_PREFIX + "SELF_CHECK_TOKEN"
"""A secret, so it is a variable alone: command lines and project files are read by others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The texts that one place gave for one setting."""

    kind: SourceKind
    where: str
    texts: tuple[str, ...]

    @property
    def text(self) -> str:
        """All texts in one line, for people."""
        return ", ".join(self.texts)


def collect_given(
    *,
    values: Mapping[str, Sequence[str]],
    environ: Mapping[str, str],
    project: Mapping[str, object],
    project_where: str,
) -> dict[str, tuple[Given, ...]]:
    """Return what was said about each field, by its name, the strongest place first.

    Raises:
        UsageError: for an unknown `STLAUNCH_*` variable or project key, or a project value of
            the wrong type.
    """
    ours = _own_variables(environ)
    _refuse_unknown_variables(ours)
    _refuse_unknown_keys(project, project_where)
    given: dict[str, tuple[Given, ...]] = {}
    for field in FIELDS:
        places: list[Given] = []
        if texts := values.get(field.name):
            kind = SourceKind.COMMAND_LINE
            places.append(Given(kind=kind, where=field.flag, texts=tuple(texts)))
        # An empty variable is an unset one: compose files and CI templates write those.
        if text := ours.get(field.env, "").strip():
            split = re.split(r"[,\s]+", text.strip(", \t\n")) if field.multiple else [text]
            kind = SourceKind.ENVIRONMENT
            places.append(Given(kind=kind, where=field.env, texts=tuple(split)))
        if field.name in project:
            texts = _project_texts(field, project[field.name], project_where)
            kind = SourceKind.PROJECT_FILE
            places.append(Given(kind=kind, where=project_where, texts=texts))
        given[field.name] = tuple(place for place in places if place.texts)
    return given


def _own_variables(environ: Mapping[str, str]) -> dict[str, str]:
    ours = {name: value for name, value in environ.items() if name.startswith(ENV_PREFIX)}
    if not ours:
        return ours
    # Costly: it comes with the table of all platforms.
    from stlaunch.platforms.kubernetes import is_service_variable  # noqa: PLC0415

    return {name: value for name, value in ours.items() if not is_service_variable(name, value)}


def _refuse_unknown_variables(ours: Mapping[str, str]) -> None:
    known = [*(field.env for field in FIELDS), SELF_CHECK_TOKEN]
    for name in ours:
        if name not in known:
            raise UsageError(
                f"The environment variable {name} is not a setting of stlaunch.",
                hint=did_you_mean(name, known, prefix=ENV_PREFIX)
                or f"Known are {', '.join(known)}.",
            )


def _refuse_unknown_keys(project: Mapping[str, object], where: str) -> None:
    known = [field.name for field in FIELDS]
    for key in project:
        if key not in known:
            raise UsageError(
                f"{where}: the key {key!r} is not a setting of stlaunch.",
                hint=did_you_mean(key, known) or f"Known are {', '.join(known)}.",
            )


def _project_texts(field: Field[object], value: object, where: str) -> tuple[str, ...]:
    match value:
        case str():
            return (value,)
        case bool() if bool in field.also_takes:
            return ("on" if value else "off",)
        case int() if int in field.also_takes and not isinstance(value, bool):
            return (str(value),)
        case float() if float in field.also_takes:
            return (str(value),)
        case list() if field.multiple and all(isinstance(item, str) for item in value):
            return tuple(value)
        case _:
            wanted = "a text or a list of texts" if field.multiple else "a text"
            if field.also_takes:
                wanted += " or " + {bool: "true or false", int: "a number"}[field.also_takes[0]]
            raise UsageError(
                f"{where}: the value of {field.name} is {value!r}, not {wanted}.",
                hint=f'Write it as on the command line: {field.name} = "{field.metavar}"',
            )
