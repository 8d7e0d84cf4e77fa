"""Importing what others wrote: recordings of mosquitto_sub, and CSV as documented."""

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
import pytest

from analytics.jobs import claims
from analytics.jobs.store import open_store
from tests.parts import PATIENCE_S, PROJECT, Broker, as_analytics, logins, program
from tests.parts import broker as start_broker
from tests.towns import COUNTS_TOPIC, TOWN
from verkehrspuls.model import Installation, Mapping, Profile, Sensor
from verkehrspuls.mqtt import Publisher
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Analytics
from verkehrspuls.storage.database import connect
from verkehrspuls.storage.ledger import of_sensors, prove


def run(database: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "verkehrspuls", *arguments],
        env={**os.environ, **logins(database)},
        capture_output=True,
        text=True,
        check=False,
    )


def recorder(broker: Broker, form: str, messages: int) -> "subprocess.Popen[bytes]":
    """Record as the documentation says; ready when it has subscribed."""
    parts = urlsplit(broker.url)
    process = subprocess.Popen(
        [
            *("stdbuf", "-oL"),
            program("mosquitto_sub", package="mosquitto-clients"),
            *("-h", str(parts.hostname), "-p", str(parts.port)),
            *("-u", str(parts.username), "-P", str(parts.password)),
            *("-t", "vp/v1/#", "-q", "1", "-F", form, "-C", str(messages), "-d"),
        ],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(b"Subscribed"):
            return process
    raise AssertionError("it did not subscribe")


@pytest.mark.parametrize(
    ("form", "whole", "skipped"),
    [
        ("%j", 3, 1),
        ("%J", 3, 0),  # it leaves out what is no JSON
        ('{"topic":"%t","hex":"%x","tst":"%I"}', 4, 0),
    ],
)
def test_recording_of_mosquitto_sub(
    plain_database: str, tmp_path: Path, form: str, whole: int, skipped: int
) -> None:
    counted = {
        "time": "2026-11-01T20:00:00Z",
        "interval_s": 300,
        "counts": [{"channel": "1", "classes": {"car": 7}}],
    }
    sent = [
        msgspec.json.encode(counted),
        b"\xff\xfe\x00abc",  # of which Mosquitto writes a part
        b"",
        b'"\xc3\xa4"',
    ]
    with connect(plain_database) as connection:
        register(connection, TOWN)
    path = tmp_path / "recording.ndjson"
    with start_broker("mosquitto") as broker:
        recording = recorder(broker, form, len(sent))
        with Publisher(broker.publish_url, "test-recording") as publisher:
            for payload in sent:
                publisher.publish(COUNTS_TOPIC, payload)
            publisher.flush()
        written, _ = recording.communicate(timeout=PATIENCE_S)
    path.write_bytes(b"".join(_lines(written)))
    result = run(plain_database, "import", "messages", str(path), "--json")
    assert result.returncode == 0, result.stderr
    sums = json.loads(result.stdout)
    assert sums["messages_received"] == whole
    assert sums["lines_skipped"] == skipped
    assert sums["readings_stored"] == 1
    assert "`verkehrspuls reject list`" in result.stderr
    if skipped:
        assert "line 2 is skipped: " in result.stderr
        assert "1 line of" in result.stderr
    with connect(plain_database) as connection:
        found = connection.execute("select car from vp.count_reading").fetchall()
        assert found == [(7,)]
        connection.commit()
        assert prove(connection).holds


def _lines(written: bytes) -> list[bytes]:
    """Leave out what `-d` says."""
    lines = written.splitlines(keepends=True)
    return [line for line in lines if line.startswith(b"{")]


LANDAU = ("--municipality", "landau", "--state", "RP")


def test_csv_of_the_documentation(plain_database: str, tmp_path: Path) -> None:
    page = (PROJECT / "docs/how-to/replay-real-data.md").read_text("utf-8")
    (example,) = re.findall(r"```text\n(time,site.*?)```", page, re.DOTALL)
    path = tmp_path / "counts.csv"
    path.write_text(
        example + "2026-11-21T21:00:00Z,ostring,nord,motor,nord,900,99,112,9,,\n"
    )
    arguments = ("import", "counts", "--format", "generic", str(path))
    result = run(plain_database, *arguments, *LANDAU, "--json")
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["readings_stored"] == 3
    assert "1 rows without a reading: their total is not the sum" in result.stderr


def write_counts(path: Path) -> Path:
    path.write_text("time,site,channel,total\n2026-11-21T20:00Z,b420,in,12\n")
    return path


def test_a_file_of_counts_changes_nothing_of_a_registered_site(
    plain_database: str, tmp_path: Path
) -> None:
    (site,) = TOWN.sites
    hidden = msgspec.structs.replace(site, visibility="private")
    with connect(plain_database) as connection:
        register(connection, msgspec.structs.replace(TOWN, sites=(hidden,)))
    path = write_counts(tmp_path / "counts.csv")
    arguments = ("import", "counts", "--format", "generic", str(path))
    result = run(plain_database, *arguments, "--municipality", TOWN.key)
    assert result.returncode == 0, result.stderr
    with connect(plain_database) as connection:
        found = connection.execute(
            "select name, road, speed_limit_kmh, latitude, visibility from vp.site"
        ).fetchall()
    assert found == [(site.name, "B 420", 50, 49.53, "private")]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "set --municipality to the town where this was counted"),
        (("--municipality", "landua"), "municipality landua is new: say its state"),
    ],
)
def test_nothing_is_guessed_of_where_it_was_counted(
    plain_database: str, tmp_path: Path, arguments: tuple[str, ...], text: str
) -> None:
    path = write_counts(tmp_path / "counts.csv")
    result = run(
        *(plain_database, "import", "counts", "--format", "generic"),
        *(*arguments, str(path)),
    )
    assert result.returncode == 2
    assert text in result.stderr


