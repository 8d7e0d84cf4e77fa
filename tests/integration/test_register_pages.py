"""The pages on which engineers register, as browsers without scripts use them."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from fastapi import FastAPI
from httpx2 import Response
from msgspec import structs

from tests import people, registrations, served, world
from tests.integration.test_maintenance import photograph
from tests.integration.test_sessions_over_http import Browser
from tests.people import ANNE, BERND, OTHER, TOWN, People
from verkehrspuls.registry.towns import register
from verkehrspuls.storage.database import connect

NOW = datetime(2026, 3, 4, 0, 30, tzinfo=UTC)
HERE = f"/de/register/{TOWN}"
NEW = f"{HERE}/new/site"
CLARA = "clara@example.org"
#: a name with all that has ever broken a page
NAME = '"Süd" <b>\u200f🚲 O\'Neill</b> & ' + "ä" * 160


@pytest.fixture
def known(plain_world: str) -> Iterator[People]:
    with people.of(plain_world) as found:
        found.put(ANNE, ("engineer", TOWN))
        found.put(BERND, ("planner", TOWN))
        yield found


@pytest.fixture
def app(plain_world: str) -> FastAPI:
    return served.web(plain_world, NOW)


class Engineer(Browser):
    """A browser that sends the fields that a form has."""

    def form(self, path: str) -> dict[str, str]:
        """Return the hidden fields of a form."""
        found = re.findall(
            r'type="hidden" name="(\w+)" value="(\w*)"', self.get(path).text
        )
        return dict(found)

    def send(self, path: str, **fields: str) -> Response:
        """Send a form as it was opened to where it says, with these fields."""
        found = re.search(
            r'method="post" action="(/\w+/register[^"]+)"', self.get(path).text
        )
        action = unescape(found[1]) if found else path
        return self.post(action, **self.form(path) | fields)

    def added(self, path: str, **fields: str) -> str:
        """Send a new entry, and return the address that shows it."""
        answer = self.send(path, **fields)
        assert answer.status_code == 303, said(answer)
        return answer.headers["location"].partition("?")[0]


@pytest.fixture
def engineer(app: FastAPI, known: People) -> Iterator[Engineer]:
    browser = Engineer(app)
    browser.client.headers["origin"] = "http://testserver"
    with browser.client:
        browser.log_in(ANNE)
        yield browser


def said(answer: Response) -> dict[str, str]:
    """Return the errors of a page, by field."""
    found = re.findall(r'class="error" id="(\w+)-error">([^<]*)', answer.text)
    return {name: unescape(text) for name, text in found}


def test_a_site_its_channel_and_a_sensor_that_is_swapped(engineer: Engineer) -> None:
    site = engineer.added(
        NEW, key="nordtor", name=NAME, latitude="49,44", longitude="7.7"
    )
    page = unescape(engineer.get(f"{site}?done=saved").text)
    assert f'value="{NAME}"' in page.replace("&#34;", '"')
    assert "<b>" not in engineer.get(site).text
    channel = engineer.added(
        f"{HERE}/new/channel?of=nordtor",
        **{"of": "nordtor", "key": "ein", "name": "Ein", "quantity": "motor"},
        **{"bearing_deg": "45", "thresholds": "hoch; 3,5\r\n"},
    )
    assert "nach Nordosten" in engineer.get(channel).text
    assert "hoch; 3.5" in engineer.get(channel).text
    # from a part back to what it is part of, where the next one is added
    assert f'<a href="{site}">' in engineer.get(channel).text
    sensor = engineer.added(
        f"{HERE}/new/sensor",
        **{"key": "neu", "name": "Neu", "interval_s": "300"},
        **{"class_scheme": "tls-2+1", "payload_format": "native"},
    )
    # the hour that has begun is proposed: what the device sends now is not too early
    empty = engineer.get(f"{HERE}/new/installation?of=neu").text
    assert 'value="2026-03-04T01:00"' in empty
    installation = engineer.added(
        f"{HERE}/new/installation",
        **{"of": "neu", "output": "1", "channel": "nordtor/ein"},
        since="2026-02-01T10:00",
    )
    assert f'<a href="{sensor}">' in engineer.get(installation).text
    assert "1 → nordtor/ein" in engineer.get(sensor).text
    changed = engineer.send(f"{sensor}?done=saved", name="Neu 2")
    assert changed.status_code == 303
    swap = f"{sensor}/swap"
    fields = {"key": "neuer", "name": "Neuer", "at": "2026-03-01T08:00"}
    next_one = engineer.added(swap, **fields)
    assert "1 → nordtor/ein" in engineer.get(next_one).text
    assert 'value="tls-2+1" selected' in engineer.get(next_one).text
    again = engineer.send(swap, **fields | {"key": "noch-einer"})
    assert said(again) == {"at": "Zu dieser Zeit ist nichts angeschlossen."}


def test_what_is_wrong_is_said_beside_its_field(engineer: Engineer) -> None:
    fields = {"key": "Nord Tor", "name": "\u202e", "lanes": "viele", "latitude": "49"}
    german = engineer.send(NEW, **fields)
    assert german.status_code == 422
    assert {*said(german)} == {"key", "name", "lanes"}
    assert "Kleinbuchstaben" in said(german)["key"] or "a bis z" in said(german)["key"]
    assert 'value="viele"' in german.text
    english = engineer.send(NEW.replace("/de/", "/en/"), **fields)
    assert said(english)["lanes"] == "It is text; a whole number is wanted."
    fields |= {"key": "nordtor", "name": "Nordtor", "lanes": ""}
    assert "Länge" in said(engineer.send(NEW, **fields))["longitude"]
    twice = engineer.send(NEW, **fields | {"key": "pariser-strasse", "latitude": ""})
    assert said(twice) == {"key": "Das gibt es schon; wählen Sie etwas anderes."}
    long = engineer.send(NEW, **fields | {"name": "ä" * 201})
    assert "200" in said(long)["name"]


@pytest.mark.parametrize(
    ("latitude", "longitude", "place"),
    [
        ("7.7689", "49.4447", "49.4447, 7.7689"),
        ("410000", "5477000", "49.439, 7.758564"),
        ("5478800", "3410050", "49.439443, 7.758705"),
    ],
)
def test_other_coordinates_are_offered(
    engineer: Engineer, latitude: str, longitude: str, place: str
) -> None:
    fields = {"key": "nordtor", "name": "Nordtor", "latitude": latitude}
    fields |= {"longitude": longitude}
    refused = engineer.send(NEW, **fields)
    assert refused.status_code == 422
    assert place in refused.text
    taken = engineer.send(NEW, **fields, act="convert")
    assert f'value="{place.partition(",")[0]}"' in taken.text
    assert 'value="Nordtor"' in taken.text


def test_nobody_overwrites_what_somebody_else_did(engineer: Engineer) -> None:
    path = f"{HERE}/site/pariser-strasse"
    seen = engineer.form(path)
    assert engineer.send(path, name="Zuerst").status_code == 303
    late = engineer.post(path, **seen, name="Danach", lanes="2")
    assert late.status_code == 412
    assert "Inzwischen eingetragen: Zuerst" in late.text
    assert 'value="Danach"' in late.text
    version = re.findall(r'name="version" value="(\w+)"', late.text)[0]
    assert engineer.post(path, **seen | {"version": version}, name="Danach").is_redirect


def test_what_was_used_ends_and_what_never_was_is_removed(engineer: Engineer) -> None:
    path = f"{HERE}/site/pariser-strasse"
    asked = engineer.send(path, act="ask")
    assert "Pariser Straße entfernen?" in asked.text
    refused = engineer.send(path, act="remove")
    assert refused.status_code == 409
    assert "weil es davon Messungen, Nachrichten oder" in refused.text
    assert engineer.send(path, act="end", at="2026-03-29T02:30").status_code == 422
    ended = engineer.send(path, act="end", at="2026-03-03T10:00")
    assert ended.headers["location"] == f"{path}?done=ended"
    assert (
        "03.03.2026, 10:00"
        in engineer.get(f"{HERE}/channel/pariser-strasse/ost-1").text
    )
    new = engineer.added(NEW, key="nie", name="Nie")
    gone = engineer.send(new, act="remove")
    assert gone.headers["location"] == f"{HERE}?done=removed"
    assert engineer.get(new).status_code == 404


def test_only_engineers_of_the_town_register(engineer: Engineer, app: FastAPI) -> None:
    assert "/de/register" in engineer.get("/de/").text
    assert engineer.get("/de/register").headers["location"] == HERE
    other = f"/de/register/{OTHER}"
    assert engineer.get(other).status_code in (403, 404)
    planner = Engineer(app)
    planner.client.headers["origin"] = "http://testserver"
    planner.log_in(BERND)
    assert "/de/register" not in planner.get("/de/").text
    token = planner.form_token()
    fields = {"form_token": token, "key": "nordtor", "name": "Nordtor"}
    for path in (HERE, NEW, f"{HERE}/sensor/kamera/swap"):
        assert planner.get(path).status_code == 403
        assert planner.post(path, **fields).status_code in (403, 405)
    assert engineer.get(f"{HERE}/site/nordtor").status_code == 404


def test_what_was_typed_survives_the_end_of_a_session(
    engineer: Engineer, app: FastAPI
) -> None:
    late = engineer.post(NEW, form_token="0" * 64, key="nordtor", name=NAME)
    assert f'value="{NAME}"' in unescape(late.text).replace("&#34;", '"')


def test_a_list_is_searched(engineer: Engineer) -> None:
    page = engineer.get(f"{HERE}?search=PARISER").text
    assert "Pariser Straße" in page
    assert "Bauhof" not in page
    assert "Pariser Straße" not in engineer.get(f"{HERE}?state=dismantled").text
    for kind in ("sensor", "corridor", "junction"):
        assert f"/{kind}/" in engineer.get(f"{HERE}?kind={kind}").text


def test_maintenance_is_noted_with_photographs(engineer: Engineer) -> None:
    log = f"{HERE}/maintenance/sensor/camera"
    typed = {"done_at": "2026-03-03T10:00", "kind": "cleaning", "note": "<b>\r\nSüd"}

    def send(*files: tuple[str, bytes], path: str = log, **fields: str) -> Response:
        given = engineer.form(log) | {"act": "save"} | typed | fields
        parts = [("photographs", (name, data, "image/jpeg")) for name, data in files]
        none = [("photographs", ("", b"", "application/octet-stream"))]
        return engineer.client.post(path, data=given, files=parts or none)

    for file, said_so in (
        ("bild.svg", "bild.svg: Das ist kein Foto"),
        ("riesig.jpg", "riesig.jpg: Das Foto ist größer als 20 MB"),
    ):
        refused = send(
            ("gut.jpg", photograph()),
            (file, b"<svg/>" + bytes(50_000_000 * (file > "g"))),
        )
        assert refused.status_code == 422
        assert said_so in said(refused)["photographs"]
        assert "2026-03-03T10:00" in refused.text
    assert "Noch ist nichts eingetragen" in engineer.get(log).text
    assert said(send(done_at="gestern", due_on="nie")).keys() == {"done_at", "due_on"}
    saved = send(("a.jpg", photograph()), ("b.jpg", photograph()))
    assert saved.headers["location"] == f"{log}?done=saved"
    page = engineer.get(log).text
    assert "&lt;b&gt;\nSüd" in page
    images = re.findall(r'<img src="([^"]+)"', page)
    assert len(images) == 2
    assert engineer.get(images[0]).headers["content-type"] == "image/jpeg"
    assert "Reinigung" in engineer.get(f"{HERE}/sensor/camera").text
    one = re.findall(r"\?number=\d+", page)[0]
    assert ">&lt;b&gt;\nSüd</textarea>" in engineer.get(log + one).text.replace(
        "\n&", "&"
    )
    send(path=log + one, kind="repair", due_on="2026-09-01")
    assert "Reparatur" in engineer.get(log).text
    assert 'value="2026-09-01"' in engineer.get(log).text
    act = re.findall(r'value="(remove-photograph \d+)"', page)[0]
    engineer.post(log, form_token=engineer.form_token(), act=act)
    assert len(re.findall("<img", engineer.get(log).text)) == 1
    late = send(("a.jpg", photograph()), form_token="0" * 64)
    assert 'name="files_again"' in late.text


def test_a_file_is_tried_and_then_registered(engineer: Engineer) -> None:
    page = f"{HERE}/file"

    def send(name: str, data: bytes, **fields: str) -> Response:
        token = engineer.form_token()
        files = {"file": (name, data)} if name else {"file": ("", b"")}
        return engineer.client.post(
            page, data={"form_token": token, **fields}, files=files
        )

    wrong = "site;site_name;lanes\ns1;Süd <b>;viele\n;Nord;2\n".encode()
    refused = send("neu.csv", wrong)
    assert refused.status_code == 422
    assert "Zeile 2, Spalte 3 (lanes)" in refused.text
    assert "Zeile 3" in refused.text
    good = "site;site_name;lanes\ns1;Süd <b>;2\npariser-strasse;Pariser;\n".encode()
    tried = send("neu.csv", good)
    assert tried.status_code == 200
    assert "neu: 1 · geändert: 1" in tried.text
    assert "Name: Pariser Straße → Pariser" in tried.text
    assert "s1" not in engineer.get(HERE).text
    hidden = dict(re.findall(r'name="(content|seen)" value="([^"]*)"', tried.text))
    engineer.send(f"{HERE}/site/pariser-strasse", name="Andere")
    late = send("", b"", act="register", **hidden)
    assert late.status_code == 412
    assert "Name: Andere → Pariser" in late.text
    hidden = dict(re.findall(r'name="(content|seen)" value="([^"]*)"', late.text))
    done = send("", b"", act="register", **hidden)
    assert done.headers["location"] == f"{HERE}?done=saved"
    assert "Süd &lt;b&gt;" in engineer.get(HERE).text
    again = send("neu.csv", good)
    assert "Nichts weicht ab" in again.text
    for content in ("x", "AAAA", "A" * 2_000_000, hidden["content"][:-8]):
        broken = send("", b"", act="register", content=content, seen="x")
        assert said(broken) == {"file": "Wählen Sie eine Datei aus."}
    assert said(send("x.csv", bytes(5_000_000)))["file"].startswith("Die Datei ist gr")
    for format in ("csv", "toml", "xlsx", "yaml"):
        answer = engineer.get(f"{page}/{format}")
        assert f"{TOWN}.{format}" in answer.headers["content-disposition"]
        same = send(f"gleich.{format}", answer.content)
        assert "Nichts weicht ab" in same.text, format
    assert engineer.get(f"{page}/doc").status_code == 404


def test_an_entry_may_have_any_key(engineer: Engineer) -> None:
    for kind, fields in (
        ("site", {"key": "new", "name": "Neu"}),
        ("channel", {"of": "new", "key": "new", "name": "A", "quantity": "motor"}),
        ("sensor", {"key": "new", "name": "Neu", "interval_s": "60"}),
    ):
        address = engineer.added(f"{HERE}/new/{kind}", **fields)
        assert 'value="Neu"' in engineer.get(address).text or kind == "channel"
        assert engineer.send(address, name="Anders").status_code == 303
        assert 'value="Anders"' in engineer.get(address).text


def test_a_site_is_renamed_split_and_merged(engineer: Engineer) -> None:
    move = f"{HERE}/move/pariser-strasse"
    engineer.added(NEW, key="tor", name="Tor")

    def send(path: str = move, **fields: Any) -> Response:
        given = {"form_token": engineer.form_token(), **fields}
        return engineer.client.post(path, data=given)

    def wrong(**fields: Any) -> dict[str, str]:
        answer = send(**fields)
        assert answer.status_code == 422
        found = re.findall(r'class="error" id="([\w-]+)-error">([^<]*)', answer.text)
        return {name: unescape(text) for name, text in found}

    assert "Schlüssel hat nur a bis z" in wrong(act="rename", key="Süd")["rename-key"]
    assert "schon" in wrong(act="rename", key="tor")["rename-key"]
    assert wrong(act="split", key="x", name="X").keys() == {"split-channel"}
    assert (
        "Richtung west"
        in wrong(act="split", key="x", name="X", channel=["west-1"])["split-channel"]
    )
    assert wrong(act="split", key="x", name="", channel=["ost-1"]).keys() == {
        "split-name"
    }
    assert wrong(act="move").keys() == {"move-channel", "move-into"}
    assert f"{HERE}/site/x" not in engineer.get(HERE).text
    done = send(act="split", key="neben", name="Neben", channel=["ost-1"])
    assert done.headers["location"] == f"{HERE}/site/neben?done=moved"
    assert "ost-1" in engineer.get(f"{HERE}/site/neben").text
    done = send(f"{HERE}/move/neben", act="move", into="tor", channel=["ost-1"])
    assert done.headers["location"] == f"{HERE}/site/tor?done=moved"
    done = send(f"{HERE}/move/tor", act="merge", into="pariser-strasse")
    assert done.headers["location"] == f"{HERE}/site/pariser-strasse?done=moved"
    assert "ost-1" in engineer.get(f"{HERE}/site/pariser-strasse").text
    assert send(act="rename", key="pariser").status_code == 303
    led = engineer.get(f"/de/towns/{TOWN}/tor")
    assert led.headers["location"].endswith(f"/de/towns/{TOWN}/pariser")


def test_an_administrator_says_what_the_municipality_is(
    engineer: Engineer, app: FastAPI, known: People
) -> None:
    page = f"/de/municipality/{TOWN}"
    assert engineer.get(page).status_code == 403
    assert "/de/municipality" not in engineer.get("/de/").text
    known.put(CLARA, ("administrator", TOWN))
    admin = Engineer(app)
    admin.client.headers["origin"] = "http://testserver"
    admin.log_in(CLARA)
    assert "/de/municipality" in admin.get("/de/").text
    assert admin.get("/de/municipality").headers["location"] == page
    wrong = admin.post(page, **admin.form(page), imprint="hier", time_zone="Mars")
    assert said(wrong).keys() >= {"imprint"}
    seen = admin.form(page)
    done = admin.post(page, **seen, name="K <b>", licence="", imprint="https://k.de/i")
    assert done.headers["location"] == f"{page}?done=saved"
    shown = admin.get(page).text
    assert 'value="K &lt;b&gt;"' in shown
    assert 'value="https://k.de/i"' in shown
    assert (
        'id="licence" name="licence" aria-describedby="licence-hint" value=""' in shown
    )
    late = admin.post(page, **seen, name="Anders")
    assert late.status_code == 412
    assert "Inzwischen eingetragen: K &lt;b&gt;" in late.text
    # an engineer's file does not change it
    token = engineer.form_token()
    toml = engineer.get(f"{HERE}/file/toml").text.replace("K <b>", "Anders")
    answer = engineer.client.post(
        f"{HERE}/file",
        data={"form_token": token},
        files={"file": ("x.toml", toml.encode())},
    )
    assert answer.status_code == 403
    assert "settings" in answer.text


def test_many_sites_leave_pages_small(engineer: Engineer, plain_world: str) -> None:
    many = tuple(registrations.site(number) for number in range(600))
    with connect(plain_world) as connection:
        register(
            connection, structs.replace(world.TOWN, sites=(*world.TOWN.sites, *many))
        )
    for path in (
        *(HERE, f"{HERE}?page=12", f"{HERE}/file", f"{HERE}/move/s1"),
        *(f"{HERE}/new/{kind}" for kind in ("site", "channel", "sensor")),
        *(f"{HERE}/new/installation?of=camera", f"{HERE}/site/s1"),
    ):
        answer = engineer.get(path)
        assert answer.status_code == 200, path
        assert len(answer.content) < 200_000, path
    typed = {"of": "nirgends", "key": "x", "name": "X", "quantity": "motor"}
    wrong = engineer.send(f"{HERE}/new/channel?of=s1", **typed)
    assert wrong.status_code in (404, 422)
    engineer.added(f"{HERE}/new/channel?of=s1", **typed | {"of": "s1"})
    moved = engineer.post(
        f"{HERE}/move/s1",
        **{"form_token": engineer.form_token(), "act": "merge", "into": "s2"},
    )
    assert "Messkanal in" in moved.text


def test_events_are_registered_and_removed(engineer: Engineer) -> None:
    page = f"{HERE}/events"
    event = {"name": "Markt <b>", "first": "2026-03-02", "last": "2026-03-03"}
    wrong = engineer.send(page, **event | {"last": "2026-03-01"})
    assert said(wrong) == {"last": "Es endet, bevor es beginnt."}
    wrong = engineer.send(page, first="morgen", site="nirgends")
    assert said(wrong).keys() == {"name", "first"}
    assert engineer.send(page, **event | {"site": "nirgends"}).status_code == 404
    engineer.send(page, **event, site="pariser-strasse", note="Umleitung")
    shown = engineer.get(page).text
    assert "Markt &lt;b&gt;" in shown
    assert "Mo, 02.03.2026 – Di, 03.03.2026, Pariser Straße<br>Umleitung" in shown
    engineer.send(page, **event, site="pariser-strasse", note="Neu")
    assert engineer.get(page).text.count("Markt &lt;b&gt;</strong>") == 1
    (act,) = re.findall(r'value="(remove \d+)"', engineer.get(page).text)
    for _ in range(2):
        gone = engineer.post(page, form_token=engineer.form_token(), act=act)
    assert gone.status_code == 404
    assert "Noch ist nichts eingetragen" in engineer.get(page).text
