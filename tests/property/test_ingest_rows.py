"""A packed row holds what the reading holds, whatever it names and in which order."""

import struct
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.formats import CountReading, CountSeries, EnvironmentReading
from ingest.rows import (
    CONTENT_OFFSET,
    KEY_BYTES,
    after_time,
    before_time,
    copied,
    count_row,
    environment_row,
    heads,
    hour_of,
    hours,
    layout_of,
    microseconds,
    rounds,
    series_rows,
)
from tests.rows import unpack
from verkehrspuls.classes import COUNTS

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)
TIMES = st.datetimes(
    NOW.replace(1970, tzinfo=None),
    NOW.replace(2100, tzinfo=None),
    timezones=st.just(UTC),
)
COUNT = st.integers(0, 1_000_000)
FLOATS = st.none() | st.floats(0, 300, width=32)
CLASSES = (
    st.permutations(COUNTS)
    .flatmap(
        lambda names: st.lists(st.none() | COUNT, min_size=1, max_size=len(names)).map(
            lambda found: dict(zip(names, found, strict=False))
        )
    )
    .filter(lambda classes: any(count is not None for count in classes.values()))
)
READINGS = st.builds(
    CountReading,
    st.just("1"),
    TIMES,
    st.integers(1, 86_400),
    CLASSES,
    FLOATS,
    FLOATS,
    FLOATS,
    FLOATS,
    st.none() | st.lists(COUNT, min_size=1, max_size=20),
    st.integers(0, 2),
    st.none() | st.integers(0, 86_400),
)


def packed(reading: CountReading, channel: int = 7, sensor: int = 8) -> bytes:
    before = before_time(channel, counts=True)
    layout = layout_of(tuple(reading.classes))
    after = after_time(
        sensor, microseconds(NOW), reading.time_origin, reading.interval_s
    )
    return count_row(reading, layout, before, after)


@given(READINGS)
def test_counts_are_packed_as_they_came(reading: CountReading) -> None:
    rest = (reading.occupancy, reading.histogram, reading.observed_s)
    whole = any(value is not None for value in rest)
    assert unpack(packed(reading)) == [
        *(7, reading.time, 8, NOW, reading.time_origin, reading.interval_s),
        *map(reading.classes.get, COUNTS),
        reading.speed_kmh,
        reading.occupancy,
        reading.histogram_from_kmh if whole else None,
        reading.histogram_width_kmh if whole else None,
        reading.histogram,
        reading.observed_s,
    ]


@given(
    TIMES,
    st.floats(allow_nan=False),
    st.integers(0, 2),
    st.none() | st.integers(0, 600),
)
def test_value_is_packed_as_it_came(
    time: datetime, value: float, whose: int, observed_s: int | None
) -> None:
    reading = EnvironmentReading("t", time, 600, value, whose, observed_s)
    before = before_time(7, counts=False)
    after = after_time(8, microseconds(NOW), reading.time_origin, reading.interval_s)
    row = environment_row(reading, before, after)
    assert unpack(row) == [7, time, 8, NOW, whose, 600, value, observed_s]


@given(READINGS, READINGS)
def test_key_and_content_are_at_their_offsets(
    one: CountReading, other: CountReading
) -> None:
    first, second = packed(one), packed(other, sensor=9)
    assert (first[:KEY_BYTES] == second[:KEY_BYTES]) == (one.time == other.time)
    same = unpack(first)[5:] == unpack(second)[5:]
    assert (first[CONTENT_OFFSET:] == second[CONTENT_OFFSET:]) == same


@given(st.lists(st.tuples(st.integers(1, 3), TIMES), min_size=1))
def test_rows_are_copied_in_the_order_of_their_keys(
    keys: list[tuple[int, datetime]],
) -> None:
    (rows,) = rounds(
        [packed(CountReading("1", time, 60, {"car": 1}), key) for key, time in keys]
    )
    assert {(unpack(row)[0], unpack(row)[1]) for row in rows} == set(keys)
    found_hours = hours(heads(rows, copied(rows)))
    assert {(channel, hour_of(hour)) for channel, hour in found_hours} == {
        (channel, time.replace(minute=0, second=0, microsecond=0))
        for channel, time in keys
    }
    body = copied(rows)[19:-2]
    size = len(rows[0])
    found = [body[at : at + size] for at in range(0, len(body), size)]
    channels = [unpack(row)[0] for row in found]
    assert channels == sorted(channels)
    assert sorted(found) == rows


def test_what_comes_again_goes_into_a_later_round_only_where_it_differs() -> None:
    rows = [packed(CountReading("1", NOW, 60, {"car": n})) for n in (1, 1, 2, 2, 1, 1)]
    cars = [unpack(row)[9] for each in rounds(rows) for row in each]
    assert cars == [1, 2, 1]
    assert rounds([]) == []


@given(
    TIMES.filter(lambda time: time.year < 2099),
    st.timedeltas(timedelta(microseconds=1), timedelta(days=1)),
    st.lists(st.lists(st.none() | COUNT, min_size=3, max_size=3), min_size=2),
    st.permutations(COUNTS),
    st.none() | st.floats(0, 300, width=32),
)
def test_series_is_packed_as_its_readings_are(
    first: datetime,
    step: timedelta,
    counts: list[list[int | None]],
    names: list[str],
    speed: float | None,
) -> None:
    series = CountSeries(
        "1",
        [first + number * step for number in range(len(counts))],
        60,
        [dict(zip(names, each, strict=False)) for each in counts],
        None if speed is None else [speed + number for number in range(len(counts))],
    )
    rows = series_rows(
        series,
        layout_of(tuple(names[:3])),
        before_time(7, counts=True),
        after_time(8, microseconds(NOW), 0, 60),
    )
    whole = not any(None in each for each in counts)
    readings = series.readings() if whole else []
    assert rows == [packed(each) for each in readings if isinstance(each, CountReading)]


@pytest.mark.parametrize("count", [2**31, -(2**31) - 1])
def test_what_a_column_cannot_hold_is_an_error(count: int) -> None:
    with pytest.raises(struct.error):
        packed(CountReading("1", NOW + timedelta(0), 60, {"car": count}))
