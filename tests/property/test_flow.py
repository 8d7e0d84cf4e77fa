"""What must hold for any speeds and days: nothing is lost, order changes nothing."""

from datetime import date, timedelta
from random import Random

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from analytics import frames
from analytics.flow.aadt import aadt
from analytics.flow.figure import Figure
from analytics.flow.histograms import MAX_WIDTH_KMH, merged
from analytics.flow.speeds import speeds
from tests.frames import flow_days, make, utc

START = utc("2026-03-28 22:00")
FIRST = date(2026, 1, 1)

READINGS = st.lists(
    st.fixed_dictionaries(
        {
            "channel_id": st.integers(1, 2),
            "time": st.integers(0, 60).map(
                lambda step: START + timedelta(minutes=5 * step)
            ),
            "interval_s": st.sampled_from([60, 300, 3600]),
            "histogram_from_kmh": st.sampled_from([0.0, 2.5, 10.0, 240.0]),
            "histogram_width_kmh": st.sampled_from([1.0, 2.5, 3.0, 5.0, 10.0, 25.0]),
            "histogram": st.none()
            | st.lists(st.integers(0, 1000), min_size=1, max_size=30),
        }
    ),
    max_size=30,
)


def vehicles(readings: pl.DataFrame) -> tuple[int, int]:
    """Vehicles in histograms that can be used, and in others; written plainly."""
    used = refused = 0
    for row in readings.iter_rows(named=True):
        if row["histogram"] is None:
            continue
        if row["histogram_width_kmh"] <= MAX_WIDTH_KMH:
            used += sum(row["histogram"])
        else:
            refused += sum(row["histogram"])
    return used, refused


@given(READINGS, st.randoms(use_true_random=False))
def test_no_vehicle_is_lost_and_order_does_not_matter(
    rows: list[dict[str, object]], random: Random
) -> None:
    readings = make(frames.HISTOGRAM_READINGS, rows)
    found = merged(readings)
    assert (found["counts"].list.sum().sum(), found["refused"].sum()) == vehicles(
        readings
    )
    random.shuffle(rows)
    assert merged(make(frames.HISTOGRAM_READINGS, rows)).equals(found)


@given(READINGS)
def test_channels_can_be_merged_one_by_one(rows: list[dict[str, object]]) -> None:
    readings = make(frames.HISTOGRAM_READINGS, rows)
    parts = [merged(part) for part in readings.partition_by("channel_id")]
    nothing = frames.empty(frames.SPEED_HISTOGRAMS)
    assert pl.concat([nothing, *parts]).sort("channel_id").equals(merged(readings))


@given(READINGS)
def test_quantiles_rise_and_the_space_mean_is_the_least(
    rows: list[dict[str, object]],
) -> None:
    found = speeds(
        merged(make(frames.HISTOGRAM_READINGS, rows)),
        frames.empty(frames.FLOW_BINS),
        limit_kmh=None,
        expected=1,
        lanes=1,
    )
    named: dict[str, Figure] = {figure.name: figure for figure in found.figures}
    values = [named[name].value for name in ("v15", "v50", "v85")]
    known = [value for value in values if value is not None]
    if len(known) < 3:
        assert not known
        return
    assert known == sorted(known)
    space, time = named["mean_space"].value, named["mean_time"].value
    assert space is not None
    assert time is not None
    assert space <= time + 1e-9


@given(
    st.lists(st.none() | st.integers(0, 10_000), min_size=60, max_size=366),
    st.integers(1, 50),
)
def test_aadt_scales_with_the_traffic(volumes: list[int | None], factor: int) -> None:
    def figures(times: int) -> tuple[Figure, ...]:
        read = pl.DataFrame(
            {
                "day": [
                    FIRST + timedelta(days=n)
                    for n, volume in enumerate(volumes)
                    if volume is not None
                ],
                "volume_normalised": [
                    float(volume * times) for volume in volumes if volume is not None
                ],
            },
            schema={"day": pl.Date, "volume_normalised": pl.Float64},
        )
        days = flow_days(
            read,
            first=FIRST,
            last=FIRST + timedelta(days=len(volumes) - 1),
        )
        return aadt(days, frames.empty(frames.FLOW_BINS), unit="Kfz").figures

    for one, many in zip(figures(1), figures(factor), strict=True):
        assert one.reason == many.reason
        for name in ("value", "lower", "upper"):
            left, right = getattr(one, name), getattr(many, name)
            assert (left is None) == (right is None)
            assert left is None or abs(left * factor - right) <= 1e-6 * (1 + right)
