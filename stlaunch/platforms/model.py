"""What is known about one platform, each fact with its source and certainty.

The facts themselves are in the files of the families (`editors`, `notebooks`, `hosting`,
`ingress`); nothing is looked up here.
"""

from __future__ import annotations

from enum import Enum, StrEnum
from typing import Generic, TypeVar

from stlaunch.quick_dataclass import dataclass

T = TypeVar("T")


class Certainty(StrEnum):
    """How a fact came to be known."""

    SOURCE = "read in source"
    DOCUMENTATION = "documentation"
    TRIED = "tried"
    MEMORY = "memory"
    """Shown as a hint, and never acted on."""

    @property
    def decides(self) -> bool:
        """Whether anything may follow from such a fact."""
        return self is not Certainty.MEMORY


@dataclass(frozen=True, slots=True)
class Fact(Generic[T]):
    """One thing that is known, how surely, and from where."""

    value: T
    certainty: Certainty
    source: str


def read(value: T, source: str) -> Fact[T]:
    """Return a fact read in source code."""
    return Fact(value, Certainty.SOURCE, source)


def documented(value: T, source: str) -> Fact[T]:
    """Return a fact from the platform's own documentation."""
    return Fact(value, Certainty.DOCUMENTATION, source)


def tried(value: T, source: str) -> Fact[T]:
    """Return a fact that was confirmed by trying it."""
    return Fact(value, Certainty.TRIED, source)


def recalled(value: T) -> Fact[T]:
    """Return a fact from memory, on which nothing may be based."""
    return Fact(value, Certainty.MEMORY, "memory")


class Layer(Enum):
    """How far a platform is from the app, the nearest first; the nearest one decides."""

    EDITOR = "notebook or web IDE"
    HOSTING = "hosting platform"
    INGRESS = "reverse proxy"
    ORCHESTRATOR = "orchestrator"
    CONTAINER = "container"


class Prefix(StrEnum):
    """What becomes of the public path on its way to the app."""

    NONE = "none"
    """The app has a host name of its own."""
    KEPT = "kept"
    STRIPPED = "stripped"
    EITHER = "stripped or kept"
    """The administrator's choice, or not known; both work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One platform.

    Signs are conditions separated by spaces, all of which must hold: `NAME` is set and not
    empty, `NAME=value`, `NAME_*` for any name that begins so, `!NAME` is not set, `/path` exists.
    Of several signs one is enough.

    Texts are filled in from the environment: `{NAME}`; `{NAME.host}`, `{NAME.port}` and
    `{NAME.path}` of a URL; `{port}`, the port that the app listens on, also inside of a name;
    `{NAME.path:old>new}` with a segment replaced; `{NAME?/}` with what counts where it is not
    set. ` or ` separates alternatives, of which the first usable one counts. One that names a
    variable which is not set is not usable.
    """

    name: str
    title: str
    layer: Layer
    signs: tuple[Fact[str], ...]
    port: Fact[str] | None = None
    host: Fact[str] | None = None
    """The address to listen on."""
    uds: Fact[str] | None = None
    """The Unix socket to listen on instead."""
    public_url: Fact[str] | None = None
    """An address; only its path counts where host or scheme cannot be known."""
    base_path: Fact[str] | None = None
    other_paths: Fact[tuple[str, ...]] | None = None
    """Further public paths that lead to the app."""
    mount_paths: Fact[tuple[str, ...]] | None = None
    """What is left of the public path where only a part of it is stripped."""
    prefix: Fact[Prefix] | None = None
    peers: Fact[tuple[str, ...]] | None = None
    """Who connects to the app, in the notation of `--trusted-proxies`."""
    prefix_headers: Fact[tuple[str, ...]] | None = None
    websocket: Fact[bool] | None = None
    idle_s: Fact[int] | None = None
    """How long a quiet connection is kept."""
    body_bytes: Fact[int] | None = None
    """The largest request body."""
    message_bytes: Fact[int] | None = None
    """The largest WebSocket message."""
    identity_headers: Fact[tuple[str, ...]] | None = None
    framed_by: Fact[str] | None = None
    """The origin of the page that shows the app in a frame."""
    switches_off: Fact[tuple[str, ...]] | None = None
    """Variables of Streamlit with which the platform itself switches protections off."""
    hint: str = ""
    """What else a person should know."""
