"""Run a module where what Windows and macOS lack is hidden.

    python elsewhere.py python -m stlaunch app.py

It hides names, files and the event loop's signal handlers; it is no Windows. What Python's own
modules for Linux and psutil need of them, they have taken before.
"""

from __future__ import annotations

import _socket
import asyncio
import importlib.abc
import os
import runpy
import select
import signal
import socket
import subprocess  # noqa: F401 - takes its names of Linux now
import sys
import time
import warnings
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import psutil  # noqa: F401 - likewise

HIDDEN_MODULES = frozenset(
    {"crypt", "curses", "fcntl", "grp", "pty", "pwd", "readline", "resource", "spwd", "syslog",
     "termios", "tty"}
)  # fmt: skip
HIDDEN_IN_OS = (
    "O_CLOEXEC", "O_DIRECTORY", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "O_SYNC", "chown", "chroot",
    "confstr", "ctermid", "eventfd", "fchdir", "fchmod", "fchown", "fdatasync", "fork", "forkpty",
    "getegid", "geteuid", "getgid", "getgroups", "getloadavg", "getpgid", "getpgrp", "getpriority",
    "getrandom", "getresuid", "getsid", "getuid", "get_blocking", "initgroups", "killpg", "lchown",
    "lockf", "memfd_create", "mkfifo", "mknod", "nice", "openpty", "pidfd_open", "pipe2",
    "posix_fadvise", "posix_fallocate", "posix_spawn", "pread", "pwrite", "readv",
    "register_at_fork", "sched_getaffinity", "sched_setaffinity", "sched_yield", "sendfile",
    "set_blocking", "setegid", "seteuid", "setgid", "setgroups", "setpgid", "setpriority",
    "setresuid", "setsid", "setuid", "splice", "statvfs", "sync", "sysconf", "tcgetpgrp",
    "tcsetpgrp", "ttyname", "uname", "wait", "wait3", "wait4", "waitid", "writev",
)  # fmt: skip
SIGNALS_OF_WINDOWS = frozenset({"SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM"})
HIDDEN_IN_SIGNAL = (
    "alarm", "getitimer", "pause", "pthread_kill", "pthread_sigmask", "setitimer", "siginterrupt",
    "sigpending", "sigtimedwait", "sigwait", "sigwaitinfo",
)  # fmt: skip
HIDDEN_IN_SOCKET = ("CMSG_LEN", "MSG_DONTWAIT", "SCM_RIGHTS", "SO_PEERCRED", "SO_REUSEPORT")
HIDDEN_IN_SELECT = ("epoll", "poll")
HIDDEN_IN_TIME = ("CLOCK_BOOTTIME", "CLOCK_MONOTONIC", "CLOCK_REALTIME", "clock_gettime", "tzset")
HIDDEN_FILES = ("/proc", "/sys/fs/cgroup")
FILE_EVENTS = frozenset({"open", "os.listdir", "os.scandir"})


class _NotHere(importlib.abc.MetaPathFinder):
    def find_spec(self, name: str, _path: object, _target: object = None) -> ModuleSpec | None:
        if name in HIDDEN_MODULES:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return None


def hide() -> None:
    """Hide all of it from what is imported and called from now on."""
    for name in HIDDEN_MODULES:
        sys.modules.pop(name, None)
    sys.meta_path.insert(0, _NotHere())
    for name in HIDDEN_IN_OS:
        if hasattr(os, name):  # of 3.12 and 3.13 some are not in 3.11
            delattr(os, name)
    os.supports_dir_fd.clear()
    for name in [name for name in dir(signal) if name.startswith("SIG") and name[3] != "_"]:
        if name not in SIGNALS_OF_WINDOWS:
            delattr(signal, name)
    for module, names in (
        (signal, HIDDEN_IN_SIGNAL),
        (socket, HIDDEN_IN_SOCKET),
        (select, HIDDEN_IN_SELECT),
        (time, HIDDEN_IN_TIME),
    ):
        for name in names:
            delattr(module, name)
    # Windows makes pairs in another way; this loop's pair is of Linux.
    socket.socketpair = partial(socket.socketpair, socket.AF_UNIX)  # type: ignore[assignment]
    del socket.AF_UNIX, _socket.AF_UNIX
    asyncio.SelectorEventLoop.add_signal_handler = asyncio.AbstractEventLoop.add_signal_handler  # type: ignore[method-assign]
    for name in ("access", "lstat", "readlink", "stat"):
        setattr(os, name, _without_files(getattr(os, name)))
    sys.addaudithook(_refuse_files)


def _is_hidden(path: object) -> bool:
    text = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
    if not text.startswith(HIDDEN_FILES):
        return False
    frame: Any = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith("psutil"):
            return False  # there it asks the system in another way
        frame = frame.f_back
    return True


def _refuse_files(event: str, arguments: tuple[Any, ...]) -> None:
    if event in FILE_EVENTS and _is_hidden(arguments[0]):
        raise FileNotFoundError(2, "No such file or directory", arguments[0])


def _without_files(function: Any) -> Any:
    def asked(path: Any, *arguments: Any, **options: Any) -> Any:
        if _is_hidden(path):
            if function.__name__ == "access":
                return False
            raise FileNotFoundError(2, "No such file or directory", path)
        return function(path, *arguments, **options)

    return asked


if __name__ == "__main__":
    # Windows reads and writes text in another encoding, unless the code names one.
    warnings.filterwarnings("error", category=EncodingWarning, module=r"stlaunch(\.|$)")
    hide()
    sys.argv = sys.argv[3:]
    sys.path.insert(0, str(Path.cwd()))
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
