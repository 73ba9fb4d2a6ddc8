"""Every effective setting of a plan: its source, what it shadows, what bare Streamlit does.

Pure; secrets are masked here, so that no output has to think of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stlaunch.launcher.plan import LaunchPlan
from stlaunch.settings.fields import FIELDS
from stlaunch.settings.model import Settings, Source, SourceKind
from stlaunch.streamlit_adapter import default_options, sensitive_options

MASK = "***"
_SECRET_NAME = re.compile(r"secret|token|password|passwd|credential|apikey|api_key", re.IGNORECASE)
_AUTHORITY = re.compile(r"(?<=//)[^/@\s]+@")

# Our setting -> the option by which bare Streamlit decides the same.
_COUNTERPARTS = {
    "behind_proxy": "server.baseUrlPath",
    "public_url": "browser.serverAddress",
    "host": "server.address",
    "port": "server.port",
    "allow_origin": "server.corsAllowedOrigins",
    "embed_in": "server.xsrfCookieSameSite",
}
_BARE_WORDS = {
    "host": "all interfaces",
    "public_url": "looks its address up on the internet",
    "trusted_proxies": "127.0.0.1 and ::1 (uvicorn's own rule)",
    "origin_check": "compares Origin with Host alone",
    "transport": "websocket",
    "self_check": "none",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """One setting as it is in force."""

    name: str
    """`port`, or Streamlit's `server.port`."""
    value: Any
    """As JSON has it."""
    source: Source
    bare: Any
    """What plain `streamlit run` would do in its place; None where it has no such thing."""

    def as_dict(self) -> dict[str, Any]:
        """Return it for a JSON document."""
        return {
            "name": self.name,
            "value": self.value,
            "source": self.source.kind.value,
            "where": self.source.where,
            "shadowed": [{"where": where, "value": text} for where, text in self.source.shadowed],
            "bare": self.bare,
        }


def effective_settings(plan: LaunchPlan) -> tuple[Effective, ...]:
    """Return our own settings in the order of the table, then Streamlit's options by name."""
    values = _values(plan)
    defaults = default_options([*_COUNTERPARTS.values(), *plan.decisions.options])
    bare = {key: option.value for key, option in plan.user_options.items()}
    bare = {**defaults, **bare}
    own = [
        Effective(
            name=field.name,
            value=values[field.name],
            source=_masked_source(field.name, plan.decisions.sources[field.name]),
            bare=_masked(field.name, _bare(field.name, bare)),
        )
        for field in FIELDS
    ]
    decided = [
        Effective(
            name=key,
            value=_masked(key, value),
            source=_option_source(plan, key),
            bare=_masked(key, bare.get(key)),
        )
        for key, value in plan.decisions.options.items()
    ]
    theirs = [
        Effective(
            name=key,
            value=_masked(key, option.value),
            source=Source(kind=SourceKind.STREAMLIT_CONFIG, where=option.where),
            bare=_masked(key, option.value),
        )
        for key, option in plan.user_options.items()
        if key not in plan.decisions.options
    ]
    return (*own, *sorted([*decided, *theirs], key=lambda effective: effective.name))


def _values(plan: LaunchPlan) -> dict[str, Any]:
    settings, decisions = plan.settings, plan.decisions
    paths: Any = [path.with_slash for path in decisions.public_paths]
    if not paths:
        paths = "found out from requests" if decisions.is_behind_proxy else "off"
    frames = list(map(str, settings.embed_in))
    if not frames and plan.placement.framed_by:
        frames = [str(plan.placement.framed_by.value)]
    own = {field.name: _plain(_decided_by_user(settings, field.name)) for field in FIELDS}
    return own | {
        "behind_proxy": paths,
        "public_url": _plain(decisions.public_url),
        "host": decisions.host,
        "port": decisions.port,
        "uds": _plain(decisions.uds),
        "trusted_proxies": str(decisions.trusted),
        "embed_in": frames,
        "mount_path": [path.with_slash for path in decisions.mount_paths],
        "config_out": _plain(plan.config_file),
    }


def _decided_by_user(settings: Settings, name: str) -> object:
    """Return a setting by its field's name: of several values, or with a unit behind the name."""
    for attribute in (name, f"{name}s", f"{name}_s"):
        if hasattr(settings, attribute):
            return getattr(settings, attribute)
    return None if name == "behind_proxy" else getattr(settings, name)


def _plain(value: object) -> Any:
    if isinstance(value, bool):
        return "on" if value else "off"
    if value is None or isinstance(value, (int, float)):
        return value
    return list(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _json(value: object) -> Any:
    return value if isinstance(value, bool) else _plain(value)


def _bare(name: str, options: Mapping[str, Any]) -> Any:
    key = _COUNTERPARTS.get(name)
    value = options.get(key) if key else None
    return value if value not in (None, "", []) else _BARE_WORDS.get(name)


def _option_source(plan: LaunchPlan, key: str) -> Source:
    for name, counterpart in _COUNTERPARTS.items():
        if counterpart == key and name in plan.decisions.sources:
            return _masked_source(key, plan.decisions.sources[name])
    shadowed: tuple[tuple[str, str], ...] = ()
    if key in plan.user_options:
        option = plan.user_options[key]
        shadowed = ((option.where, str(_masked(key, option.value))),)
    return Source(kind=SourceKind.DEFAULT, where="stlaunch", shadowed=shadowed)


def _masked_source(name: str, source: Source) -> Source:
    shadowed = tuple((where, str(_masked(name, text))) for where, text in source.shadowed)
    return Source(kind=source.kind, where=source.where, shadowed=shadowed)


def _masked(name: str, value: Any) -> Any:
    """Return the value, or a mask where its name says that it is a secret."""
    if value in (None, "", [], {}):
        return _json(value)
    if name in sensitive_options() or _SECRET_NAME.search(name.rpartition(".")[2]):
        return MASK
    if isinstance(value, Mapping):
        return {str(key): _masked(str(key), item) for key, item in value.items()}
    plain = _json(value)
    return _AUTHORITY.sub(f"{MASK}@", plain) if isinstance(plain, str) else plain
