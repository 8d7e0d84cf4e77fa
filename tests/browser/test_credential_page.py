"""Credentials of a sensor are issued and revoked in a real browser, by keyboard."""

import os
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page

from tests import parts
from tests.browser.test_cases import accessible, reach
from tests.browser.test_pages import browser, opened, serving
from tests.browser.test_walk import DESKTOP, PHONE
from tests.integration.test_credential_pages import known, live, logs_in, place, url
from tests.people import TOWN, People
from verkehrspuls.registry.credentials import Issued

__all__ = ["browser", "known", "place", "url"]
pytestmark = pytest.mark.browser

#: where to keep a picture of each step, to look at
PICTURES: Final = os.environ.get("VERKEHRSPULS_TEST_PICTURES")


def look(page: Page, scheme: str, name: str) -> None:
    accessible(page, scheme)
    if PICTURES:
        file = Path(PICTURES) / f"credentials-{name}-{scheme}.png"
        page.screenshot(path=file, full_page=True)


@pytest.mark.parametrize(
    ("language", "viewport", "scheme"),
    [("de", PHONE, "dark"), ("en", DESKTOP, "light")],
    ids=["phone", "desk"],
)
def test_a_sensor_gets_its_credential_by_keyboard(
    browser: Browser,
    known: People,
    place: parts.Broker,
    language: str,
    viewport: dict[str, int],
    scheme: str,
) -> None:
    with (
        serving(known.url, None, BROKER__PUBLISH_URL=place.publish_url) as server,
        opened(browser, server, viewport=viewport, color_scheme=scheme) as page,
    ):
        page.context.add_cookies(
            [{"name": "session", "value": known.log_in(), "url": server}]
        )
        page.goto(f"/{language}/register/{TOWN}/sensor/camera")
        reach(page, "a[href*='/credentials/']")
        page.keyboard.press("Enter")
        page.wait_for_selector("[value=issue]")
        reach(page, "[value=issue]")
        look(page, scheme, "none")
        page.keyboard.press("Enter")
        page.wait_for_selector("#password")
        user, password = (page.input_value(f"#{name}") for name in ("user", "password"))
        assert logs_in(place, Issued(0, user, password))
        reach(page, "details:has(#config-arduino) summary")
        page.keyboard.press("Enter")
        assert password in page.input_value("#config-arduino")
        look(page, scheme, "issued")

        page.goto(f"/{language}/credentials/{TOWN}/camera")
        assert password not in page.content()
        look(page, scheme, "one")
        reach(page, "#hours")
        page.keyboard.press("Control+a")
        page.keyboard.type("2")
        page.keyboard.press("Enter")
        page.wait_for_selector("#password")
        assert page.input_value("#password") != password
        page.goto(f"/{language}/credentials/{TOWN}/camera")
        for left in (1, 0):
            reach(page, "[value^='revoke']")
            page.keyboard.press("Enter")
            page.wait_for_selector("p.done")
            assert live(known) == left
        look(page, scheme, "revoked")
        assert not logs_in(place, Issued(0, user, password))
