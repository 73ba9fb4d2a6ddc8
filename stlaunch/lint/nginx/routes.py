"""Which location a request reaches, and what path the app then gets, as nginx decides it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from stlaunch.lint.nginx.tree import Directive

_MODIFIERS = {"=", "~", "~*", "^~"}


@dataclass(frozen=True, slots=True)
class Location:
    """The two halves of a location's head."""

    modifier: str
    path: str

    @classmethod
    def of(cls, directive: Directive) -> Location:
        """Split `location ~ ^/x`, also where the modifier is glued to the path."""
        args = directive.args
        if len(args) > 1 and args[0] in _MODIFIERS:
            return cls(args[0], args[1])
        text = args[0] if args else ""
        for modifier in ("~*", "^~", "=", "~"):
            if text.startswith(modifier) and not text.startswith("/"):
                return cls(modifier, text[len(modifier) :])
        return cls("", text)

    @property
    def is_regex(self) -> bool:
        """The path is a regular expression."""
        return self.modifier.startswith("~")


class NotUnderstoodError(Exception):
    """Something that cannot be followed with certainty; the message says what."""

    def __init__(self, directive: Directive, what: str) -> None:
        super().__init__(what)
        self.directive = directive


def find_location(block: Directive, path: str) -> Directive:
    """Return the innermost location that answers `path`, or `block` itself.

    Raises:
        NotUnderstoodError: for a regular expression that is not one of Python's too.
    """
    locations = block.all("location")
    heads = [(Location.of(directive), directive) for directive in locations]
    for head, directive in heads:
        if head.modifier == "=" and head.path == path:
            return find_location(directive, path)
    prefixes = [
        (head, directive)
        for head, directive in heads
        if head.modifier in {"", "^~"} and path.startswith(head.path) and head.path[:1] != "@"
    ]
    longest = max(prefixes, key=lambda pair: len(pair[0].path), default=None)
    if longest and longest[0].modifier == "^~":
        return find_location(longest[1], path)
    # Expressions inside the longest prefix come first, then those beside it.
    if longest:
        inner = find_location(longest[1], path)
        if inner is not longest[1] and Location.of(inner).is_regex:
            return inner
    for head, directive in heads:
        if head.is_regex and _searches(head, directive, path):
            return find_location(directive, path)
    return find_location(longest[1], path) if longest else block


def sent_path(location: Directive, target: str, path: str) -> str | None:
    """Return the path that goes to the app; None where it does not go on at all.

    Args:
        location: the one that answers.
        target: of its `proxy_pass`.
        path: what the browser asked for.

    Raises:
        NotUnderstoodError: for rewrites and variables that cannot be followed.
    """
    path_now, was_rewritten = _rewritten(location, path)
    _, _, rest = target.partition("://")
    place, slash, uri = rest.partition("/")
    if "$" in target:
        raise NotUnderstoodError(location, f"proxy_pass to {target} holds a variable")
    if place.startswith("unix:"):
        _, colon, uri = rest.removeprefix("unix:").partition(":")
        slash, uri = (colon, uri.removeprefix("/")) if colon else ("", "")
    if not slash or was_rewritten:
        return path_now
    head = Location.of(location)
    if head.is_regex:
        raise NotUnderstoodError(location, "proxy_pass with a path inside a regular expression")
    return f"/{uri}{path_now[len(head.path) :]}"


def _rewritten(location: Directive, path: str) -> tuple[str, bool]:
    for directive in location.block or ():
        if directive.name != "rewrite" or len(directive.args) < 2:  # noqa: PLR2004 - its two halves
            continue
        pattern, replacement, *flags = directive.args
        try:
            match = re.search(pattern, path)
        except re.error as exc:
            raise NotUnderstoodError(directive, f"the expression {pattern}") from exc
        if not match:
            continue
        if replacement.startswith(("http://", "https://")) or flags in (
            ["redirect"],
            ["permanent"],
        ):
            raise NotUnderstoodError(directive, "a rewrite that redirects")
        if flags != ["break"]:
            raise NotUnderstoodError(directive, "a rewrite without `break`")
        if re.search(r"\$(?![1-9])", replacement):
            raise NotUnderstoodError(directive, f"a rewrite to {replacement}")
        text = replacement
        for number, group in enumerate(match.groups(""), 1):
            text = text.replace(f"${number}", group)
        return text.partition("?")[0], True
    return path, False


def literal_prefix(head: Location) -> str:
    """Return what every path that matches begins with, as far as it is plain to see."""
    if not head.is_regex:
        return head.path
    match = re.match(r"\^((?:[A-Za-z0-9_/-]|\\\.)*)", head.path)
    text = match[1].replace("\\.", ".") if match else ""
    # What follows may make the last letter optional.
    rest = head.path[match.end() :] if match else ""
    return text[:-1] if rest[:1] in {"?", "*", "{"} else text


def servers(root: Directive) -> Iterable[Directive]:
    """Return all server blocks, or the root of a file that holds only a part of one."""
    found = [
        directive for directive in root.walk() if directive.name == "server" and directive.block
    ]
    return [server for server in found if server.parent and server.parent.name != "upstream"] or [
        root
    ]


def _searches(head: Location, directive: Directive, path: str) -> bool:
    flags = re.IGNORECASE if head.modifier == "~*" else 0
    try:
        return re.search(head.path, path, flags) is not None
    except re.error as exc:
        raise NotUnderstoodError(directive, f"the expression {head.path}") from exc
