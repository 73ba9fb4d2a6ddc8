"""Describe one use of a private name: an entry with a check, and what happens without it.

The entries themselves are in `internals.py`. Nothing here knows Streamlit.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Iterable
from importlib.metadata import PackageNotFoundError, version
from typing import TypeVar

from stlaunch.quick_dataclass import dataclass

logger = logging.getLogger(__name__)

T = TypeVar("T")

# The exceptions when a name, a module or a signature is not what it used to be.
_MISFIT = (AttributeError, ImportError, TypeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touch:
    """One use of names that their project does not promise to keep.

    If one of them is missing, the feature is off, one log line says so, and the app starts.

    Attributes:
        feature: what is off without it, for the log line.
        purpose: why it is worth using.
        names: `module:Class.attribute`; an attribute that `__init__` sets counts as present.
        without: what a user sees instead, as a sentence.
        seen_in: the versions whose source was read.
    """

    feature: str
    purpose: str
    names: tuple[str, ...]
    without: str
    seen_in: str = "Streamlit 1.57 to 1.67"

    @property
    def fits(self) -> bool:
        """Whether all names exist; looked up once."""
        if self.feature not in _known:
            missing = next((name for name in self.names if not _is_there(name)), None)
            _known[self.feature] = missing is None
            if missing is not None:
                _say(self, f"has no {missing.replace(':', '.')}")
        return _known[self.feature]

    def attempt(self, action: Callable[[], T], otherwise: T) -> T:
        """Return the result of `action`, or `otherwise` if the internals turn out to differ."""
        if not self.fits:
            return otherwise
        try:
            return action()
        except _MISFIT as exc:
            _known[self.feature] = False
            _say(self, f"works differently inside ({type(exc).__name__}: {exc})")
            return otherwise


# A process has one Streamlit and one uvicorn, so each entry is looked up once.
_known: dict[str, bool] = {}
_unsaid: list[str] = []
_may_log = False


def report_misfits(touches: Iterable[Touch]) -> None:
    """Check all entries and log one line per misfit; from now on each is logged at once.

    Call it when the log is configured.
    """
    global _may_log  # noqa: PLW0603 - one log a process
    _may_log = True
    for touch in touches:
        _ = touch.fits
    while _unsaid:
        logger.warning("%s", _unsaid.pop(0))


def _say(touch: Touch, what: str) -> None:
    package = touch.names[0].partition(":")[0].partition(".")[0]
    try:
        which = f"{package} {version(package)}"
    except PackageNotFoundError:
        which = package
    line = f"{which} {what}: {touch.feature} is off. {touch.without}"
    if _may_log:
        logger.warning("%s", line)
    else:
        _unsaid.append(line)


def _is_there(name: str) -> bool:
    module, _, path = name.partition(":")
    try:
        found: object = importlib.import_module(module)
    except ImportError:
        return False
    for part in path.split("."):
        if not hasattr(found, part):
            return isinstance(found, type) and _is_set_by_init(found, part)
        found = getattr(found, part)
    return True


def _is_set_by_init(kind: type, name: str) -> bool:
    return any(
        name in getattr(vars(base).get("__annotations__"), "keys", tuple)()
        or name in getattr(getattr(vars(base).get("__init__"), "__code__", None), "co_names", ())
        for base in kind.__mro__
    )
