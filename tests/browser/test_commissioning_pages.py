"""An unknown sensor comes into service in a real browser, by keyboard."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs
from playwright.sync_api import Browser, Page

from ingest.batch import Message
from tests import parts, people, world
from tests.browser.test_pages import DESK, browser, opened, serving
from tests.browser.test_token_pages import PHONE, faults
from tests.intake import Intake, replaying
from tests.people import ANNE, TOWN, People

__all__ = ["browser"]
pytestmark = pytest.mark.browser

SENDER = f"vp/v1/{TOWN}/radar-9"
ZONE = ZoneInfo("Europe/Berlin")
#: more than a day of messages of five minutes
MESSAGES = 12 * 25


@pytest.fixture
def known(_plain: parts.Databases) -> Iterator[People]:
    with _plain.fresh(world.build) as url, people.of(url) as found:
        found.put(ANNE, ("engineer", TOWN))
        yield found


def sent(end: datetime, *, truck: str = "truck") -> Message:
    """A message of two lanes, which are quiet at night."""
    start = end - timedelta(minutes=5)
    cars = 8 if 6 <= start.astimezone(ZONE).hour < 22 else 1
    counts = [
        {"channel": lane, "classes": {"car": cars, truck: 1}} for lane in ("ein", "aus")
    ]
    body = {"time": start.isoformat(), "interval_s": 300, "counts": counts}
    return Message(f"{SENDER}/counts", json.dumps(body).encode(), end)


def signs(page: Page) -> list[str]:
    """Return the signs of the checklist."""
    return [one.strip() for one in page.locator(".checklist .sign").all_inner_texts()]


@pytest.mark.parametrize("viewport", [PHONE, DESK], ids=["phone", "desk"])
def test_an_unknown_sensor_comes_into_service(
    browser: Browser, known: People, viewport: dict[str, int]
) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    ends = [now - timedelta(minutes=5 * n) for n in range(MESSAGES, 0, -1)]
    with (
        Intake(known.url) as intake,
        replaying(intake.settings),
        serving(known.url, None) as server,
        opened(browser, server, viewport=viewport) as page,
    ):
        intake.write(*map(sent, ends))
        page.context.add_cookies(
            [{"name": "session", "value": known.log_in(), "url": server}]
        )
        page.goto(f"/de/register/{TOWN}?kind=sensor")
        page.get_by_role("link", name="Unbekannte Sensoren").press("Enter")
        page.get_by_text("1 unbekannter Sensor hat in der letzten Stunde").wait_for()
        assert faults(page) == []
        page.get_by_role("link", name="Übernehmen").press("Enter")
        page.get_by_text("Was aus den Nachrichten würde").wait_for()
        page.get_by_text(re.compile("Pkw: [18]")).first.wait_for()
        assert faults(page) == []
        # without a site nothing is registered
        page.locator("#name").press("Enter")
        page.get_by_text("Wählen Sie die Messstelle").wait_for()
        page.locator("#site").select_option("pariser-strasse")
        page.get_by_role("button", name="Registrieren und Gesendetes").press("Enter")
        page.get_by_text("Der Sensor ist registriert.").wait_for()
        page.get_by_text("Neu verarbeitet: 300 Nachrichten").wait_for()
        assert faults(page) == []
        page.get_by_role("link", name="Neu nachsehen").press("Enter")
        # the clock is seen from the next message only
        assert signs(page) == ["✓", "…", "✓", "✓", "–", "✓", "✓"]
        # after the replay
        intake.write(structs.replace(sent(now), received_at=datetime.now(UTC)))
        intake.writer.note_newest()
        page.get_by_text("nach ihrem Ende").wait_for()
        assert signs(page) == ["✓", "✓", "✓", "✓", "–", "✓", "✓"]
        page.get_by_text("Es ist nichts mehr zu tun.").wait_for()
        assert faults(page) == []

        # a message that cannot be used says why; what one would become is tried
        wrong = sent(now, truck="lorry")
        intake.write(wrong)
        intake.writer.note_newest()
        page.get_by_role("link", name="Neu nachsehen").press("Enter")
        page.get_by_text("Abgewiesene Nachrichten").wait_for()
        page.locator("#payload").focus()
        page.keyboard.insert_text(wrong.payload.decode())
        page.get_by_role("button", name="Zeigen, was daraus würde").press("Enter")
        page.locator("#try-heading ~ .plain .error").wait_for()
        page.get_by_role("button", name="Neu verarbeiten").press("Enter")
        page.get_by_text("davon 0 verwendet und 1 nicht").wait_for()
        assert faults(page) == []
