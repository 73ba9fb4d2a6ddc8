"""Collect what the caller, the environment and the project file give for each setting.

Unknown names are refused here; which place wins is decided in `resolve`.
"""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from stlaunch.errors import UsageError
from stlaunch.settings.fields import ENV_PREFIX, FIELDS, SELF_CHECK_TOKEN, Field
from stlaunch.settings.model import SourceKind
from stlaunch.settings.parsers import parse_self_check_token
from stlaunch.settings.raw_values import RawSettings, RawValue, parse_at
from stlaunch.settings.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

T = TypeVar("T")


def read_settings(
    *,
    values: Mapping[str, Sequence[str]],
    environ: Mapping[str, str],
    project: Mapping[str, object],
    project_where: str = "",
    self_check_token: str | None = None,
    is_call: bool = False,
) -> RawSettings:
    """Return what was said about each field, by its name, the strongest place first.

    Args:
        values: what the command line gave, by field name; an empty text is a flag without value.
        environ: the environment; `STLAUNCH_*` is read.
        project: the parsed project table.
        project_where: how to name that table to the user.
        self_check_token: a caller's, which goes before the environment's.
        is_call: whether `values` come from a Python call, not from a command line.

    Raises:
        UsageError: for an unknown `STLAUNCH_*` variable or project key, or a project value of
            the wrong type.
    """
    ours = _own_variables(environ)
    _refuse_unknown_variables(ours)
    _refuse_unknown_keys(project, project_where)
    kind = SourceKind.CALL if is_call else SourceKind.COMMAND_LINE
    found: dict[str, tuple[RawValue[Any], ...]] = {}
    for field in FIELDS:
        places: list[RawValue[Any]] = []
        texts = values.get(field.name)
        if texts or (is_call and texts is not None):
            where = f"{field.name}=" if is_call else field.flag
            if is_call and not field.multiple and len(texts) != 1:
                raise UsageError(f"{where} takes one value, not a list.")
            places.append(_raw(field, kind, where, texts))
        # An empty variable is an unset one: compose files and CI templates write those.
        if text := ours.get(field.env, "").strip():
            split = re.split(r"[,\s]+", text.strip(", \t\n")) if field.multiple else [text]
            places.append(_raw(field, SourceKind.ENVIRONMENT, field.env, split))
        if field.name in project:
            texts = _project_texts(field, project[field.name], project_where)
            places.append(_raw(field, SourceKind.PROJECT_FILE, project_where, texts))
        found[field.name] = (*places, _default(field))
    token_where = "self_check_token=" if self_check_token else SELF_CHECK_TOKEN
    token = self_check_token or environ.get(SELF_CHECK_TOKEN, "")
    return RawSettings(
        values=found,
        self_check_token=parse_at(parse_self_check_token, token, token_where)
        if token.strip()
        else None,
    )


def _raw(field: Field[T], kind: SourceKind, where: str, texts: Sequence[str]) -> RawValue[T]:
    named = f"{where} {field.name}" if kind is SourceKind.PROJECT_FILE else where
    return RawValue(
        kind=kind,
        where=where,
        text=", ".join(texts) if texts else "[]",
        read=partial(parse_at, field.parse, tuple(texts), named),
    )


def _default(field: Field[T]) -> RawValue[T]:
    value = field.default
    return RawValue(kind=SourceKind.DEFAULT, where="default", text="", read=lambda: value)


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
                f"The environment variable {name} is not a stlaunch setting.",
                hint=did_you_mean(name, known, prefix=ENV_PREFIX)
                or f"Known settings: {', '.join(known)}.",
            )


def _refuse_unknown_keys(project: Mapping[str, object], where: str) -> None:
    known = [field.name for field in FIELDS]
    for key in project:
        if key not in known:
            raise UsageError(
                f"{where}: the key {key!r} is not a stlaunch setting.",
                hint=did_you_mean(key, known) or f"Known settings: {', '.join(known)}.",
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
            wanted = "a string or a list of strings" if field.multiple else "a string"
            if field.also_takes:
                wanted += " or " + {bool: "true or false", int: "a number"}[field.also_takes[0]]
            raise UsageError(
                f"{where}: the value of {field.name} is {value!r}, not {wanted}.",
                hint=f'Write it as on the command line: {field.name} = "{field.metavar}"',
            )
