"""Parse YAML into nodes with positions, within bounds; no schema, no Python objects."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from stlaunch.errors import UsageError
from stlaunch.lint.units import whole

_MAX_DEPTH = 60
_MAX_NODES = 60_000
_MAX_MERGES = 5
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Node = yaml.Node


def documents(text: str, path: Path) -> list[Node]:
    """Return the documents of a text.

    Raises:
        UsageError: for what is not YAML, or is nested or large beyond all use, with the line.
    """
    # Bytes that were not UTF-8 are somebody's comment; YAML itself would refuse them.
    clean = re.sub(r"[\ud800-\udfff]", "?", text)
    # Line breaks to YAML 1.1, and to no editor: line numbers would be too high.
    clean = re.sub(r"[\x85\u2028\u2029]", " ", clean)
    composer = _Composer(path)
    try:
        for event in yaml.parse(clean, Loader=_LOADER):
            composer.take(event)
    except yaml.YAMLError as exc:
        mark = getattr(exc, "problem_mark", None)
        last = clean.rstrip("\n").count("\n")
        line = f", line {min(mark.line, last) + 1}" if mark else ""
        problem = getattr(exc, "problem", None) or getattr(exc, "reason", None)
        said = problem or "it cannot be read"
        raise UsageError(f"{path}{line}, is not valid YAML: {said}.") from exc
    except RecursionError as exc:
        raise UsageError(f"{path} is nested too deeply.") from exc
    return composer.documents


class _Composer:
    """Builds nodes out of events without recursion."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.documents: list[Node] = []
        self._open: list[Node] = []
        self._keys: list[Node | None] = []
        self._anchors: dict[str, Node] = {}
        self._count = 0

    def take(self, event: yaml.Event) -> None:
        """Take the next event."""
        if isinstance(event, yaml.DocumentStartEvent):
            self._anchors = {}
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in self._anchors:
                self._put(self._anchors[event.anchor])
        elif isinstance(event, yaml.ScalarEvent):
            mark = _mark(event)
            node = yaml.ScalarNode("", event.value, mark, mark, event.style)
            self._new(node, event.anchor)
        elif isinstance(event, yaml.SequenceStartEvent):
            self._enter(yaml.SequenceNode("", [], _mark(event)), event.anchor)
        elif isinstance(event, yaml.MappingStartEvent):
            self._enter(yaml.MappingNode("", [], _mark(event)), event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            self._open.pop()
            self._keys.pop()

    def _new(self, node: Node, anchor: str | None) -> None:
        self._count += 1
        if self._count > _MAX_NODES:
            raise UsageError(f"{self.path} holds more than {_MAX_NODES} values.")
        if anchor is not None:
            self._anchors[anchor] = node
        self._put(node)

    def _enter(self, node: Node, anchor: str | None) -> None:
        self._new(node, anchor)
        self._open.append(node)
        self._keys.append(None)
        if len(self._open) > _MAX_DEPTH:
            line = node.start_mark.line + 1
            raise UsageError(
                f"{self.path}, line {line}, is nested more than {_MAX_DEPTH} levels deep."
            )

    def _put(self, node: Node) -> None:
        if not self._open:
            self.documents.append(node)
            return
        parent = self._open[-1]
        if isinstance(parent, yaml.SequenceNode):
            parent.value.append(node)
            return
        key = self._keys[-1]
        if key is None:
            self._keys[-1] = node
        else:
            parent.value.append((key, node))
            self._keys[-1] = None


def _mark(event: yaml.Event) -> Any:
    """Return where an event begins; libyaml's marks are a class of their own, of the same shape."""
    return event.start_mark


def line_of(node: Node) -> int:
    """Return where a node begins, from 1."""
    return int(node.start_mark.line) + 1


def get(node: Node | None, *names: str) -> Node | None:
    """Follow keys from a mapping; of a duplicate key the last one counts."""
    for name in names:
        found = None
        for key, value in pairs(node):
            if key.value == name:
                found = value
        node = found
    return node


def pairs(node: Node | None, depth: int = 0) -> list[tuple[yaml.ScalarNode, Node]]:
    """Return the entries of a mapping, merged ones first."""
    if not isinstance(node, yaml.MappingNode) or depth > _MAX_MERGES:
        return []
    merged: list[tuple[yaml.ScalarNode, Node]] = []
    own = []
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        if key.value == "<<" and key.style is None:
            for one in items(value) or [value]:
                merged += pairs(one, depth + 1)
        else:
            own.append((key, value))
    return [*merged, *own] if len(merged) < _MAX_NODES else own


def items(node: Node | None) -> list[Node]:
    """Return the entries of a sequence."""
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def text(node: Node | None) -> str:
    """Return a scalar's text, and an empty one for anything else."""
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def number(node: Node | None) -> int | None:
    """Return a scalar's number."""
    return whole(text(node))


def walk(node: Node | None) -> Iterator[Node]:
    """Yield all nodes below, each once."""
    seen: set[int] = set()
    left = [node] if node is not None else []
    while left:
        here = left.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        yield here
        if isinstance(here, yaml.MappingNode):
            left += [value for _, value in reversed(here.value)]
        elif isinstance(here, yaml.SequenceNode):
            left += reversed(here.value)


def around(node: Node, inner: Node) -> list[Node]:
    """Return the nodes from one down to the mapping that has `inner` as a key; none without it."""
    left: list[tuple[Node, tuple[Node, ...]]] = [(node, ())]
    seen: set[int] = set()
    while left:
        here, path = left.pop()
        if id(here) in seen:
            continue
        seen.add(id(here))
        below = (*path, here)
        if isinstance(here, yaml.MappingNode):
            if any(key is inner for key, _ in here.value):
                return list(below)
            left += [(value, below) for _, value in here.value]
        elif isinstance(here, yaml.SequenceNode):
            left += [(one, below) for one in here.value]
    return []


def flat(node: Node | None, front: str = "") -> Iterator[tuple[str, str, Node]]:
    """Yield the scalars below a mapping with their keys joined by dots, in lower case.

    That is how Traefik's labels name the same things.
    """
    left: list[tuple[str, Node, int]] = [(front, node, 0)] if node is not None else []
    count = 0
    while left:
        name, here, depth = left.pop()
        count += 1
        if count > _MAX_NODES or depth > _MAX_DEPTH:
            return
        if isinstance(here, yaml.MappingNode):
            for key, value in reversed(pairs(here)):
                joined = f"{name}.{key.value}" if name else key.value
                left.append((joined.lower(), value, depth + 1))
        elif isinstance(here, yaml.SequenceNode):
            values = ",".join(text(one) for one in items(here))
            yield name, values, here
        else:
            yield name, text(here), here
