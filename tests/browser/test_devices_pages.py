"""An engineer looks after devices in a real browser, by keyboard."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests import parts, people, world
from tests.browser.test_pages import DESK, browser, opened, serving
from tests.browser.test_token_pages import PHONE, faults
from tests.integration.test_devices import told
from tests.people import ANNE, TOWN, People
from verkehrspuls.storage.database import connect

__all__ = ["browser"]
pytestmark = pytest.mark.browser


@pytest.fixture
def known(_plain: parts.Databases) -> Iterator[People]:
    with _plain.fresh(world.build) as url, people.of(url) as found:
        found.put(ANNE, ("engineer", TOWN))
        with connect(url) as connection:
            told(connection, "camera", [60.0 - n for n in range(20)])
            told(connection, "loop", [95.0, 15.0])
        yield found


def follow(page: Page, name: str) -> None:
    """Follow a link by the keyboard."""
    page.get_by_role("link", name=name).first.press("Enter")


@pytest.mark.parametrize("viewport", [PHONE, DESK])
def test_a_device_is_found_and_its_readings_are_traced(
    browser: Browser, known: People, viewport: dict[str, int]
) -> None:
    with (
        serving(known.url, address="http://localhost:8000") as server,
        opened(browser, server, viewport=viewport) as page,
    ):
        page.context.add_cookies(
            [{"name": "session", "value": known.log_in(), "url": server}]
        )
        page.goto("/de/devices")
        page.get_by_role("heading", name="Geräte, Kaiserslautern").wait_for()
        assert faults(page) == []
        page.get_by_label("Name, Schlüssel, Messstelle").fill("loop")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="1 Gerät gefunden").wait_for()
        follow(page, "Sensor loop")
        page.get_by_text("15").first.wait_for()
        assert faults(page) == []
        follow(page, "Etikett drucken")
        page.get_by_role("heading", name="Etiketten").wait_for()
        assert faults(page) == []
        # labels are printed alone
        page.emulate_media(media="print")
        assert page.locator(".labels").is_visible()
        for around in ("header", "footer", "h1", ".crumbs"):
            assert not page.locator(around).is_visible()
        page.emulate_media(media="screen")
        page.goto(f"/de/history/{TOWN}/pariser-strasse")
        assert faults(page) == []
        page.get_by_label("Messkanal").select_option("ost-2")
        page.get_by_label("Zeit an der Messstelle").fill("2026-03-03T13:00")
        page.get_by_role("button", name="Verfolgen").press("Enter")
        page.get_by_text("keine hatte einen Messwert dieser Zeit").wait_for()
        assert faults(page) == []
        page.goto(f"/de/scan/{TOWN}")
        assert faults(page) == []
        code = "LW:D0:1122334455667788:AABBCCDDEEFF0011:AABB1122"
        page.get_by_label("Code", exact=True).fill(code)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Neuer Sensor").wait_for()
        assert page.locator("#serial").input_value() == "AABBCCDDEEFF0011"
