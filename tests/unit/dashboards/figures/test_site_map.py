"""The map of thousands of sites: work that grows with them, and what is shown."""

import math
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, pairwise, starmap
from types import FrameType
from typing import Any

import pytest

from dashboards.figures.site_map import MAX_MARKS, Place, site_map
from dashboards.states import STATES
from verkehrspuls.language import Language

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


#: positions that no other test places
@pytest.mark.parametrize(("spread", "apart"), [(False, 0.0031), (True, 0.0032)])
def test_marks_are_placed_once_while_states_change(
    apart: float, *, spread: bool
) -> None:
    before = places(100, towns=10, apart=apart)
    after = [replace(site, state="none", words=()) for site in before]
    first = work(lambda: site_map(before, DE, spread=spread))
    again = work(lambda: site_map(after, DE, spread=spread))
    assert again < first / 4


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
    figure = site_map(places(MAX_MARKS), DE, spread=True)
    assert sum(len(trace["x"]) for trace in figure["data"]) == MAX_MARKS


def test_names_of_many_sites_are_left_out_where_they_do_not_fit() -> None:
    alone, clump = places(12, towns=12), places(128)
    few, many = (
        [
            text
            for trace in site_map(sites, DE)["data"]
            if "text" in trace
            for text in trace["text"]
        ]
        for sites in (alone, alone + clump)
    )
    assert all(few)
    assert 0 < sum(map(bool, many)) < 140


def test_of_many_towns_the_larger_ones_are_named_first() -> None:
    sites = [*places(400, towns=100), *places(300)[-250:]]
    names = site_map(sites, DE, spread=True)["layout"]["annotations"][1:]
    assert 0 < len(names) < 100
    assert names[0]["text"] == "Stadt 0"


#: in the town that showed names over each other and on the line of the road
KAISERSLAUTERN = (
    ("Barbarossa-Radweg, Gartenschau", "Barbarossa-Radweg", 49.4487, 7.7553),
    ("Berliner Straße, Berliner Brücke", "Nordtangente", 49.4468, 7.7569),
    ("Fackelstraße, Fußgängerzone", "Fackelstraße", 49.4432, 7.7688),
    ("Kaiserstraße, Einsiedlerhof", "Kaiserstraße", 49.4369, 7.6693),
    ("Königstraße", "Königstraße", 49.4406, 7.7594),
    ("Ludwigstraße", "Nordtangente", 49.4477, 7.7738),
    ("Mainzer Straße, Mainzer Tor", "Nordtangente", 49.448, 7.7836),
    ("Pariser Straße, Bahnheim", "Nordtangente", 49.4437, 7.7412),
    ("Umweltstation Einsiedlerhof", "Kaiserstraße", 49.4371, 7.6699),
    ("Umweltstation Rathaus", "Ludwigstraße", 49.4466, 7.769),
)
STEPS = {"top": 1, "bottom": -1, "right": 1, "left": -1}


def on_a_page(part: dict[str, Any], width: int) -> dict[str, Any]:
    """Return what `charts.js` draws of a trace or layout at a width of the map."""
    for other in part.get("meta", ()):
        if width + 16 < other["below"]:
            part = part | other["with"]
    return part


def from_box(
    point: tuple[float, float], box: tuple[float, float, float, float]
) -> float:
    """Return how far a point is from a box."""
    left, low, right, high = box
    (x, y) = point
    return math.hypot(max(left - x, 0, x - right), max(low - y, 0, y - high))


