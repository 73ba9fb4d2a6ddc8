"""Resolve one request as Apache does: which rewrite, ProxyPass or redirect answers it.

The order is Apache's: rewrite rules of the virtual host, ProxyPass of the last matching Location,
the first matching ProxyPass outside of one, then redirects. It evaluates nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import field

from stlaunch.lint.apache.parse import Node
from stlaunch.lint.expressions import NotUnderstoodError as ExpressionError
from stlaunch.lint.expressions import search
from stlaunch.quick_dataclass import dataclass

_REDIRECTS = {"redirect", "redirectmatch", "redirectpermanent", "redirecttemp"}
_STATUS = {"permanent": "301", "temp": "302", "seeother": "303", "gone": "410"}
_TWO = 2
_HOSTS = ("%{HTTP_HOST}", "%{SERVER_NAME}", "%{HTTP:HOST}")


class NotUnderstoodError(Exception):
    """Something that cannot be followed with certainty; the message says what."""

    def __init__(self, node: Node, what: str) -> None:
        super().__init__(what)
        self.node = node


@dataclass(frozen=True, slots=True, kw_only=True)
class Pass:
    """One line that passes requests on.

    Attributes:
        node: the ProxyPass, ProxyPassMatch or RewriteRule.
        path: the prefix, or the expression.
        target: the URL, with groups in it where the path is an expression.
        options: `key=value` after the target.
        conditions: of a RewriteRule: what is tested, the pattern, and the flags.
    """

    node: Node
    path: str
    target: str
    is_regex: bool = False
    options: tuple[str, ...] = ()
    conditions: tuple[tuple[str, str, str], ...] = ()
    flags: frozenset[str] = frozenset()

    @property
    def upgrades(self) -> bool:
        """The WebSocket handshake is passed on as one."""
        words = {option.lower() for option in self.options}
        return self.target.startswith(("ws:", "wss:")) or bool(
            words & {"upgrade=websocket", "upgrade=any", "upgrade=*"}
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is done with a request: passed to `sent`, redirected, or answered by Apache itself."""

    by: Pass | None = None
    sent: str = ""
    redirect: Node | None = None
    status: str = ""


@dataclass(slots=True, kw_only=True)
class Site:
    """One virtual host, or the main server.

    Attributes:
        node: its section, or the root.
        nodes: its own directives and sections, those of the main server last.
        rewrites: its RewriteRules in order.
        passes: ProxyPass lines outside of sections, in order.
        located: ProxyPass lines of Location sections, in order.
    """

    node: Node
    nodes: list[Node]
    rewrites: list[Pass] = field(default_factory=list)
    passes: list[Pass] = field(default_factory=list)
    located: list[Pass] = field(default_factory=list)

    @property
    def names(self) -> list[str]:
        """The hosts it answers for, ServerName first; an empty one is any other that may be."""
        own = [node for node in self.nodes if self.node in node.ancestors()]
        words = [node.words[1] for node in own if node.name == "servername"]
        words += [word for node in own if node.name == "serveralias" for word in node.words[1:]]
        hosts = [re.sub(r"^https?://|:\d+$", "", word).lower() for word in words]
        plain = [host for host in hosts if not set(host) & set("*?$%{")]
        return [*plain, *([""] if len(plain) < len(hosts) or not plain else [])]

    def all(self, *names: str) -> list[Node]:
        """Return the directives of these names anywhere in the site."""
        return [node for node in self.nodes if node.name in names]

    @property
    def has_unread(self) -> bool:
        """An include was not read: whatever seems missing may be in it."""
        return any(node.is_unread for node in self.nodes)

    @property
    def everything(self) -> list[Pass]:
        """All lines that pass requests on."""
        return [*self.rewrites, *self.located, *self.passes]


def sites(root: Node) -> list[Site]:
    """Return the main server and each virtual host."""
    hosts = [node for node in root.walk() if node.name == "virtualhost"]
    shared = [node for node in _kept(root) if node.section("virtualhost") is None]
    found = [_site(host, [*_kept(host), *shared], own=list(_kept(host))) for host in hosts]
    return [_site(root, shared, own=shared), *found]


