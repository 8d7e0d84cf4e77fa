from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Literal

import pytest

from analytics.flow.figure import Figure
from analytics.quality.passport import Passport, Touching
from analytics.reports.site.counted import Counted
from dashboards import passports
from dashboards.pages.site.key_figures import basis_of, days_text, total
from tests.registered import site
from tests.unit.dashboards.frames import days
from verkehrspuls.calibrations import Calibrated
from verkehrspuls.language import Language

FIRST = date(2026, 3, 2)
ENGLISH = Language("en")


def counted(last: date, ended: date) -> Counted:
    return Counted(
        site=site(),
        quantity="motor",
        first=FIRST,
        last=last,
        ended=ended,
        days=days(FIRST, [1000, 2000], valid=[True, False]),
        total=3000,
    )


def test_day_without_figures_is_missing() -> None:
    passport = counted(date(2026, 3, 5), date(2026, 3, 5)).passport
    assert passport.observed == pytest.approx(0.375)
    assert passport.missing == pytest.approx(0.625)


def test_running_day_is_not_expected() -> None:
    passport = counted(date(2026, 3, 3), date(2026, 3, 2)).passport
    assert passport.observed == 1


def test_sum_says_what_share_is_observed() -> None:
    figure = total(counted(date(2026, 3, 3), date(2026, 3, 3)), ENGLISH)
    assert (figure.value, figure.unit) == ("3,000", "vehicles")
    assert "75 % observed" in figure.basis.replace("\N{NARROW NO-BREAK SPACE}", " ")


def test_sum_is_said_to_be_up_to_yesterday_while_today_runs() -> None:
    figure = total(counted(date(2026, 3, 3), date(2026, 3, 2)), ENGLISH)
    text = figure.basis.replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert text == "counted up to yesterday, not scaled up; 100 % observed"


def test_the_days_of_the_figures_are_said_once() -> None:
    whole = days_text(counted(date(2026, 3, 3), date(2026, 3, 3)), ENGLISH)
    assert "2 Mar 2026 – 3 Mar 2026" in whole
    assert whole.endswith("1 of 2.")
    running = days_text(counted(date(2026, 3, 3), date(2026, 3, 2)), ENGLISH)
    assert running.startswith("The figures cover the days that have ended")
    assert running.endswith("1 of 1.")
    assert days_text(counted(date(2026, 3, 3), date(2026, 3, 1)), ENGLISH) == ""


@pytest.mark.parametrize(
    ("used", "text"),
    [
        (1, "Mittel von 1 Tag, nicht von einer ganzen Woche"),
        (6, "Mittel von 6 Tagen, nicht von einer ganzen Woche"),
        (7, "Mittel von Montag bis Sonntag"),
    ],
)
def test_a_mean_of_some_days_is_none_of_monday_to_sunday(used: int, text: str) -> None:
    passport = Passport(
        observed=1.0,
        normalised=0.0,
        imputed=0.0,
        excluded=0.0,
        method="means-2",
        days_used=used,
    )
    figure = Figure(name="mean_day", unit="Kfz", passport=passport, value=100.0)
    assert basis_of(figure, Language("de")) == text


def test_passport_says_what_is_missing_and_needed() -> None:
    lines = dict(
        passports.lines(
            Passport(
                observed=0.5,
                normalised=0.1,
                imputed=0.1,
                excluded=0.1,
                days_used=3,
                days_required=4,
                method="means-2",
            ),
            ENGLISH,
            zone="Europe/Berlin",
        )
    )
    assert lines["missing"].startswith("20.0")
    assert lines["days used"] == "3, at least 4 needed"
    assert not any("twice" in name for name in lines)
    assert lines["method"] == "means-2"


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ("de", "einwärts seit 02.03.2026 mal 1,050 ± 0,020 (95 %)"),
        ("en", "einwärts since 2 Mar 2026 times 1.050 ± 0.020 (95 %)"),
    ],
)
def test_passport_says_what_counts_were_multiplied_with(
    key: Literal["de", "en"], told: str
) -> None:
    first = Calibrated(
        site="b420",
        channel="in-1",
        name="einwärts",
        since=datetime(2026, 3, 2, 8, tzinfo=UTC),
        until=None,
        factor=1.05,
        uncertainty=0.02,
        source="manual count 7",
    )
    touching: Touching = {"calibrations": (first, replace(first, channel="in-2"))}
    of = replace(counted(date(2026, 3, 3), date(2026, 3, 3)), touching=touching)
    assert told in [value for _, value in total(of, Language(key)).passport]
    both = (first, replace(first, name="auswärts", factor=0.9))
    sentence = passports.calibrated(both, "Europe/Berlin", Language(key))
    assert f": {told}; auswärts " in sentence
    assert passports.calibrated((), "Europe/Berlin", Language(key)) == ""


@pytest.mark.parametrize(
    ("key", "name", "hour"),
    [
        ("de", "doppelt gezeigte Stunde, deren", "So, 26.10.2025, 2–3 Uhr A"),
        ("en", "hour shown twice, with", "Sun, 26 Oct 2025, 2–3 h A"),
    ],
)
def test_passport_names_the_hour_of_which_the_pass_is_not_known(
    key: Literal["de", "en"], name: str, hour: str
) -> None:
    unsure = (datetime(2025, 10, 26, tzinfo=UTC),)
    touching: Touching = {"ambiguous_hours": unsure}
    of = replace(counted(date(2026, 3, 3), date(2026, 3, 3)), touching=touching)
    figure = total(of, Language(key))
    ((label, value),) = [each for each in figure.passport if name in each[0]]
    assert (label[: len(name)], value) == (name, hour)
    ambiguous = passports.ambiguous(unsure, "Europe/Berlin", Language(key))
    assert ambiguous.endswith(f": {hour}.")
    assert passports.ambiguous((), "Europe/Berlin", Language(key)) == ""
