from math import exp, log
from statistics import median
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics import frames
from analytics.baseline import network
from analytics.detectors import unusual_volume
from tests.frames import HOUR, make, one, utc

T = utc("2026-11-18 10:00")


def town(*sites: tuple[int, float], **same: Any) -> pl.DataFrame:
    """An hour of sites of one channel: volume, and what is usual."""
    return make(
        frames.USUAL_HOURS,
        [
            {"channel_id": 10 + n, "site_id": n, "volume": volume, "usual": usual}
            for n, (volume, usual) in enumerate(sites)
        ],
        **{
            "quantity": "motor",
            "audience": 0,
            "time": T,
            "observed_s": 3600,
            "usual_spread": 5.0,
            **same,
        },
    )


def expected(hours: pl.DataFrame) -> list[float]:
    observed = hours.with_columns(observed=pl.col("volume").cast(pl.Float64))
    found = network.with_expected(observed, when="time").sort("time", "channel_id")
    return [round(value, 6) for value in found["expected"]]


def by_definition(sites: list[tuple[int, float]]) -> list[float]:
    """The docstring's formula, site by site."""
    x = [log((volume + 1) / (usual + 1)) for volume, usual in sites]
    found = []
    for n, (_, usual) in enumerate(sites):
        others = x[:n] + x[n + 1 :]
        ratio = 0.0
        if len(others) >= network.MIN_SITES:
            ratio = (
                median(others) * len(others) / (len(others) + network.SHRINKAGE_SITES)
            )
        most = log(1 + network.MAX_CHANGE)
        found.append(round(usual * exp(min(max(ratio, -most), most)), 6))
    return found


@given(
    st.lists(
        st.tuples(st.integers(0, 3000), st.integers(0, 1500).map(float)),
        min_size=1,
        max_size=9,
    )
)
def test_expected_is_what_is_defined(sites: list[tuple[int, float]]) -> None:
    assert expected(town(*sites)) == pytest.approx(by_definition(sites), abs=1e-5)


def test_a_site_is_not_held_against_itself() -> None:
    usual = [(100, 100.0)] * 4
    first, *others = expected(town((900, 100.0), *usual))
    assert first == 100
    # the median of the other four: three as usual, one far above
    assert others == [100] * 4


def test_few_sites_have_no_ratio() -> None:
    assert expected(town(*[(150, 100.0)] * 4)) == [100] * 4
    assert expected(town(*[(150, 100.0)] * 5))[0] > 120


def test_channels_of_a_site_are_one_voice() -> None:
    lanes = town(*[(150, 100.0)] * 6, site_id=None).with_columns(
        site_id=pl.Series([0, 0, 0, 0, 1, 2], dtype=pl.Int32)
    )
    assert expected(lanes) == [100] * 6


def test_what_is_counted_otherwise_or_at_another_time_has_no_say() -> None:
    motor = town(*[(100, 100.0)] * 5)
    bicycles = town(*[(150, 100.0)] * 5, quantity="bicycle")
    later = town(*[(150, 100.0)] * 5, time=T + HOUR)
    assert expected(pl.concat([motor, bicycles])).count(100) == 5
    assert expected(pl.concat([motor, later]))[:5] == [100] * 5


def test_an_hour_observed_in_part_has_no_say() -> None:
    around = town(*[(130, 100.0)] * 4).with_columns(site_id=pl.col("site_id") + 1)
    partly = around.with_columns(
        observed_s=pl.when(pl.col("site_id") == 1).then(2699).otherwise("observed_s")
    )
    alone = town((145, 100.0))
    assert unusual_volume.detect(pl.concat([alone, around])).is_empty()
    assert unusual_volume.detect(pl.concat([alone, partly])).height == 1


def test_until_the_others_have_reported_their_ratio_is_forecast() -> None:
    before = town(*[(125, 100.0)] * 6)
    first = town((130, 100.0), time=T + HOUR)
    observed = pl.concat([before, first]).with_columns(
        observed=pl.col("volume").cast(pl.Float64)
    )

    def newest(rows: pl.DataFrame, **step: Any) -> float:
        found = network.with_expected(rows, when="time", **step)
        return round(found.filter(site_id=0).sort("time")["expected"][-1], 2)

    ratio = round(100 * exp(log(126 / 101) * 5 / 9), 2)
    assert newest(observed, step=HOUR) == ratio
    assert newest(observed) == 100
    assert newest(observed.filter(pl.col("time") > T), step=HOUR) == 100
    # what they do then, and no longer what was forecast
    came = town(*[(100, 100.0)] * 6, time=T + HOUR)
    came = came.with_columns(observed=pl.lit(100.0))
    assert newest(pl.concat([observed.head(6), came]), step=HOUR) == 100
    # and the hour is judged by it
    assert one(unusual_volume.detect(town((145, 100.0))))["score"] == 9
    alone = pl.concat([before, town((145, 100.0), time=T + HOUR)])
    assert unusual_volume.detect(alone).is_empty()


def test_what_the_town_does_too_is_not_unusual() -> None:
    around = [(112, 100.0), (115, 100.0), (118, 100.0), (121, 100.0), (124, 100.0)]
    assert one(unusual_volume.detect(town((135, 100.0))))["score"] == 7
    assert unusual_volume.detect(town((135, 100.0), *around)).is_empty()


def test_a_site_that_does_not_go_with_its_town_is_unusual() -> None:
    fallen = [(75, 100.0)] * 8
    hit = one(unusual_volume.detect(town((115, 100.0), *fallen)))
    assert (hit["channel_id"], hit["reason"]) == (10, "above-usual")
    assert hit["usual"] == pytest.approx(100 * exp(log(76 / 101) * 8 / 12))


def test_a_town_that_is_unusual_as_a_whole_is_found() -> None:
    hits = unusual_volume.detect(town(*[(30, 100.0)] * 6))
    assert hits["reason"].to_list() == ["below-usual"] * 6
