"""What the pages of towns list, where there are few sites and where there are many."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from msgspec import structs

from analytics.environment import indices
from analytics.frames import TIME
from analytics.reports.site_now import hour_of, newest_of_sites, site_now
from analytics.reports.town import INDEX
from dashboards import describe
from dashboards.pages.towns import view
from dashboards.pages.towns.view import MAX_SITES_LISTED
from tests.registered import channel, municipality, site
from verkehrspuls.language import Language
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.storage.case_lists import Counts
from verkehrspuls.storage.environment import LatestValue
from verkehrspuls.storage.sites import Municipality

NOW = datetime(2026, 3, 4, 12, 30, tzinfo=UTC)
DE = Language("de")
#: a case at two sites of a town counts once for it
CASES = {
    ("town-0", None): Counts(current=2, older=1, history=30),
    ("town-0", "site-0"): Counts(current=2, history=30),
    ("town-0", "site-1"): Counts(current=1, older=1),
}
NO_HOURS = pl.DataFrame(schema={"site_id": pl.Int32, "quantity": pl.String})
NO_AIR = pl.DataFrame(schema={"site_id": pl.Int32})


def towns(*sizes: int) -> list[Municipality]:
    return [
        municipality(f"town-{number}", name=f"Stadt {number}", sites=size)
        for number, size in enumerate(sizes)
    ]


def lines(municipalities: list[Municipality]) -> list[view.Line]:
    sites = [
        site(
            f"site-{place}",
            site_id=place,
            name=f"Straße {place}",
            municipality=town.key,
            municipality_name=town.name,
            latitude=49.0,
            longitude=7.0,
            channels=(channel(quantity="no2_ugm3"),),
            last_received_at=NOW - timedelta(minutes=1),
            newest_reading_at=NOW - timedelta(minutes=10),
        )
        for town in municipalities
        for place in range(town.sites)
    ]
    newest = newest_of_sites(NO_HOURS, (), NO_AIR)
    here = [site_now(site, newest, now=NOW) for site in sites]
    return view.lines(here, CASES, DE, now=NOW)


def line(values: Sequence[LatestValue], air: pl.DataFrame = NO_AIR) -> view.Line:
    """Return the line of a station."""
    station = lines(towns(1))[0].site
    here = site_now(station, newest_of_sites(NO_HOURS, values, air), now=NOW)
    (found,) = view.lines([here], {}, DE, now=NOW)
    return found


def test_few_sites_are_all_listed_by_town() -> None:
    some = towns(120, 0, 80)
    found = view.listed(lines(some), some, CASES, DE, page=1)
    assert [(town.key, len(inside)) for town, inside in found.towns] == [
        ("town-0", 120),
        ("town-1", 0),
        ("town-2", 80),
    ]
    assert (found.groups, found.pages, found.downloads) == ((), 1, ())
    assert found.towns[0][1][0].cases.undecided == 2


@pytest.mark.parametrize(
    ("observed", "text"),
    [
        (0.25, "90 Kfz/h, 11–12 Uhr, zu 25 % beobachtet"),
        (0.8, "112 Kfz/h, 11–12 Uhr"),
        (None, "90 Kfz/h, 11–12 Uhr, zu 0 % beobachtet"),
    ],
)
def test_part_of_an_hour_says_what_was_observed(
    observed: float | None, text: str
) -> None:
    (whole,) = lines(towns(1))
    row = {"time": NOW.replace(hour=10, minute=0), "volume": 90, "usual": None}
    hour = hour_of(row | {"observed": observed, "quantity": "motor"})
    part = replace(whole, here=structs.replace(whole.here, hour=hour))
    assert " ".join(part.newest.split()) == text


def test_many_sites_of_several_towns_are_grouped() -> None:
    some = towns(4000, 1000)
    found = view.listed(lines(some), some, CASES, DE, page=1)
    assert not found.towns
    assert [(g.name, g.sites, g.link, g.cases.undecided) for g in found.groups] == [
        ("Stadt 0", 4000, "/de/towns/town-0", 3),
        ("Stadt 1", 1000, "/de/towns/town-1", 0),
    ]
    assert [(s.key, n) for s, n in found.groups[0].counts] == [("environment", 4000)]
    assert [address for _, address in found.downloads] == [
        "/api/v1/sites",
        "/api/v1/sites.geojson",
    ]
    chart = view.map_chart(lines(some), DE, municipalities=some, listed=found)
    assert [row[:2] for row in chart.table.rows] == [
        ("Stadt 0", "4.000"),
        ("Stadt 1", "1.000"),
    ]


@pytest.mark.parametrize(
    ("page", "shown", "first"),
    [(1, 200, "site-0"), (3, 50, "site-400"), (99, 50, "site-400")],
)
def test_many_sites_of_a_town_are_paged(page: int, shown: int, first: str) -> None:
    some = towns(2 * MAX_SITES_LISTED + 50)
    found = view.listed(lines(some), some, CASES, DE, page=page)
    ((_, inside),) = found.towns
    assert (found.pages, found.page, len(inside)) == (3, min(page, 3), shown)
    assert inside[0].site.key == first
    assert found.downloads[0][1] == "/api/v1/sites?municipality=town-0"


def test_many_towns_are_paged() -> None:
    some = towns(*[2] * 450)
    found = view.listed(lines(some), some, CASES, DE, page=2)
    assert (len(found.groups), found.pages) == (200, 3)


@pytest.mark.parametrize(
    ("sites", "text"),
    [
        (1, "1 von 1 Messstelle meldet rechtzeitig."),
        (2, "2 von 2 Messstellen melden rechtzeitig."),
    ],
)
def test_sentence_has_the_form_of_its_number(sites: int, text: str) -> None:
    assert view.sentence(lines(towns(sites)), Counts(), DE) == text


@pytest.mark.parametrize(
    ("counts", "german", "english"),
    [
        (Counts(), "", ""),
        (Counts(history=1391), "", ""),
        (
            Counts(16, 0, 5),
            "Offene Fälle: 16 der letzten Woche.",
            "Open cases: 16 of the last week.",
        ),
        (
            Counts(0, 1851),
            "Offene Fälle: 1.851, älter als eine Woche.",
            "Open cases: 1,851 older than a week.",
        ),
        (
            Counts(16, 851),
            "Offene Fälle: 16 der letzten Woche, 851 ältere.",
            "Open cases: 16 of the last week, 851 older.",
        ),
    ],
)
def test_open_cases_are_told_in_one_way(
    counts: Counts, german: str, english: str
) -> None:
    for language, text in (("de", german), ("en", english)):
        assert describe.open_cases_sentence(counts, Language(language)) == text
        sentence = view.sentence(lines(towns(1)), counts, Language(language))
        assert sentence.endswith(text)


def test_history_is_told_apart() -> None:
    assert describe.history(Counts(3, 4), DE) == ""
    assert describe.history(Counts(3, 4, 1391), DE).startswith("1.391 Fälle sind Gesch")


def value(
    quantity: str, mean: float, time: datetime, *, interval_s: int = 3600
) -> LatestValue:
    return LatestValue(0, quantity, time, interval_s, mean)


def test_row_of_a_station_shows_its_newest_values_with_unit_and_time() -> None:
    hour = datetime(2026, 3, 4, 11, tzinfo=UTC)
    values = [
        value("temperature_c", -1.25, hour),
        value("no2_ugm3", 18.24, hour),
    ]
    assert line(values).measured == (
        "Stickstoffdioxid NO₂ 18,2\xa0µg/m³, Temperatur −1,2\xa0°C, 12–13 Uhr"
    )


def test_old_values_of_a_station_say_so_and_when() -> None:
    values = [value("water_level_cm", 482.6, datetime(2025, 2, 1, 11, tzinfo=UTC))]
    assert line(values).measured == (
        "Wasserstand 483\xa0cm, Sa, 01.02.2025, 12–13 Uhr (veraltet)"
    )


def test_row_of_a_station_tells_the_index_of_its_air_and_what_decides_it() -> None:
    air = indices.index_of_sites(
        pl.DataFrame(
            {
                "site_id": [0, 0, 0],
                "quantity": ["no2_ugm3", "pm10_ugm3", "o3_ugm3"],
                "channel_id": [1, 2, 3],
                "time": [datetime(2026, 3, 4, 11, tzinfo=UTC)] * 3,
                "observed_s": [3600, 3600, 600],
                "mean": [41.0, 12.0, 300.0],
                "minimum": [0.0] * 3,
                "maximum": [0.0] * 3,
            },
            schema_overrides={"site_id": pl.Int32, "time": TIME},
        ),
        INDEX,
    )
    hour = datetime(2026, 3, 4, 11, tzinfo=UTC)
    found = line([value("no2_ugm3", 41.0, hour)], air)
    assert found.measured == "Luftqualität: mäßig (NO₂), 12–13 Uhr"
    english = replace(found, language=Language("en"))
    assert english.measured.startswith("Air quality: moderate (NO₂), ")


@pytest.mark.parametrize(("days_ago", "old"), [(1, ""), (4, " (veraltet)")])
def test_row_of_a_station_with_daily_means_shows_them(days_ago: int, old: str) -> None:
    began = datetime(2026, 3, 3, 23, tzinfo=UTC) - timedelta(days=days_ago)
    values = [value("pm10_ugm3", 21.5, began, interval_s=86_400)]
    found = line(values)
    day = DE.moment(began + timedelta(days=1), found.site.time_zone)
    assert found.measured == (
        f"Feinstaub PM10 21,5\xa0µg/m³, Mittel über 24 Stunden bis {day}{old}"
    )


def test_row_of_a_station_with_many_quantities_stays_short() -> None:
    hour = datetime(2026, 3, 4, 11, tzinfo=UTC)
    values = [value(quantity, 1.0, hour) for quantity in ENVIRONMENT]
    found = line(values)
    assert found.measured.count(" 1,0") == 3
    assert found.measured.endswith(f"; {len(ENVIRONMENT) - 3} weitere")
