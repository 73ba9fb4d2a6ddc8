"""The page script's XMLHttpRequest: uploads that pass limits, and nothing else touched."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Request, Route

from tests.harness.broken_nginx import start_switched
from tests.harness.browser import Visit
from tests.harness.journeys import open_first_page, upload
from tests.harness.proxies import RunningProxy
from tests.harness.server import RunningServer
from tests.harness.site import start_site

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

TOTAL = 5_000_000
_PREPARE = """
  window.record = (request) => {
    const seen = { events: [], progress: [], states: [] };
    for (const name of ["loadstart", "load", "error", "abort", "timeout", "loadend"])
      request.addEventListener(name, () => seen.events.push(name));
    // Of what arrives in several pieces Chromium says 3 for each: as often as the machine is busy.
    request.addEventListener("readystatechange", () => {
      if (seen.states.at(-1) !== request.readyState) seen.states.push(request.readyState);
    });
    request.upload.onprogress = (event) => seen.progress.push([event.loaded, event.total]);
    return seen;
  };
  window.uploadOf = (url, size) => {
    const request = new XMLHttpRequest();
    const seen = record(request);
    request.open("PUT", url);
    const xsrf = document.cookie.match(/_streamlit_xsrf=([^;]*)/);
    request.setRequestHeader("X-Xsrftoken", decodeURIComponent(xsrf ? xsrf[1] : ""));
    const form = new FormData();
    form.append("file", new Blob([new Uint8Array(size)]), "zeros.bin");
    return { request, seen, form };
  };
"""


@pytest.fixture(scope="module")
def proxy() -> Iterator[RunningProxy]:
    with start_site("nginx", "three-lines") as site:
        yield site.proxy


_SEND = """([url, size]) => {
  const { request, form } = uploadOf(url, size);
  window.done = new Promise((resolve) => {
    request.onloadend = () => setTimeout(() => resolve(request.status), 0);
  });
  request.send(form);
}"""


@pytest.fixture
def address(visit: Visit, proxy: RunningProxy) -> str:
    """The page is open, and has uploaded; an address for one more file of its session."""
    return _uploaded(visit, proxy.url)


def _uploaded(visit: Visit, url: str) -> str:
    sent: list[str] = []

    def note(request: Request) -> None:
        if request.method == "PUT" and "/_stcore/upload_file/" in request.url:
            sent.append(request.url)

    visit.page.on("request", note)
    open_first_page(visit, url)
    upload(visit, 1000)
    visit.page.evaluate(_PREPARE)
    return re.sub(r"[^/]+$", "0123456789abcdef0123456789abcdef", sent[-1])


def test_progress_is_right_and_each_event_comes_once(visit: Visit, address: str) -> None:
    """5 MB through nginx's 1 MB: Streamlit's progress bar never goes back."""
    seen = visit.page.evaluate(
        """([url, size]) => new Promise((resolve) => {
          const { request, seen, form } = uploadOf(url, size);
          request.onloadend = () =>
            setTimeout(() => resolve({ ...seen, status: request.status }), 0);
          request.send(form);
        })""",
        [address, TOTAL],
    )
    pieces = [loaded for loaded, total in seen["progress"] if total >= TOTAL]

    assert seen["status"] == 204
    assert [name for name in seen["events"] if name != "loadstart"] == ["load", "loadend"]
    assert len(set(pieces)) > 3
    assert pieces[-1] == seen["progress"][-1][1]
    assert seen["states"][-1] == 4


def test_more_uploads_at_once_than_the_app_has_places_for(
    visit: Visit, proxy: RunningProxy, address: str
) -> None:
    """Photographs dropped into four tabs, through nginx's 1 MB: the app takes eight at a time."""
    pages = [visit.page, *(visit.page.context.new_page() for _ in range(3))]
    for page in pages[1:]:
        page.goto(proxy.url)
        page.evaluate(_PREPARE)
    for number, page in enumerate(pages):
        page.evaluate(
            """([url, size, number]) => {
              window.statuses = Promise.all([...Array(6).keys()].map((index) =>
                new Promise((resolve) => {
                  const { request, form } = uploadOf(url.replace(/..$/, `${number}${index}`), size);
                  request.onloadend = () => setTimeout(() => resolve(request.status), 0);
                  request.send(form);
                })));
            }""",
            [address, 1_500_000, number],
        )
    statuses = [page.evaluate("window.statuses") for page in pages]

    assert statuses == [[204] * 6] * 4


