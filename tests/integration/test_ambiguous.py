"""The autumn hour that a wall clock shows twice: what nobody can date says so."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import starmap
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from starlette.testclient import TestClient

from analytics.jobs import claims
from analytics.jobs.store import open_store
from dashboards.app import create_web
from tests.integration.test_import_files import run
from tests.parts import as_analytics, as_web
from verkehrspuls.model import (
    Channel,
    Installation,
    Mapping,
    Profile,
    Sensor,
    Site,
    TimeField,
    Town,
)
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Analytics, load
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.ledger import prove

ZONE: Final = ZoneInfo("Europe/Berlin")
START: Final = datetime(2025, 10, 25, 22, tzinfo=UTC)
PASSES: Final = ["2025-10-26T00:00:00Z", "2025-10-26T01:00:00Z"]
PERIOD: Final = {"from": "2025-10-26", "to": "2025-10-27"}
SITE: Final = "/api/v1/sites/herbstau/tor"
Row = tuple[str, int]


def clock(hours: float) -> str:
    """Tell what the clock shows so many hours after the day began."""
    then = (START + timedelta(hours=hours)).astimezone(ZONE)
    return f"{then:%Y-%m-%dT%H:%M}"


#: The night's quarter-hours from 00:00 to 05:00, with both passes.
NIGHT: Final = [(clock(n / 4), n) for n in range(24)]
#: Without the second pass.
ONCE: Final = NIGHT[:12] + NIGHT[16:]


def take(database: str, tmp_path: Path, rows: list[Row], *more: str) -> str:
    """Import quarter-hours; returns what is said."""
    path = tmp_path / "counts.csv"
    path.write_text("time,site,channel,car\n" + "".join(starmap(_line, rows)))
    found = run(
        *(database, "import", "counts", "--format", "generic", str(path)),
        *("--municipality", "herbstau", "--state", "RP", *more),
    )
    assert found.returncode == 0, found.stderr
    return found.stderr


def _line(time: str, car: int) -> str:
    return f"{time},tor,mitte,{car}\n"


@contextmanager
def client(database: str) -> Iterator[TestClient]:
    """Serve what is computed."""
    with open_store(as_analytics(database), application="test") as store:
        while claims.process(store, Analytics(), now=datetime.now(UTC)):
            pass
    app = create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(database)}))
    with TestClient(app) as found:
        yield found


def hours_of(database: str) -> list[str]:
    """Tell the ambiguous hours of the night's series."""
    with client(database) as web:
        found = web.get(f"{SITE}/series", params=PERIOD)
        assert found.status_code == 200, found.text
        hours: list[str] = found.json()["passport"]["ambiguous_hours"]
        return hours


def volumes(database: str) -> list[tuple[datetime, int]]:
    with connect(database) as connection:
        rows = connection.execute(
            "select time, car from vp.count_reading order by time"
        ).fetchall()
        connection.commit()
        assert prove(connection).holds
    return [tuple(row) for row in rows]


WHOLE: Final = [(START + timedelta(minutes=15 * n), n) for n in range(24)]


def test_every_passport_names_the_hour_that_a_file_has_once(
    plain_database: str, tmp_path: Path
) -> None:
    printed = take(plain_database, tmp_path, ONCE)
    assert (
        "4 rows are of the hour that the clock showed twice, which the file" in printed
    )
    days = {"first": "2025-10-26", "last": "2025-10-26"}
    asked: dict[str, tuple[dict[str, str], Callable[[Any], Any]]] = {
        f"{SITE}/series": (PERIOD, lambda body: body["passport"]),
        f"{SITE}/series?bin=P1D": (PERIOD, lambda body: body["passport"]),
        f"{SITE}/figures/means": (PERIOD, lambda body: body["figures"][0]["passport"]),
        f"{SITE}/figures/peaks": (PERIOD, lambda body: body["table"]["passport"]),
        f"{SITE}/health": (PERIOD, lambda body: body),
        f"{SITE}/compare": (days, lambda body: body["passport"]),
        f"{SITE}/days-as-known": (
            PERIOD | {"known_at": "2099-01-01T00:00:00Z"},
            lambda body: body["passport"],
        ),
        "/api/v1/municipalities/herbstau/ranking": (
            {"middle": "2025-10-26", "weeks": "1"},
            lambda body: body["sites"][0]["passport"],
        ),
    }
    with client(plain_database) as web:
        for path, (parameters, passport) in asked.items():
            joined = f"{path}{'&' if '?' in path else '?'}" + "&".join(
                f"{name}={value}" for name, value in parameters.items()
            )
            found = web.get(joined)
            assert found.status_code == 200, (path, found.text)
            assert passport(found.json())["ambiguous_hours"] == PASSES[:1], path
        # the day before knows nothing of it
        before = {"from": "2025-10-25", "to": "2025-10-26"}
        other = web.get(f"{SITE}/series", params=before).json()
        assert other["passport"]["ambiguous_hours"] == []
        page = "/herbstau/tor?from=2025-10-26&until=2025-10-26"
        german, english = web.get(f"/de{page}").text, web.get(f"/en{page}").text
        assert "doppelt gezeigte Stunde, deren Messwerte auch vom anderen" in german
        assert "Eine Stunde zeigte die Uhr zweimal" in german
        assert "The clock showed an hour twice; readings may be of the other" in english

    sensor = run(plain_database, "sensor", "show", "herbstau/tor-mitte", "--json")
    (unsure,) = json.loads(sensor.stdout)["ambiguous"]
    assert (unsure["readings"], unsure["why"]) == (4, "once")
    shown = run(plain_database, "sensor", "show", "herbstau/tor-mitte")
    assert f"tor-mitte\t{PASSES[0]}\t4\tonce\n" in shown.stdout


