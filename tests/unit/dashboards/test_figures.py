import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from typing import Any

import polars as pl
import pytest

from dashboards import summaries
from dashboards.figures.classes import classes
from dashboards.figures.corridor import speed_field
from dashboards.figures.day_profile import day_profile
from dashboards.figures.directions import directions
from dashboards.figures.environment import environment
from dashboards.figures.series import Mark, series
from dashboards.figures.site_map import Place, project, site_map
from dashboards.figures.week import week
from tests.unit.dashboards import frames
from tests.unit.dashboards.frames import days, period, volumes
from verkehrspuls.language import Language

START = datetime(2026, 3, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)
DE = Language("de")
NAMES = [("in", "Richtung <Mitte>")]


def _series(frame: pl.DataFrame, hours: int) -> dict[str, Any]:
    shown = period(START, START + hours * HOUR)
    filled = summaries.fill_gaps(frame, shown, shown.end)
    return series(filled, DE, directions=NAMES, unit="Kfz/h")


def _all_figures() -> list[dict[str, Any]]:
    frame = volumes(START, list(range(200)), usual=90, car=[1] * 200, bus=[2] * 200)
    profile, means = frames.day_profile(frame), frames.workdays(frame)
    return [
        _series(frame, 200),
        day_profile(profile, DE, unit="Kfz/h"),
        week(frames.week(frame), DE, unit="Kfz/h"),
        directions(means, DE, names=NAMES, unit="Kfz/h"),
        classes(frames.classes(frame), DE),
        *(_environment(quantity) for quantity in ("no2_ugm3", "wind_deg")),
        site_map(_places(), DE),
        site_map(_places(), DE, spread=True),
    ]


def _environment(quantity: str) -> dict[str, Any]:
    frame = pl.DataFrame(
        {
            "time": [START, START + 2 * HOUR],
            "channel": ["no2", "no2"],
            "observed": [1.0, 1.0],
            "mean": [20.0, 30.0],
            "minimum": [10.0, 20.0],
            "maximum": [30.0, 40.0],
        },
        schema_overrides={"time": pl.Datetime("us", "UTC")},
    )
    shown = period(START, START + 3 * HOUR)
    filled = summaries.fill_hours(frame, shown, shown.end)
    return environment(filled, DE, quantity=quantity)


def _places() -> list[Place]:
    return [
        Place(
            name=f"Ort {n}",
            latitude=49.4 + n / 500,
            longitude=7.7,
            road="B 37",
            town="Kaiserslautern",
            state="usual",
            words=("wie üblich",),
            link=f"/de/towns/x/{n}",
        )
        for n in range(3)
    ]


def test_gap_is_null_and_not_joined() -> None:
    line = _series(volumes(START, [10, None, 30]), 3)["data"][-1]
    assert line["y"] == [10, None, 30]
    assert line["connectgaps"] is False


def test_repeated_hour_is_labelled() -> None:
    start = datetime(2026, 10, 25, 0, tzinfo=UTC)
    shown = period(start, start + 3 * HOUR)
    filled = summaries.fill_gaps(volumes(start, [1, 2, 3]), shown, shown.end)
    line = series(filled, DE, directions=NAMES, unit="Kfz/h")["data"][-1]
    assert [re.findall(r"\d\d:\d\d(?: [AB])?", text)[0] for text in line["text"]] == [
        "02:00 A",
        "02:00 B",
        "03:00",
    ]
    assert len(set(line["x"])) == 3


def test_each_direction_has_a_panel_with_its_own_band_of_the_usual() -> None:
    frame = pl.concat(
        [
            volumes(START, [1, 2], usual=2),
            volumes(START, [3, 4], direction="out", usual=4),
        ]
    )
    shown = period(START, START + 2 * HOUR)
    filled = summaries.fill_gaps(frame, shown, shown.end)
    names = [("in", "hinein"), ("out", "hinaus")]
    drawn = series(filled, DE, directions=names, unit="Kfz/h")
    assert [trace["yaxis"] for trace in drawn["data"]] == ["y"] * 3 + ["y2"] * 3
    assert drawn["data"][0]["y"] == [0, 0]
    assert drawn["data"][1]["y"] == [12, 12]


