"""Averages of air quality, limits, indices, correction for humidity."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from analytics import frames
from analytics.environment.averages import (
    daily_max_8h,
    day_means,
    running_means,
    year_means,
)
from analytics.environment.humidity import Parameters, correct
from analytics.environment.indices import INDICES, Index, index_hours
from analytics.environment.limits import LIMITS, STANDARDS, Limit, compare
from tests.frames import HOUR, make, one, utc
from verkehrspuls.quantities import ENVIRONMENT

#: midnight in Central European Time
MIDNIGHT = utc("2026-07-01 23:00")


def hours(
    start: datetime, means: Sequence[float | None], *, observed_s: int = 3600
) -> pl.DataFrame:
    return make(
        frames.ENVIRONMENT_HOURS,
        [
            {"time": start + n * HOUR, "mean": mean}
            for n, mean in enumerate(means)
            if mean is not None
        ],
        channel_id=1,
        observed_s=observed_s,
    )


def test_first_eight_hours_of_a_day_begin_at_17_on_the_day_before() -> None:
    # 17 to 1 o'clock is high, in Central European Time without summer time
    high = hours(MIDNIGHT - 7 * HOUR, [80.0] * 8 + [8.0] * 23 + [0.0] * 8)
    found = daily_max_8h(high)
    assert found.filter(pl.col("day") == date(2026, 7, 2)).row(0, named=True) == {
        "channel_id": 1,
        "day": date(2026, 7, 2),
        "mean": 80.0,
        "parts": 24,
    }


def test_eight_hours_that_end_at_midnight_belong_to_the_day_that_ends() -> None:
    found = daily_max_8h(hours(MIDNIGHT, [10.0] * 16 + [90.0] * 8 + [10.0] * 24))
    assert found.rows() == [
        # 17 of its 24 running means are there for the first day: 18 are needed,
        # of which the first six hours alone make none
        (1, date(2026, 7, 2), 90.0, 19),
        (1, date(2026, 7, 3), 80.0, 24),
    ]


def test_running_mean_needs_six_of_eight_hours() -> None:
    six = running_means(hours(MIDNIGHT, [None, None, 6.0, 6.0, 6.0, 6.0, 6.0, 12.0]))
    assert one(six.filter(pl.col("ended") == MIDNIGHT + 8 * HOUR))["mean"] == 7.0
    five = running_means(hours(MIDNIGHT, [1.0] * 5))
    assert five.is_empty()


def test_hour_without_reading_ends_a_running_mean_all_the_same() -> None:
    found = running_means(hours(MIDNIGHT, [4.0] * 8 + [None] + [4.0]))
    assert MIDNIGHT + 9 * HOUR in found["ended"].to_list()


def test_hours_observed_too_little_have_no_say() -> None:
    good = hours(MIDNIGHT, [10.0] * 18)
    poor = hours(MIDNIGHT + 18 * HOUR, [1000.0] * 6, observed_s=2699)
    assert one(day_means(pl.concat([good, poor]))) == {
        "channel_id": 1,
        "day": date(2026, 7, 2),
        "mean": 10.0,
        "parts": 18,
    }
    assert day_means(good.head(17)).is_empty()


def test_mean_of_a_year_says_how_much_of_it_was_observed() -> None:
    start = utc("2025-12-31 23:00")
    enough = one(year_means(hours(start, [20.0] * 7884)))
    assert (enough["year"], enough["mean"], enough["valid"]) == (2026, 20.0, True)
    assert enough["capture"] == pytest.approx(0.9)
    assert one(year_means(hours(start, [20.0] * 7883)))["valid"] is False


def test_limit_of_hours_may_be_exceeded_as_often_as_it_says() -> None:
    limit = Limit("39-bimschv", "no2_ugm3", "limit", "hour", 200, allowed=2)
    start = utc("2025-12-31 23:00")
    quiet = [50.0] * 8000
    found = one(
        compare(hours(start, [201.0, 200.4, 201.0, *quiet]), "no2_ugm3", limits=[limit])
    )
    # 200.4 is 200, and that is no exceedance
    assert (found["exceeded"], found["met"], found["greatest"]) == (2, True, 201.0)
    more = one(
        compare(hours(start, [201.0, 201.0, 201.0, *quiet]), "no2_ugm3", limits=[limit])
    )
    assert (more["exceeded"], more["met"]) == (3, False)


def test_little_data_can_show_that_a_limit_is_not_met_but_not_that_it_is() -> None:
    limit = Limit("39-bimschv", "pm10_ugm3", "limit", "day", 50, allowed=1)
    low = one(compare(hours(MIDNIGHT, [20.0] * 240), "pm10_ugm3", limits=[limit]))
    assert (low["judged"], low["exceeded"], low["met"]) == (10, 0, None)
    high = one(compare(hours(MIDNIGHT, [90.0] * 240), "pm10_ugm3", limits=[limit]))
    assert (high["exceeded"], high["met"]) == (10, False)


def test_alert_needs_hours_in_a_row() -> None:
    limit = Limit("39-bimschv", "no2_ugm3", "alert", "hour", 400, hours=3)
    values = [401.0, 401.0, 10.0, 401.0, 401.0, 401.0, 401.0, None, 401.0]
    found = one(compare(hours(MIDNIGHT, values), "no2_ugm3", limits=[limit]))
    assert found["exceeded"] == 2


def test_each_limit_is_of_a_standard_and_a_known_quantity() -> None:
    assert {limit.standard for limit in LIMITS} == set(STANDARDS)
    assert {limit.quantity for limit in LIMITS} <= set(ENVIRONMENT)


def test_sulphur_dioxide_is_compared_with_all_three_standards() -> None:
    """A day at 41, and three hours of it at 501."""
    found = compare(hours(MIDNIGHT, [501.0] * 3 + [41.0] * 21), "so2_ugm3")
    exceeded = {
        (row["standard"], row["kind"], row["average"]): row["exceeded"]
        for row in found.iter_rows(named=True)
    }
    # the mean of the day is 98.5
    assert exceeded == {
        ("39-bimschv", "limit", "hour"): 3,
        ("39-bimschv", "limit", "day"): 0,
        ("39-bimschv", "alert", "hour"): 1,
        ("eu-2030", "limit", "hour"): 3,
        ("eu-2030", "limit", "day"): 1,
        ("eu-2030", "limit", "year"): 1,
        ("eu-2030", "information", "hour"): 3,
        ("eu-2030", "alert", "hour"): 1,
        ("who-2021", "guideline", "day"): 1,
    }


@pytest.mark.parametrize(("quantity", "value"), [("pm10_ugm3", 90), ("pm25_ugm3", 50)])
def test_days_of_particles_have_an_alert_value_from_2030(
    quantity: str, value: float
) -> None:
    found = compare(hours(MIDNIGHT, [value + 0.6] * 24 + [value] * 24), quantity)
    warned = found.filter(pl.col("kind").is_in(["information", "alert"]))
    assert warned["exceeded"].to_list() == [1, 1]
    assert set(warned["standard"]) == {"eu-2030"}


def test_worst_pollutant_decides_and_a_missing_one_is_told() -> None:
    found = one(
        index_hours(
            {
                "no2_ugm3": hours(MIDNIGHT, [30.0]),
                "pm10_ugm3": hours(MIDNIGHT, [54.5]),
                "pm25_ugm3": hours(MIDNIGHT, [5.0]),
            },
            INDICES["uba-2025"],
        )
    )
    # the upper end is within its class: NO2 30 is good, PM10 54.5 is 55 and poor
    assert (found["level"], found["decides"]) == (3, "pm10_ugm3")
    # to the Umweltbundesamt a station that lacks one of five is incomplete
    assert found["missing"] == ["o3_ugm3", "so2_ugm3"]


@pytest.mark.parametrize("index", INDICES.values(), ids=lambda index: index.key)
def test_classes_have_no_holes_between_their_ends(index: Index) -> None:
    """NO2 10.4 is of the first class where that is 0 to 10, and 11 begins the next."""
    for quantity, ends in index.ends.items():
        for level, end in enumerate(ends):
            values = [end - 0.4, float(end), end + 0.4, end + 0.5, end + 1.0]
            found = [
                one(
                    index_hours({quantity: hours(MIDNIGHT, [value] * 24)}, index).tail(
                        1
                    )
                )
                for value in values
            ]
            whole = index.key != "european-2017"
            expected = [0, 0, 0, 1, 1] if whole else [0, 0, 1, 1, 1]
            assert [row["level"] - level for row in found] == expected, (quantity, end)


def test_quantities_are_listed_in_the_order_of_the_index() -> None:
    """The order of passports and comparisons of the API."""
    assert list(INDICES["uba-2025"].ends) == [
        "pm10_ugm3",
        "pm25_ugm3",
        "o3_ugm3",
        "no2_ugm3",
        "so2_ugm3",
    ]
    for key in ("european-2025", "european-2017"):
        assert list(INDICES[key].ends) == [
            "pm25_ugm3",
            "pm10_ugm3",
            "no2_ugm3",
            "o3_ugm3",
            "so2_ugm3",
        ]


def test_versions_of_an_index_differ() -> None:
    given = {"no2_ugm3": hours(MIDNIGHT, [45.0])}
    now = one(index_hours(given, INDICES["european-2025"]))
    then = one(index_hours(given, INDICES["european-2017"]))
    assert (now["level"], then["level"]) == (2, 1)


def test_old_european_index_judges_particles_by_the_last_24_hours() -> None:
    given = {"pm10_ugm3": hours(MIDNIGHT, [10.0] * 23 + [250.0])}
    old = index_hours(given, INDICES["european-2017"]).row(-1, named=True)
    assert old["level"] == 0  # (23 · 10 + 250) / 24 = 20
    new = index_hours(given, INDICES["european-2025"]).row(-1, named=True)
    assert new["level"] == 4


def test_humid_air_makes_particles_look_too_many() -> None:
    particles = hours(MIDNIGHT, [50.0, 50.0, 50.0, 50.0])
    humidity = hours(MIDNIGHT, [50.0, 90.0, 99.0])
    found = correct(particles, humidity, parameters=Parameters(kappa=0.4))
    assert found["corrected"].to_list() == pytest.approx(
        [
            50 / (1 + 0.4 / 1.65),
            50 / (1 + 0.4 / 1.65 * 9),
            50 / (1 + 0.4 / 1.65 * 19),  # as at 95 %
        ]
    )
    assert found["beyond"].to_list() == [False, False, True]
    assert found["measured"].to_list() == [50.0] * 3


def test_marylebone_road_has_the_exceedances_that_a_plain_count_finds(
    data: Path,
) -> None:
    path = data / "openair_london_marylebone" / "mydata.parquet"
    measured = pl.read_parquet(path).filter(pl.col("date").dt.year() == 2003)
    given = measured.drop_nulls("no2").select(
        pl.lit(1, pl.Int32).alias("channel_id"),
        # its hours are of Greenwich: as if of CET, so that its years are ours
        pl.col("date").dt.cast_time_unit("us").dt.replace_time_zone("UTC").alias("time")
        - timedelta(hours=1),
        pl.lit(3600, pl.Int32).alias("observed_s"),
        *(
            (1.912 * pl.col("no2")).alias(name)
            for name in ("mean", "minimum", "maximum")
        ),
    )
    found = compare(given, "no2_ugm3").filter(pl.col("standard") == "39-bimschv")
    by_kind = {(r["kind"], r["average"]): r for r in found.iter_rows(named=True)}
    plain = 1.912 * measured["no2"].drop_nulls()
    hourly, yearly = by_kind["limit", "hour"], by_kind["limit", "year"]
    assert hourly["exceeded"] == (plain >= 200.5).sum() > 18
    assert (hourly["met"], yearly["met"]) == (False, False)
    assert yearly["greatest"] == pytest.approx(plain.mean())


def test_a_period_begins_with_the_running_means_of_the_hours_before_it() -> None:
    """Ozone was high from 17 to 1 o'clock; of the day before nothing is judged."""
    ozone = hours(MIDNIGHT - 7 * HOUR, [200.0] * 8 + [8.0] * 23)
    found = compare(ozone, "o3_ugm3", since=MIDNIGHT).filter(standard="39-bimschv")
    exceeded = dict(found.select("kind", "exceeded").iter_rows())
    assert exceeded == {"target": 1, "information": 1, "alert": 0}
    alone = ozone.filter(pl.col("time") >= MIDNIGHT)
    without = compare(alone, "o3_ugm3").filter(kind="target", standard="39-bimschv")
    assert without["exceeded"].item() == 0
