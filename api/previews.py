"""What the messages of a device profile contain, and what they would become."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from verkehrspuls.registry import device_profiles
from verkehrspuls.registry.device_profiles import LORAWAN, DeviceProfile, Example
from verkehrspuls.registry.formats import networks
from verkehrspuls.settings import Ingest

if TYPE_CHECKING:
    from ingest.trial import Trial

#: Fields shown of one message.
MAX_FIELDS = 300
Value = bool | int | float | str | None


def fields(profile: DeviceProfile, example: Example) -> dict[str, Value]:
    """Return the fields of an example's message as a mapping names them.

    Nothing of a message that the format cannot read: its outcome says why.
    """
    from ingest import formats
    from ingest.formats.record import Record
    from ingest.reasons import Unusable

    sent = next(iter(device_profiles.messages(profile, example)))
    decode = formats.formats().foreign.get(sent.payload_format)
    if decode is None:
        return {}
    try:
        records = decode(sent.topic, sent.payload, example.received_at)
    except Unusable:
        return {}
    found: dict[str, Value] = {}
    for record in records:
        if isinstance(record, Record):
            found |= record.fields
            found |= {
                each.field: str(each.said)
                for each in record.stamps
                if profile.payload_format != LORAWAN
            }
    places = _places(profile, sent.payload_format)
    named = {_named(path, places): value for path, value in found.items()}
    return dict(list(named.items())[:MAX_FIELDS])


def outcome(
    profile: DeviceProfile, example: Example, settings: Ingest, language: str
) -> "Trial":
    """Return what the message of an example would become."""
    from ingest.batch import Message
    from ingest.trial import preview

    sent = next(iter(device_profiles.messages(profile, example)))
    town = device_profiles.sample(profile, sent.payload_format, example.ids)
    message = Message(sent.topic, sent.payload, example.received_at)
    return preview(town, settings, message, language=language)


def _places(profile: DeviceProfile, payload_format: str) -> Mapping[str, str]:
    network = networks().get(payload_format)
    return {network.fields: "{fields}"} if network else {}


def _named(path: str, places: Mapping[str, str]) -> str:
    first, dot, rest = path.partition(".")
    return f"{places.get(first, first)}{dot}{rest}"
