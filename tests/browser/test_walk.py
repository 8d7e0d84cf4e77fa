"""The whole walk of a new planner in a real browser, by keyboard only."""

import os
import re
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page

from analytics.jobs import claims
from analytics.jobs.store import open_store
from tests import world
from tests.browser.test_cases import accessible, reach
from tests.browser.test_pages import browser, opened
from tests.browser.test_passkeys import Device, enter, pages
from tests.cases import Finding, open_case
from tests.people import ANNE, PASSWORD, People
from verkehrspuls.settings import Analytics

__all__ = ["browser", "pages"]

pytestmark = pytest.mark.browser

#: where to keep a picture of each step, to look at
PICTURES: Final = os.environ.get("VERKEHRSPULS_TEST_PICTURES")
SITE: Final = "/towns/kaiserslautern/pariser-strasse?from=2026-03-01&to=2026-03-04"
PHONE: Final = {"width": 390, "height": 844}
DESKTOP: Final = {"width": 1280, "height": 800}


class Walk:
    """Somebody at a page, who has a keyboard and no mouse."""

    def __init__(self, page: Page, language: str, scheme: str, name: str) -> None:
        self.page = page
        self.language = language
        self._scheme = scheme
        self._name = name
        self._steps = count(1)

    def open(self, path: str) -> None:
        self.page.goto(f"/{self.language}{path}")

    def press(self, selector: str, *, until: str) -> None:
        """Press what is reached by the tabulator; wait for what it leads to."""
        reach(self.page, selector)
        self.page.keyboard.press("Enter")
        self.page.wait_for_selector(until)

    def open_menu(self) -> None:
        """Open what the name of who is logged in hides."""
        reach(self.page, "header summary")
        self.page.keyboard.press("Enter")

    def type(self, **fields: str) -> None:
        for name, text in fields.items():
            reach(self.page, f"#content [name={name}]")
            self.page.keyboard.type(text)

    def look(self, step: str) -> None:
        """See that the page is accessible and fits."""
        accessible(self.page, self._scheme)
        if PICTURES:
            file = Path(PICTURES) / f"{self._name}-{next(self._steps):02}-{step}.png"
            self.page.screenshot(path=file, full_page=True)

    def cookies(self) -> list[str]:
        return [str(cookie.get("name")) for cookie in self.page.context.cookies()]


@pytest.mark.parametrize(
    ("name", "viewport", "language", "scheme"),
    [("phone", PHONE, "de", "dark"), ("desktop", DESKTOP, "en", "light")],
)
def test_from_the_invitation_to_logging_out_everywhere(
    browser: Browser,
    pages: tuple[str, People],
    name: str,
    viewport: dict[str, int],
    language: str,
    scheme: str,
) -> None:
    address, known = pages
    at = world.MONDAY + (3 if name == "phone" else 9) * world.HOUR
    with known.operator() as connection:
        case = open_case(
            connection,
            Finding("pariser-strasse", "west-1", "stuck", at, at + world.HOUR),
        )
    with opened(browser, address, viewport=viewport, color_scheme=scheme) as page:
        walk = Walk(page, language, scheme, name)
        device = Device(page)
        email = f"{name}@example.org"

        enter(page, address, known.log_in(ANNE))
        walk.open("/people")
        walk.look("people")
        walk.type(name="Petra Plan", email=email)
        reach(page, "[name=role]")
        page.keyboard.type("Pl")
        walk.press("#content button.main", until="input.once")
        walk.look("invited")
        link = page.input_value("input.once")

        page.context.clear_cookies()
        walk.open("/")
        walk.open(f"/cases/{case}")
        assert walk.cookies() == []
        page.goto(link.replace("/de/", f"/{language}/"))
        walk.look("link")
        walk.type(name="Petra Plan", password=PASSWORD, password_again=PASSWORD)
        walk.press("#content button.main", until="#sessions-heading")
        walk.look("account")

        walk.press("a[href$='/account/passkeys']", until="form[data-passkey=make]")
        walk.look("passkeys")
        walk.type(name="Telefon")
        walk.press("form[data-passkey=make] button", until="section.passkey")
        walk.look("passkey")
        assert len(device.passkeys()) == 1
        walk.open_menu()
        walk.look("menu")
        walk.press("form[action$='/logout'] button", until="a[href*='/login']")
        assert walk.cookies() == []

        # straight from the case to the login, and back to it
        walk.open(f"/cases/{case}")
        walk.press("a[href*='/login']", until="form[data-passkey=show]")
        assert walk.cookies() == []
        walk.look("login")
        # the field of the e-mail offers the passkey, which the device shows at once: a
        # walk by keyboard would not see that it has reached the field
        page.focus("[name=email]")
        page.wait_for_selector("section.acts")
        walk.look("case")

        before = volume(walk, known)
        walk.open(f"/cases/{case}")
        walk.type(comment="Bagger")
        reach(page, "[name=effect]")
        page.keyboard.press("Home")
        walk.press("button[value=confirmed]", until=".done")
        walk.look("decided")
        assert volume(walk, known) != before
        walk.look("site")
        walk.open(f"/cases/{case}")
        walk.press("button[value=undo]", until=".done")
        walk.look("undone")
        assert volume(walk, known) == before

        walk.open_menu()
        walk.press("a[href$='/account']", until="#sessions-heading")
        walk.press("section:last-child > form button", until="form[data-passkey=show]")
        assert walk.cookies() == []
        walk.open("/account")
        assert "/login?next=" in page.url


def volume(walk: Walk, known: People) -> str:
    """Return the sum that the page of the site shows, once all is computed."""
    with open_store(known.url, application="test") as store:
        while claims.process(store, Analytics(), now=world.RECEIVED):
            pass
    walk.open(SITE)
    text = {"de": "Summe im Zeitraum", "en": "Sum in the period"}[walk.language]
    found = re.search(rf'{text}.*?class="value">([^<]*)', walk.page.content(), re.S)
    assert found, text
    return found[1]


@pytest.mark.parametrize(("width", "rows"), [(360, 2), (1280, 1)])
@pytest.mark.parametrize("language", ["de", "en"])
@pytest.mark.parametrize("email", [ANNE, ""])
def test_the_header_takes_few_rows(
    browser: Browser,
    pages: tuple[str, People],
    width: int,
    rows: int,
    language: str,
    email: str,
) -> None:
    address, known = pages
    viewport = {"width": width, "height": 640}
    with opened(browser, address, viewport=viewport) as page:
        if email:
            enter(page, address, known.log_in(email))
        page.goto(f"/{language}/about")
        shown = page.locator("header .wide > *").evaluate_all(
            "all => all.map(each => each.getBoundingClientRect())"
            ".map(box => box.top + box.height / 2)"
        )
        # what stands beside one another has about the same middle
        assert len({round(middle / 20) for middle in shown}) <= rows, shown
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if PICTURES:
            name = f"header-{width}-{language}-{'in' if email else 'out'}"
            page.screenshot(path=Path(PICTURES) / f"{name}.png")
        if email:
            menu = page.locator("header details")
            menu.locator("summary").click()
            if PICTURES:
                page.screenshot(path=Path(PICTURES) / f"{name}-menu.png")
            box = menu.locator("div").bounding_box()
            assert box is not None
            assert box["x"] >= 0
            page.keyboard.press("Escape")
            assert menu.get_attribute("open") is None
            menu.locator("summary").click()
            page.mouse.click(20, 600)
            assert menu.get_attribute("open") is None
