import base64
import json
import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.figures.payload import payload


def carried(**trace: Any) -> dict[str, Any]:
    found = json.loads(payload({"data": [trace], "layout": {}}))
    return dict(found["data"][0])


def spread(value: Any) -> Any:
    """What `charts.js` makes of a packed list."""
    if not isinstance(value, dict):
        return value
    if "runs" in value:
        return [one for one, count in value["runs"] for _ in range(count)]
    if "times" in value:
        begin = datetime.fromisoformat("1970-01-01")
        return [
            f"{begin + timedelta(minutes=first + n * step):%Y-%m-%d %H:%M}"
            for first, step, count in value["times"]
            for n in range(count)
        ]
    raw = base64.b64decode(value["numbers"])
    steps = [low + 256 * high for low, high in zip(raw[::2], raw[1::2], strict=True)]
    return [
        None if step == 65535 else value["from"] + step / value["by"] for step in steps
    ]


@given(
    st.lists(
        st.none() | st.integers(-3000, 3000).map(lambda n: n / 10),
        min_size=48,
        max_size=60,
    )
)
def test_numbers_come_out_as_they_were(values: list[float | None]) -> None:
    found = spread(carried(y=values)["y"])
    assert len(found) == len(values)
    for one, other in zip(found, values, strict=True):
        assert (one is None) == (other is None)
        assert other is None or math.isclose(one, other, abs_tol=1e-6)


@pytest.mark.parametrize(
    "values",
    [
        [n % 7 for n in range(60)],
        [12_345_678 + n % 9 for n in range(60)],
        [n * 0.01 for n in range(60)],
    ],
)
def test_numbers_of_the_same_size_are_packed(values: list[float]) -> None:
    packed = carried(y=values)["y"]
    assert "numbers" in packed
    assert spread(packed) == pytest.approx(values)


@pytest.mark.parametrize(
    "values",
    [
        [n * 1000.1 for n in range(90)],
        [n / 3 for n in range(60)],
        [True, False] * 30,
        [[1, 2]] * 60,
        [f"Ort {n}" for n in range(60)],
        [str(n) if n % 2 else n for n in range(60)],
        list(range(20)),
    ],
)
def test_what_cannot_be_packed_stays_as_it_is(values: list[Any]) -> None:
    assert carried(customdata=values)["customdata"] == values


def test_times_are_packed_over_gaps_and_clock_changes() -> None:
    day = datetime.fromisoformat("2026-10-24")
    hours = [day + timedelta(hours=n) for n in range(100) if n not in (30, 70)]
    hours.insert(27, day + timedelta(hours=26, minutes=30))
    written = [f"{hour:%Y-%m-%d %H:%M}" for hour in hours]
    packed = carried(x=written)["x"]
    assert spread(packed) == written
    assert len(json.dumps(packed)) < 300


def test_repeated_values_are_runs_within_attributes_too() -> None:
    sizes = [0] * 50 + [4] * 20
    assert spread(carried(marker={"size": sizes})["marker"]["size"]) == sizes
    texts = [""] * 50 + ["<b>12</b>"] * 20
    assert spread(carried(text=texts)["text"]) == texts
    nothing = [None] * 60
    assert spread(carried(y=nothing)["y"]) == nothing


def test_shapes_that_differ_in_their_times_are_carried_once() -> None:
    common = {"type": "rect", "layer": "below", "line": {"width": 1}}
    shapes = [
        common | {"yref": f"y{n % 2}", "x0": f"2026-03-01 {n:04}", "x1": "2026-03-02"}
        for n in range(60)
    ]
    text = payload({"data": [], "layout": {"height": 3, "shapes": shapes}})
    groups = json.loads(text)["layout"]["shapes"]["alike"]
    found = [
        group["common"] | dict(zip(("x0", "x1"), pair, strict=True))
        for group in groups
        for pair in zip(group["spans"][::2], group["spans"][1::2], strict=True)
    ]
    assert sorted(found, key=lambda shape: shape["x0"]) == shapes
    assert text.count("below") == 2


def test_nothing_in_it_ends_the_element_that_holds_it() -> None:
    text = payload({"data": [{"name": "</script><!--&'"}], "layout": {}})
    assert not set("<>&'") & set(text)
    assert json.loads(text)["data"][0]["name"] == "</script><!--&'"
