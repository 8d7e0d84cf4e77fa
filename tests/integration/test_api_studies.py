"""Studies over HTTP: a street that got a cycle lane, and its neighbours."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from analytics.volumes.daily import METHOD
from tests import parts
from tests.cases import Finding, open_case
from tests.suspicion import ambiguous, hours_of, suspicion
from tests.towns import counter, linz
from verkehrspuls.model import Channel, Site, Town
from verkehrspuls.registry.towns import register
from verkehrspuls.storage.database import Connection, connect

FIRST = date(2026, 1, 5)
MEASURE = FIRST + timedelta(weeks=10)
WEEKS = 28
SITES = ("changed", "one", "two", "three", "four")
CYCLE_PATH = "cycle-path"
#: how many are counted in an hour of a site, with 480 a day
HOUR = 20
TOWN = linz(
    *(
        Site(
            key=key,
            name=key,
            channels=(Channel(key="in", name="in", quantity=quantity, direction="in"),),
        )
        for key, quantity in (
            *((key, "motor") for key in SITES),
            (CYCLE_PATH, "bicycle"),
        )
    ),
    sensors=(counter("s", "s", "one", channels=("in",), interval_s=3600),),
)
#: where nobody counts motor vehicles
CYCLE_TOWN = Town(key="rad", name="Rad", state="RP", sites=TOWN.sites[-1:], sensors=())


@pytest.fixture(scope="module")
def url(_plain: parts.Databases) -> Iterator[str]:
    with _plain.fresh() as url:
        with connect(url) as connection:
            register(connection, TOWN)
            register(connection, CYCLE_TOWN)
            _fill(connection)
            _case(connection)
        yield url


def _fill(connection: Connection) -> None:
    """Days with the weather of the town; a fifth less at one site since the measure."""
    dice = np.random.default_rng(2)
    weather = dice.normal(0, 0.1, WEEKS * 7)
    end = FIRST + timedelta(weeks=WEEKS)
    for name in ("volume", "count_reading", "count_reading_history"):
        connection.execute("select vp.ensure_range(%s, %s, %s)", [name, FIRST, end])
    for site in SITES:
        own = dice.normal(0, 0.03, WEEKS * 7)
        for n in range(WEEKS * 7):
            day = FIRST + timedelta(days=n)
            changed = site == "changed" and day >= MEASURE
            volume = 24 * HOUR * np.exp(weather[n] + own[n]) * (0.8 if changed else 1)
            connection.execute(
                "insert into vp.daily_figure (site_id, quantity, direction, day,"
                " volume, volume_normalised, volume_estimated, expected, observed,"
                " normalised, imputed, excluded, valid, method)"
                " select site_id, 'motor', 'all', %s, %s, %s, %s, 1, 1, 0, 0, 0, true,"
                " %s from vp.site where key = %s",
                [day, round(volume), volume, volume, METHOD, site],
            )
    connection.execute(
        "insert into vp.volume (channel_id, interval_s, time, observed_s, gap_s,"
        " volume, valid)"
        " select c.channel_id, 3600, h, 3600, 0, %s, true"
        " from vp.channel c, generate_series(%s::timestamptz, %s::timestamptz,"
        " '1 hour') h",
        [HOUR, FIRST, end],
    )
    _correct(connection)
    connection.commit()


def _correct(connection: Connection) -> None:
    """24 readings of 10 came at noon, one more at 13 h; at 15 h one became 100."""
    noon = datetime(2026, 2, 3, 12, tzinfo=UTC)
    (channel,) = connection.execute(
        "select channel_id from vp.channel join vp.site s using (site_id)"
        " where s.key = 'one'"
    ).fetchone() or (0,)
    for n in range(25):
        connection.execute(
            "insert into vp.count_reading (channel_id, time, interval_s, sensor_id,"
            " received_at, car) values (%s, %s, 3600, 1, %s, 10)",
            [
                channel,
                # midnight in Berlin; the 25th is of the next day
                datetime(2026, 2, 1, 23, tzinfo=UTC) + timedelta(hours=n),
                noon if n != 5 else noon + timedelta(hours=1),
            ],
        )
    connection.commit()
    connection.execute(
        "update vp.count_reading set car = 100, revision = 1, received_at = %s"
        " where channel_id = %s and time = %s",
        [
            noon + timedelta(hours=3),
            channel,
            datetime(2026, 2, 2, 7, tzinfo=UTC),
        ],
    )
    # the trigger notes when this test ran; it was at 15 h
    connection.execute(
        "update vp.count_reading_history set replaced_at = %s",
        [noon + timedelta(hours=3)],
    )


def _case(connection: Connection) -> None:
    """On the second day, led by `one`; `two` has a part in it."""
    at = datetime(2026, 1, 6, 12, tzinfo=UTC)
    open_case(
        connection,
        *(
            Finding(site, "motor", "below-usual", at, at + timedelta(hours=6))
            for site in ("one", "two")
        ),
    )
    connection.commit()


def ask(client: TestClient, path: str, **query: str | int) -> Any:
    response = client.get(f"/api/v1/{path}", params=query)
    assert response.status_code == 200, response.text
    return response.json()


def test_measure_took_a_fifth_and_controls_sharpen_the_answer(
    client: TestClient,
) -> None:
    found = ask(
        client,
        "sites/linz/changed/before-after",
        measure=str(MEASURE),
        controls="one,two",
    )
    effect, alone = found["effect"], found["without_controls"]
    assert effect["lower"] < -0.2 < effect["upper"] < 0
    assert effect["clear"] is True
    assert effect["upper"] - effect["lower"] < alone["upper"] - alone["lower"]
    assert not found["controls"]["one"]["clear"]
    assert found["passport"]["observed"] == 1


def test_passports_name_the_cases_of_all_sites(client: TestClient) -> None:
    known = {"known_at": "2026-02-03T16:00:00Z"}
    week = {"first": "2026-01-05", "last": "2026-01-11"}
    measure = str(FIRST + timedelta(weeks=4))
    asked: list[tuple[str, dict[str, str], int]] = [
        ("changed/before-after", {"measure": measure}, 0),
        ("changed/before-after", {"measure": measure, "controls": "two"}, 1),
        ("changed/compare", week | {"with_site": "one"}, 1),
        ("changed/compare", week | {"with_site": "three"}, 0),
        (
            "two/compare",
            {"with_" + key: day for key, day in week.items()}
            | {"first": "2026-01-12", "last": "2026-01-18"},
            1,
        ),
        ("two/days-as-known", known | {"from": "2026-01-06", "to": "2026-01-07"}, 1),
        ("two/days-as-known", known | {"from": "2026-01-07", "to": "2026-01-08"}, 0),
    ]
    for path, query, cases in asked:
        found = ask(client, f"sites/linz/{path}", **query)
        assert len(found["passport"]["cases"]) == cases, (path, query)
    ranking = ask(client, "municipalities/linz/ranking", middle=measure)["sites"]
    touched = {row["site"] for row in ranking if row["passport"]["cases"]}
    assert touched == {"one", "two"}


@pytest.mark.parametrize(
    ("study", "query"),
    [
        ("compare", {"first": "2026-02-02", "last": "2026-02-08"}),
        ("before-after", {"measure": str(MEASURE)}),
        ("days-as-known", {"known_at": "2026-02-03T16:00:00Z"}),
    ],
)
def test_a_study_is_of_what_the_site_counts(
    client: TestClient, study: str, query: dict[str, str]
) -> None:
    path = f"sites/linz/{CYCLE_PATH}/{study}"
    assert ask(client, path, **query)["quantity"] == "bicycle"
    assert ask(client, f"sites/linz/one/{study}", **query)["quantity"] == "motor"
    refused = client.get(f"/api/v1/{path}", params=query | {"quantity": "motor"})
    assert refused.status_code == 422
    assert "The site measures bicycle, not motor" in refused.text


def test_a_ranking_is_of_what_the_town_counts(client: TestClient) -> None:
    found = ask(client, "municipalities/rad/ranking", middle=str(MEASURE))
    assert (found["quantity"], found["counting"]) == ("bicycle", 1)


def test_sites_that_count_nothing_in_common_are_not_compared(
    client: TestClient,
) -> None:
    week = {"first": "2026-02-02", "last": "2026-02-08"}
    path = f"/api/v1/sites/linz/{CYCLE_PATH}/compare"
    refused = client.get(path, params=week | {"with_site": "one"})
    assert refused.status_code == 422
    assert "All of the sites measure nothing" in refused.text


def test_few_weeks_have_a_reason_in_both_languages(client: TestClient) -> None:
    path = "sites/linz/changed/before-after"
    reason = ask(client, path, measure=str(MEASURE), weeks=2)["effect"]["reason"]
    assert reason["code"] == "too-few-weeks"
    assert reason["text"]["de"] == "Wochen: 2; nötig sind mindestens 3."


def test_ranking_begins_with_the_greatest_rise(client: TestClient) -> None:
    found = ask(client, "municipalities/linz/ranking", middle=str(MEASURE))["sites"]
    assert len(found) == len(SITES)
    assert found[-1]["site"] == "changed"
    assert [row["change"] for row in found] == sorted(
        (row["change"] for row in found), reverse=True
    )


def test_sites_and_periods_are_compared(client: TestClient) -> None:
    last = str(MEASURE + timedelta(weeks=8))
    sites = ask(
        client,
        "sites/linz/changed/compare",
        first=str(MEASURE),
        last=last,
        with_site="one",
    )
    assert sites["change"]["value"] == pytest.approx(-0.2, abs=0.02)
    periods = ask(
        client,
        "sites/linz/changed/compare",
        first=str(MEASURE),
        last=last,
        with_first=str(FIRST),
        with_last=str(MEASURE - timedelta(days=1)),
    )
    # the weeks around Easter are left out: their partners are school days
    assert periods["change"]["reason"] is None
    assert periods["change"]["lower"] < -0.2 < periods["change"]["upper"]
    assert 8 <= periods["change"]["days_unlike"] <= 20
    together = periods["change"]["days_paired"] + periods["change"]["days_unlike"]
    assert together == 57


def test_a_year_is_compared_with_the_same_weeks_of_the_year_before(
    client: TestClient,
) -> None:
    """There is no year before here: the days lack partners, and that is told."""
    path = "sites/linz/one/compare"
    found = ask(client, path, first="2026-01-05", last="2026-07-19")["change"]
    assert (found["value"], found["days_paired"]) == (None, 0)
    assert found["reason"]["code"] == "too-few-pairs"
    assert "0; nötig sind mindestens 1" in found["reason"]["text"]["de"]


def test_short_count_is_expanded_by_the_other_counters(client: TestClient) -> None:
    hours = [
        {"time": f"2026-07-14T{hour:02}:00:00Z", "volume": 2 * HOUR}
        for hour in (6, 7, 8, 15, 16, 17)
    ]
    path = "/api/v1/municipalities/linz/short-count"
    response = client.post(path, json={"hours": hours})
    assert response.status_code == 200, response.text
    found = response.json()
    assert found["references"] == len(SITES)
    assert found["dtv"] == pytest.approx(2 * 24 * HOUR, rel=0.1)
    assert found["lower"] < found["dtv"] < found["upper"]
    passport = found["passport"]
    days = (date(2026, 7, 14) - FIRST).days + 1
    assert passport["days_used"] == len(SITES) * days
    assert passport["observed"] == pytest.approx(days / 365)
    assert len(passport["cases"]) == 1
    cycles = client.post(path, json={"hours": hours, "quantity": "bicycle"}).json()
    assert cycles["reason"]["code"] == "too-few-references"


def test_short_count_is_told_without_frozen_counters_as_well(
    client: TestClient, url: str
) -> None:
    """One of five counters is frozen on the day counted: four expand it."""
    hours = [
        {"time": f"2026-07-14T{hour:02}:00:00Z", "volume": 2 * HOUR}
        for hour in (6, 7, 8)
    ]

    def count() -> Any:
        path = "/api/v1/municipalities/linz/short-count"
        return client.post(path, json={"hours": hours}).json()

    plain = count()
    assert plain["without_suspected"] is None
    began = datetime(2026, 7, 14, 5, tzinfo=UTC)
    with suspicion(url, "four", "motor", began, began + timedelta(hours=6)) as decide:
        found = count()
        assert (found["dtv"], found["references"]) == (plain["dtv"], len(SITES))
        assert found["passport"]["suspected"] == pytest.approx(
            6 / (365 * 24 * len(SITES)), rel=0.01
        )
        trusted = found["without_suspected"]
        assert trusted["references"] == len(SITES) - 1
        assert trusted["dtv"] != found["dtv"]
        assert trusted["passport"]["suspected"] == 0
        with ambiguous(url, "four", "motor", began):
            doubled = count()
        for study in (doubled, doubled["without_suspected"]):
            assert hours_of(study["passport"]) == [began]
        decide(state="rejected")
        assert count()["without_suspected"] is None
        decide(state="confirmed", effect="exclude")
        confirmed = count()
        assert confirmed["without_suspected"] is None
        assert confirmed["references"] == len(SITES) - 1


def test_short_count_leaves_out_a_counter_of_too_few_trusted_days(
    client: TestClient, url: str
) -> None:
    hours = [{"time": "2026-07-14T06:00:00Z", "volume": 2 * HOUR}]
    path = "/api/v1/municipalities/linz/short-count"
    began = datetime(2026, 1, 4, 23, tzinfo=UTC)
    with suspicion(url, "four", "motor", began, began + timedelta(days=60)):
        found = client.post(path, json={"hours": hours}).json()
    trusted = found["without_suspected"]
    assert (found["references"], trusted["references"]) == (5, 4)


@pytest.mark.parametrize(
    "hours",
    [
        [],
        [{"time": "2026-05-05T06:30:00Z", "volume": 3}],
        [{"time": "2026-05-05T06:00:00Z", "volume": 3}] * 2,
        [{"time": "2026-05-05T06:00:00Z", "volume": -3}],
        [{"time": "2026-05-05T06:00:00Z", "volume": 1e308}],
        [{"time": "2026-05-05T06:00:00", "volume": 3}],
        [{"time": "0001-01-01T00:00:00+14:00", "volume": 3}],
        [{"time": "9999-12-31T23:00:00Z", "volume": 3}],
        [{"time": 0, "volume": 3}],
        [{"time": "2026-05-05T06:00:00Z", "volume": False}],
        [{"time": "2026-05-05T06:00:00Z", "volume": "3"}],
    ],
)
def test_short_count_that_cannot_be_is_refused(
    client: TestClient, hours: list[dict[str, object]]
) -> None:
    path = "/api/v1/municipalities/linz/short-count"
    response = client.post(path, json={"hours": hours})
    assert response.status_code == 422
    assert response.json()["errors"][0]["pointer"].startswith("#/body/hours")


@pytest.mark.parametrize(
    ("known_at", "volume"),
    [
        ("2026-02-03T11:00:00Z", None),
        ("2026-02-03T12:30:00Z", 230),
        ("2026-02-03T14:00:00Z", 240),
        ("2026-02-03T16:00:00Z", 330),
    ],
)
def test_day_is_told_as_it_was_known(
    client: TestClient, known_at: str, volume: int | None
) -> None:
    found = ask(
        client,
        "sites/linz/one/days-as-known",
        **{"known_at": known_at, "from": "2026-02-02", "to": "2026-02-03"},
    )
    days = {(row["day"], row["direction"]): row for row in found["days"]}
    if volume is None:
        assert days == {} or days["2026-02-02", "all"]["volume"] is None
    else:
        assert days["2026-02-02", "all"]["volume"] == volume


def test_a_day_is_whole_also_where_the_period_begins_within_it(
    client: TestClient,
) -> None:
    query = {
        "known_at": "2026-02-03T16:00:00Z",
        "from": "2026-02-02T12:00:00Z",
        "to": "2026-02-02T13:00:00Z",
    }
    found = ask(client, "sites/linz/one/days-as-known", **query)
    (day,) = [row for row in found["days"] if row["direction"] == "all"]
    assert (day["day"], day["volume"]) == ("2026-02-02", 330)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        (
            "sites/linz/one/compare",
            {
                "first": "2026-02-02",
                "last": "2026-02-03",
                "with_first": "2025-02-03",
            },
        ),
        (
            "sites/linz/one/compare",
            {"first": "0001-02-02", "last": "0001-02-03"},
        ),
        (
            "sites/linz/one/before-after",
            {"measure": "2026-03-02", "controls": "one"},
        ),
        ("sites/linz/one/days-as-known", {"known_at": "2026-02-03T12:00:00"}),
        ("sites/linz/one/days-as-known", {"known_at": "0.5"}),
        ("sites/linz/one/days-as-known", {"known_at": "2026-02-03"}),
        ("sites/linz/one/before-after", {"measure": "0"}),
        ("sites/linz/one/before-after", {"measure": "2026-03-02T00:00:00Z"}),
        ("sites/linz/one/before-after", {"measure": "9999-12-31"}),
        ("sites/linz/one/before-after", {"measure": "0001-01-01"}),
        ("municipalities/linz/ranking", {"middle": "9999-12-31"}),
        (
            "sites/linz/one/compare",
            {"first": "0001-01-01", "last": "0001-01-01", "with_site": "two"},
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(
    client: TestClient, path: str, query: dict[str, str]
) -> None:
    assert client.get(f"/api/v1/{path}", params=query).status_code == 422


def test_municipality_that_is_not_there_is_not_found(client: TestClient) -> None:
    path = "/api/v1/municipalities/moon"
    ranking = client.get(f"{path}/ranking", params={"middle": str(MEASURE)})
    hours = [{"time": "2026-05-05T06:00:00Z", "volume": 3}]
    count = client.post(f"{path}/short-count", json={"hours": hours})
    assert (ranking.status_code, count.status_code) == (404, 404)
