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
import signal
import socket
import subprocess  # noqa: F401 - takes its names of Linux now
import sys
import warnings
from functools import partial
from importlib.machinery import ModuleSpec
from pathlib import Path
from typing import Any

import psutil  # noqa: F401 - likewise

HIDDEN_MODULES = frozenset({"fcntl", "grp", "pwd", "resource", "syslog", "termios", "tty"})
HIDDEN_IN_OS = (
    "O_CLOEXEC", "O_DIRECTORY", "O_NOCTTY", "O_NOFOLLOW", "O_NONBLOCK", "chown", "fchown", "fork",
    "forkpty", "getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpgrp", "getpriority",
    "getuid", "killpg", "lchown", "sched_getaffinity", "setpgid", "setpriority", "setsid",
    "sysconf", "tcsetpgrp", "uname", "waitid",
)  # fmt: skip
SIGNALS_OF_WINDOWS = frozenset({"SIGABRT", "SIGFPE", "SIGILL", "SIGINT", "SIGSEGV", "SIGTERM"})
HIDDEN_IN_SIGNAL = ("alarm", "pthread_sigmask", "setitimer", "sigwait")
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
        delattr(os, name)
    for name in [name for name in dir(signal) if name.startswith("SIG") and name[3] != "_"]:
        if name not in SIGNALS_OF_WINDOWS:
            delattr(signal, name)
    for name in HIDDEN_IN_SIGNAL:
        delattr(signal, name)
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
