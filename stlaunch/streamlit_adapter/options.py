"""Read and apply Streamlit's own configuration: what the user set, and what the app runs with."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from stlaunch.errors import UsageError
from stlaunch.proxies.app_facts import UserOption
from stlaunch.quick_dataclass import dataclass
from stlaunch.streamlit_adapter import internals
from stlaunch.urls import streamlit_defaults
from stlaunch.urls.base_path import BasePath

_MEGABYTE = 1_000_000
_OWN = "stlaunch"
"""The source recorded for our options, as opposed to the user's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketOptions:
    """How Streamlit wants its socket served."""

    ping_interval_s: int
    ping_timeout_s: int
    max_message_bytes: int
    is_compressed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class UserConfiguration:
    """What the user set for Streamlit itself."""

    options: Mapping[str, UserOption]
    """The explicitly set ones, by key."""
    redirect_uri: str | None
    """`[auth].redirect_uri`; empty if `[auth]` has none, None without `[auth]`."""


def read_user_configuration(
    script: Path, flags: Sequence[tuple[str, str]], environ: Mapping[str, str]
) -> UserConfiguration:
    """Read files, variables and flags with Streamlit's own precedence.

    Streamlit's configuration is left unchanged.

    Raises:
        UsageError: for an unknown or sensitive flag, a value of the wrong type, and a
            config.toml that cannot be read.
    """
    with internals.restored_configuration():
        internals.set_main_script(script)
        for file in internals.config_files():
            _check_toml(Path(file))
        given = {**_read_environ(environ), **_read_flags(flags)}
        try:
            internals.load_options({key: option.value for key, option in given.items()})
        # A RuntimeError comes from Streamlit's own check for conflicting options; the others from
        # values of an unexpected type.
        except (AttributeError, RuntimeError, TypeError, ValueError) as exc:
            raise UsageError(
                f"Streamlit rejects its configuration: {exc}",
                hint="Change or remove that option.",
            ) from exc
        own = current_user_options()
        _check_kinds(own)
        places = get_options(["secrets.files"])["secrets.files"]
        return UserConfiguration(
            options={**own, **given},
            redirect_uri=_redirect_uri(map(Path, places or ())),
        )


def current_user_options() -> dict[str, UserOption]:
    """Return what the user set explicitly in the configuration in force."""
    found = internals.explicit_options()
    return {key: UserOption(*option) for key, option in found.items() if option[1] != _OWN}


def default_options(keys: Iterable[str]) -> dict[str, Any]:
    """Return Streamlit's defaults for these options; unknown keys are left out."""
    templates = internals.option_templates()
    return {key: templates[key].default_val for key in keys if key in templates}


def sensitive_options() -> frozenset[str]:
    """Return the options whose values are secrets."""
    templates = internals.option_templates().items()
    return frozenset(key for key, template in templates if template.sensitive)


def set_base_url_path(path: BasePath) -> None:
    """Tell Streamlit its public path, for an `st.App` that has not served anything yet."""
    internals.set_option("server.baseUrlPath", path.decoded.strip("/"), _OWN)


def apply_options(script: Path, options: Mapping[str, Any]) -> None:
    """Make the app run with `options`, above the script's and the user's files and variables."""
    internals.set_main_script(script)
    internals.load_options(options)


def get_options(keys: Iterable[str]) -> dict[str, Any]:
    """Return the values that the app runs with; None for options unknown to this Streamlit."""
    import streamlit

    found = {}
    for key in keys:
        try:
            found[key] = streamlit.get_option(key)
        except RuntimeError:
            found[key] = None
    return found


def websocket_options() -> WebSocketOptions:
    """Return the socket's options from Streamlit's configuration in force."""
    options = get_options(
        [
            "server.websocketPingInterval",
            "server.maxMessageSize",
            "server.enableWebsocketCompression",
        ]
    )
    ping_s = int(options["server.websocketPingInterval"] or streamlit_defaults.PING_INTERVAL_S)
    message_mb = int(options["server.maxMessageSize"] or streamlit_defaults.MAX_MESSAGE_MB)
    return WebSocketOptions(
        ping_interval_s=ping_s,
        ping_timeout_s=ping_s,
        max_message_bytes=message_mb * _MEGABYTE,
        is_compressed=bool(options["server.enableWebsocketCompression"]),
    )


def max_upload_bytes() -> int:
    """Return Streamlit's limit for one uploaded file."""
    limit = get_options(["server.maxUploadSize"])["server.maxUploadSize"]
    return int(streamlit_defaults.MAX_UPLOAD_MB if limit is None else limit) * 1024 * 1024


def tls_files() -> tuple[str, str] | None:
    """Return certificate and key if the app itself is to serve https.

    Raises:
        UsageError: if only one of them is set, one cannot be read, or they do not belong together.
    """
    certificate, key = (
        get_options([name])[name] for name in ("server.sslCertFile", "server.sslKeyFile")
    )
    if bool(certificate) != bool(key):
        raise UsageError(
            "server.sslCertFile and server.sslKeyFile go together, but only one is set.",
            hint="Set both, or neither and use https on the proxy.",
        )
    if not certificate:
        return None
    _check_tls_files(certificate, key)
    return str(certificate), str(key)


