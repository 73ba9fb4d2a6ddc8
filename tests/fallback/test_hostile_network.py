"""Both ends against a hop that cuts, doubles, drops and answers in the server's name."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stlaunch.gateway.tunnel.frames import Flags
from stlaunch.gateway.tunnel.registry import TunnelLimits, TunnelRegistry
from tests.fallback.client import Page
from tests.fallback.conftest import Serve
from tests.harness.middleman import Behaviour, start_middleman
from tests.harness.proxies import start_proxy

DRIVER = """
const [url, count, largest] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const plainFetch = globalThis.fetch;
const origin = new URL(url).origin;
globalThis.fetch = (target, options = {}) =>
  plainFetch(target, { ...options, headers: { ...options.headers, Origin: origin } });
globalThis.localStorage = { getItem: () => null, setItem() {}, removeItem() {} };
globalThis.navigator ??= {};
const tunnel = new Tunnel();
Tunnel.streams = process.argv[5] === "poll" ? false : undefined;
const sent = [], got = [];
tunnel.onclose = (code, reason) => {
  console.log(JSON.stringify({ code, reason }));
  process.exit(1);
};
tunnel.onmessage = (data) => {
  got.push(Buffer.from(data).toString("base64"));
  if (got.length === count) {
    const isExact = got.every((text, index) => text === sent[index]);
    console.log(JSON.stringify({ isExact, count: got.length }));
    tunnel.close();
    setTimeout(() => process.exit(isExact ? 0 : 1), 50);
  }
};
await tunnel.open(url.replace("/_stlaunch/tunnel", ""), ["streamlit", "X"], "test");
let seed = 7;
const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
for (let index = 0; index < count; index += 1) {
  const bytes = new Uint8Array(1 + Math.floor(random() ** 4 * largest)).fill(index % 251);
  new DataView(bytes.buffer).setUint8(0, index % 256);
  sent.push(Buffer.from(bytes).toString("base64"));
  tunnel.send(bytes);
  if (index % 10 === 0) await sleep(random() * 4);
}
"""


_MORE = Flags.MORE


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 2**32),
    messages=st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=25),
)
def test_the_python_page_loses_and_doubles_nothing(
    serve: Serve, seed: int, messages: list[bytes]
) -> None:
    """Whatever happens to single requests, the echo of the sequence is the sequence."""
    messages = [b"." + message for message in messages]
    url, _ = serve(limits=TunnelLimits(poll_s=0.2))
    with start_middleman(urlsplit(url).port or 0, Behaviour(trouble=0.4, seed=seed)) as hop:
        page = Page(url.replace(str(urlsplit(url).port), str(hop.port)))
        page.open(origin=f"http://127.0.0.1:{hop.port}")
        received: list[bytes] = []
        for message in messages:
            page.outbox.put(message, _MORE)
        deadline = time.monotonic() + 30
        while len(received) < len(messages) and time.monotonic() < deadline:
            try:
                if page.outbox.frames:
                    page.put()
                received += [message.payload for message in page.poll()]
            except (httpx.HTTPError, ValueError):
                continue

    assert received == messages


@pytest.mark.parametrize("mode", ["stream", "poll"])
@pytest.mark.parametrize("trouble", [0.0, 0.3], ids=["clean", "hostile"])
def test_the_page_script_loses_and_doubles_nothing(
    serve: Serve, tmp_path: Path, mode: str, trouble: float
) -> None:
    """The real tunnel.js in node against the real server: the exact sequence both ways."""
    url, _ = serve(limits=TunnelLimits(poll_s=1.0))
    behaviour = Behaviour(trouble=trouble, seed=3)
    with start_middleman(urlsplit(url).port or 0, behaviour) as hop:
        report = _run_node(tmp_path, _through(url, hop.port), 1500, 60_000, mode)

    assert report == {"isExact": True, "count": 1500}
    assert bool(behaviour.seen) == bool(trouble)


def test_a_message_larger_than_a_proxys_limit_gets_through(serve: Serve, tmp_path: Path) -> None:
    """Messages are cut into bodies that even 1 MB proxies take."""
    url, _ = serve()
    with start_middleman(urlsplit(url).port or 0, Behaviour(largest_body=1_000_000)) as hop:
        report = _run_node(tmp_path, _through(url, hop.port), 3, 3_900_000, "stream")

    assert report == {"isExact": True, "count": 3}


def test_a_hop_that_dies_for_a_while_changes_nothing(serve: Serve, tmp_path: Path) -> None:
    """Nothing gets through for a while, in the middle: the page goes on where it was."""
    url, registry = serve(limits=TunnelLimits(poll_s=0.5))
    behaviour = Behaviour()
    with (
        start_middleman(urlsplit(url).port or 0, behaviour) as hop,
        _node(tmp_path, _through(url, hop.port), 3000, 20_000, "stream") as page,
    ):
        _wait_until(lambda: _last_number(registry) > 300)
        behaviour.is_down = True
        hop.cut()
        at_outage = _last_number(registry)
        time.sleep(1)
        behaviour.is_down = False
        report = _report(page)

    assert at_outage < 3000, "it had ended before the outage"
    assert report == {"isExact": True, "count": 3000}


@pytest.mark.proxy
@pytest.mark.parametrize("mode", ["stream", "poll"])
def test_a_real_proxy_is_killed_and_started_again(serve: Serve, tmp_path: Path, mode: str) -> None:
    """A real nginx goes away in the middle and comes back: the sequences of messages are exact."""
    url, registry = serve(limits=TunnelLimits(poll_s=0.5))
    port = urlsplit(url).port or 0
    with (
        start_proxy("nginx", "recommended", port, keep_prefix=True, base_path="/app") as proxy,
        _node(tmp_path, _through(url, proxy.port), 3000, 20_000, mode) as page,
    ):
        for number in (300, 1000):
            _wait_until(lambda number=number: _last_number(registry) > number)
            proxy.processes[0].close()
            at_outage = _last_number(registry)
            time.sleep(0.5)
            proxy.processes[0].__enter__()
        report = _report(page)

    assert at_outage < 3000, "it had ended before the outage"
    assert report == {"isExact": True, "count": 3000}


def test_a_page_that_slept_learns_that_its_tunnel_is_gone(serve: Serve, tmp_path: Path) -> None:
    """Longer than the idle limit: the page closes, and Streamlit's own resumption takes over."""
    url, registry = serve(limits=TunnelLimits(poll_s=0.2, idle_s=1.0))
    with _node(tmp_path, f"{url}/tunnel", 100_000, 100, "poll") as page:
        _wait_until(lambda: _last_number(registry) > 10)
        page.send_signal(signal.SIGSTOP)
        _wait_until(lambda: len(registry) == 0)
        page.send_signal(signal.SIGCONT)
        report = _report(page)

    assert report == {"code": 1006, "reason": "the tunnel has ended (410)"}


