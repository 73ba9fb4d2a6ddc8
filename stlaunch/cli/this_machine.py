"""Find the app that `stlaunch check` checks when no URL is given: the one running here.

It reads the files that `stlaunch health` reads, and connects to nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

from stlaunch.errors import UsageError
from stlaunch.quick_dataclass import dataclass
from stlaunch.storage.running_apps import running

_EXAMPLE = "stlaunch check https://example.com/streamlitApp/"
_UNIX = "unix:"

# Open self-check and metrics: the verifying client may be one that the configuration lets in.
FOR_INSIDERS = ("STL807", "STL808")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningApp:
    """An app of this user and machine.

    Attributes:
        url: what is checked.
        is_public: whether that is what the browser shows; else it is the app's own address.
        direct: its own address, to compare; empty where there is none, or nothing to compare.
    """

    url: str
    is_public: bool
    direct: str = ""


def find_running_app(environ: Mapping[str, str]) -> RunningApp:
    """Return the only app that runs; replicas that share a public URL are one.

    Raises:
        UsageError: where none runs, or several do, or one that no URL leads to.
    """
    apps = {facts.get("public_url") or facts["url"]: facts for facts in running(environ)}
    if not apps:
        raise UsageError(
            "You gave no URL, and none of your apps runs on this machine.", hint=f"Run: {_EXAMPLE}"
        )
    if len(apps) > 1:
        raise UsageError(
            f"You gave no URL, and several of your apps run on this machine: {', '.join(apps)}.",
            hint="Name one: stlaunch check URL",
        )
    ((url, facts),) = apps.items()
    if url.startswith(_UNIX):
        raise UsageError(
            f"You gave no URL, and the app at {url} does not know its public URL.",
            hint=f"Give the address in the browser's address bar: {_EXAMPLE}",
        )
    own = "" if facts["url"].startswith(_UNIX) else facts["url"]
    is_public = "public_url" in facts
    return RunningApp(url=url, is_public=is_public, direct=own if own != url else "")
