"""Validate the user's values so that no configuration language can misread them.

Every value that reaches a configuration comes from here: a closed alphabet for each, never
escaping, which would have to be right sixteen times.
"""

from __future__ import annotations

import ipaddress
import re

from stlaunch.errors import UsageError
from stlaunch.proxies.app_facts import AppFacts
from stlaunch.proxies.model import Kind, recipe
from stlaunch.proxies.needs import IDENTITY_HEADERS, Need
from stlaunch.proxies.site import Site, plain_origins
from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.base_path import BasePath
from stlaunch.urls.origin import DEFAULT_PORTS, HostPort, PublicUrl, is_url

_PATH = re.compile(r"[A-Za-z0-9._~/-]*")
_FILE = re.compile(r"[A-Za-z0-9._/+@=][A-Za-z0-9._/+@=-]*")
_HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_NAME = re.compile(r"[a-z0-9._-]+")
_HOST = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")
_MAX_REPLICAS = 100
_TWO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The command line, as texts; None for what was not given."""

    public_url: str | None = None
    upstream: str | None = None
    replicas: str | None = None
    tls: str | None = None
    strip_prefix: bool = False
    self_check_from: str | None = None
    is_snippet: bool = False
    has_security_headers: bool = False
    embedders: tuple[str, ...] = ()


def plan_site(kind: Kind, asked: Asked, facts: AppFacts) -> Site:
    """Return the site, with nothing in it that a configuration could misread.

    Raises:
        UsageError: for a value that cannot be written, or that this kind cannot do.
    """
    base_path, host, port, scheme = _public(asked.public_url)
    certificate, key = _tls(kind, asked.tls)
    if asked.public_url and is_url(asked.public_url) and scheme == "http" and certificate:
        raise UsageError(
            "--tls contradicts the public URL, which begins with http.",
            hint="Write --public-url https://... or leave --tls out.",
        )
    is_https = scheme == "https" or bool(certificate)
    replicas = _replicas(asked.replicas)
    upstream = asked.upstream or f"127.0.0.1:{facts.port}"
    if replicas and asked.upstream:
        raise UsageError(
            "--upstream and --replicas both give the app's address.", hint="Give one of them."
        )
    _refuse_impossible(kind, asked, replicas)
    site = Site(
        base_path=base_path,
        upstream=replicas[0] if replicas else _place("--upstream", upstream),
        replicas=replicas,
        host=host,
        port=port or DEFAULT_PORTS["https" if is_https else "http"],
        is_https=is_https,
        certificate=certificate,
        key=key,
        keep_prefix=not asked.strip_prefix,
        max_upload_mb=facts.max_upload_mb,
        ping_interval_s=facts.ping_interval_s,
        identity_headers=_identity_headers(facts.identity_headers),
        self_check_from=_networks(kind, asked.self_check_from),
        embedders=plain_origins(asked.embedders),
        has_login=facts.has_login,
        has_security_headers=asked.has_security_headers,
        is_whole=not asked.is_snippet,
    )
    if kind.needs_host and not site.host:
        raise UsageError(
            f"{kind.title} needs the public host name.",
            hint="Add --public-url https://example.com/streamlitApp",
        )
    return site


def _public(text: str | None) -> tuple[BasePath, str, int | None, str]:
    if text is None:
        return BasePath(), "", None, ""
    if is_url(text):
        url = PublicUrl.parse(text)
        origin = url.origin
        if not _NAME.fullmatch(origin.host):
            raise UsageError(
                f"--public-url: the host {origin.host!r} cannot be used in a configuration.",
                hint="Give the site a name, or write the path alone: --public-url /streamlitApp",
            )
        return _plain_path(url.base_path), origin.host, origin.port, origin.scheme
    return _plain_path(BasePath.parse(text)), "", None, ""


def _plain_path(path: BasePath) -> BasePath:
    if not _PATH.fullmatch(path.value):
        raise UsageError(
            f"The base path {path.value!r} cannot be used in a proxy configuration.",
            hint="Use letters, digits and . _ ~ - only.",
        )
    return path


def _place(flag: str, text: str) -> str:
    place = HostPort.parse(text)
    if place is None or place.port is None or not _HOST.fullmatch(place.host):
        raise UsageError(
            f"{flag}: {text!r} is not of the form host:port.", hint=f"{flag} 127.0.0.1:8501"
        )
    return str(place)


def _replicas(text: str | None) -> tuple[str, ...]:
    if text is None:
        return ()
    places = tuple(_place("--replicas", part) for part in text.split(",") if part.strip())
    if not _TWO <= len(set(places)) == len(places) <= _MAX_REPLICAS:
        raise UsageError(
            f"--replicas: {text!r} does not name 2 to {_MAX_REPLICAS} different places.",
            hint="--replicas 10.0.0.1:8501,10.0.0.2:8501",
        )
    return places


def _tls(kind: Kind, text: str | None) -> tuple[str, str]:
    if text is None:
        return "", ""
    if not kind.takes_files:
        raise UsageError(f"{kind.title} takes no certificate from a file.", hint="Leave --tls out.")
    certificate, comma, key = (part.strip() for part in text.partition(","))
    if not comma or not certificate or not key:
        raise UsageError(
            f"--tls: {text!r} does not name two files.", hint="--tls /etc/ssl/c.pem,/etc/ssl/k.pem"
        )
    for file in (certificate, key):
        if not _FILE.fullmatch(file):
            raise _unwritable("--tls", "file name", file)
    return certificate, key


def _networks(kind: Kind, text: str | None) -> tuple[str, ...]:
    if text is None:
        return ("127.0.0.1", "::1") if kind.restricts else ()
    if text.strip() == "none":
        return ()
    if not kind.restricts:
        raise UsageError(
            f"{kind.title} cannot limit the diagnostic pages to certain addresses.",
            hint="Leave --self-check-from out, or write none.",
        )
    found = []
    for part in text.split(","):
        try:
            network = ipaddress.ip_network(part.strip(), strict=False)
        except ValueError as exc:
            raise UsageError(
                f"--self-check-from: {part.strip()!r} is neither an address nor a network.",
                hint="--self-check-from 10.0.0.0/8,127.0.0.1   or: none",
            ) from exc
        is_address = network.num_addresses == 1
        if not is_address and not kind.takes_networks:
            raise UsageError(
                f"{kind.title} matches single addresses, not networks such as {network}.",
                hint="Name the addresses one by one.",
            )
        found.append(str(network.network_address) if is_address else str(network))
    return tuple(dict.fromkeys(found))


def _identity_headers(own: tuple[str, ...]) -> tuple[str, ...]:
    for name in own:
        if not _HEADER.fullmatch(name):
            raise _unwritable("server.trustedUserHeaders", "header name", name)
    names = {name.lower(): name for name in (*own, *IDENTITY_HEADERS)}
    return tuple(names.values())


def _refuse_impossible(kind: Kind, asked: Asked, replicas: tuple[str, ...]) -> None:
    if asked.strip_prefix and not kind.strips:
        raise UsageError(
            f"{kind.title} cannot strip the path.",
            hint="Leave --strip-prefix out; stlaunch serves both.",
        )
    if asked.has_security_headers and Need.SECURITY_HEADERS not in recipe(kind.product).parts:
        raise UsageError(
            f"{kind.title} sets no response headers in this configuration.",
            hint="Leave --security-headers out; `stlaunch guide security-headers` has the values.",
        )
    if replicas and not kind.has_affinity:
        raise UsageError(
            f"{kind.title} cannot keep a browser on one replica, which Streamlit needs.",
            hint="Run one replica, or put a proxy that can in front: nginx, Caddy, HAProxy.",
        )


def _unwritable(where: str, what: str, text: str) -> UsageError:
    return UsageError(
        f"{where}: the {what} {text!r} cannot be used in a configuration.",
        hint="Use letters, digits and common punctuation; no spaces or quotes.",
    )
