"""The golden files of generated configurations; `python -m tests.proxies.golden` writes them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from stlaunch.proxies.app_facts import AppFacts
from stlaunch.proxies.configuration import KINDS, generate
from stlaunch.proxies.model import Kind, recipe
from stlaunch.proxies.needs import Need
from stlaunch.proxies.site_options import Asked, plan_site

FOLDER = Path(__file__).parent / "golden"
URL = "https://example.com/streamlitApp"
REPLICAS = "10.0.0.1:8501,10.0.0.2:8501,10.0.0.3:8501"


@cache
def texts() -> dict[str, str]:
    """Return every golden file's name and what is generated now."""
    found: dict[str, str] = {}
    for kind in KINDS.values():
        found[f"{kind.name}.kept.txt"] = _text(kind, Asked(public_url=URL))
        found[f"{kind.name}.snippet.txt"] = _text(kind, Asked(public_url=URL, is_snippet=True))
        if Need.SECURITY_HEADERS in recipe(kind.product).parts:
            asked = Asked(public_url=URL, has_security_headers=True)
            found[f"{kind.name}.headers.txt"] = _text(kind, asked)
        if Need.HEADER_SIZE in recipe(kind.product).parts:
            found[f"{kind.name}.login.txt"] = _text(kind, Asked(public_url=URL), has_login=True)
        if kind.strips or kind.has_affinity:
            asked = Asked(
                public_url=URL,
                strip_prefix=kind.strips,
                replicas=REPLICAS if kind.has_affinity else None,
            )
            found[f"{kind.name}.other.txt"] = _text(kind, asked)
    return found


def _text(kind: Kind, asked: Asked, *, has_login: bool = False) -> str:
    configuration = generate(kind, plan_site(kind, asked, AppFacts(has_login=has_login)))
    return configuration.snippet if asked.is_snippet else configuration.text


if __name__ == "__main__":
    for name, text in texts().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