def test_an_upload_can_be_aborted(visit: Visit, address: str) -> None:
    """While its pieces are on their way; nothing comes after `abort`."""
    seen = visit.page.evaluate(
        """([url, size]) => new Promise((resolve) => {
          const { request, seen, form } = uploadOf(url, size);
          const native = fetch;
          let pieces = 0;
          window.fetch = (target, options) => {
            if (String(target).includes("offset=") && ++pieces === 2) request.abort();
            return native(target, options);
          };
          request.onloadend = () => setTimeout(() => {
            window.fetch = native;
            resolve({ ...seen, status: request.status, pieces });
          }, 1000);
          request.send(form);
        })""",
        [address, TOTAL],
    )

    assert [name for name in seen["events"] if name != "loadstart"] == ["abort", "loadend"]
    assert (seen["status"], seen["pieces"]) == (0, 2)


@pytest.mark.parametrize("away_s", [0, 10])
@pytest.mark.parametrize("size", [900_000, TOTAL], ids=["whole", "in-pieces"])
def test_a_proxy_that_restarts_meanwhile_costs_time_alone(
    visit: Visit, proxy: RunningProxy, address: str, size: int, away_s: int
) -> None:
    """On a slow line: nothing that arrived is lost, and the page sees one upload that succeeds.

    For longer than the attempts take: the page has no session until it has connected again.
    """
    throttled = {"offline": False, "latency": 0, "downloadThroughput": -1}
    devtools = visit.page.context.new_cdp_session(visit.page)
    devtools.send("Network.enable")
    devtools.send("Network.emulateNetworkConditions", throttled | {"uploadThroughput": size / 3})
    visit.page.evaluate(
        """([url, size]) => {
          const { request, seen, form } = uploadOf(url, size);
          window.seen = seen;
          window.done = new Promise((resolve) => {
            request.onloadend = () =>
              setTimeout(() => resolve({ ...seen, status: request.status }), 0);
          });
          request.send(form);
        }""",
        [address, size],
    )
    # In pieces: past the first attempt, which is refused for its size.
    visit.page.wait_for_function(
        "(least) => seen.progress.some(([loaded, total], index) => "
        "loaded > least && loaded < total && (least < 500000 || index && "
        "seen.progress.slice(0, index).some(([before]) => before > loaded)))",
        arg=size / 3 if size < 1_000_000 else 600_000,
        timeout=60_000,
    )
    proxy.processes[0].close()
    time.sleep(away_s)
    proxy.processes[0].__enter__()
    seen = visit.page.evaluate("done")

    assert seen["status"] == 204
    assert [name for name in seen["events"] if name != "loadstart"] == ["load", "loadend"]


def test_a_proxy_that_goes_before_the_first_piece_costs_time_alone(
    visit: Visit, proxy: RunningProxy, address: str
) -> None:
    """Refused for its size, an upload finds the proxy gone when it begins to go in pieces."""
    gone: list[Route] = []

    def close_the_proxy(route: Route) -> None:
        if not gone:
            gone.append(route)
            proxy.processes[0].close()
        route.continue_()

    visit.page.route("**/_stlaunch/upload", close_the_proxy)
    visit.page.evaluate(_SEND, [address, TOTAL])
    while not gone:
        visit.page.wait_for_timeout(50)
    visit.page.unroute("**/_stlaunch/upload")
    proxy.processes[0].__enter__()

    assert visit.page.evaluate("done") == 204