def test_a_later_import_that_tells_the_hour_makes_it_certain(
    plain_database: str, tmp_path: Path
) -> None:
    take(plain_database, tmp_path, ONCE)
    assert hours_of(plain_database) == PASSES[:1]
    # again changes nothing
    take(plain_database, tmp_path, ONCE)
    assert hours_of(plain_database) == PASSES[:1]
    # of the same counts in the first pass: duplicates make it certain, too
    take(plain_database, tmp_path, NIGHT)
    assert hours_of(plain_database) == []
    assert volumes(plain_database) == WHOLE
    # and what knows less makes nothing uncertain again
    take(plain_database, tmp_path, ONCE)
    assert hours_of(plain_database) == []
    # other counts do
    take(plain_database, tmp_path, [(time, car + 1) for time, car in ONCE])
    assert hours_of(plain_database) == PASSES[:1]


def test_what_is_removed_with_its_sensor_is_not_ambiguous(
    plain_database: str, tmp_path: Path
) -> None:
    take(plain_database, tmp_path, ONCE)
    removed = run(
        *(plain_database, "sensor", "remove", "herbstau/tor-mitte"),
        *("--with-readings", "--yes"),
    )
    assert removed.returncode == 0, removed.stderr
    assert hours_of(plain_database) == []


def test_rows_in_no_order_name_both_passes(plain_database: str, tmp_path: Path) -> None:
    printed = take(plain_database, tmp_path, sorted(NIGHT))
    assert (
        "8 rows are of the hour that the clock showed twice, and in no order" in printed
    )
    assert hours_of(plain_database) == PASSES


# before the hour, in its first pass, between, in its second pass, and after it
@pytest.mark.parametrize("cut", [8, 9, 12, 15, 16])
@pytest.mark.parametrize("first", [0, 1])
def test_a_night_in_two_files_is_whole_whichever_comes_first(
    plain_database: str, tmp_path: Path, cut: int, first: int
) -> None:
    files = [NIGHT[:cut], NIGHT[cut:]]
    take(plain_database, tmp_path, files[first])
    take(plain_database, tmp_path, files[1 - first])
    assert volumes(plain_database) == WHOLE
    assert hours_of(plain_database) == []


def test_half_a_night_says_what_is_not_certain(
    plain_database: str, tmp_path: Path
) -> None:
    printed = take(plain_database, tmp_path, NIGHT[:12])
    assert (
        "4 rows are of the hour that the clock showed twice, in which the f" in printed
    )
    assert "a file that goes on from there makes it certain" in printed
    assert hours_of(plain_database) == PASSES[:1]


STATION: Final = Town(
    key="herbstau",
    name="Herbstau",
    state="RP",
    sites=(
        Site(
            key="tor",
            name="Tor",
            channels=(Channel(key="t", name="Temperatur", quantity="temperature_c"),),
        ),
    ),
    sensors=(
        Sensor(
            key="wetter",
            name="Wetter",
            payload_format="tasmota",
            topic="tele/wetter/SENSOR",
            interval_s=900,
            profile=Profile(
                times=(TimeField(field="Time", zone="Europe/Berlin"),), time_is="end"
            ),
            installations=(
                Installation(
                    site="tor",
                    channel="t",
                    output="t",
                    since=datetime(2020, 1, 1, tzinfo=UTC),
                    mapping=Mapping(field="T"),
                ),
            ),
        ),
    ),
)


def test_a_stamp_without_offset_that_came_late_is_noted_until_it_is_certain(
    plain_database: str, tmp_path: Path
) -> None:
    with connect(plain_database) as connection:
        register(connection, STATION)

    def receive(*at: str) -> None:
        path = tmp_path / "recording"
        lines = [
            {
                "topic": "tele/wetter/SENSOR",
                "payload": {"Time": "2025-10-26T02:30:00", "T": 4.5},
                "tst": each,
            }
            for each in at
        ]
        path.write_text("\n".join(map(json.dumps, lines)))
        found = run(plain_database, "import", "messages", str(path))
        assert found.returncode == 0, found.stderr

    def hours() -> list[str]:
        with client(plain_database) as web:
            series = web.get(f"{SITE}/series", params=PERIOD).json()["passport"]
            return list(series["ambiguous_hours"])

    receive("2025-10-26T05:00:00+00:00")
    assert hours() == PASSES[:1]
    # the same that came in time
    receive("2025-10-26T00:31:00+00:00")
    assert hours() == []
    # in one batch the one that is certain counts, too
    receive("2025-10-26T05:00:00+00:00", "2025-10-26T01:31:00+00:00")
    assert hours() == []


def test_the_note_counts_only_what_is_imported(
    plain_database: str, tmp_path: Path
) -> None:
    rows = [*ONCE, ("2025-10-27T00:00", 1)]
    printed = take(plain_database, tmp_path, rows, "--from", "2025-10-27")
    assert "twice" not in printed
