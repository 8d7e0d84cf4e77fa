"""`/commissioning`: unknown sensors are adopted, and sensors brought into service.

All take a token with the permission `register` in the municipality.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

from fastapi import Request

from api.parameters import MunicipalityKey, SensorKey, Store
from api.problems import responses
from api.registering import Router
from api.schemas import commissioning as schemas
from ingest import adopt
from ingest.adopt import Found, Guess
from ingest.batch import Message
from ingest.reasons import Detail, explain
from ingest.trial import preview
from verkehrspuls.errors import UnknownKey
from verkehrspuls.registry import checklist, commissioning, edit, replays
from verkehrspuls.settings import Settings
from verkehrspuls.text import LANGUAGES, translate

router = Router("/commissioning/{municipality}")
ORDER: Final = 135

_CHANGING: Final = responses(409)
#: readings shown, and characters of a message
_READINGS: Final = 40
_SAMPLE: Final = 2000


@router.get(
    "/unknown-sensors",
    summary="List unknown sensors",
    response_model=schemas.UnknownSensors,
)
def list_unknown_sensors(
    request: Request, store: Store, municipality: MunicipalityKey
) -> dict[str, Any]:
    """List what sent in the last seven days without being registered."""
    settings: Settings = request.app.state.settings
    with store.connection() as connection:
        found = adopt.find(
            connection, settings.ingest, municipality, now=datetime.now(UTC)
        )
    return {"unknown_sensors": [_unknown(one) for one in found]}


@router.post(
    "/unknown-sensors",
    summary="Adopt an unknown sensor",
    status_code=201,
    response_model=schemas.Adopted,
    responses=_CHANGING,
)
def adopt_sensor(
    request: Request,
    store: Store,
    municipality: MunicipalityKey,
    wanted: schemas.Adoption,
) -> dict[str, Any]:
    """Register an unknown sensor, and replay what is kept of it into its series."""
    settings: Settings = request.app.state.settings
    chosen = wanted.model_dump(exclude={"sender"})
    with store.writing() as connection:
        found = adopt.find(
            connection,
            settings.ingest,
            municipality,
            wanted.sender,
            now=datetime.now(UTC),
        )
        if not found:
            raise UnknownKey(kind="unknown sensor", key=wanted.sender)
        adoption = adopt.plan(found[0], **chosen)
        changes = adopt.adopt(connection, municipality, adoption)
    return {
        "sensor": adoption.key,
        "changes": [change.summary() for change in changes],
    }


@router.get(
    "/sensors/{sensor}",
    summary="Show how far a sensor is in service",
    response_model=schemas.Commissioning,
)
def get_commissioning(
    store: Store, municipality: MunicipalityKey, sensor: SensorKey
) -> dict[str, Any]:
    """Show the checklist of a sensor, its newest messages, and its last replay."""
    with store.connection() as connection:
        edit.require(connection, municipality)
        now = datetime.now(UTC)
        found = checklist.read_checklist(connection, municipality, sensor, now=now)
        sensor_id = found.sensor.facts.sensor_id
        read = commissioning.readings(connection, sensor_id, limit=_READINGS)
        replay = replays.last(connection, municipality, sensor)
    return {
        "sensor": sensor,
        "topics": found.sensor.topics,
        "is_done": found.is_done,
        "points": [
            point._asdict()
            | {
                "name": {name: translate(point.name, name) for name in LANGUAGES},
                "found": {name: point.found.in_language(name) for name in LANGUAGES},
            }
            for point in found.points
        ],
        "messages": [_message(one) for one in found.sensor.messages],
        "readings": [asdict(one) | {"values": one.values} for one in read],
        "replay": replay and asdict(replay),
    }


@router.post(
    "/sensors/{sensor}/replay",
    summary="Replay the rejected messages of a sensor",
    status_code=202,
    response_model=schemas.Replay,
    responses=_CHANGING,
)
def replay_sensor(
    store: Store, municipality: MunicipalityKey, sensor: SensorKey
) -> dict[str, Any]:
    """Ask for a replay of what is kept of a sensor, after the cause was mended.

    An ingest worker does it within seconds; see `replay` of the sensor.
    """
    with store.writing() as connection:
        edit.require(connection, municipality)
        replays.ask(connection, municipality, sensor)
        asked = replays.last(connection, municipality, sensor)
    if asked is None:
        raise UnknownKey(kind="sensor", key=f"{municipality}/{sensor}")
    return asdict(asked)


@router.post(
    "/preview",
    summary="Try a message",
    response_model=schemas.Trial,
)
def preview_message(
    request: Request,
    store: Store,
    municipality: MunicipalityKey,
    tried: schemas.Attempt,
) -> dict[str, Any]:
    """Show what a message would become as registered, without storing it."""
    settings: Settings = request.app.state.settings
    with store.connection() as connection:
        town = edit.read(connection, municipality)
    message = Message(tried.topic, tried.payload.encode(), datetime.now(UTC))
    return asdict(preview(town, settings.ingest, message))


def _unknown(found: Found) -> dict[str, Any]:
    newest = found.kept[0].payload if found.kept else b""
    return asdict(found.unknown) | {
        "sample": newest.decode("utf-8", "replace")[:_SAMPLE],
        "guesses": [_guess(one) for one in found.guesses],
    }


def _guess(guess: Guess) -> dict[str, Any]:
    return {
        "key": guess.key,
        "name": {name: guess.profile.name.in_language(name) for name in LANGUAGES},
        "payload_format": guess.payload_format,
        "ids": guess.ids,
        "missing": guess.missing,
        "readings": guess.readings,
        "used": guess.used,
    }


def _message(message: commissioning.Message) -> dict[str, Any]:
    detail = Detail(message.detail, message.detail_values)
    reason = message.reason
    return asdict(message) | {
        "detail": {name: explain(reason, detail, name) for name in LANGUAGES}
        if reason
        else None
    }
