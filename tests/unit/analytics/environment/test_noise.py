"""Noise levels of longer periods."""

from datetime import date
from math import log10

import pytest

from analytics.environment.noise import NOISE_DAYS, noise_months
from tests.frames import make


def test_months_are_averaged_by_energy_over_the_days_that_are_known() -> None:
    days = [
        (date(2026, 1, 30), 60.0),
        (date(2026, 1, 31), 70.0),
        (date(2026, 2, 1), 50),
    ]
    levels = dict.fromkeys(("lday", "levening", "lnight"))
    found = noise_months(
        make(
            NOISE_DAYS,
            [
                {"channel_id": 1, "day": day, "lden": lden, **levels}
                for day, lden in (*days, (date(2026, 2, 2), None))
            ],
        )
    )
    january = 10 * log10((1e6 + 1e7) / 2)
    assert found.select("month", "lden", "days_lden").rows() == [
        (date(2026, 1, 1), pytest.approx(january), 2),
        (date(2026, 2, 1), pytest.approx(50), 1),
    ]
    assert found["lday"].null_count() == 2
