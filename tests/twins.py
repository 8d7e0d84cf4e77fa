"""Twins of all that a town has, which only who belongs there may see.

Of `tests.world`: private ones beside it in Kaiserslautern, and a town of its own. All
of it made by the product, from registration and messages to figures, cases and people.
Whatever is of a twin has `MARK` in its key, name or note, or is one of `NUMBERS`.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any, Final
from uuid import uuid4

import msgspec
from pydantic import SecretStr

from analytics.cases import casework
from analytics.jobs import alert_sender
from analytics.jobs.store import open_store
from analytics.jobs.worker import Worker
from ingest.batch import Message
from tests import people, world
from tests.intake import Intake, compute
from tests.towns import corridor, junction
from verkehrspuls.access import tokens
from verkehrspuls.manual_counts import Tap
from verkehrspuls.model import Channel, Sensor, Site, Town
from verkehrspuls.registry import manual_counts
from verkehrspuls.registry.calendar import put_event
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Alerts, load
from verkehrspuls.storage.database import connect

MARK: Final = "zwilling"
PLACE: Final = (49.471137, 7.791137)
SPEED_KMH: Final = 33.7137
NO2: Final = 7.1137
EMAIL: Final = f"{MARK}@example.org"
#: what only twins have; as text, they are in no public answer
NUMBERS: Final = (*map(str, PLACE), str(SPEED_KMH), str(NO2))
#: towns with twins: one that everybody sees, and one that nobody does
HOME: Final = world.TOWN.key
AWAY: Final = "zwillingen"
DAY: Final = date(2026, 3, 2)


def twin(key: str) -> str:
    """Return the key of a thing's twin."""
    return f"{MARK}-{key}"


def _name(name: str) -> str:
    return f"Zwilling {name}"


def _channel(channel: Channel) -> Channel:
    return msgspec.structs.replace(
        channel,
        key=twin(channel.key),
        name=_name(channel.name),
        direction=channel.direction and twin(channel.direction),
        direction_name=channel.direction and _name(channel.direction_name),
    )


def _site(site: Site) -> Site:
    latitude, longitude = PLACE
    return msgspec.structs.replace(
        site,
        key=twin(site.key),
        name=_name(site.name),
        road=_name(site.road),
        latitude=latitude,
        longitude=longitude,
        visibility="private",
        channels=tuple(map(_channel, site.channels)),
    )


def _sensor(sensor: Sensor) -> Sensor:
    return msgspec.structs.replace(
        sensor,
        key=twin(sensor.key),
        name=_name(sensor.name),
        model=_name(sensor.model),
        installations=tuple(
            msgspec.structs.replace(
                each,
                site=twin(each.site),
                channel=twin(each.channel),
                output=twin(each.output),
            )
            for each in sensor.installations
        ),
    )


SITES: Final = (world.PUBLIC, world.RADWEG)
SENSORS: Final = ("camera", "air", "loop")
#: the same places, all of twins; and one that leads past a site which everybody sees
CORRIDORS: Final = (
    corridor(
        twin("strecke"),
        (twin("pariser-strasse"), twin("ost"), 0),
        (twin("radweg"), "", 1200),
        name=_name("Strecke"),
    ),
)
MIXED: Final = corridor(
    twin("gemischt"),
    ("pariser-strasse", "ost", 0),
    (twin("pariser-strasse"), twin("ost"), 900),
    name=_name("gemischt"),
)
JUNCTION: Final = junction(
    twin("knoten"),
    (twin("pariser-strasse"), twin("ost"), "in"),
    (twin("pariser-strasse"), twin("west"), "out"),
    name=_name("Knoten"),
)
MIXED_JUNCTION: Final = junction(
    twin("mischknoten"),
    ("pariser-strasse", "ost", "in"),
    (twin("pariser-strasse"), twin("west"), "out"),
    name=_name("Mischknoten"),
)
_OWN: Final[dict[str, Any]] = {
    "sites": tuple(map(_site, SITES)),
    "sensors": tuple(_sensor(s) for s in world.TOWN.sensors if s.key in SENSORS),
    "corridors": CORRIDORS,
    "junctions": (JUNCTION,),
}
#: the town as it is registered again, with its twins
BESIDE: Final = msgspec.structs.replace(
    world.TOWN,
    sites=world.TOWN.sites + _OWN["sites"],
    sensors=_OWN["sensors"],
    corridors=(*CORRIDORS, MIXED),
    junctions=(JUNCTION, MIXED_JUNCTION),
)
APART: Final[Town] = msgspec.structs.replace(
    world.TOWN, key=AWAY, name="Zwillingen", licence=_name("Lizenz"), **_OWN
)
#: twins, and what is asked by mistake, or by who guesses
PARTS: Final[dict[str, Sequence[str]]] = {
    "site": (twin("radweg"), twin("radwe"), "nirgends"),
    "corridor": (twin("strecke"), twin("gemischt"), "nirgends"),
    "junction": (twin("knoten"), twin("mischknoten"), "nirgends"),
}
TOWNS: Final = (HOME, AWAY, AWAY[:-1])
#: values of parameters that name them
GUESSES: Final = (twin("radweg"), twin("radwe"))
MORE: Final[dict[str, Sequence[str]]] = {
    "municipality": TOWNS,
    "site": ("radweg", *GUESSES),
    "sensor": ("camera", twin("camera"), twin("camer")),
    "controls": ("radweg", *GUESSES),
    "with_site": ("radweg", *GUESSES),
    "background": ("radweg", *GUESSES),
    "compare": ("previous", "last-year", *(f"site:{key}" for key in GUESSES)),
    "direction": (twin("ost"),),
}
#: messages of which nothing can be used, whose sender is known
_BROKEN: Final = b'{"zwilling": '


