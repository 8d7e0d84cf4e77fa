"""Foreign formats from registration to stored readings."""

import json
import logging
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from psycopg.rows import dict_row

from ingest.batch import Collector, Message
from ingest.check import Limits
from ingest.formats import DEVICE, NETWORK, chirpstack_v4, formats, tasmota
from ingest.resolve import filters, read_registry
from ingest.write import Writer
from tests.parts import as_ingest, logins, patient
from tests.unit.ingest.formats import NOW
from tests.unit.ingest.test_resolve import how_to
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.database import Connection, connect
from verkehrspuls.storage.ledger import prove

MESSAGES = [
    Message(topic, payload, NOW)
    for format in (chirpstack_v4, tasmota)
    for topic, payload in format.EXAMPLES
]


@pytest.fixture
def connection(database: str) -> Iterator[Connection]:
    with connect(database, row_factory=dict_row, autocommit=True) as connection:
        register(connection, how_to())
        yield connection


def write(url: str, connection: Connection) -> list[Any]:
    collector = Collector(
        read_registry(connection), formats(), Limits.at(NOW, Ingest())
    )
    writer = Writer(as_ingest(url), Ingest(), pause=patient())
    try:
        writer.write(collector.collect(MESSAGES), collector)
    finally:
        writer.close()
    return connection.execute(
        "select key, pedestrian, null as value, time_origin, interval_s "
        "from count_reading join channel using (channel_id) union all "
        "select key, null, value, time_origin, interval_s "
        "from environment_reading join channel using (channel_id) order by key"
    ).fetchall()


def test_registered_sensors_are_read_with_the_origin_of_their_times(
    database: str, connection: Connection
) -> None:
    assert filters(read_registry(connection)) == {
        "application/1/device/0101010101010101/event/+",
        "tele/wetter-1/+",
    }
    for _ in range(2):  # the same again changes nothing
        rows = [tuple(row.values()) for row in write(database, connection)]
        assert rows == [
            ("in", 12, None, NETWORK, 600),
            ("out", 9, None, NETWORK, 600),
            ("pm10", None, 27.7, DEVICE, 300),
            ("temperature", None, pytest.approx(3.7), DEVICE, 300),
        ]


def test_registration_that_somebody_broke_harms_nobody_else(
    database: str, connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    connection.execute(
        "update installation set mapping = '{\"fields\": 5}' where output = 'in'"
    )
    connection.execute("update sensor set profile = '[]' where key = 'wetter-1'")
    with caplog.at_level(logging.ERROR):
        rows = write(database, connection)
    assert [row["key"] for row in rows] == ["out"]
    assert caplog.text.count("registry_not_valid") >= 2
    reasons = connection.execute("select reason from rejected_message").fetchall()
    assert sorted(row["reason"] for row in reasons) == ["no-mapping", "not-a-time"]


def test_topics_that_need_a_line_of_access_are_listed(
    database: str, connection: Connection
) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "verkehrspuls", "sensor", "access", "--json"],
        env=os.environ | {**logins(database)},
        capture_output=True,
        check=True,
        text=True,
    )
    rows = json.loads(asked.stdout)
    assert {row["topic"] for row in rows} == filters(read_registry(connection))
    assert rows[0]["command"] == ("verkehrspuls credential issue weilerbach/wetter-1")


def uplink(
    second: int,
    number: int,
    people: int,
    *,
    session: str = "00189440",
    gateway: str = "a",
    received: int | None = None,
) -> Message:
    """An uplink so many seconds after ten past ten."""
    at = TEN_PAST + timedelta(seconds=second)
    payload = {
        "time": at.isoformat(),
        "deviceInfo": {"devEui": "0101010101010101"},
        "devAddr": session,
        "fCnt": number,
        "fPort": 14,
        "object": {"people_in": people, "people_out": people},
        "rxInfo": [{"gatewayId": gateway, "gwTime": at.isoformat(), "rssi": -90}],
    }
    return Message(
        "application/1/device/0101010101010101/event/up",
        json.dumps(payload).encode(),
        TEN_PAST + timedelta(seconds=second if received is None else received),
    )


TEN_PAST = NOW.replace(hour=10, minute=10, second=0, microsecond=0)


def _wait(seconds: float) -> bool:
    """Wait for a worker that ended a moment ago to be gone."""
    time.sleep(seconds)
    return False


