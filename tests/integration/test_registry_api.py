"""The resource `/registry`: entries one by one, and a registration as a whole."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from starlette.testclient import TestClient

from tests import registrations
from tests.served import registering
from tests.world import TOWN
from verkehrspuls.access import tokens
from verkehrspuls.model import Town
from verkehrspuls.registry.files import formats
from verkehrspuls.storage.database import connect

ALL = f"/api/v1/registry/{TOWN.key}"
SITE = f"{ALL}/site/pariser-strasse"
NEW: dict[str, Any] = {"key": "nordtor", "name": "Nordtor <b>„Süd“</b>"}


@pytest.fixture
def client(plain_world: str) -> Iterator[TestClient]:
    with registering(plain_world) as client:
        yield client


def test_a_site_is_registered_changed_and_removed(client: TestClient) -> None:
    put = client.put(f"{ALL}/site/nordtor", json=NEW)
    assert put.status_code == 200, put.text
    assert put.json()["fields"]["name"] == NEW["name"]
    first = put.headers["etag"]
    changed = client.put(
        f"{ALL}/site/nordtor", json={**NEW, "lanes": 4}, headers={"If-Match": first}
    )
    assert changed.json()["fields"]["lanes"] == 4
    again = client.put(f"{ALL}/site/nordtor", json=NEW, headers={"If-Match": first})
    assert (again.status_code, again.json()["type"].partition("#")[2]) == (
        412,
        "entry-changed",
    )
    now = client.get(f"{ALL}/site/nordtor").json()["version"]
    gone = client.delete(f"{ALL}/site/nordtor", headers={"If-Match": f'"{now}"'})
    assert gone.status_code == 204
    assert client.get(f"{ALL}/site/nordtor").status_code == 404


def test_a_device_is_installed_on_the_clock_of_the_town(client: TestClient) -> None:
    sensor = {"key": "neu", "name": "Neu", "interval_s": 300, "class_scheme": "total"}
    channel = {"key": "rad", "name": "Rad", "quantity": "bicycle"}
    installed = {
        **{"site": "pariser-strasse", "channel": "rad", "output": "1"},
        "since": "2026-07-01T00:00:00",
    }
    for path, fields in (
        ("channel/pariser-strasse/rad", channel),
        ("sensor/neu", sensor),
        ("installation/neu/1/2026-06-30T22:00:00+00:00", installed),
    ):
        answer = client.put(f"{ALL}/{path}", json=fields)
        assert answer.status_code == 200, answer.text
    assert answer.json()["fields"]["since"] == "2026-06-30T22:00:00Z"


def test_faults_are_named_by_entry_and_field(client: TestClient) -> None:
    wrong = {**NEW, "latitude": 8.1, "longitude": 49.2}
    answer = client.put(f"{ALL}/site/nordtor", json=wrong)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["pointer"] == "#/site/nordtor/latitude"
    assert "swapped" in error["detail"]
    answer = client.put(f"{ALL}/site/nordtor", json={**NEW, "lanes": 0})
    assert answer.json()["errors"][0]["pointer"] == "#/site/nordtor/lanes"


def test_a_key_stays(client: TestClient) -> None:
    answer = client.put(f"{ALL}/site/nordtor", json={**NEW, "key": "suedtor"})
    assert answer.json()["errors"][0]["pointer"] == "#/site/nordtor/key"
    assert client.get(f"{ALL}/site/suedtor").status_code == 404


def test_an_end_is_noted_for_the_figures(client: TestClient, plain_world: str) -> None:
    with connect(plain_world) as connection:
        execute = connection.execute
        execute("delete from stale_bucket")
        connection.commit()
        whole = client.get(ALL).json()
        sensor = next(s for s in whole["sensors"] if s["installations"])
        (installed, *_) = sensor["installations"]
        path = f"{ALL}/installation/{sensor['key']}/{installed['output']}/2026"
        started = installed["since"].replace("Z", "+00:00")
        path = path.removesuffix("2026") + started
        seen = client.get(path).json()
        fields = seen["fields"] | {"until": "2026-03-04T10:30:00Z"}
        ended = client.put(path, json=fields, headers={"If-Match": seen["version"]})
        assert ended.status_code == 200, ended.text
        row = execute("select min(hour), count(*) from stale_bucket").fetchone()
    assert row is not None
    assert f"{row[0]:%Y-%m-%dT%H}" == "2026-03-04T10"
    assert row[1] > 24


def test_a_registration_that_is_read_changes_nothing(client: TestClient) -> None:
    whole = client.get(ALL).json()
    assert {site["key"] for site in whole["sites"]} >= {"pariser-strasse"}
    assert client.post(ALL, json=whole).json()["changes"] == []
    site = next(s for s in whole["sites"] if s["key"] == "pariser-strasse")
    site["lanes"] = 3
    expected = {
        **{"kind": "site", "key": "pariser-strasse", "action": "change"},
        **{"before": {"lanes": None}, "after": {"lanes": 3}},
    }
    for dry_run in ("true", "false"):
        answer = client.post(f"{ALL}?dry_run={dry_run}", json=whole)
        assert answer.json()["changes"] == [expected]
    assert client.get(SITE).json()["fields"]["lanes"] == 3


def test_another_town_is_not_read_and_not_changed(
    client: TestClient, plain_world: str
) -> None:
    with connect(plain_world) as connection:
        token = tokens.create(connection, "verborgen", permissions=["register"])
    before = client.get(SITE).json()
    other = {"Authorization": f"Bearer {token}"}
    for answer in (
        client.get(ALL, headers=other),
        client.get(SITE, headers=other),
        client.put(SITE, json=before["fields"], headers=other),
        client.post(ALL, json={**client.get(ALL).json(), "sites": []}, headers=other),
    ):
        assert answer.status_code == 403
        assert "Parkhaus" not in answer.text
    assert client.get(SITE).json() == before


def test_what_was_used_is_not_removed(client: TestClient) -> None:
    version = client.get(SITE).json()["version"]
    answer = client.delete(SITE, headers={"If-Match": version})
    assert answer.status_code == 409
    assert answer.json()["type"].endswith("#entry-used")


@pytest.mark.parametrize("name", ["csv", "toml", "xlsx", "yaml"])
def test_files_are_taken_in_each_format(client: TestClient, name: str) -> None:
    town = registrations.whole()
    there = msgspec.convert(client.get(ALL).json(), Town)
    data = formats()[name].write(
        msgspec.structs.replace(
            there, sites=(*there.sites, town.sites[0]), sensors=town.sensors[:1]
        )
    )
    kind = {"Content-Type": f"{formats()[name].media_types[0]}; charset=utf-8"}
    answer = client.post(ALL, content=data, headers=kind, params={"dry_run": True})
    assert answer.status_code == 200, answer.text
    added = {each["key"] for each in answer.json()["changes"]}
    assert {"s0", "s0/pegel", "d0"} <= added
    assert client.get(f"{ALL}/site/s0").status_code == 404


def test_entries_and_sites_come_in_parts(client: TestClient) -> None:
    whole = client.get(ALL).json()
    for kind, known in (("site", whole["sites"]), ("sensor", whole["sensors"])):
        first = client.get(f"{ALL}/{kind}", params={"limit": 2}).json()
        rest = client.get(f"{ALL}/{kind}", params={"limit": 99, "skip": 2}).json()
        assert first["total"] == rest["total"] == len(known) > 2
        assert len(first["entries"]) == 2
        keys = [one["key"] for one in first["entries"] + rest["entries"]]
        assert keys == [one["key"] for one in known]
    one = first["entries"][0]
    assert client.get(f"{ALL}/sensor/{one['key']}").json() == one
    for path, parts in (("sites", "sites"), ("sites.geojson", "features")):
        every = client.get(f"/api/v1/{path}").json()[parts]
        halves = [
            client.get(f"/api/v1/{path}", params=asked).json()
            for asked in ({"limit": 2}, {"limit": 99, "skip": 2})
        ]
        assert halves[0][parts] + halves[1][parts] == every
        assert len(halves[0][parts]) == 2
    assert client.get("/api/v1/sites", params={"limit": 1}).json()["total"] == len(
        every
    )


def test_a_registration_is_read_in_each_format(client: TestClient) -> None:
    there = msgspec.convert(client.get(ALL).json(), Town)
    for name, form in formats().items():
        by_name = client.get(ALL, params={"format": name})
        (kind, *_) = form.media_types
        by_type = client.get(ALL, headers={"Accept": f"{kind}, */*;q=0.1"})
        for answer in (by_name, by_type):
            assert answer.headers["content-type"].startswith(kind)
            assert f'filename="{TOWN.key}{form.suffix}"' in str(answer.headers)
            again = client.post(
                ALL, content=answer.content, headers={"Content-Type": kind}
            )
            assert again.json()["changes"] == [], name
    assert (
        msgspec.convert(client.get(ALL, params={"format": "json"}).json(), Town)
        == there
    )
    assert client.get(ALL, headers={"Accept": "text/html"}).status_code == 406
    assert client.get(ALL, params={"format": "doc"}).status_code == 422
    other = client.get(ALL).json() | {"key": "verborgen"}
    (error,) = client.post(ALL, json=other).json()["errors"]
    assert error["pointer"] == "#/body/key"


def test_problems_of_a_file_are_errors_with_pointer_and_place(
    client: TestClient,
) -> None:
    lines = ["site;site_name;lanes", *(f"n{n};N;viele" for n in range(30))]
    kind = {"Content-Type": "text/csv"}
    answer = client.post(ALL, content="\n".join(lines), headers=kind)
    assert answer.status_code == 422
    errors = answer.json()["errors"]
    assert len(errors) == 30
    assert errors[29]["pointer"] == "#/body/sites/29/lanes"
    assert errors[29]["detail"].startswith("line 31, column 3 (lanes): it is text")


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"[1]", "application/json", 422),
        (b"[" * 100_000, "application/json", 422),
        (b"{", "application/json", 422),
        (b"x", "image/png", 422),
        (b"PK\x03\x04", "text/csv", 422),
        (b" " * (16 << 20), "text/csv", 422),
        (b" " * ((16 << 20) + 1), "text/csv", 413),
    ],
)
def test_what_is_no_registration_is_refused(
    client: TestClient, content: bytes, kind: str, status: int
) -> None:
    answer = client.post(ALL, content=content, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
