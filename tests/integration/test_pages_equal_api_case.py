"""Every figure that the page of a case shows is the API's."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from starlette.testclient import TestClient

from analytics.flow.series import SPREADS
from dashboards.app import create_web
from tests import parts, shown, world
from tests.cases import open_case
from tests.integration.test_case_standing import finding
from tests.parts import as_web
from verkehrspuls.language import Language
from verkehrspuls.settings import load
from verkehrspuls.storage.database import connect

DE = Language("de")
ZONE = "Europe/Berlin"
EVIDENCE = DE.phrase("What is the evidence?")
COURSE = DE.phrase("What was observed, and what is usual?")


@pytest.fixture(scope="module")
def web(_plain: parts.Databases) -> Iterator[TestClient]:
    with _plain.fresh() as url:
        world.build(url)
        with connect(url) as connection:
            number = open_case(
                connection,
                # the only lane of its direction
                finding("west-1", "above-usual", 8, 11, 1516.0, 6.25),
                finding("ost-1", "above-usual", 9, 12, 970.5, 5.5),
            )
        with TestClient(
            create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
        ) as web:
            web.headers["x-case"] = str(number)
            yield web


@pytest.fixture(scope="module")
def case(web: TestClient) -> dict[str, Any]:
    found = web.get(f"/api/v1/cases/{web.headers['x-case']}")
    assert found.status_code == 200
    return dict(found.json())


@pytest.fixture(scope="module")
def page(web: TestClient) -> str:
    found = web.get(f"/de/cases/{web.headers['x-case']}")
    assert found.status_code == 200
    return found.text


def moment(text: str) -> str:
    return DE.moment(datetime.fromisoformat(text), ZONE)


def test_evidence_is_the_apis(page: str, case: dict[str, Any]) -> None:
    rows = shown.tables(page)[EVIDENCE]
    assert [row[2:7] for row in rows] == [
        [
            f"{shown.german(member['observed'])} Kfz",
            f"{shown.german(member['usual'])} Kfz",
            moment(member["began"]),
            moment(member["ended"]),
            shown.german(member["score"], 1),
        ]
        for member in case["members"]
    ]
    assert len(rows) == 2


def test_times_of_the_case_are_the_apis(page: str, case: dict[str, Any]) -> None:
    for name in ("began", "ended"):
        assert f"<dd>{moment(case[name])}</dd>" in page


def test_course_is_the_series_of_the_api(
    web: TestClient, page: str, case: dict[str, Any]
) -> None:
    course = {row[0]: row[1:] for row in shown.tables(page)[COURSE]}
    series = web.get(
        f"/api/v1/sites/{case['municipality']}/{case['site']}/series",
        params={
            "from": "2026-03-01T00:00:00Z",
            "to": "2026-03-04T00:00:00Z",
            "bin": "PT1H",
            "quantity": "motor",
            "direction": case["direction"],
        },
    ).json()["rows"]
    began, ended = (
        datetime.fromisoformat(case[f"found_{end}"]) for end in ("began", "ended")
    )
    compared = 0
    for row in series:
        time = datetime.fromisoformat(row["time"])
        written = DE.moment(time, ZONE)
        key = f"{written[:2]} {written[4:10]} {written[-5:]}"
        if key not in course:
            continue
        spread = SPREADS * row["usual_spread"]
        assert course[key] == [
            shown.german(row["volume_normalised"]),
            shown.german(row["usual"]),
            shown.german(max(0, row["usual"] - spread)),
            shown.german(row["usual"] + spread),
            "ja" if began <= time < ended else "–",
        ]
        compared += 1
    # a day before, three hours, and all that is known of the day after
    assert compared == len([row for row in course.values() if row[0] != "–"]) > 30
    far = max(
        (row for row in series if began <= datetime.fromisoformat(row["time"]) < ended),
        key=lambda row: abs(row["volume_normalised"] - row["usual"]),
    )
    assert f"{shown.german(far['volume_normalised'])} Kfz/h am " in page
