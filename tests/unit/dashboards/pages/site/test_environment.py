from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from analytics.frames import ENVIRONMENT_HOURS, LONG_VALUES, empty
from analytics.reports.extracts import stored_hours
from dashboards.charts.charts import Chart
from dashboards.pages.site.environment import environment_charts
from tests.frames import HOUR, make, utc
from tests.registered import channel
from tests.unit.dashboards.frames import BERLIN
from verkehrspuls.language import Language

START = datetime(2026, 3, 2, 5, tzinfo=UTC)
ENGLISH = Language("en")


def hours(value: float, count: int = 48, start: datetime = START) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "channel_id": 1,
                "time": start + timedelta(hours=n),
                "observed_s": 3600,
                "mean": value,
                "minimum": value,
                "maximum": value,
            }
            for n in range(count)
        ],
        schema=dict(ENVIRONMENT_HOURS),
    )


def charts(**quantities: pl.DataFrame) -> dict[str, Chart]:
    found = environment_charts(quantities, ENGLISH, zone=BERLIN)
    return {chart.key: chart for chart in found}


def test_only_what_is_measured_is_shown() -> None:
    assert charts(temperature_c=hours(4)) == {}
    assert set(charts(no2_ugm3=hours(4))) == {"air", "limits"}
    assert set(charts(wind_ms=hours(4))) == set()


def test_air_is_told_with_what_decides_and_what_is_missing() -> None:
    air = charts(no2_ugm3=hours(45))["air"]
    assert "moderate, because of nitrogen dioxide" in air.sentence
    assert "ozone" in air.note
    assert "indicative" in air.note
    shares = dict((row[0], row[1]) for row in air.table.rows)
    assert shares["moderate"] == "48"


def test_limit_is_not_called_met_after_two_days() -> None:
    limits = charts(no2_ugm3=hours(45))["limits"]
    assert {row[4] for row in limits.table.rows} == {"unknown"}
    assert limits.sentence.startswith(
        "None of the 2 limits in force is exceeded more than a year allows. 2 of "
        "them can be judged only when more"
    )
    assert limits.sentence.endswith(
        "2 of these can be judged only when more of the year is observed."
    )


def test_nothing_is_said_of_limits_where_nothing_was_measured() -> None:
    limits = charts(no2_ugm3=hours(45).clear())["limits"]
    assert limits.sentence == "No data yet in this period."


def test_limits_that_are_exceeded_are_counted_among_those_in_force() -> None:
    limits = charts(no2_ugm3=hours(450))["limits"]
    assert {row[4] for row in limits.table.rows} == {"not met", "unknown"}
    assert limits.sentence.startswith("1 of 2 limits in force is exceeded")
    assert "1 information or alert threshold was exceeded." in limits.sentence


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (22, "The limit in force is met."),
        (60, "The limit in force is exceeded more than a year allows."),
    ],
)
def test_a_single_limit_in_force_is_not_counted(value: float, sentence: str) -> None:
    year, start = 365 * 24, datetime(2025, 12, 31, 23, tzinfo=UTC)
    limits = charts(pm25_ugm3=hours(value, year, start=start))["limits"]
    assert limits.sentence.startswith(f"{sentence} ")


def test_a_station_that_keeps_the_law_is_not_blamed_for_what_comes() -> None:
    """A year of NO2 at 30 and PM10 at 22: the law is kept, WHO and 2030 are not."""
    year, start = 365 * 24, datetime(2025, 12, 31, 23, tzinfo=UTC)
    limits = charts(
        no2_ugm3=hours(30, year, start=start), pm10_ugm3=hours(22, year, start=start)
    )["limits"]
    assert limits.sentence == (
        "All limits in force are met (4). 2 of 5 limits that apply from 2030 would be "
        "exceeded. 3 of 4 recommendations of the WHO are exceeded."
    )
    # a table in the order of what binds
    validity = [row[-1] for row in limits.table.rows]
    assert list(dict.fromkeys(validity)) == ["in force", "coming", "recommended"]


def test_from_2030_on_the_directive_is_in_force_and_replaces_the_ordinance() -> None:
    limits = charts(no2_ugm3=hours(30, start=datetime(2030, 3, 2, tzinfo=UTC)))
    found = {(row[1], row[-1]) for row in limits["limits"].table.rows}
    assert {validity for _, validity in found} == {"in force", "recommended"}
    assert not any("BImSchV" in standard for standard, _ in found)


def test_noise_levels_are_of_energy_and_have_a_gap_where_unknown() -> None:
    noise = charts(laeq_db=hours(60, 24))["noise"]
    assert noise.sentence.startswith(
        "Whole day (Lden) 66.4 dB(A), from 1 day; day 60.0"
    )
    assert noise.table.head[1:] == ("Whole day (Lden)", "Day", "Evening", "Night")
    assert charts(laeq_db=hours(60, 0))["noise"].figure is None


def test_wind_has_a_sector_and_calm_none() -> None:
    wind = charts(wind_ms=hours(3), wind_deg=hours(225))["wind"]
    assert wind.sentence.startswith("Most often from SW (100")
    assert {row[0]: row[-1] for row in wind.table.rows}["SW"].startswith("100")
    calm = charts(wind_ms=hours(0.2), wind_deg=hours(225))["wind"]
    assert calm.sentence.startswith("In 100")
    assert wind.sentence.endswith("It is never calm.")


def test_hours_keep_what_was_observed() -> None:
    read = pl.DataFrame(
        {
            "time": [START],
            "channel": ["no2"],
            "observed": [0.5],
            "mean": [1.0],
            "minimum": [1.0],
            "maximum": [1.0],
        }
    ).with_columns(pl.col("time").cast(pl.Datetime("us", "UTC")))
    found = stored_hours(read, [channel("no2", channel_id=7)])
    assert found.select("channel_id", "observed_s").row(0) == (7, 1800)


def test_a_station_of_daily_means_has_limits_and_no_index() -> None:
    day = {"channel_id": 1, "interval_s": 86_400, "value": 60.0}
    long = make(
        LONG_VALUES,
        [day | {"time": utc("2026-01-31 23:00") + n * 24 * HOUR} for n in range(40)],
    )
    quantities = {"pm10_ugm3": empty(ENVIRONMENT_HOURS)}
    air, limits = environment_charts(
        quantities, ENGLISH, zone=BERLIN, long={"pm10_ugm3": long}
    )
    assert air.sentence.startswith("It needs hours")
    assert any("60.0" in str(row) for row in limits.table.rows)
    assert limits.sentence.startswith("1 of 2 limits in force is exceeded")
