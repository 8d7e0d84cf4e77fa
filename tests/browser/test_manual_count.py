"""A person counts at the roadside, without a network now and then, by keyboard."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final
from uuid import UUID

import pytest
from playwright.sync_api import Browser, Page, Route

from tests import parts, people, world
from tests.browser.test_cases import accessible, reach
from tests.browser.test_pages import browser, opened, serving
from tests.browser.test_walk import DESKTOP, PHONE
from tests.people import ANNE, TOWN, People
from verkehrspuls.manual_counts import Tap
from verkehrspuls.registry import manual_counts

__all__ = ["browser"]
pytestmark = pytest.mark.browser

HERE: Final = f"count/{TOWN}/pariser-strasse"
#: where to keep a picture of each step, to look at
PICTURES: Final = os.environ.get("VERKEHRSPULS_TEST_PICTURES")
BEGAN: Final = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def known(_plain: parts.Databases) -> Iterator[People]:
    with _plain.fresh(world.build) as url, people.of(url) as found:
        found.put(ANNE, ("engineer", TOWN))
        yield found


def log_in(page: Page, known: People, server: str) -> None:
    page.context.add_cookies(
        [{"name": "session", "value": known.log_in(), "url": server}]
    )


def press(page: Page, selector: str, times: int = 1) -> None:
    reach(page, selector)
    for _ in range(times):
        page.keyboard.press("Enter")


def look(page: Page, name: str, scheme: str = "light") -> None:
    accessible(page, scheme)
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"count-{name}.png", full_page=True)


def counted(known: People) -> list[tuple[str, int, int]]:
    """What the database has: class, vehicles, how many taps."""
    with known.operator() as connection:
        return connection.execute(
            "select class, sum(vehicles)::int, count(*)::int from tap "
            "group by 1 order by 1"
        ).fetchall()


def let_time_pass(known: People) -> None:
    """Let the count have begun earlier: the clock of the server stands still."""
    with known.operator() as connection:
        connection.execute("update manual_count set began = began - interval '5 min'")


def test_what_is_counted_without_a_network_is_sent_later_and_once(
    browser: Browser, known: People
) -> None:
    car = "[value='motor/ost/car']"
    with (
        serving(known.url) as server,
        opened(browser, server, viewport=PHONE, color_scheme="dark") as page,
    ):
        log_in(page, known, server)
        page.goto(f"/de/{HERE}")
        look(page, "begin", "dark")
        press(page, "button.main")
        page.get_by_text("Alles ist gesendet.").wait_for()
        let_time_pass(known)
        press(page, car, 3)
        parts.wait_for(lambda: counted(known) == [("car", 3, 3)])
        page.get_by_text("Alles ist gesendet.").wait_for()
        page.evaluate("navigator.serviceWorker.ready")
        parts.wait_for(
            lambda: page.evaluate("caches.has(Object.keys(localStorage)[0])")
        )

        page.context.set_offline(True)
        press(page, car, 2)
        press(page, "[value='motor/west/truck']")
        press(page, "[value=undo]")
        page.get_by_text("Kein Netz: 3 sind auf diesem Telefon aufgehoben").wait_for()
        look(page, "offline", "dark")
        # it is closed by accident, and opened again without a network
        page.reload()
        page.get_by_text("Kein Netz: 3 sind").wait_for()
        assert page.locator(f"{car} output").inner_text() == "5"
        press(page, car)
        assert counted(known) == [("car", 3, 3)]

        page.context.set_offline(False)
        page.get_by_text("Alles ist gesendet.").wait_for()
        assert counted(known) == [("car", 6, 6), ("truck", 0, 1)]
        look(page, "online", "dark")

        # the session ends meanwhile; after a new login the rest is sent
        page.context.clear_cookies()
        press(page, car)
        page.get_by_text("Nichts ist verloren").wait_for()
        log_in(page, known, server)
        page.get_by_text("Alles ist gesendet.").wait_for()

        # the server takes no more for a while: that is no reason to log in
        refused: list[Route] = []

        def refuse(route: Route) -> None:
            if route.request.method != "POST" or len(refused) == 2:
                route.continue_()
                return
            refused.append(route)
            route.fulfill(status=429, headers={"Retry-After": "1"})

        page.route(f"**/{HERE}/*", refuse)
        press(page, car)

        def twice() -> bool:
            page.wait_for_timeout(50)
            return len(refused) == 2

        parts.wait_for(twice)
        page.wait_for_timeout(300)
        assert page.locator("[data-status]").inner_text().startswith("1 warten")
        page.get_by_text("Alles ist gesendet.").wait_for()

        # it ends without a network, too
        page.context.set_offline(True)
        press(page, car)
        press(page, "[value=end]")
        page.context.set_offline(False)
        page.get_by_text("Es gibt keine ganze Viertelstunde").wait_for()
        assert counted(known) == [("car", 9, 9), ("truck", 0, 1)]
        assert page.evaluate("localStorage.length") == 0
        look(page, "ended", "dark")


def prepared(known: People) -> int:
    """Begin and end a count of two hours of March, in which the sensor missed some."""
    with known.operator() as connection:
        count = manual_counts.start(
            connection, TOWN, "pariser-strasse", at=BEGAN, counted_by="Anne Muster"
        )
        taps = [
            Tap(
                id=UUID(int=n),
                at=BEGAN + n // 2 * timedelta(minutes=15) + timedelta(seconds=1),
                direction=("west", "ost")[n % 2],
                vehicles=(22, 42)[n % 2] + n // 8 * 5,
            )
            for n in range(16)
        ]
        now = BEGAN + timedelta(hours=2)
        manual_counts.put_taps(connection, TOWN, count.number, taps, now=now)
        manual_counts.end(connection, TOWN, count.number, at=now)
    return count.number


@pytest.mark.parametrize(
    ("language", "viewport"), [("de", PHONE), ("en", DESKTOP)], ids=["de", "en"]
)
def test_a_comparison_is_decided_on_and_its_record_is_printed(
    browser: Browser, known: People, language: str, viewport: dict[str, int]
) -> None:
    number = prepared(known)
    with (
        serving(known.url) as server,
        opened(browser, server, viewport=viewport) as page,
    ):
        log_in(page, known, server)
        page.goto(f"/{language}/{HERE}/{number}")
        look(page, f"compared-{language}")
        reach(page, "[name=calibrate]")
        page.keyboard.press("Space")
        press(page, "[value=yes].main")
        word = {"de": "abgenommen", "en": "accepted"}[language]
        page.locator("p.quiet", has_text=word).wait_for()
        press(page, "a[href$=record]")
        page.wait_for_url("**/record")
        look(page, f"record-{language}")
        pdf = page.request.get(f"/{language}/{HERE}/{number}/record.pdf")
        assert pdf.headers["content-type"] == "application/pdf"
        if PICTURES:
            (Path(PICTURES) / f"record-{language}.pdf").write_bytes(pdf.body())
    with known.operator() as connection:
        row = connection.execute(
            "select count(*) from installation where calibrations <> '[]'"
        ).fetchone()
    assert row == (3,)


def test_each_tap_is_a_form_where_there_are_no_scripts(
    browser: Browser, known: People
) -> None:
    with (
        serving(known.url) as server,
        opened(browser, server, viewport=PHONE, java_script_enabled=False) as page,
    ):
        log_in(page, known, server)
        page.goto(f"/de/{HERE}")
        page.get_by_role("button", name="Jetzt beginnen").press("Enter")
        let_time_pass(known)
        car = page.locator("[value='motor/ost/car']")
        for _ in range(2):
            car.press("Enter")
        page.locator("[value=undo]").press("Enter")
        assert car.locator("output").inner_text() == "1"
        page.go_back()
        page.locator("[value=end]").press("Enter")
        page.get_by_text("Es gibt keine ganze Viertelstunde").wait_for()
    assert counted(known) == [("car", 1, 2)]
