"""From messages of a new model to readings of a sensor, in a browser, by keyboard."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page

from ingest.batch import Message
from tests import parts, people, world
from tests.browser.test_cases import accessible, reach
from tests.browser.test_pages import DESK, NOW, browser, opened, serving
from tests.browser.test_token_pages import PHONE
from tests.browser.test_walk import PICTURES
from tests.intake import Intake
from tests.people import ANNE, TOWN, People

__all__ = ["browser"]
pytestmark = pytest.mark.browser

WIZARD: Final = "/de/device-profile"
#: a people counter whose model nobody knows
SENT: Final = {"kommt": 12, "geht": 9, "akku": 87, "stand": "2026-02-28T23:30:00+01:00"}


@pytest.fixture
def known(_plain: parts.Databases) -> Iterator[People]:
    with _plain.fresh(world.build) as url, people.of(url) as found:
        found.put(ANNE, ("engineer", TOWN))
        yield found


def press(page: Page, selector: str) -> None:
    reach(page, selector)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def write(page: Page, selector: str, text: str) -> None:
    reach(page, selector)
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def choose(page: Page, selector: str, words: str) -> None:
    """Choose by typing the begin of an option, as keyboards do."""
    reach(page, selector)
    page.keyboard.type(words)


def say(page: Page, field: str, words: str, output: str = "") -> None:
    """Say what a field is: reach it, choose from the list, and press Enter."""
    press(page, f'[name=pick][value="{field}"]')
    assert page.evaluate("document.activeElement.id") == "means"
    page.keyboard.type(words)
    if output:
        write(page, "#output", output)
    press(page, f'[name=say][value="{field}"].main')


@pytest.mark.parametrize("viewport", [PHONE, DESK])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_messages_of_a_new_model_become_readings(
    browser: Browser, known: People, viewport: dict[str, int], scheme: str
) -> None:
    size = f"{viewport['width']}-{scheme}"

    def look(page: Page, name: str) -> None:
        if PICTURES:
            file = Path(PICTURES) / f"profile-{name}-{size}.png"
            page.screenshot(path=file, full_page=True)
        accessible(page, scheme)

    with (
        serving(known.url) as server,
        opened(browser, server, viewport=viewport, color_scheme=scheme) as page,
    ):
        page.context.add_cookies(
            [{"name": "session", "value": known.log_in(), "url": server}]
        )
        page.goto(WIZARD)
        look(page, "start")
        reach(page, "#payloads")
        page.keyboard.insert_text(json.dumps(SENT))
        press(page, "[name=act][value=add].main")
        say(page, "kommt", "zu Fuß", "rein")
        say(page, "geht", "zu Fuß", "raus")
        say(page, "akku", "Batterie")
        say(page, "stand", "Zeit, ausgeschrieben")
        page.get_by_text("rein, ").first.wait_for()
        look(page, "said")
        write(page, "#name_de", "Zähler Marke „Neu“")
        write(page, "#name_en", "Counter New")
        choose(page, "#kind", "Personenz")
        write(page, "#topic", "zaehler/{device_id}")
        write(page, "#interval_s", "600")
        choose(page, "#time_is", "das Ende")
        write(page, "#key", "Neu!")
        press(page, "[name=act][value=save]")
        assert "a bis z" in page.locator("#key-error").inner_text()
        look(page, "refused")
        write(page, "#key", "zaehler-neu")
        press(page, "[name=act][value=save]")
        page.get_by_text("Es ist gespeichert und kann benutzt werden.").wait_for()
        look(page, "saved")

        press(page, ".done a:first-of-type")
        choose(page, "#site", "Radweg")
        look(page, "choose")
        press(page, "form button.main")
        write(page, "#device_id", "7")
        write(page, "#key", "zaehler-7")
        reach(page, "#since")
        page.locator("#since").fill("2026-02-01T08:00")
        press(page, "[name=act][value=show]")
        page.get_by_text("Sensor zaehler-7").first.wait_for()
        look(page, "shown")
        press(page, "[name=act][value=register]")
        page.get_by_text("Der Sensor zaehler-7 ist registriert.").wait_for()
        look(page, "done")

        with Intake(known.url) as intake:
            payload = json.dumps(SENT).encode()
            received = NOW - timedelta(minutes=5)
            intake.write(Message("zaehler/7", payload, received))
        press(page, f'a[href$="/commissioning/{TOWN}/zaehler-7"]')
        page.get_by_text("12").first.wait_for()
        look(page, "commissioning")
    with known.operator() as connection:
        stored = connection.execute(
            "select c.key, r.pedestrian from vp.count_reading r "
            "join vp.channel c using (channel_id) join vp.site s using (site_id) "
            "where s.key = 'radweg' and r.pedestrian is not null order by 1"
        ).fetchall()
    assert stored == [("raus", 9), ("rein", 12)]


def test_what_is_typed_of_a_device_survives_going_away(
    browser: Browser, known: People
) -> None:
    page_of = f"/de/register/{TOWN}/by-profile?site=radweg&profile="
    with serving(known.url) as server, opened(browser, server) as page:
        page.context.add_cookies(
            [{"name": "session", "value": known.log_in(), "url": server}]
        )
        page.goto(f"{page_of}parametric-pcr2")
        page.locator("#dev_eui").fill("0016c001f153a14c")
        page.locator("#key").fill("zaehler-1")
        # another model has another draft
        page.goto(f"{page_of}bosch-tps110")
        assert page.locator("#dev_eui").input_value() == ""
        page.goto(f"{page_of}parametric-pcr2")
        page.get_by_text("ist wieder eingetragen").wait_for()
        assert page.locator("#dev_eui").input_value() == "0016c001f153a14c"
        page.get_by_role("button", name="Sensor registrieren").click()
        page.get_by_text("Der Sensor zaehler-1 ist registriert.").wait_for()
        page.goto(f"{page_of}parametric-pcr2")
        assert page.locator("#dev_eui").input_value() == ""
        assert page.locator("#key").input_value() == "people-1"
