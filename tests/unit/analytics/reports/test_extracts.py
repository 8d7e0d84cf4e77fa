from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pytest

from analytics.reports import extracts
from analytics.reports.extracts import Bin, Selection
from tests.registered import channel, site
from verkehrspuls.errors import BadParameter, TooLong

NOW = datetime(2026, 3, 8, 12, 7, tzinfo=UTC)
SITE = site(
    "pariser-strasse",
    name="Pariser Straße",
    municipality="kaiserslautern",
    channels=(
        channel(quantity="no2_ugm3"),
        channel(direction="west"),
        channel(direction="ost"),
        channel(direction="ost"),
    ),
)


def select(**given: Any) -> Selection:
    asked: dict[str, Any] = {
        "quantity": None,
        "direction": None,
        "start": None,
        "end": None,
        "bin": "PT1H",
        "now": NOW,
    }
    return extracts.select(SITE, **{**asked, **given})


def volumes(hours: int, *, direction: str = "ost", observed: float = 1.0) -> Any:
    return pl.DataFrame(
        {
            "time": [
                NOW.replace(hour=0, minute=0) + timedelta(hours=n) for n in range(hours)
            ],
            "direction": [direction] * hours,
            "observed": [observed] * hours,
        },
        schema={
            "time": pl.Datetime("us", "UTC"),
            "direction": pl.String,
            "observed": pl.Float64,
        },
    )


def test_default_is_seven_days_to_the_end_of_the_running_interval() -> None:
    selection = select()
    assert selection.quantity == "motor"
    assert selection.period.end == datetime(2026, 3, 8, 13, tzinfo=UTC)
    assert selection.period.end - selection.period.start == timedelta(days=7)


def test_a_date_is_midnight_at_the_site() -> None:
    selection = select(start=date(2026, 3, 1), end=date(2026, 3, 30))
    assert selection.period.start == datetime(2026, 2, 28, 23, tzinfo=UTC)
    # summer time began on the 29th
    assert selection.period.end == datetime(2026, 3, 29, 22, tzinfo=UTC)


def test_days_back_and_the_longest_period_are_by_the_local_clock() -> None:
    # summer time ends on 25 October: that day has 25 hours
    month = select(end=date(2026, 11, 8), days=28).period
    assert month.local_days == (date(2026, 10, 11), date(2026, 11, 7))
    assert month.at_most(28) is month
    with pytest.raises(TooLong, match="at most 27 days"):
        month.at_most(27)


@pytest.mark.parametrize(
    ("given", "parameter", "text"),
    [
        ({"start": date(2026, 3, 9)}, "from", "before"),
        ({"quantity": "bicycle"}, "quantity", "motor, no2_ugm3"),
        ({"direction": "nord"}, "direction", "all, ost, west"),
        ({"quantity": "no2_ugm3", "direction": "all"}, "direction", "leave it out"),
        ({"quantity": "no2_ugm3", "bin": "PT15M"}, "bin", "P1D"),
    ],
)
def test_what_the_site_does_not_have_is_refused(
    given: dict[str, Any], parameter: str, text: str
) -> None:
    with pytest.raises(BadParameter, match=text) as caught:
        select(**given)
    assert caught.value.parameter == parameter


def test_site_without_channels_measures_nothing_yet() -> None:
    with pytest.raises(BadParameter, match="nothing yet"):
        extracts.select(
            site(channels=()),
            quantity=None,
            direction=None,
            start=None,
            end=None,
            bin="PT1H",
            now=NOW,
        )


@pytest.mark.parametrize(("direction", "expected"), [("all", 4), ("ost", 4), (None, 8)])
def test_passport_expects_an_interval_of_each_direction(
    direction: str | None, expected: int
) -> None:
    selection = select(
        direction=direction,
        start=NOW.replace(hour=0, minute=0),
        end=NOW.replace(hour=4, minute=0),
    )
    passport = extracts.passport(
        selection, frame=volumes(3, observed=0.5), cases=[], now=NOW
    )
    assert passport.intervals_expected == expected
    assert passport.intervals_present == 3
    assert passport.observed == pytest.approx(1.5 / expected, abs=1e-4)
    assert passport.imputed == 0


def test_passport_does_not_expect_what_has_not_begun() -> None:
    selection = select(
        direction="all", start=NOW.replace(minute=0), end=NOW + timedelta(days=9)
    )
    frame = volumes(13).filter(pl.col("time") >= selection.period.start)
    passport = extracts.passport(selection, frame=frame, cases=[], now=NOW)
    assert (passport.intervals_expected, passport.observed) == (1, 1.0)


def test_passport_of_the_future_expects_nothing() -> None:
    selection = select(start=date(2030, 1, 1), end=date(2030, 1, 2))
    passport = extracts.passport(selection, frame=volumes(0), cases=[], now=NOW)
    assert passport.intervals_expected == 0


def test_passport_of_days_is_their_mean_and_leaves_today_out() -> None:
    selection = select(
        direction="all", bin="P1D", start=date(2026, 3, 6), end=date(2026, 3, 9)
    )
    frame = pl.DataFrame(
        {
            "day": [date(2026, 3, 6), date(2026, 3, 8)],
            "observed": [0.8, 0.4],
            "normalised": [0.1, 0.0],
            "imputed": [0.0, 0.0],
            "excluded": [0.2, 0.0],
            "method": ["daily-1", "daily-2"],
        }
    )
    passport = extracts.passport(selection, frame=frame, cases=[], now=NOW)
    assert passport.intervals_expected == 2
    assert passport.observed == 0.4
    assert passport.normalised == 0.05
    assert passport.excluded == 0.1
    assert passport.method == "daily-1, daily-2"


@pytest.mark.parametrize(
    ("start", "end", "days"),
    [
        (date(2026, 3, 28), date(2026, 3, 30), (date(2026, 3, 28), date(2026, 3, 29))),
        (
            datetime(2026, 3, 28, 0, tzinfo=UTC),
            datetime(2026, 3, 29, 22, tzinfo=UTC),
            (date(2026, 3, 29), date(2026, 3, 29)),
        ),
        (
            datetime(2026, 3, 28, 1, tzinfo=UTC),
            datetime(2026, 3, 28, 2, tzinfo=UTC),
            (date(2026, 3, 29), date(2026, 3, 28)),
        ),
    ],
)
def test_days_are_those_whose_midnight_is_in_the_period(
    start: date, end: date, days: tuple[date, date]
) -> None:
    assert select(start=start, end=end, bin="P1D").period.local_days == days


@pytest.mark.parametrize("bin", ["PT15M", "PT1H"])
def test_day_of_25_hours_has_25_hours(bin: Bin) -> None:
    selection = select(
        direction="all", bin=bin, start=date(2025, 10, 26), end=date(2025, 10, 27)
    )
    passport = extracts.passport(selection, frame=volumes(0), cases=[], now=NOW)
    assert passport.intervals_expected == 25 * 3600 // extracts.SECONDS[bin]
