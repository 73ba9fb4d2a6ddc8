"""Open one connection to the target: TCP, and TLS where it is https. Nothing is sent here."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any

import anyio
from anyio.abc import ByteStream, SocketAttribute, SocketStream
from anyio.streams.tls import TLSStream

from stlaunch.check.observations import Failure
from stlaunch.check.target import Target
from stlaunch.quick_dataclass import dataclass

_NETWORK_ERRORS = {
    errno.ECONNREFUSED: Failure.REFUSED,
    errno.EHOSTUNREACH: Failure.UNREACHABLE,
    errno.ENETUNREACH: Failure.UNREACHABLE,
    errno.EADDRNOTAVAIL: Failure.UNREACHABLE,
    errno.EAFNOSUPPORT: Failure.UNREACHABLE,
    errno.ETIMEDOUT: Failure.TIMEOUT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialer:
    """Connects to one address of the target.

    Attributes:
        target: its name is checked against the certificate.
        address: the IP address that answered.
        context: the TLS settings; None for http.
        timeout_s: for each step.
    """

    target: Target
    address: str
    context: ssl.SSLContext | None
    timeout_s: float

    async def connect(self) -> ByteStream:
        """Return an open connection.

        Raises:
            OSError: if it cannot be opened.
        """
        stream = _Connection(await anyio.connect_tcp(self.address, self.target.dial.port or 0))
        if self.context is None:
            return stream
        try:
            return await TLSStream.wrap(
                stream,
                hostname=self.target.origin.host,
                ssl_context=self.context,
                standard_compatible=False,
            )
        except BaseException:
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(stream)
            raise


class _Connection(ByteStream):
    """A TCP connection that keeps what has arrived even if sending fails.

    A server that refuses a body early answers and closes at once. When a send fails, asyncio drops
    the connection with its unread data: a second handle on the same socket still has it.
    """

    def __init__(self, stream: SocketStream) -> None:
        self._stream = stream
        self._rest: socket.socket = stream.extra(SocketAttribute.raw_socket).dup()  # noqa: S610 - no database
        self._rest.setblocking(False)

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """Return what has arrived, before and after the connection broke."""
        try:
            return await self._stream.receive(max_bytes)
        except anyio.BrokenResourceError:
            try:
                rest = self._rest.recv(max_bytes)
            except OSError:
                rest = b""
            if not rest:
                raise
            return rest

    async def send(self, item: bytes) -> None:
        """Send all of it."""
        await self._stream.send(item)

    async def send_eof(self) -> None:
        """Signal that nothing follows."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close both handles."""
        self._rest.close()
        await self._stream.aclose()

    @property
    def extra_attributes(self) -> Mapping[Any, Callable[[], Any]]:
        """The socket's own attributes."""
        return self._stream.extra_attributes


def make_context(*, is_insecure: bool, alpn: tuple[str, ...] = ("http/1.1",)) -> ssl.SSLContext:
    """Return the TLS settings, which trust the machine's own authorities, or SSL_CERT_FILE."""
    context = ssl.create_default_context()
    if is_insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(list(alpn))
    return context


def failure_of(exc: BaseException) -> tuple[Failure, str]:
    """Classify an exception from a connection, and describe it."""
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLError):
            return Failure.TLS, str(cause.reason or cause)
        if isinstance(cause, OSError) and cause.errno in _NETWORK_ERRORS:
            return _NETWORK_ERRORS[cause.errno], cause.strerror or str(cause)
        if isinstance(cause, TimeoutError):
            return Failure.TIMEOUT, "no answer"
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
            continue
        cause = cause.__cause__ or cause.__context__
    return Failure.CLOSED, "the connection was closed"
