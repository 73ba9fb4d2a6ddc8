"""Read the snippets of ingress-nginx: what they add to the configuration around the app. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from stlaunch.lint.nginx.parse import Directive, parse_nginx

_PAIR = 2


def snippet_directives(text: str) -> list[Directive]:
    """Return the directives outside any block: an `if` or a `location` may be for others only.

    Raises:
        UsageError: for what nginx would refuse.
    """
    return [one for one in parse_nginx(text, Path("snippet")) if one.block is None]


def added_headers(directives: list[Directive]) -> Iterator[tuple[str, str]]:
    """Yield the response headers that `add_header` and `more_set_headers` add to the page.

    `more_set_headers -s 404 "Name: value"` may be for other responses, and is left out.
    """
    for one in directives:
        if one.name == "add_header" and len(one.args) >= _PAIR:
            yield one.args[0], one.args[1]
        elif one.name == "more_set_headers" and not any(arg.startswith("-") for arg in one.args):
            for header in one.args:
                name, _, value = header.partition(":")
                yield name.strip(), value.strip()


def hides_origin(directives: list[Directive]) -> bool:
    """Return whether the app gets another Origin than the browser's."""
    return any(
        one.name == "proxy_set_header"
        and one.args[0].lower() == "origin"
        and one.args[1] != "$http_origin"
        for one in directives
    )
