"""The map of thousands of sites: work that grows with them, and what is shown."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from dashboards.figures.site_map import MOST_MARKS, Place, site_map
from dashboards.language import Language
from dashboards.states import STATES

DE = Language("de")


def places(number: int, *, towns: int = 1, apart: float = 0.003) -> list[Place]:
    """Sites side by side in squares, one square per town."""
    each = -(-number // towns)
    side = max(1, round(each**0.5))
    return [
        Place(
            name=f"Straße {place}",
            latitude=49.5 + apart * (place % side) + 0.3 * (town % 12),
            longitude=7.5 + apart * (place // side) + 0.3 * (town // 12),
            road=f"Straße {place // 3}",
            town=f"Stadt {town}",
            state=list(STATES)[place % len(STATES)],
            words=("Wort",),
            link=f"/de/towns/stadt-{town}/{place}",
        )
        for town in range(towns)
        for place in range(each)
    ]


def work(run: Callable[[], object]) -> int:
    """Count the lines that are run: the same on every machine."""
    lines = 0

    def count(frame: FrameType, event: str, _: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return count

    sys.settrace(count)
    try:
        run()
    finally:
        sys.settrace(None)
    return lines


@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize(
    ("number", "towns", "apart"),
    [
        (500, 1, 0.003),
        (500, 1, 0.0),
        (500, 50, 0.003),
        (500, 500, 0.003),
    ],
)
def test_twice_the_sites_take_less_than_three_times_the_work(
    number: int, towns: int, apart: float, *, spread: bool
) -> None:
    few = places(number, towns=towns, apart=apart)
    many = places(2 * number, towns=min(2 * towns, number), apart=apart)
    once = work(lambda: site_map(few, DE, spread=spread))
    twice = work(lambda: site_map(many, DE, spread=spread))
    assert twice < 3 * once


@pytest.mark.parametrize("spread", [False, True])
def test_sites_that_cannot_be_told_apart_share_a_mark(*, spread: bool) -> None:
    figure = site_map(places(4000, towns=4), DE, spread=spread)
    marks = [trace for trace in figure["data"] if trace["type"] == "scatter"]
    texts = [text for trace in marks for text in trace["hovertext"]]
    assert len(texts) < 400
    counted = [
        int(text.split(" Messstelle")[0].removeprefix("<b>").replace(".", ""))
        if "Messstelle" in text
        else 1
        for text in texts
    ]
    assert sum(counted) == 4000
    links = {link for trace in marks for link in trace["customdata"]}
    assert {"/de/towns/stadt-0"} <= links


def test_up_to_a_limit_each_site_has_its_mark() -> None:
    figure = site_map(places(MOST_MARKS), DE, spread=True)
    assert sum(len(trace["x"]) for trace in figure["data"]) == MOST_MARKS


def test_names_of_many_sites_are_left_out_where_they_do_not_fit() -> None:
    few, many = (
        [
            text
            for trace in site_map(places(n), DE)["data"]
            if "text" in trace
            for text in trace["text"]
        ]
        for n in (20, 140)
    )
    assert all(few)
    assert 0 < sum(map(bool, many)) < 140


def test_of_many_towns_the_larger_ones_are_named_first() -> None:
    sites = [*places(400, towns=100), *places(300)[-250:]]
    names = site_map(sites, DE, spread=True)["layout"]["annotations"][1:]
    assert 0 < len(names) < 100
    assert names[0]["text"] == "Stadt 0"
