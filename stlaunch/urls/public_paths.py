"""Which paths the app is reached under: given, told by a proxy's header, or learned.

It knows nothing of what lies below them. Terms: the *public path* is what the browser shows; the
*mount path* is what arrives here, which is shorter where a proxy strips.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from stlaunch.urls.base_path import BasePath

_MAX_DEPTH = 8
_MAX_LEARNED = 32


class PrefixMode(StrEnum):
    """What the proxy did to the public path of one request."""

    KEPT = "kept"
    STRIPPED = "stripped"


@dataclass(frozen=True, slots=True)
class Location:
    """Where one request points to.

    Attributes:
        public: the public path, or None where it is not known (the app then serves relative
            addresses only).
        rest: what is asked below it: `/page2`; empty for the base without its slash.
        mode: kept or stripped.
        depth: the number of leading segments of the arrived path that are not part of `rest`.
    """

    public: BasePath | None
    rest: str
    mode: PrefixMode
    depth: int


@dataclass(slots=True)
class LearnedPaths:
    """A small bounded set of public paths, added to by pages that were really loaded.

    It is only an index of where Streamlit's own routes are looked for; it grants no trust. When
    it is full the path that was confirmed least often makes room, so that a scanner which comes
    first cannot keep the real one out.

    Attributes:
        on_change: called with all paths after each addition, to save and to log them.
    """

    on_change: Callable[[tuple[BasePath, ...]], None] | None = None
    _confirmations: dict[BasePath, int] = field(default_factory=dict)

    def restore(self, paths: Iterable[BasePath]) -> None:
        """Take over what an earlier process learned."""
        for path in list(paths)[:_MAX_LEARNED]:
            self._confirmations.setdefault(path, 1)

    def confirm(self, path: BasePath) -> None:
        """Count one page that was loaded below `path`."""
        if path.depth > _MAX_DEPTH:
            return
        if path in self._confirmations:
            self._confirmations[path] += 1
            return
        if len(self._confirmations) >= _MAX_LEARNED:
            del self._confirmations[min(self._confirmations, key=self._confirmations.__getitem__)]
        self._confirmations[path] = 1
        if self.on_change:
            self.on_change(self.paths)

    @property
    def paths(self) -> tuple[BasePath, ...]:
        """The paths, the deepest first."""
        return tuple(sorted(self._confirmations, key=lambda path: (-path.depth, path.value)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicPaths:
    """All that is known about the app's paths.

    Attributes:
        known: public paths that the user or the platform gave.
        mounts: other paths that may arrive, for a proxy that strips half.
        learned: used only where nothing is known and `is_learning`.
    """

    known: tuple[BasePath, ...] = ()
    mounts: tuple[BasePath, ...] = ()
    is_learning: bool = False
    learned: LearnedPaths = field(default_factory=LearnedPaths)

    def locate(self, path: str, prefix: BasePath | None = None) -> Location:
        """Find the public path and the rest of an arrived path.

        >>> paths = PublicPaths(known=(BasePath("/app"),))
        >>> [paths.locate(path).rest for path in ("/app/x", "/x", "//x", "/apple", "/app")]
        ['/x', '/x', '/x', '/apple', '']

        Args:
            path: decoded, as in `scope["path"]`. Doubled slashes at its start, and right after
                the public path, count as one.
            prefix: what a trusted proxy's header says; it counts for this request only, and
                never against a path that was given.
        """
        path = _collapse(path)
        told = () if self.known or prefix is None else (prefix,)
        public = (*self.known, *told, *(self.learned.paths if self.is_learning else ()))
        for base in sorted((*public, *self.mounts), key=lambda base: -base.depth):
            rest = base.strip_from(path)
            if rest is None or not base.value:
                continue
            if base in public:
                return Location(base, _collapse(rest), PrefixMode.KEPT, base.depth)
            only = self._public_of_stripped(prefix)
            return Location(only, _collapse(rest), PrefixMode.STRIPPED, base.depth)
        if BasePath() in self.known:
            return Location(BasePath(), path, PrefixMode.KEPT, 0)
        return Location(self._public_of_stripped(prefix), path, PrefixMode.STRIPPED, 0)

    def _public_of_stripped(self, prefix: BasePath | None) -> BasePath | None:
        if not self.known or prefix in self.known:
            return prefix
        return self.known[0] if len(self.known) == 1 else None


def _collapse(path: str) -> str:
    return "/" + path.lstrip("/") if path.startswith("//") else path
