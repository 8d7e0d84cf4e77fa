"""A device profile made on its page, step by step and without JavaScript."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Final

import pytest
from httpx2 import Response
from starlette.testclient import TestClient

from ingest.batch import Message
from ingest.trial import judge
from tests import people, served
from tests.intake import Intake
from tests.people import ANNE, BERND, OTHER, TOWN, People
from verkehrspuls.errors import UnknownKey
from verkehrspuls.registry import own_profiles
from verkehrspuls.registry.device_profiles import parse
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.database import connect

PAGE: Final = "/de/device-profile"
UPLINK: Final = {
    "deviceInfo": {"devEui": "0101010101010101"},
    "fCnt": 7,
    "fPort": 14,
    "time": "2026-11-21T20:10:00Z",
    "object": {"in": 12, "out": 65535, "battery": 80, "<b>odd</b>": "x"},
}
FACTS: Final = {
    **{"name_de": "Zähler „Alpha“", "name_en": 'Counter "Alpha"', "kind": "people"},
    **{"payload_format": "lorawan", "interval_s": "600", "time_is": "end"},
}


@pytest.fixture(scope="module")
def known(url: str) -> Iterator[People]:
    with people.of(url) as found:
        found.put(ANNE, ("planner", TOWN))
        found.put(BERND, ("engineer", TOWN), name="Bernd Muster")
        yield found


class Engineer:
    """Somebody who fills in the form of the page, and gets the next one."""

    def __init__(self, client: TestClient, session: str) -> None:
        self.client = client
        self.cookie = {"cookie": f"session={session}"}
        self.text = self.get().text

    def get(self, query: str = "") -> Response:
        return self.client.get(f"{PAGE}{query}", headers=self.cookie)

    def hidden(self, name: str) -> str:
        found = re.search(f'name="{name}" value="([^"]*)"', self.text)
        assert found is not None, name
        return unescape(found[1])

    def send(self, **fields: str) -> Response:
        names = {"form_token", "draft"} - fields.keys()
        carried = {name: self.hidden(name) for name in names}
        answer = self.client.post(
            PAGE, data=carried | fields, headers=self.cookie, follow_redirects=False
        )
        if answer.status_code == 303:
            answer = self.get(answer.headers["location"].removeprefix(PAGE))
        if answer.headers["content-type"].startswith("text/html"):
            self.text = answer.text
        return answer

    def say(self, field: str, means: str, **more: str) -> Response:
        """Click a field, and say what it is."""
        self.send(pick=field)
        assert f"<code>{field}</code>" in self.text
        return self.send(say=field, means=means, value=self.hidden("value"), **more)

    def make(self) -> None:
        """Make a profile of a message, that lacks only its name."""
        self.send(act="add", payloads=json.dumps(UPLINK))
        self.say("{fields}.in", "class/pedestrian", **FACTS)


@pytest.fixture(scope="module")
def session(known: People) -> str:
    """The session of Bernd: more logins than a person needs are refused."""
    return known.log_in(BERND)


@pytest.fixture
def engineer(url: str, session: str) -> Iterator[Engineer]:
    app = served.web(url, datetime(2026, 11, 21, 20, 15, tzinfo=UTC))
    with TestClient(app) as client:
        yield Engineer(client, session)
    with connect(url) as connection:
        connection.execute("delete from vp.device_profile")


def kept(url: str, key: str) -> str:
    with connect(url) as connection:
        return own_profiles.find(connection, TOWN, key).document


def test_a_profile_is_made_from_uplinks_and_saved(engineer: Engineer) -> None:
    second = UPLINK | {"object": {"in": 9, "out": 8, "battery": 79}}
    pasted = f"{json.dumps(UPLINK)}\n\n{json.dumps(second)}"
    engineer.send(act="add", payloads=pasted)
    assert "{fields}.in" in engineer.text
    engineer.say("{fields}.in", "class/pedestrian", output="rein", **FACTS)
    assert "rein" in engineer.text
    assert "zu Fuß" in engineer.text
    engineer.say("{fields}.out", "class/pedestrian", output="raus")
    engineer.say("{fields}.battery", "status/battery_pct")
    answer = engineer.send(act="export", **FACTS)
    assert answer.headers["content-disposition"].startswith("attachment")
    profile = parse(answer.text)
    assert list(judge(profile, Ingest())) == []
    assert [len(one.readings) for one in profile.examples] == [2, 2]
    assert profile.examples[0].status == {"battery_pct": 80.0}
    assert profile.name.de == FACTS["name_de"]
    engineer.send(forget="{fields}.battery")
    assert "Vergessen" in engineer.text
    assert "battery_pct" not in engineer.hidden("draft")


def test_what_would_be_wrong_is_said_at_once(engineer: Engineer) -> None:
    engineer.send(act="add", payloads='{"t": "warm"}')
    engineer.say("t", "quantity/temperature_c")
    assert "Zeit" in engineer.text  # it has none
    engineer.send(act="facts", receipt_time="1", **FACTS | {"payload_format": "json"})
    assert "keine Zahl" in engineer.text
    refused = engineer.say("t", "no-value")
    assert refused.status_code == 422
    assert "Nur eine Zahl" in engineer.text
    assert "<code>t</code>" in engineer.text  # the question stays
    refused = engineer.send(act="export", name_de="", name_en="")
    assert "Namen in beiden Sprachen" in refused.text
    refused = engineer.send(act="facts", name_de="Neu", interval_s="oft")
    assert "ganzen Sekunden" in refused.text
    assert 'value="Neu"' in refused.text


def test_what_strangers_sent_is_text(engineer: Engineer) -> None:
    engineer.send(act="add", payloads=json.dumps(UPLINK))
    assert "<b>odd" not in engineer.text
    assert "&lt;b&gt;odd" in engineer.text


@pytest.mark.parametrize(
    "draft", ["", "[1]", "{", '{"outputs": 7}', '{"examples": [1]}']
)
def test_a_draft_that_is_none_is_no_error_of_ours(
    engineer: Engineer, draft: str
) -> None:
    for fields in ({"act": "facts"}, {"say": "x", "means": "class/car", "value": "1"}):
        assert engineer.send(draft=draft, **fields).status_code < 500, fields
    assert engineer.send(draft=draft, act="export").status_code == 422


def test_a_profile_begins_as_another_one(engineer: Engineer) -> None:
    page = engineer.get("?profile=telraam").text
    assert "car_rgt" in page
    assert engineer.get("?profile=nirgends").status_code == 404


def test_only_who_registers_makes_profiles(engineer: Engineer, known: People) -> None:
    planner = {"cookie": f"session={known.log_in(ANNE)}"}
    assert engineer.client.get(PAGE, headers=planner).status_code == 403


def test_captured_messages_are_taken(engineer: Engineer, url: str) -> None:
    at = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
    sent = [
        (f"vp/v1/{TOWN}/neu/counts", b'{"Zaehler": {"<b>": 3}}'),
        (f"vp/v1/{TOWN}/neu/counts", b'{"Zaehler": {"<b>": 4}}'),
        (f"vp/v1/{TOWN}/roh/counts", b"\xff\xfe"),
        (f"vp/v1/{TOWN}/camera/counts", b'{"wirr": 1}'),
    ]
    with Intake(url) as intake:
        intake.write(
            *(Message(*one, at + timedelta(seconds=n)) for n, one in enumerate(sent))
        )
    page = unescape(engineer.get().text)
    assert f">vp/v1/{TOWN}/neu</a>" in page
    found = re.findall(r'href="(/de/device-profile\?town=[^"]+neu)"', page)
    engineer.text = engineer.get(found[0].removeprefix(PAGE)).text
    assert "Zaehler.&lt;b&gt;" in engineer.text
    draft = json.loads(engineer.hidden("draft"))
    assert [one["payload"] for one in draft["examples"]] == [
        sent[0][1].decode(),
        sent[1][1].decode(),
    ]
    assert draft["topic"] == f"vp/v1/{TOWN}/neu/{{device_id}}"
    for query, says in (
        (f"?town={TOWN}&sender=vp/v1/{TOWN}/roh", "keine Nachricht aufbewahrt"),
        (f"?town={TOWN}&sensor=camera", "wirr"),
        (f"?town={TOWN}&sensor=nirgends", "keine Nachricht aufbewahrt"),
    ):
        assert says in engineer.get(query).text, query
    other = engineer.get("?town=verborgen&sender=vp/v1/verborgen/neu")
    assert other.status_code in (403, 404)


def test_a_profile_is_saved_begun_with_changed_and_removed(
    engineer: Engineer, url: str
) -> None:
    engineer.make()
    page = engineer.send(act="save", town=TOWN, key="zaehler-alpha", **FACTS)
    assert "ist gespeichert" in page.text
    assert "by-profile?profile=zaehler-alpha" in page.text
    assert parse(kept(url, "zaehler-alpha")).name.en == FACTS["name_en"]
    start = engineer.get().text
    assert "Eigene von Kaiserslautern" in start
    assert "Zähler „Alpha“</a>" in start
    engineer.text = engineer.get(f"?profile=zaehler-alpha&town={TOWN}").text
    own = {"town": TOWN, "key": "zaehler-alpha"}
    carried = {name: engineer.hidden(name) for name in ("kept", "version")}
    renamed = FACTS | {"name_de": "Beta"}
    page = engineer.send(act="save", **own, **carried, **renamed)
    assert parse(kept(url, "zaehler-alpha")).name.de == "Beta"
    # under another key it is another one
    carried = {name: engineer.hidden(name) for name in ("kept", "version")}
    engineer.send(act="save", **own | {"key": "beta"}, **carried, **renamed)
    assert kept(url, "beta") == kept(url, "zaehler-alpha")
    asked = engineer.send(act="ask", **carried)
    assert "zaehler-alpha entfernen?" in asked.text
    removed = engineer.send(act="remove", draft="", **carried)
    assert "Es ist entfernt" in removed.text
    with pytest.raises(UnknownKey):
        kept(url, "zaehler-alpha")


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"key": ""}, "key", "a bis z"),
        ({"key": "Groß"}, "key", "a bis z"),
        ({"key": "telraam"}, "key", "gehört zum"),
        ({"name_de": ""}, "name_de", "beiden Sprachen"),
        ({"name_en": " "}, "name_en", "beiden Sprachen"),
        ({"name_de": "x" * 201}, "name_de", "länger als 200"),
        ({"name_de": "\u202ex"}, "name_de", "Steuerzeichen"),
        ({"interval_s": "90000"}, "interval_s", "größer|über"),
        ({"payload_format": "json", "topic": "a/#/b"}, "topic|payload_format", "Topic"),
        ({"town": "verborgen"}, "", "Kommune"),
    ],
)
def test_what_is_wrong_is_beside_its_field_and_the_draft_stays(
    engineer: Engineer, url: str, changes: dict[str, str], field: str, told: str
) -> None:
    engineer.make()
    given = {"town": TOWN, "key": "neu"} | FACTS | changes
    refused = engineer.send(act="save", **given)
    assert refused.status_code == 422
    page = unescape(refused.text)
    assert re.search(rf'id="({field})-error">[^<]*({told})' if field else told, page)
    assert '"{fields}.in"' in engineer.hidden("draft")
    with pytest.raises(UnknownKey):
        kept(url, "neu")


def test_two_engineers_do_not_overwrite_each_other(
    engineer: Engineer, url: str
) -> None:
    engineer.make()
    own = {"town": TOWN, "key": "alpha"}
    engineer.send(act="save", **own, **FACTS)
    first = {name: engineer.hidden(name) for name in ("kept", "version")}
    draft = engineer.hidden("draft")
    engineer.send(act="save", **own, **first, **FACTS | {"name_de": "Zweite"})
    # who had it open from before
    refused = engineer.send(
        act="save", draft=draft, **own, **first, **FACTS | {"name_de": "Erste"}
    )
    assert refused.status_code == 412
    assert "Jemand anderes hat dieses Profil inzwischen geändert" in refused.text
    assert 'value="Erste"' in refused.text
    assert parse(kept(url, "alpha")).name.de == "Zweite"
    again = {name: engineer.hidden(name) for name in ("kept", "version")}
    engineer.send(act="save", **own, **again, **FACTS | {"name_de": "Erste"})
    assert parse(kept(url, "alpha")).name.de == "Erste"
    # and who makes a new one of a key that is there
    taken = engineer.send(act="save", kept="", version="", **own, **FACTS)
    assert taken.status_code == 412
    assert 'id="key-error">' in unescape(taken.text)


def test_large_messages_are_taken_up_to_a_limit(engineer: Engineer, url: str) -> None:
    large = {"in": 12} | {f'"{number}"': "<&>" for number in range(2500)}
    pasted = json.dumps(UPLINK | {"object": large})
    engineer.send(act="add", payloads=pasted)
    engineer.say("{fields}.in", "class/pedestrian", **FACTS)
    kept_by = {"town": TOWN, "key": "gross"}
    page = engineer.send(act="save", **kept_by, **FACTS)
    assert "ist gespeichert" in page.text
    engineer.send(act="add", payloads=f"{pasted}\n\n{pasted}")
    again = {name: engineer.hidden(name) for name in ("kept", "version")}
    refused = engineer.send(act="save", **kept_by, **again, **FACTS)
    assert (refused.status_code, "mehr als 100.000" in refused.text) == (422, True)
    assert len(kept(url, "gross")) < 100_000
    too_much = engineer.send(act="add", payloads="x" * 100_001)
    assert "höchstens 100.000 Zeichen" in too_much.text


def test_what_devices_send_is_kept_whatever_it_is(engineer: Engineer, url: str) -> None:
    odd = 'a"b\\\u202e\u0000<script>\u2028'
    engineer.send(
        act="add", payloads=json.dumps(UPLINK | {"object": {"in": 1, "x": odd}})
    )
    engineer.say("{fields}.in", "class/pedestrian", **FACTS)
    page = engineer.send(act="save", town=TOWN, key="odd", **FACTS)
    assert "ist gespeichert" in page.text
    (example,) = parse(kept(url, "odd")).examples
    assert example.object == {"in": 1, "x": odd}


def test_a_file_is_taken_as_it_was_saved(engineer: Engineer, url: str) -> None:
    engineer.make()
    file = engineer.send(act="export", key="alpha", **FACTS)
    assert file.headers["content-disposition"].endswith('filename="alpha.toml"')
    text = file.text
    engineer.text = engineer.get().text
    wrong = text.replace("people", "humans").replace("\n", "\r\n")
    refused = engineer.send(act="add", draft="", payloads=wrong)
    assert refused.status_code == 422
    assert re.search("Zeile [0-9]+, kind: „?.?humans", unescape(refused.text))
    engineer.send(act="add", draft="", payloads=text.replace("\n", "\r\n"))
    engineer.send(act="save", town=TOWN, key="beta")
    assert parse(kept(url, "beta")) == parse(text)


def test_what_somebody_else_changed_is_not_removed(
    engineer: Engineer, url: str
) -> None:
    engineer.make()
    own = {"town": TOWN, "key": "alpha"}
    engineer.send(act="save", **own, **FACTS)
    seen = {name: engineer.hidden(name) for name in ("kept", "version")}
    engineer.send(act="save", **own, **seen, **FACTS | {"name_de": "Zweite"})
    refused = engineer.send(act="remove", draft="", **seen)
    assert "Jemand anderes hat es inzwischen geändert" in refused.text
    assert parse(kept(url, "alpha")).name.de == "Zweite"
    now = {name: engineer.hidden(name) for name in ("kept", "version")}
    assert "Es ist entfernt" in engineer.send(act="remove", draft="", **now).text


def test_who_registers_in_several_towns_chooses_where(
    engineer: Engineer, known: People, url: str
) -> None:
    known.put("carla@example.org", ("engineer", TOWN), ("engineer", OTHER))
    engineer.cookie = {"cookie": f"session={known.log_in('carla@example.org')}"}
    engineer.text = engineer.get().text
    engineer.make()
    refused = engineer.send(act="save", town="", key="hier", **FACTS)
    assert re.search('id="town-error">[^<]*Kommune', refused.text)
    page = engineer.send(act="save", town=OTHER, key="hier", **FACTS)
    assert "ist gespeichert" in page.text
    assert 'value="verborgen" selected' in page.text
    with connect(url) as connection:
        assert own_profiles.own_version(connection, OTHER, "hier")
        assert own_profiles.own_version(connection, TOWN, "hier") is None


def test_one_that_cannot_be_read_any_more_is_mended_on_the_page(
    engineer: Engineer, url: str
) -> None:
    engineer.make()
    text = engineer.send(act="export", **FACTS).text
    engineer.send(act="save", town=TOWN, key="alt", **FACTS)
    with connect(url) as connection:
        broken = text.replace('"people"', "7")
        connection.execute("update vp.device_profile set document = %s", [broken])
    assert "alt: kann nicht mehr benutzt werden" in engineer.get().text
    engineer.text = engineer.get(f"?profile=alt&town={TOWN}").text
    assert re.search("Zeile [0-9]+, kind: hier steht", engineer.text)
    (shown,) = re.findall("(?s)<textarea[^>]*>(.*?)</textarea>", engineer.text)
    assert unescape(shown) == broken
    carried = {name: engineer.hidden(name) for name in ("kept", "version")}
    mended = {"payloads": unescape(shown).replace("kind = 7", 'kind = "people"')}
    engineer.send(act="add", draft="", key="alt", **carried, **mended)
    engineer.send(act="save", town=TOWN, key="alt", **carried)
    assert kept(url, "alt") == text
