"""Show every setting of a plan next to what bare Streamlit does.

Pure; secrets are masked here, so that no output has to take care of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from stlaunch.launcher.plan import LaunchPlan
from stlaunch.quick_dataclass import dataclass
from stlaunch.settings.fields import FIELDS
from stlaunch.settings.model import Setting, SourceKind
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
    "public_url": "looks up its address on the internet",
    "trusted_proxies": "127.0.0.1 and ::1 (uvicorn's own rule)",
    "origin_check": "compares Origin with Host only",
    "transport": "websocket",
    "self_check": "none",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveSetting:
    """One setting in force, and what plain Streamlit would do."""

    name: str
    """`port`, or Streamlit's `server.port`."""
    setting: Setting[Any]
    """Its value is in its JSON form."""
    bare: Any
    """The value that plain `streamlit run` would use; None if it has no such setting."""

    def as_dict(self) -> dict[str, Any]:
        """Return it for a JSON document."""
        found = self.setting
        return {
            "name": self.name,
            "value": found.value,
            "source": found.source.value,
            "where": found.where,
            "shadowed": [{"where": where, "value": text} for where, text in found.shadowed],
            "bare": self.bare,
        }


def own_settings(plan: LaunchPlan) -> dict[str, Setting[Any]]:
    """Return stlaunch's own settings by name, in the order of the table, in their JSON form."""
    settings = plan.settings
    paths: Any = [path.with_slash for path in settings.public_paths]
    if not paths:
        paths = "detected from requests" if settings.is_behind_proxy else "off"
    values = {field.name: _plain(getattr(settings, field.name).value) for field in FIELDS}
    values |= {
        "behind_proxy": paths,
        "mount_path": [path.with_slash for path in settings.mount_path.value],
        "config_out": _plain(plan.config_file),
    }
    return {
        name: _masked_setting(name, replace(getattr(settings, name), value=value))
        for name, value in values.items()
    }


def effective_settings(plan: LaunchPlan) -> tuple[EffectiveSetting, ...]:
    """Return our own settings in the order of the table, then Streamlit's options by name."""
    defaults = default_options([*_COUNTERPARTS.values(), *plan.options])
    bare = {**defaults, **{key: option.value for key, option in plan.user_options.items()}}
    own = [
        EffectiveSetting(name=name, setting=setting, bare=_masked(name, _bare(name, bare)))
        for name, setting in own_settings(plan).items()
    ]
    options = [
        EffectiveSetting(
            name=key,
            setting=_masked_setting(key, _option(plan, key)),
            bare=_masked(key, bare.get(key)),
        )
        for key in sorted({*plan.options, *plan.user_options})
    ]
    return (*own, *options)


def _option(plan: LaunchPlan, key: str) -> Setting[Any]:
    """Return one of Streamlit's options; ours are decided by our settings, or by stlaunch."""
    user = plan.user_options.get(key)
    if key not in plan.options and user is not None:
        return Setting(value=user.value, source=SourceKind.STREAMLIT_CONFIG, where=user.where)
    value = plan.options[key]
    for name, counterpart in _COUNTERPARTS.items():
        if counterpart == key:
            setting: Setting[Any] = getattr(plan.settings, name)
            return replace(setting, value=value)
    shadowed = ((user.where, str(_masked(key, user.value))),) if user else ()
    return Setting(value=value, where="stlaunch", shadowed=shadowed)


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


def is_secret(name: str) -> bool:
    """Return whether a setting's name marks its value as a secret."""
    return bool(_SECRET_NAME.search(name.rpartition(".")[2]))


def _masked_setting(name: str, setting: Setting[Any]) -> Setting[Any]:
    return replace(
        setting,
        value=_masked(name, setting.value),
        shadowed=tuple((where, str(_masked(name, text))) for where, text in setting.shadowed),
    )


def _masked(name: str, value: Any) -> Any:
    """Return the value, or a mask if its name marks it as a secret."""
    if value in (None, "", [], {}):
        return _json(value)
    if name in sensitive_options() or is_secret(name):
        return MASK
    if isinstance(value, Mapping):
        return {str(key): _masked(str(key), item) for key, item in value.items()}
    plain = _json(value)
    return _AUTHORITY.sub(f"{MASK}@", plain) if isinstance(plain, str) else plain
