"""Cases decided in a real browser: on a phone, in German, by keyboard."""

from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page

from analytics.cases import casework
from tests import parts, people, world
from tests.browser.test_pages import RULES, browser, opened, serving
from tests.cases import Finding, open_case
from tests.people import TOWN
from verkehrspuls.storage.database import connect

__all__ = ["browser"]

pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 740}


class Desk:
    """The pages of a database with three cases, and a planner's session."""

    def __init__(self, url: str, server: str) -> None:
        self.server = server
        with connect(url) as connection:
            self.cases = [
                open_case(
                    connection,
                    Finding("pariser-strasse", "west-1", "stuck", at, at + world.HOUR),
                )
                for at in (world.MONDAY + n * world.HOUR for n in range(0, 9, 3))
            ]
        with people.of(url) as found:
            found.put("anne@example.org", ("planner", TOWN))
            self._session = found.log_in()
        self._url = url

    def opened(self, browser: Browser, **options: Any) -> Any:
        cookie = {"name": "session", "value": self._session, "domain": "127.0.0.1"}
        cookie |= {"path": "/"}
        state = {"cookies": [cookie], "origins": []}
        return opened(browser, self.server, storage_state=state, **options)

    def states(self) -> list[tuple[str, str]]:
        with connect(self._url) as connection:
            found = [casework.show(connection, case) for case in self.cases]
        return [(case.state, case.effect) for case in found]


@pytest.fixture(scope="module")
def desk(_plain: parts.Databases) -> Iterator[Desk]:
    with _plain.fresh(world.build) as url, serving(url) as server:
        yield Desk(url, server)


def reach(page: Page, selector: str) -> None:
    """Press the tabulator until something is focused."""
    for _ in range(200):
        page.keyboard.press("Tab")
        if page.evaluate("s => document.activeElement.matches(s)", selector):
            return
    raise AssertionError(f"{selector} is not reached by keyboard")


def accessible(page: Page, scheme: str = "light") -> None:
    options = {"runOnly": RULES[scheme], "resultTypes": ["violations"]}
    found = Axe().run(page, options=options).response["violations"]
    assert [(one["id"], node["target"]) for one in found for node in one["nodes"]] == []
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert page.viewport_size
    assert wide <= page.viewport_size["width"]


def test_a_planner_decides_by_keyboard_on_a_phone(browser: Browser, desk: Desk) -> None:
    first, second, third = desk.cases
    with desk.opened(browser, viewport=PHONE) as page:
        page.goto("/de/cases?state=suspected")
        accessible(page)
        # newest first
        for case in (second, first):
            reach(page, f'[name=case][value^="{case}."]')
            page.keyboard.press("Space")
        reach(page, "[name=comment]")
        page.keyboard.type("Regen")
        reach(page, "button[value=rejected]")
        page.keyboard.press("Enter")
        page.wait_for_selector(".done")
        assert "für 2 Fälle gespeichert" in page.inner_text(".done")
        assert page.evaluate("document.activeElement.className") == "done"
        assert desk.states()[:2] == [("rejected", "keep")] * 2
        accessible(page)
        page.goto(f"/de/cases/{third}")
        reach(page, "[name=comment]")
        page.keyboard.type("Bagger am Werk")
        reach(page, "[name=effect]")
        page.keyboard.type("Stunden")
        reach(page, "button[value=confirmed]")
        page.keyboard.press("Enter")
        page.wait_for_selector(".done")
        assert desk.states()[2] == ("confirmed", "exclude")
        accessible(page)
        reach(page, "button[value=comment]")
        page.keyboard.press("Enter")
        page.wait_for_selector(".refused")
        assert page.evaluate("document.activeElement.name") == "comment"
        accessible(page)
        reach(page, "button[value=undo]")
        page.keyboard.press("Enter")
        page.wait_for_selector(".done")
        assert desk.states()[2] == ("suspected", "caveat")


def test_forms_of_cases_are_accessible_in_the_dark(
    browser: Browser, desk: Desk
) -> None:
    with desk.opened(browser, color_scheme="dark") as page:
        for path in ("/en/cases?state=all", f"/en/cases/{desk.cases[0]}"):
            page.goto(path)
            accessible(page, "dark")
