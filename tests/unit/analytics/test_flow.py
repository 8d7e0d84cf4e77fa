"""Flow figures against small examples that were computed by hand."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from analytics import frames
from analytics.calendar import terms_of
from analytics.flow import aadt as estimators
from analytics.flow import (
    classes,
    design_hour,
    noise,
    parameters,
    peaks,
    profiles,
    service,
)
from analytics.flow.aadt import aadt
from analytics.flow.figure import REASONS, Figure, Reason, Result, ratio, touched_by
from analytics.flow.inputs import flow_bins
from analytics.flow.means import directional_split, means
from tests.frames import HOUR, flow_days, make, utc
from verkehrspuls.classes import COUNTS, HEAVY_CLASSES
from verkehrspuls.errors import BadFile

BERLIN = "Europe/Berlin"
#: Rheinland-Pfalz, 2026
HOLIDAYS = make(
    frames.SCHOOL_HOLIDAYS,
    [
        {"name": "Winter", "first": date(2025, 12, 22), "last": date(2026, 1, 7)},
        {"name": "Ostern", "first": date(2026, 3, 30), "last": date(2026, 4, 10)},
        {"name": "Sommer", "first": date(2026, 6, 29), "last": date(2026, 8, 7)},
        {"name": "Herbst", "first": date(2026, 10, 5), "last": date(2026, 10, 16)},
        {"name": "Winter", "first": date(2026, 12, 23), "last": date(2027, 1, 8)},
    ],
    state="RP",
)
YEAR = date(2026, 1, 1), date(2026, 12, 31)
UNITS = parameters.load().car_units["munich"].units


def days(
    volume: Callable[[date], float | None],
    first: date,
    last: date,
    *,
    heavy: float | None = None,
    valid: Callable[[date], bool] = lambda _: True,
    school_holidays: pl.DataFrame = HOLIDAYS,
) -> pl.DataFrame:
    """FLOW_DAYS from a volume by day; None is a day without a row."""
    rows = [
        {
            "day": day,
            "volume": round(found),
            "volume_normalised": float(found),
            "heavy": heavy,
            "valid": valid(day),
        }
        for day in pl.date_range(first, last, eager=True)
        if (found := volume(day)) is not None
    ]
    read = pl.DataFrame(
        rows,
        schema={
            "day": pl.Date,
            "volume": pl.Int32,
            "volume_normalised": pl.Float64,
            "heavy": pl.Float64,
            "valid": pl.Boolean,
        },
    )
    return flow_days(read, first=first, last=last, school_holidays=school_holidays)


def bins(*rows: Mapping[str, Any], interval_s: int = 3600) -> pl.DataFrame:
    """FLOW_BINS from rows that name a time."""
    columns = ("time", "observed", "volume", *COUNTS, "speed_kmh")
    read = pl.DataFrame(
        [
            {"observed": 1.0} | {name: row[name] for name in columns if name in row}
            for row in rows
        ],
        schema={"time": frames.TIME, **dict.fromkeys(columns[1:], pl.Float64)},
    ).with_columns(
        normalised=1 - pl.col("observed"),
        imputed=0.0,
        excluded=0.0,
        valid=pl.col("observed") >= 0.75,
        volume_normalised=pl.col("volume") / pl.col("observed"),
    )
    return flow_bins(
        read,
        interval_s=interval_s,
        time_zone=BERLIN,
        state="RP",
        school_holidays=HOLIDAYS,
    )


def series(
    start: str, volumes: Sequence[float | None], *, interval_s: int = 3600, **same: Any
) -> pl.DataFrame:
    step = timedelta(seconds=interval_s)
    return bins(
        *(
            {"time": utc(start) + n * step, "volume": volume, **same}
            for n, volume in enumerate(volumes)
            if volume is not None
        ),
        interval_s=interval_s,
    )


def named(result: Result) -> dict[str, Figure]:
    return {figure.name: figure for figure in result.figures}


def reason(figure: Figure) -> str | None:
    return None if figure.reason is None else figure.reason.code


# --- what all figures share


def test_a_figure_has_a_value_or_a_reason() -> None:
    passport = named(means(days(lambda _: 1, *YEAR), unit="Kfz"))["dtv"].passport
    with pytest.raises(ValueError, match="either"):
        Figure(name="x", unit="1", passport=passport)
    assert reason(ratio("x", 1, 0, passport=passport)) == "no-traffic"


@pytest.mark.parametrize("code", REASONS)
def test_reasons_are_said_in_both_languages_with_their_numbers(code: str) -> None:
    facts = (("years", "2031"), ("state", "Bayern"))
    given = Reason(code, 3, 12, (1, 12), facts)
    german, english = (given.text(language) for language in ("de", "en"))
    assert german != english
    for number, place in (("3", "{have}"), ("12", "{need}")):
        asked = place in REASONS[code]
        assert (number in german, number in english) == (asked, asked)


def test_what_touches_figures_is_named_in_each_passport() -> None:
    hour = datetime(2025, 10, 26, tzinfo=UTC)
    touching: dict[str, Any] = {"cases": (7,), "ambiguous_hours": (hour,)}
    of = profiles.year_profile(days(lambda _: 1, *YEAR))
    for name, value in touching.items():
        nothing = dict.fromkeys(touching, ())
        found = touched_by(of, **nothing | {name: value})
        assert found.passport is not None
        assert getattr(found.passport, name) == value


# --- means of day types


def test_means_of_a_year_by_hand() -> None:
    """Every weekday has its own volume: 1000 on Mondays to 7000 on Sundays."""
    found = named(means(days(lambda day: 1000 * day.isoweekday(), *YEAR), unit="Kfz"))
    # 2026 begins and ends on a Thursday: 52 weeks and one Thursday
    assert found["dtv"].value == pytest.approx((52 * 28_000 + 4000) / 365)
    assert found["saturday"].value == 6000
    assert found["dtv_w3"].value == pytest.approx(3000, abs=30)
    assert found["b_fr"].value == pytest.approx(5000 / 3000)
    assert found["b_so"].value == pytest.approx(7000 / 3000)
    assert found["dtv"].passport.days_used == 365
    assert found["dtv"].unit == "Kfz/24 h"


def test_a_year_without_a_month_has_no_dtv_but_a_mean() -> None:
    """April has 13 valid days of 30: two too few."""
    given = days(
        lambda _: 100, *YEAR, valid=lambda day: day.month != 4 or day.day <= 14
    )
    found = named(means(given, unit="Kfz"))
    assert found["dtv"].reason == Reason("less-than-a-year", 11, 12, (4,))
    assert found["dtv"].reason.text("de").endswith("Es fehlen: April.")
    assert reason(found["dtv_w5"]) == reason(found["dtv_w3"]) == "less-than-a-year"
    assert found["mean_day"].value == found["mean_workday"].value == 100
    enough = days(
        lambda _: 100, *YEAR, valid=lambda day: day.month != 4 or day.day <= 15
    )
    assert named(means(enough, unit="Kfz"))["dtv"].value == 100


def test_a_period_of_some_days_of_each_month_is_no_year() -> None:
    """Eleven months, and ten days of December."""
    given = days(lambda _: 100, date(2026, 1, 1), date(2026, 12, 10))
    dtv = named(means(given, unit="Kfz"))["dtv"]
    assert dtv.reason == Reason("less-than-a-year", 11, 12, (12,))


def test_a_holiday_on_a_thursday_counts_as_a_sunday() -> None:
    """Ascension Day 2026 is the 14th of May."""
    week = date(2026, 5, 11), date(2026, 5, 17)
    found = named(means(days(lambda day: day.day, *week), unit="Kfz"))
    assert found["sunday_or_holiday"].value == (14 + 17) / 2
    assert found["mean_tue_thu"].value == (12 + 13) / 2
    assert reason(found["b_fr"]) == "too-few-days"


def test_a_normal_week_is_a_whole_one() -> None:
    """The period ends on a Friday; the day after it is a public holiday."""
    until_friday = days(lambda _: 100, date(2026, 9, 14), date(2026, 10, 2))
    fridays = named(means(until_friday, unit="Kfz"))["b_fr"]
    assert (fridays.value, fridays.passport.days_used) == (1, 2)


def test_missing_days_are_left_out_and_not_zero() -> None:
    weeks = date(2026, 2, 2), date(2026, 2, 15)
    found = named(
        means(days(lambda day: None if day.day == 3 else 100, *weeks), unit="Kfz")
    )
    assert found["mean_day"].value == 100
    assert found["mean_day"].passport.days_used == 13
    assert found["mean_day"].passport.observed == pytest.approx(13 / 14)


@pytest.mark.parametrize(
    ("valid_days", "has"), [(7, True), (6, False)], ids=["half", "less"]
)
def test_the_gate_wants_half_of_the_calendar(valid_days: int, has: bool) -> None:
    given = days(
        lambda _: 100,
        date(2026, 2, 2),
        date(2026, 2, 15),
        valid=lambda day: day.day < 2 + valid_days,
    )
    dtv = named(means(given, unit="Kfz"))["mean_day"]
    assert (dtv.value is not None) is has
    if not has:
        assert dtv.reason == Reason("too-few-days", 6, 7)


def test_one_valid_day_is_too_few() -> None:
    one = date(2026, 2, 3)
    found = named(means(days(lambda _: 100, one, one), unit="Kfz"))
    assert found["dtv"].reason == Reason("too-few-days", 1, 2)


def test_unknown_school_holidays_are_said() -> None:
    found = named(
        means(
            days(
                lambda _: 100,
                *YEAR,
                school_holidays=frames.empty(frames.SCHOOL_HOLIDAYS),
            ),
            unit="Kfz",
        )
    )
    assert found["dtv"].value == 100
    for name in ("dtv_w5", "dtv_w3", "b_fr", "fer"):
        assert reason(found[name]) == "school-holidays-unknown", name


def test_school_holidays_to_come_are_said_not_to_be_published() -> None:
    """The year and the state are named; what is missing in the past is not known."""
    terms = terms_of(HOLIDAYS, "RP")
    assert terms.until is not None
    later = terms.until + timedelta(days=1)
    last = later.replace(year=later.year + 1)
    for first, code in ((later, "unpublished"), (date(2020, 1, 1), "unknown")):
        found = named(means(days(lambda _: 100, first, last), unit="Kfz", terms=terms))[
            "dtv_w5"
        ].reason
        assert found is not None
        assert found.code == f"school-holidays-{code}"
        if code == "unpublished":
            years = f"{later.year}–{last.year}"
            assert dict(found.facts) == {"years": years, "state": "Rheinland-Pfalz"}
            assert found.text("de").startswith(
                f"Die Schulferien {years} in Rheinland-Pfalz sind noch nicht veröff"
            )
            assert f"{years} in Rheinland-Pfalz are not" in found.text("en")


def test_fer_is_workdays_of_the_school_holidays_over_those_outside() -> None:
    def volume(day: date) -> float:
        return 80 if date(2026, 6, 29) <= day <= date(2026, 8, 7) else 100

    found = named(means(days(volume, date(2026, 6, 1), date(2026, 8, 31)), unit="Kfz"))
    assert found["fer"].value == pytest.approx(0.8)


def test_heavy_share_is_a_ratio_of_sums_of_days_that_tell_it() -> None:
    given = days(
        lambda day: 100 * day.day, date(2026, 2, 2), date(2026, 2, 5), heavy=10
    )
    found = named(means(given, unit="Kfz"))
    assert found["heavy_share"].value == pytest.approx(40 / 1400)
    untold = days(lambda _: 100, date(2026, 2, 2), date(2026, 2, 5))
    assert reason(named(means(untold, unit="Kfz"))["heavy_share"]) == "class-scheme"


def test_trap_18_heavy_share_is_not_of_a_volume_scaled_otherwise() -> None:
    """A fifth of a day is missing: lorries and all are scaled to a whole one alike."""
    read = pl.DataFrame(
        {
            "day": [date(2026, 2, 3), date(2026, 2, 4)],
            "volume": [800, 0],
            "volume_normalised": [1000.0, 0.0],
            "heavy": [80, 0],
            "observed": [0.8, 1.0],
        }
    )
    found = flow_days(read, first=date(2026, 2, 3), last=date(2026, 2, 4))
    assert named(means(found, unit="Kfz"))["heavy_share"].value == pytest.approx(0.1)


def test_means_of_half_a_century() -> None:
    """Polars filters long frames in parts, in which a literal has another length."""
    found = named(
        means(days(lambda _: 10, date(1970, 1, 1), date(2026, 1, 1)), unit="Kfz")
    )
    assert found["dtv"].value == 10


def test_directional_split_uses_days_that_are_valid_in_both() -> None:
    span = date(2026, 2, 2), date(2026, 2, 5)
    there = days(lambda day: 100 * day.day, *span, valid=lambda day: day.day != 5)
    back = days(lambda _: 100, *span)
    found = named(directional_split({"in": there, "out": back}))
    assert found["share_in"].value == pytest.approx(900 / 1200)
    assert found["share_out"].value == pytest.approx(300 / 1200)
    alone = named(directional_split({"in": there}))
    assert reason(alone["share_in"]) == "one-direction"


def test_hammer_strasse_2019(data: Path) -> None:
    """2,723,934 bicycles in 365 days, the figure that the city publishes."""
    read = (
        pl.scan_parquet(data / "muenster_bike" / "stations_15min_2019_2026.parquet")
        .filter(pl.col("channel_id") == 100034980, pl.col("ts").dt.year() == 2019)
        .group_by(day=pl.col("ts").dt.date())
        .agg(volume=pl.col("count").cast(pl.Int64).sum())
        .with_columns(volume_normalised="volume")
        .collect()
    )
    given = flow_days(read, first=date(2019, 1, 1), last=date(2019, 12, 31), state="NW")
    dtv = named(means(given, unit="Rad"))["dtv"]
    assert dtv.value == pytest.approx(2_723_934 / 365)
    estimates = named(aadt(given, series("2019-01-01", []), unit="Rad"))
    assert estimates["aadt_mean_of_days"].value == dtv.value
    for name in ("aadt_astm", "aadt_aashto"):
        # the year is complete: another weighting, and nothing to be unsure of
        found = estimates[name]
        assert found.value == pytest.approx(dtv.value, rel=0.01)
        assert found.lower == found.value == found.upper


# --- AADT


def test_estimators_differ_as_their_formulas_say() -> None:
    """January has 100 a day, and only its Mondays are known; else 400, all known."""

    def volume(day: date) -> float | None:
        if day.month == 1:
            return 100 if day.isoweekday() == 1 else None
        return 400

    given = days(volume, *YEAR)
    hours = series("2026-01-01", [])
    found = named(aadt(given, hours, unit="Kfz"))
    assert found["aadt_mean_of_days"].value == (4 * 100 + 334 * 400) / 338
    assert found["aadt_astm"].value == (100 + 11 * 400) / 12
    # only Mondays have twelve months
    assert found["aadt_aashto"].reason == Reason("too-few-weekdays", 1, 7)
    monday = (100 + 11 * 400) / 12
    assert found["aadt_aashto_11"].value == pytest.approx((monday + 6 * 400) / 7)
    assert reason(found["aadt_mean_hours"]) == "too-few-days"


def test_ten_months_are_too_few_for_all_but_the_plain_mean() -> None:
    given = days(lambda day: 100 if day.month <= 10 else None, *YEAR)
    found = named(aadt(given, series("2026-01-01", []), unit="Kfz"))
    assert found["aadt_mean_of_days"].value == 100
    assert found["aadt_astm"].reason == Reason("too-few-months", 10, 12)
    assert found["aadt_astm_11"].reason == Reason("too-few-months", 10, 11)
    assert found["aadt_aashto_11"].reason == Reason("too-few-weekdays", 0, 6)


def test_hourly_estimators_do_without_whole_days() -> None:
    """Each day lacks one hour, another one each day: no day is whole, yet all known."""
    start = utc("2025-12-31 23:00")
    rows = [
        {"time": start + n * HOUR, "volume": float((start + n * HOUR).hour + 1)}
        for n in range(365 * 24)
        if n % 25
    ]
    hours = bins(*rows)
    none_valid = days(lambda _: 276, *YEAR, valid=lambda _: False)
    found = named(aadt(none_valid, hours, unit="Kfz"))
    assert reason(found["aadt_mean_of_days"]) == "too-few-days"
    # local hours move by one in summer, their sum does not
    assert found["aadt_mean_hours"].value == pytest.approx(300, rel=0.01)
    assert found["aadt_aashto_hours_11"].value == pytest.approx(300, rel=0.01)


def test_an_hour_that_is_never_known_is_not_zero() -> None:
    start = utc("2025-12-31 23:00")
    hours = bins(
        *(
            {"time": start + n * HOUR, "volume": 10.0}
            for n in range(365 * 24)
            if (start + n * HOUR).hour != 12
        )
    ).filter(pl.col("hour") != 13)
    found = named(aadt(days(lambda _: None, *YEAR), hours, unit="Kfz"))
    assert found["aadt_mean_hours"].reason == Reason("too-few-hours", 23, 24)
    assert reason(found["aadt_aashto_hours_11"]) == "too-few-weekdays"


def test_the_interval_is_wider_the_more_is_missing_and_the_same_each_time() -> None:
    def volume(day: date) -> float:
        return 1000 + 300 * (day.timetuple().tm_yday % 70) / 70

    hours = series("2026-01-01", [])

    def width(share: int) -> float:
        given = days(volume, *YEAR, valid=lambda day: day.isocalendar()[1] % share == 0)
        one = named(aadt(given, hours, unit="Kfz"))["aadt_mean_of_days"]
        assert one.lower is not None
        assert one.upper is not None
        assert one.value is not None
        assert one.lower < one.value < one.upper
        again = named(aadt(given, hours, unit="Kfz"))["aadt_mean_of_days"]
        assert one == again
        return one.upper - one.lower

    assert width(2) < width(4)


def test_more_than_a_year_has_no_aadt() -> None:
    given = days(lambda _: 1, date(2025, 1, 1), date(2026, 12, 31))
    found = aadt(given, series("2026-01-01", []), unit="Kfz")
    assert {reason(figure) for figure in found.figures} == {"too-long"}
    assert len(found.figures) == len(estimators.ESTIMATORS) == 8


# --- peaks


def test_hours_alone_have_no_peak_hour_but_a_busiest_full_hour() -> None:
    counted = [100.0] * 24
    counted[7] = 300
    hours = series("2026-02-02 23:00", counted)
    found = named(peaks.peaks(hours.clear(), hours, unit="Kfz", expected=96))
    for block in ("day", "morning", "evening"):
        assert reason(found[f"peak_{block}"]) == "needs-quarters"
        assert reason(found[f"phf_{block}"]) == "needs-quarters"
    assert found["clock_hour_day"].value == found["clock_hour_morning"].value == 300
    assert found["clock_hour_evening"].value == 100
    assert found["clock_hour_day"].passport.observed == 1
    # the earliest of several that are equal
    assert found["clock_hour_evening"].at == utc("2026-02-03 14:00")


def test_the_peak_hour_slides_and_phf_is_as_by_hand() -> None:
    """07:15 to 08:15 local has 20 + 40 + 30 + 30; a clock hour has 110 at most."""
    volumes = [0.0] * 96
    volumes[29:33] = [20, 40, 30, 30]
    given = series("2026-02-02 23:00", volumes, interval_s=900)
    found = peaks.peaks(given, unit="Kfz", expected=96)
    day = named(found)["peak_day"]
    assert (day.value, day.at) == (120, utc("2026-02-03 06:15"))
    assert named(found)["phf_day"].value == 120 / (4 * 40)
    assert named(found)["peak_morning"].value == 120
    assert named(found)["peak_evening"].value == 0
    assert reason(named(found)["phf_evening"]) == "no-traffic"


def test_a_peak_hour_lies_within_its_block_and_day() -> None:
    volumes = [0.0] * 192
    # around 10:00, and around midnight
    volumes[38:42] = [50, 50, 90, 90]
    volumes[94:98] = [500, 500, 500, 500]
    given = series("2026-02-02 23:00", volumes, interval_s=900)
    table = peaks.peaks(given, unit="Kfz", expected=192).table
    assert table is not None
    first = table.filter(pl.col("day") == date(2026, 2, 3))
    assert dict(first.select("block", "volume").iter_rows()) == {
        "day": 1000,
        "morning": 100,
        "evening": 0,
    }


def test_the_busiest_full_hour_of_quarter_hours_does_not_slide() -> None:
    volumes = [10.0] * 96
    volumes[29:33] = [50, 50, 50, 50]  # 07:15 to 08:15
    given = series("2026-02-02 23:00", volumes, interval_s=900)
    found = named(peaks.peaks(given, unit="Kfz", expected=96))
    assert found["peak_day"].value == 200
    assert found["clock_hour_day"].value == 160
    assert found["clock_hour_day"].at == utc("2026-02-03 06:00")


@pytest.mark.parametrize("read_hours", [False, True])
def test_a_day_half_excluded_has_neither_peak_nor_full_hour(read_hours: bool) -> None:
    """The second day is the busier one, and known until noon."""
    volumes = [10.0] * 96 + [50.0] * 48 + [None] * 48
    given = series("2026-02-02 23:00", volumes, interval_s=900)
    by_hour = [40.0] * 24 + [200.0] * 12 + [None] * 12
    hours = series("2026-02-02 23:00", by_hour) if read_hours else None
    found = named(peaks.peaks(given, hours, unit="Kfz", expected=192))
    assert found["peak_day"].value == found["clock_hour_day"].value == 40
    # its morning is known
    assert found["peak_morning"].value == found["clock_hour_morning"].value == 200


def test_hours_half_excluded_have_no_busiest_full_hour() -> None:
    hours = series("2026-02-02 23:00", [40.0] * 12 + [None] * 12)
    found = named(peaks.peaks(hours.clear(), hours, unit="Kfz", expected=96))
    assert reason(found["clock_hour_day"]) == "too-few-hours"
    assert found["clock_hour_morning"].value == 40


def test_a_gap_is_no_quiet_quarter_hour() -> None:
    volumes: list[float | None] = [10.0] * 96
    volumes[30] = None
    given = series("2026-02-02 23:00", volumes, interval_s=900)
    table = peaks.peaks(given, unit="Kfz", expected=96).table
    assert table is not None
    assert table["volume"].to_list() == [40, 40, 40]
    none = series("2026-02-02 23:00", [None] * 40 + [10.0] * 56, interval_s=900)
    found = named(peaks.peaks(none, unit="Kfz", expected=96))
    assert reason(found["peak_morning"]) == "too-few-days"


# --- profiles


def test_day_profile_has_a_band_and_local_hours() -> None:
    """Five Tuesdays with 10 to 50 at 08:00 in winter: median 30."""
    found = profiles.day_profile(
        bins(
            *(
                {"time": utc("2026-01-20 07:00") + n * timedelta(weeks=1), "volume": v}
                for n, v in enumerate([10.0, 50, 20, 40, 30])
            )
        ),
        expected=5,
    ).table
    assert found is not None
    row = found.filter(pl.col("day_type") == "dtv_w3").row(0, named=True)
    assert row["hour"] == 8
    assert (row["mean"], row["median"], row["samples"]) == (30, 30, 5)
    assert (row["lower"], row["upper"]) == (10, 50)


def test_three_samples_have_a_mean_and_no_band() -> None:
    found = profiles.week_profile(
        series("2026-02-03 07:00", [10.0]).vstack(series("2026-02-10 07:00", [20.0])),
        expected=2,
    ).table
    assert found is not None
    assert found.row(0, named=True) == {
        "weekday": 2,
        "hour": 8,
        "mean": 15,
        "lower": None,
        "median": None,
        "upper": None,
        "samples": 2,
    }


def test_public_holidays_are_no_usual_weekday() -> None:
    """Ascension Day, a Thursday."""
    found = profiles.week_profile(series("2026-05-14 07:00", [10.0]), expected=1).table
    assert found is not None
    assert found.is_empty()


def test_year_profile_leaves_a_month_with_too_little_open() -> None:
    given = days(
        lambda day: 300 if day.month == 2 else 100,
        date(2026, 1, 1),
        date(2026, 3, 31),
        valid=lambda day: day.month != 3 or day.day < 10,
    )
    found = profiles.year_profile(given).table
    assert found is not None
    assert found["mean"].to_list() == [100, 300, None]
    assert found["relative"].to_list() == [0.5, 1.5, None]
    assert found["samples"].to_list() == [31, 28, 9]


# --- design hour


def year_of_hours(**same: Any) -> pl.DataFrame:
    """A year in which the n-th highest hour has 10,000 - n vehicles."""
    start = utc("2025-12-31 23:00")
    return bins(
        *({"time": start + n * HOUR, "volume": 9999.0 - n, **same} for n in range(8760))
    )


def test_design_hour_by_hand() -> None:
    whole = year_of_hours(**dict.fromkeys(HEAVY_CLASSES, 100.0))
    third = whole.with_columns(pl.col("flow") / 3)
    found = named(
        design_hour.design_hour(
            whole,
            {"in": third, "out": third.with_columns(pl.col("flow") * 2)},
            heavy=classes.summed(classes.GROUPS["heavy"], "tls-8+1"),
            dtv=99_700,
            days=365,
            unit="Kfz",
        )
    )
    assert found["msv_30"].value == 9970
    assert found["msv_30"].at == utc("2025-12-31 23:00") + 29 * HOUR
    assert found["msv_100"].value == 9900
    assert found["k_30"].value == pytest.approx(0.1)
    assert found["d_30"].value == pytest.approx(2 / 3)
    assert found["b_sv_30"].value == pytest.approx(400 / 9970)


def test_equal_hours_do_not_skip_the_thirtieth() -> None:
    flat = year_of_hours().with_columns(flow=pl.lit(100.0))
    found = named(
        design_hour.design_hour(
            flat, {"in": flat}, heavy=None, dtv=2400, days=365, unit="Kfz"
        )
    )
    assert found["msv_30"].value == 100
    assert reason(found["d_30"]) == "one-direction"
    assert reason(found["b_sv_30"]) == "class-scheme"


def test_a_direction_that_is_unknown_in_the_hour_is_not_zero() -> None:
    whole = year_of_hours()
    found = named(
        design_hour.design_hour(
            whole,
            {"in": whole, "out": whole.head(0)},
            heavy=None,
            dtv=None,
            days=365,
            unit="Kfz",
        )
    )
    assert found["d_30"].reason == Reason("too-few-hours", 1, 2)
    assert reason(found["k_30"]) == "no-traffic"


def test_half_a_year_has_no_design_hour() -> None:
    found = design_hour.design_hour(
        year_of_hours().head(4380), {}, heavy=None, dtv=1, days=365, unit="Kfz"
    )
    assert {figure.reason for figure in found.figures} == {
        Reason("too-few-hours", 4380, 7884)
    }


# --- classes

EIGHT = {
    "unclassified": 1,
    "motorcycle": 2,
    "car": 100,
    "van": 10,
    "car_trailer": 3,
    "truck": 5,
    "truck_trailer": 4,
    "articulated": 6,
    "bus": 7,
}


def classified(scheme: str | None, counts: Mapping[str, float], **more: Any) -> Result:
    volume = more.pop("volume", sum(counts.values()))
    return classes.classes(
        bins({"time": utc("2026-02-03 07:00"), "volume": volume, **counts, **more}),
        quantity="motor",
        scheme=scheme,
        units=UNITS,
        unit="Kfz",
        expected=1,
    )


def volumes_of(result: Result) -> dict[str, float]:
    assert result.table is not None
    return dict(result.table.select("name", "volume").iter_rows())


def test_groups_of_eight_classes_by_hand() -> None:
    found = classified("tls-8+1", EIGHT)
    table = volumes_of(found)
    assert (
        table
        | {
            "all": 138,
            "car_group": 112,
            "car_like": 113,
            "lorry_like": 25,
            "road_trains": 10,
            "goods": 15,
            "heavy": 22,
        }
        == table
    )
    assert named(found)["heavy_share"].value == pytest.approx(22 / 138)
    # 1 + 2/2 + 100 + 10 + 3 + 5*2 + 10*4 + 7*3.5
    assert named(found)["car_units"].value == pytest.approx(189.5)


def test_goods_are_never_computed_from_two_classes() -> None:
    for scheme in ("tls-2+1", "length-2"):
        found = classified(scheme, {"car": 113, "truck": 25})
        table = volumes_of(found)
        assert not {"goods", "heavy", "road_trains", "car_trailer"} & set(table)
        assert reason(named(found)["goods_share"]) == "class-scheme"
        assert reason(named(found)["car_units"]) == "class-scheme"
        assert table["lorry_like"] == 25


def test_cars_with_trailer_are_lorry_like_and_not_heavy() -> None:
    table = volumes_of(classified("tls-8+1", EIGHT))
    assert table["lorry_like"] - table["heavy"] == EIGHT["car_trailer"]


def test_five_classes_tell_heavy_but_no_car_units() -> None:
    five = {
        "unclassified": 1,
        "car": 112,
        "car_trailer": 3,
        "truck": 5,
        "truck_trailer": 10,
        "bus": 7,
    }
    found = classified("tls-5+1", five)
    assert volumes_of(found)["heavy"] == 22
    assert volumes_of(found)["goods"] == 15
    # a motorcycle is half a car, and five classes do not tell it from one
    assert reason(named(found)["car_units"]) == "class-scheme"


@pytest.mark.parametrize("scheme", [None, "total"])
def test_without_classes_there_is_the_volume_alone(scheme: str | None) -> None:
    found = classified(scheme, {}, total=50, volume=50)
    assert set(volumes_of(found)) <= {"all", "total"}
    assert reason(named(found)["heavy_share"]) == "class-scheme"


def test_what_classes_do_not_add_up_to_is_kept() -> None:
    found = classified("tls-8+1", EIGHT, total=140, volume=140)
    assert named(found)["difference"].value == 2
    assert volumes_of(found)["all"] == 140
    assert volumes_of(found)["unclassified"] == 1
    assert reason(named(classified("tls-8+1", EIGHT))["difference"]) == "no-total"
    alone = named(classified("total", {"total": 140}))
    assert reason(alone["difference"]) == "class-scheme"


def test_a_class_that_was_not_told_is_null_and_not_zero() -> None:
    found = classified(
        "tls-8+1", {name: n for name, n in EIGHT.items() if name != "bus"}
    )
    assert volumes_of(found)["bus"] is None
    assert volumes_of(found)["heavy"] is None
    assert volumes_of(found)["goods"] == 15


def test_flow_is_per_observed_hour() -> None:
    found = classified("tls-8+1", EIGHT, observed=0.5)
    assert found.table is not None
    assert found.table.filter(pl.col("name") == "all")["flow"].item() == 276


# --- noise


def test_noise_flows_by_hand() -> None:
    """Two days: 100 an hour by day, 10 at night; of these 5 and 1 heavy."""
    start = utc("2026-02-02 23:00")
    rows = []
    for n in range(48):
        by_day = 6 <= n % 24 < 22
        part = {name: 0.0 for name in HEAVY_CLASSES}
        part |= {"truck": 4.0, "articulated": 1.0} if by_day else {"truck": 1.0}
        rows.append(
            {"time": start + n * HOUR, "volume": 100.0 if by_day else 10.0, **part}
        )
    found = named(noise.noise_flows(bins(*rows), scheme="tls-8+1", days=2, unit="Kfz"))
    values = {name: figure.value for name, figure in found.items()}
    assert values["m_t"] == 100
    assert values["m_n"] == 10
    assert (values["p_t"], values["p_n"]) == (0.05, 0.1)
    assert (values["p1_t"], values["p2_t"]) == (0.04, 0.01)
    # a missing night hour does not shift the mean of the others, and is not zero
    holes = bins(*(row for n, row in enumerate(rows) if n != 2))
    two = named(noise.noise_flows(holes, scheme="length-2", days=2, unit="Kfz"))
    assert two["m_n"].reason == Reason("too-few-hours", 7, 8)
    assert reason(two["p_t"]) == "class-scheme"


# --- service


def judged(
    rows: Sequence[Mapping[str, Any]], profile: str = "hbs-like", **more: Any
) -> Result:
    given: dict[str, Any] = {
        "lanes": 1,
        "capacity": None,
        "limit_kmh": 50.0,
        "unit": "Kfz",
        "expected": len(rows),
    }
    return service.service(
        bins(*rows),
        more.pop("histograms", frames.empty(frames.SPEED_HISTOGRAMS)),
        profile=parameters.load().service[profile],
        **{**given, **more},
    )


def test_density_and_use_of_capacity_by_hand() -> None:
    rows = [
        {"time": utc("2026-02-03 07:00"), "volume": 900.0, "speed_kmh": 45.0},
        {"time": utc("2026-02-03 08:00"), "volume": 1800.0, "speed_kmh": 30.0},
    ]
    found = judged(rows)
    assert named(found)["density"].value == 60
    assert named(found)["density"].at == utc("2026-02-03 08:00")
    assert named(found)["utilisation"].value == 1
    assert found.table is not None
    assert dict(found.table.select("level", "hours").iter_rows()) == {
        **dict.fromkeys("ACDF", 0),
        "B": 1,
        "E": 1,
    }
    assert named(found)["level_e_or_f"].value == 0.5
    assert reason(named(found)["speed_index"]) == "no-speeds"
    assert named(judged(rows, lanes=2))["density"].value == 30
    assert named(judged(rows, capacity=3600.0))["utilisation"].value == 0.5


def test_unknown_lanes_give_no_density_and_no_level() -> None:
    rows = [{"time": utc("2026-02-03 07:00"), "volume": 900.0, "speed_kmh": 45.0}]
    found = named(judged(rows, lanes=None))
    for name in ("density", "capacity", "utilisation"):
        assert reason(found[name]) == "lanes-unknown", name
    assert reason(found["level_e_or_f"]) == "too-few-hours"


def test_free_flow_is_of_the_night_and_at_most_the_limit() -> None:
    start = utc("2026-02-02 21:00")
    rows = [
        {
            "time": start + n * HOUR,
            "volume": 100.0,
            "speed_kmh": 60.0 if n < 200 else 20.0,
        }
        for n in range(201)
    ]
    found = named(judged(rows, "hcm-street"))
    assert found["free_flow_speed"].value == 50
    assert found["speed_index"].value == pytest.approx(0.4)
    free = named(judged(rows, "hcm-street", limit_kmh=None))
    assert free["free_flow_speed"].value == 60


def test_space_mean_speed_goes_before_the_sensors_mean() -> None:
    """One lane at 2.5 and one at 7.5 km/h: harmonic 3.75, not 5."""
    histograms = make(
        frames.SPEED_HISTOGRAMS,
        [{"channel_id": n + 1, "counts": [1 - n, n] + [0] * 49} for n in range(2)],
        time=utc("2026-02-03 07:00"),
        observed_s=3600,
        rebinned=0,
        refused=0,
    )
    rows = [{"time": utc("2026-02-03 07:00"), "volume": 15.0, "speed_kmh": 5.0}]
    found = named(judged(rows, histograms=histograms))
    assert found["density"].value == pytest.approx(15 / 3.75)


@pytest.mark.parametrize("text", ["", "[car_units", "[service.x]\nname = 'x'"])
def test_a_bad_file_of_parameters_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "parameters.toml"
    file.write_text(text)
    with pytest.raises(BadFile):
        parameters.load(file)


# --- what hours are


def test_a_quarter_hour_of_which_a_lane_is_missing_is_unknown() -> None:
    read = pl.DataFrame(
        {
            "time": [utc("2026-02-03 07:00"), utc("2026-02-03 07:15")],
            "observed": [0.5, 0.75],
            "normalised": [0.0, 0.25],
            "volume": [10, 30],
            "volume_normalised": [10.0, 40.0],
        }
    ).with_columns(
        **dict.fromkeys((*COUNTS, "speed_kmh", "valid"), pl.lit(None)),
        imputed=0.0,
        excluded=pl.Series([0.5, 0.0]),
    )
    found = flow_bins(
        read.cast({"time": frames.TIME, "valid": pl.Boolean}),
        interval_s=900,
        time_zone=BERLIN,
        state="RP",
        school_holidays=HOLIDAYS,
    )
    assert found["flow"].to_list() == [None, 160]


def test_an_hour_is_scaled_from_three_quarters_on() -> None:
    found = bins(
        {"time": utc("2026-02-03 07:00"), "volume": 75.0, "observed": 0.75},
        {"time": utc("2026-02-03 08:00"), "volume": 70.0, "observed": 0.7},
    )
    assert found["flow"].to_list() == [100, None]


def test_the_hour_that_comes_twice_in_autumn_has_one_number() -> None:
    found = series("2026-10-24 23:00", [1, 2, 3, 4])
    assert found["hour"].to_list() == [1, 2, 2, 3]
