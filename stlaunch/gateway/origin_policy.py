"""The same-origin rule: who may open the app's WebSocket, and the proof for it.

Pure: headers, policy and secret come in as arguments. It must never let a page of another site
in, whatever the headers say.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from enum import StrEnum

from stlaunch.quick_dataclass import dataclass
from stlaunch.urls.origin import HostPort, Origin, OriginCheck

PLAIN_COOKIE = "stlaunch"
HOST_COOKIE = "__Host-stlaunch"
TOKEN_PREFIX = "stlaunch."  # noqa: S105 - the name of a subprotocol
_ID = re.compile(r"[A-Za-z0-9_-]{22}")
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_LABEL = b"stlaunch origin proof 1"


class Rule(StrEnum):
    """Why a handshake was accepted, or refused."""

    NOT_A_BROWSER = "not_a_browser"
    ALLOWED_ORIGIN = "allowed_origin"
    SAME_HOST = "same_host"
    ORIGIN_PROOF = "origin_proof"
    CORS_DISABLED = "cors_disabled"
    OPAQUE_ORIGIN = "opaque_origin"
    CROSS_SITE = "cross_site"
    FOREIGN_ORIGIN = "foreign_origin"
    NO_ORIGIN = "no_origin"


ACCEPTING = frozenset(
    {
        Rule.NOT_A_BROWSER,
        Rule.ALLOWED_ORIGIN,
        Rule.SAME_HOST,
        Rule.ORIGIN_PROOF,
        Rule.CORS_DISABLED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginPolicy:
    """What the user allows.

    Attributes:
        public_origins: the public URL's; if there is one, only it, `allowed_origins` and, on this
            machine, loopback names are accepted.
        allowed_origins: `--allow-origin` and `server.corsAllowedOrigins`.
        check: `strict` switches the origin proof off.
        is_cors_disabled: the user wrote `server.enableCORS=false`; honoured, with a warning.
    """

    public_origins: tuple[Origin, ...] = ()
    allowed_origins: tuple[Origin, ...] = ()
    check: OriginCheck = OriginCheck.PROOF
    is_cors_disabled: bool = False

    @property
    def is_proof_accepted(self) -> bool:
        """Whether a handshake may be accepted by its token."""
        return self.check is OriginCheck.PROOF and not self.public_origins

    @property
    def sends_proof(self) -> bool:
        """Whether pages get a token: to be accepted by it, or to prove that they are local."""
        return self.is_proof_accepted or bool(self.public_origins)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The evidence in one handshake of where it comes from.

    Attributes:
        origin: the Origin header as it arrived; None without one.
        host: the effective host after trusted forwarding.
        scheme: the browser's scheme if it is known, else None.
        is_websocket: False for the opening of a tunnel.
        has_cookie: whether any cookie came.
        fetch_site: Sec-Fetch-Site, or None.
        has_fetch_metadata: whether any Sec-Fetch-* header came.
        is_proven: whether cookie and token belong together (`OriginProof.verify`).
        is_local: whether the handshake came directly from a page of the app on a loopback name. A
            proxy that rewrites Host can make a page on the visitor's own machine look like that.
    """

    origin: str | None
    host: HostPort | None
    scheme: str | None = None
    is_websocket: bool = True
    has_cookie: bool = False
    fetch_site: str | None = None
    has_fetch_metadata: bool = False
    is_proven: bool = False
    is_local: bool = True


def decide(policy: OriginPolicy, evidence: Evidence) -> Rule:
    """Return the rule that accepts (see `ACCEPTING`) or refuses a handshake."""
    if policy.is_cors_disabled:
        return Rule.CORS_DISABLED
    if evidence.origin is None:
        return _decide_without_origin(policy, evidence)
    origin = Origin.parse(evidence.origin)
    if origin is None:
        return Rule.OPAQUE_ORIGIN
    if origin in policy.public_origins or origin in policy.allowed_origins:
        return Rule.ALLOWED_ORIGIN
    if evidence.fetch_site not in {None, "same-origin"}:
        return Rule.CROSS_SITE
    is_local = origin.host in _LOOPBACK and evidence.is_local
    may_be_same_host = not policy.public_origins or is_local
    if may_be_same_host and _is_same_host(origin, evidence.host, evidence.scheme):
        return Rule.SAME_HOST
    if policy.is_proof_accepted and evidence.is_proven:
        return Rule.ORIGIN_PROOF
    return Rule.FOREIGN_ORIGIN


def _decide_without_origin(policy: OriginPolicy, evidence: Evidence) -> Rule:
    is_browser = evidence.has_cookie or evidence.has_fetch_metadata
    if evidence.is_websocket and not is_browser:
        return Rule.NOT_A_BROWSER
    if evidence.fetch_site not in {None, "same-origin"}:
        return Rule.CROSS_SITE
    if policy.is_proof_accepted and evidence.is_proven:  # a proxy dropped the header
        return Rule.ORIGIN_PROOF
    return Rule.NO_ORIGIN


def _is_same_host(origin: Origin, host: HostPort | None, scheme: str | None) -> bool:
    if host is None or host.host != origin.host or (scheme and scheme != origin.scheme):
        return False
    return host.port_or_default(origin.scheme) == origin.port


@dataclass(frozen=True, slots=True)
class OriginProof:
    """A signed double-submit token: proves that a handshake comes from the app's own page.

    A cookie holds a random id; the page holds HMAC(secret, cookie name, id). Another site can
    make the browser send the cookie but cannot read the page, so it has no token for it.
    There are two independent ids: `__Host-stlaunch`, which no sibling domain and no http page
    can plant, and a plain one for http.

    Args:
        secret: 32 random bytes, or derived with `derive_secret` so that replicas agree.
    """

    secret: bytes

    def token(self, cookie_name: str, cookie_id: str) -> str:
        """Sign one id for one cookie name."""
        message = f"{cookie_name}={cookie_id}".encode()
        return _base64(hmac.digest(self.secret, message, hashlib.sha256))

    def verify(
        self, cookies: Sequence[tuple[str, str]], tokens: Sequence[str], *, is_https: bool
    ) -> bool:
        """Return whether one of the tokens belongs to one of the cookies that arrived.

        Args:
            cookies: (name, value), duplicates included.
            tokens: what the page's script sent.
            is_https: whether the scheme or Origin is https. Then, and whenever a `__Host-` cookie
                arrived, the plain cookie, which a sibling domain can plant, does not count.
        """
        names = {name for name, _ in cookies}
        wanted = HOST_COOKIE if is_https or HOST_COOKIE in names else PLAIN_COOKIE
        ids = [value for name, value in cookies if name == wanted and is_cookie_id(value)]
        expected = [self.token(wanted, cookie_id) for cookie_id in ids[:8]]
        # No early exit: the time taken must not reveal how close a guess was.
        matches = [
            hmac.compare_digest(token.encode(), candidate.encode())
            for token in tokens[:8]
            for candidate in expected
        ]
        return any(matches)


def derive_secret(material: str | None) -> bytes:
    """Derive the proof's key from the app's cookie secret, or make a random one."""
    if not material:
        return secrets.token_bytes(32)
    return hmac.digest(material.encode(), _LABEL, hashlib.sha256)


def new_cookie_id() -> str:
    """Return 128 random bits as text."""
    return _base64(secrets.token_bytes(16))


def is_cookie_id(text: str) -> bool:
    """Return whether a cookie's value is an id of ours; anything else is replaced."""
    return _ID.fullmatch(text) is not None


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
