"""What to deploy: values that are safe to write into any of the generated files."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import PurePosixPath

from stlaunch.errors import UsageError
from stlaunch.proxies.stopping import DRAIN_S, stop_timeout_s
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls import streamlit_defaults
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import PublicUrl

PORT = streamlit_defaults.PORT
USER_ID = 10001
COOKIE_SECRET = "STREAMLIT_SERVER_COOKIE_SECRET"  # noqa: S105 - a name
"""The variable that gives all replicas one secret; its value is in no generated file."""

_MAX_REPLICAS = 100
# RFC 1123 labels, short enough for what Kubernetes and systemd append.
_NAME = re.compile(r"[a-z](?:[a-z0-9-]{0,38}[a-z0-9])?")
_SCRIPT = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_./-]*\.py")
# A repository, and a tag or a digest or both; https://pkg.go.dev/github.com/distribution/reference
_IMAGE = re.compile(
    r"(?:[a-z0-9.-]+(?::\d+)?/)?[a-z0-9]+(?:[._/-]+[a-z0-9]+)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9._-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)
_PATH = re.compile(r"/[A-Za-z0-9_.@+:/-]*(?: [A-Za-z0-9_.@+:/-]+)*")
# No character that is special to YAML, a shell, systemd or HAProxy; no percent-encoding.
_PUBLIC_PATH = re.compile(r"[A-Za-z0-9._~/-]*")


class DeployKind(StrEnum):
    """Where the app is to run."""

    COMPOSE = "compose"
    DOCKERFILE = "dockerfile"
    KUBERNETES = "kubernetes"
    SYSTEMD = "systemd"


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratedFile:
    """A file's name, relative to the output folder, and its text."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One app and how it is to be run.

    Attributes:
        name: of the service, the units, the image; a DNS label.
        script: relative to the app's folder, which is what an image holds.
        folder: the app's folder on this machine; systemd runs it from there.
        program: the `stlaunch` of this environment; likewise.
        base_path: the public path, or the first of several.
        public_url: where it is known.
        other_paths: the other public paths.
        detects_path: the public path is not known; the app finds it out.
        host: what an image listens on; empty where it needs no flags to listen at its default.
        port: likewise.
        drain_s: how long the app waits for running scripts when it is stopped.
        trusted: the peers that the project trusts, which may be behind the proxy at a socket.
        closed_folder: the one that keeps other users from the app or the program; empty for none.
        replicas: how many instances.
        image: what Compose builds and Kubernetes pulls.
        has_requirements: whether the folder has a requirements.txt.
        version: of stlaunch.

    Raises:
        UsageError: for a value that one of the generated files could misread.
    """

    name: str
    script: str
    folder: str
    program: str
    base_path: BasePath
    public_url: PublicUrl | None
    replicas: int
    image: str
    has_requirements: bool
    version: str
    other_paths: tuple[BasePath, ...] = ()
    detects_path: bool = False
    host: str = ""
    port: int = PORT
    drain_s: float = DRAIN_S
    closed_folder: str = ""
    trusted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require(_NAME, self.name, "name", "Give one with --name: letters a-z, digits and -.")
        _require(_IMAGE, self.image, "image", "Write it as registry.example.com/app:1.0.0.")
        if ":" not in self.image.rpartition("/")[2] or self.image.endswith(":latest"):
            raise UsageError(
                f"The image {self.image!r} is not pinned to a version: it can change at any time.",
                hint="Give it a version: --image registry.example.com/app:1.0.0",
            )
        if not _SCRIPT.fullmatch(self.script) or ".." in PurePosixPath(self.script).parts:
            raise UsageError(
                f"The script name {self.script!r} cannot be used in a deployment.",
                hint="Use letters, digits and . _ - in its name.",
            )
        for path in filter(None, (self.folder, self.program, self.closed_folder)):
            _require(_PATH, path, "path", "Move it to one of letters, digits and . _ - + @ : /.")
        for public in self.public_paths:
            if not _PUBLIC_PATH.fullmatch(public.value):
                raise UsageError(
                    f"The base path {public.value!r} cannot be used in a deployment.",
                    hint="Use letters, digits and . _ ~ - only.",
                )
        if not 1 <= self.replicas <= _MAX_REPLICAS:
            raise UsageError(
                f"The number of replicas cannot be {self.replicas}.",
                hint=f"Give a number from 1 to {_MAX_REPLICAS}: --replicas 3",
            )

    @property
    def public_paths(self) -> tuple[BasePath, ...]:
        """Every public path, the first one first."""
        return (self.base_path, *self.other_paths)

    @property
    def behind_proxy(self) -> tuple[str, ...]:
        """The flags that say where the app is reached: at its URL, or below its paths."""
        first = str(self.public_url) if self.public_url else self.base_path.value or "/"
        places = (first, *(path.value or "/" for path in self.other_paths))
        if self.detects_path:
            places = ("on",)
        return tuple(word for place in places for word in ("--behind-proxy", place))

    @property
    def command(self) -> tuple[str, ...]:
        """What follows `stlaunch` in an image."""
        listen = ("--host", self.host, "--port", str(self.port)) if self.host else ()
        return (self.script, *self.behind_proxy, *listen)

    @property
    def stop_s(self) -> int:
        """When the platform may kill an instance that has not ended by itself."""
        return stop_timeout_s(self.drain_s)


def _require(pattern: re.Pattern[str], text: str, what: str, hint: str) -> None:
    if not pattern.fullmatch(text):
        raise UsageError(f"The {what} {text!r} cannot be used in a deployment.", hint=hint)
