"""Real targets below real prefixes: one process for each, because it holds one Streamlit."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from stlaunch.urls.base_path import BasePath

PREFIXES = ["", "/app", "/user/jane-doe", "/a.b/c~d", "/%40x"]
ENDS = (PREFIXES[0], PREFIXES[-1])
OWN = {"host": "inner.test", "origin": "http://inner.test"}
EVIL = {"host": "inner.test", "origin": "https://evil.test"}
HAS_AGENT_API = tuple(map(int, version("streamlit").split(".")[:2])) >= (1, 67)


class Request(tuple[str, str, dict[str, str]]):
    """Method, path and headers."""

    __slots__ = ()


def _get(path: str, method: str = "GET", **headers: str) -> Request:
    return Request((method, path, headers))


def _ask(kind: str, base: str, *requests: Request) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.asgi.target_probe", kind, base],
        input=json.dumps(requests),
        capture_output=True,
        text=True,
        timeout=240,  # it imports Streamlit on a busy machine
        cwd=Path(__file__).parent.parent.parent,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def _statuses(answers: list[dict[str, Any]]) -> list[int]:
    return [answer["status"] for answer in answers]


# How a prefix is spelled matters at the front door, which is the same for all kinds; what a kind
# makes of one is seen with none and with the oddest.
@pytest.mark.parametrize(
    ("kind", "mount", "prefix"),
    [
        *(pytest.param("script", "", prefix, id=f"script-{prefix}") for prefix in PREFIXES),
        *(pytest.param("fastapi", "/dashboard", prefix, id=f"fastapi-{prefix}") for prefix in ENDS),
        *(
            pytest.param("nested", "/in/dashboard", prefix, id=f"nested-{prefix}")
            for prefix in ENDS
        ),
    ],
)
def test_streamlit_answers_kept_and_stripped(kind: str, mount: str, prefix: str) -> None:
    """Page, files, health and socket work at each prefix, whatever the proxy did to it."""
    base = prefix + mount
    # A whole URL, where `//app` would pass for a host.
    fronts = [f"{prefix}{mount}", mount, f"http://inner.test/{mount}"]
    doubled = f"http://inner.test/{prefix}{mount}"

    answers = _ask(
        kind,
        prefix,
        *(
            request
            for front in fronts
            for request in (
                _get(f"{front}/"),
                _get(f"{front}/_stcore/health"),
                _get(f"{front}/static/js/missing.js"),
                _get(f"{front}/x/_stcore/health"),
                _get(f"{front}/_stlaunch/health"),
                _get(f"{front}/_stcore/stream", "WEBSOCKET", **OWN),
                _get(f"{front}/_stcore/stream", "WEBSOCKET", **EVIL),
                _get(f"{front}/_stcore/stream"),
            )
        ),
        _get(f"{doubled}/_stcore/metrics"),
    )
    # Through a stripping proxy `/app//app/x` arrives so: no way around a rule for `/app/x`.
    assert not prefix or answers.pop()["status"] == 404
    answers = answers[: 8 * len(fronts)]
    pages = [answers[8 * index]["text"] for index in range(len(fronts))]
    scripts = {found[1] for page in pages if (found := re.search(r'src="(\S+/index\.\S+)"', page))}

    assert _statuses(answers) == [200, 200, 404, 404, 200, 101, 403, 426] * len(fronts)
    assert [answer["text"] for answer in answers[1::8]] == ["ok"] * len(fronts)
    assert len(scripts) == 1
    assert scripts.pop().startswith(f"{base}/static/js/")
    assert all(f'data-base="{base}"' in page for page in pages)


@pytest.mark.parametrize("prefix", ENDS)
@pytest.mark.parametrize("kind", ["starlette", "fastapi", "app-with-routes"])
def test_own_routes_answer_kept_and_stripped(kind: str, prefix: str) -> None:
    """Routes next to Streamlit's stay where they are, and know their public address."""
    decoded = BasePath(prefix).decoded

    answers = _ask(
        kind,
        prefix,
        _get(f"{prefix}/api/where"),
        _get("/api/where"),
        _get(f"{prefix}/api/go"),
        _get(f"{prefix}/_stlaunch/ready"),
    )

    assert _statuses(answers) == [200, 200, 307, 200]
    for answer in answers[:2]:
        seen = json.loads(answer["text"])
        assert seen["path"] == f"{decoded}/api/where"
        assert seen["url_for"] == f"http://inner.test{decoded}/api/where"


@pytest.mark.parametrize(("kind", "mount"), [("fastapi", "/dashboard"), ("app-with-routes", "")])
def test_an_unknown_path_is_found_and_own_routes_stay(kind: str, mount: str) -> None:
    """`wrap_app(app)` takes neither a route nor Streamlit's mount for a public path."""
    base = f"/app{mount}"
    own, *found = _ask(
        kind,
        "unknown",
        _get("/api/where/"),
        _get(f"{mount}/"),
        _get(f"{base}/"),
        _get(f"{base}/_stlaunch/page.js"),
        _get(f"{base}/_stcore/health"),
        _get(f"{base}/_stcore/stream", "WEBSOCKET", **OWN),
        _get("/app/api/where"),
    )

    assert own["headers"]["location"] == "../where"
    assert _statuses(found) == [200, 200, 200, 200, 101, 200]
    assert all('<div id="root">' in page["text"] for page in found[:2])
    assert json.loads(found[-1]["text"])["path"] == "/app/api/where"


def test_an_app_with_routes_still_serves_streamlit() -> None:
    """The page and the socket do not move because of another route."""
    answers = _ask(
        "app-with-routes",
        "/app",
        _get("/app/"),
        _get("/second_page"),
        _get("/app/_stcore/health"),
        _get("/app/_stcore/stream", "WEBSOCKET", **OWN),
        _get("/app/_stcore/stream", "WEBSOCKET", **EVIL),
    )

    assert _statuses(answers) == [200, 200, 200, 101, 403]
    assert 'data-base="/app"' in answers[0]["text"]


def test_streamlits_agent_api_keeps_its_own_rule() -> None:
    """It refuses every web page, our own included; before 1.67 there is no such route."""
    headers = {"content-type": "application/json"}
    answers = _ask(
        "agent",
        "/app",
        _get("/app/_stcore/agent/interact", "POST", **headers, **OWN),
        _get("/app/_stcore/agent/interact", "POST", **headers, **EVIL),
        _get("/app/_stcore/agent/interact", "POST", **headers, host="inner.test"),
    )
    refused = ["origin_not_allowed" in answer["text"] for answer in answers]

    if HAS_AGENT_API:
        assert refused == [True, True, False]
    else:
        assert refused == [False, False, False]
        assert all(status in {404, 405} for status in _statuses(answers))