def _check_tls_files(certificate: str, key: str) -> None:
    import ssl

    for name, path in (("server.sslCertFile", certificate), ("server.sslKeyFile", key)):
        try:
            Path(path).read_bytes()
        except OSError as exc:
            raise UsageError(
                f"{name}: {path} cannot be read: {exc.strerror}.",
                hint="Check the name, and that this user may read it.",
            ) from exc
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
    except OSError as exc:
        raise UsageError(
            f"{certificate} and {key} are no certificate with its key: {exc.strerror or exc}.",
            hint="Both are PEM files; the certificate comes first, then its chain.",
        ) from exc


def cookie_secret(user_options: Mapping[str, UserOption]) -> str | None:
    """Return the secret that replicas share: `[auth].cookie_secret` or `server.cookieSecret`."""
    manual = user_options.get("server.cookieSecret")
    secret = _auth_cookie_secret()
    return secret or (str(manual.value) if manual else None)


def _auth_cookie_secret() -> str | None:
    import streamlit

    try:
        section = streamlit.secrets.get("auth")
    except FileNotFoundError:  # no secrets.toml, or one that Streamlit cannot read and reports
        return None
    secret = section.get("cookie_secret") if isinstance(section, Mapping) else None
    return str(secret) if secret else None


def _read_environ(environ: Mapping[str, str]) -> dict[str, UserOption]:
    found = {}
    for key, template in internals.option_templates().items():
        text = environ.get(template.env_var, "")
        # Streamlit reads sensitive variables itself.
        if text and not template.sensitive:
            texts = text.split() if template.multiple else [text]
            found[key] = UserOption(_convert(template, texts, template.env_var), template.env_var)
    return found


def _read_flags(flags: Sequence[tuple[str, str]]) -> dict[str, UserOption]:
    templates = internals.option_templates()
    texts: dict[str, list[str]] = {}
    for key, text in flags:
        if not internals.OPTION_TABLE.fits:
            continue  # said in the log
        if key not in templates:
            import difflib

            close = difflib.get_close_matches(key, templates, n=1)
            hint = f"Did you mean --{close[0]}?" if close else "See: streamlit run --help"
            raise UsageError(f"Streamlit has no option --{key}.", hint=hint)
        if templates[key].sensitive:
            raise UsageError(
                f"--{key} is a secret and must not be on the command line, where other users "
                "can read it.",
                hint=f"Put it into .streamlit/config.toml or {templates[key].env_var}.",
            )
        texts.setdefault(key, []).append(text)
    return {
        key: UserOption(_convert(templates[key], values, f"--{key}"), f"--{key}")
        for key, values in texts.items()
    }


def _convert(template: Any, texts: Sequence[str], where: str) -> Any:
    import click

    kind = click.types.convert_type(template.type)
    try:
        values = [kind.convert(text, None, None) for text in texts]
    except click.BadParameter as exc:
        raise UsageError(
            f"{where} cannot be {texts[-1]!r}: {exc.message}",
            hint=f"Streamlit's {template.key} takes a value of type {kind.name}.",
        ) from exc
    return values if template.multiple else values[-1]


def _check_kinds(options: Mapping[str, UserOption]) -> None:
    """Refuse values that Streamlit reads from a file unchecked, and fails on when it uses them."""
    templates = internals.option_templates()
    for key, option in options.items():
        template = templates[key]
        if template.multiple and not isinstance(option.value, list | tuple):
            wanted = "a list"
        elif template.type in {int, float} and not _is_number(option.value):
            wanted = "a number"
        elif template.type is int and not _is_whole(option.value):
            wanted = "a whole number"
        else:
            continue
        raise UsageError(
            f"{option.where}: {key} is {option.value!r}, not {wanted}.",
            hint="Change or remove that option.",
        )


def _is_number(value: object) -> bool:
    try:
        return math.isfinite(float(str(value)))
    except ValueError:
        return False


def _is_whole(value: object) -> bool:
    try:
        return (value if isinstance(value, float) else int(str(value))) % 1 == 0
    except ValueError:
        return False


def _check_toml(path: Path) -> None:
    if not os.path.lexists(path):
        return
    try:
        tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(
            f"{path} cannot be read: {getattr(exc, 'strerror', None) or exc}.",
            hint="Make it readable for this user, or move it away.",
        ) from exc
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(
            f"{path} is not valid TOML: {exc}.", hint="Fix that line, or move the file away."
        ) from exc


def _redirect_uri(places: Iterable[Path]) -> str | None:
    """Read it directly from the secrets: Streamlit's own reader puts secrets into os.environ.

    As there, a later place replaces the section of an earlier one, and a folder contains a folder
    for each section. Unreadable files count as absent: Streamlit itself complains about them.
    """
    section: object = None
    for place in places:
        try:
            if place.suffix == ".toml":
                found = tomllib.loads(place.read_text(encoding="utf-8"))
            else:
                files = [file for file in (place / "auth").iterdir() if file.is_file()]
                found = {
                    "auth": {file.name: file.read_text(encoding="utf-8").strip() for file in files}
                }
        except (OSError, ValueError):
            continue
        section = found.get("auth", section)
    return str(section.get("redirect_uri") or "") if isinstance(section, Mapping) else None
