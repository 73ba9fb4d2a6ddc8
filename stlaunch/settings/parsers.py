"""Parse the value of each setting from text, wherever the text came from.

Every parser takes all texts that one place gave (`--port 1 --port 2`), and of several takes the
last one if the setting holds a single value.
"""

from __future__ import annotations

import ipaddress
import os
import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from stlaunch.errors import UsageError
from stlaunch.settings.model import BehindProxy, LogFormat, SelfCheck, Transport
from stlaunch.settings.suggestion import did_you_mean
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import MAX_PORT, HostPort, Origin, OriginCheck, PublicUrl, is_url
from stlaunch.urls.public_paths import PrefixRule

if TYPE_CHECKING:
    from collections.abc import Sequence

YES = frozenset({"on", "true", "yes", "1"})
NO = frozenset({"off", "false", "no", "0"})
_MAX_WAIT_S = 3600
_MAX_COUNT = 1_000_000
_MIN_TOKEN = 16
# sun_path of sockaddr_un holds 108 bytes on Linux with the final zero (unix(7)), 104 on macOS.
_MAX_SOCKET_PATH_BYTES = 103

ChoiceT = TypeVar("ChoiceT", bound=StrEnum)


def parse_behind_proxy(texts: Sequence[str]) -> BehindProxy:
    """Read paths and at most one URL; no value (an empty text) and `true` switch it on alone.

    An empty list, which only Python and TOML can write, is `off`.

    Raises:
        UsageError: for a bad path, two different URLs, or `off` next to a path.
    """
    paths: list[BasePath] = []
    urls: list[PublicUrl] = []
    is_off = not texts
    for text in (text.strip() for text in texts):
        if text.lower() in NO:
            is_off = True
        elif is_url(text):
            urls.append(PublicUrl.parse(text))
            paths.append(urls[-1].base_path)
        elif text and text.lower() not in YES:
            paths.append(BasePath.parse(text))
    if len(set(urls)) > 1:
        raise UsageError(
            f"The app can have one public URL, not both {urls[0]} and {urls[1]}.",
            hint="Give the second one as a path, and allow its host with --allow-origin.",
        )
    if is_off and len(texts) > 1:
        raise UsageError(
            "--behind-proxy cannot be both off and a path.",
            hint="Give either off or paths.",
        )
    return BehindProxy(
        is_on=not is_off,
        paths=tuple(dict.fromkeys(paths)),
        url=urls[0] if urls else None,
    )


def parse_public_url(texts: Sequence[str]) -> PublicUrl:
    """Read `https://example.com/streamlitApp`."""
    return PublicUrl.parse(texts[-1])


def parse_host(texts: Sequence[str]) -> str:
    """Read an address or a host name to listen on; IPv6 with or without brackets.

    Raises:
        UsageError: for a URL, a port after the name, `*`, or anything malformed.
    """
    text = texts[-1].strip()
    bare = text[1:-1] if text.startswith("[") and text.endswith("]") else text
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        place = HostPort.parse(text)
    if place is None or place.port is not None or re.fullmatch(r"[\d.]+", text):
        raise UsageError(
            f"The host {text!r} is not an address or a host name.",
            hint="Write 127.0.0.1, ::1, 0.0.0.0 (all interfaces) or a name; the port goes into "
            "--port.",
        )
    return place.host


def parse_port(texts: Sequence[str]) -> int:
    """Read a TCP port; 0 is any free one.

    Raises:
        UsageError: for anything but a whole number from 0 to 65535.
    """
    text = texts[-1].strip()
    is_number = text.isascii() and text.isdigit() and len(text) <= len("00065535")
    if not is_number or int(text) > MAX_PORT:
        raise UsageError(
            f"The port {text!r} is not a number from 0 to {MAX_PORT}.",
            hint="Write a port such as 8501; 0 picks a free one.",
        )
    return int(text)


def parse_socket_path(texts: Sequence[str]) -> Path:
    """Read the path of a Unix socket.

    Raises:
        UsageError: for an empty path, a control character, or one longer than systems allow.
    """
    text = texts[-1].removeprefix("unix:")
    if len(os.fsencode(text)) > _MAX_SOCKET_PATH_BYTES:
        raise UsageError(
            f"The socket path {text!r} is longer than {_MAX_SOCKET_PATH_BYTES} bytes.",
            hint="The operating system allows no more: use a shorter folder, such as "
            "/run/stlaunch.",
        )
    return parse_file_path((text,))


