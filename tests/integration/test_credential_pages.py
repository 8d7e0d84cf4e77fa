"""Credentials of a sensor by page and REST, at a broker that another process tells."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from html import unescape

import pytest
from httpx2 import Response

from tests import parts, people, served, world
from tests.integration.test_credentials import refused
from tests.integration.test_sessions_over_http import Browser
from tests.people import ANNE, BERND, OTHER, TOWN, People
from verkehrspuls.access import tokens
from verkehrspuls.registry import credentials
from verkehrspuls.registry.credentials import Issued
from verkehrspuls.storage.database import connect

HERE = f"/de/credentials/{TOWN}/camera"
REST = f"/api/v1/credentials/{TOWN}"
USER = f"{TOWN}/camera"


@pytest.fixture(scope="module")
def url(_plain: parts.Databases) -> Iterator[str]:
    with _plain.fresh(world.build) as found:
        yield found


@pytest.fixture(scope="module")
def place(url: str) -> Iterator[parts.Broker]:
    """A broker that the process of the credentials keeps."""
    with parts.broker("nats") as found:
        environment = parts.logins(url) | {
            "VERKEHRSPULS_BROKER__ADMIN_URL": found.admin_url,
            "VERKEHRSPULS_DATABASE__URL": url,
        }
        keeper = subprocess.Popen(
            [sys.executable, "-m", "verkehrspuls", "credential", "run"],
            env={**os.environ, **environment},
        )
        try:
            yield found
        finally:
            keeper.terminate()
            keeper.wait(parts.PATIENCE_S)


@pytest.fixture(scope="module")
def known(url: str) -> Iterator[People]:
    with people.of(url) as found:
        found.put(ANNE, ("engineer", TOWN))
        found.put(BERND, ("engineer", OTHER))
        yield found


@pytest.fixture
def browser(url: str, place: parts.Broker, known: People) -> Iterator[Browser]:
    with known.operator() as connection:
        connection.execute(
            "update vp.credential set revoked_at = now() where revoked_at is null"
        )
    address = "broker.example.org:8883"
    app = served.web(
        url, None, BROKER__PUBLISH_URL=place.publish_url, BROKER__ADDRESS=address
    )
    browser = Browser(app)
    with browser.client:
        browser.log_in(ANNE)
        yield browser


def send(browser: Browser, act: str, **fields: str) -> Response:
    token = browser.form_token(HERE)
    return browser.post(HERE, form_token=token, act=act, **fields)


def shown(answer: Response) -> Issued:
    assert answer.status_code == 200, answer.text
    user, password = (
        unescape(re.findall(rf'id="{name}"[^>]* value="([^"]+)"', answer.text)[0])
        for name in ("user", "password")
    )
    return Issued(0, user, password)


def live(known: People) -> int:
    with known.operator() as connection:
        return len(credentials.live(connection, TOWN, "camera"))


def logs_in(place: parts.Broker, issued: Issued) -> bool:
    where = place.url.rpartition("@")[2]
    user = issued.user.replace("/", "%2F")
    return not refused(f"mqtt://{user}:{issued.password}@{where}")


def test_it_is_issued_shown_once_replaced_and_revoked(
    browser: Browser, place: parts.Broker
) -> None:
    assert "noch keine Zugangsdaten" in browser.get(HERE).text
    answer = send(browser, "issue")
    first = shown(answer)
    assert first.user.startswith(USER)
    assert answer.headers["cache-control"] == "no-store"
    assert "broker.example.org:8883" in answer.text
    assert logs_in(place, first)
    # all configurations have its values
    texts = re.findall(r"<textarea[^>]*>(.*?)</textarea>", answer.text, re.S)
    assert len(texts) == 6
    assert all(first.password in unescape(text) for text in texts)
    again = browser.get(HERE).text
    assert first.password not in again
    assert f"<code>{first.user}</code>" in again
    assert ANNE in again

    second = shown(send(browser, "replace", hours="1"))
    assert second.user != first.user
    assert logs_in(place, first)
    assert logs_in(place, second)
    assert "wird ersetzt" in browser.get(HERE).text

    done = send(browser, f"revoke {first.user}")
    assert done.headers["location"] == f"{HERE}?done=revoked"
    parts.wait_for(lambda: not logs_in(place, first))
    assert logs_in(place, second)
    assert send(browser, f"revoke {first.user}").status_code == 404
    third = shown(send(browser, "replace", hours="0"))
    parts.wait_for(lambda: not logs_in(place, second))
    assert logs_in(place, third)


@pytest.mark.parametrize("hours", ["", "-1", "8761", "1.5", "²", "9" * 400, "<b>"])
def test_hours_that_are_none_are_refused_beside_their_field(
    browser: Browser, known: People, hours: str
) -> None:
    shown(send(browser, "issue"))
    refused = send(browser, "replace", hours=hours)
    assert refused.status_code == 422
    assert 'id="hours-error">Schreiben Sie ganze Stunden' in refused.text
    assert live(known) == 1


def test_a_sensor_has_ten_at_once(browser: Browser, known: People) -> None:
    with known.web(browser.client.cookies["session"])() as connection:
        for _ in range(10):
            credentials.ask(connection, [USER])
    refused = send(browser, "issue")
    assert refused.status_code == 409
    assert "Der Sensor hat 10 Zugangsdaten" in refused.text


def test_what_the_broker_was_not_told_is_no_credential(
    plain_world: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No process keeps the broker of this database."""
    hasty = partial(credentials.issue, patience_s=0.2)
    monkeypatch.setattr(credentials, "issue", hasty)
    browser = Browser(served.web(plain_world, None))
    with browser.client, people.of(plain_world) as known:
        known.put(ANNE, ("engineer", TOWN))
        browser.log_in(ANNE)
        refused = send(browser, "issue")
        assert refused.status_code == 503
        assert "Der Broker hat nicht rechtzeitig geantwortet" in refused.text
        assert "noch keine Zugangsdaten" in refused.text
        assert live(known) == 0