def test_an_upload_that_begins_before_the_page_is_back_waits_for_it(
    visit: Visit, server: RunningServer
) -> None:
    """The app knows no session before the page has connected again, and answers 400 until then."""
    ways = "_stcore/stream|_stlaunch/tunnel"
    with start_switched(server.port, ways, 503) as (proxy, away):
        address = _uploaded(visit, proxy.url)
        away.touch()
        proxy.processes[0].close()
        proxy.processes[0].__enter__()
        with visit.page.expect_response(lambda answer: answer.status == 400):
            visit.page.evaluate(_SEND, [address, 1000])
        away.unlink()

        assert visit.page.evaluate("done") == 204


def test_a_refused_upload_is_refused_in_pieces_too(visit: Visit, address: str) -> None:
    """Streamlit's session check and its XSRF check are met by the pieces' one request."""
    strange = re.sub(r"[^/]+/([^/]+)$", r"00000000-0000-0000-0000-000000000000/\1", address)
    answers = visit.page.evaluate(
        """([strange, url, size]) => Promise.all([[strange, true], [url, false]].map(
          ([target, hasToken]) => new Promise((resolve) => {
            const { request, form } = uploadOf(target, size);
            if (!hasToken) { request.open("PUT", target); }
            request.onloadend = () => resolve({
              status: request.status,
              type: request.getResponseHeader("Content-Type"),
              all: request.getAllResponseHeaders(),
            });
            request.send(form);
          })))""",
        [strange, address, TOTAL],
    )

    assert [answer["status"] for answer in answers] == [400, 403]
    # Of the app's answer, not of nginx's 413 to the first attempt.
    assert [answer["type"].partition(";")[0] for answer in answers] == ["text/plain"] * 2
    assert [answer["all"] for answer in answers] == [
        f"content-type: {answer['type']}\r\n" for answer in answers
    ]


def test_an_upload_that_was_sent_in_pieces_has_the_headers_of_its_last_answer(
    visit: Visit, address: str
) -> None:
    """Nginx refused the first attempt with HTML; the app's 204 has no content."""
    answer = visit.page.evaluate(
        """([url, size]) => new Promise((resolve) => {
          const { request, form } = uploadOf(url, size);
          request.onloadend = () => resolve(
            [request.status, request.getResponseHeader("content-type"),
             request.getAllResponseHeaders().includes("html")]);
          request.send(form);
        })""",
        [address, TOTAL],
    )

    assert answer == [204, None, False]


def test_every_other_request_is_the_browsers_own(visit: Visit, address: str) -> None:
    """Events, `responseType`, headers, synchronous ones, and errors, as without the script."""
    probe = """
      async (Request) => {
        const load = (method, url, type, body) => new Promise((resolve) => {
          const request = new Request();
          const seen = record(request);
          request.responseType = type;
          request.open(method, url);
          request.onloadend = () => setTimeout(() => resolve({
            ...seen, status: request.status, url: request.responseURL,
            kind: Object.prototype.toString.call(request.response),
            type: request.getResponseHeader("content-type"),
          }), 0);
          request.send(body);
        });
        const sync = new Request();
        sync.open("GET", "_stlaunch/health", false);
        sync.send();
        return [
          await load("GET", "_stlaunch/check", "json").then(({ kind, status }) => [kind, status]),
          await load("GET", "_stlaunch/page.js", "arraybuffer"),
          await load("GET", "_stlaunch/page.js", "blob"),
          await load("PUT", "_stlaunch/nothing", "text", "x"),
          await load("GET", "http://nobody.example.invalid/", "text"),
          [sync.status, sync.responseText],
        ];
      }
    """
    native: Any = visit.page.evaluate(f"() => ({probe})(Object.getPrototypeOf(XMLHttpRequest))")
    ours: Any = visit.page.evaluate(f"() => ({probe})(XMLHttpRequest)")

    assert ours == native
    assert ours[0] == ["[object Object]", 200]
    assert ours[4]["events"] == ["loadstart", "error", "loadend"]
    assert ours[5] == [200, "ok"]