class Uplinks:
    """A worker that can be started anew, and what it stored."""

    def __init__(self, url: str, connection: Connection) -> None:
        self.url, self.connection = url, connection

    def write(self, *messages: Message) -> dict[str, int]:
        collector = Collector(
            read_registry(self.connection), formats(), Limits.at(NOW, Ingest())
        )
        writer = Writer(as_ingest(self.url), Ingest(), pause=_wait)
        try:
            return dict(writer.write(collector.collect(messages), collector))
        finally:
            writer.close()

    def stored(self) -> list[tuple[int, int]]:
        """Seconds after ten past ten, and people in."""
        rows = self.connection.execute(
            "select time + interval_s * interval '1 second' as time, pedestrian "
            "from count_reading join channel using (channel_id) "
            "where key = 'in' order by time"
        ).fetchall()
        rows = [(row["time"], row["pedestrian"]) for row in rows]
        first = min((time for time, _ in rows), default=TEN_PAST)
        return [((time - first).total_seconds(), people) for time, people in rows]


@pytest.fixture
def uplinks(database: str, connection: Connection) -> Uplinks:
    return Uplinks(database, connection)


@pytest.mark.parametrize("together", [True, False])
def test_a_frame_that_is_delivered_again_is_a_duplicate(
    uplinks: Uplinks, together: bool
) -> None:
    found = [uplink(0, 5, 7), uplink(48, 5, 7, gateway="b"), uplink(600, 6, 5)]
    groups = [found] if together else [[each] for each in found]
    sums = Counter[str]()
    for group in groups:
        sums.update(uplinks.write(*group))
    assert uplinks.stored() == [(0, 7), (600, 5)]
    # both directions of each
    assert sums["readings_stored"] == 4
    assert sums["readings_duplicate"] == 2
    assert prove(uplinks.connection).holds
    (sequence,) = uplinks.connection.execute("select lost, resets from sequence")
    assert sequence == {"lost": 0, "resets": 0}


def test_a_frame_that_comes_again_with_other_content_corrects(uplinks: Uplinks) -> None:
    uplinks.write(uplink(0, 5, 7))
    sums = uplinks.write(uplink(48, 5, 8))
    assert uplinks.stored() == [(0, 8)]
    assert sums["readings_corrected"] == 2


@pytest.mark.parametrize(
    "again",
    [uplink(3000, 5, 7, session="other"), uplink(7200, 5, 7), uplink(660, 0, 7)],
)
def test_a_device_that_counts_anew_sends_no_repeats(
    uplinks: Uplinks, again: Message
) -> None:
    uplinks.write(uplink(0, 0, 7))
    uplinks.write(uplink(6, 5, 7))
    uplinks.write(again)
    assert len(uplinks.stored()) == 3


def test_an_older_copy_that_comes_later_is_the_same_frame(uplinks: Uplinks) -> None:
    uplinks.write(uplink(48, 5, 7))
    uplinks.write(uplink(0, 5, 7, received=60))
    assert uplinks.stored() == [(0, 7)]


@pytest.mark.parametrize("together", [True, False])
def test_a_later_copy_that_came_alone_gives_way_to_the_earliest(
    uplinks: Uplinks, together: bool
) -> None:
    late, early, last = (
        uplink(second, 5, 7, received=3020, gateway=gateway)
        for gateway, second in (("a", 3005), ("b", 2995), ("c", 3010))
    )
    begun = TEN_PAST + timedelta(seconds=2995 - 600)
    uplinks.write(late)
    uplinks.connection.execute("delete from stale_bucket")
    for group in [[early, last]] if together else [[early], [last], [late]]:
        uplinks.write(*group)
    rows = uplinks.connection.execute("select time, pedestrian from count_reading")
    assert [(row["time"], row["pedestrian"]) for row in rows] == [(begun, 7)] * 2
    # what was known in between is in the history, and both times are computed anew
    (kept,) = uplinks.connection.execute(
        "select count(*), max(time) as time from count_reading_history"
    )
    assert kept == {"count": 2, "time": begun + timedelta(seconds=10)}
    assert prove(uplinks.connection).holds
    (hours,) = uplinks.connection.execute(
        "select count(distinct channel_id) as channels from stale_bucket"
    )
    assert hours == {"channels": 2}


def test_of_copies_that_come_together_the_earliest_tells_the_time(
    uplinks: Uplinks,
) -> None:
    uplinks.write(uplink(48, 5, 7), uplink(0, 5, 7, received=60), uplink(600, 6, 5))
    assert uplinks.stored() == [(0, 7), (600, 5)]
