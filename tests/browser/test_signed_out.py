"""A visitor whose session has ended at a proxy signs in again and is back, in Chromium."""

from __future__ import annotations

import re
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, expect

from stlaunch.proxies.needs import Product
from tests.harness.browser import Visit, new_page
from tests.harness.journeys import SECOND_TITLE, count_to, open_first_page, sees_title, wave_to
from tests.harness.middleman import Behaviour, start_middleman
from tests.harness.proxies import start_proxy
from tests.harness.sign_in import FORMS, SignIn, start_sign_in
from tests.harness.site import BASE, start_app, url_through

pytestmark = [pytest.mark.browser, pytest.mark.proxy]

WITHOUT_A_PAGE = ("auth_request alone", "auth_request, forbidden")
TEXT = "You have been signed out."


def test_a_visitor_signed_out_while_the_page_falls_back_comes_back(visit: Visit) -> None:
    """The proxy accepts the socket and closes it, and the tunnel meets the login page."""
    behaviour = Behaviour()
    barred = re.compile(rf"{BASE}/(_stlaunch/(tunnel|token)|_stcore/health)?$")
    with start_app() as server, start_middleman(server.port, behaviour) as hop:
        open_first_page(visit, url_through(hop))
        count_to(visit, 1)
        visit.page.route(barred, lambda route: route.fulfill(status=401))
        behaviour.handshake = "close"
        hop.cut()
        expect(visit.page.get_by_text(TEXT)).to_be_visible(timeout=60_000)
        visit.page.unroute(barred)  # signed in, in another tab
        behaviour.handshake = "pass"
        visit.page.evaluate("window.dispatchEvent(new Event('focus'))")
        expect(visit.page.get_by_text(TEXT)).not_to_be_visible()
        count_to(visit, 2)


def test_a_signed_out_visitor_comes_back_to_the_same_page(chromium: Browser) -> None:
    """Whatever the proxy answers: one notice with a button, no storm, and the same address after.

    All ways at once, because the app has to be restarted for its connections to end.
    """
    with ExitStack() as stack:
        server = stack.enter_context(start_app())
        pages: dict[str, tuple[Visit, SignIn, str]] = {}
        for form in FORMS:
            sign_in = stack.enter_context(start_sign_in())
            setup = "blog" if form == "oauth2-proxy's redirect" else "recommended"
            proxy = stack.enter_context(
                start_proxy(
                    Product.NGINX,
                    setup,
                    server.port,
                    keep_prefix=False,
                    edit=sign_in.nginx(form),
                )
            )
            visit = stack.enter_context(new_page(chromium))
            url = f"{proxy.url}second_page?x=1"
            visit.page.goto(url)
            sees_title(visit, SECOND_TITLE, f"{form}: opened")
            pages[form] = (visit, sign_in, url)
        for _, sign_in, _ in pages.values():
            sign_in.is_signed_in = False
        server.restart()
        for visit, _, _ in pages.values():
            expect(visit.page.get_by_text(TEXT)).to_be_visible(timeout=60_000)
        asked = {form: len(visit.requests) for form, (visit, _, _) in pages.items()}
        visit.page.wait_for_timeout(8000)
        for form, (visit, sign_in, url) in pages.items():
            assert len(visit.requests) - asked[form] <= 2, (form, visit.requests[asked[form] :])
            assert not visit.page.get_by_text("Connection error").is_visible()
            if form in WITHOUT_A_PAGE:
                sign_in.is_signed_in = True  # elsewhere
                visit.page.get_by_role("button", name="Sign in").click()
            else:
                visit.page.get_by_role("button", name="Sign in").click()
                visit.page.get_by_role("link", name="Continue as Ada").click()
            sees_title(visit, SECOND_TITLE, f"{form}: back")
            wave_to(visit, 1)
            assert visit.page.url == url
            assert not visit.page.get_by_text(TEXT).is_visible()
