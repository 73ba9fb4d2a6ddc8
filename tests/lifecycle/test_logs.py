"""Log lines: one format for everybody's, the request they belong to, and nothing secret."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fallback.client import Page
from tests.harness.protocol import Session, open_session
from tests.lifecycle.running import Running, json_lines, listening

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
APP = """\
import logging
import streamlit as st
from streamlit.logger import get_logger

def first():
    get_logger("streamlit.example").warning("said by Streamlit")
    st.write("first")

def second():
    st.write("second")
    raise RuntimeError("the script's own error")

st.navigation([st.Page(first), st.Page(second)]).run()
"""


UNWATCHED = """\
import logging
import sys
import stlaunch.log
from watchdog.observers.api import EventQueue, ObservedWatch
from watchdog.observers.inotify import InotifyEmitter

if sys.argv[1] == "ours":
    stlaunch.log.configure()
watch = ObservedWatch(".", recursive=True)
InotifyEmitter(EventQueue(), watch, inotify_fd=object()).queue_events(1.0)
logging.getLogger("watchdog.observers.inotify").error("another line")
logging.error({"no": "text"})
"""


def _go_to(page: Session, name: str = "", page_hash: str = "") -> str:
    """Run a page as the browser does; return the hash of the page that was run."""
    from streamlit.proto.BackMsg_pb2 import BackMsg

    message = BackMsg()
    message.rerun_script.page_name = name
    message.rerun_script.page_script_hash = page_hash
    page.socket.send(message.SerializeToString())
    runs = page.read_until("script_finished")
    found = [run.navigation for run in runs if run.WhichOneof("type") == "navigation"]
    return {item.url_pathname: item.page_script_hash for item in found[-1].app_pages}["second"]


def _visit(running: Running) -> str:
    """Ask for all kinds of things; return an id that must not be in the log."""
    ids = {"X-Request-ID": "from-the-proxy", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}
    forwarded = {"X-Forwarded-For": "203.0.113.9"}
    secrets = {"Cookie": "session=SECRET-COOKIE", "Authorization": "Bearer SECRET-BEARER"}
    status, headers, _ = running.get("/app/?token=SECRET-QUERY", **ids, **forwarded, **secrets)
    assert (status, headers["X-Request-ID"]) == (200, "from-the-proxy")
    _, headers, _ = running.get("/app/", **{"X-Request-ID": "not one\x7f", **forwarded})
    assert re.fullmatch(r"[0-9a-f]{16}", headers["X-Request-ID"])
    with open_session(running.url, {**ids, **forwarded}) as page:
        second = _go_to(page)
        _go_to(page, page_hash=second)
        _go_to(page, page_hash=second)
    tunnel = Page(f"{running.url}app/_stlaunch", **{"x-forwarded-for": "203.0.113.9"})
    secret = tunnel.open().json()["id"]
    tunnel.http.post(tunnel.tunnel, params={"mode": "end"})
    tunnel.http.close()
    Page.opened.remove(tunnel)
    return str(secret)


def test_json_lines_record_who_asked_for_what(tmp_path: Path) -> None:
    """Every line is an object; page changes inside of the socket are there; secrets are not."""
    flags = ["--behind-proxy", "/app", "--access-log", "--log-format", "json"]
    with listening(tmp_path, *flags, app=APP) as running:
        secret = _visit(running)
        running.send(signal.SIGTERM)
        assert running.wait() == 0, running.log()
        text = running.log()
    lines = json_lines(text)

    assert [line for line in text.splitlines() if line and not line.startswith("{")] == []
    assert {"time", "level", "logger", "message"} <= set.intersection(*map(set, lines))
    access = [line for line in lines if line["logger"] == "stlaunch.access"]
    first = next(line for line in access if line["path"] == "/app/")
    assert (first["method"], first["status"], first["client"]) == ("GET", 200, "203.0.113.9")
    assert (first["request_id"], first["trace_id"]) == ("from-the-proxy", TRACE)
    assert first["duration_ms"] >= 0
    assert first["bytes"] > 0
    pages = [line for line in access if line["method"] == "PAGE"]
    assert [line["path"] for line in pages] == ["/app/", "/app/second"]
    assert {line["client"] for line in pages} == {"203.0.113.9"}
    assert {line["request_id"] for line in pages} == {"from-the-proxy"}
    sockets = [line for line in access if line["method"] == "WEBSOCKET"]
    assert [line["status"] for line in sockets] == [101, 101]
    assert any(line["path"].endswith("/_stlaunch/tunnel/***") for line in access)
    (said,) = [line for line in lines if line["message"] == "said by Streamlit"]
    assert (said["level"], said["logger"]) == ("warning", "streamlit.example")
    assert any("the script's own error" in line.get("exception", "") for line in lines)
    assert any(line.get("code") == "STL302" for line in lines)
    assert any("listens on http://127.0.0.1:" in line["message"] for line in lines)
    assert "SECRET" not in text
    assert secret not in text


def test_text_lines_have_one_form(tmp_path: Path) -> None:
    """Streamlit's lines look like ours; without --access-log no request is named."""
    with listening(tmp_path, "--behind-proxy", "/app", app=APP) as running:
        status, headers, _ = running.get("/app/", **{"X-Request-ID": "mine"})
        with open_session(running.url) as page:
            _go_to(page)
        running.send(signal.SIGINT)
        running.wait()
        text = running.log()

    assert (status, headers["X-Request-ID"]) == (200, "mine")
    assert re.search(r"^\d\d:\d\d:\d\d streamlit WARNING: said by Streamlit$", text, re.MULTILINE)
    assert "GET" not in text
    assert "PAGE" not in text


@pytest.mark.parametrize(("whose", "count"), [("bare", 1), ("ours", 0)])
def test_a_folder_that_is_no_longer_watched_is_no_error(whose: str, count: int) -> None:
    """Watchdog logs this for each file that is touched while a session, or the app, ends."""
    done = subprocess.run(
        [sys.executable, "-c", UNWATCHED, whose], capture_output=True, text=True, check=True
    )

    assert done.stderr.count("called when the thread is inactive") == count
    assert done.stderr.count("another line") == 1
    assert done.stderr.count("{'no': 'text'}") == 1