@pytest.mark.parametrize(("width", "named"), [(784, 6), (900, 6), (944, 9), (1008, 9)])
def test_names_cover_neither_each_other_nor_the_road(width: int, named: int) -> None:
    sites = [
        Place(name, latitude, longitude, road, "", "usual", (), "")
        for name, road, latitude, longitude in KAISERSLAUTERN
    ]
    figure = site_map(sites, DE, height=420)
    (left, right) = figure["layout"]["xaxis"]["range"]
    (low, high) = figure["layout"]["yaxis"]["range"]
    km = max((right - left) / width, (high - low) / 404)

    boxes: dict[str, tuple[float, float, float, float]] = {}
    marks: dict[str, tuple[float, float]] = {}
    road: list[tuple[float, float]] = []
    for full in figure["data"]:
        trace = on_a_page(full, width)
        at = [(x / km, y / km) for x, y in zip(trace["x"], trace["y"], strict=True)]
        if trace["mode"] == "lines":
            for (x0, y0), (x1, y1) in pairwise(at):
                road += [
                    (x0 + (x1 - x0) * n / 400, y0 + (y1 - y0) * n / 400)
                    for n in range(401)
                ]
            continue
        for (x, y), text, hover, side in zip(
            at, trace["text"], trace["hovertext"], trace["textposition"], strict=True
        ):
            marks[hover.removeprefix("<b>").removesuffix("</b>")] = x, y
            if not text:
                continue
            north, east = (STEPS.get(word, 0) for word in side.split())
            wide = 3.0 * len(text)
            x += east * (wide + 9)
            y += north * (16 if not east else 14)
            boxes[text] = (x - wide, y - 7, x + wide, y + 7)
    assert len(boxes) == named
    for text, box in boxes.items():
        # nobody takes it for the name of another site
        away = {name: from_box(mark, box) for name, mark in marks.items()}
        assert min(away.values()) == away.pop(text)
        assert min(away.values()) > 9
    for one, other in combinations(boxes.values(), 2):
        beside = one[2] <= other[0] or other[2] <= one[0]
        assert beside or one[3] <= other[1] or other[3] <= one[1]
    for text, (left, low, right, high) in boxes.items():
        # a name may touch its own road; it does not lie along it
        under = [x for x, y in road if left < x < right and low < y < high]
        assert not under or max(under) - min(under) < 25, text


def test_no_site_is_named_on_a_phone() -> None:
    for trace in site_map(places(20), DE)["data"]:
        assert on_a_page(trace, 312)["mode"] in ("markers", "lines")


#: middles of towns, with names that covered each other on a phone
TOWNS = (
    ("Eifelkreis Bitburg-Prüm", 50.0, 6.4),
    ("Kaiserslautern", 49.44, 7.77),
    ("Landkreis Kusel", 49.55, 7.6),
    ("Landkreis Mayen-Koblenz", 50.31, 7.48),
    ("Landkreis St. Wendel", 49.46, 7.2),
    ("Linz am Rhein", 50.57, 7.28),
)


@pytest.mark.parametrize("width", [312, 1008])
def test_names_of_towns_do_not_cover_each_other(width: int) -> None:
    sites = [
        Place(town, latitude, longitude, "", town, "usual", (), "")
        for town, latitude, longitude in TOWNS
    ]
    figure = site_map(sites, DE, spread=True, height=560)["layout"]
    (left, right), (low, high) = (figure[axis]["range"] for axis in ("xaxis", "yaxis"))
    km = max((right - left) / width, (high - low) / 544)
    boxes = []
    for name in on_a_page(figure, width)["annotations"][1:]:
        wide = 3.3 * len(name["text"])
        shift = {"left": wide, "center": 0, "right": -wide}[name["xanchor"]]
        x, y = name["x"] / km + shift, name["y"] / km
        boxes.append((x - wide, y - 6, x + wide, y + 6))
    assert len(boxes) == len(TOWNS)
    for one, other in combinations(boxes, 2):
        beside = one[2] <= other[0] or other[2] <= one[0]
        assert beside or one[3] <= other[1] or other[3] <= one[1]


@pytest.mark.parametrize("spread", [False, True])
@pytest.mark.parametrize("width", [272, 312, 600, 900, 1008])
def test_marks_do_not_cover_each_other(width: int, *, spread: bool) -> None:
    sites = [
        Place(town, latitude + step, longitude, "", town, "usual", (), "")
        for town, latitude, longitude in TOWNS
        for step in (0, 0.002, 0.004, 0.006)
    ]
    figure = site_map(sites, DE, spread=spread, height=560)
    (left, right), (low, high) = (
        figure["layout"][axis]["range"] for axis in ("xaxis", "yaxis")
    )
    km = max((right - left) / width, (high - low) / 544)
    marks = [on_a_page(trace, width) for trace in figure["data"]]
    at = [
        (x / km, y / km)
        for trace in marks
        for x, y in zip(trace["x"], trace["y"], strict=True)
    ]
    assert min(starmap(math.dist, combinations(at, 2))) > 16
