"""The course of a channel around a case, for what each detector judges."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from analytics.cases import evidence
from analytics.detectors import detectors
from analytics.frames import TIME
from tests import registered
from verkehrspuls.cases import Case

BEGAN = datetime(2026, 3, 2, 11, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 1, 23, tzinfo=UTC)
HOUR = timedelta(hours=1)
NOW = BEGAN + timedelta(days=60)


def case(
    detector: str, reason: str, *, quantity: str = "motor", hours: int = 2
) -> Case:
    """A case, as far as it matters here."""
    whole = detector in ("unusual-day", "level-shift", "drift")
    began = MIDNIGHT if whole else BEGAN
    return registered.case(
        detector=detector,
        reason=reason,
        quantity=quantity,
        usual=50.0,
        began=began,
        ended=began + hours * HOUR,
    )


def volumes(start: datetime, hours: int, interval_s: int = 3600) -> pl.DataFrame:
    """Volumes of 100 an hour, half of them usual."""
    step, many = timedelta(seconds=interval_s), hours * 3600 // interval_s
    return pl.DataFrame(
        {
            "time": [start + n * step for n in range(many)],
            "channel_id": 1,
            "interval_s": interval_s,
            "observed_s": interval_s,
            "volume": interval_s // 36,
            "speed_kmh": 47.5,
            "usual": 50.0 if interval_s == 3600 else None,
            "usual_spread": 8.0 if interval_s == 3600 else None,
        },
        schema_overrides={
            "time": TIME,
            "channel_id": pl.Int32,
            "interval_s": pl.Int32,
            "usual": pl.Float32,
            "usual_spread": pl.Float32,
        },
    )


@pytest.mark.parametrize(
    ("found", "measure", "step"),
    [
        (case("unusual-volume", "above-usual"), "volume", "PT1H"),
        (case("unusual-day", "day-below-usual", hours=24), "volume", "P1D"),
        (case("incident", "incident"), "volume", "PT15M"),
        (case("incident", "incident-speed"), "speed", "PT15M"),
        (case("congestion", "congestion"), "speed", "PT15M"),
        (case("spike", "spike"), "volume", "PT15M"),
        (case("spike", "spike", quantity="laeq_db"), "mean", "PT1H"),
        (case("drop-out", "no-traffic"), "volume", "PT15M"),
        (case("drop-out", "no-traffic", hours=48), "volume", "PT1H"),
        (case("stuck", "zeros"), "volume", "PT1H"),
        (case("stuck", "stuck", quantity="no2_ugm3"), "mean", "PT1H"),
        (case("silence", "silent"), "volume", "PT1H"),
        (case("silence", "silent", hours=24 * 30), "volume", "P1D"),
        (case("silence", "silent", quantity="laeq_db", hours=720), "mean", "P1D"),
        (case("device-clock", "device-clock"), "volume", "PT1H"),
        (case("device-battery", "device-battery", hours=720), "volume", "P1D"),
        (case("level-shift", "level-up", hours=72), "volume", "P1D"),
        (case("drift", "drift-down", hours=24), "volume", "P1D"),
        (case("drift", "drift-up", quantity="no2_ugm3", hours=24), "minimum", "P1D"),
        (case("exceedance", "above-limit", quantity="no2_ugm3"), "mean", "PT1H"),
        (case("odd-pair", "noise-without-cars"), "volume", "PT1H"),
        (case("odd-pair", "cars-without-noise", quantity="laeq_db"), "mean", "PT1H"),
    ],
)
def test_each_detector_shows_what_it_judges(
    found: Case, measure: str, step: str
) -> None:
    chosen = evidence.view(found, now=NOW)
    assert (chosen.measure, chosen.step) == (measure, step)
    assert chosen.start < found.found_began
    assert found.found_ended < chosen.end
    intervals = (chosen.end - chosen.start).total_seconds() / (
        86400 if step == "P1D" else evidence.SECONDS[chosen.step]
    )
    assert intervals <= evidence.MAX_INTERVALS + 1


def test_every_detector_is_tried() -> None:
    test = test_each_detector_shows_what_it_judges
    tried = test.pytestmark[0].args[1]  # type: ignore[attr-defined]  # pytest's
    assert {found.detector for found, *_ in tried} == set(detectors())


def test_what_lasts_for_years_is_shown_in_part() -> None:
    chosen = evidence.view(
        case("silence", "silent", hours=24 * 900), now=NOW + timedelta(days=900)
    )
    assert (chosen.end - chosen.start).days <= evidence.MAX_INTERVALS + 1


def test_nothing_is_shown_of_what_is_to_come() -> None:
    now = BEGAN + timedelta(minutes=40)
    chosen = evidence.view(case("incident", "incident"), now=now)
    assert chosen.end == BEGAN + timedelta(minutes=45)


def test_hours_have_the_usual_band_and_gaps_have_rows() -> None:
    found = case("unusual-volume", "above-usual")
    chosen = evidence.view(found, now=NOW)
    known = volumes(chosen.start, 50).filter(pl.col("time") != BEGAN)
    course = evidence.of_volumes(known, chosen, found, [(BEGAN, BEGAN + 2 * HOUR)])
    rows = {row["time"]: row for row in course.to_dicts()}
    assert len(rows) == 50
    assert rows[BEGAN]["observed"] is None
    assert rows[BEGAN + HOUR] == {
        "time": BEGAN + HOUR,
        "observed": 100.0,
        "usual": 50.0,
        "low": 34.0,
        "high": 66.0,
        "found": True,
    }
    assert [time for time, row in rows.items() if row["found"]] == [BEGAN, BEGAN + HOUR]


def test_quarter_hours_are_compared_with_the_hours_around_them() -> None:
    found = case("drop-out", "no-traffic")
    chosen = evidence.view(found, now=NOW)
    known = pl.concat(
        [
            volumes(chosen.start - HOUR, 16),
            volumes(chosen.start, 14, interval_s=900),
        ]
    )
    course = evidence.of_volumes(known, chosen, found, [])
    assert course.height == 14 * 4
    assert set(course["observed"]) == {25.0}
    assert set(course["usual"]) == {12.5}
    assert course["low"].is_between(0, 12.5).all()


def test_days_are_sums_of_hours_of_which_both_is_known() -> None:
    found = case("unusual-day", "day-above-usual", hours=24)
    chosen = evidence.view(found, now=NOW)
    known = volumes(chosen.start, 10 * 24).filter(
        # the second day has too few hours
        ~pl.col("time").is_between(
            chosen.start + timedelta(hours=24), chosen.start + timedelta(hours=30)
        )
    )
    course = evidence.of_volumes(known, chosen, found, [(BEGAN, BEGAN + HOUR)])
    assert course["observed"].to_list()[:3] == [2400.0, None, 2400.0]
    assert course["usual"].to_list()[:3] == [1200.0, None, 1200.0]
    assert course["observed"].null_count() == course.height - 9
    assert course["found"].sum() == 1


def test_values_are_compared_with_one_figure_also_in_gaps() -> None:
    found = case("exceedance", "above-limit", quantity="no2_ugm3")
    chosen = evidence.view(found, now=NOW)
    hours = pl.DataFrame(
        {
            "time": [chosen.start, chosen.start + HOUR],
            "observed_s": [3600, 600],
            "mean": [60.0, 70.0],
        },
        schema_overrides={"time": TIME},
    )
    course = evidence.of_values(hours, chosen, found, [])
    assert course["observed"].to_list()[:3] == [60.0, None, None]
    assert set(course["usual"]) == {50.0}
