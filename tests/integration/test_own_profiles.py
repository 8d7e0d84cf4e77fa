"""Device profiles that a municipality keeps: by REST and commands, and who may."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import psycopg
import pytest
from httpx2 import Response
from starlette.testclient import TestClient
from typer.testing import CliRunner, Result

from tests import people
from tests.people import ANNE, BERND, OTHER
from tests.served import registering
from tests.world import TOWN
from verkehrspuls.access import audit
from verkehrspuls.cli import command as cli
from verkehrspuls.errors import BadParameter, UnknownKey
from verkehrspuls.registry import device_profiles, edit, own_profiles, removal
from verkehrspuls.registry.edit import EntryChanged, NotYourTown
from verkehrspuls.registry.own_profiles import MAX_PROFILES, TooManyProfiles
from verkehrspuls.registry.towns import register
from verkehrspuls.storage.database import connect

HERE: Final = f"/api/v1/registry/{TOWN.key}/device-profiles"
SHIPPED: Final = (device_profiles.FOLDER / "parametric-pcr2.toml").read_text("utf-8")
#: what persons write: quotes, markup, signs of all kinds
ODD: Final = 'Zähler „<b>Süd</b>" \\ 🚲'
EUI: Final = "0016c001f153a14c"


def document(name: str = ODD) -> str:
    """The TOML of a device profile with a name."""
    head, _, rest = SHIPPED.partition("name = ")
    quoted = json.dumps(name, ensure_ascii=False)
    line = f'name = {{ de = {quoted}, en = "Own" }}'
    return f"{head}{line}\n{rest.partition(chr(10))[2]}"


@pytest.fixture
def client(plain_world: str) -> Iterator[TestClient]:
    with registering(plain_world) as client:
        yield client


def put(client: TestClient, key: str, text: str, version: str = "") -> Response:
    headers = {"If-Match": f'"{version}"'} if version else {}
    return client.put(f"{HERE}/{key}", json={"document": text}, headers=headers)


def test_it_is_kept_shown_changed_and_removed(
    client: TestClient, plain_world: str
) -> None:
    first = put(client, "eigenes", document())
    assert first.status_code == 200, first.text
    assert first.json()["document"] == document()
    assert first.json()["name"] == {"de": ODD, "en": "Own"}
    assert first.headers["etag"] == f'"{first.json()["version"]}"'
    listed = client.get(HERE).json()["device_profiles"]
    assert [one["key"] for one in listed][:2] == ["eigenes", "air-fiware"]
    assert [one["own"] for one in listed[:2]] == [True, False]
    assert len(listed) == len(device_profiles.shipped()) + 1
    # two at once: who saw neither, and who saw the former one
    assert put(client, "eigenes", document("Zwei")).status_code == 412
    seen = first.json()["version"]
    assert put(client, "eigenes", document("Zwei"), seen).status_code == 200
    assert put(client, "eigenes", document("Drei"), seen).status_code == 412
    now = client.get(f"{HERE}/eigenes").json()
    assert (now["name"]["de"], now["version"] != seen) == ("Zwei", True)
    old = {"If-Match": seen}
    assert client.delete(f"{HERE}/eigenes", headers=old).status_code == 412
    assert client.delete(f"{HERE}/eigenes").status_code == 412
    new = {"If-Match": now["version"]}
    assert client.delete(f"{HERE}/eigenes", headers=new).status_code == 204
    assert client.get(f"{HERE}/eigenes").status_code == 404
    assert client.delete(f"{HERE}/eigenes", headers=new).status_code == 404
    with connect(plain_world) as connection:
        noted = audit.find(connection, limit=3)
    assert [one.action for one in noted] == [
        "device_profile.remove",
        "device_profile.change",
        "device_profile.add",
    ]
    assert {one.key for one in noted} == {f"{TOWN.key}/eigenes"}
    assert noted[1].after == {"document": document("Zwei")}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind = 1", "line 1, kind"),
        (document().replace('"people"', '"humans"', 1), "line 3, kind"),
        (document("x" * 201), "line 2, name.de: the text is longer than 200"),
        (document("a").replace("Own", "\u202eown"), "marks of text direction"),
        (document() + "# \0", "control characters"),
        # as long as can be, and escaped in JSON
        ("\U0001f6b2" * 50_000 + "\N{EM DASH}" * 50_000, "Invalid"),
        ("#" * 100_000 + document(), "100000"),
        ("a = [", "Invalid value"),
        ("", "name is missing"),
    ],
)
def test_what_is_none_is_refused_with_its_place(
    client: TestClient, text: str, told: str
) -> None:
    answer = put(client, "eigenes", text)
    assert answer.status_code == 422, answer.text
    assert told in answer.text
    assert client.get(f"{HERE}/eigenes").status_code == 404


def test_keys_and_numbers_have_limits(plain_world: str) -> None:
    with connect(plain_world) as connection:
        for key in ("telraam", "Groß", "", "x" * 65):
            with pytest.raises(BadParameter) as refused:
                own_profiles.save(connection, TOWN.key, key, document(), seen=None)
            assert refused.value.parameter == "key"
        for number in range(MAX_PROFILES):
            key = f"p-{number}"
            own_profiles.save(connection, TOWN.key, key, document(), seen=None)
        with pytest.raises(TooManyProfiles):
            own_profiles.save(connection, TOWN.key, "p-x", document(), seen=None)
        seen = own_profiles.own_version(connection, TOWN.key, "p-1")
        own_profiles.save(connection, TOWN.key, "p-1", document("neu"), seen=seen)
    with (
        connect(plain_world) as connection,
        pytest.raises(psycopg.errors.CheckViolation),
    ):
        connection.execute(
            "update vp.device_profile set document = repeat('x', 100001)"
        )


def test_of_two_who_save_at_once_one_is_refused(plain_world: str) -> None:
    def save(name: str) -> str:
        with connect(plain_world) as connection:
            own_profiles.save(connection, TOWN.key, "a", document(name), seen=None)
        return name

    def attempt(name: str) -> str | None:
        try:
            return save(name)
        except EntryChanged:
            return None

    with ThreadPoolExecutor(4) as pool:
        saved = [name for name in pool.map(attempt, "1234") if name]
    assert len(saved) == 1
    with connect(plain_world) as connection:
        found = own_profiles.find(connection, TOWN.key, "a")
    assert own_profiles.usable(found).name.de == saved[0]


def test_a_sensor_is_registered_by_it_and_stays_without_it(
    client: TestClient, plain_world: str
) -> None:
    version = put(client, "eigenes", document()).json()["version"]
    wanted: dict[str, Any] = {
        **{"sensor": "zaehler-1", "site": "pariser-strasse"},
        **{"ids": {"dev_eui": EUI}, "outputs": {"ltr": "fuss"}},
        "since": "2026-03-03T08:00:00Z",
    }
    use = f"{HERE}/eigenes/sensors"
    with connect(plain_world) as connection:
        before = edit.read(connection, TOWN.key)
    dry = client.post(use, json=wanted, params={"dry_run": True})
    assert dry.status_code == 200, dry.text
    with connect(plain_world) as connection:
        assert edit.read(connection, TOWN.key) == before
    done = client.post(use, json=wanted).json()
    assert done["changes"] == dry.json()["changes"]
    assert {one["kind"] for one in done["changes"]} == {
        *("channel", "sensor", "installation")
    }
    assert "Codec" in done["configure"]["de"]
    with connect(plain_world) as connection:
        town = edit.read(connection, TOWN.key)
    (sensor,) = [one for one in town.sensors if one.key == "zaehler-1"]
    assert (sensor.name, sensor.model) == (ODD, ODD)
    assert sensor.installations[0].channel == "fuss"
    again = client.post(use, json=wanted)
    assert (again.status_code, "choose another key" in again.text) == (422, True)
    missing = client.post(use, json=wanted | {"sensor": "z", "ids": {}})
    assert "the id dev_eui is missing" in missing.text
    headers = {"If-Match": version}
    assert client.delete(f"{HERE}/eigenes", headers=headers).status_code == 204
    with connect(plain_world) as connection:
        assert edit.read(connection, TOWN.key) == town
    assert client.post(use, json=wanted).status_code == 404


def test_a_second_sensor_gets_channels_of_its_own(client: TestClient) -> None:
    put(client, "eigenes", document())
    channels = []
    for sensor in ("z-1", "z-2"):
        wanted = {"sensor": sensor, "site": "radweg", "ids": {"dev_eui": EUI}}
        answer = client.post(f"{HERE}/eigenes/sensors", json=wanted)
        assert answer.status_code == 200, answer.text
        channels += [
            one["key"] for one in answer.json()["changes"] if one["kind"] == "channel"
        ]
    assert channels == ["radweg/in", "radweg/out", "radweg/in-2", "radweg/out-2"]


def test_only_engineers_of_the_municipality_see_and_change_it(
    client: TestClient, plain_world: str
) -> None:
    put(client, "eigenes", document())
    with people.of(plain_world) as known:
        known.put(ANNE, ("planner", TOWN.key), ("engineer", OTHER))
        known.put(BERND, ("engineer", TOWN.key))
        anne, bernd = known.log_in(ANNE), known.log_in(BERND)
        with known.reading(bernd) as connection:
            assert own_profiles.find(connection, TOWN.key, "eigenes").own
        with known.reading(anne) as connection:
            for town, error in ((TOWN.key, NotYourTown), ("nirgends", UnknownKey)):
                with pytest.raises(error):
                    own_profiles.list_profiles(connection, town)
            assert "eigenes" not in own_profiles.profiles(connection, OTHER)
            select = "select from device_profile"
            assert connection.execute(select.encode()).fetchall() == []
        with known.web(anne)() as connection, pytest.raises(NotYourTown):
            own_profiles.save(connection, TOWN.key, "b", document(), seen=None)
        with known.web(bernd)() as connection:
            saved = own_profiles.save(connection, TOWN.key, "b", document(), seen=None)
        assert "Muster" in saved.saved_by or BERND in saved.saved_by
        with (
            known.web(anne)() as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute(
                "insert into vp.device_profile (municipality_id, key, document) "
                "select municipality_id, 'c', 'x' from municipality where key = %s",
                [TOWN.key],
            )


def test_one_that_cannot_be_read_any_more_is_listed_with_the_reason(
    client: TestClient, plain_world: str
) -> None:
    put(client, "eigenes", document())
    with connect(plain_world) as connection:
        connection.execute("update vp.device_profile set document = 'kind = 7'")
        connection.execute(
            "insert into vp.device_profile (municipality_id, key, document) "
            "select municipality_id, 'telraam', %s from municipality where key = %s",
            [document("Unseres"), TOWN.key],
        )
    listed = client.get(HERE).json()["device_profiles"]
    broken = next(one for one in listed if one["key"] == "eigenes")
    assert "Text" in broken["problem"]["de"]
    assert client.get(f"{HERE}/eigenes").json()["document"] == "kind = 7"
    # ours came first, before the program had one of this key
    assert [one["own"] for one in listed if one["key"] == "telraam"] == [True]
    wanted = {"sensor": "z-1", "site": "radweg", "ids": {"dev_eui": EUI}}
    refused = client.post(f"{HERE}/eigenes/sensors", json=wanted)
    assert (refused.status_code, "kind" in refused.text) == (422, True)
    with connect(plain_world) as connection:
        assert "eigenes" not in own_profiles.profiles(connection, TOWN.key)


def test_a_town_that_is_removed_leaves_none(plain_database: str) -> None:
    with connect(plain_database) as connection:
        register(connection, TOWN)
        own_profiles.save(connection, TOWN.key, "a", document(), seen=None)
        removal.remove(connection, "town", TOWN.key, with_readings=True, sure=True)
        left = connection.execute("select count(*) from vp.device_profile").fetchone()
    assert left == (0,)


@pytest.fixture
def command(plain_world: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("VERKEHRSPULS_DATABASE__URL", plain_world)
    return lambda *words: CliRunner().invoke(cli.app, words)


def test_commands_keep_list_use_and_remove_it(
    command: Callable[..., Result], tmp_path: Path
) -> None:
    file = tmp_path / "eigenes.toml"
    file.write_text(document(), "utf-8")
    town = ("--town", TOWN.key)
    assert command("profile", "save", str(file), *town).exit_code == 0
    file.write_text(document("Zwei"), "utf-8")
    assert command("profile", "save", str(file), *town).exit_code == 0
    listed = json.loads(command("profile", "list", *town, "--json").output)
    assert (listed[0]["profile"], listed[0]["own"]) == ("eigenes", "yes")
    assert "eigenes" not in command("profile", "list").output
    carried = command("profile", "show", "eigenes", *town, "--toml").output
    assert carried == document("Zwei")
    assert "Own" in command("profile", "show", "eigenes", *town).output
    of_program = command("profile", "show", "parametric-pcr2", "--toml").output
    assert of_program == SHIPPED
    used = command(
        *("profile", "use", "eigenes", f"{TOWN.key}/z-1", "--site", "radweg"),
        *("--id", f"dev_eui={EUI}"),
    )
    assert used.exit_code == 0, used.output
    # another municipality, and without one: there is none
    for words in (
        ("profile", "show", "eigenes"),
        ("profile", "use", "eigenes", f"{OTHER}/z-1", "--site", "hof"),
        ("profile", "remove", "eigenes", "--town", OTHER),
    ):
        assert isinstance(command(*words).exception, UnknownKey), words
    assert command("profile", "remove", "eigenes", *town).exit_code == 0
    assert isinstance(
        command("profile", "remove", "eigenes", *town).exception, UnknownKey
    )
    assert "z-1" in command("sensor", "list").output