def answer(
    site: Site, path: str, *, host: str = "", is_upgrade: bool = False, method: str = "GET"
) -> Answer:
    """Return what happens to a request.

    Args:
        site: the virtual host that gets it.
        path: what is asked for.
        host: one of its names; empty for one that is not known, of which every condition holds.
        is_upgrade: it is a WebSocket handshake.
        method: of the request.

    Raises:
        NotUnderstoodError: if that is not certain.
    """
    is_tls = any(node.words[1].lower() == "on" for node in site.all("sslengine"))
    known = {
        "%{HTTP:UPGRADE}": "websocket" if is_upgrade else "",
        "%{HTTP:CONNECTION}": "Upgrade" if is_upgrade else "keep-alive",
        "%{REQUEST_METHOD}": method,
        "%{HTTPS}": "on" if is_tls else "off",
        "%{REQUEST_SCHEME}": "https" if is_tls else "http",
        "%{QUERY_STRING}": "",
        **(dict.fromkeys(_HOSTS, host) if host else {}),
    }
    for _ in range(10):
        rewritten = _rewritten(site, path, known | {"%{REQUEST_URI}": path})
        if isinstance(rewritten, Answer):
            return rewritten
        if rewritten == path:
            break
        path = rewritten
    for one in reversed(site.located):
        if (sent := _sent(one, path)) is not None:
            return Answer() if one.target == "!" else Answer(by=one, sent=sent)
    for one in site.passes:
        if (sent := _sent(one, path)) is not None:
            return Answer() if one.target == "!" else Answer(by=one, sent=sent)
    for node in site.all(*_REDIRECTS):
        if (status := _redirects(node, path)) is not None:
            return Answer(redirect=node, status=status)
    return Answer()


def _kept(node: Node) -> Iterator[Node]:
    """Yield everything in force, which excludes the contents of `<IfModule !x>`."""
    for child in node.children or ():
        if child.name == "!":
            continue
        yield child
        yield from _kept(child)


def _site(node: Node, nodes: list[Node], own: list[Node]) -> Site:
    site = Site(node=node, nodes=nodes)
    conditions: list[tuple[str, str, str]] = []
    engine = [one for one in own if one.name == "rewriteengine"]
    is_on = bool(engine) and any(one.words[1].lower() == "on" for one in engine)
    for one in own:
        if one.name == "rewritecond":
            conditions.append((one.words[1], one.words[2], _flags_text(one)))
        elif one.name == "rewriterule":
            rule = Pass(
                node=one,
                path=one.words[1],
                target=one.words[2],
                is_regex=True,
                conditions=tuple(conditions),
                flags=frozenset(_flags_text(one).upper().split(",")),
            )
            conditions = []
            if is_on:
                site.rewrites.append(rule)
    for one in nodes:
        if one.name in {"proxypass", "proxypassmatch"}:
            _add_pass(site, one)
    return site


def _flags_text(node: Node) -> str:
    flags = " ".join(node.words[3:])
    return flags[1:-1].replace(" ", "") if flags.startswith("[") else ""


def _add_pass(site: Site, node: Node) -> None:
    words = list(node.words[1:])
    location = node.section("location", "locationmatch")
    is_regex = node.name == "proxypassmatch"
    if (
        location is not None
        and location.words
        and (len(words) < _TWO or "://" in words[0] or words[0] == "!")
    ):
        is_regex |= location.name == "locationmatch" or location.words[0] == "~"
        path, target, *options = [location.words[-1], *words]
        where = site.located
    elif len(words) >= _TWO:
        path, target, *options = words
        where = site.passes
    else:
        return
    where.append(
        Pass(node=node, path=path, target=target, is_regex=is_regex, options=tuple(options))
    )


def _sent(one: Pass, path: str) -> str | None:
    """Return the URL that the request goes to; None if the line does not match it."""
    if not one.is_regex:
        rest = path.removeprefix(one.path)
        if not path.startswith(one.path) or not (
            one.path.endswith("/") or rest == "" or rest.startswith("/")
        ):
            return None
        return one.target + rest
    match = _searched(one.path, one.node, path)
    if match is None:
        return None
    if "$" not in one.target:
        return one.target + path
    return _with_groups(one.target, match, {})


