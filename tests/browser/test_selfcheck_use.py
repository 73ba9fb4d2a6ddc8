"""The self-check page in use: on a phone, with a keyboard, read aloud, on paper, and by a link."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.harness.broken_nginx import start_broken
from tests.harness.browser import Visit
from tests.harness.proxies import RunningProxy
from tests.harness.server import RunningServer

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

PHONE = {"width": 360, "height": 740}
LEAST_CONTRAST = 4.5  # WCAG 2, 1.4.3 AA
SCRIPT = """
() => {
  const parse = (text) => {
    const numbers = text.match(/[\\d.]+/g).map(Number);
    const scale = text.startsWith("color(") ? 255 : 1;
    return [...numbers.slice(0, 3).map((n) => n * scale), numbers[3] ?? 1];
  };
  const over = (top, below) => top.slice(0, 3).map((n, i) => n * top[3] + below[i] * (1 - top[3]));
  const light = (colour) => {
    const [r, g, b] = colour.map((n) => {
      const part = n / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const background = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      layers.push(parse(getComputedStyle(at).backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    const text = texts.currentNode.textContent.trim();
    const box = element.getBoundingClientRect();
    if (!text || !box.width || element.closest("noscript, script, :disabled, .skip-link")) continue;
    const behind = background(element);
    const [a, b] = [light(over(parse(getComputedStyle(element).color), behind)), light(behind)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push({ text: text.slice(0, 40), ratio });
  }
  const width = document.documentElement.clientWidth;
  const isCut = (one) => getComputedStyle(one).overflowX !== "visible"
    && one.scrollWidth > one.clientWidth + 1;
  const cut = [...document.querySelectorAll("body *:not(.skip-link)")]
    .filter((one) => one.getBoundingClientRect().width)
    .filter((one) => one.getBoundingClientRect().right > width + 1 || isCut(one))
    .map((one) => `${one.tagName}.${one.className}`);
  return { found, cut, overflow: document.documentElement.scrollWidth - width };
}
"""
FOCUSABLE = "a[href], button:not([disabled]), select, summary, [tabindex='0']"
FOCUSED = """
(focusable) => {
  const one = document.activeElement, style = getComputedStyle(one);
  const hasRing = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return { index: [...document.querySelectorAll(focusable)].indexOf(one), hasRing };
}
"""
UNFOLD = "(is) => document.querySelectorAll('details').forEach((one) => (one.open = is))"
PRINTED = """
() => addEventListener("beforeprint", () => {
  const count = (what) => document.querySelectorAll(what).length;
  window.printed = [count("details"), count("details[open]")];
})
"""


def test_the_page_is_for_everybody(visit: Visit, server: RunningServer, tmp_path: Path) -> None:
    """One page, tried in each way that somebody may have to use it."""
    page = visit.page
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    with start_broken("tutorial", server.port) as proxy:
        page.goto(f"{proxy.url}_stlaunch/#STL403")
        page.locator("#verdict:not([data-tone=running])").wait_for(timeout=120_000)
        check_link(page)
        check_phone(page)
        check_keyboard(page)
        check_screen_reader(page)
        check_paper(page)
        check_same_report(page, proxy, tmp_path)

    assert not visit.page_errors


def check_link(page: Page) -> None:
    """The finding that the link names is in view and has the focus; so is the one clicked next."""
    expect(page.locator("#STL403")).to_be_focused()
    expect(page.locator("#STL403")).to_be_in_viewport()
    page.locator("#STL301").get_by_role("link", name="STL301").click()
    expect(page.locator("#STL301")).to_be_focused()
    expect(page.locator("#STL301 .fix")).to_contain_text("proxy_set_header Upgrade $http_upgrade;")


def check_phone(page: Page) -> None:
    """Nothing is cut at 360 pixels; all of it can be read, what is folded too, light or dark."""
    page.evaluate(UNFOLD, arg=True)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        seen = page.evaluate(SCRIPT)

        assert len(seen["found"]) > 80
        assert seen["overflow"] == 0
        assert not seen["cut"]
        assert not [one for one in seen["found"] if one["ratio"] < LEAST_CONTRAST]
    page.evaluate(UNFOLD, arg=False)


def check_keyboard(page: Page) -> None:
    """Tab reaches everything, with a ring around it; Enter unfolds a row."""
    count = page.locator(FOCUSABLE).locator("visible=true").count()
    page.evaluate("() => { document.activeElement.blur(); scrollTo(0, 0); }")
    reached = set()
    for _ in range(count + 3):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED, FOCUSABLE)
        if focused["index"] >= 0:
            reached.add(focused["index"])
            assert focused["hasRing"], page.evaluate("() => document.activeElement.outerHTML")
    row = page.locator("#test-probe")
    row.locator("summary").focus()
    page.keyboard.press("Enter")

    assert len(reached) == count
    expect(row).to_have_attribute("open", "")
    page.keyboard.press("Enter")
    expect(row).not_to_have_attribute("open", "")


def check_screen_reader(page: Page) -> None:
    """Landmarks, headings in order, names for all that can be used, and one polite verdict."""
    session = page.context.new_cdp_session(page)
    nodes = [_node(raw) for raw in session.send("Accessibility.getFullAXTree")["nodes"]]
    nodes = [node for node in nodes if not node["ignored"]]
    named = {"button", "link", "combobox", "article", "DisclosureTriangle", "region", "table"}
    levels = [node["level"] for node in nodes if node["role"] == "heading"]
    images = {node["name"] for node in nodes if node["role"] == "image"}

    assert {"banner", "main", "contentinfo", "article", "table"} <= {node["role"] for node in nodes}
    assert not [node for node in nodes if node["role"] in named and not node["name"]]
    assert min(levels) == 1 == levels.count(1)
    assert {"WebSocket is broken", "HTTP passes with limits", "HTTP passes"} <= images
    names = [node["name"] for node in nodes if node["role"] == "button"]
    assert {"Measure Upload sizes", "Measure Idle time", "Copy report", "Run again"} <= set(names)
    verdict = page.locator("#verdict")
    expect(verdict).to_have_attribute("aria-live", "polite")
    expect(verdict).to_have_attribute("aria-busy", "false")


def _node(raw: dict[str, Any]) -> dict[str, Any]:
    facts = {one["name"]: one["value"].get("value") for one in raw.get("properties", [])}
    return {
        "ignored": raw.get("ignored"),
        "role": raw.get("role", {}).get("value", ""),
        "name": raw.get("name", {}).get("value", ""),
        "level": facts.get("level"),
    }


def check_paper(page: Page) -> None:
    """On paper all rows are unfolded, folded again afterwards; a dark screen prints on white."""
    page.evaluate(PRINTED)
    page.emulate_media(color_scheme="dark")
    page.pdf()
    rows, unfolded = page.evaluate("() => window.printed")
    page.emulate_media(media="print", color_scheme="dark")
    ink = page.evaluate("() => getComputedStyle(document.body).color")
    page.emulate_media(media="screen", color_scheme="light")

    assert rows == unfolded > 5
    assert page.locator("details[open]").count() == 0
    assert ink == page.evaluate("() => getComputedStyle(document.body).color")


def check_same_report(page: Page, proxy: RunningProxy, folder: Path) -> None:
    """`check` finds the same in the same order, under the same titles, with the same lines."""
    done = subprocess.run(
        [sys.executable, "-m", "stlaunch", "check", proxy.url_for("127.0.0.1"), "--json"],
        cwd=folder, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    reported = {
        one["code"]: one for one in json.loads(done.stdout)["findings"] if one["severity"] != "info"
    }
    shown = {card.get_attribute("data-code"): card for card in page.locator(".finding").all()}

    assert list(shown) == list(reported)
    assert set(shown) == {"STL301", "STL403", "STL602"}
    for code, card in shown.items():
        assert code is not None
        expect(card.get_by_role("heading")).to_have_text(reported[code]["title"])
        lines = [line for line in reported[code]["fix"].splitlines() if line.startswith(" ")]
        assert lines
        assert all(line in card.locator(".fix pre").inner_text() for line in lines)
        expect(card).to_contain_text(reported[code]["explain"])
