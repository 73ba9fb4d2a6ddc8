"""Whether this process runs inside a container; it reads nothing itself and grants nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# Docker and Podman leave these; /proc/self/cgroup says just "/" in today's containers.
_MARKER_FILES = ("/.dockerenv", "/run/.containerenv")
# `container`: systemd-nspawn, Podman and LXC. KUBERNETES_SERVICE_HOST: every pod.
_MARKER_VARIABLES = ("container", "KUBERNETES_SERVICE_HOST")


def is_in_container(environ: Mapping[str, str], exists: Callable[[str], bool]) -> bool:
    """Tell a container or a pod from an ordinary machine, by the marks that runtimes leave.

    Args:
        environ: the environment; a variable that is set but empty counts as not set.
        exists: tells whether a file is there, as `os.path.exists` does.
    """
    return any(environ.get(name) for name in _MARKER_VARIABLES) or any(map(exists, _MARKER_FILES))