@pytest.mark.parametrize(
    ("topic", "text"), [("tele/kamera/>", "Platzhalter"), ("tele/kamera/+", "")]
)
def test_a_topic_that_no_credential_permits_is_named(
    browser: Browser, known: People, topic: str, text: str
) -> None:
    with known.operator() as connection:
        connection.execute(
            "update vp.sensor set payload_format = 'tasmota', topic = %s "
            "where key = 'camera'",
            [topic],
        )
    assert ("Keine Zugangsdaten erlauben" in browser.get(HERE).text) is bool(text)
    assert text in browser.get(HERE).text
    with known.operator() as connection:
        connection.execute(
            "update vp.sensor set payload_format = 'native', topic = null "
            "where key = 'camera'"
        )


@pytest.mark.parametrize("act", ["issue", "replace", f"revoke {USER}"])
def test_who_registers_elsewhere_is_refused(
    browser: Browser, known: People, act: str
) -> None:
    shown(send(browser, "issue"))
    browser.log_in(BERND)
    assert browser.get(HERE).status_code == 403
    token = browser.form_token()
    answer = browser.post(HERE, form_token=token, act=act, hours="1")
    assert answer.status_code == 403
    assert live(known) == 1


def test_the_same_by_rest(browser: Browser, place: parts.Broker, url: str) -> None:
    with connect(url) as connection:
        token = tokens.create(connection, TOWN, permissions=["register"])
    client = browser.client
    client.headers["authorization"] = f"Bearer {token}"
    made = client.post(f"{REST}/camera", json={"client": "mosquitto_pub"})
    assert made.status_code == 201, made.text
    first = made.json()
    assert made.headers["cache-control"] == "no-store"
    assert first["password"] in first["configuration"]
    assert logs_in(place, Issued(0, first["user"], first["password"]))
    second = client.post(f"{REST}/camera", json={"overlap_hours": 1}).json()
    assert second["configuration"] is None
    listed = client.get(REST, params={"sensor": "camera"}).json()["credentials"]
    states = {one["user_name"]: one["state"] for one in listed if not one["revoked_at"]}
    assert states == {first["user"]: "ending", second["user"]: "valid"}
    assert first["password"] not in str(listed)
    gone = client.delete(f"{REST}/camera", params={"user": first["user"]})
    assert gone.status_code == 204
    assert client.delete(f"{REST}/camera").status_code == 204
    parts.wait_for(
        lambda: not logs_in(place, Issued(0, second["user"], second["password"]))
    )
    for status, answer in (
        (404, client.delete(f"{REST}/camera")),
        (404, client.post(f"{REST}/nobody", json={})),
        (404, client.get("/api/v1/credentials/nirgends")),
        (422, client.post(f"{REST}/camera", json={"client": "toaster"})),
        (422, client.post(f"{REST}/camera", json={"overlap_hours": -1})),
        (404, client.post(f"/api/v1/credentials/{OTHER}/camera", json={})),
    ):
        assert answer.status_code == status, answer.text
