"""Robots that want the page alone are no sign of a path on which the page does not work."""

from __future__ import annotations

import pytest

from stlaunch.gateway.monitor import detectors
from tests.asgi.driver import Headers, Recorder, make, request

CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0"
GOOGLE = "+http://www.google.com/bot.html"


def _page_of(agent: str, *more: tuple[str, str]) -> Headers:
    return [("host", "app.test"), ("accept", "text/html,*/*"), ("user-agent", agent), *more]


@pytest.mark.parametrize(
    ("headers", "is_reported"),
    [
        pytest.param(_page_of(f"{CHROME} Safari/537.36"), True, id="browser"),
        pytest.param(_page_of(CHROME, ("sec-purpose", "other")), True, id="another purpose"),
        pytest.param(
            _page_of(f"Mozilla/5.0 (compatible; Googlebot/2.1; {GOOGLE})"), False, id="Googlebot"
        ),
        pytest.param(
            _page_of(f"{CHROME} (compatible; Googlebot/2.1; {GOOGLE})"), False, id="its Chrome"
        ),
        pytest.param(
            _page_of("Mozilla/5.0 (compatible; AhrefsBot/7.0; +http://ahrefs.com/robot/)"),
            False,
            id="AhrefsBot",
        ),
        pytest.param(_page_of(f"{CHROME} (Applebot/0.1)"), False, id="bot"),
        pytest.param(_page_of(f"{CHROME} BaiduSPIDER"), False, id="spider"),
        pytest.param(_page_of(f"{CHROME} Crawler/1"), False, id="crawler"),
        pytest.param(_page_of(f"{CHROME} UptimeMonitor/1"), False, id="monitor"),
        pytest.param(_page_of(f"{CHROME} SkypeUriPreview"), False, id="preview"),
        pytest.param(
            _page_of(CHROME, ("sec-purpose", "prefetch;prerender")), False, id="prerender"
        ),
        pytest.param(_page_of(CHROME, ("purpose", "prefetch")), False, id="prefetch"),
    ],
)
def test_only_browsers_that_open_the_page_are_counted(
    headers: Headers,
    is_reported: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Four visits of a crawler said that the page's script was never requested (STL208)."""
    monkeypatch.setattr(detectors, "_PAGES_S", 0.0)
    app = make(Recorder())

    for _ in range(4):
        request(app, "/app/", headers)

    assert ("STL208" in caplog.text) is is_reported