def parse_file_path(texts: Sequence[str]) -> Path:
    """Read the path of a file to write.

    Raises:
        UsageError: for an empty path or a control character in it.
    """
    text = texts[-1]
    if not text.strip() or not text.isprintable():
        raise UsageError(f"The path {text!r} is not usable.", hint="Write the path of a file.")
    return Path(text)


def parse_origins(texts: Sequence[str]) -> tuple[Origin, ...]:
    """Read origins, also several in one text with commas between them."""
    parts = (part for text in texts for part in re.split(r"[,\s]+", text.strip()))
    return tuple(dict.fromkeys(Origin.parse_setting(part) for part in parts))


def parse_base_paths(texts: Sequence[str]) -> tuple[BasePath, ...]:
    """Read paths, each once."""
    return tuple(dict.fromkeys(BasePath.parse(text.strip()) for text in texts))


def parse_origin_check(texts: Sequence[str]) -> OriginCheck:
    """Read `proof` or `strict`."""
    return _parse_choice(OriginCheck, texts, "origin check")


def parse_prefix(texts: Sequence[str]) -> PrefixRule:
    """Read what the proxy does to the public path."""
    return _parse_choice(PrefixRule, texts, "prefix")


def parse_transport(texts: Sequence[str]) -> Transport:
    """Read `auto`, `websocket` or `http`."""
    return _parse_choice(Transport, texts, "transport")


def parse_self_check(texts: Sequence[str]) -> SelfCheck:
    """Read who may use the diagnostic pages; `on` is `public`."""
    text = texts[-1].strip().lower()
    if text in YES | NO:
        return SelfCheck.PUBLIC if text in YES else SelfCheck.OFF
    return _parse_choice(SelfCheck, texts, "self-check")


def parse_self_check_token(text: str) -> str:
    """Read the token of the self-check.

    Raises:
        UsageError: for one that could be guessed, or cannot be sent in a header; never shown.
    """
    token = text.strip()
    if len(token) < _MIN_TOKEN or not token.isascii() or not token.isprintable():
        raise UsageError(
            f"The self-check token is not {_MIN_TOKEN} or more printable ASCII characters.",
            hint="Make one with: openssl rand -hex 16",
        )
    return token


def parse_log_format(texts: Sequence[str]) -> LogFormat:
    """Read `text` or `json`."""
    return _parse_choice(LogFormat, texts, "log format")


def parse_seconds(texts: Sequence[str]) -> float:
    """Read a time to wait, such as `20`, `0.5` or `20s`.

    Raises:
        UsageError: for anything but a number of seconds up to an hour.
    """
    text = texts[-1].strip()
    if not re.fullmatch(r"[0-9]{1,5}(\.[0-9]{1,3})?s?", text) or (
        float(text.removesuffix("s")) > _MAX_WAIT_S
    ):
        raise UsageError(
            f"The time {text!r} is not a number of seconds up to {_MAX_WAIT_S}.",
            hint="Write 20 for twenty seconds, 0 for no wait.",
        )
    return float(text.removesuffix("s"))


def parse_count(texts: Sequence[str]) -> int:
    """Read how many of something there may be, at least one.

    Raises:
        UsageError: for anything but a whole number from 1.
    """
    text = texts[-1].strip()
    if not re.fullmatch(r"[0-9]{1,7}", text) or not 1 <= int(text) <= _MAX_COUNT:
        raise UsageError(
            f"The number {text!r} is not a whole number from 1 to {_MAX_COUNT}.",
            hint="Write a number such as 100, or leave it out for no limit.",
        )
    return int(text)


def _parse_choice(choices: type[ChoiceT], texts: Sequence[str], name: str) -> ChoiceT:
    text = texts[-1].strip().lower()
    known = [choice.value for choice in choices]
    if text not in known:
        listed = " or ".join(known)
        raise UsageError(
            f"The {name} {text!r} is not {listed}.",
            hint=did_you_mean(text, known) or f"Write {known[0]} (the default).",
        )
    return choices(text)


def parse_flag(texts: Sequence[str]) -> bool:
    """Read a switch; the flag without a value means `on`."""
    return not texts[-1].strip() or parse_switch(texts)


def parse_switch(texts: Sequence[str]) -> bool:
    """Read `on` or `off`, and the other words that people use for them."""
    text = texts[-1].strip().lower()
    if text not in YES | NO:
        raise UsageError(f"The value {text!r} is neither on nor off.", hint="Write on or off.")
    return text in YES
