from datetime import date

import pytest

from analytics.passport import Passport
from dashboards import passports
from dashboards.key_figures import Counted, total
from dashboards.language import Language
from tests.unit.dashboards.frames import days

FIRST = date(2026, 3, 2)
ENGLISH = Language("en")


def counted(last: date, ended: date) -> Counted:
    return Counted(
        site={},
        quantity="motor",
        first=FIRST,
        last=last,
        ended=ended,
        days=days(FIRST, [1000, 2000], valid=[True, False]),
    )


def test_day_without_figures_is_missing() -> None:
    passport = counted(date(2026, 3, 5), date(2026, 3, 5)).passport
    assert passport.observed == pytest.approx(0.375)
    assert passport.missing == pytest.approx(0.625)


def test_running_day_is_not_expected() -> None:
    passport = counted(date(2026, 3, 3), date(2026, 3, 2)).passport
    assert passport.observed == 1


def test_sum_says_what_share_is_observed() -> None:
    figure = total(counted(date(2026, 3, 3), date(2026, 3, 3)), 3000, ENGLISH)
    assert (figure.value, figure.unit) == ("3,000", "vehicles")
    assert "75 % observed" in figure.basis.replace("\N{NARROW NO-BREAK SPACE}", " ")


def test_share_is_said_to_be_up_to_yesterday_while_today_runs() -> None:
    figure = total(counted(date(2026, 3, 3), date(2026, 3, 2)), 3000, ENGLISH)
    said = figure.basis.replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert said.endswith("up to yesterday 100 % observed")


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
                method="means-1",
            ),
            ENGLISH,
        )
    )
    assert lines["missing"].startswith("20.0")
    assert lines["days used"] == "3, at least 4 needed"
    assert lines["method"] == "means-1"
