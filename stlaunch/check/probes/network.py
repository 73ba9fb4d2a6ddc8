"""Probe names, addresses and TLS: everything before the first HTTP request."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from ipaddress import ip_address
from typing import Any, TypeAlias

import anyio
from anyio.streams.tls import TLSAttribute, TLSStream

from stlaunch.check.dialer import Dialer, failure_of, make_context
from stlaunch.check.observations import Dialled, Failure, Lookup, Tls, TlsTrouble
from stlaunch.check.target import Target

_MAX_ADDRESSES = 8
_AddressInfo: TypeAlias = tuple[Any, ...]
# X509_V_ERR_* of openssl/x509_vfy.h.
_NOT_YET_VALID, _EXPIRED, _WRONG_NAME, _WRONG_ADDRESS = 9, 10, 62, 64
_VERIFY = {
    _NOT_YET_VALID: TlsTrouble.EXPIRED,
    _EXPIRED: TlsTrouble.EXPIRED,
    _WRONG_NAME: TlsTrouble.WRONG_NAME,
    _WRONG_ADDRESS: TlsTrouble.WRONG_NAME,
}
_PLAIN = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}


async def look_up(target: Target, timeout_s: float) -> Lookup:
    """Look up the addresses of the host to connect to."""
    host = target.dial.host
    try:
        number = ip_address(host)
    except ValueError:
        pass
    else:
        is_v6 = number.version == 6  # noqa: PLR2004 - IPv6
        return Lookup(ipv6=(host,)) if is_v6 else Lookup(ipv4=(host,))
    try:
        with anyio.fail_after(timeout_s):
            found = await _ask_names(host, target.dial.port or 0)
    except TimeoutError:
        return Lookup(failure=Failure.TIMEOUT, detail="the name service does not answer")
    except (OSError, UnicodeError) as exc:
        detail = getattr(exc, "strerror", None) or str(exc)
        return Lookup(failure=Failure.UNREACHABLE, detail=detail)
    addresses = list(dict.fromkeys((family, place[0]) for family, *_, place in found))
    addresses = addresses[:_MAX_ADDRESSES]
    return Lookup(
        ipv4=tuple(str(host) for family, host in addresses if family == socket.AF_INET),
        ipv6=tuple(str(host) for family, host in addresses if family == socket.AF_INET6),
    )


async def _ask_names(host: str, port: int) -> list[_AddressInfo]:
    """Query in a thread that nobody waits for: a dead name service blocks it for a minute."""
    loop, done = asyncio.get_running_loop(), asyncio.Event()
    found: list[list[_AddressInfo] | OSError | UnicodeError] = []

    def ask() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as exc:
            found.append(exc)
        with contextlib.suppress(RuntimeError):  # the loop is closed: time was up
            loop.call_soon_threadsafe(done.set)

    threading.Thread(target=ask, daemon=True).start()
    await done.wait()
    if isinstance(found[0], list):
        return found[0]
    raise found[0]


async def dial_all(target: Target, lookup: Lookup, timeout_s: float) -> tuple[Dialled, ...]:
    """Connect to the first address of each family at the same time."""
    found: dict[str, Dialled] = {}

    async def dial(address: str) -> None:
        found[address] = await _dial(address, target.dial.port or 0, timeout_s)

    addresses = [*lookup.ipv4[:1], *lookup.ipv6[:1]]
    async with anyio.create_task_group() as tasks:
        for address in addresses:
            tasks.start_soon(dial, address)
    return tuple(found[address] for address in addresses)


async def shake_tls(target: Target, address: str, *, is_insecure: bool, timeout_s: float) -> Tls:
    """Make one TLS handshake as a browser does, and read the certificate."""
    trust = None if is_insecure else "checked"
    dialer = Dialer(
        target=target,
        address=address,
        context=make_context(is_insecure=is_insecure, alpn=("h2", "http/1.1")),
        timeout_s=timeout_s,
    )
    with anyio.move_on_after(timeout_s):
        try:
            stream = await dialer.connect()
        except (OSError, anyio.BrokenResourceError, anyio.EndOfStream) as exc:
            trouble, detail = _trouble_of(exc)
            return Tls(trust=trust, trouble=trouble, detail=detail)
        assert isinstance(stream, TLSStream)  # noqa: S101 - a context was given
        try:
            return _tls_facts(stream, trust)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(stream)
    return Tls(trust=trust, trouble=TlsTrouble.HANDSHAKE, detail="no answer to the TLS handshake")


def _tls_facts(stream: TLSStream, trust: str | None) -> Tls:
    tls = stream.extra(TLSAttribute.ssl_object)  # noqa: S610 - not Django's
    certificate = tls.getpeercert() or {}
    expires = certificate.get("notAfter")
    return Tls(
        trust=trust,
        protocol=tls.version() or "",
        alpn=tls.selected_alpn_protocol() or "",
        expires_at=ssl.cert_time_to_seconds(expires) if isinstance(expires, str) else None,
        issuer=_issuer(certificate.get("issuer", ())),
        names=tuple(str(name[1]) for name in certificate.get("subjectAltName", ())[:8]),
    )


def _issuer(parts: object) -> str:
    names: dict[str, str] = {}
    for part in parts if isinstance(parts, tuple) else ():
        names |= dict(part)
    return names.get("organizationName", "") or names.get("commonName", "")


def _trouble_of(exc: BaseException) -> tuple[TlsTrouble, str]:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            kind = _VERIFY.get(cause.verify_code, TlsTrouble.UNTRUSTED)
            return kind, cause.verify_message
        if isinstance(cause, ssl.SSLError):
            reason = cause.reason or str(cause)
            kind = TlsTrouble.PLAIN_HTTP if reason in _PLAIN else TlsTrouble.HANDSHAKE
            return kind, reason.lower().replace("_", " ")
        cause = cause.__cause__ or cause.__context__
    return TlsTrouble.HANDSHAKE, failure_of(exc)[1]


async def _dial(address: str, port: int, timeout_s: float) -> Dialled:
    started = time.monotonic()
    failure, detail = None, ""
    try:
        with anyio.fail_after(timeout_s):
            stream = await anyio.connect_tcp(address, port)
            await stream.aclose()
    except (OSError, TimeoutError) as exc:
        failure, detail = failure_of(exc)
    return Dialled(
        address=address,
        port=port,
        elapsed_ms=round((time.monotonic() - started) * 1000),
        failure=failure,
        detail=detail,
    )