def test_day_that_is_not_valid_is_a_gap() -> None:
    frame = days(date(2026, 3, 2), [100, 50, 100], valid=[True, False, True])
    shown = period(
        datetime(2026, 3, 1, 23, tzinfo=UTC),
        datetime(2026, 3, 4, 23, tzinfo=UTC),
        "P1D",
    )
    filled = summaries.fill_days(frame, shown, date(2026, 3, 9))
    line = series(filled, DE, directions=[("all", "")], unit="Kfz/Tag")["data"][-1]
    assert [y is None for y in line["y"]] == [False, True, False]


def test_case_is_marked_with_a_word() -> None:
    shown = period(START, START + 3 * HOUR)
    filled = summaries.fill_gaps(volumes(START, [1, 2, 3]), shown, shown.end)
    mark = Mark(
        began=datetime(2026, 3, 2, 1),  # noqa: DTZ001 - wall time
        ended=datetime(2026, 3, 2, 2),  # noqa: DTZ001 - wall time
        direction="in",
        word="mehr als üblich",
    )
    drawn = series(filled, DE, directions=NAMES, unit="Kfz/h", marks=[mark])
    words = [note["text"] for note in drawn["layout"]["annotations"]]
    assert "mehr als üblich" in words


def test_words_of_cases_do_not_run_into_each_other() -> None:
    shown = period(START, START + 100 * HOUR)
    frame = volumes(START, list(range(100)))
    filled = summaries.fill_gaps(frame, shown, shown.end)
    began = START.replace(tzinfo=None)
    marks = [
        Mark(began + n * HOUR, began + (n + 1) * HOUR, "in", "mehr als üblich")
        for n in (40, 42, 90)
    ]
    drawn = series(filled, DE, directions=NAMES, unit="Kfz/h", marks=marks)["layout"]
    words = [a["x"] for a in drawn["annotations"] if a["text"] == "mehr als üblich"]
    assert words == ["2026-03-03 17:00", "2026-03-05 19:00"]
    bands = [shape for shape in drawn["shapes"] if "y domain" in shape["yref"]]
    assert len(bands) == 3


def test_volumes_start_at_zero() -> None:
    assert _series(volumes(START, [10]), 1)["layout"]["yaxis"]["rangemode"] == "tozero"


def test_names_are_never_markup() -> None:
    for figure in _all_figures():
        assert "<Mitte>" not in json.dumps(figure)


def test_figures_are_plain_json_without_nan() -> None:
    for figure in _all_figures():
        json.dumps(figure, allow_nan=False)


def test_colours_are_tokens_of_the_style_sheet() -> None:
    style = (resources.files("dashboards") / "static" / "style.css").read_text("utf-8")
    for figure in _all_figures():
        text = json.dumps(figure)
        tokens = set(re.findall(r"var\((--[a-z0-9-]+)\)", text))
        assert tokens
        for token in tokens:
            assert re.search(rf"^\s*{token}:", style, re.MULTILINE), token
        assert not re.search(r"#[0-9a-fA-F]{3,6}\b", text)


def test_each_colour_is_defined_once_for_both_themes() -> None:
    style = (resources.files("dashboards") / "static" / "style.css").read_text("utf-8")
    tokens = re.findall(r"^\s*(--[a-z0-9-]+): (.+);$", style, re.MULTILINE)
    assert len(dict(tokens)) == len(tokens)
    for name, value in tokens:
        assert re.fullmatch(r"light-dark\(\S.*, \S.*\)", value), name


def test_map_keeps_angles() -> None:
    x, y = project(0, 1)
    assert x == pytest.approx(111.32, abs=0.01)
    assert y == pytest.approx(0, abs=1e-9)
    assert project(60, 0)[1] == pytest.approx(8399.7, abs=1)
    drawn = site_map(_places(), DE)
    assert drawn["layout"]["yaxis"]["scaleanchor"] == "x"


def test_names_at_the_edges_of_the_map_grow_inwards() -> None:
    towns = [
        replace(_places()[0], town=town, longitude=longitude, link=town)
        for town, longitude in (
            ("Landkreis im fernen Westen", 6.5),
            ("Mitte", 7.5),
            ("Ost", 8.5),
        )
    ]
    drawn = site_map(towns, DE, spread=True)["layout"]
    names = drawn["annotations"][1:]
    # plotly.js does not show what lies beyond the axis
    west, east = drawn["xaxis"]["range"]
    assert all(west < name["x"] < east for name in names)
    assert [(name["text"], name["xanchor"]) for name in names] == [
        ("Landkreis im fernen Westen", "left"),
        ("Mitte", "center"),
        ("Ost", "right"),
    ]


