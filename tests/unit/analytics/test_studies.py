"""Studies: what they find in made data whose truth is known."""

import math
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from analytics.calendar import with_calendar
from analytics.frames import FLOW_DAYS, SCHOOL_HOLIDAYS, of_records
from analytics.studies.before_after import before_after
from analytics.studies.change import student
from analytics.studies.comparison import (
    compare_periods,
    compare_sites,
    rank,
)
from analytics.studies.pairs import YEAR, distance
from analytics.studies.short_count import HOURS, expand
from tests.frames import make, utc
from verkehrspuls.registry.calendar import shipped

FIRST = date(2026, 1, 5)  # a Monday
WEEKS = 24
BEFORE = (FIRST, FIRST + timedelta(weeks=12, days=-1))
AFTER = (FIRST + timedelta(weeks=12), FIRST + timedelta(weeks=24, days=-1))
#: what a weekday carries beside the mean day, Monday first
WEEKDAYS = np.array([1.0, 1.05, 1.05, 1.05, 1.1, 0.8, 0.6])


def site(
    seed: int,
    *,
    effect: float = 0.0,
    town: np.ndarray | None = None,
    own: float = 0.03,
    holiday: date | None = None,
) -> pl.DataFrame:
    """FLOW_DAYS of a site; `town` is what all sites of a town share, by day."""
    dice = np.random.default_rng(seed)
    n = WEEKS * 7
    shared = np.zeros(n) if town is None else town
    logs = np.log(8000 * np.tile(WEEKDAYS, WEEKS)) + shared + dice.normal(0, own, n)
    logs[n // 2 :] += math.log1p(effect)
    days = [FIRST + timedelta(days=i) for i in range(n)]
    return make(
        FLOW_DAYS,
        [
            {
                "day": day,
                "weekday": day.isoweekday(),
                "holiday": day == holiday,
                "volume": float(np.exp(value)),
                "day_type": "workday" if day.isoweekday() < 6 else "weekend",
            }
            for day, value in zip(days, logs, strict=True)
        ],
        valid=True,
        observed=1.0,
        normalised=0.0,
        imputed=0.0,
        excluded=0.0,
        school_holiday=False,
    )


def season(seed: int, spread: float = 0.1) -> np.ndarray:
    """Weather and season of a town, that last for about a week."""
    dice = np.random.default_rng(seed)
    return np.repeat(dice.normal(0, spread, WEEKS), 7)


@pytest.mark.parametrize(
    ("freedom", "expected"), [(4, 2.7764), (6, 2.4469), (10, 2.2281), (30, 2.0423)]
)
def test_student_is_that_of_the_tables(freedom: int, expected: float) -> None:
    assert student(0.975, freedom) == pytest.approx(expected, rel=3e-3)


def test_controls_take_out_what_the_whole_town_did() -> None:
    town = season(1)
    town[WEEKS * 7 // 2 :] -= 0.3  # summer
    found = before_after(
        site(2, effect=0.1, town=town),
        {f"c{n}": site(n, town=town) for n in (3, 4, 5)},
        before=BEFORE,
        after=AFTER,
    )
    assert found.effect.lower is not None
    assert found.effect.upper is not None
    assert found.effect.lower < 0.1 < found.effect.upper
    assert found.effect.clear
    assert found.effect.upper - found.effect.lower < 0.04
    assert found.site.value is not None
    assert found.site.value < -0.1
    assert not found.placebo.clear
    assert found.passport.days_used == WEEKS * 7
    assert set(found.controls) == {"c3", "c4", "c5"}


def test_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    """Days of a week go together: by days alone it would hold in half of the cases."""
    hits = 0
    runs = 120
    for seed in range(runs):
        found = compare_periods(
            site(seed, effect=0.05, town=season(1000 + seed)),
            before=BEFORE,
            after=AFTER,
        )
        assert found.lower is not None
        assert found.upper is not None
        hits += found.lower < 0.05 < found.upper
    assert 0.9 <= hits / runs <= 0.99


def test_detectable_effect_is_found_in_four_of_five() -> None:
    found = 0
    runs = 100
    for seed in range(runs):
        town = season(5000 + seed)
        quiet = compare_periods(site(seed, town=town), before=BEFORE, after=AFTER)
        assert quiet.detectable is not None
        measured = compare_periods(
            site(seed, effect=quiet.detectable, town=town), before=BEFORE, after=AFTER
        )
        found += measured.clear
    assert 0.7 <= found / runs <= 0.9


def test_days_without_a_partner_are_refused_and_counted() -> None:
    """After the measure only weekends were counted: no word of a change."""
    days = site(7)
    weekend_only = days.filter((pl.col("day") < AFTER[0]) | (pl.col("weekday") > 5))
    found = compare_periods(weekend_only, before=BEFORE, after=AFTER)
    assert found.value is None
    assert found.reason is not None
    assert found.reason.code == "too-few-pairs"
    # 12 weekends of 12 weeks, of which nine tenths are needed
    assert (found.reason.have, found.reason.need) == (24, 76)
    assert "24" in found.reason.text("de")


def test_few_weeks_say_nothing_and_why() -> None:
    found = compare_periods(
        site(8), before=BEFORE, after=(AFTER[0], AFTER[0] + timedelta(days=10))
    )
    assert found.value is None
    assert found.reason is not None
    assert (found.reason.code, found.reason.have) == ("too-few-weeks", 2)


def test_days_that_are_not_valid_or_holidays_have_no_say() -> None:
    days = site(9, holiday=FIRST).with_columns(
        valid=pl.col("day") != FIRST + timedelta(days=1)
    )
    wrong = pl.when(pl.col("day") < FIRST + timedelta(days=2)).then(1e6)
    found = compare_periods(
        days.with_columns(volume=wrong.otherwise("volume")), before=BEFORE, after=AFTER
    )
    assert found.days_before == 12 * 7 - 2
    assert found.value == pytest.approx(0, abs=0.03)


def test_placebo_warns_of_a_site_that_was_already_changing() -> None:
    days = site(10)
    growing = days.with_columns(
        volume=pl.col("volume") * (1 + pl.int_range(pl.len()) * 0.004)
    )
    found = before_after(growing, {"c": site(11)}, before=BEFORE, after=AFTER)
    assert found.placebo.clear


def test_periods_that_overlap_by_more_than_a_tenth_are_refused() -> None:
    shared = (BEFORE[0], AFTER[0] + timedelta(days=9))
    found = compare_periods(site(1), before=shared, after=AFTER)
    assert found.days_paired == 84
    later = (BEFORE[0] + timedelta(weeks=2), AFTER[1])
    found = compare_periods(site(1), before=BEFORE, after=later)
    assert found.value is None
    assert found.reason is not None
    assert found.reason.code == "periods-overlap"
    ranking = rank({"a": site(1)}, before=BEFORE, after=later)
    assert ranking["reason"].to_list() == ["periods-overlap"]


def years(
    first: date, last: date, *, state: str = "NW", growth: float = 0.0, seed: int = 1
) -> pl.DataFrame:
    """FLOW_DAYS with seasons, holidays and school holidays, growing at each new year.

    Winter has a third less; public holidays and school holidays have their own level.
    """
    days = pl.select(day=pl.date_range(first, last), state=pl.lit(state))[
        "day", "state"
    ]
    holidays = of_records(shipped(), SCHOOL_HOLIDAYS)
    known = with_calendar(days, school_holidays=holidays).sort("day")
    dice = np.random.default_rng(seed)
    dates = known["day"].to_list()
    season = [
        0.2 * math.cos(2 * math.pi * (d.timetuple().tm_yday - 196) / 365.25)
        for d in dates
    ]
    logs = (
        np.array(season)
        + np.log(8000 * WEEKDAYS[known["weekday"].to_numpy() - 1])
        - 0.6 * known["holiday"].to_numpy()
        - 0.2 * (known["day_type"] == "school_holiday_workday").to_numpy()
        + np.array([math.log1p(growth) * (d.year - first.year) for d in dates])
        + dice.normal(0, 0.03, known.height)
    )
    return make(
        FLOW_DAYS,
        known.select("day", "weekday", "holiday", "day_type", "school_holiday")
        .with_columns(volume=pl.Series(np.exp(logs)))
        .to_dicts(),
        valid=True,
        observed=1.0,
        normalised=0.0,
        imputed=0.0,
        excluded=0.0,
    )


@pytest.mark.parametrize("year", [2021, 2022, 2023, 2024, 2025])
@pytest.mark.parametrize("exact", [True, False], ids=["52 weeks", "calendar years"])
def test_a_calendar_year_is_compared_with_the_year_before(
    year: int, *, exact: bool
) -> None:
    """Years of 365 and 366 days, with week 53, and movable holidays in between."""
    days = years(date(year - 1, 1, 1), date(year, 12, 31), growth=0.05)
    after = (date(year, 1, 1), date(year, 12, 31))
    before = (
        (after[0] - YEAR, after[1] - YEAR)
        if exact
        else (date(year - 1, 1, 1), date(year - 1, 12, 31))
    )
    found = compare_periods(days, before=before, after=after)
    assert found.reason is None
    assert found.value == pytest.approx(0.05, abs=0.01)
    assert found.lower is not None
    assert found.upper is not None
    assert found.upper - found.lower < 0.03
    assert found.days_paired is not None
    assert found.days_unlike is not None
    assert 280 < found.days_paired < 365
    assert found.days_paired + found.days_unlike <= 366


def test_a_year_is_not_set_against_nine_months_without_winter() -> None:
    days = years(date(2024, 3, 1), date(2025, 12, 31))
    after = (date(2025, 1, 1), date(2025, 12, 31))
    before = (after[0] - YEAR, after[1] - YEAR)
    found = compare_periods(days, before=before, after=after)
    assert (found.value, found.lower) == (None, None)
    assert found.reason is not None
    assert found.reason.code == "too-few-pairs"
    # the months that both years have show that nothing changed
    spring = (date(2025, 3, 1), after[1])
    found = compare_periods(
        days, before=(spring[0] - YEAR, spring[1] - YEAR), after=spring
    )
    assert found.value == pytest.approx(0, abs=0.01)


def test_easter_and_its_school_holidays_are_not_compared_with_school_days() -> None:
    """Easter 2024 was in March, Easter 2025 in April: their weeks are unlike."""
    days = years(date(2024, 1, 1), date(2025, 12, 31))
    after = (date(2025, 3, 17), date(2025, 5, 4))
    found = compare_periods(
        days, before=(after[0] - YEAR, after[1] - YEAR), after=after
    )
    assert found.days_unlike is not None
    assert found.days_unlike >= 16
    assert found.value == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(
    ("before", "after", "weeks"),
    [
        # the month before: 28 or 35 days, whichever leaves more partners
        (
            (date(2026, 2, 1), date(2026, 2, 28)),
            (date(2026, 3, 1), date(2026, 3, 31)),
            4,
        ),
        (
            (date(2026, 1, 1), date(2026, 1, 31)),
            (date(2026, 2, 1), date(2026, 2, 28)),
            4,
        ),
        (
            (date(2024, 1, 1), date(2024, 12, 31)),
            (date(2025, 1, 1), date(2025, 12, 31)),
            52,
        ),
        (
            (date(2020, 1, 1), date(2020, 12, 31)),
            (date(2026, 1, 1), date(2026, 12, 31)),
            313,
        ),
        # a later period may be given as the other one
        (
            (date(2026, 3, 2), date(2026, 3, 8)),
            (date(2026, 2, 2), date(2026, 2, 8)),
            -4,
        ),
        # less than a week apart: never a day with itself
        ((date(2026, 3, 2), date(2026, 3, 3)), (date(2026, 3, 4), date(2026, 3, 5)), 1),
    ],
)
def test_a_partner_is_whole_weeks_away(
    before: tuple[date, date], after: tuple[date, date], weeks: int
) -> None:
    assert distance(before, after) == timedelta(weeks=weeks)


def test_sites_are_compared_on_the_same_days() -> None:
    town = season(12)
    one, other = site(13, town=town), site(14, town=town)
    twice = other.with_columns(pl.col("volume") * 2).tail(100)
    found = compare_sites(one, twice)
    assert found.value == pytest.approx(1, abs=0.05)
    assert (found.days_before, found.days_after) == (100, 100)


def test_ranking_is_not_fooled_by_many_sites() -> None:
    sites = {f"s{n:02}": site(100 + n, town=season(200 + n)) for n in range(20)}
    sites["grown"] = site(300, effect=0.5, town=season(301))
    sites["new"] = site(302).tail(20)
    found = rank(sites, before=BEFORE, after=AFTER)
    assert found["site"][0] == "grown"
    assert found.filter("clear")["site"].to_list() == ["grown"]
    assert found["site"][-1] == "new"
    assert found["reason"][-1] == "too-few-pairs"


def test_order_of_days_does_not_matter() -> None:
    days = site(16, effect=0.1)
    mixed = days.sample(fraction=1, shuffle=True, seed=3)
    a, b = (compare_periods(d, before=BEFORE, after=AFTER) for d in (days, mixed))
    assert a.value == pytest.approx(b.value)
    assert a.lower == pytest.approx(b.lower)


#: share of the day by hour
SHAPE = np.array(
    [
        1,
        1,
        1,
        1,
        2,
        5,
        15,
        25,
        20,
        15,
        15,
        16,
        17,
        17,
        18,
        20,
        24,
        25,
        20,
        14,
        9,
        6,
        4,
        2,
    ]
)


def town_of_counters(
    seed: int, count: int, *, site_spread: float, day_spread: float, days: int = 60
) -> tuple[dict[str, pl.DataFrame], dict[str, float]]:
    """Counters whose share of the counted hours differs by site and by day."""
    dice = np.random.default_rng(seed)
    start = utc("2026-03-02 00:00")
    counters, means = {}, {}
    weather = dice.normal(0, 0.15, days)
    for n in range(count):
        dtv = float(dice.uniform(3000, 20000))
        own = dice.normal(0, site_spread)
        rows: list[dict[str, Any]] = []
        for d in range(days):
            shift = own + dice.normal(0, day_spread)
            peak = np.isin(np.arange(24), [7, 8, 9, 16, 17, 18])
            share = SHAPE / SHAPE.sum() * np.exp(np.where(peak, shift, 0))
            volume = dtv * np.exp(weather[d]) * share
            rows += [
                {"time": start + timedelta(days=d, hours=h), "volume": float(volume[h])}
                for h in range(24)
            ]
        frame = make(
            HOURS,
            [
                row | {"day": row["time"].date(), "hour": row["time"].hour}
                for row in rows
            ],
        )
        counters[f"r{n}"] = frame
        means[f"r{n}"] = dtv
    return counters, means


def counted(hours: pl.DataFrame, *days: int) -> pl.DataFrame:
    """2 × 3 hours of some days."""
    first: datetime = hours.select(pl.min("time")).item()
    chosen = [(first + timedelta(days=d)).date() for d in days]
    return hours.filter(
        pl.col("day").is_in(chosen)
        & pl.col("time").dt.hour().is_in([7, 8, 9, 16, 17, 18])
    )


def test_short_count_is_expanded_by_counters_of_the_same_hours() -> None:
    counters, means = town_of_counters(1, 6, site_spread=0, day_spread=0)
    short, truth = counters.pop("r0"), means.pop("r0")
    # it rained that day: everywhere, so that it cancels out
    found = expand(counted(short, 10), counters, means)
    assert found.dtv == pytest.approx(truth, rel=1e-6)
    assert (found.references, found.days_counted, found.more_days) == (5, 1, 0)


def test_interval_of_a_short_count_holds_the_truth() -> None:
    hits = 0
    runs = 40
    for seed in range(runs):
        counters, means = town_of_counters(
            seed, 9, site_spread=0.05, day_spread=0.05, days=30
        )
        short, truth = counters.pop("r0"), means.pop("r0")
        found = expand(counted(short, 8), counters, means)
        assert found.lower is not None
        assert found.upper is not None
        hits += found.lower < truth < found.upper
    assert hits / runs >= 0.85


def test_more_days_help_against_days_but_not_against_sites() -> None:
    counters, means = town_of_counters(5, 8, site_spread=0.001, day_spread=0.06)
    short = counters.pop("r0")
    found = expand(counted(short, 8), counters, means)
    assert found.day_error is not None
    assert found.site_error is not None
    assert found.more_days is not None
    needed = found.more_days + 1
    error = 1.96 * math.sqrt(found.site_error**2 + found.day_error**2 / needed)
    assert (
        error
        <= math.log(1.05)
        < 1.96 * math.sqrt(found.site_error**2 + found.day_error**2 / (needed - 1))
    )
    counters, means = town_of_counters(6, 8, site_spread=0.1, day_spread=0.01)
    assert expand(counted(counters.pop("r0"), 8), counters, means).more_days is None


def test_trap_2_hours_are_the_same_on_the_local_clock_after_it_changed() -> None:
    """Peaks keep their local hours when the clock changes; nothing is unsure here."""
    counters, means = town_of_counters(1, 6, site_spread=0.1, day_spread=0)
    short = counted(counters["r0"], 8)
    sure = expand(short, counters, means)
    summer = pl.col("day") >= date(2026, 3, 29)
    changed = {
        key: hours.with_columns(
            pl.when(summer)
            .then(pl.col("time") - timedelta(hours=1))
            .otherwise("time")
            .alias("time")
        )
        for key, hours in counters.items()
    }
    found = expand(short, changed, means)
    assert found.day_error == pytest.approx(sure.day_error, abs=1e-6)
    assert found.site_error == pytest.approx(sure.site_error, rel=1e-6)


def test_a_short_count_of_zeros_has_nothing_to_expand() -> None:
    counters, means = town_of_counters(7, 5, site_spread=0, day_spread=0)
    none = counted(counters.pop("r0"), 8).with_columns(volume=pl.lit(0.0))
    found = expand(none, counters, means)
    assert found.dtv is None
    assert found.reason is not None
    assert found.reason.code == "no-traffic"


def test_short_count_needs_permanent_counters_and_says_so() -> None:
    counters, means = town_of_counters(7, 3, site_spread=0, day_spread=0)
    short = counted(counters.pop("r0"), 8)
    few = expand(short, counters, means)
    assert few.reason is not None
    assert few.reason.code == "too-few-references"
    counters, means = town_of_counters(7, 5, site_spread=0, day_spread=0)
    elsewhere = short.with_columns(
        pl.col("time") + timedelta(days=1000), pl.col("day") + timedelta(days=1000)
    )
    assert expand(elsewhere, counters, means).dtv is None
