"""Which tests are fast: those that run in this process alone: no browser, proxy or server.

Owns the mark `fast`, and holds a test that carries it to that. Nobody marks a test by hand: what a
test and its fixtures call decides.
"""

from __future__ import annotations

import inspect
import os
import subprocess
from collections.abc import Callable, Iterator
from functools import wraps
from types import CodeType, FunctionType, ModuleType
from typing import Any

import coverage
import pytest

SPAWNING_MODULES = frozenset({"multiprocessing", "playwright", "subprocess"})
STARTERS: tuple[tuple[Any, str], ...] = (
    (subprocess.Popen, "__init__"),
    (os, "execv"),
    (os, "execve"),
    (os, "fork"),
    (os, "forkpty"),
    (os, "posix_spawn"),
    (os, "posix_spawnp"),
    (os, "system"),
)
SLOW_MARKS = ("browser", "process", "proxy", "slow")
UNMEASURED_MARKS = ("browser", "unmeasured")

_spawned: list[str] = []


def pytest_configure() -> None:
    """Note every process that is started from here.

    Not by an audit hook: `sys.settrace` calls one, and in Python 3.11 a thread that gets its turn
    meanwhile cannot be traced, and dies: "Cannot install a trace function while another trace
    function is being installed".
    """
    for place, name in STARTERS:
        setattr(place, name, _noting(name, getattr(place, name)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what stays in this process."""
    known: dict[object, bool] = {}
    for item in items:
        if not any(item.get_closest_marker(mark) for mark in SLOW_MARKS):
            functions = [getattr(item, "function", None), *_fixtures(item)]
            if not any(_spawns(function, known) for function in functions):
                item.add_marker("fast")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Start the record anew for each test, its fixtures included; measure none that is long.

    Tracing makes it longer still. What a test with a browser runs of stlaunch runs in other
    processes, and what an `unmeasured` one runs, faster tests run too.
    """
    _spawned.clear()
    is_long = any(item.get_closest_marker(mark) for mark in UNMEASURED_MARKS)
    measuring = coverage.Coverage.current() if is_long else None
    if measuring is not None:
        measuring.stop()
    result = yield
    if measuring is not None:
        measuring.start()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Fail a test that is marked as fast and started a process."""
    result = yield
    if _spawned and item.get_closest_marker("fast"):
        pytest.fail(f"mark it with `process`, because it started {'; '.join(_spawned)}")
    return result


def _noting(name: str, start: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(start)
    def noted(*args: Any, **kwargs: Any) -> Any:
        _spawned.append(f"{name} {args[-1:]!r:.200}")
        return start(*args, **kwargs)

    return noted


def _fixtures(item: pytest.Item) -> Iterator[Callable[..., object]]:
    definitions = getattr(item, "_fixtureinfo").name2fixturedefs  # noqa: B009 - not public
    for overridden in definitions.values():
        yield overridden[-1].func


def _spawns(thing: object, known: dict[object, bool]) -> bool:
    """Say whether a function or class of the tests leads to a module that starts processes."""
    thing = inspect.unwrap(thing) if callable(thing) else thing
    if isinstance(thing, ModuleType):
        return thing.__name__.partition(".")[0] in SPAWNING_MODULES
    if not isinstance(thing, FunctionType | type):
        return False
    if thing.__module__.partition(".")[0] in SPAWNING_MODULES:
        return True
    if not thing.__module__.startswith("tests."):
        return False
    if thing not in known:
        known[thing] = False  # until it is known: functions may call each other in circles
        known[thing] = any(_spawns(used, known) for used in _uses(thing))
    return known[thing]


def _uses(thing: FunctionType | type) -> Iterator[object]:
    if isinstance(thing, type):
        yield from (member for member in vars(thing).values() if isinstance(member, FunctionType))
        return
    names = set(_names(thing.__code__))
    for name in names:
        used = thing.__globals__.get(name)
        yield used
        if isinstance(used, ModuleType) and used.__name__.startswith("tests."):
            yield from (vars(used).get(attribute) for attribute in names)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from _names(inner)
