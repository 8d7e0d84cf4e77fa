"""Hours by class of an air quality index."""

import polars as pl

from analytics.environment.indices import INDEX_HOURS, INDICES, class_hours
from tests.frames import HOUR, make, utc

INDEX = INDICES["uba-2025"]


def test_each_class_has_its_hours_and_their_share() -> None:
    start = utc("2026-03-02 00:00")
    judged = make(
        INDEX_HOURS,
        [
            {
                "time": start + n * HOUR,
                "level": level,
                "decides": "o3_ugm3",
                "missing": [],
            }
            for n, level in enumerate((1, 1, 3, 1))
        ],
    )
    assert class_hours(judged, INDEX).rows() == [
        (0, 0, 0.0),
        (1, 3, 0.75),
        (2, 0, 0.0),
        (3, 1, 0.25),
        (4, 0, 0.0),
    ]


def test_no_hours_are_in_no_class() -> None:
    found = class_hours(pl.DataFrame(schema=dict(INDEX_HOURS)), INDEX)
    assert found["hours"].sum() == 0
    assert found.height == len(INDEX.classes)
