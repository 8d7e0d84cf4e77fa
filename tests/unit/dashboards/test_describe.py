from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from analytics.flow.directions import by_direction
from dashboards import describe, summaries
from dashboards.charts import charts
from tests import registered
from tests.unit.dashboards import frames
from tests.unit.dashboards.frames import BERLIN, period, volumes
from verkehrspuls.cases import Case
from verkehrspuls.language import UNKNOWN_FIGURE, Language

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
        "In total about as much as usual."
    )
    assert _series(DE, usual=None).endswith("(Richtung Mitte).")


def test_empty_series_says_so() -> None:
    shown = period(START, START + HOUR)
    filled = summaries.fill_gaps(volumes(START, [None]), shown, shown.end)
    sentence = describe.series(filled, DE, period=shown, unit="Kfz/h", names={})
    assert sentence == "Noch keine Daten in diesem Zeitraum."


def test_profile_and_week_tell_the_busiest_hour() -> None:
    # Monday to Wednesday
    hours = volumes(START - HOUR, [*range(24), *range(24), *range(24)])
    profile = frames.day_profile(hours)
    assert describe.day_profile(profile, DE, unit="Kfz/h") == (
        "An Werktagen ist 23–24 Uhr die stärkste Stunde, mit 23 Kfz/h."
    )
    assert describe.week(frames.week(hours), EN, unit="veh/h") == (
        "In this period it was busiest on Monday, 23–24 h, with 23 veh/h; quietest on "
        "Monday, 0–1 h, with 0 veh/h."
    )
    weeks = [n % 24 for n in range(3 * 7 * 24)]
    often = frames.week(volumes(START - HOUR, weeks))
    assert describe.week(often, EN, unit="veh/h").startswith(
        "Busiest is Monday, 23–24 h, with 23 veh/h on average; quietest is Monday, 0"
    )


def test_too_few_days_tell_no_usual_day_and_no_busiest_hour() -> None:
    two_days = volumes(START - HOUR, [*range(24), *range(24)])
    profile = frames.day_profile(two_days)
    assert describe.day_profile(profile, EN, unit="veh/h").startswith("Too few days")
    assert describe.week(frames.week(two_days), EN, unit="veh/h").startswith(
        "Too few hours"
    )
    # four hours of a Friday
    friday = volumes(START + timedelta(days=4, hours=18), [1, 2, 9, 3])
    means = frames.workdays(friday)
    sentence = describe.directions(
        means, by_direction(friday), EN, names=[("in", "Centre")]
    )
    assert sentence == "Centre: 100\u202f% of the traffic."


def test_the_first_of_several_equal_peaks_is_named() -> None:
    shown = period(START, START + 4 * HOUR)
    filled = summaries.fill_gaps(volumes(START, [5, 9, 9, 9]), shown, shown.end)
    sentence = describe.series(
        filled, EN, period=shown, unit="veh/h", names={"in": "Centre"}
    )
    assert sentence.startswith(
        "Peak 9 veh/h on Mon, 2 Mar 2026, 02:00, and as much again later (Centre)."
    )


def test_busiest_hour_is_told_of_whole_days_only() -> None:
    # Monday to Wednesday, and the first four hours of Thursday, a holiday
    hours = volumes(START - HOUR, [*range(24), *range(24), *range(28)])
    profile = frames.day_profile(hours, [START.date() + timedelta(days=3)])
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
    means = frames.workdays(frame)
    names = [("in", "Richtung Mitte")]
    counted = by_direction(frame)
    sentence = describe.directions(means, counted, DE, names=names)
    assert sentence == "Noch ist kein Werktag beobachtet."
    chart = charts.directions_chart(means, counted, DE, quantity="motor", names=names)
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
    of_now: dict[str, Any] = {
        "quantity": "water_level_cm",
        "period": period(START, START + 9 * HOUR),
        "now": START + HOUR,
    }
    assert describe.thresholds(frame, DE, thresholds=stages, **of_now).endswith(
        "die niedrigste ist Meldestufe 1 bei 550 cm."
    )
    reached = {"Meldestufe 1": 300.0}
    assert "(300 cm)" in describe.thresholds(frame, DE, thresholds=reached, **of_now)
    shown = period(START, START + HOUR)
    sentence = describe.environment(frame, DE, period=shown, quantity="wind_deg")
    assert sentence.startswith("Zuletzt 327° am")


