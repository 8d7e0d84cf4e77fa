"""The maintenance log, by REST: who may, what is kept, and what goes with what."""

import io
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from PIL import Image
from starlette.testclient import TestClient

from tests import people
from tests.people import ANNE, BERND
from tests.served import registering
from tests.world import TOWN
from verkehrspuls.cli import command
from verkehrspuls.errors import UsageError
from verkehrspuls.registry import maintenance, moves
from verkehrspuls.storage.database import connect

HERE: Final = f"/api/v1/registry/{TOWN.key}"
LOG: Final = f"{HERE}/maintenance"
SENSOR: Final = TOWN.sensors[0].key
AT: Final = "2026-03-04T09:30:00+01:00"
NOTE: Final = "Linse <b>gereinigt</b>,\n„Süd“ 🚲"


def photograph() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    out = io.BytesIO()
    Image.new("RGB", (300, 200), "green").save(out, "JPEG", exif=exif)
    return out.getvalue()


@pytest.fixture
def client(plain_world: str) -> Iterator[TestClient]:
    with registering(plain_world) as client:
        yield client


def noted(client: TestClient, **fields: Any) -> dict[str, Any]:
    answer = client.post(LOG, json={"done_at": AT, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_an_entry_is_noted_corrected_and_removed(
    client: TestClient, plain_world: str
) -> None:
    first = noted(client, sensor=SENSOR, kind="cleaning", note=NOTE)
    assert (first["note"], first["done_at"]) == (NOTE, "2026-03-04T08:30:00Z")
    older = noted(
        client, sensor=SENSOR, done_at="2025-03-01T08:00:00Z", due_on="2026-02-01"
    )
    other = noted(client, site="pariser-strasse", due_on="2027-01-01")
    found = [one["number"] for one in client.get(LOG).json()["entries"]]
    assert found == [other["number"], first["number"], older["number"]]
    of_sensor = client.get(LOG, params={"sensor": SENSOR, "skip": 1}).json()
    assert of_sensor["entries"] == [older]
    with connect(plain_world) as connection:
        assert maintenance.due(connection, TOWN.key) == {}
        changed = client.put(
            f"{LOG}/{first['number']}",
            json={"done_at": AT, "kind": "repair", "due_on": "2027-03-01"},
        )
        assert (changed.json()["kind"], changed.json()["note"]) == ("repair", "")
        assert maintenance.due(connection, TOWN.key) == {SENSOR: date(2027, 3, 1)}
    assert client.delete(f"{LOG}/{first['number']}").status_code == 204
    assert client.delete(f"{LOG}/{first['number']}").status_code == 404
    with connect(plain_world) as connection:
        said = connection.execute(
            "select action, key from audit where action like 'maintenance%' "
            "order by 1, 2"
        ).fetchall()
    assert [tuple(row) for row in said] == [
        *[("maintenance.add", f"{TOWN.key}/{SENSOR}")] * 2,
        ("maintenance.add", f"{TOWN.key}/pariser-strasse"),
        ("maintenance.change", f"{TOWN.key}/{SENSOR}"),
        ("maintenance.remove", f"{TOWN.key}/{SENSOR}"),
    ]


@pytest.mark.parametrize(
    ("fields", "status", "where"),
    [
        ({}, 422, "site"),
        ({"site": "pariser-strasse", "sensor": SENSOR}, 422, "site"),
        ({"site": "nirgends"}, 404, ""),
        ({"sensor": "nirgends"}, 404, ""),
        ({"sensor": SENSOR, "kind": "magic"}, 422, "kind"),
        ({"sensor": SENSOR, "note": "\0"}, 422, "note"),
        ({"sensor": SENSOR, "note": "\u202e"}, 422, "note"),
        ({"sensor": SENSOR, "note": "x" * 2001}, 422, "note"),
        ({"sensor": SENSOR, "done_at": "2026-03-04T09:30:00"}, 422, "done_at"),
        ({"sensor": SENSOR, "done_at": "9999-03-04T09:30:00Z"}, 422, "done_at"),
        ({"sensor": SENSOR, "due_on": "0001-01-01"}, 422, "due_on"),
    ],
)
def test_what_is_wrong_is_refused(
    client: TestClient, fields: dict[str, Any], status: int, where: str
) -> None:
    answer = client.post(LOG, json={"done_at": AT, **fields})
    assert answer.status_code == status, answer.text
    pointers = [one["pointer"] for one in answer.json().get("errors", [])]
    assert where in " ".join(pointers)
    assert bool(pointers) == bool(where)


def test_photographs_are_kept_without_what_they_say(client: TestClient) -> None:
    entry = noted(client, site="pariser-strasse")["number"]
    added = client.post(f"{LOG}/{entry}/photographs", content=photograph())
    assert added.status_code == 201, added.text
    number = added.json()["number"]
    shown = client.get(f"{HERE}/photographs/{number}")
    assert shown.headers["content-type"] == "image/jpeg"
    assert b"Maker" in photograph()
    assert b"Maker" not in shown.content
    assert client.get(LOG).json()["entries"][0]["photographs"] == [number]
    for content, status in (
        (b"<svg onload='alert(1)'/>", 422),
        (b"", 422),
        (bytes(50_000_000), 413),
    ):
        answer = client.post(f"{LOG}/{entry}/photographs", content=content)
        assert answer.status_code == status, answer.text
    assert client.post(f"{LOG}/9/photographs", content=photograph()).status_code == 404
    other = HERE.replace(TOWN.key, "verborgen")
    assert client.get(f"{other}/photographs/{number}").status_code in (403, 404)
    assert client.delete(f"{HERE}/photographs/{number}").status_code == 204
    assert client.get(f"{HERE}/photographs/{number}").status_code == 404


def test_who_has_no_part_in_the_town_neither_sees_nor_changes_it(
    client: TestClient, plain_world: str
) -> None:
    number = noted(client, sensor=SENSOR)["number"]
    client.post(f"{LOG}/{number}/photographs", content=photograph())
    with people.of(plain_world) as them:
        them.put(ANNE, ("engineer", "verborgen"))
        them.put(BERND, ("planner", TOWN.key))
        for who, seen in ((ANNE, 0), (BERND, 1), ("", 0)):
            credential = them.log_in(who) if who else ""
            with them.reading(credential) as connection:
                for table in ("maintenance", "photograph"):
                    query = f"select count(*) from {table}".encode()
                    assert connection.execute(query).fetchall() == [(seen,)]
            for statement in (
                "delete from vp.photograph",
                "delete from vp.maintenance",
                "update vp.maintenance set note = 'x'",
            ):
                with them.web(credential)() as connection:
                    assert connection.execute(statement.encode()).rowcount == 0
            insert = (
                "insert into vp.maintenance (municipality_id, sensor_id, done_at, kind,"
                " note) select municipality_id, sensor_id, now(), 'other', '' "
                "from vp.maintenance"
            )
            with them.web(credential)() as connection:
                assert connection.execute(insert.encode()).rowcount == 0
        insert = (
            "insert into vp.maintenance (municipality_id, sensor_id, done_at, kind, "
            "note) select (select municipality_id from municipality where key = "
            "'verborgen'), sensor_id, now(), 'other', '' from sensor limit 1"
        )
        with (
            pytest.raises(psycopg.errors.InsufficientPrivilege),
            them.web(them.log_in(ANNE))() as connection,
        ):
            connection.execute(insert.encode())


def test_the_log_of_a_site_goes_where_its_channels_go(
    client: TestClient, plain_world: str
) -> None:
    number = noted(client, site="pariser-strasse")["number"]
    into = {"key": "neben", "name": "Neben"}
    assert client.put(f"{HERE}/site/neben", json=into).status_code == 200
    with connect(plain_world) as connection:
        moves.merge(connection, TOWN.key, "pariser-strasse", into="neben")
    (entry,) = client.get(LOG, params={"site": "neben"}).json()["entries"]
    assert entry["number"] == number


def test_commands_note_and_list_what_was_done(
    plain_world: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", plain_world)

    def run(*words: str) -> Any:
        command.app(["maintenance", *words, "--json"], standalone_mode=False)
        return json.loads(capsys.readouterr().out)

    image = tmp_path / "a.jpg"
    image.write_bytes(photograph())
    options = ("--sensor", SENSOR, "--kind", "battery", "--at", "2026-03-04 09:30")
    number = run(
        *("add", TOWN.key, *options, "--due", "2028-03-01"),
        *("--photograph", str(image)),
    )["number"]
    (entry,) = run("list", TOWN.key)
    assert (entry["number"], entry["kind"]) == (number, "battery")
    assert entry["done_at"] == "2026-03-04T08:30:00Z"
    assert len(entry["photographs"]) == 1
    image.write_bytes(b"<svg/>")
    for wrong in (
        ("--kind", "magic"),
        ("--due", "never"),
        ("--sensor", "nowhere"),
        ("--photograph", str(image)),
    ):
        with pytest.raises(UsageError):
            run("add", TOWN.key, *options, *wrong)
    assert len(run("list", TOWN.key)) == 1
