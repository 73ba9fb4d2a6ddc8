"""Which public paths the app has: configured, from a proxy's header, or learned.

It knows nothing of what lies below them. Terms: the *public path* is what the browser shows; the
*mount path* is what arrives here, which is shorter where a proxy strips.

Behind a proxy that strips, `/app/app/x` in the browser arrives as `/app/x`, which a rule for
`/app/x` in the proxy does not match: so the mode is decided, and then the other form is not served.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import field, replace
from enum import StrEnum
from urllib.parse import unquote

from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.streamlit_routes import STATIC_FILES, is_for_page

_MAX_DEPTH = 8
_MAX_LEARNED = 32
_MAX_WITNESSES = 8
_AGAIN = "again"


class PrefixMode(StrEnum):
    """What the proxy did to the public path of one request."""

    KEPT = "kept"
    STRIPPED = "stripped"


class PrefixRule(StrEnum):
    """Which forms of the public path are served."""

    AUTO = "auto"
    """Both, until the first page that is loaded through a proxy that strips: then only stripped."""
    KEPT = "kept"
    """Only paths below the public path."""
    STRIPPED = "stripped"
    """Only what is left after stripping."""
    BOTH = "both"
    """Both, always: one proxy keeps the path, another one strips it."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where one request points to.

    Attributes:
        public: the public path, or None where it is not known (the app then serves relative
            addresses only).
        rest: what is asked below it: `/page2`; empty for the base without its slash.
        mode: kept or stripped.
        depth: the number of leading segments of the arrived path that are not part of `rest`.
        is_doubled: a slash in front of the public path, or right after it, came twice.
    """

    public: BasePath | None
    rest: str
    mode: PrefixMode
    depth: int
    is_doubled: bool = False


@dataclass(slots=True)
class LearnedPaths:
    """A small bounded set of public paths, added to by pages that were really loaded.

    It is only an index of where Streamlit's own routes are looked for; it grants no trust. When
    it is full, the newest of those that the fewest clients confirmed makes room: a scanner that
    comes first cannot keep the real one out, and one that comes later evicts only its own.

    Attributes:
        on_change: called with all paths after each addition, to save and to log them.
    """

    on_change: Callable[[tuple[BasePath, ...]], None] | None = None
    _witnesses: dict[BasePath, set[str]] = field(default_factory=dict)

    def restore(self, paths: Iterable[BasePath]) -> None:
        """Take over what an earlier process learned."""
        for path in list(paths)[:_MAX_LEARNED]:
            self._witnesses.setdefault(path, {"an earlier process", "its visitors"})

    def confirm(self, path: BasePath, by: str = "") -> None:
        """Note one page that a client, whose address `by` names, loaded below `path`."""
        if path.depth > _MAX_DEPTH:
            return
        witnesses = self._witnesses.get(path)
        if witnesses is not None:
            # A second page of the same client counts once, however many follow.
            if len(witnesses) < _MAX_WITNESSES:
                witnesses.add(by if by not in witnesses else _AGAIN)
            return
        if len(self._witnesses) >= _MAX_LEARNED:
            fewest = min(map(len, self._witnesses.values()))
            newest = next(
                key for key in reversed(self._witnesses) if len(self._witnesses[key]) == fewest
            )
            del self._witnesses[newest]
        self._witnesses[path] = {by}
        if self.on_change:
            self.on_change(self.paths)

    @property
    def paths(self) -> tuple[BasePath, ...]:
        """The paths, the deepest first."""
        return tuple(sorted(self._witnesses, key=lambda path: (-path.depth, path.value)))


@dataclass(slots=True)
class SeenModes:
    """What proxies did to each public path, as pages that were really loaded show.

    A visitor can forge a kept path by doubling it, through a proxy that strips. So a kept path
    never shuts out stripped requests. A stripped one can be forged only through a proxy that keeps
    the path and also passes on paths outside of it; where kept came first, both stay possible.
    A restart forgets it all: a proxy whose configuration was changed works again then.

    Attributes:
        on_conflict: called with a path that was kept first, and stripped later.
        glued: mount and public paths after which a proxy leaves out the slash.
    """

    on_conflict: Callable[[BasePath], None] | None = None
    glued: set[BasePath] = field(default_factory=set)
    _first: dict[BasePath, PrefixMode] = field(default_factory=dict)
    _single: dict[tuple[BasePath, PrefixMode], bool] = field(default_factory=dict)
    _conflicts: set[BasePath] = field(default_factory=set)
    _pages: set[BasePath] = field(default_factory=set)

    def note(self, path: BasePath, mode: PrefixMode) -> None:
        """Take one loaded page into account; what came first stays."""
        if not path.value or path.depth > _MAX_DEPTH:
            return
        first = self._first.get(path)
        if first is None and len(self._first) < _MAX_LEARNED:
            self._first[path] = mode
        elif first is PrefixMode.KEPT and mode is PrefixMode.STRIPPED:
            if path not in self._conflicts and self.on_conflict:
                self.on_conflict(path)
            self._conflicts.add(path)

    def note_page(self, path: BasePath) -> None:
        """Take one loaded page into account, by the path below which it arrived.

        Only paths with none above them count: what a visitor invents is below the real one.
        """
        if path.depth <= _MAX_DEPTH and path not in self._pages and not self.page_above(path):
            self._pages = {one for one in self._pages if not _is_below(one, path)} | {path}
            if len(self._pages) > _MAX_LEARNED:
                self._pages.remove(max(self._pages, key=lambda one: (one.depth, one.value)))

    def page_above(self, path: BasePath) -> BasePath | None:
        """Return the path that this one is below and that pages were loaded from."""
        return next((one for one in self._pages if _is_below(path, one)), None)

    def note_slashes(self, location: Location) -> None:
        """Take one loaded page into account: `location /app` passed to `http://up/` doubles them.

        What came first stays: with such a proxy, a visitor can write the single form as well.
        """
        if location.public is not None and len(self._single) < _MAX_LEARNED:
            self._single.setdefault((location.public, location.mode), not location.is_doubled)

    def refuses_slashes(self, location: Location) -> bool:
        """Return whether a slash is doubled, though not by a proxy: the first page had single ones.

        The front page itself has no rule that could be bypassed.
        """
        if not location.is_doubled or location.public is None or location.rest in {"", "/"}:
            return False
        return self._single.get((location.public, location.mode), False)

    @property
    def first(self) -> Mapping[BasePath, PrefixMode]:
        """What was seen first, by path."""
        return self._first

    def __getitem__(self, path: BasePath) -> PrefixMode | None:
        """Return what was seen first of a path; None before the first page."""
        return self._first.get(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicPaths:
    """All that is known about the app's paths.

    Attributes:
        known: public paths that the user or the platform gave.
        mounts: other paths that may arrive, for a proxy that strips half.
        learned: used only where nothing is known and `is_learning`.
        rule: `--prefix`.
        seen: what `--prefix auto` goes by.
    """

    known: tuple[BasePath, ...] = ()
    mounts: tuple[BasePath, ...] = ()
    is_learning: bool = False
    learned: LearnedPaths = field(default_factory=LearnedPaths)
    rule: PrefixRule = PrefixRule.AUTO
    seen: SeenModes = field(default_factory=SeenModes)

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
        is_doubled, path = path.startswith("//"), _collapse(path)
        forwarded = () if self.known or prefix is None else (prefix,)
        public = (*self.known, *forwarded, *(self.learned.paths if self.is_learning else ()))
        for base in sorted((*public, *self.mounts), key=lambda base: -base.depth):
            rest = base.strip_from(path)
            if rest is None or not base.value:
                continue
            is_doubled |= rest.startswith("//")
            if base in public:
                return Location(base, _collapse(rest), PrefixMode.KEPT, base.depth, is_doubled)
            only = self._public_of_stripped(prefix)
            return Location(only, _collapse(rest), PrefixMode.STRIPPED, base.depth, is_doubled)
        if BasePath() in self.known:
            return Location(BasePath(), path, PrefixMode.KEPT, 0, is_doubled)
        return Location(self._public_of_stripped(prefix), path, PrefixMode.STRIPPED, 0, is_doubled)

    @property
    def is_stripped(self) -> bool:
        """Whether pages came stripped, and none kept, before any path was given or learned."""
        if self.rule is PrefixRule.STRIPPED:
            return True
        modes = set(self.seen.first.values())
        return self.rule is PrefixRule.AUTO and modes == {PrefixMode.STRIPPED}

    def glued_base(self, path: str) -> BasePath | None:
        """Return the base to which a proxy glued what follows: `/app_stcore/health` for `/app`.

        nginx does that where `/app/` is passed to `http://up/app`. A visitor can write the same
        where a proxy passes on all that begins with `/app`, and so bypass its rules for paths below
        `/app/`. So only what every page needs is understood, and nothing once a page was
        loaded with its slash, or where the user says what the proxy does.

        >>> paths = PublicPaths(known=(BasePath("/app"),))
        >>> [bool(paths.glued_base(p)) for p in ("/app_stcore/health", "/app_stcore/metrics")]
        [True, False]

        Args:
            path: decoded, as it arrived.
        """
        if self.rule is not PrefixRule.AUTO or self.seen.first:
            return None
        for base in sorted((*self.known, *self.mounts), key=lambda base: -base.depth):
            if not base.value or not path.startswith(base.decoded):
                continue
            rest = path[len(base.decoded) :]
            # Without its slash the page itself arrives, too; and what our redirect then leads to.
            is_page = base in self.seen.glued and not rest
            is_plain = _segments(rest) == rest.split("/")
            if is_page or is_redirected(base, path) or (is_plain and is_for_page("/" + rest)):
                return base
        return None

    def resolve(self, location: Location, path: str) -> Location | None:
        """Return where a request points to in the mode that is decided; None for the other form.

        A path that is decided as stripped is taken as it came: `/app/static/x` below `/app` is then
        the file that the browser calls `/app/app/static/x`. Before anything is decided, a doubled
        path, and the path in an odd spelling, is neither form. Doubled slashes, which a proxy's
        rule for one path may not match, are refused once a page came without them.

        >>> paths = PublicPaths(known=(BasePath("/app"),))
        >>> [bool(paths.resolve(paths.locate(p), p)) for p in ("/app/x", "/x", "/app/app/x")]
        [True, True, False]

        Args:
            location: what `locate` found.
            path: decoded, as it arrived.
        """
        if self.seen.refuses_slashes(self._as_noted(location)):
            return None
        if not any(base.value for base in self.known):
            return location
        is_kept = location.mode is PrefixMode.KEPT
        if self.rule is PrefixRule.KEPT:
            return location if is_kept or location.depth else None
        base = location.public
        if is_kept and base is not None and base.value:
            first = self.seen[base]
            if self.rule is PrefixRule.STRIPPED or (
                self.rule is PrefixRule.AUTO and first is PrefixMode.STRIPPED
            ):
                return self._as_it_came(base, path)
            # Where a page was loaded below the kept path, `/app/app` is a page of that name.
            is_open = self.rule is PrefixRule.AUTO and first is None
            is_refused = is_open and self._is_doubled(location.rest)
            return None if is_refused or not path.startswith(base.decoded) else location
        is_odd = not location.depth and self._starts_with_base(path)
        # `/App` alone is a page of that name, below `/app`.
        return None if is_odd and _segments(path) != [path[1:]] else location

    def note_slashes(self, location: Location) -> None:
        """Take one loaded page into account: see `SeenModes.note_slashes`."""
        self.seen.note_slashes(self._as_noted(location))

    def _as_noted(self, location: Location) -> Location:
        """Leave out what a visitor's prefix header says, where no path is known to compare it."""
        is_stripped = not self.known and location.mode is PrefixMode.STRIPPED
        return replace(location, public=BasePath()) if is_stripped else location

    def _as_it_came(self, base: BasePath, path: str) -> Location | None:
        if _segments(path) != path.split("/")[1:]:
            return None
        return Location(base, path, PrefixMode.STRIPPED, 0)

    def _is_doubled(self, rest: str) -> bool:
        # The app's own public files: no rule is bypassed where the base is `/app` itself.
        if rest.startswith(STATIC_FILES) and _segments(rest) == rest.split("/")[1:]:
            return False
        return self._starts_with_base(rest)

    def _starts_with_base(self, path: str) -> bool:
        """Return whether a path is below a public one, however that is spelled."""
        folded = [segment.casefold() for segment in _segments(path)]
        return any(
            base.value and folded[: base.depth] == base.decoded.casefold().split("/")[1:]
            for base in self.known
        )

    def _public_of_stripped(self, prefix: BasePath | None) -> BasePath | None:
        if not self.known or prefix in self.known:
            return prefix
        return self.known[0] if len(self.known) == 1 else None


def is_redirected(base: BasePath, path: str) -> bool:
    """Return whether this is `/app/app/`, to which `/app` was redirected, without its slash."""
    return path == base.decoded + base.decoded.rpartition("/")[2] + "/"


def _is_below(path: BasePath, other: BasePath) -> bool:
    return path.decoded != other.decoded and other.strip_from(path.decoded) is not None


def _segments(path: str) -> list[str]:
    """Return what a lenient server makes of a path: unescaped, without empty and dot segments."""
    segments: list[str] = []
    for segment in unquote(path).replace("\\", "/").split("/"):
        if segment == "..":
            del segments[-1:]
        elif segment not in {"", "."}:
            segments.append(segment)
    return segments


def _collapse(path: str) -> str:
    return "/" + path.lstrip("/") if path.startswith("//") else path
