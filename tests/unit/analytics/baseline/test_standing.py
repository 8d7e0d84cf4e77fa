"""What is more or less than usual, and what is chance."""

from math import exp, lgamma, log

import pytest

from analytics.baseline.standing import standing, unlikely


def probability(count: int, mean: float) -> float:
    """Of a count, by Poisson."""
    return exp(count * log(mean) - mean - lgamma(count + 1))


@pytest.mark.parametrize(
    ("volume", "usual", "observed", "expected"),
    [
        (100, 100, 1, "usual"),
        (76, 100, 1, "usual"),
        (70, 100, 1, "less"),
        (130, 100, 1, "more"),
        (740, 1000, 1, "less"),
        (760, 1000, 1, "usual"),
        # a bicycle path
        (13, 18, 1, "usual"),
        (10, 18, 1, "usual"),
        (24, 18, 1, "usual"),
        (5, 18, 1, "less"),
        (40, 18, 1, "more"),
        # nights stay quiet, and what is out of all proportion does not
        (0, 4, 1, "usual"),
        (9, 4, 1, "usual"),
        (30, 0, 1, "more"),
        # 75 of 80 expected in what was observed
        (75, 100, 0.8, "usual"),
        (40, 100, 0.8, "less"),
        # three quarters of a path: 10 of 13.5
        (10, 18, 0.75, "usual"),
    ],
)
def test_hour_stands_as(
    volume: float, usual: float, observed: float, expected: str
) -> None:
    assert standing(volume, usual, observed) == expected


@pytest.mark.parametrize(("usual", "observed"), [(None, 1.0), (100.0, 0.7), (9.0, 0.0)])
def test_what_cannot_be_compared_stands_nowhere(
    usual: float | None, observed: float
) -> None:
    assert standing(50, usual, observed) is None


@pytest.mark.parametrize("usual", [10, 13, 18, 25, 40, 60, 90, 150])
def test_chance_alone_is_seldom_called_more_or_less(usual: int) -> None:
    called = sum(
        probability(count, usual)
        for count in range(4 * usual)
        if standing(count, usual, 1) != "usual"
    )
    assert called < 0.02


@pytest.mark.parametrize("usual", [18, 60, 300, 2000])
@pytest.mark.parametrize(("share", "expected"), [(0.25, "less"), (2.2, "more")])
def test_what_is_far_from_usual_is_called_so(
    usual: int, share: float, expected: str
) -> None:
    assert standing(round(usual * share), usual, 1) == expected


def test_unlikely_is_as_the_detector_has_it() -> None:
    assert unlikely(0, 100) == pytest.approx(100 / log(10))
    assert unlikely(100, 100) == 0
    assert unlikely(70, 100) == pytest.approx((30 + 70 * log(0.7)) / log(10))
