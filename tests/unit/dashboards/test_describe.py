from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from dashboards import charts, describe, summaries
from dashboards.language import Language
from tests.unit.dashboards.frames import BERLIN, period, volumes

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
DE, EN = Language("de"), Language("en")


def _series(language: Language, *, usual: float | None) -> str:
    shown = period(START, START + 3 * HOUR)
    frame = volumes(START, [1500, 1912, 1000], usual=usual)
    filled = summaries.fill_gaps(frame, shown, shown.end)
    return describe.series(
        filled, language, period=shown, unit="Kfz/h", names={"in": "Richtung Mitte"}
    )


def test_series_tells_peak_and_comparison() -> None:
    assert _series(DE, usual=1200) == (
        "Spitze 1.912 Kfz/h am Mo, 02.03.2026, 02:00 (Richtung Mitte). "
        "Insgesamt 23\u202f% mehr als üblich."
    )
    assert _series(EN, usual=1470) == (
        "Peak 1,912 Kfz/h on Mon, 2 Mar 2026, 02:00 (Richtung Mitte). "
        "In all about as much as usual."
    )
    assert _series(DE, usual=None).endswith("(Richtung Mitte).")


def test_empty_series_says_so() -> None:
    shown = period(START, START + HOUR)
    filled = summaries.fill_gaps(volumes(START, [None]), shown, shown.end)
    said = describe.series(filled, DE, period=shown, unit="Kfz/h", names={})
    assert said == "Noch keine Daten in diesem Zeitraum."


def test_profile_and_week_tell_the_busiest_hour() -> None:
    hours = summaries.cross_section(volumes(START, list(range(24))), BERLIN)
    profile = summaries.day_profile(hours, ())
    assert describe.day_profile(profile, DE, unit="Kfz/h") == (
        "An Werktagen ist 0–1 Uhr die stärkste Stunde, mit 23 Kfz/h."
    )
    assert describe.week(summaries.week(hours), EN, unit="veh/h") == (
        "Busiest is Tuesday, 0–1 h, with 23 veh/h on average; quietest is Monday, "
        "1–2 h, with 0 veh/h."
    )


def test_busiest_hour_is_told_of_whole_days_only() -> None:
    # Monday, and the first four hours of Tuesday, a holiday
    hours = summaries.cross_section(volumes(START - HOUR, list(range(28))), BERLIN)
    profile = summaries.day_profile(hours, [START.date() + timedelta(days=1)])
    assert describe.day_profile(profile, DE, unit="Kfz/h") == (
        "An Werktagen ist 23–24 Uhr die stärkste Stunde, mit 23 Kfz/h."
    )
    begun = profile.filter(pl.col("hour") < 4)
    assert describe.day_profile(begun, DE, unit="Kfz/h") == (
        "Noch ist kein ganzer Tag beobachtet."
    )


def test_directions_without_a_workday_say_so() -> None:
    saturday = START + timedelta(days=5)
    frame = volumes(saturday, [10, 20])
    means = summaries.by_direction(frame, BERLIN, ())
    names = [("in", "Richtung Mitte")]
    said = describe.directions(means, {"in": 30}, DE, names=names)
    assert said == "Noch ist kein Werktag beobachtet."
    chart = charts.directions_chart(
        frame, DE, zone=BERLIN, quantity="motor", names=names, holidays=()
    )
    assert chart.figure is None


def test_values_of_a_gauge_and_of_the_wind_have_their_unit() -> None:
    frame = pl.DataFrame(
        {
            "time": [START],
            "observed": [1.0],
            "mean": [327.0],
            "local": [START.replace(tzinfo=None)],
            "fold": [""],
        }
    )
    stages = {"Meldestufe 1": 550.0}
    assert describe.thresholds(
        frame, DE, quantity="water_level_cm", thresholds=stages
    ).endswith("die niedrigste ist Meldestufe 1 bei 550 cm.")
    reached = {"Meldestufe 1": 300.0}
    assert "(300 cm)" in describe.thresholds(
        frame, DE, quantity="water_level_cm", thresholds=reached
    )
    shown = period(START, START + HOUR)
    said = describe.environment(frame, DE, period=shown, quantity="wind_deg")
    assert said.startswith("Zuletzt 327° am")


def test_classes_tell_the_heavy_share() -> None:
    frame = volumes(START, [10], car=[9], truck=[1])
    assert describe.classes(summaries.classes(frame), DE) == (
        "Am häufigsten: Pkw mit 90,0\u202f%. Der Schwerverkehr (Lkw und Busse) macht "
        "10,0\u202f% aus."
    )


def test_decibels_are_averaged_by_energy() -> None:
    frame = pl.DataFrame(
        {
            "time": [START, START + HOUR],
            "observed": [1.0, 1.0],
            "mean": [60.0, 70.0],
            "local": [START.replace(tzinfo=None)] * 2,
            "fold": ["", ""],
        }
    )
    said = describe.environment(
        frame, DE, period=period(START, START + 2 * HOUR), quantity="laeq_db"
    )
    assert said.startswith("Energetisches Mittel 67,4 dB(A); lauteste Stunde 70,0")


def _case(reason: str, **more: Any) -> dict[str, Any]:
    return {
        "reason": reason,
        "began": START,
        "ended": START + HOUR,
        "observed": 3120.0,
        "usual": 1950.0,
        "quantity": "motor",
        "direction_name": "Richtung Mitte",
        "channel_name": "1",
        "state": "suspected",
    } | more


def test_cases_are_sentences() -> None:
    assert describe.case(_case("above-usual"), DE, zone=BERLIN) == (
        "Richtung Mitte: mehr als üblich, 3.120 statt 1.950 Kfz, von Mo, 02.03.2026, "
        "01:00 bis Mo, 02.03.2026, 02:00."
    )
    assert describe.case(_case("silent", observed=None), EN, zone=BERLIN) == (
        "Richtung Mitte: no readings, from Mon, 2 Mar 2026, 01:00 to Mon, 2 Mar 2026, "
        "02:00."
    )


@pytest.mark.parametrize("language", [DE, EN])
def test_unknown_reason_is_told_by_its_code(language: Language) -> None:
    said = describe.case(_case("odd-thing"), language, zone=BERLIN)
    assert "(odd-thing)" in said


def test_case_without_numbers_does_not_invent_them() -> None:
    said = describe.case(_case("above-usual", observed=None), EN, zone=BERLIN)
    assert "something unusual (more than usual)" in said
