"""School holidays and local events: files, commands and what is kept."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import msgspec
import polars as pl
import pytest

from analytics import frames
from analytics.calendar import known_terms
from tests.acceptance.test_import_town import verkehrspuls
from tests.towns import TOWN
from verkehrspuls.errors import BadFile, UnknownKey, UsageError
from verkehrspuls.model import Site
from verkehrspuls.storage import calendar
from verkehrspuls.storage.database import Connection, connect
from verkehrspuls.storage.registry import register

HEADING = "state,name,first,last,source\n"


@pytest.fixture
def connection(plain_database: str) -> Iterator[Connection]:
    with connect(plain_database, autocommit=True) as connection:
        register(connection, TOWN)
        yield connection


def terms(rows: list[calendar.Row], state: str) -> list[tuple[date, date]]:
    frame = pl.DataFrame(rows).select(list(frames.SCHOOL_HOLIDAYS))
    found = known_terms(frame).filter(pl.col("state") == state).sort("first")
    return found.select("first", "last").rows()


@pytest.mark.parametrize("state", ["NW", "RP", "SL"])
def test_school_holidays_that_come_along_have_no_hole(state: str) -> None:
    ((first, last),) = terms(calendar.shipped(), state)
    assert first < date(2016, 1, 1)
    assert last >= date(2029, 1, 1)


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
    ("text", "told"),
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
    ],
)
def test_a_file_that_contradicts_itself_is_refused(
    tmp_path: Path, text: str, told: str
) -> None:
    file = tmp_path / "holidays.csv"
    file.write_text(text)
    with pytest.raises(BadFile, match=told):
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
    found = calendar.events_of_sites(connection, list(sites.values()))
    assert {(row["site_id"], row["name"]) for row in found} == {
        (sites[here], "Stadtfest"),
        (sites[here], "Baustelle"),
        (sites[there], "Stadtfest"),
    }
    frame = pl.DataFrame(found, schema=dict(frames.EVENTS))
    assert frames.check(frame, frames.EVENTS).height == 3
    assert calendar.events(connection, first=date(2026, 6, 15)) == []
    at_site = calendar.events(connection, site=there, last=date(2026, 6, 12))
    assert [row["name"] for row in at_site] == ["Stadtfest"]


def test_an_event_of_nowhere_is_refused(connection: Connection) -> None:
    day = date(2026, 6, 12)
    with pytest.raises(UnknownKey, match="municipality nowhere"):
        calendar.put_event(
            connection,
            municipality="nowhere",
            site=None,
            name="x",
            first=day,
            last=day,
        )
    with pytest.raises(UnknownKey, match="nowhere"):
        calendar.put_event(
            connection,
            municipality=TOWN.key,
            site="nowhere",
            name="x",
            first=day,
            last=day,
        )
    with pytest.raises(UsageError, match="before it begins"):
        calendar.put_event(
            connection,
            municipality=TOWN.key,
            site=None,
            name="x",
            first=day,
            last=date(2026, 6, 1),
        )
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
