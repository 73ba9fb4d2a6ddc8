"""Sort the arguments: ours, Streamlit's, the script's; nothing is validated here."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from stlaunch.errors import UsageError
from stlaunch.quick_dataclass import dataclass
from stlaunch.settings.fields import FIELDS
from stlaunch.settings.parsers import NO, YES
from stlaunch.settings.target import is_import_string
from stlaunch.urls.origin import is_url

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_OPTIONAL_VALUE = frozenset(field.flag for field in FIELDS if field.value_is_optional)
_SWITCHES = frozenset(field.flag for field in FIELDS if field.choices == ("on", "off"))
_TAKES_VALUE = frozenset(field.flag for field in FIELDS) - _OPTIONAL_VALUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Arguments:
    """The words of one command line, sorted; the order within each list is kept."""

    own: list[str]
    """For our own parser; an optional value is joined to its flag: `--behind-proxy=/app`."""
    streamlit_flags: list[tuple[str, str]]
    """`("server.headless", "true")`."""
    script_args: list[str]
    """Everything after `--`."""


def split_arguments(
    argv: Sequence[str], *, exists: Callable[[str], bool] = os.path.exists
) -> Arguments:
    """Sort the words of a run command.

    >>> sorted_words = split_arguments("--behind-proxy app.py --a.b=c -- --fast".split())
    >>> sorted_words.own, sorted_words.streamlit_flags, sorted_words.script_args
    (['--behind-proxy=', 'app.py'], [('a.b', 'c')], ['--fast'])

    Args:
        argv: the words after the program's name.
        exists: whether a word names a file or folder.

    Raises:
        UsageError: for a flag without its value.
    """
    words = list(argv)
    script_args: list[str] = []
    if "--" in words:
        end = words.index("--")
        words, script_args = words[:end], words[end + 1 :]
    own: list[str] = []
    flags: list[tuple[str, str]] = []
    has_app = False
    words.reverse()
    while words:
        word = words.pop()
        if _is_streamlit_flag(word):
            flags.append(_streamlit_flag(word, words))
        elif word in _OPTIONAL_VALUE & _SWITCHES:
            is_value = bool(words) and words[-1].lower() in YES | NO
            own.append(f"{word}={words.pop() if is_value else ''}")
        elif word in _OPTIONAL_VALUE:
            is_value = bool(words) and _is_path_or_url(words[-1], has_app=has_app, exists=exists)
            own.append(f"{word}={words.pop() if is_value else ''}")
        elif word in _TAKES_VALUE:
            own.extend([word, _value_of(word, words)])
        else:
            own.append(word)
            has_app = has_app or not word.startswith("-")
    return Arguments(own=own, streamlit_flags=flags, script_args=script_args)


def _is_streamlit_flag(word: str) -> bool:
    return word.startswith("--") and "." in word.partition("=")[0]


def _streamlit_flag(word: str, following: list[str]) -> tuple[str, str]:
    name, equals, value = word[2:].partition("=")
    if equals:
        return name, value
    return name, _value_of(word, following)


def _value_of(flag: str, following: list[str]) -> str:
    if not following or following[-1].startswith("--"):
        hint = f"Write {flag} VALUE or {flag}=VALUE"
        raise UsageError(
            f"The flag {flag} needs a value.",
            hint=f"{hint}; a switch takes true or false." if _is_streamlit_flag(flag) else hint,
        )
    return following.pop()


def _is_path_or_url(word: str, *, has_app: bool, exists: Callable[[str], bool]) -> bool:
    """Return whether a word is the value of `--behind-proxy`, not the app after it."""
    if is_url(word):
        return True
    if not word or word.startswith("-") or word.endswith(".py"):
        return False
    # A container often has a folder /app, and a project one named like its public path: an
    # absolute path, and anything that follows the app, is still the value.
    return word.startswith("/") or has_app or not (exists(word) or is_import_string(word))
