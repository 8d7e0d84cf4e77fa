from datetime import UTC, datetime, timedelta

import polars as pl

from analytics.frames import ENVIRONMENT_HOURS
from dashboards.charts import Chart
from dashboards.environment_charts import environment_charts, stored_hours
from dashboards.language import Language
from tests.unit.dashboards.frames import BERLIN

START = datetime(2026, 3, 2, 5, tzinfo=UTC)
ENGLISH = Language("en")


def hours(value: float, count: int = 48) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "channel_id": 1,
                "time": START + timedelta(hours=n),
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
    assert "moderate, decided by Nitrogen dioxide" in air.sentence
    assert "Ozone" in air.note
    assert "indicative" in air.note
    shares = dict((row[0], row[1]) for row in air.table.rows)
    assert shares["moderate"] == "48"


def test_limit_is_not_called_met_after_two_days() -> None:
    limits = charts(no2_ugm3=hours(45))["limits"]
    assert {row[4] for row in limits.table.rows} == {"cannot be told"}
    assert limits.sentence == "No comparison is above what a year may have."


def test_nothing_is_said_of_limits_where_nothing_was_measured() -> None:
    limits = charts(no2_ugm3=hours(45).clear())["limits"]
    assert limits.sentence == "No data yet in this period."


def test_limit_that_is_exceeded_is_counted_among_all() -> None:
    limits = charts(no2_ugm3=hours(450))["limits"]
    found = [row[4] for row in limits.table.rows]
    many = found.count("not met")
    assert limits.sentence.startswith(f"{many} of {len(found)} comparisons are above")


def test_noise_levels_are_of_energy_and_have_a_gap_where_unknown() -> None:
    noise = charts(laeq_db=hours(60, 24))["noise"]
    assert noise.sentence.startswith(
        "Whole day (Lden) 66.4 dB(A), from 1 day; day 60.0"
    )
    assert noise.table.head[1:] == ("whole day (Lden)", "day", "evening", "night")
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
    found = stored_hours(read, [{"key": "no2", "channel_id": 7}])
    assert found.select("channel_id", "observed_s").row(0) == (7, 1800)
