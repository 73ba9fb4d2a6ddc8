"""What a user does with the exercise app."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

EXERCISE = Path(__file__).with_name("streamlit_app.py")


def open_exercise(page: Page, url: str) -> None:
    """Open the app and wait until its script has finished and nothing moves any more.

    Streamlit fetches a widget's script when the widget is first shown: what is below it moves,
    and a click under way hits nothing.
    """
    page.goto(url)
    expect(page.get_by_role("heading", name="Exercise", exact=True)).to_be_visible()
    at_rest(page)
    for late in (
        page.get_by_label("Text", exact=True),
        page.get_by_role("slider"),
        page.get_by_role("button", name="Download", exact=True),
        page.get_by_role("button", name="Upload", exact=True),
        page.get_by_test_id("stChatInput").get_by_role("textbox"),
        page.frame_locator('iframe[src*="/component/"]').get_by_role("button"),
    ):
        expect(late.first).to_be_visible()


def at_rest(page: Page) -> None:
    """Wait until no script is running."""
    app = page.get_by_test_id("stApp")
    expect(app).to_have_attribute("data-test-script-state", "notRunning")


def press(page: Page, name: str) -> None:
    """Click a button once the script is idle: while the page moves, a click may hit nothing."""
    at_rest(page)
    page.get_by_role("button", name=name, exact=True).click()
