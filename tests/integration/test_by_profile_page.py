"""A sensor registered by a device profile on its page, without JavaScript."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from typing import Final

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from tests import people, served
from tests.integration.test_own_profiles import ODD, document
from tests.people import ANNE, BERND, OTHER, TOWN, People
from verkehrspuls.model import Town
from verkehrspuls.registry import edit, own_profiles
from verkehrspuls.storage.database import connect

PAGE: Final = f"/de/register/{TOWN}/by-profile"
CHOSEN: Final = {"profile": "eigenes", "site": "radweg"}
TYPED: Final = CHOSEN | {
    **{"dev_eui": "0016c001f153a14c", "key": "zaehler", "name": "Zähler <i>1</i>"},
    **{"since": "2026-03-03T08:00", "payload_format": "chirpstack-v4"},
}


class Engineer:
    """Somebody who registers sensors by profiles."""

    def __init__(self, client: TestClient, known: People, url: str) -> None:
        self.client, self.url = client, url
        self.cookie = {"cookie": f"session={known.log_in(BERND)}"}
        page = self.get(**CHOSEN).text
        self.token = re.findall('name="form_token" value="([^"]*)"', page)[0]

    def get(self, page: str = PAGE, **query: str) -> Response:
        return self.client.get(page, params=query, headers=self.cookie)

    def send(self, act: str = "register", **changes: str) -> Response:
        data = TYPED | {"form_token": self.token, "act": act} | changes
        return self.client.post(PAGE, data=data, headers=self.cookie)

    def town(self) -> Town:
        with connect(self.url) as connection:
            return edit.read(connection, TOWN)


@pytest.fixture
def engineer(plain_world: str) -> Iterator[Engineer]:
    app = served.web(plain_world, datetime(2026, 3, 4, tzinfo=UTC))
    with people.of(plain_world) as known, TestClient(app, follow_redirects=False) as it:
        known.put(ANNE, ("planner", TOWN), ("engineer", OTHER))
        known.put(BERND, ("engineer", TOWN), name="Bernd Muster")
        with connect(plain_world) as connection:
            own_profiles.save(connection, TOWN, "eigenes", document(), seen=None)
        yield Engineer(it, known, plain_world)


def test_own_profiles_can_be_chosen_as_those_of_the_program(engineer: Engineer) -> None:
    page = engineer.get().text
    assert page.index("Eigene Geräteprofile") < page.index('value="telraam"')
    assert "<b>Süd" not in page
    assert ODD.replace('"', "&#34;") in page.replace("&lt;", "<").replace("&gt;", ">")
    found = engineer.get(profile="telraam", site="pariser-strasse").text
    assert "Geräteprofil" in engineer.get(profile="eigenes", site="nirgends").text
    assert "Telraam" in found
    assert engineer.get(profile="nirgends").status_code == 404


def test_a_sensor_is_registered_after_it_was_shown(engineer: Engineer) -> None:
    before = engineer.town()
    shown = engineer.send("show", **{"channel-1": "-"})
    assert shown.status_code == 200
    assert "Messkanal radweg/in" in shown.text
    assert "radweg/out" not in shown.text
    assert engineer.town() == before
    asked = engineer.send(payload_format="ttn-v3").text
    assert "DevEUI." in asked
    named = {"payload_format": "ttn-v3", "device_id": "eui-0016c001f153a14c"}
    done = engineer.send(**named, **{"channel-1": "-"})
    assert done.status_code == 303, done.text
    page = unescape(
        engineer.client.get(done.headers["location"], headers=engineer.cookie).text
    )
    assert "Der Sensor zaehler ist registriert." in page
    assert "v3/+/devices/eui-0016c001f153a14c/+" in page
    (sensor,) = [one for one in engineer.town().sensors if one.key == "zaehler"]
    assert (sensor.name, sensor.payload_format) == (TYPED["name"], "ttn-v3")
    (attached,) = sensor.installations
    assert (attached.channel, attached.output) == ("in", "ltr")
    assert attached.since == datetime(2026, 3, 3, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"dev_eui": ""}, "dev_eui", "Hier fehlt etwas"),
        ({"dev_eui": "12"}, "dev_eui", "16 Ziffern"),
        ({"key": ""}, "key", "Hier fehlt etwas"),
        ({"key": "camera"}, "key", "gibt schon einen Sensor camera"),
        ({"key": "Groß <b>"}, "key", "a bis z"),
        ({"key": "x" * 65}, "key", "64 Zeichen"),
        ({"name": "\u202ex"}, "name", "Steuerzeichen"),
        ({"name": "x" * 201}, "name", "länger als 200"),
        ({"since": "oft"}, "since", "keine Zeit"),
        ({"since": "2026-03-29T02:30"}, "since", "Sommerzeit"),
        ({"channel-0": "-", "channel-1": "-"}, "channel-0", "mindestens einen"),
        ({"channel-0": "alle"}, "channel-0", "bicycle"),
        ({"channel-0": "ä"}, "", "a bis z"),
    ],
)
def test_what_is_wrong_is_beside_its_field(
    engineer: Engineer, changes: dict[str, str], field: str, told: str
) -> None:
    before = engineer.town()
    refused = engineer.send(**changes)
    assert refused.status_code == 422
    page = unescape(refused.text)
    place = rf'id="{field}-error">[^<]*{told}' if field else told
    assert re.search(place, page), page
    assert "Nichts wurde gespeichert" in page
    # what was typed stays
    assert f'value="{TYPED["since"]}"' in refused.text or "since" in changes
    assert engineer.town() == before


def test_only_engineers_of_the_town_do(engineer: Engineer, known: People) -> None:
    cookie = {"cookie": f"session={known.log_in(ANNE)}"}
    assert engineer.client.get(PAGE, headers=cookie).status_code == 403
    other = PAGE.replace(TOWN, OTHER)
    page = engineer.client.get(other, headers=cookie).text
    assert "eigenes" not in page
    assert engineer.get(other).status_code in (403, 404)


def test_what_was_removed_meanwhile_leads_to_the_choice(engineer: Engineer) -> None:
    for changes in ({"profile": "weg"}, {"site": "weg"}):
        answer = engineer.send(**changes)
        assert (answer.status_code, answer.headers["location"]) == (303, PAGE)
