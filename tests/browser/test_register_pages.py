"""A new site comes into service in a real browser, by keyboard."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Page

from tests import parts, people, world
from tests.browser.test_pages import DESK, browser, opened, serving
from tests.browser.test_token_pages import PHONE, faults
from tests.browser.test_walk import PICTURES
from tests.integration.test_maintenance import photograph
from tests.people import ANNE, TOWN, People

__all__ = ["browser"]
pytestmark = pytest.mark.browser

HERE = f"/de/register/{TOWN}"


@pytest.fixture
def known(_plain: parts.Databases) -> Iterator[People]:
    with _plain.fresh(world.build) as url, people.of(url) as found:
        found.put(ANNE, ("engineer", TOWN))
        yield found


def fill(page: Page, **typed: str) -> None:
    """Type into fields, each reached by the Tab key, and send the form by Enter."""
    page.locator(f"#{next(iter(typed))}").focus()
    for name, text in typed.items():
        for _ in range(20):
            if page.evaluate("document.activeElement.id") == name:
                break
            page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.id") == name
        if page.locator(f"select#{name}").count():
            page.locator(f"#{name}").select_option(text)
        elif page.locator(f"#{name}[type=datetime-local], #{name}[type=date]").count():
            page.locator(f"#{name}").fill(text)
        else:
            page.keyboard.press("Control+a")
            page.keyboard.type(text)
    page.locator("#" + next(iter(typed))).press("Enter")


@pytest.mark.parametrize(
    ("viewport", "scripts"), [(PHONE, True), (DESK, True), (PHONE, False)]
)
def test_a_new_site_comes_into_service(
    browser: Browser, known: People, viewport: dict[str, int], scripts: bool
) -> None:
    def looks_right(page: Page) -> None:
        if scripts:
            assert faults(page) == []

    with (
        serving(known.url) as server,
        opened(
            browser,
            server,
            viewport=viewport,
            java_script_enabled=scripts,
            geolocation={"latitude": 49.45, "longitude": 7.75, "accuracy": 7.2},
            permissions=["geolocation"],
        ) as page,
    ):
        page.context.add_cookies(
            [{"name": "session", "value": known.log_in(), "url": server}]
        )
        page.goto(HERE)
        looks_right(page)
        page.get_by_role("link", name="Neue Messstelle").press("Enter")
        if scripts:
            page.get_by_role("button", name="Standort dieses Geräts").press("Enter")
            page.get_by_text("Eingetragen, auf 8 m genau.").wait_for()
            assert page.locator("#latitude").input_value() == "49.450000"
        page.locator("#lanes").fill("viele")
        looks_right(page)
        fill(page, key="nordtor", name="Nordtor")
        page.get_by_text("Hier steht Text; erwartet wird eine ganze Zahl.").wait_for()
        looks_right(page)
        page.locator("#lanes").fill("2")
        page.locator("#lanes").press("Enter")
        page.get_by_text("Es ist gespeichert.").wait_for()
        looks_right(page)

        page.get_by_role("link", name="Neuer Messkanal").press("Enter")
        fill(page, key="ein", name="Stadteinwärts", quantity="motor", bearing_deg="225")
        page.get_by_text("nach Südwesten").first.wait_for()
        looks_right(page)

        page.goto(f"{HERE}?kind=sensor")
        page.get_by_role("link", name="Neuer Sensor").press("Enter")
        fill(page, key="radar", name="Radar", interval_s="300", class_scheme="tls-2+1")
        page.get_by_role("link", name="An einen Messkanal anschließen").press("Enter")
        fill(page, output="1", channel="nordtor/ein", since="2026-02-01T10:00")
        page.get_by_text("Es ist gespeichert.").wait_for()
        looks_right(page)

        page.goto(f"{HERE}/sensor/radar")
        page.get_by_role("link", name="Gerät tauschen").press("Enter")
        looks_right(page)
        fill(page, key="radar-2", name="Radar 2", at="2026-03-01T08:00")
        page.get_by_text("Die Geräte sind getauscht.").wait_for()
        page.get_by_text("radar-2, 1 → nordtor/ein").wait_for()


def test_a_draft_survives_going_away_until_it_is_saved(
    browser: Browser, known: People
) -> None:
    with serving(known.url) as server, opened(browser, server) as page:
        page.context.add_cookies(
            [{"name": "session", "value": known.log_in(), "url": server}]
        )
        page.goto(f"{HERE}/new/site")
        page.locator("#key").fill("nordtor")
        page.locator("#name").fill("Nordtor")
        page.goto(HERE)
        page.go_back()
        assert page.locator("#name").input_value() == "Nordtor"
        page.reload()
        page.get_by_text("ist wieder eingetragen").wait_for()
        assert page.locator("#key").input_value() == "nordtor"
        page.locator(".place svg").click(position={"x": 50, "y": 50})
        assert page.locator("#latitude").input_value().startswith("49.4")
        page.locator("#key").press("Enter")
        page.get_by_text("Es ist gespeichert.").wait_for()
        page.goto(f"{HERE}/new/site")
        assert page.locator("#name").input_value() == ""


def press(page: Page, role: str, name: str) -> None:
    """Reach a link or button by the Tab key, and press Enter."""
    wanted = page.get_by_role(role, name=name, exact=True)  # type: ignore[arg-type]  # one of its names
    handle = wanted.first.element_handle()
    for _ in range(300):
        if page.evaluate("one => one === document.activeElement", handle):
            page.keyboard.press("Enter")
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"the Tab key does not reach {name}")


@pytest.mark.parametrize(
    ("viewport", "scripts"), [(PHONE, True), (DESK, True), (PHONE, False)]
)
def test_a_file_maintenance_and_moves_by_keyboard(
    browser: Browser, known: People, viewport: dict[str, int], scripts: bool
) -> None:
    image: FilePayload = {
        "name": "schrank.jpg",
        "mimeType": "image/jpeg",
        "buffer": photograph(),
    }
    table = "site;site_name\ns1;Neu\npariser-strasse;Pariser\n;Ohne\n"

    def looks_right(page: Page, name: str) -> None:
        if PICTURES:
            size = f"{viewport['width']}{'' if scripts else '-plain'}"
            file = Path(PICTURES) / f"register-{name}-{size}.png"
            page.screenshot(path=file, full_page=True)
        if scripts:
            assert faults(page) == []

    with (
        serving(known.url) as server,
        opened(browser, server, viewport=viewport, java_script_enabled=scripts) as page,
    ):
        page.context.add_cookies(
            [{"name": "session", "value": known.log_in(), "url": server}]
        )
        page.goto(HERE)
        press(page, "link", "Aus einer Datei eintragen, oder exportieren")
        for content in (table, table.replace(";Ohne\n", "")):
            given: FilePayload = {
                "name": "neu.csv",
                "mimeType": "text/csv",
                "buffer": content.encode(),
            }
            page.locator("#file").set_input_files(given)
            page.locator("#file").focus()
            with page.expect_navigation():
                press(page, "button", "Ausprobieren")
            looks_right(page, "file" if content == table else "difference")
        page.get_by_text("Name: Pariser Straße → Pariser").wait_for()
        page.locator("h1").click()
        press(page, "button", "Das eintragen")
        page.get_by_text("Es ist gespeichert.").wait_for()

        page.goto(f"{HERE}/sensor/camera")
        press(page, "link", "Wartungsbuch und neuer Eintrag")
        page.locator("#photographs").set_input_files(image)
        looks_right(page, "maintenance")
        page.locator("#kind").select_option("battery")
        page.locator("#note").fill("Neue Batterie")
        fill(page, due_on="2028-03-01")
        page.get_by_text("Es ist gespeichert.").wait_for()
        page.get_by_text("Nächste Wartung: Mi, 01.03.2028").wait_for()
        shown = page.locator(".photographs img")
        shown.scroll_into_view_if_needed()
        assert shown.evaluate("one => one.complete || one.loading === 'lazy'")
        looks_right(page, "log")
        page.goto(f"{HERE}/sensor/camera")
        page.get_by_text("Neue Batterie").wait_for()
        looks_right(page, "sensor")

        page.goto(f"{HERE}/site/s1")
        with page.expect_navigation():
            press(page, "link", "Umbenennen, teilen oder zusammenlegen")
        looks_right(page, "move")
        page.locator("#rename-key").focus()
        page.keyboard.type("Süd")
        page.keyboard.press("Enter")
        page.get_by_text("Ein Schlüssel hat nur a bis z").wait_for()
        looks_right(page, "refused")
        page.locator("#rename-key").fill("s2")
        page.locator("#rename-key").press("Enter")
        page.get_by_text("Es ist getan.").wait_for()
