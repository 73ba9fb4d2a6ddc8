"""Resolve one request as nginx does: which location answers, and what goes where.

It follows rewrites, returns, try_files and named locations as nginx does, and says where it
cannot. It evaluates nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from stlaunch.lint.expressions import NotUnderstoodError as ExpressionError
from stlaunch.lint.expressions import search
from stlaunch.lint.nginx.parse import Directive
from stlaunch.lint.nginx.variables import Variables, has_variable
from stlaunch.quick_dataclass import dataclass

_MODIFIERS = {"=", "~", "~*", "^~"}
_MAX_RESTARTS = 10
_REDIRECTS = {"redirect", "permanent"}


class NotUnderstoodError(Exception):
    """Something that cannot be followed with certainty; the message says what."""

    def __init__(self, directive: Directive, what: str) -> None:
        super().__init__(what)
        self.directive = directive


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a browser asks for."""

    path: str
    method: str = "GET"
    is_upgrade: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What nginx does with a request.

    Attributes:
        location: the block that answers.
        proxied: its `proxy_pass`, wherever it leads; None if nothing is passed on.
        returned: the `return` or redirecting `rewrite` that answers instead.
        status: of `returned`, as text.
        path: the path as it is after all rewrites.
        original: the path that was asked for.
        was_rewritten: a rewrite changed it in this location.
        captures: those of the last expression, by name.
    """

    location: Directive
    proxied: Directive | None = None
    returned: Directive | None = None
    status: str = ""
    path: str = ""
    original: str = ""
    was_rewritten: bool = False
    captures: Mapping[str, str]

    @property
    def is_redirect(self) -> bool:
        """The browser is sent elsewhere."""
        return self.status.startswith("3")


def answer(server: Directive, request: Request, maps: Mapping[str, Directive]) -> Answer:
    """Return what the server does with a request.

    Raises:
        NotUnderstoodError: if that is not certain.
    """
    state = _State(server, request, maps)
    ended = state.rewrite(server)
    if ended is not None:
        return ended
    for _ in range(_MAX_RESTARTS):
        location = find_location(server, state.path, state.captures)
        found = state.answer_of(location)
        if found is not None:
            return found
    raise NotUnderstoodError(server, "rewrites that go round in circles")


class _State:
    """A request while it goes through the phases."""

    def __init__(self, server: Directive, request: Request, maps: Mapping[str, Directive]) -> None:
        self.server = server
        self.request = request
        self.maps = maps
        self.path = request.path
        self.captures: dict[str, str] = {}
        self.was_rewritten = False

    def answer_of(self, location: Directive) -> Answer | None:
        """Return what a location does; None where the search starts again."""
        before = self.path
        self.was_rewritten = False
        if location is not self.server:
            flag = self.rewrite(location)
            if isinstance(flag, Answer):
                return flag
            if self.path != before and not self.was_rewritten:
                return None
        block, proxied = self._proxied(location)
        if proxied is None and (tried := location.last("try_files")) is not None:
            return self._tried(location, tried)
        return self._made(block, proxied=proxied)

    def rewrite(self, block: Directive) -> Answer | None:
        """Run the rewrite phase of a block: an answer, or None where it goes on."""
        for directive in block.block or ():
            if directive.name == "break":
                self.was_rewritten = True
                return None
            if directive.name == "return":
                return self._returned(block, directive)
            if directive.name == "rewrite":
                ended = self._rewrite(block, directive)
                if isinstance(ended, Answer):
                    return ended
                if ended:
                    return None
            if directive.name == "if" and directive.block and self._holds(directive):
                ended_in = self.rewrite(directive)
                if ended_in is not None:
                    return ended_in
        return None

    def _rewrite(self, block: Directive, directive: Directive) -> Answer | bool:
        pattern, replacement, *flags = directive.args
        match = _searched(pattern, directive, self.path)
        if not match:
            return False
        flag = flags[0] if flags else ""
        if replacement.startswith(("http://", "https://", "$scheme")) or flag in _REDIRECTS:
            return self._made(block, returned=directive, status="301")
        groups = {str(number): text for number, text in enumerate(match.groups(""), 1)}
        names = {**groups, **match.groupdict("")}
        text = self._variables(block, names).expand(replacement)
        if has_variable(text):
            raise NotUnderstoodError(directive, f"a rewrite to {replacement}")
        self.path = text.partition("?")[0]
        self.captures |= names
        self.was_rewritten = flag == "break"
        return flag in {"last", "break"}

    def _returned(self, block: Directive, directive: Directive) -> Answer:
        status = directive.args[0]
        if not status.isdigit():
            status = "302"
        for page in block.inherited_all("error_page"):
            # The usual trick: `return 418;` and `error_page 418 = @app;`
            *codes, target = page.args
            if (
                status in codes
                and target.startswith("@")
                and (named := self._named(target)) is not None
            ):
                found = self.answer_of(named)
                if found is not None:
                    return found
        return self._made(block, returned=directive, status=status)

    def _tried(self, location: Directive, tried: Directive) -> Answer | None:
        """The app's files are not on nginx's disk, so the last argument counts."""
        last = tried.args[-1]
        if last.startswith("@"):
            named = self._named(last)
            if named is None:
                raise NotUnderstoodError(tried, f"{last}, which is not there")
            return self.answer_of(named)
        if last.startswith("="):
            return self._made(location, returned=tried, status=last[1:])
        text = self._variables(location, {}).expand(last).partition("?")[0]
        if has_variable(text):
            raise NotUnderstoodError(tried, f"try_files that ends with {last}")
        if text == self.path:
            return self._made(location)
        self.path = text
        return None

    def _named(self, name: str) -> Directive | None:
        return next((found for found in self.server.all("location") if found.args == (name,)), None)

    def _proxied(self, location: Directive) -> tuple[Directive, Directive | None]:
        for directive in location.all("if"):
            inner = directive.last("proxy_pass")
            if inner is not None and self._holds(directive):
                return directive, inner
        return location, location.last("proxy_pass")

    def _holds(self, condition: Directive) -> bool:
        """Return whether an `if` applies; one that cannot be evaluated does not."""
        known = {
            "$request_method": self.request.method,
            "$http_upgrade": "websocket" if self.request.is_upgrade else "",
            "$uri": self.path,
            "$request_uri": self.request.path,
            "$document_uri": self.path,
        }
        subject, *rest = condition.args
        if subject not in known:
            return False
        value = known[subject]
        if not rest:
            return value not in {"", "0"}
        operator, *words = rest
        text = " ".join(words)
        match operator:
            case "=":
                return value == text
            case "!=":
                return value != text
            case "~" | "~*" | "!~" | "!~*":
                flags = re.IGNORECASE if operator.endswith("*") else 0
                found = _searched(text, condition, value, flags=flags)
                return (found is None) == operator.startswith("!")
            case _:
                return False

    def _variables(self, scope: Directive, names: Mapping[str, str]) -> Variables:
        request = {"uri": self.path, "document_uri": self.path, "request_uri": self.request.path}
        nothing = {"is_args": "", "args": "", "query_string": ""}
        return Variables(
            scope=scope, maps=self.maps, request={**nothing, **request, **self.captures, **names}
        )

    def _made(
        self,
        location: Directive,
        *,
        proxied: Directive | None = None,
        returned: Directive | None = None,
        status: str = "",
    ) -> Answer:
        return Answer(
            location=location,
            proxied=proxied,
            returned=returned,
            status=status,
            path=self.path,
            original=self.request.path,
            was_rewritten=self.was_rewritten,
            captures=dict(self._variables(location, {}).request),
        )


def find_location(block: Directive, path: str, captures: dict[str, str] | None = None) -> Directive:
    """Return the innermost location that answers `path`, or `block` itself.

    Raises:
        NotUnderstoodError: for a regular expression that is not one of Python's too.
    """
    heads = [(Location.of(directive), directive) for directive in block.all("location")]
    for head, directive in heads:
        if head.modifier == "=" and head.path == path:
            return find_location(directive, path, captures)
    prefixes = [
        (head, directive)
        for head, directive in heads
        if head.modifier in {"", "^~"} and path.startswith(head.path) and head.path[:1] != "@"
    ]
    longest = max(prefixes, key=lambda pair: len(pair[0].path), default=None)
    if longest and longest[0].modifier == "^~":
        return find_location(longest[1], path, captures)
    # Expressions inside the longest prefix come first, then those next to it.
    if longest:
        inner = find_location(longest[1], path, captures)
        if inner is not longest[1] and Location.of(inner).is_regex:
            return inner
    for head, directive in heads:
        if not head.is_regex:
            continue
        flags = re.IGNORECASE if head.modifier == "~*" else 0
        match = _searched(head.path, directive, path, flags=flags)
        if match:
            if captures is not None:
                captures |= {str(n): text for n, text in enumerate(match.groups(""), 1)}
                captures |= match.groupdict("")
            return find_location(directive, path, captures)
    return find_location(longest[1], path, captures) if longest else block


def sent_path(found: Answer, target: str, maps: Mapping[str, Directive]) -> str:
    """Return the path that goes on to the target.

    Args:
        found: what nginx does with the request; something is passed on.
        target: the argument of the `proxy_pass`.
        maps: every `map` by its variable.

    Raises:
        NotUnderstoodError: for variables that cannot be followed.
    """
    scope = found.proxied or found.location
    expanded = Variables(scope=scope, maps=maps, request=found.captures).expand(target)
    _, _, rest = expanded.partition("://")
    uri = uri_of(rest)
    if has_variable(uri or ""):
        raise NotUnderstoodError(scope, f"proxy_pass to {target} holds a variable")
    if uri is None:
        return found.path
    if "$" in target:
        # With a variable, the target's own path is all that is sent.
        return uri.partition("?")[0]
    if found.was_rewritten:
        return found.path
    location = next((up for up in found.location.ancestors() if up.name == "location"), None)
    if location is None:
        return found.path
    head = Location.of(location)
    if head.is_regex or head.path.startswith("@"):
        raise NotUnderstoodError(scope, "proxy_pass with a path inside a regular expression")
    return uri + found.path[len(head.path) :]


def place_of(rest: str) -> str:
    """Return `host:port` or `unix:/path` of a target without its scheme."""
    if rest.startswith("unix:"):
        return "unix:" + rest.removeprefix("unix:").partition(":")[0]
    # A group such as $1 right after the port, or after a name and up to the end, is the path.
    match = re.match(r"[^/?]*?:\d+(?=\$)|[^/?$]+(?=(?:\$\{?\w+\}?)+(?:[/?]|$))", rest)
    return match[0] if match else re.split(r"[/?]", rest, maxsplit=1)[0]


def uri_of(rest: str) -> str | None:
    """Return the path of a target without its scheme; None where it has none."""
    if rest.startswith("unix:"):
        _, colon, uri = rest.removeprefix("unix:").partition(":")
        return uri if colon else None
    tail = rest[len(place_of(rest)) :]
    return tail or None


def literal_prefix(head: Location) -> str:
    """Return what every matching path begins with, as far as that is certain."""
    if not head.is_regex:
        return head.path
    match = re.match(r"\^((?:[A-Za-z0-9_/-]|\\\.)*)", head.path)
    text = match[1].replace("\\.", ".") if match else ""
    # What follows may make the last letter optional.
    rest = head.path[match.end() :] if match else ""
    return text[:-1] if rest[:1] in {"?", "*", "{"} else text


def servers(root: Directive) -> list[Directive]:
    """Return all http servers, or the root of a file that holds only a part of one."""
    found = [
        directive
        for directive in root.walk()
        if directive.name == "server"
        and directive.block is not None
        and not any(up.name in {"upstream", "stream", "mail"} for up in directive.ancestors())
    ]
    return found or [root]


def _searched(
    pattern: str, directive: Directive, text: str, *, flags: int = 0
) -> re.Match[str] | None:
    try:
        return search(pattern, text, flags)
    except ExpressionError as exc:
        raise NotUnderstoodError(directive, f"the expression {pattern}") from exc
