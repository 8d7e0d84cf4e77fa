from datetime import date

import polars as pl

from analytics.reports.site.reading import busiest


def days(*rows: tuple[int, float | None, float]) -> pl.DataFrame:
    return pl.DataFrame(
        [("all", date(2026, 3, day), 1000.0, *known) for day, *known in rows],
        schema={
            "direction": pl.String,
            "day": pl.Date,
            "volume": pl.Float64,
            "peak_volume": pl.Float64,
            "observed": pl.Float64,
        },
        orient="row",
    )


def test_busiest_day_has_enough_quarter_hours_for_a_peak_hour() -> None:
    """The greatest peak may be that of a day of which half was excluded."""
    found = busiest(days((1, 90, 1), (2, 120, 0.8), (3, 200, 0.62)), date(2026, 3, 3))
    assert found == date(2026, 3, 2)


def test_busiest_day_is_one_with_a_peak_if_any_has() -> None:
    ended = date(2026, 3, 3)
    assert busiest(days((1, 90, 0.5), (2, None, 0.5)), ended) == date(2026, 3, 1)
    assert busiest(days((1, None, 1), (2, None, 1)), ended) == date(2026, 3, 2)
    assert busiest(days(), ended) == ended