def test_a_path_that_buffers_is_detected(serve: Serve, tmp_path: Path) -> None:
    """A stream that stays silent is given up for long polls."""
    url, _ = serve(limits=TunnelLimits(poll_s=3.0))
    with start_middleman(urlsplit(url).port or 0, Behaviour(buffers=True)) as hop:
        report = _run_node(tmp_path, _through(url, hop.port), 50, 1000, "stream")

    assert report == {"isExact": True, "count": 50}


def _through(url: str, port: int) -> str:
    """Return the address where tunnels are opened, by way of another port."""
    return url.replace(str(urlsplit(url).port), str(port)) + "/tunnel"


def _last_number(registry: TunnelRegistry) -> int:
    """Return how many frames the app has sent on the one tunnel."""
    return max((tunnel.outbox.last_number for tunnel in registry._tunnels.values()), default=0)


def _wait_until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, "it never came so far"
        time.sleep(0.01)


def _report(page: subprocess.Popen[str]) -> dict[str, object]:
    """Wait for the end of the page, and return its last words."""
    output, errors = page.communicate(timeout=100)
    assert output, errors
    report: dict[str, object] = json.loads(output.strip().splitlines()[-1])
    return report


def _run_node(folder: Path, url: str, count: int, largest: int, mode: str) -> dict[str, object]:
    with _node(folder, url, count, largest, mode) as page:
        return _report(page)


@contextmanager
def _node(
    folder: Path, url: str, count: int, largest: int, mode: str
) -> Iterator[subprocess.Popen[str]]:
    """Run the page's end of the tunnel."""
    node = shutil.which("node")
    if node is None:
        pytest.fail("node is missing: apt-get install nodejs")
    script = folder / "page.mjs"
    parts = [
        files("stlaunch.gateway").joinpath(name).read_text(encoding="utf-8")
        for name in ("tunnel/polling_place.js", "tunnel/tunnel.js", "page/endpoints.js")
    ]
    script.write_text("\n".join([*parts, DRIVER]), encoding="utf-8")
    command = [node, str(script), url, str(count), str(largest), mode]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as page:
        try:
            yield page
        finally:
            page.kill()