def test_bands_of_weekends_do_not_widen_the_axis() -> None:
    hours = [START + timedelta(days=5, hours=n) for n in range(3)]
    frame = pl.DataFrame(
        {
            "time": hours,
            "observed": 1.0,
            "mean": 20.0,
            "minimum": 10.0,
            "maximum": 30.0,
        },
        schema_overrides={"time": pl.Datetime("us", "UTC")},
    )
    shown = period(hours[0], hours[0] + timedelta(hours=3))
    filled = summaries.fill_hours(frame, shown, shown.end)
    drawn = environment(filled, DE, quantity="no2_ugm3")
    assert drawn["layout"]["shapes"][0]["x1"] > "2026-03-08"
    assert drawn["layout"]["xaxis"]["range"] == [
        "2026-03-07 01:00",
        "2026-03-07 04:00",
    ]


def test_metres_of_a_corridor_have_the_signs_of_the_language() -> None:
    field = pl.DataFrame(
        {"hour": [8.0, 8.0], "chainage_m": [0.0, 3200.0], "speed_kmh": [50.0, 40.0]}
    )
    drawn = speed_field(field, DE, stations=[])["layout"]
    assert (drawn["yaxis"]["tickformat"], drawn["separators"]) == (",", ",.")


def test_marks_of_one_place_are_moved_apart() -> None:
    one = _places()[0]
    drawn = site_map([one, one, one], DE, spread=True)
    marks = drawn["data"][0]
    assert len(set(zip(marks["x"], marks["y"], strict=True))) == 3


def test_sites_of_a_road_are_joined() -> None:
    road = site_map(_places(), DE)["data"][0]
    assert (road["name"], road["mode"], len(road["x"])) == ("B 37", "lines", 3)


def test_week_of_a_period_of_two_days_has_two_rows() -> None:
    means = frames.week(volumes(START, list(range(48))))
    drawn = week(means, DE, unit="Kfz/h", weekdays=[0, 1])
    assert drawn["layout"]["yaxis"]["ticktext"] == ["Mo", "Di"]
    assert len(drawn["data"][0]["z"]) == 2
    assert drawn["layout"]["height"] < 200


def _days_drawn(length: int, marks: list[Mark]) -> dict[str, Any]:
    first = date(2026, 1, 1)
    frame = days(first, [100 + n % 7 for n in range(length)], valid=[True] * length)
    end = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=length)
    shown = period(datetime(2026, 1, 1, tzinfo=UTC), end, bin="P1D")
    filled = summaries.fill_days(frame, shown, end.date())
    return series(
        filled, DE, directions=[("all", "")], unit="Kfz/Tag", marks=marks, height=340
    )


JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
MARK = Mark(JANUARY.replace(day=10), JANUARY.replace(day=12), "all", "nur Nullen")


def test_a_year_has_months_a_mean_of_weeks_and_no_word_over_numbers() -> None:
    drawn = _days_drawn(365, [MARK])
    names = [trace["name"] for trace in drawn["data"]]
    assert "Mittel über 7 Tage" in names
    mean = drawn["data"][names.index("Mittel über 7 Tage")]
    # each week is alike
    assert set(mean["y"][3:-4]) == {113.3}
    assert drawn["layout"]["xaxis"]["tickformat"] == "%b\n%Y"
    assert "nur Nullen" not in json.dumps(drawn["layout"]["annotations"])
    (band,) = [
        shape for shape in drawn["layout"]["shapes"] if "domain" in shape["yref"]
    ]
    assert band["y1"] <= 0.1


def test_words_of_cases_stand_above_the_lines() -> None:
    drawn = _days_drawn(30, [MARK])
    assert "nur Nullen" in json.dumps(drawn["layout"]["annotations"])
    assert drawn["layout"]["yaxis"]["range"][1] >= 106 * 1.1 * 1.25
    assert "range" not in _days_drawn(30, [])["layout"]["yaxis"]
