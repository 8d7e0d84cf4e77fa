"""What must hold for any readings: order, chunks and repetition change nothing."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics import frames
from analytics.baseline.hours import usual
from analytics.environment.hours import hours as environment_hours
from analytics.local_time import with_local
from analytics.volumes.daily import days
from analytics.volumes.volume import volumes
from tests.frames import channels, counts, installed, stored, utc, values
from tests.frames import volumes as hour_volumes

START = utc("2026-03-28 12:00")
DAY = timedelta(days=1)
COUNT = st.none() | st.integers(0, 500)

READINGS = st.lists(
    st.fixed_dictionaries(
        {
            "channel_id": st.integers(1, 3),
            # five-minute steps over the days of the clock change
            "time": st.integers(0, 48 * 12).map(
                lambda step: START + timedelta(minutes=5 * step)
            ),
            "interval_s": st.sampled_from([60, 300, 900, 3600]),
            "total": COUNT,
            "car": COUNT,
            "bus": COUNT,
            "speed_kmh": st.none() | st.integers(0, 100).map(float),
        }
    ),
    max_size=60,
    unique_by=lambda row: (row["channel_id"], row["time"]),
)
PLACES = channels(
    *({"channel_id": n, "direction": d} for n, d in ((1, "in"), (2, "in"), (3, "out")))
)


def apart(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those rows that overlap none before them."""
    free: dict[int, datetime] = {}
    found = []
    for row in sorted(rows, key=lambda row: (row["channel_id"], row["time"])):
        if row["time"] >= free.get(row["channel_id"], row["time"]):
            found.append(row)
            end = row["time"] + timedelta(seconds=row["interval_s"])
            free[row["channel_id"]] = end
    return found


def volume_of(readings: pl.DataFrame) -> int:
    """The sum over readings, written down once more and plainly."""
    total = 0
    for row in readings.iter_rows(named=True):
        if row["total"] is not None:
            total += row["total"]
        else:
            total += (row["car"] or 0) + (row["bus"] or 0)
    return total


