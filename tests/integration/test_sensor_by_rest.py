"""From an unknown sensor to the record, by a program with a token."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec
import pytest
from msgspec import structs
from starlette.testclient import TestClient

from api.app import create_app
from ingest.batch import Message
from tests import parts, world
from tests.intake import Intake, replaying
from tests.integration.test_credential_pages import logs_in, place
from verkehrspuls.access import tokens
from verkehrspuls.model import Channel, Site
from verkehrspuls.registry.credentials import Issued
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import load

__all__ = ["place"]

TOWN: Final = structs.replace(
    world.TOWN,
    sites=(
        Site(
            key="nordtor",
            name="Nordtor",
            channels=tuple(
                Channel(key=way, name=way, quantity="motor", direction=way)
                for way in ("in", "out")
            ),
        ),
    ),
    sensors=(),
    corridors=(),
    junctions=(),
)
SENDER: Final = f"vp/v1/{TOWN.key}/radar-9"
FIVE: Final = timedelta(minutes=5)
QUARTER: Final = timedelta(minutes=15)


@pytest.fixture(scope="module")
def url(_plain: parts.Databases) -> Iterator[str]:
    with _plain.fresh() as found:
        yield found


def sent(end: datetime) -> Message:
    """A message of two directions, in which a quarter of the trucks is missing."""
    counts = [
        {"channel": way, "classes": {"car": 8, "truck": 2}} for way in ("in", "out")
    ]
    body = {"time": end - FIVE, "interval_s": 300, "counts": counts}
    return Message(f"{SENDER}/counts", msgspec.json.encode(body), end)


def test_from_an_unknown_sensor_to_the_record(url: str, place: parts.Broker) -> None:
    now = datetime.now(UTC)
    end = now - (now - datetime.min.replace(tzinfo=UTC)) % QUARTER
    with Intake(url) as intake, replaying(intake.settings):
        register(intake.connection, TOWN)
        token = tokens.create(intake.connection, TOWN.key, permissions=["register"])
        intake.write(*(sent(end - FIVE * n) for n in range(17, -1, -1)))
        settings = parts.logins(url) | {
            "VERKEHRSPULS_DATABASE__URL": parts.as_web(url),
            "VERKEHRSPULS_BROKER__PUBLISH_URL": place.publish_url,
        }
        headers = {"Authorization": f"Bearer {token}"}
        with TestClient(create_app(load(settings)), headers=headers) as client:
            walk(client, place, begin=end - 4 * QUARTER, end=end)
        factors = intake.connection.execute(
            "select calibrations -> 0 ->> 'factor' as factor from installation"
        ).fetchall()
    assert [row["factor"] for row in factors] == ["1.0667", "1.0667"]


def walk(
    client: TestClient, place: parts.Broker, *, begin: datetime, end: datetime
) -> None:
    def ask(method: str, path: str, **body: Any) -> Any:
        answer = client.request(method, f"/api/v1/{path}", json=body or None)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    here = f"commissioning/{TOWN.key}"
    (unknown,) = ask("GET", f"{here}/unknown-sensors")["unknown_sensors"]
    assert (unknown["sender"], unknown["messages"]) == (SENDER, 18)
    adopted = ask("POST", f"{here}/unknown-sensors", sender=SENDER, site="nordtor")
    assert adopted["sensor"] == "radar-9"
    assert ask("GET", f"{here}/unknown-sensors")["unknown_sensors"] == []

    def checked() -> dict[str, str] | None:
        found = ask("GET", f"{here}/sensors/radar-9")
        points = {point["key"]: point["state"] for point in found["points"]}
        is_done = found["replay"]["done_at"] and points["first-message"] == "done"
        return points if is_done else None

    points = parts.wait_for(checked)
    assert points["interval"] == points["both-directions"] == "done"
    made = ask("POST", f"credentials/{TOWN.key}/radar-9", overlap_hours=24)
    assert logs_in(place, Issued(0, made["user"], made["password"]))

    counts = f"manual-counts/{TOWN.key}"
    started = ask("POST", counts, site="nordtor", at=begin.isoformat())
    count = f"{counts}/{started['number']}"
    taps = [
        {
            "id": str(uuid.uuid4()),
            "at": (begin + n * QUARTER).isoformat(),
            "direction": way,
            "vehicle": vehicle,
            "vehicles": vehicles,
        }
        for n in range(4)
        for way in ("in", "out")
        for vehicle, vehicles in (("car", 24), ("truck", 8))
    ]
    ask("PUT", f"{count}/taps", taps=taps)
    ask("PUT", f"{count}/taps", taps=taps)
    ask("POST", f"{count}/end", at=end.isoformat())
    found = ask("GET", count)["comparison"]
    assert {
        (one["direction"], one["counted"], one["measured"])
        for one in found["sums"]
        if one["name"] == "all"
    } == {("in", 128, 120), ("out", 128, 120)}
    decided = ask("POST", f"{count}/decision", accepted=True, calibrate=True)
    assert decided["accepted"] is True
    record = client.get(f"/api/v1/{count}/record")
    assert record.headers["content-type"] == "application/pdf"
    assert b"/MarkInfo" in record.content