def _rewritten(site: Site, path: str, known: dict[str, str]) -> str | Answer:
    for rule in site.rewrites:
        pattern = rule.path
        is_negated = pattern.startswith("!")
        flags = re.IGNORECASE if rule.flags & {"NC", "NOCASE"} else 0
        match = _searched(pattern.lstrip("!"), rule.node, path, flags)
        if (match is None) != is_negated:
            continue
        is_passed = bool(rule.flags & {"P", "PROXY"})
        holds = _all_hold(rule, known)
        if holds is None and is_passed:
            raise NotUnderstoodError(rule.node, "a RewriteCond about something that is not known")
        if not holds:
            continue
        if rule.flags & {"F", "FORBIDDEN", "G", "GONE"}:
            return Answer(redirect=rule.node, status="403")
        text = path if rule.target == "-" else _with_groups(rule.target, match, known)
        is_redirect = any(flag.split("=")[0] in {"R", "REDIRECT"} for flag in rule.flags)
        if is_redirect or (re.match(r"https?://", text) and not is_passed):
            return Answer(redirect=rule.node, status="302")
        if is_passed:
            return Answer(by=rule, sent=text)
        path = text.partition("?")[0]
        if rule.flags & {"L", "LAST", "END", "PT"}:
            break
    return path


def _all_hold(rule: Pass, known: dict[str, str]) -> bool | None:
    result: bool | None = True
    group: bool | None = False
    is_open = False
    for subject, pattern, flags in rule.conditions:
        one = _holds(rule, subject, pattern, flags, known)
        words = set(flags.upper().split(","))
        if is_open:
            one = True if True in {one, group} else None if None in {one, group} else False
        if words & {"OR", "ORNEXT"}:
            group, is_open = one, True
            continue
        is_open = False
        if one is False:
            return False
        if one is None:
            result = None
    return result


def _holds(
    rule: Pass, subject: str, pattern: str, flags: str, known: dict[str, str]
) -> bool | None:
    is_negated = pattern.startswith("!")
    pattern = pattern.removeprefix("!")
    if pattern in {"-f", "-d", "-l", "-s", "-F", "-U"}:
        return is_negated  # The app's paths are not on Apache's disk.
    value = known.get(subject.upper())
    if value is None:
        # The host and the port are those of the site, or the request would not get here.
        return True if subject.upper() in {*_HOSTS, "%{SERVER_PORT}"} else None
    if pattern.startswith("="):
        found = value.lower() == pattern[1:].lower() if flags else value == pattern[1:]
    else:
        is_any = re.IGNORECASE if "NC" in flags.upper() else 0
        found = _searched(pattern, rule.node, value, is_any) is not None
    return found != is_negated


def _with_groups(target: str, match: re.Match[str] | None, known: dict[str, str]) -> str:
    groups = ("", *match.groups("")) if match else ("",)
    if match:
        groups = (match[0], *match.groups(""))

    def value(found: re.Match[str]) -> str:
        if found[1]:
            number = int(found[1])
            return groups[number] if number < len(groups) else ""
        return known.get(found[0].upper(), found[0])

    return re.sub(r"\$(\d)|%\{[A-Za-z_:]+\}", value, target)


def _redirects(node: Node, path: str) -> str | None:
    words = list(node.words[1:])
    status = "302" if node.name != "redirectpermanent" else "301"
    if words and (words[0].isdigit() or words[0] in _STATUS):
        first = words.pop(0)
        status = _STATUS.get(first, first)
    location = node.section("location", "locationmatch")
    if location is not None and len(words) == 1:
        words.insert(0, location.words[-1])
    if not words:
        return None
    if node.name == "redirectmatch":
        return status if _searched(words[0], node, path) else None
    prefix = words[0]
    rest = path.removeprefix(prefix)
    is_below = path.startswith(prefix) and (
        prefix.endswith("/") or rest == "" or rest.startswith("/")
    )
    return status if is_below else None


def _searched(pattern: str, node: Node, text: str, flags: int = 0) -> re.Match[str] | None:
    try:
        return search(pattern, text, flags)
    except ExpressionError as exc:
        raise NotUnderstoodError(node, f"the expression {pattern[:80]}") from exc
