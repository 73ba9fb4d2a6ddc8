"""Describe and list this user's running apps on this machine, as small files in the state folder.

Standard library only: `stlaunch health` reads them every few seconds. It starts and stops nothing.
"""

from __future__ import annotations

import os

from stlaunch.storage.state_roots import readable_roots

FOLDER = "running"
_MAX_BYTES = 10_000
_GONE = "gone"


def describe(pid: int, url: str, public_url: str = "") -> str:
    """Return the contents of a process's file.

    Args:
        pid: the process that listens.
        url: `http://127.0.0.1:8501/app/`, or `unix:/run/app.sock:/app/`.
        public_url: the address in the browser; empty if that is not known.
    """
    process = f"pid {pid}\nstarted {_started(pid)}\nnamespace {namespace()}\n"
    public = f"public_url {public_url}\n" if public_url else ""
    return f"{process}url {url}\n{public}"


def running_urls(environ: object) -> list[str]:
    """Return the addresses of all running apps, in the order of their process ids."""
    return [facts["url"] for facts in running(environ)]


def running(environ: object) -> list[dict[str, str]]:
    """Return the facts of all running apps, in the order of their process ids."""
    found: dict[int, dict[str, str]] = {}
    for root in readable_roots(environ):
        folder = f"{root}/{FOLDER}"
        try:
            names = os.listdir(folder)  # noqa: PTH208
        except OSError:
            continue
        for name in names:
            facts = read(f"{folder}/{name}")
            if is_alive(facts):
                found[int(facts["pid"])] = facts
    return [found[pid] for pid in sorted(found)]


def read(path: str) -> dict[str, str]:
    """Return the facts in one file; empty if it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            lines = file.read(_MAX_BYTES).splitlines()
    except (OSError, ValueError):
        return {}
    return dict(line.split(" ", 1) for line in lines if " " in line)


def is_alive(facts: dict[str, str]) -> bool:
    """Return whether the process that wrote the facts still runs, and is not a later one."""
    pid = facts.get("pid", "")
    if not pid.isdecimal() or "url" not in facts:
        return False
    # A process id is reused, and means a different process in another container or machine.
    started = facts.get("started", _GONE)
    return (
        started != _GONE and facts.get("namespace") == namespace() and started == _started(int(pid))
    )


def _started(pid: int) -> str:
    """Return when a process started; `gone` for one that does not run."""
    if ticks := _ticks(pid):
        return ticks
    if _ticks(os.getpid()):
        return _GONE
    import psutil  # noqa: PLC0415 - slow to import, and Linux can do without

    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except psutil.Error:
        return _GONE


def _ticks(pid: int) -> str:
    """Return when a process started, in the kernel's ticks; only Linux has a file for that."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return ""


def namespace() -> str:
    """Return what process ids belong to: a container on a machine since it was started."""
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
            return f"{file.read().strip()} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115
    except OSError:
        return "unknown"
