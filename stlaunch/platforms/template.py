"""Fill in the texts of the table from an environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.origin import HostPort

if TYPE_CHECKING:
    from collections.abc import Mapping

_SLOT = re.compile(
    r"\{(?P<name>[A-Za-z][A-Za-z0-9_]*)(?:\.(?P<part>host|port|path))?"
    r"(?::(?P<old>[^>}]+)>(?P<new>[^}]+))?(?:\?(?P<default>[^}]*))?\}"
)
# Dataiku's paths may hold other variables of its own, unexpanded.
_INNER = re.compile(r"\$\{(DKU_[A-Z0-9_]+)\}")
_MAX = 2048


@dataclass(frozen=True, slots=True)
class Filled:
    """A text with the variables that it was made of."""

    text: str
    names: tuple[str, ...]


def fill(template: str, environ: Mapping[str, str], *, port: int | None) -> Filled | None:
    """Return the text with its variables filled in, or None where one of them is not usable.

    >>> fill("{PREFIX}proxy/{port}", {"PREFIX": "/user/ann/"}, port=8501).text
    '/user/ann/proxy/8501'
    >>> fill("{URL.path:proxy>absproxy}", {"URL": "https://h/proxy/{{port}}/"}, port=8501).text
    '/absproxy/8501/'

    Args:
        template: see `Platform`; without ` or `.
        environ: the environment.
        port: what the app listens on, for `{port}` and for `{{port}}` in a value; None where it
            is not known.
    """
    if port is None and "{port}" in template:
        return None
    template = template.replace("{port}", str(port))
    names: list[str] = []
    pieces: list[str] = []
    end = 0
    for slot in _SLOT.finditer(template):
        value = environ.get(slot["name"], "").strip()
        if value:
            names.append(slot["name"])
        elif slot["default"] is not None:
            value = slot["default"]
        text = _value(value, slot, environ, port)
        if not text:
            return None
        pieces += [template[end : slot.start()], text]
        end = slot.end()
    return Filled("".join([*pieces, template[end:]]), tuple(names))


def _value(
    value: str, slot: re.Match[str], environ: Mapping[str, str], port: int | None
) -> str | None:
    if not value or len(value) > _MAX or (port is None and "{{port}}" in value):
        return None
    value = value.replace("{{port}}", str(port))
    value = _INNER.sub(lambda inner: environ.get(inner[1], ""), value)
    if slot["part"] is None:
        return value
    front, separator, rest = value.partition("//")
    if not separator and not value.startswith("/"):
        return None  # relative to an unknown place
    place, slash, path = rest.partition("/")
    if slot["part"] == "path":
        path = slash + path if separator else front
        old, new = slot["old"], slot["new"]
        return path if old is None else _with_segment(path, old, new)
    parsed = HostPort.parse(place)
    if parsed is None:
        return None
    return parsed.host if slot["part"] == "host" else str(parsed.port or "")


def _with_segment(path: str, old: str, new: str) -> str | None:
    segments = path.split("/")
    if old not in segments:
        return None
    # The last one: a folder in front may have the same name.
    at = len(segments) - 1 - segments[::-1].index(old)
    segments[at] = new
    return "/".join(segments)
