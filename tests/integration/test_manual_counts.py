"""A manual count beside a sensor: over the API and commands, to calibrated figures."""

import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from analytics.jobs import claims
from analytics.jobs.store import open_store
from tests.parts import as_analytics
from tests.served import registering
from tests.world import RECEIVED, SECRET_TOWN, TOWN
from verkehrspuls.access import tokens
from verkehrspuls.cli import command
from verkehrspuls.settings import Analytics
from verkehrspuls.storage.database import connect

ALL = f"/api/v1/manual-counts/{TOWN.key}"
BEGAN = datetime(2026, 3, 2, 8, tzinfo=UTC)
QUARTER = timedelta(minutes=15)


@pytest.fixture
def client(plain_world: str) -> Iterator[TestClient]:
    with registering(plain_world) as client:
        yield client


def started(client: TestClient) -> str:
    begin = {"site": "pariser-strasse", "at": BEGAN.isoformat()}
    answer = client.post(ALL, json=begin)
    assert answer.status_code == 200, answer.text
    return f"{ALL}/{answer.json()['number']}"


def tap(at: datetime, **other: Any) -> dict[str, Any]:
    tap = {"id": str(uuid.uuid4()), "at": at.isoformat(), "direction": "west"}
    return tap | other


def put(client: TestClient, count: str, *taps: dict[str, Any]) -> int:
    """Send taps; return how many vehicles there are."""
    answer = client.put(f"{count}/taps", json={"taps": taps})
    assert answer.status_code == 200, answer.text
    return sum(each["vehicles"] for each in answer.json()["tallies"])


def hours(url: str) -> dict[str, list[int]]:
    query = (
        "select c.key, v.volume from volume v join channel c using (channel_id) "
        "where v.interval_s = 3600 and v.time >= %s and v.time < %s order by 1, v.time"
    )
    found: dict[str, list[int]] = {}
    with connect(url) as connection:
        period = (BEGAN - 4 * QUARTER, BEGAN + 12 * QUARTER)
        for key, volume in connection.execute(query, period).fetchall():
            found.setdefault(key, []).append(volume)
    return found


def test_what_is_sent_twice_counts_once_and_an_undone_tap_does_not(
    client: TestClient,
) -> None:
    count = started(client)
    one, other = tap(BEGAN), tap(BEGAN, vehicle="truck")
    assert put(client, count, one, other) == 2
    assert put(client, count, one, one, other) == 2
    undone = one | {"vehicles": 0, "revision": 1}
    assert put(client, count, undone) == 1
    # the first message was on its way for longer
    assert put(client, count, one) == 1
    both_at_once = tap(BEGAN)
    undone_at_once = both_at_once | {"vehicles": 0, "revision": 1}
    assert put(client, count, undone_at_once, both_at_once) == 1
    assert put(client, count) == 1


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"direction": "sued"}, "not counted in the direction sued"),
        ({"vehicle": "bicycle"}, "bicycle is not counted"),
        ({"at": "2026-03-05T08:00:00Z"}, "not within the count"),
        ({"at": "2026-03-02T08:00:00"}, "tap"),
        ({"id": "x"}, "tap"),
    ],
)
def test_a_tap_that_belongs_to_nothing_is_refused(
    client: TestClient, other: dict[str, Any], says: str
) -> None:
    taps = [tap(BEGAN), tap(BEGAN) | other]
    answer = client.put(f"{started(client)}/taps", json={"taps": taps})
    assert answer.status_code == 422
    assert says in answer.text


def test_words_that_are_not_shown_are_refused(client: TestClient) -> None:
    count = started(client)
    assert (
        client.post(f"{count}/end", json={"at": "2026-03-02T12:00:00Z"}).status_code
        == 200
    )
    for path, given in (
        (ALL, {"site": "pariser-strasse", "note": "\u202e"}),
        (f"{count}/decision", {"accepted": True, "remark": "a\nb"}),
    ):
        answer = client.post(path, json=given)
        assert answer.status_code == 422, answer.text
        assert "control character" in answer.text


