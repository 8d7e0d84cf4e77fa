"""The audit log in a real browser: on a phone, by keyboard."""

import pytest
from playwright.sync_api import Browser

from tests.browser.test_pages import browser, opened, serving
from tests.browser.test_token_pages import PHONE, faults, known
from tests.people import BERND, TOWN, People

__all__ = ["browser", "known"]
pytestmark = pytest.mark.browser


def test_it_is_searched_by_keyboard_on_a_phone(browser: Browser, known: People) -> None:
    known.put(BERND, ("administrator", TOWN))
    with known.operator() as connection:
        connection.execute(
            "update vp.site set road = 'B 37', speed_limit_kmh = 30 where key = 'hof'"
        )
    with serving(known.url) as server, opened(browser, server, viewport=PHONE) as page:
        page.context.add_cookies(
            [{"name": "session", "value": known.log_in(BERND), "url": server}]
        )
        page.goto("/de/")
        page.locator("header summary").focus()
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Protokoll").focus()
        page.keyboard.press("Enter")
        page.get_by_label("Schlüssel oder sein Anfang").focus()
        page.keyboard.type(f"{TOWN}/hof")
        page.keyboard.press("Enter")
        row = page.get_by_role("row", name="Straße")
        row.first.wait_for()
        assert "B 37" in row.first.inner_text()
        assert page.url.endswith(f"key={TOWN}%2Fhof&town=")
        assert faults(page) == []
        page.goto("/en/audit")
        page.locator("summary").first.focus()
        page.keyboard.press("Enter")
        assert faults(page) == []
