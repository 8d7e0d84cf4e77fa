"""From an unknown device to the signed record, by keyboard, on the phone and a desk."""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Final

import pytest
from msgspec import structs
from playwright.sync_api import Browser, Page

from ingest.batch import Message
from tests import parts, people, world
from tests.browser.test_cases import accessible, reach
from tests.browser.test_pages import browser, opened, serving
from tests.browser.test_walk import DESKTOP, PHONE
from tests.intake import Intake, replaying
from tests.people import ANNE, TOWN, People
from verkehrspuls.model import Channel, Site
from verkehrspuls.registry.towns import register

__all__ = ["browser"]
pytestmark = pytest.mark.browser

#: where to keep a picture of each step, to look at
PICTURES: Final = os.environ.get("VERKEHRSPULS_TEST_PICTURES")
FIVE: Final = timedelta(minutes=5)
#: it is about noon in the town, so that there is traffic
AHEAD: Final = timedelta(hours=12 - datetime.now(UTC).hour)
#: what passes in a quarter-hour in each direction
CARS, TRUCKS = 24, 8
#: more than a day of messages
MESSAGES: Final = 12 * 25


@pytest.fixture
def known(_plain: parts.Databases) -> Iterator[People]:
    site = Site(
        key="nordtor",
        name="Nordtor",
        latitude=49.45,
        longitude=7.77,
        channels=tuple(
            Channel(key=way, name=way, quantity="motor", direction=way)
            for way in ("ein", "aus")
        ),
    )
    town = structs.replace(
        world.TOWN,
        time_zone=f"Etc/GMT{-AHEAD // timedelta(hours=1):+d}",
        sites=(site,),
        sensors=(),
        corridors=(),
        junctions=(),
    )
    with _plain.fresh() as url, Intake(url) as intake, people.of(url) as found:
        register(intake.connection, town)
        found.put(ANNE, ("engineer", TOWN))
        yield found


