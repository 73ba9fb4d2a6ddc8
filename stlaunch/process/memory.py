"""Read how much memory this process and its cgroup use, and the cgroup's limit."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from stlaunch.quick_dataclass import dataclass

ALMOST_FULL = 0.9
_CGROUPS = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_PAGES = Path("/proc/self/statm")
# cgroup v1 expresses "no limit" as a number near 2^63.
_NO_LIMIT = 1 << 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Memory in bytes, without what the kernel could drop at once (the file cache).

    Attributes:
        process_bytes: resident in this process.
        cgroup_bytes: used by the container, pod or service; None if that is not known.
        limit_bytes: what it may use before the kernel kills a process; None for no limit.
    """

    process_bytes: int
    cgroup_bytes: int | None = None
    limit_bytes: int | None = None

    @property
    def share(self) -> float | None:
        """The used part of the limit, 0 to 1; None without a limit."""
        if self.cgroup_bytes is None or not self.limit_bytes:
            return None
        return self.cgroup_bytes / self.limit_bytes

    @property
    def is_almost_full(self) -> bool:
        """Whether 90 % of the limit is used."""
        return self.share is not None and self.share >= ALMOST_FULL

    def as_dict(self) -> dict[str, int | float | None]:
        """Return it for a JSON report."""
        return {
            "process_bytes": self.process_bytes,
            "cgroup_bytes": self.cgroup_bytes,
            "limit_bytes": self.limit_bytes,
            "used_share": None if self.share is None else round(self.share, 3),
        }


def read_memory(*, cgroups: Path = _CGROUPS, own: Path = _OWN) -> Memory:
    """Read the current values; leave out the cgroup's if there are no cgroups (or their files).

    Of the cgroups around this process, the one closest to its limit counts.

    Args:
        cgroups: where the cgroup file system is mounted.
        own: the file that names this process's cgroups.
    """
    process = resident_bytes()
    found = [
        usage
        for folder in _folders(cgroups, own)
        if (usage := _read_v2(folder) or _read_v1(folder)) is not None
    ]
    limited = [usage for usage in found if usage[1]]
    if limited:
        used, limit = max(limited, key=lambda usage: usage[0] / (usage[1] or 1))
        return Memory(process_bytes=process, cgroup_bytes=used, limit_bytes=limit)
    return Memory(process_bytes=process, cgroup_bytes=found[0][0] if found else None)


def resident_bytes() -> int:
    """Return the resident memory of this process."""
    # psutil reports the same, but takes 22 ms to import and 0.9 MB, a cost for every start.
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # only Linux has this file
            return int(_PAGES.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    import psutil  # noqa: PLC0415

    return int(psutil.Process().memory_info().rss)


def _folders(cgroups: Path, own: Path) -> list[Path]:
    """Return the folders of our cgroup and of those around it, the innermost first.

    In a container the path may be the host's, which does not exist there: then the mount is ours.
    """
    try:
        lines = own.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    folders: list[Path] = []
    for line in lines:
        _, controllers, path = (*line.split(":", 2), "", "")[:3]
        if controllers and "memory" not in controllers.split(","):
            continue
        root = cgroups / "memory" if controllers else cgroups
        inner = root / path.strip("/")
        folders += [folder for folder in (inner, *inner.parents) if folder.is_relative_to(root)]
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def _read_v2(folder: Path) -> tuple[int, int | None] | None:
    used = _number(folder / "memory.current")
    if used is None:
        return None
    cache = _stat(folder, "inactive_file")
    return max(used - cache, 0), _number(folder / "memory.max")


def _read_v1(folder: Path) -> tuple[int, int | None] | None:
    used = _number(folder / "memory.usage_in_bytes")
    if used is None:
        return None
    limit = _number(folder / "memory.limit_in_bytes")
    cache = _stat(folder, "total_inactive_file")
    return max(used - cache, 0), limit if limit and limit < _NO_LIMIT else None


def _number(path: Path) -> int | None:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return None
    return int(text) if text.isdecimal() else None  # "max": no limit


def _stat(folder: Path, name: str) -> int:
    try:
        lines = (folder / "memory.stat").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return 0
    values = [line.split()[1] for line in lines if line.split()[:1] == [name]]
    return int(values[0]) if values else 0