def test_file_without_any_message_is_no_recording(
    plain_database: str, tmp_path: Path
) -> None:
    path = tmp_path / "landau.toml"
    path.write_text('key = "landau"\nname = "Landau"\n')
    result = run(plain_database, "import", "messages", str(path))
    assert result.returncode == 2
    assert "none of its lines can be taken" in result.stderr


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_an_empty_recording_is_refused(
    plain_database: str, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "recording.ndjson"
    path.write_text(text)
    result = run(plain_database, "import", "messages", str(path))
    assert result.returncode == 2
    assert "none of its lines can be taken" in result.stderr


def write_recording(path: Path, *messages: object) -> Path:
    path.write_bytes(b"\n".join(map(msgspec.json.encode, messages)))
    return path


COUNTED = {
    "time": "2026-11-01T20:00:00Z",
    "interval_s": 300,
    "counts": [{"channel": "1", "classes": {"car": 7}}],
}


@pytest.mark.parametrize(
    ("topics", "exit_code"),
    [
        (["vp/v1/nowhere/radar-1/counts", "nobody/knows"], 4),
        (["vp/v1/nowhere/radar-1/counts", COUNTS_TOPIC], 0),
        # that all is there already is nothing to mend
        ([COUNTS_TOPIC, COUNTS_TOPIC], 0),
    ],
)
def test_a_recording_of_which_nothing_is_usable_ends_with_exit_code_4(
    plain_database: str, tmp_path: Path, topics: list[str], exit_code: int
) -> None:
    with connect(plain_database) as connection:
        register(connection, TOWN)
    path = write_recording(
        tmp_path / "r", *[{"topic": topic, "payload": COUNTED} for topic in topics]
    )
    result = run(plain_database, "import", "messages", str(path))
    assert result.returncode == exit_code, result.stderr
    rejected = exit_code == 4 or "nowhere" in topics[0]
    assert ("`verkehrspuls reject list`" in result.stderr) == rejected


def test_what_nobody_can_date_is_not_dated_by_its_import(
    plain_database: str, tmp_path: Path
) -> None:
    (site,), (_, air) = TOWN.sites, TOWN.sensors
    installation = Installation(
        site=site.key,
        channel=site.channels[0].key,
        output="count",
        since=datetime(2020, 1, 1, tzinfo=UTC),
        mapping=Mapping(classes={"total": "value"}),
    )
    scalar = Sensor(
        key="gate",
        name="gate",
        payload_format="scalar",
        topic="gate/count",
        interval_s=300,
        class_scheme="total",
        profile=Profile(receipt_time=True),
        installations=(installation,),
    )
    with connect(plain_database) as connection:
        register(connection, msgspec.structs.replace(TOWN, sensors=(air, scalar)))
    path = write_recording(
        tmp_path / "r",
        {"topic": "gate/count", "payload": "7"},
        {"topic": "vp/v1/kusel/air-1/status", "payload": {"state": "online"}},
        {"topic": "gate/count", "payload": "8", "tst": "2026-11-01T20:05:00+00:00"},
    )
    result = run(plain_database, "import", "messages", str(path))
    assert result.returncode == 0, result.stderr
    for line in (1, 2):
        assert f"line {line} is skipped: neither the payload nor the line" in (
            result.stderr
        )
    with connect(plain_database) as connection:
        found = connection.execute("select total, time from vp.count_reading")
        assert found.fetchall() == [(8, datetime(2026, 11, 1, 20, 5, tzinfo=UTC))]
        states = connection.execute("select count(*) from vp.sensor_status").fetchone()
        assert states == (0,)


def day_sums(database: str) -> list[tuple[str, int, float, bool]]:
    """Compute what is stale; gives volume, share observed and validity of each day."""
    with open_store(as_analytics(database), application="test") as store:
        while claims.process(store, Analytics(), now=datetime.now(UTC)):
            pass
        rows = store.connection.execute(
            "select day::text, volume, round(observed::numeric, 3)::float, valid "
            "from daily_figure where direction = 'all' order by day"
        ).fetchall()
    return [tuple(row) for row in rows]


def import_counts(
    database: str, path: Path, rows: list[tuple[str, int]], *more: str
) -> dict[str, int]:
    lines = [f"{time},tor,mitte,{car}\n" for time, car in rows]
    path.write_text("time,site,channel,car\n" + "".join(lines))
    found = run(
        database, "import", "counts", "--format", "generic", "--municipality",
        "herbstau", "--state", "RP", "--json", str(path), *more,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    sums: dict[str, int] = json.loads(found.stdout)
    return sums | {"said": len(found.stderr)}


def overlapping(database: str) -> int:
    """Tell how many readings the ledger says to share their time with others."""
    with connect(database) as connection:
        rows = of_sensors(
            connection,
            start=datetime(2000, 1, 1, tzinfo=UTC),
            end=datetime.now(UTC) + timedelta(hours=1),
        )
        return sum(row.readings_overlapping for row in rows)


def quarters(first: str, days: int, shift: timedelta) -> list[tuple[str, int]]:
    start = datetime.fromisoformat(f"{first}T00:00:00")
    return [
        ((start + n * timedelta(minutes=15) + shift).isoformat(), 1 + n * 7 % 21)
        for n in range(96 * days)
    ]


def test_a_file_that_is_imported_again_one_second_later_counts_once(
    plain_database: str, tmp_path: Path
) -> None:
    rows = quarters("2026-09-15", 2, timedelta(0))
    first = import_counts(plain_database, tmp_path / "a.csv", rows)
    assert first["readings_overlapping"] == 0
    before = day_sums(plain_database)
    sums = [sum(car for _, car in rows[n : n + 96]) for n in (0, 96)]
    assert [volume for _, volume, _, _ in before] == sums
    assert overlapping(plain_database) == 0
    later = quarters("2026-09-15", 2, timedelta(seconds=1))
    import_counts(plain_database, tmp_path / "b.csv", later)
    assert overlapping(plain_database) == 192
    found = run(plain_database, "import", "counts", "--format", "generic",
        "--municipality", "herbstau", str(tmp_path / "b.csv"))  # fmt: skip
    assert "384 readings overlap others of their channel" in found.stderr
    assert day_sums(plain_database) == before
    with connect(plain_database) as connection:
        assert prove(connection).holds


def test_a_wall_clock_day_of_25_hours_is_imported_whole(
    plain_database: str, tmp_path: Path
) -> None:
    zone = ZoneInfo("Europe/Berlin")
    start = datetime(2025, 10, 25, 22, tzinfo=UTC)
    times = [
        (start + n * timedelta(minutes=15)).astimezone(zone).replace(tzinfo=None)
        for n in range(100)
    ]
    rows = [(t.isoformat(), 10 if n < 12 else 20) for n, t in enumerate(times)]
    sums = import_counts(plain_database, tmp_path / "a.csv", rows)
    assert (sums["readings_stored"], sums["readings_corrected"]) == (100, 0)
    assert day_sums(plain_database) == [("2025-10-26", 1880, 1.0, True)]
    # again changes nothing
    again = import_counts(plain_database, tmp_path / "a.csv", rows)
    assert again["readings_duplicate"] == 100


def ten_seconds(counts: dict[int, str]) -> str:
    """Write a day of 10-second counts; `counts` are others than 3."""
    first = datetime(2026, 11, 20, tzinfo=UTC)
    rows = (
        f"{first + timedelta(seconds=10 * row):%Y-%m-%dT%H:%M:%SZ},b420,in,10,"
        f"{counts.get(row, '3')},-1"
        for row in range(8640)
    )
    return "time,site,channel,interval_s,total,speed_kmh\n" + "\n".join(rows)


def test_one_bad_row_of_a_day_of_ten_seconds_costs_no_other(
    plain_database: str, tmp_path: Path
) -> None:
    path = tmp_path / "day.csv"
    path.write_text(ten_seconds({4000: "-1"}))
    arguments = ("import", "counts", "--format", "generic", str(path), *LANDAU)
    result = run(plain_database, *arguments)
    assert result.returncode == 0, result.stderr
    assert "8640 readings: 8639 stored, " in result.stderr
    assert " 1 rejected." in result.stderr
    assert "8639 fields left out" in result.stderr
    shown = run(plain_database, "reject", "list", "--json")
    (reject,) = json.loads(shown.stdout)
    assert not reject["cut"]
    with connect(plain_database) as connection:
        one = connection.execute("select count(*) from vp.count_reading").fetchone()
        assert one == (8639,)
        connection.commit()
        assert prove(connection).holds
    ledger = run(plain_database, "ledger", "show", "--json", "--municipality", "landau")
    (row,) = json.loads(ledger.stdout)
    assert row["fields_dropped"] == {"speed_kmh:below": 8639}
    path.write_text(ten_seconds({}))
    result = run(plain_database, *arguments)
    assert "8640 readings: 1 stored, 8639 already there" in result.stderr


def test_dry_run_lists_all_problems_and_stores_nothing(
    plain_database: str, tmp_path: Path
) -> None:
    path = tmp_path / "counts.csv"
    head = "Zeit;site;channel;total\n"
    rows = "21.11.2026 20:00;b420;in;1.234\n21.11.2026 24:00;b420;in;999\n\n"
    arguments = ("import", "counts", "--format", "generic", str(path), *LANDAU)
    path.write_text(head + rows)
    result = run(plain_database, *arguments)
    assert result.returncode == 2
    assert "line 1: the column time is missing" in result.stderr
    head = head.replace("Zeit", "Time")
    bad = "".join(f"21.11.2026 20:00;b420;in;x{n}\n" for n in range(55))
    path.write_text(head + rows + bad)
    result = run(plain_database, *arguments, "--dry-run")
    assert result.returncode == 4
    assert len(result.stdout.splitlines()) == 50
    assert result.stdout.startswith("line 5: 'x0' is no whole number; write one such")
    assert "… and 5 more." in result.stderr
    path.write_text(head + rows + "21.11.2026 22:00;b420;in;-1\n")
    result = run(plain_database, *arguments, "--dry-run")
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith("3 readings of 1 channels at 1 sites, from 2026-11")
    assert "1 of them would be rejected: " in result.stdout
    with connect(plain_database) as connection:
        towns = connection.execute("select count(*) from vp.municipality").fetchone()
        assert towns == (0,)
    result = run(plain_database, *arguments)
    assert "3 readings: 2 stored" in result.stderr
    assert "1 rejected" in result.stderr
    with connect(plain_database) as connection:
        found = connection.execute(
            "select total, time from vp.count_reading order by time"
        ).fetchall()
    assert found == [
        (1234, datetime(2026, 11, 21, 19, tzinfo=UTC)),
        (999, datetime(2026, 11, 21, 23, tzinfo=UTC)),
    ]


@pytest.mark.parametrize("behind", ["", "\n", "\n\n \n"])
def test_heading_without_rows_is_refused_and_registers_nothing(
    plain_database: str, tmp_path: Path, behind: str
) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("time,site,channel,total" + behind)
    arguments = ("import", "counts", "--format", "generic", str(path), *LANDAU)
    result = run(plain_database, *arguments)
    assert result.returncode == 2
    assert "line 1: no rows follow the heading" in result.stderr
    result = run(plain_database, *arguments, "--dry-run")
    assert result.returncode == 4
    assert result.stdout == "line 1: no rows follow the heading\n"
    with connect(plain_database) as connection:
        towns = connection.execute("select count(*) from vp.municipality").fetchone()
        assert towns == (0,)
