from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import polars as pl

from dashboards.charts.charts import Chart
from dashboards.charts.forecast import forecast_chart
from tests.unit.dashboards.frames import BERLIN, volumes
from verkehrspuls.language import Language
from verkehrspuls.storage.estimates import ForecastError

NOW = datetime(2026, 3, 4, 11, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
ENGLISH = Language("en")


def intervals(made_at: datetime) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "interval_s": 3600,
                "time": made_at + n * HOUR,
                "lead_s": 3600 * (n + 1),
                "made_at": made_at,
                "volume": 100.0 + n,
                "low": 90.0,
                "high": 120.0,
                "method": "ratio-1",
            }
            for n in range(24)
        ]
    )


def chart(made_at: datetime, errors: Sequence[ForecastError] = ()) -> Chart:
    hours = volumes(NOW.replace(minute=0) - 11 * HOUR, [100, None, *[300] * 9])
    return forecast_chart(
        intervals(made_at),
        errors,
        hours.select("time", value="volume_normalised"),
        ENGLISH,
        zone=BERLIN,
        quantity="motor",
        now=NOW,
    )


def test_forecast_is_dashed_and_joined_to_what_was_counted() -> None:
    drawn = chart(NOW.replace(minute=0))
    assert drawn.figure
    *_, counted, foretold = drawn.figure["data"]
    assert foretold["line"]["dash"] == "dash"
    assert foretold["y"][:2] == [300, 100]
    assert "dash" not in counted["line"]
    # nothing stands where nothing was counted
    assert counted["y"].count(None) == 2
    assert len(drawn.table.rows) == 24


def test_hours_that_are_over_are_not_foretold() -> None:
    drawn = chart(NOW.replace(minute=0) - 3 * HOUR)
    assert len(drawn.table.rows) == 21
    assert "12–13" in drawn.table.rows[0][0]


def test_what_forecasts_missed_by_is_said() -> None:
    errors = [
        ForecastError(3600, lead, NOW, compared=1, wape=wape, coverage=1.0)
        for lead, wape in ((86_400, 0.2), (3600, 0.08))
    ]
    assert "off by 8\N{NARROW NO-BREAK SPACE}% on" in chart(NOW, errors).sentence


def test_outdated_forecast_is_none() -> None:
    drawn = chart(NOW - 48 * HOUR)
    assert drawn.figure is None
    assert drawn.sentence.startswith("There is no forecast yet")
