"""Recognise what kind of page an answer is. Pure, and bounded by what the client kept."""

from __future__ import annotations

import json
import re

from stlaunch.check.observations import Exchange, Opening
from stlaunch.proxies.recognition import whose_page
from stlaunch.proxies.signs import PageKind

_STREAMLIT = re.compile(r"static/js/(?:index|main)[\w.-]*\.js", re.ASCII)
_OWN_TITLE = "<title>Streamlit</title>"
_STRIPPED = {"upgrade_stripped", "connection_stripped", "not_a_handshake"}

_PASSWORD = re.compile(r"""<input[^>]{0,300}type=["']?password""", re.IGNORECASE)
_LOGIN_PATH = re.compile(r"/(?:log-?in|sign-?in|sso|auth|oauth2|saml2?)(?:[/?.]|$)", re.IGNORECASE)


def is_streamlit(answer: Exchange | Opening | None) -> bool:
    """Return whether this is the page of a Streamlit app."""
    if answer is None:
        return False
    return _OWN_TITLE in answer.text or (
        _STREAMLIT.search(answer.text) is not None and 'id="root"' in answer.text
    )


def is_stlaunch(answer: Exchange | None) -> bool:
    """Return whether the page was sent by stlaunch."""
    return answer is not None and "/_stlaunch/page.js" in answer.text


def is_health(answer: Exchange | None) -> bool:
    """Return whether Streamlit itself says that it is alive."""
    return answer is not None and answer.is_ok and answer.text.strip() == "ok"


def is_own_404(answer: Exchange) -> bool:
    """Return whether this is Starlette's 404, as Streamlit answers, and not that of a proxy."""
    return answer.status == 404 and answer.text.strip() == "Not Found"  # noqa: PLR2004 - HTTP


def is_html(answer: Exchange) -> bool:
    """Return whether the body is a page, whatever its type says."""
    return re.match(r"\s*(?:<!--.{0,2000}?-->\s*)?<(?:!doctype html|html)", answer.text,
                    re.IGNORECASE | re.DOTALL) is not None  # fmt: skip


def has_absolute_assets(page: Exchange) -> bool:
    """Return whether the page works from an address without its slash."""
    return re.search(r"""(?:src|href)=["']/[^"']*static/js/""", page.text) is not None


def asset_base(page: Exchange) -> str | None:
    """Return the path below which the page's absolute asset URLs are; None if it has none."""
    found = re.search(r"""(?:src|href)=["']((?:/[^"'/]+)*)/static/js/""", page.text)
    return found[1] if found else None


def login_of(answer: Exchange) -> str:
    """Name the owner of this login page, or of the redirect to one; empty if it is neither."""
    if answer.status == 401 and (scheme := answer.header("www-authenticate")):  # noqa: PLR2004
        return f"{scheme.split()[0]} authentication"
    place = answer.header("location") if answer.is_redirect else ""
    text = place or answer.text
    if is_streamlit(answer):
        return ""
    if name := whose_page(PageKind.LOGIN, text):
        return name
    if (place and _LOGIN_PATH.search(place)) or (not place and _PASSWORD.search(text)):
        return "a login form"
    return ""


def default_page_of(answer: Exchange) -> str:
    """Name the product whose default page this is; empty if it is none."""
    return whose_page(PageKind.DEFAULT, answer.text)


def refusal_of(answer: Exchange | Opening) -> str:
    """Name the firewall whose refusal this is; empty where it is not known."""
    return whose_page(PageKind.REFUSAL, answer.text)


def stripped_by_stlaunch(opening: Opening) -> list[str] | None:
    """Return what stlaunch says was missing in a handshake; None where it did not say that."""
    if opening.status != 426:  # noqa: PLR2004 - Upgrade Required
        return None
    try:
        answer = json.loads(opening.text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict) or answer.get("verdict") not in _STRIPPED:
        return None
    missing = answer.get("missing")
    return [str(name)[:40] for name in missing[:5]] if isinstance(missing, list) else []


def refused_by_stlaunch(opening: Opening | Exchange) -> str:
    """Return the code with which stlaunch refused it; empty where it did not."""
    try:
        answer = json.loads(opening.text)
    except (ValueError, RecursionError):
        return ""
    is_ours = isinstance(answer, dict) and answer.get("schema") == "stlaunch.refusal/1"
    return str(answer.get("code"))[:6] if is_ours else ""


def title_of(answer: Exchange | Opening) -> str:
    """Return the page's title, or the beginning of its text, as evidence."""
    found = re.search(r"<title[^>]{0,100}>([^<]{0,120})", answer.text, re.IGNORECASE)
    shown = found[1] if found else answer.text[:80]
    return " ".join(shown.split())[:80]