def sent(sensor: str, end: datetime, *, by_day: bool = True) -> Message:
    """A message of two lanes, which miss a quarter of the trucks."""
    classes = {"car": CARS // 3, "truck": TRUCKS // 4} if by_day else {"car": 0}
    counts = [{"channel": lane, "classes": classes} for lane in ("ein", "aus")]
    body = {"time": (end - FIVE).isoformat(), "interval_s": 300, "counts": counts}
    return Message(f"vp/v1/{TOWN}/{sensor}/counts", json.dumps(body).encode(), end)


class Walk:
    """A person at the keyboard, and who looks over their shoulder."""

    def __init__(self, page: Page, name: str, scheme: str) -> None:
        self.page = page
        self._name = name
        self._scheme = scheme
        self._steps = count(1)

    def press(self, selector: str, *, until: str, times: int = 1) -> None:
        reach(self.page, selector)
        for _ in range(times):
            self.page.keyboard.press("Enter")
        self.page.wait_for_selector(until)

    def look(self, step: str) -> None:
        accessible(self.page, self._scheme)
        if PICTURES:
            name = f"sensor-{self._name}-{next(self._steps):02}-{step}.png"
            self.page.screenshot(path=Path(PICTURES) / name, full_page=True)


@pytest.mark.parametrize(
    ("name", "viewport", "language", "scheme"),
    [("phone", PHONE, "de", "dark"), ("desktop", DESKTOP, "en", "light")],
    ids=["phone", "desktop"],
)
def test_from_an_unknown_device_to_the_record(
    browser: Browser,
    known: People,
    name: str,
    viewport: dict[str, int],
    language: str,
    scheme: str,
) -> None:
    now = datetime.now(UTC)
    newest = now - (now - datetime.min.replace(tzinfo=UTC)) % FIVE
    with (
        Intake(known.url) as intake,
        replaying(intake.settings),
        serving(known.url, None) as server,
        opened(browser, server, viewport=viewport, color_scheme=scheme) as page,
    ):
        for n in range(MESSAGES, 0, -1):
            end = newest - FIVE * n
            by_day = 5 <= (end - FIVE + AHEAD).hour < 22
            intake.write(sent("radar-9", end, by_day=by_day))
        intake.write(*(sent(name, newest - FIVE) for name in ("radar-7", "radar-8")))
        page.context.add_cookies(
            [{"name": "session", "value": known.log_in(), "url": server}]
        )
        walk = Walk(page, name, scheme)
        page.goto(f"/{language}/")
        walk.press("header summary", until="details.account[open]")
        walk.press("a[href$='/register']", until="nav.presets")
        walk.press("a[href$='kind=sensor']", until="a[href*='/unknown/']")
        walk.press("a[href*='/unknown/']", until="a[href*='/adopt']")
        assert page.locator("p.lead").inner_text().startswith("3 ")
        walk.look("unknown")

        # two clicks, once the site is chosen
        walk.press("a[href*='radar-9']", until="#site")
        reach(page, "#site")
        page.keyboard.type("Nord")
        walk.look("adopt")
        walk.press("button.main[value=adopt]", until=".checklist")
        page.get_by_text("300").first.wait_for()
        assert stored(known) == 2 * MESSAGES
        received = datetime.now(UTC)
        intake.write(structs.replace(sent("radar-9", newest), received_at=received))
        intake.writer.note_newest()
        page.reload()
        assert signs(page) == ["✓"] * 4 + ["–", "✓", "✓"]
        walk.look("checklist")

        # beside the road, an hour long
        walk.press(f"a[href*='/count/{TOWN}/nordtor']", until="[name=counted_by]")
        walk.look("counts")
        walk.press("button.main", until="[name=tap]")
        quarter = newest - timedelta(minutes=newest.minute % 15)
        let_it_have_begun(known, quarter - timedelta(minutes=65))
        for lane in ("ein", "aus"):
            tap(walk, f"[name=tap][value='motor/{lane}/car']", 4 * CARS)
            tap(walk, f"[name=tap][value='motor/{lane}/truck']", 4 * TRUCKS)
        walk.look("counting")
        parts.wait_for(lambda: tapped(known) == 8 * (CARS + TRUCKS))
        spread_over_the_hour(known, quarter)
        walk.press("[value=end]", until="[name=calibrate]")
        widths = page.locator(".listed").evaluate_all(
            "all => all.map(each => [each.scrollWidth, each.clientWidth])"
        )
        # nothing of the comparison is cut on a phone
        assert [width for width in widths if width[0] > width[1]] == []
        walk.look("compared")

        reach(page, "[name=calibrate]")
        page.keyboard.press("Space")
        walk.press("[name=accepted][value=yes]", until="a[href$='/record']")
        assert calibrations(known) == [1.0667, 1.0667]
        walk.press("a[href$='/record']", until=".signatures")
        walk.look("record")
        pdf = page.request.get(f"{page.url}.pdf")
        assert pdf.headers["content-type"] == "application/pdf"
        assert b"/MarkInfo" in pdf.body()


def signs(page: Page) -> list[str]:
    """Return the signs of the checklist."""
    return [one.strip() for one in page.locator(".checklist .sign").all_inner_texts()]


def tap(walk: Walk, selector: str, times: int) -> None:
    reach(walk.page, selector)
    for _ in range(times):
        walk.page.keyboard.press("Enter")


def value(known: People, statement: str) -> object:
    with known.operator() as connection:
        return connection.execute(statement).fetchall()[0][0]


def stored(known: People) -> object:
    return value(known, "select count(*) from count_reading")


def tapped(known: People) -> object:
    return value(known, "select count(*) from tap")


def calibrations(known: People) -> object:
    return value(
        known,
        "select array_agg(round((calibrations -> 0 ->> 'factor')::numeric, 4)::float)"
        " from installation",
    )


def let_it_have_begun(known: People, at: datetime) -> None:
    """Let an hour have passed since the count was begun."""
    with known.operator() as connection:
        connection.execute("update manual_count set began = %s", [at])


def spread_over_the_hour(known: People, end: datetime) -> None:
    """Let what was tapped at once have passed evenly in the hour before `end`."""
    with known.operator() as connection:
        connection.execute(
            "update tap t set at = %s + s.n %% 4 * interval '15 min' + interval '1 s' "
            "from (select tap_id, row_number() over (partition by direction, class "
            "order by tap_id) as n from tap) s where t.tap_id = s.tap_id",
            [end - timedelta(hours=1)],
        )
