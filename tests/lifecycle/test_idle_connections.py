"""A proxy's idle connection stays open: one that the app closes first is lost to a request."""

from __future__ import annotations

import http.client
import time
from pathlib import Path

from tests.harness.ports import free_port
from tests.harness.server import stlaunch_app

IDLE_S = 6.0
"""Longer than uvicorn's own limit, after which Envoy answered 503 now and then, and ALB 502."""


def test_a_connection_is_used_again_after_a_quiet_time(hello_app: Path) -> None:
    with stlaunch_app(hello_app, free_port()) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("GET", "/_stcore/health")
        connection.getresponse().read()
        first = connection.sock
        time.sleep(IDLE_S)
        connection.request("GET", "/_stcore/health")
        answer = connection.getresponse()

        assert (answer.status, answer.read()) == (200, b"ok")
        assert connection.sock is first
        connection.close()