def settle(url: str) -> None:
    """Put `tests.world` into a migrated, empty database, and compute all of it."""
    world.build(url)
    _compute_all(url)


def build(url: str) -> None:
    """Put `tests.world` and the twins into a migrated, empty database."""
    settle(url)
    add(url)


def add(url: str) -> None:
    """Add the twins to a database that is settled."""
    with Intake(url, keep_rejects=100) as intake:
        for registration in (BESIDE, APART):
            register(intake.connection, registration)
        intake.write(*_measured(world.BEFORE, world.LAST))
        intake.write(
            *(
                Message(f"vp/v1/{town}/{twin(sensor)}/counts", _BROKEN, world.RECEIVED)
                for town in (HOME, AWAY)
                for sensor in SENSORS
            )
        )
        intake.writer.note_newest()
    _compute_all(url)
    with connect(url) as connection:
        for town in (HOME, AWAY):
            _add_notes(connection, town)
        destination = Alerts(
            rules=("*:low",),
            webhook_url=SecretStr(f"http://127.0.0.1:9/{MARK}"),
            newest_h=8760,
        )
        alert_sender.send(connection, destination, now=world.RECEIVED, to=())
        _decide(connection)
        connection.commit()
    _compute_all(url)
    _add_people(url)


def _compute_all(url: str) -> None:
    """Do all that an analytics worker does, until nothing is left."""
    compute(url, world.LAST, silence=True)
    settings = load({"VERKEHRSPULS_DATABASE__URL": url})
    worker = Worker(settings, on_ready=lambda: None, clock=lambda: world.LAST)
    with open_store(url, application="test") as store:
        while worker._judge_health(store):
            pass
        worker._estimate(store)


def _measured(since: Any, until: Any) -> Iterator[Message]:
    """What the twins of the sensors report: as their originals, with other numbers."""
    for message in world._measured(since, until, received_at=until, is_wrong=True):
        _, _, town, sensor, kind = message.topic.split("/")
        if town != HOME or sensor not in SENSORS:
            continue
        body = [_other(each) for each in json.loads(message.payload)]
        payload = msgspec.json.encode(body)
        for own in (HOME, AWAY):
            topic = f"vp/v1/{own}/{twin(sensor)}/{kind}"
            yield Message(topic, payload, message.received_at)


def _other(reading: dict[str, Any]) -> dict[str, Any]:
    if "values" in reading:
        values = {twin(key): value + NO2 for key, value in reading["values"].items()}
        return {**reading, "values": values}
    return {
        **reading,
        "counts": [
            {
                "channel": twin(count["channel"]),
                "classes": {k: 3 * v for k, v in count["classes"].items()},
                "speed_kmh": SPEED_KMH,
            }
            for count in reading["counts"]
        ],
    }


def _add_notes(connection: Any, town: str) -> None:
    """Events, and tokens for each purpose and for a sensor."""
    site = twin("pariser-strasse")
    for of in (site, *([None] if town == AWAY else [])):
        put_event(
            connection,
            municipality=town,
            site=of,
            name=_name("Fest"),
            first=DAY,
            last=DAY,
            note=MARK,
        )
    count = manual_counts.start(
        connection, town, site, at=world.RECEIVED, counted_by=_name("Person")
    )
    tap = Tap(id=uuid4(), at=world.RECEIVED, direction=twin("ost"))
    manual_counts.put_taps(connection, town, count.number, [tap], now=world.RECEIVED)
    for permission in ("view", "readings", "cases"):
        tokens.create(connection, town, permissions=(permission,), name=MARK)
    tokens.create(connection, town, sensor=twin("camera"), name=MARK)


def _decide(connection: Any) -> None:
    """Confirm a case of each town, with a comment; date all to when they were found."""
    connection.execute(
        "update vp.anomaly_case a set opened_at = %s from site s "
        "where s.site_id = a.site_id and s.key like 'zwilling-%%'",
        [world.RECEIVED],
    )
    cases = connection.execute(
        "select m.key, min(a.anomaly_case_id) from anomaly_case a "
        "join site s using (site_id) join municipality m using (municipality_id) "
        "where s.key like 'zwilling-%' and a.withdrawn_at is null group by m.key"
    ).fetchall()
    assert {row[0] for row in cases} == {HOME, AWAY}
    for _, number in cases:
        casework.change(
            connection, number, who=MARK, state="confirmed", comment=_name("Grund")
        )


def _add_people(url: str) -> None:
    with people.of(url) as them:
        them.put(
            EMAIL, ("administrator", AWAY), ("planner", HOME), name=_name("Person")
        )
        them.log_in(EMAIL)


def counts(url: str, town: str = HOME) -> list[int]:
    """Numbers of the manual counts of a town's twins."""
    with connect(url) as connection:
        found = manual_counts.list_counts(connection, town)
    return [count.number for count in found]


def cases(url: str, town: str = HOME) -> list[int]:
    """Numbers of the cases of a town's twins."""
    with connect(url) as connection:
        found = connection.execute(
            "select a.anomaly_case_id from anomaly_case a join site s using (site_id) "
            "join municipality m using (municipality_id) "
            "where s.key like 'zwilling-%%' and m.key = %s order by 1",
            [town],
        ).fetchall()
    return [row[0] for row in found]