def figures(readings: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    found = volumes(readings)
    targets = (
        with_local(found.join(PLACES, on="channel_id"))
        .select("site_id", "day")
        .unique()
    )
    daily = days(
        stored(found),
        targets,
        channels=PLACES,
        installed=installed(*({"channel_id": n} for n in (1, 2, 3))),
        excluded=frames.empty(frames.SPANS),
    )
    return (
        found.sort("channel_id", "interval_s", "time"),
        daily.sort("direction", "day"),
    )


def equal(one: pl.DataFrame, other: pl.DataFrame) -> bool:
    """Equal but for the order in which floats were added."""
    exact = [name for name, kind in one.schema.items() if not kind.is_float()]
    floats = [name for name in one.columns if name not in exact]
    near = all(
        ((one[name] - other[name]).abs().fill_null(0) < 1e-3).all()
        and (one[name].is_null() == other[name].is_null()).all()
        for name in floats
    )
    return one.select(exact).equals(other.select(exact)) and near


@given(READINGS)
@settings(deadline=None, max_examples=30)
def test_counts_are_conserved(rows: list[dict[str, object]]) -> None:
    readings = counts(*apart(rows))
    found, daily = figures(readings)
    expected = volume_of(readings)
    assert found.filter(pl.col("interval_s") == 3600)["volume"].sum() == expected
    short = readings.filter(pl.col("interval_s") <= 900)
    quarters = found.filter(pl.col("interval_s") == 900)
    assert quarters["volume"].sum() == volume_of(short)
    cross_section = daily["direction"] == "all"
    assert daily.filter(cross_section)["volume"].sum() == expected
    assert daily.filter(~cross_section)["volume"].sum() == expected


@given(READINGS, st.randoms())
@settings(deadline=None, max_examples=30)
def test_the_order_of_rows_changes_nothing(
    rows: list[dict[str, object]], random: Random
) -> None:
    before = figures(counts(*rows))
    random.shuffle(rows)
    after = figures(counts(*rows))
    assert all(equal(one, other) for one, other in zip(before, after, strict=True))


def near(readings: pl.DataFrame, hour: datetime) -> pl.DataFrame:
    """Readings of an hour and of those beside it, received in one order."""
    since, until = hour - timedelta(hours=1), hour + timedelta(hours=2)
    return readings.filter(
        pl.col("time") >= since, pl.col("time") < until
    ).with_columns(received_at=pl.lit(START).cast(frames.TIME))


def hours_of(readings: pl.DataFrame) -> pl.DataFrame:
    return readings.select("channel_id", hour=pl.col("time").dt.truncate("1h")).unique()


@given(READINGS)
@settings(deadline=None, max_examples=30)
def test_hours_computed_in_chunks_are_the_same(rows: list[dict[str, object]]) -> None:
    readings = counts(*rows)
    whole, _ = figures(readings)
    by_hour = readings.with_columns(
        pl.col("time").dt.truncate("1h").alias("hour")
    ).partition_by("hour", include_key=False)
    parts = [
        # with what reaches into the hour, or what it reaches into
        volumes(near(readings, part["time"].dt.truncate("1h")[0]), of=hours_of(part))
        for part in by_hour
    ] or [volumes(readings)]
    chunked = pl.concat(parts).sort("channel_id", "interval_s", "time")
    assert equal(whole, chunked)


@given(READINGS)
@settings(deadline=None, max_examples=30)
def test_shares_are_shares_and_nothing_is_invented(
    rows: list[dict[str, object]],
) -> None:
    found, daily = figures(counts(*rows))
    assert (found["observed_s"] <= found["interval_s"]).all()
    assert (found["observed_s"] > 0).all()
    for name in ("expected", "observed", "normalised", "imputed", "excluded"):
        assert daily[name].is_between(0, 1).all()
    assert (daily["volume_normalised"] >= daily["volume"] - 1e-2).all()
    assert (daily["observed"] + daily["normalised"] <= 1 + 1e-6).all()


@given(READINGS)
@settings(deadline=None, max_examples=30)
def test_each_second_is_observed_once_and_gaps_are_where_none_is(
    rows: list[dict[str, object]],
) -> None:
    readings = counts(*apart(rows))
    found = volumes(readings).filter(pl.col("interval_s") == 3600)
    known = readings.filter(
        pl.any_horizontal(pl.col("total", "car", "bus").is_not_null())
    )
    for bin in found.iter_rows(named=True):
        of_bin = known.filter(
            pl.col("channel_id") == bin["channel_id"],
            pl.col("time").dt.truncate("1h") == bin["time"],
        )
        seconds: set[int] = set()
        for row in of_bin.iter_rows(named=True):
            start = (row["time"] - bin["time"]).seconds
            seconds.update(range(start, start + row["interval_s"]))
        assert bin["observed_s"] == min(3600, len(seconds))
        beyond = max(0, max(seconds) + 1 - 3600)
        run = longest = 0
        for second in range(3600):
            run = 0 if second in seconds else run + 1
            if run == second + 1:  # what reaches beyond the end makes up for
                longest = max(longest, run - beyond)
            else:
                longest = max(longest, run)
        assert bin["gap_s"] == longest


@given(
    st.lists(
        st.tuples(st.integers(1, 3), st.integers(0, 13 * 7), st.integers(0, 500)),
        min_size=20,
        max_size=120,
        unique_by=lambda row: row[:2],
    ),
    st.randoms(),
)
@settings(deadline=None, max_examples=30)
def test_what_is_usual_depends_on_neither_order_nor_company(
    rows: list[tuple[int, int, int]], random: Random
) -> None:
    def hours(rows: list[tuple[int, int, int]]) -> pl.DataFrame:
        return hour_volumes(
            *(
                {"channel_id": channel, "time": START + day * DAY, "volume": volume}
                for channel, day, volume in rows
            )
        )

    def of(history: pl.DataFrame, targets: pl.DataFrame) -> pl.DataFrame:
        return usual(history, targets, channels=PLACES, weeks=8)

    history = hours(rows)
    together = of(history, history).sort("channel_id", "time")
    shuffled = random.sample(rows, len(rows))
    part = hours(shuffled[: len(rows) // 2])
    found = pl.concat(
        [
            of(hours(shuffled), part),
            # each channel on its own, as another claim would have it
            *(
                of(history.filter(pl.col("channel_id") == channel), others)
                for (channel,), others in history.join(
                    part, on=["channel_id", "time"], how="anti"
                ).group_by("channel_id")
            ),
        ]
    )
    assert together.equals(found.sort("channel_id", "time"))


@given(
    st.lists(st.floats(-50, 60), min_size=1, max_size=12),
    st.sampled_from(["temperature_c", "laeq_db"]),
)
@settings(deadline=None, max_examples=30)
def test_a_mean_lies_between_minimum_and_maximum(
    series: list[float], quantity: str
) -> None:
    readings = values(
        *(
            {"time": START + n * timedelta(minutes=5), "value": value}
            for n, value in enumerate(series)
        ),
        quantity=quantity,
    )
    found = environment_hours(readings).row(0, named=True)
    assert found["minimum"] - 1e-6 <= found["mean"] <= found["maximum"] + 1e-6