def test_a_count_becomes_a_factor_and_figures_follow(
    client: TestClient, plain_world: str
) -> None:
    count = started(client)
    compared = client.get(count).json()["comparison"]
    west = [q for q in compared["quarters"] if q["direction"] == "west"]
    cars = [q for q in west if q["name"] == "car" and q["time"] < "2026-03-02T12"]
    assert len(cars) == 16
    # the person sees a vehicle more in each quarter-hour
    put(
        client,
        count,
        *(
            tap(
                datetime.fromisoformat(q["time"]) + 2 * timedelta(minutes=5),
                vehicle="car",
                vehicles=q["measured"] + 1,
            )
            for q in cars
        ),
    )
    early = client.post(f"{count}/decision", json={"accepted": True})
    assert early.status_code == 409
    ended = client.post(f"{count}/end", json={"at": "2026-03-02T12:00:00Z"})
    assert ended.json()["ended"] == "2026-03-02T12:00:00Z"
    found = client.get(count).json()["comparison"]
    (whole,) = (
        each
        for each in found["sums"]
        if (each["direction"], each["name"]) == ("west", "all")
    )
    expected = sum(q["measured"] for q in cars) + 16
    trucks = 4
    assert (whole["counted"], whole["measured"]) == (expected, expected - 16 + trucks)
    # nothing was counted in the other direction
    assert found["accepted"] is None
    (factor,) = found["factors"]
    assert factor["direction"] == "west"
    assert factor["factor"] == pytest.approx(expected / (expected - 12), rel=1e-9)
    assert 0 < factor["uncertainty"] < 0.05
    before = hours(plain_world)
    with connect(plain_world) as connection:
        raw = connection.execute("select * from count_reading order by 1, 2").fetchall()
        connection.execute("delete from stale_bucket")
    decided = client.post(
        f"{count}/decision",
        json={"accepted": True, "calibrate": True, "remark": "trocken"},
    )
    assert decided.status_code == 200, decided.text
    assert decided.json()["accepted"] is True
    assert client.put(f"{count}/taps", json={"taps": []}).status_code == 409
    record = client.get(f"{count}/record", params={"language": "en"})
    assert record.headers["content-type"] == "application/pdf"
    assert b"/MarkInfo" in record.content
    assert client.get(f"{count}/record?language=fr").status_code == 422
    assert client.get(f"{ALL}/999/record").status_code == 404
    with open_store(as_analytics(plain_world), application="test") as store:
        while claims.process(store, Analytics(), now=RECEIVED):
            pass
    after = hours(plain_world)
    assert after["west-1"][0] == before["west-1"][0]
    for was, now in zip(before["west-1"][1:], after["west-1"][1:], strict=True):
        assert abs(now - was * factor["factor"]) <= 1
    assert sum(after["west-1"][1:]) > sum(before["west-1"][1:])
    assert after["ost-1"] == before["ost-1"]
    with connect(plain_world) as connection:
        same = connection.execute(
            "select * from count_reading order by 1, 2"
        ).fetchall()
    assert same == raw
    # the record stays as it was decided on
    again = client.get(count).json()
    assert again["comparison"] == found
    assert again["remark"] == "trocken"


def test_who_may_not_register_counts_nothing(
    client: TestClient, plain_world: str
) -> None:
    count = started(client)
    with connect(plain_world) as connection:
        for town, permission in ((SECRET_TOWN.key, "register"), (TOWN.key, "view")):
            token = tokens.create(connection, town, permissions=[permission])
            connection.commit()
            other = {"Authorization": f"Bearer {token}"}
            for method, path in (
                ("GET", ALL),
                ("GET", count),
                ("PUT", f"{count}/taps"),
            ):
                body = {"taps": [tap(BEGAN)]} if method == "PUT" else None
                answer = client.request(method, path, json=body, headers=other)
                assert answer.status_code in (403, 404), (path, answer.text)
        assert connection.execute("select count(*) from tap").fetchone() == (0,)


def test_the_same_by_command(
    plain_world: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", plain_world)

    def run(*words: str) -> str:
        command.app(["count", *words], standalone_mode=False)
        return capsys.readouterr().out

    site = f"{TOWN.key}/pariser-strasse"
    name = run(
        "start", site, "--at", "2026-03-02T08:00:00+00:00", "--by", "Anne"
    ).strip()
    tally = tmp_path / "tally.csv"
    tally.write_text(
        "at,direction,vehicle,vehicles\n"
        "2026-03-02T08:05:00Z,west,car,20\n2026-03-02T08:05:00Z,west,car,20\n"
        "2026-03-02T08:20:00Z,ost,truck,3\n"
    )
    assert run("add", name, str(tally)) == run("add", name, str(tally))
    run("end", name, "--at", "2026-03-02T09:00:00+00:00")
    found = json.loads(run("show", name, "--json"))
    assert found["common"] == 4
    sums = {(s["direction"], s["name"]): s["counted"] for s in found["sums"]}
    assert (sums["west", "car"], sums["ost", "truck"]) == (40, 3)
    run("refuse", name, "--remark", "zu wenig")
    listed = json.loads(run("list", TOWN.key, "--json"))
    assert [(c["counted_by"], c["accepted"]) for c in listed] == [("Anne", False)]
    record = tmp_path / "record.pdf"
    run("record", name, str(record))
    assert record.read_bytes().startswith(b"%PDF")
