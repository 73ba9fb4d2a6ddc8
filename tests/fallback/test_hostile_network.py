"""Both ends against a hop that cuts, doubles, drops and answers in the server's name."""

from __future__ import annotations

import json
import shutil
import subprocess
import threading
import time
from importlib.resources import files
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stlaunch.fallback import TunnelLimits
from stlaunch.fallback.frames import Flags
from tests.fallback.client import Page
from tests.fallback.conftest import Serve
from tests.harness.middleman import Behaviour, start_middleman

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
await tunnel.open(url, ["streamlit", "X"], "test");
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
        through = url.replace(str(urlsplit(url).port), str(hop.port)) + "/tunnel"
        done = _run_node(tmp_path, through, 1500, 60_000, mode)
    report = json.loads(done.stdout.strip().splitlines()[-1])

    assert done.returncode == 0, done.stdout + done.stderr
    assert report == {"isExact": True, "count": 1500}
    assert bool(behaviour.seen) == bool(trouble)


def test_a_message_larger_than_a_proxys_limit_gets_through(serve: Serve, tmp_path: Path) -> None:
    """Messages are cut into bodies that even 1 MB proxies take."""
    url, _ = serve()
    with start_middleman(urlsplit(url).port or 0, Behaviour(largest_body=1_000_000)) as hop:
        through = url.replace(str(urlsplit(url).port), str(hop.port)) + "/tunnel"
        done = _run_node(tmp_path, through, 3, 3_900_000, "stream")

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_hop_that_dies_for_a_while_changes_nothing(serve: Serve, tmp_path: Path) -> None:
    """Killed and started again in the middle: the page goes on where it was."""
    url, _ = serve(limits=TunnelLimits(poll_s=0.5))
    behaviour = Behaviour()
    with start_middleman(urlsplit(url).port or 0, behaviour) as hop:
        through = url.replace(str(urlsplit(url).port), str(hop.port)) + "/tunnel"
        outage = threading.Timer(0.6, lambda: setattr(behaviour, "is_down", True))
        back = threading.Timer(2.0, lambda: setattr(behaviour, "is_down", False))
        outage.start()
        back.start()
        done = _run_node(tmp_path, through, 3000, 20_000, "stream")
        outage.join()
        back.join()

    assert done.returncode == 0, done.stdout + done.stderr


def test_a_path_that_buffers_is_found_out(serve: Serve, tmp_path: Path) -> None:
    """A stream that stays silent is given up for long polls."""
    url, _ = serve(limits=TunnelLimits(poll_s=3.0))
    with start_middleman(urlsplit(url).port or 0, Behaviour(buffers=True)) as hop:
        through = url.replace(str(urlsplit(url).port), str(hop.port)) + "/tunnel"
        done = _run_node(tmp_path, through, 50, 1000, "stream")

    assert done.returncode == 0, done.stdout + done.stderr


def _run_node(
    folder: Path, url: str, count: int, largest: int, mode: str
) -> subprocess.CompletedProcess[str]:
    node = shutil.which("node")
    if node is None:
        pytest.fail("node is missing: apt-get install nodejs")
    script = folder / "page.mjs"
    source = files("stlaunch.selfcheck").joinpath("tunnel.js").read_text(encoding="utf-8")
    script.write_text(source + DRIVER, encoding="utf-8")
    return subprocess.run(
        [node, str(script), url, str(count), str(largest), mode],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
