"""Ask one of our own servers whether it answers; the caller picks the connection."""

from __future__ import annotations

import contextlib
import http.client


def answers_ok(connection: http.client.HTTPConnection, path: str) -> bool:
    """Return whether a GET of `path` is answered with 200; close the connection."""
    with contextlib.closing(connection):
        try:
            connection.request("GET", path)
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
