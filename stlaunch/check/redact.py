"""Make a report safe to paste: secrets and addresses masked, texts short, no control characters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

MASK = "(masked)"
_SECRET_HEADERS = frozenset(
    {
        "authorization",
        "proxy-authorization",
        "cookie",
        "set-cookie",
        "sec-websocket-key",
        "sec-websocket-accept",
        "x-xsrftoken",
        "x-amz-cf-id",
        "cf-ray",
    }
)
_SECRET_NAME = re.compile(r"token|secret|api-?key|password|session", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"""(data-tokens=["'])[^"']*|([?&][\w.-]+=)[^&\s"'<>]+|(Bearer\s+)[\w.~+/=-]+""", re.IGNORECASE
)
_ADDRESS = re.compile(
    r"(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f.]{0,15}|\d{1,3}(?:\.\d{1,3}){3}", re.ASCII
)
_KEPT_PROTOCOLS = {"streamlit", "PLACEHOLDER_AUTH_TOKEN"}
_TEXT = 400
_VALUE = 300


def redacted(value: Any, *, secret_headers: Iterable[str] = ()) -> Any:
    """Return a masked copy of `Observations.as_dict()`.

    Args:
        value: JSON-able.
        secret_headers: names that the user gave with --header; their values are private.
    """
    return _masked(value, _SECRET_HEADERS | {name.lower() for name in secret_headers})


def printable(text: str, *, keep_newlines: bool = False) -> str:
    """Show control characters instead of letting a server control the terminal."""
    return "".join(
        char if char.isprintable() or (keep_newlines and char == "\n") else repr(char)[1:-1]
        for char in text
    )


def safe_text(text: str) -> str:
    """Return a sentence with its secrets masked and its control characters shown."""
    return printable(_without_secrets(text), keep_newlines=True)


def _masked(value: Any, secret: frozenset[str], key: str = "") -> Any:
    match value:
        case Mapping():
            return {name: _masked(item, secret, str(name)) for name, item in value.items()}
        case str() if key == "text":
            return printable(_without_secrets(value[:_TEXT]))
        case str() if key in {"url", "location"}:
            return printable(without_query(value))
        case str() if key in {"client", "peer", "value"}:
            return without_addresses(safe_text(value[:_VALUE]))
        case str():
            return printable(_without_secrets(value[:_VALUE]))
        case Sequence() if key in {"headers", "sent", "arrived"}:
            return [[name, _header(str(name), str(text), secret)] for name, text in value]
        case Sequence():
            return [_masked(item, secret, key) for item in value]
        case _:
            return value


def _header(name: str, text: str, secret: frozenset[str]) -> str:
    if name in {"cookie", "set-cookie"}:
        return _without_cookie_values(name, text)
    if name in secret or _SECRET_NAME.search(name):
        return MASK
    if name == "sec-websocket-protocol":
        parts = [part.strip() for part in text.split(",")]
        return ", ".join(part if part in _KEPT_PROTOCOLS else MASK for part in parts)
    if name == "location":
        return printable(without_query(text))
    return printable(without_addresses(_without_secrets(text[:_VALUE])))


def _without_cookie_values(name: str, text: str) -> str:
    first, *rest = text.split(";")
    if name == "cookie":
        names = (part.partition("=")[0].strip() for part in (first, *rest))
        return printable("; ".join(f"{one}={MASK}" for one in names))[:_VALUE]
    attributes = ";".join(rest)
    return printable(f"{first.partition('=')[0]}={MASK}" + (f";{attributes}" if rest else ""))[
        :_VALUE
    ]


def without_query(url: str) -> str:
    """Return a URL without user information, and with its query masked."""
    try:
        split = urlsplit(url[:2000])
    except ValueError:
        return MASK
    place = split.netloc.rpartition("@")[2]
    query = f"?{MASK}" if split.query else ""
    scheme = f"{split.scheme}:" if split.scheme else ""
    return f"{scheme}{f'//{place}' if place else ''}{split.path}{query}"


def _without_secrets(text: str) -> str:
    return _SECRET_TEXT.sub(
        lambda match: next(group for group in match.groups() if group) + MASK, text
    )


def without_addresses(text: str) -> str:
    """Mask public IP addresses in a text: they identify somebody."""
    return _ADDRESS.sub(lambda match: MASK if _is_public(match[0]) else match[0], text)


def _is_public(text: str) -> bool:
    try:
        return ip_address(text).is_global
    except ValueError:
        return False
