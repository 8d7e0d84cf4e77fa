"""A token in a real browser: made, copied, revoked."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from tests import parts, people, world
from tests.browser.test_pages import RULES, browser, opened, serving
from tests.people import ANNE, TOWN, People

__all__ = ["browser"]
pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 740}
PAGE = "/de/account/tokens"


@pytest.fixture
def known(_plain: parts.Databases) -> Iterator[People]:
    with _plain.fresh(world.build) as url, people.of(url) as found:
        found.put(ANNE, ("engineer", TOWN))
        yield found


def faults(page: Page) -> list[str]:
    """Return what axe finds, and whether the page is wider than a phone."""
    found = Axe().run(
        page, options={"runOnly": {"type": "tag", "values": RULES["light"]}}
    )
    wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return [each["id"] for each in found.response["violations"]] + ["wide"] * wide


@pytest.mark.parametrize("scripts", [True, False])
def test_a_token_is_made_and_revoked_by_keyboard_on_a_phone(
    browser: Browser, known: People, scripts: bool
) -> None:
    with (
        serving(known.url) as server,
        opened(browser, server, viewport=PHONE, java_script_enabled=scripts) as page,
    ):
        page.context.add_cookies(
            [{"name": "session", "value": known.log_in(), "url": server}]
        )
        page.goto(PAGE)
        page.get_by_label("Name").focus()
        page.keyboard.type("Leitstelle")
        for key in ("Tab", "Tab", "Tab", "Space"):  # to the second permission
            page.keyboard.press(key)
        assert page.get_by_label("Fälle entscheiden").is_checked()
        if scripts:
            assert faults(page) == []
        page.keyboard.press("Enter")
        shown = page.get_by_label("Token", exact=True)
        token = shown.input_value()
        assert token.startswith("vp_")
        assert page.url == f"{server}{PAGE}"
        button = page.get_by_role("button", name="Kopieren")
        assert button.is_visible() == scripts
        if scripts:
            assert faults(page) == []
            page.context.grant_permissions(["clipboard-read", "clipboard-write"])
            button.click()
            page.get_by_role("button", name="Kopiert").wait_for()
            assert page.evaluate("navigator.clipboard.readText()") == token
        page.get_by_role("link", name="Zu allen Tokens").click()
        if scripts:
            assert faults(page) == []
        page.get_by_role("button", name="Widerrufen … Leitstelle").press("Enter")
        page.get_by_role("button", name="Token widerrufen").press("Enter")
        page.get_by_text("Das Token ist widerrufen.").wait_for()
        assert page.get_by_role("button", name="Widerrufen …").count() == 0
