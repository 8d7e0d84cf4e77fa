"""Every figure that the page of a corridor shows is the API's."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import groupby
from statistics import fmean
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from starlette.testclient import TestClient

from dashboards.app import create_web
from tests import parts, shown
from tests.integration import test_api_sections as road
from tests.parts import as_web
from verkehrspuls.language import Language
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import load
from verkehrspuls.storage.database import connect

#: midnight in Berlin, a Monday
START = datetime(2026, 9, 6, 22, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
DE = Language("de")
#: the day that is shown, and the period of five weeks up to it
DAY = {"from": "2026-10-09", "to": "2026-10-10"}
WEEKS = {"from": "2026-09-05", "to": "2026-10-10"}


@pytest.fixture(scope="module")
def web(_plain: parts.Databases) -> Iterator[TestClient]:
    with _plain.fresh() as url:
        with connect(url) as connection:
            register(connection, road.TOWN)
            road.fill(connection, start=START, days=35)
            # two days that are slower than all others, and an hour without figures
            connection.execute(
                "update vp.volume set speed_kmh = speed_kmh * 0.8"
                " where time >= '2026-10-08' and time < '2026-10-09 12:00'"
            )
            connection.execute(
                "delete from vp.volume"
                " where time >= '2026-10-09 13:00' and time < '2026-10-09 14:00'"
            )
        with TestClient(
            create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
        ) as web:
            yield web


@pytest.fixture(scope="module")
def page(web: TestClient) -> str:
    found = web.get("/de/corridors/linz/road?day=2026-10-09")
    assert found.status_code == 200
    return found.text


def ask(web: TestClient, path: str, **query: str) -> Any:
    found = web.get(f"/api/v1/{path}", params=query)
    assert found.status_code == 200, found.text
    return found.json()


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(BERLIN)


def clock(minute: int) -> str:
    return f"{minute // 60}:{minute % 60:02}"


def times(web: TestClient) -> dict[str, float | None]:
    """Minutes by the clock of the day."""
    found = ask(web, "corridors/linz/road/travel-times", **DAY)["corridor_intervals"]
    return {
        clock((at := local(row["time"])).hour * 60 + at.minute): row["travel_s"]
        and row["travel_s"] / 60
        for row in found
    }


def reliability(web: TestClient) -> dict[str, dict[str, Any]]:
    found = ask(web, "corridors/linz/road/reliability", **WEEKS)["reliability"]
    return {clock(row["minute"]): row for row in found}


def in_minutes(seconds: float | None) -> str:
    return shown.german(seconds and seconds / 60, 1)


def of_times(web: TestClient) -> list[list[str]]:
    today, usual = times(web), reliability(web)
    rows = []
    for number in range(96):
        at = clock(number * 15)
        of_workdays = usual.get(at, {})
        rows.append(
            [
                at,
                shown.german(today.get(at), 1),
                in_minutes(of_workdays.get("median_s")),
                in_minutes(of_workdays.get("p95_s")),
            ]
        )
    return rows


def of_speeds(web: TestClient) -> list[list[str]]:
    """The means of hours, from the quarter-hours of each site."""
    by_hour: dict[tuple[int, str], list[float]] = {}
    for site in road.SITES:
        series = ask(web, f"sites/linz/{site}/series", **DAY, bin="PT15M")
        for row in series["rows"]:
            if (speed := row["speed_kmh"]) is not None:
                by_hour.setdefault((local(row["time"]).hour, site), []).append(speed)
    return [
        [
            DE.hours(hour),
            *(
                shown.german(fmean(known))
                if (known := by_hour.get((hour, site)))
                else "–"
                for site in road.SITES
            ),
        ]
        for hour in range(24)
    ]


def of_reliability(web: TestClient) -> list[list[str]]:
    indices = (
        *("median_index", "buffer_index", "planning_time_index", "misery_index"),
    )
    return [
        [
            at,
            shown.german(row["days"]),
            *(shown.german(row[name], 2) for name in indices),
        ]
        for at, row in reliability(web).items()
        if at.endswith(":00")
    ]


def of_bottlenecks(web: TestClient) -> list[list[str]]:
    found = ask(web, "corridors/linz/road/bottlenecks", **WEEKS)["bottlenecks"]
    assert found
    return [
        [
            road.SITES[row["station"]],
            DE.moment(datetime.fromisoformat(row["began"]), BERLIN.key),
            DE.moment(datetime.fromisoformat(row["ended"]), BERLIN.key),
            shown.german(row["slowest_kmh"]),
            shown.german(row["extent_m"]),
            shown.german(row["delay_h"], 1),
        ]
        for row in sorted(found, key=lambda row: row["began"], reverse=True)
    ]


TABLES = {
    "Wie lange dauert die Fahrt?": of_times,
    "Wo und wann ist es langsam?": of_speeds,
    "Wie verlässlich ist das?": of_reliability,
    "Wo stockt der Verkehr?": of_bottlenecks,
}


def test_each_table_of_the_page_is_compared(page: str) -> None:
    assert shown.tables(page).keys() == TABLES.keys()


@pytest.mark.parametrize("caption", TABLES)
def test_table_shows_what_the_api_gives(
    web: TestClient, page: str, caption: str
) -> None:
    assert shown.tables(page)[caption] == TABLES[caption](web)


def test_speed_field_draws_what_the_api_gives(web: TestClient, page: str) -> None:
    cells = ask(web, "corridors/linz/road/speed-field", **DAY)["cells"]
    rows = groupby(
        sorted(cells, key=lambda cell: (cell["chainage_m"], cell["time"])),
        key=lambda cell: cell["chainage_m"],
    )
    (trace,) = shown.figures(page)["field"]["data"]
    assert trace["z"] == [
        [cell["speed_kmh"] and round(cell["speed_kmh"], 1) for cell in row]
        for _, row in rows
    ]


def test_sentences_tell_what_the_api_gives(web: TestClient, page: str) -> None:
    sentences = shown.sentences(page)
    known = {at: minutes for at, minutes in times(web).items() if minutes is not None}
    longest = max(known, key=lambda at: known[at])
    assert shown.numbers(sentences["times"].replace(":", "")) == [
        longest.replace(":", ""),
        shown.german(known[longest], 1),
        shown.german(min(known.values()), 1),
    ]
    slowest = min(
        float(speed) for row in of_speeds(web) for speed in row[1:3] if speed != "–"
    )
    assert sentences["field"].endswith(f"mit {shown.german(slowest)} km/h.")
    found = of_bottlenecks(web)
    # speeds were measured from 7 September on
    assert shown.numbers(sentences["bottlenecks"])[:2] == [str(len(found)), "33"]
    indices = {at: row["planning_time_index"] for at, row in reliability(web).items()}
    worst = max(indices, key=lambda at: indices[at])
    assert f"das {shown.german(indices[worst], 2)}-Fache" in sentences["reliability"]
    assert f"um {worst} Uhr" in sentences["reliability"]
