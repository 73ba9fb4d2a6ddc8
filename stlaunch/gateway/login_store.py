"""Store the cookies of large logins: encrypted in a folder if possible, else in this process.

The folder survives a restart, and is shared by every process of this user on this machine that has
the app's cookie secret. Other machines cannot read it: a visitor sent to one signs in again.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import field

from stlaunch.quick_dataclass import dataclass
from stlaunch.storage.sealed_folder import SealedFolder

logger = logging.getLogger(__name__)

MARK = "stlaunch."
MAX_BYTES = 64 * 1024 * 1024
LIFE_S = 30 * 24 * 3600  # like Streamlit's own cookies
_ID_BYTES = 16


@dataclass(slots=True)
class LoginStore:
    """Login cookies by id; when memory is full, the least recently used are dropped.

    Attributes:
        secret: signs the ids.
        shared: the folder; None without a cookie secret, as no other process could read it.
        clock: monotonic, in seconds.
    """

    secret: bytes = field(repr=False)
    shared: SealedFolder | None = None
    clock: Callable[[], float] = time.monotonic
    _logins: OrderedDict[str, tuple[float, bytes]] = field(default_factory=OrderedDict, repr=False)
    _bytes: int = 0
    _is_kept_said: bool = False
    _is_gone_said: bool = False

    def keep(self, cookies: bytes) -> str:
        """Store cookies and return the value that the browser gets instead; may take a while."""
        login_id = secrets.token_urlsafe(_ID_BYTES)
        place, end = self._put(login_id, cookies)
        if not self._is_kept_said:
            self._is_kept_said = True
            logger.info(
                "A login set cookies of %.1f KB, more than many proxies accept: they stay %s, and "
                "the browser gets a small one. %s",
                len(cookies) / 1024,
                place,
                end,
            )
        return f"{MARK}{login_id}.{self._signature(login_id)}"

    def find(self, value: str) -> bytes | None:
        """Return the stored cookies; None if the value is not ours, or they are gone or expired."""
        login_id = self._id_of(value)
        if login_id is None:
            return None
        found = self.shared.read(login_id) if self.shared else None
        if found is None:
            found = self._remembered(login_id)
        if found is None and not self._is_gone_said:
            self._is_gone_said = True
            logger.warning(
                "A visitor's login is not stored here: it has expired, or another machine has it. "
                "The visitor has to sign in again. With replicas on several machines, send "
                "each visitor to one of them (stlaunch explain STL702)."
            )
        return found

    def forget(self, value: str) -> None:
        """Forget a login that has ended."""
        login_id = self._id_of(value)
        if login_id is None:
            return
        if self.shared:
            self.shared.remove(login_id)
        self._drop(login_id)

    def _put(self, login_id: str, cookies: bytes) -> tuple[str, str]:
        """Store cookies; return where they are now, and how far that reaches, both as text."""
        reason = "there is no cookie secret"
        if self.shared:
            try:
                folder = self.shared.write(login_id, cookies)
            except (OSError, ImportError) as exc:
                reason = str(exc)
            else:
                end = (
                    "Replicas on this machine share them. Those on other machines cannot: send "
                    "each visitor to one of them (stlaunch explain STL702)."
                )
                return f"in {folder}, encrypted", end
        self._logins[login_id] = (self.clock(), cookies)
        self._bytes += len(cookies)
        while self._bytes > MAX_BYTES:
            self._drop(next(iter(self._logins)))
        return (
            f"in this process ({reason})",
            "After a restart, or on another replica, the visitor has to sign in again.",
        )

    def _remembered(self, login_id: str) -> bytes | None:
        if login_id not in self._logins:
            return None
        kept_at, cookies = self._logins[login_id]
        if self.clock() - kept_at > LIFE_S:
            self._drop(login_id)
            return None
        self._logins.move_to_end(login_id)
        return cookies

    def _id_of(self, value: str) -> str | None:
        login_id, _, signature = value.removeprefix(MARK).partition(".")
        expected = self._signature(login_id)
        is_ours = hmac.compare_digest(signature.encode(), expected.encode())
        return login_id if is_ours and value.startswith(MARK) else None

    def _signature(self, login_id: str) -> str:
        return hmac.digest(self.secret, f"login {login_id}".encode(), hashlib.sha256).hex()[:32]

    def _drop(self, login_id: str) -> None:
        _, cookies = self._logins.pop(login_id, (0.0, b""))
        self._bytes -= len(cookies)
