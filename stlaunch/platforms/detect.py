"""Recognise platforms from the environment and from files.

Pure: environment and files come in as arguments, and no value leaves this module, only names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stlaunch.platforms.kubernetes import is_service_address
from stlaunch.platforms.table import PLATFORMS
from stlaunch.quick_dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stlaunch.platforms.model import Certainty, Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A platform that was recognised."""

    platform: Platform
    evidence: tuple[str, ...]
    """Names of variables and files; never a value, which may be a secret."""
    certainty: Certainty
    source: str

    @property
    def decides(self) -> bool:
        """Whether anything may follow from it."""
        return self.certainty.decides


def detect_platforms(
    environ: Mapping[str, str],
    exists: Callable[[str], bool],
    *,
    platforms: Sequence[Platform] = PLATFORMS,
) -> tuple[Hit, ...]:
    """Return every platform that is recognised, the innermost first.

    Args:
        environ: the environment; a variable that is empty counts as not set, and so does the
            address that Kubernetes gives for a Service of the same name.
        exists: says whether a file or folder is there, as `os.path.exists` does.
        platforms: what to look for.
    """
    usable = {
        name: value
        for name, value in environ.items()
        if value.strip() and not is_service_address(value)
    }
    hits = []
    for platform in platforms:
        for sign in platform.signs:
            evidence = _evidence(sign.value.split(), usable, exists)
            if evidence is not None:
                hits.append(
                    Hit(
                        platform=platform,
                        evidence=evidence,
                        certainty=sign.certainty,
                        source=sign.source,
                    )
                )
                break
    return tuple(hits)


def _evidence(
    conditions: Sequence[str], environ: Mapping[str, str], exists: Callable[[str], bool]
) -> tuple[str, ...] | None:
    """Return what made all conditions true; None where one is not."""
    found: list[str] = []
    for condition in conditions:
        name, equals, wanted = condition.partition("=")
        if condition.startswith("!"):
            if condition[1:] in environ:
                return None
        elif condition.startswith("/"):
            if not exists(condition):
                return None
            found.append(condition)
        elif condition.endswith("*"):
            names = sorted(name for name in environ if name.startswith(condition[:-1]))
            if not names:
                return None
            found.append(names[0])
        elif name not in environ or (equals and environ[name].strip().lower() != wanted.lower()):
            return None
        else:
            found.append(condition)
    return tuple(found)
