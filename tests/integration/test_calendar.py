"""School holidays and local events: files, commands and what is kept."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import msgspec
import polars as pl
import pytest
from dateutil.easter import easter
from holidays.countries.germany import Germany

from analytics import frames
from analytics.calendar import known_terms
from tests.acceptance.test_import_town import verkehrspuls
from tests.towns import TOWN
from verkehrspuls.calendar import days_between
from verkehrspuls.errors import BadFile, UnknownKey, UsageError
from verkehrspuls.model import Site
from verkehrspuls.registry import calendar
from verkehrspuls.registry.towns import register
from verkehrspuls.stack import checks
from verkehrspuls.storage.database import Connection, connect, execute

HEADING = "state,name,first,last,source\n"


@pytest.fixture
def connection(plain_database: str) -> Iterator[Connection]:
    with connect(plain_database, autocommit=True) as connection:
        register(connection, TOWN)
        yield connection


def terms(rows: list[calendar.SchoolHoliday], state: str) -> list[tuple[date, date]]:
    frame = frames.of_records(rows, frames.SCHOOL_HOLIDAYS)
    return known_terms(frame)[state]


STATES = sorted(Germany.subdivisions_aliases.values())
#: calendar years that are covered from New Year to New Year
YEARS = range(2012, 2030)


def of_state(state: str) -> list[calendar.SchoolHoliday]:
    return [row for row in calendar.shipped() if row.state == state]


@pytest.mark.parametrize("state", STATES)
def test_school_holidays_that_come_along_have_no_hole(state: str) -> None:
    ((first, last),) = terms(calendar.shipped(), state)
    assert first < date(2012, 1, 1)
    assert last > date(2030, 6, 1)


@pytest.mark.parametrize("state", STATES)
def test_no_state_and_no_year_lacks_its_school_holidays(state: str) -> None:
    """Six weeks in summer, some days in autumn and spring, and those at Christmas."""
    rows = of_state(state)
    for year in YEARS:
        ((first, last),) = [
            (row.first, row.last)
            for row in rows
            if row.name == "Sommerferien" and row.first.year == year
        ]
        assert 37 <= (last - first).days + 1 <= 48, (first, last)
        assert date(year, 6, 18) <= first <= date(year, 8, 3)
        assert date(year, 7, 25) <= last <= date(year, 9, 15)
        off = {day for row in rows for day in days_between(row.first, row.last)}
        # those of Hamburg are in March; Sachsen-Anhalt had a single day in 2015
        spring = days_between(date(year, 3, 1), easter(year) + timedelta(days=14))
        assert any(day in off and day.weekday() < 5 for day in spring)
        autumn = days_between(date(year, 9, 25), date(year, 11, 10))
        assert sum(day in off and day.weekday() < 5 for day in autumn) >= 3
        for day in (date(year, 12, 27), date(year, 12, 30)):
            assert day in off or day.weekday() > 4, day


@pytest.mark.parametrize("state", STATES)
def test_a_year_has_about_75_workdays_of_school_holidays_and_days_off(
    state: str,
) -> None:
    """Together with movable days the states have agreed on 75 workdays a year.

    Saturdays count among the 75, here they do not; public holidays do.
    """
    rows = of_state(state)
    for year in YEARS:
        off = {
            day
            for row in rows
            for day in days_between(row.first, row.last)
            if day.year == year and day.weekday() < 5
        }
        assert 55 <= len(off) <= 80, (year, len(off))


def test_shipped_school_holidays_name_lists_that_agree() -> None:
    """From 2019 to 2026 nearly all are in two lists or more."""
    rows = [row for row in calendar.shipped() if 2020 <= row.first.year <= 2025]
    alone = [row for row in rows if ";" not in row.source]
    assert len(rows) > 500
    assert len(alone) <= 2


@pytest.mark.parametrize(
    ("state", "first", "last"),
    [
        # movable with the moon, with the state, and with the pandemic
        ("BY", date(2025, 6, 10), date(2025, 6, 20)),
        ("BY", date(2026, 11, 18), date(2026, 11, 18)),
        ("BE", date(2022, 7, 7), date(2022, 8, 19)),
        ("HB", date(2020, 3, 28), date(2020, 4, 14)),
        ("HH", date(2026, 5, 11), date(2026, 5, 15)),
        ("NW", date(2026, 7, 20), date(2026, 9, 1)),
        ("SN", date(2021, 1, 31), date(2021, 2, 6)),
        ("BW", date(2025, 12, 22), date(2026, 1, 5)),
    ],
)
def test_school_holidays_are_as_the_states_ordered_them(
    state: str, first: date, last: date
) -> None:
    assert (first, last) in [(row.first, row.last) for row in of_state(state)]


def test_doctor_says_until_when_school_holidays_are_known(
    connection: Connection, tmp_path: Path
) -> None:
    assert calendar.known_until(connection) == {"RP": date(2030, 8, 30)}
    known = checks._calendar(calendar.known_until(connection), date(2030, 8, 30))
    assert (known.state, known.detail) == ("ok", "RP until 2030-08-30")
    later = checks._calendar(calendar.known_until(connection), date(2030, 8, 31))
    assert later.state == "problem"
    assert "import holidays" in later.advice


def test_shipped_school_holidays_are_free_of_contradictions() -> None:
    path = Path(calendar.__file__).parents[1] / "school_holidays.csv"
    assert len(calendar.load_school_holidays(path)) == len(calendar.shipped())


def test_an_import_replaces_the_states_that_it_names(
    connection: Connection, tmp_path: Path
) -> None:
    file = tmp_path / "holidays.csv"
    # as a German Excel saves it
    file.write_text(
        "\ufeffstate;name;first;last;source\r\n"
        "SL;Sommerferien;2031-07-01;2031-08-10;Ferienordnung\r\n"
        "SL;Osterferien;2031-04-01;2031-04-10;Ferienordnung\r\n",
        "utf-8",
    )
    for _ in range(2):
        rows = calendar.load_school_holidays(file)
        assert calendar.replace_school_holidays(connection, rows) == {"SL": 2}
        found = calendar.school_holidays(connection)
        assert terms(found, "SL") == [(date(2031, 4, 1), date(2031, 8, 10))]
        assert terms(found, "RP") == terms(calendar.shipped(), "RP")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "lacks"),
        ("state,name\nSL,x\n", "lacks first, last, source"),
        (HEADING, "no row"),
        (f"{HEADING}SL,Ostern,2026-04-31,2026-05-01,KMK\n", "line 2"),
        (f"{HEADING}SL,Ostern,2026-04-10,2026-04-01,KMK\n", "before it begins"),
        (f"{HEADING}SL,,2026-04-01,2026-04-10,KMK\n", "name is missing"),
        (f"{HEADING}SL,Ostern,2026-04-01,2026-04-10,\n", "source is missing"),
        (f"{HEADING}XX,Ostern,2026-04-01,2026-04-10,KMK\n", "no state XX"),
        (f"{HEADING}SL,Ostern\n", "line 2"),
        (
            f"{HEADING}SL,Ostern,2026-04-01,2026-04-10,KMK\n"
            "SL,Sommer,2026-04-10,2026-05-10,KMK\n",
            "overlap",
        ),
        # a bad row is named by its line, behind an empty one too
        (f"{HEADING}\nSL,Ostern,1.4.26,2026-04-10,KMK\n", "line 3: first is '1.4.26'"),
        (
            f"{HEADING}\nSL,Ostern,2026-04-01,2026-04-10\n",
            "line 3: it has 4 cells",
        ),
        (f"{HEADING}\nSL,Ostern,2026-04-01,2026-04-10,K,x\n", "line 3: it has 6 cells"),
        (f"{HEADING}\nSL,O\0,2026-04-01,2026-04-10,KMK\n", "line 3: .*NUL"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused(
    tmp_path: Path, text: str, reason: str
) -> None:
    file = tmp_path / "holidays.csv"
    file.write_text(text)
    with pytest.raises(BadFile, match=reason):
        calendar.load_school_holidays(file)


def test_events_are_of_a_site_or_of_all_sites(connection: Connection) -> None:
    here, there = "b420", "hof"
    register(
        connection,
        msgspec.structs.replace(
            TOWN, sites=(*TOWN.sites, Site(key=there, name="Hof", channels=()))
        ),
    )
    for site, name in ((None, "Stadtfest"), (here, "Baustelle")):
        calendar.put_event(
            connection,
            municipality=TOWN.key,
            site=site,
            name=name,
            first=date(2026, 6, 12),
            last=date(2026, 6, 14),
        )
    sites = {
        key: connection.execute(
            "select site_id from site where key = %s", [key]
        ).fetchall()[0][0]
        for key in (here, there)
    }
    found = execute(
        connection, "events_of_sites", sites=list(sites.values())
    ).fetchall()
    assert {(row["site_id"], row["name"]) for row in found} == {
        (sites[here], "Stadtfest"),
        (sites[here], "Baustelle"),
        (sites[there], "Stadtfest"),
    }
    frame = pl.DataFrame(found, schema=dict(frames.EVENTS))
    assert frames.check(frame, frames.EVENTS).height == 3
    assert calendar.events(connection, first=date(2026, 6, 15)) == []
    at_site = calendar.events(connection, site=there, last=date(2026, 6, 12))
    assert [event.name for event in at_site] == ["Stadtfest"]


def fill(connection: Connection, *, first: date, last: date) -> None:
    """An hour at noon of each day, at each counting channel of the town."""
    connection.execute("select ensure_range('volume', %s, %s)", [first, last])
    connection.execute(
        "insert into volume (channel_id, interval_s, time, observed_s, volume)"
        " select channel_id, 3600, day + interval '12 hours', 3600, 7"
        " from channel, generate_series(%s::timestamptz, %s, '1 day') day",
        [first, last],
    )


def stale(connection: Connection) -> set[str]:
    """Days that have become stale since."""
    rows = connection.execute(
        "with gone as (delete from stale_bucket returning hour)"
        " select distinct (hour at time zone 'Europe/Berlin')::date::text from gone"
    ).fetchall()
    return {day for (day,) in rows}


def test_an_event_makes_its_days_stale(connection: Connection) -> None:
    fill(connection, first=date(2026, 6, 10), last=date(2026, 6, 20))

    def put(last: int, *, note: str = "", name: str = "Stadtfest") -> int:
        return calendar.put_event(
            connection,
            municipality=TOWN.key,
            site=TOWN.sites[0].key,
            name=name,
            first=date(2026, 6, 12),
            last=date(2026, 6, last),
            note=note,
        )

    number = put(13)
    assert stale(connection) == {"2026-06-12", "2026-06-13"}
    put(13, note="am Markt")
    assert stale(connection) == set()
    put(15)
    assert stale(connection) == {"2026-06-14", "2026-06-15"}
    put(14)
    assert stale(connection) == {"2026-06-15"}
    calendar.remove_event(connection, number)
    assert stale(connection) == {"2026-06-12", "2026-06-13", "2026-06-14"}


def test_other_school_holidays_make_their_days_stale(connection: Connection) -> None:
    fill(connection, first=date(2026, 6, 10), last=date(2026, 6, 20))

    def replace(state: str, last: int) -> None:
        days = date(2026, 6, 12), date(2026, 6, last)
        holiday = calendar.SchoolHoliday(state, "Sommer", *days, "KMK")
        calendar.replace_school_holidays(connection, [holiday])

    replace(TOWN.state, 13)
    assert stale(connection) == {"2026-06-12", "2026-06-13"}
    replace(TOWN.state, 13)
    replace("BY", 14)
    assert stale(connection) == set()
    replace(TOWN.state, 14)
    assert stale(connection) == {"2026-06-12", "2026-06-13", "2026-06-14"}


def test_an_event_of_nowhere_is_refused(connection: Connection) -> None:
    day = date(2026, 6, 12)

    def put(municipality: str, site: str | None = None, last: date = day) -> None:
        calendar.put_event(
            connection,
            municipality=municipality,
            site=site,
            name="x",
            first=day,
            last=last,
        )

    with pytest.raises(UnknownKey, match="municipality nowhere"):
        put("nowhere")
    with pytest.raises(UnknownKey, match="nowhere"):
        put(TOWN.key, "nowhere")
    with pytest.raises(UsageError, match="before it begins"):
        put(TOWN.key, last=date(2026, 6, 1))
    with pytest.raises(UnknownKey, match="event 99"):
        calendar.remove_event(connection, 99)


def test_events_by_command(
    plain_database: str, connection: Connection, tmp_path: Path
) -> None:
    def run(*arguments: str) -> str:
        done = verkehrspuls(plain_database, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def listed() -> list[tuple[str, str | None, str, str]]:
        rows = json.loads(run("event", "list", "--json"))
        return [(row["name"], row["site"], row["first"], row["last"]) for row in rows]

    site = TOWN.sites[0].key
    number = run("event", "add", TOWN.key, "Markt", "--from", "2026-12-01").strip()
    file = tmp_path / "events.csv"
    file.write_text(
        "municipality,site,name,first,last,note\n"
        f"{TOWN.key},{site},Baustelle,2026-12-02,2026-12-09,halbseitig\n"
        f"{TOWN.key},,Markt,2026-12-01,2026-12-03,\n"
    )
    run("import", "events", str(file))
    assert listed() == [
        ("Markt", None, "2026-12-01", "2026-12-03"),
        ("Baustelle", site, "2026-12-02", "2026-12-09"),
    ]
    run("event", "remove", number)
    assert [row[0] for row in listed()] == ["Baustelle"]
    done = verkehrspuls(plain_database, "event", "remove", number)
    assert done.returncode == 2
    assert connection.execute("select count(*) from local_event").fetchall() == [(1,)]


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (f"{HEADING}SL,Ostern,2026-04-01,2026-04-10,KMK\n\n", "utf-8-sig"),
        (f"\n{HEADING.upper()}SL, Ostern ,01.04.2026,10.04.2026,KMK,,\n", "utf-16"),
        (
            f"{HEADING}SL,Ostern,2026-04-01,2026-04-10,KMK für 2026\n".replace(
                ",", ";"
            ),
            "cp1252",
        ),
    ],
)
def test_calendars_are_read_as_offices_write_them(
    tmp_path: Path, text: str, encoding: str
) -> None:
    file = tmp_path / "holidays.csv"
    file.write_text(text, encoding=encoding)
    (row,) = calendar.load_school_holidays(file)
    assert (row.first.isoformat(), row.last.isoformat()) == (
        "2026-04-01",
        "2026-04-10",
    )


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            "kusel,,Fest,2026-05-01,2026-05-02,\nkusel,,Fest,2026-05-01,2026-05-03,x\n",
            "the event Fest of kusel from 2026-05-01 is there twice",
        ),
        ("kusel,,F\x07,2026-05-01,2026-05-02,\n", "the name: the text shows nothing"),
        (f"kusel,,{'F' * 201},2026-05-01,2026-05-02,\n", "text is longer than 200"),
        ("kusel,,Fest,0001-01-01,9999-12-31,\n", "line 2: first is 0001-01-01; the"),
    ],
)
def test_events_that_cannot_be_kept_are_refused_by_name(
    tmp_path: Path, rows: str, text: str
) -> None:
    file = tmp_path / "events.csv"
    file.write_text(f"municipality,site,name,first,last,note\n{rows}")
    with pytest.raises(BadFile, match=text):
        calendar.load_events(file)