def test_classes_tell_the_heavy_share() -> None:
    frame = volumes(START, [10], car=[9], truck=[1])
    assert describe.classes(frames.classes(frame), DE, heavy="10,0\u202f%") == (
        "Am häufigsten: Pkw mit 90,0\u202f%. Der Schwerverkehr (Lkw und Busse) macht "
        "10,0\u202f% aus."
    )


def test_the_heavy_share_is_that_of_the_key_figures_or_none() -> None:
    counted = frames.classes(volumes(START, [10], car=[9], truck=[1]))
    sentence = describe.classes(counted, EN, heavy="3.5 %")
    assert sentence.endswith("Heavy traffic (lorries and buses) is 3.5 %.")
    assert "eavy" not in describe.classes(counted, EN, heavy=UNKNOWN_FIGURE)


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
    sentence = describe.environment(
        frame, DE, period=period(START, START + 2 * HOUR), quantity="laeq_db"
    )
    assert sentence.startswith("Energetisches Mittel 67,4 dB(A); lauteste Stunde 70,0")


def _case(reason: str, **more: Any) -> Case:
    usual: dict[str, Any] = {
        "began": START,
        "ended": START + HOUR,
        "observed": 3120.0,
        "usual": 1950.0,
        "direction_name": "Richtung Mitte",
        "detector": "",
        "detectors": [],
    }
    return registered.case(**(usual | more), reason=reason)


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
    sentence = describe.case(_case("odd-thing"), language, zone=BERLIN)
    assert "(odd-thing)" in sentence


def test_case_without_numbers_does_not_invent_them() -> None:
    sentence = describe.case(_case("above-usual", observed=None), EN, zone=BERLIN)
    assert "something unusual (more than usual)" in sentence


@pytest.mark.parametrize(
    ("hours", "ends", "sentence"),
    [
        (2, 9, "Jetzt 238 cm: Keine Schwelle ist erreicht"),
        # old, or the page shows what is past
        (6, 9, "In diesem Zeitraum wurde Stufe 1 (300 cm) erreicht: 327 cm am"),
        (2, 2, "In diesem Zeitraum wurde Stufe 1 (300 cm) erreicht: 327 cm am"),
        (8760, 2, "In diesem Zeitraum wurde Stufe 1 (300 cm) erreicht: 327 cm am"),
    ],
)
def test_now_is_only_what_is_now(hours: int, ends: int, sentence: str) -> None:
    """A gauge that stood at 327 cm, and an hour later at 238 cm."""
    frame = pl.DataFrame(
        {
            "time": [START, START + HOUR],
            "observed": [1.0, 1.0],
            "mean": [327.0, 238.0],
            "local": [START.replace(tzinfo=None)] * 2,
            "fold": ["", ""],
        }
    )
    text = describe.thresholds(
        frame,
        DE,
        quantity="water_level_cm",
        thresholds={"Stufe 1": 300.0, "Stufe 2": 500.0},
        period=period(START, START + ends * HOUR),
        now=START + hours * HOUR,
    )
    assert text.startswith(sentence)
    low = describe.thresholds(
        frame,
        DE,
        quantity="water_level_cm",
        thresholds={"Stufe 1": 400.0},
        period=period(START, START + 2 * HOUR),
        now=START + 99 * HOUR,
    )
    assert low == (
        "In diesem Zeitraum wurde keine Schwelle erreicht, "
        "die niedrigste ist Stufe 1 bei 400 cm."
    )
