"""Counters of days or hours only, as pages and API tell of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.testclient import TestClient

from dashboards.app import create_web
from tests import parts
from tests.integration.test_analytics import Bench, benched
from tests.parts import as_web
from verkehrspuls.settings import load

#: local midnight of 1 September 2025 in Berlin
FIRST = datetime(2025, 8, 31, 22, tzinfo=UTC)
DAYS = 380
#: ten days of hours
HOURS = datetime(2025, 5, 4, 22, tzinfo=UTC)
OF_HOURS = {"from": "2025-05-05", "to": "2025-05-15"}
DAY = timedelta(days=1)
#: of daily totals, and of hours at the end of them
SITE = "/api/v1/sites/kusel/b420"


def _daily_means(bench: Bench) -> None:
    """Store 20 daily means of NO₂ of 30 µg/m³, the last of 60."""
    channel = bench.channel("no2")
    last = FIRST + 20 * DAY
    with bench.connection.transaction():
        bench.rows("select ensure_range('environment_reading', %s, %s)", FIRST, last)
        for n in range(20):
            bench.connection.execute(
                "insert into environment_reading (channel_id, time, interval_s, "
                "sensor_id, received_at, value) values (%s, %s, 86400, 1, now(), %s)",
                (channel, FIRST + n * DAY, 60 if n == 19 else 30),
            )
            bench.mark(channel, FIRST + n * DAY)


@pytest.fixture(scope="module")
def client(_plain: parts.Databases) -> Iterator[TestClient]:
    with _plain.fresh() as url:
        with benched(url) as bench:
            for n in range(DAYS):
                start = FIRST + n * DAY
                # midnight of the local day in winter
                if start >= datetime(2025, 10, 25, 23, tzinfo=UTC) and (
                    start < datetime(2026, 3, 28, tzinfo=UTC)
                ):
                    start += timedelta(hours=1)
                for key in ("in", "out"):
                    bench.count(
                        [1000 + n % 7],
                        start=start,
                        channel=bench.channel(key),
                        interval_s=86_400,
                    )
            # and once hours only, the last of a day the busiest
            for key in ("in", "out"):
                bench.count(
                    list(range(24)) * 10, start=HOURS, channel=bench.channel(key)
                )
            _daily_means(bench)
            bench.compute(now=FIRST + DAYS * DAY)
        app = create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
        with TestClient(app, raise_server_exceptions=False) as client:
            yield client


def figures(client: TestClient, kind: str, **period: str) -> dict[str, dict[str, Any]]:
    asked = {"from": "2025-09-01", "to": "2026-09-01"} | period
    answer = client.get(f"{SITE}/figures/{kind}", params=asked)
    assert answer.status_code == 200, answer.text
    return {figure["name"]: figure for figure in answer.json()["figures"]}


def test_daily_totals_have_a_dtv_and_an_aadt_by_days(client: TestClient) -> None:
    found = figures(client, "means")
    assert found["dtv"]["value"] == pytest.approx(2006, abs=1)
    assert found["dtv"]["passport"]["days_used"] == 365
    assert found["dtv"]["passport"]["observed"] == pytest.approx(1, abs=0.001)
    by_day = figures(client, "aadt")
    assert by_day["aadt_aashto"]["value"] == pytest.approx(2006, abs=2)
    for name in ("aadt_aashto_hours", "aadt_mean_hours", "aadt_aashto_hours_11"):
        assert by_day[name]["reason"]["code"] == "needs-hours"


@pytest.mark.parametrize(
    "kind",
    ["peaks", "design-hour", "classes", "noise-flows", "day-profile", "week-profile"],
)
def test_what_needs_hours_says_so(client: TestClient, kind: str) -> None:
    codes = {f["reason"]["code"] for f in figures(client, kind).values()}
    assert "needs-hours" in codes
    assert not codes & {"too-few-days", "too-few-hours", "no-traffic"}


def test_days_are_served_with_their_method(client: TestClient) -> None:
    asked = {"bin": "P1D", "direction": "all", "from": "2025-10-25", "to": "2025-10-28"}
    found = client.get(f"{SITE}/series", params=asked).json()
    rows = {row["day"]: row for row in found["rows"]}
    assert list(rows) == ["2025-10-25", "2025-10-26", "2025-10-27"]
    assert all(row["valid"] for row in rows.values())
    # the day of 25 hours
    assert rows["2025-10-26"]["observed"] == 0.96
    assert found["passport"]["method"] == "daily-totals-1"
    hours = client.get(f"{SITE}/series", params=asked | {"bin": "PT1H"}).json()
    assert hours["rows"] == []


def test_the_page_is_by_day_and_promises_no_minute(client: TestClient) -> None:
    page = client.get("/de/towns/kusel/b420?from=2026-08-01&to=2026-09-01").text
    assert "Mittel je Tag" in page
    assert "Nötig sind Stunden" in page
    assert "innerhalb einer Minute" not in page
    assert "passend (Tage)" in page
    assert "Die Kennzahlen gelten für 01.08.2026" in page
    year = client.get("/de/towns/kusel/b420?from=2025-09-01&to=2026-09-01").text
    assert "Tagesverkehr DTV" in year


def test_an_earlier_state_of_knowledge_has_the_totals_too(client: TestClient) -> None:
    found = client.get(
        f"{SITE}/days-as-known",
        params={
            "known_at": "2026-09-20T00:00:00Z",
            "from": "2026-06-01",
            "to": "2026-06-03",
        },
    ).json()
    days = [day for day in found["days"] if day["direction"] == "all"]
    assert [day["valid"] for day in days] == [True, True]
    assert {day["method"] for day in days} == {"daily-totals-1-as-known"}


def test_hours_have_a_busiest_full_hour_and_no_peak_hour(client: TestClient) -> None:
    found = figures(client, "peaks", **OF_HOURS)
    for name in ("peak_day", "phf_day", "peak_evening"):
        assert found[name]["reason"]["code"] == "needs-quarters"
    assert found["clock_hour_day"]["value"] == 46
    assert found["clock_hour_day"]["at"] == "2025-05-05T21:00:00Z"
    assert found["clock_hour_day"]["passport"]["observed"] == 1
    assert found["clock_hour_morning"]["value"] == 18
    means = figures(client, "means", **OF_HOURS)
    assert means["dtv"]["reason"]["code"] == "less-than-a-year"
    assert means["dtv"]["reason"]["months"] == list(range(1, 13))
    assert means["mean_day"]["value"] == 552


def test_the_page_of_hours_names_the_busiest_full_hour(client: TestClient) -> None:
    page = client.get("/en/towns/kusel/b420", params=OF_HOURS).text
    assert "Busiest full hour" in page
    assert "Quarter-hours are needed" in page
    assert "Peak hour factor" not in page
    assert "a DTV applies to a whole year" in page
    assert "and as much again later" in page


def test_daily_means_are_served_by_day_and_compared_with_limits(
    client: TestClient,
) -> None:
    asked = {"quantity": "no2_ugm3", "from": "2025-09-19", "to": "2025-09-23"}
    found = client.get(f"{SITE}/series", params=asked | {"bin": "P1D"}).json()
    assert [(row["day"], row["mean"]) for row in found["rows"]] == [
        ("2025-09-19", 30),
        ("2025-09-20", 60),
    ]
    assert found["passport"]["observed"] == 0.5
    hours = client.get(f"{SITE}/series", params=asked | {"bin": "PT1H"}).json()
    assert hours["rows"] == []
    air = client.get(f"{SITE}/air", params={"from": "2025-09-01", "to": "2025-10-01"})
    of_day = next(
        row
        for row in air.json()["comparison"]
        if (row["standard"], row["average"]) == ("eu-2030", "day")
    )
    assert (of_day["judged"], of_day["exceeded"], of_day["greatest"]) == (20, 1, 60)


def test_the_page_of_daily_means_is_by_day(client: TestClient) -> None:
    asked = {"quantity": "no2_ugm3", "from": "2025-09-01", "to": "2025-09-21"}
    page = client.get("/en/towns/kusel/b420", params=asked).text
    assert "On average 31.5 µg/m³; highest day 60.0 µg/m³ on Sat, 20 Sept 2025." in page
    assert "It needs hours" in page
    assert "bin=P1D" in page
