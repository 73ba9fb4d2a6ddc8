"""Request as many files at once as one page load does, which reveals a rate limit."""

from __future__ import annotations

import re
from itertools import cycle, islice

import anyio

from stlaunch.check.client import Client
from stlaunch.check.locations import resolve
from stlaunch.check.observations import Exchange, PageLoad
from stlaunch.diagnostics.page_load import MIN_REQUESTS

LIMITED = frozenset({429, 503})
_FILE = re.compile(r"""(?:src|href)=["']([^"']{1,500}static/(?:js|css)/[^"']{1,200})["']""")


def files_of(page: Exchange) -> tuple[str, ...]:
    """Return the paths of the page's own scripts and styles, each once."""
    here = resolve(page.url, "")
    places = (resolve(page.url, found) for found in _FILE.findall(page.text))
    return tuple(
        dict.fromkeys(
            place.path
            for place in places
            if place.netloc == here.netloc
            and place.path.isascii()
            and place.path.isprintable()
            and " " not in place.path
        )
    )


async def load_page(client: Client, page: Exchange, *, within_s: float) -> PageLoad | None:
    """Request the page's files, with HEAD, as often as a browser would; None without any.

    Args:
        client: bounds how many requests run at a time.
        page: names the files.
        within_s: requests not sent by then are left out.
    """
    files = files_of(page)
    if not files:
        return None
    answers: list[Exchange] = []

    async def ask(path: str) -> None:
        answers.append(await client.send("HEAD", path))

    with anyio.move_on_after(within_s):
        async with anyio.create_task_group() as tasks:
            for path in islice(cycle(files), MIN_REQUESTS):
                tasks.start_soon(ask, path)
    refused = [answer for answer in answers if answer.status in LIMITED]
    return PageLoad(
        asked=len(answers), refused=len(refused), refusal=refused[0] if refused else None
    )
