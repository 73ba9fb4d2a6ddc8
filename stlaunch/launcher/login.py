"""Check that `redirect_uri` in secrets.toml is the address that logins return to. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit

from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import PublicUrl

CALLBACK = "/oauth2callback"


def redirect_uri_warnings(
    given: str | None, *, public_url: PublicUrl | None, paths: Sequence[BasePath]
) -> list[str]:
    """Return what is wrong with `[auth].redirect_uri`, with the exact line to write.

    Args:
        given: its value; empty if `[auth]` has none, None if there is no `[auth]`.
        public_url: the public URL, if it is known.
        paths: the public paths, as far as known; logins return to the first one.
    """
    expected = None if given is None else _expected(given, public_url, paths)
    if expected is None or given == expected:
        return []
    said = f"is {given!r}" if given else "is missing"
    warning = (
        f"[auth].redirect_uri in secrets.toml {said}, but logins have to return to {expected}. "
        f'Write redirect_uri = "{expected}" and register the same address with the provider.'
    )
    return [warning]


def _expected(given: str, public_url: PublicUrl | None, paths: Sequence[BasePath]) -> str | None:
    if public_url is not None:
        base = paths[0] if paths else public_url.base_path
        return f"{public_url.origin}{base}{CALLBACK}"
    try:
        parts = urlsplit(given)
    except ValueError:  # such as `http://[x`, which Streamlit itself refuses
        return None
    if not parts.netloc:
        return None  # nobody has said what address the browser shows
    # Of an unconfirmed address, only the path can be evaluated.
    if paths:
        path = f"{paths[0]}{CALLBACK}"
    elif parts.path.endswith(CALLBACK):
        path = parts.path
    else:
        path = parts.path.rstrip("/") + CALLBACK
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))
