"""Readings over HTTP: from a request's body to messages, checked in advance.

The decoder and the registry of ingest check them, so that the sender learns at once
what cannot be used. Usable messages are published, and processed like all others; only
the outcome at ingest is final.
"""

import base64
import binascii
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec import Struct

from api.errors import NotAllowed, TooMany, Unreadable
from api.schemas.readings import ItemOutcome
from verkehrspuls import wording
from verkehrspuls.access.tokens import Bearer
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.database import Connection
from verkehrspuls.storage.sensors import is_heard_elsewhere
from verkehrspuls.text import LANGUAGES
from verkehrspuls.text import mark as _
from verkehrspuls.wire import KEY_PATTERN, KINDS, is_topic, parse_topic, topic

if TYPE_CHECKING:
    from ingest.batch import Collector, Message
    from ingest.formats import Formats
    from ingest.resolve import Registry

#: bytes of topic and header in the largest packet
_ENVELOPE: Final = 2048
#: characters of a topic; no filter is longer
MAX_TOPIC_LENGTH: Final = 1024
_REGISTRY_REREAD_S: Final = 1.0


class Item(Struct, forbid_unknown_fields=True):
    """A message of a request, addressed by its topic or its sensor."""

    #: the payload as JSON; or one of the following
    message: msgspec.Raw = msgspec.Raw()
    #: instead of `message`, for a payload that is not JSON
    base64: str | None = None
    topic: str | None = None
    municipality: str | None = None
    sensor: str | None = None
    kind: str | None = None


class _Native(Struct):
    """The fields that distinguish the kinds of native messages."""

    values: msgspec.Raw = msgspec.Raw()
    state: msgspec.Raw = msgspec.Raw()
    counts: msgspec.Raw = msgspec.Raw()


class Sent(NamedTuple):
    """A message to publish."""

    topic: str
    payload: bytes


_raw: Final = msgspec.json.Decoder(msgspec.Raw)
_raws: Final = msgspec.json.Decoder(list[msgspec.Raw])
_item: Final = msgspec.json.Decoder(Item)
_fields: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])
_native: Final = msgspec.json.Decoder(_Native)


def read_items(body: bytes, bearer: Bearer, *, at_most: int) -> list[Sent]:
    """Split a request's body into messages; refuse an invalid body as a whole.

    A token of one sensor may also send that sensor's native message directly, or an
    array of its intervals. NaN and infinity become texts, which ingest leaves out.
    """
    from ingest.formats.salvage import as_json

    body = as_json(body)
    parts = _parts(body)
    if len(parts) > at_most:
        raise TooMany(what="messages", most=at_most)
    if bearer.sensor is not None and not any(map(_is_item, parts)):
        return [_sent(Item(message=msgspec.Raw(body)), bearer, "#")]
    found = []
    for index, part in enumerate(parts):
        pointer = f"#/{index}" if body.lstrip()[:1] == b"[" else "#"
        try:
            item = _item.decode(part)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise Unreadable(
                pointer=pointer, detail=wording.explain(error).in_english()
            ) from error
        found.append(_sent(item, bearer, pointer))
    return found


def _parts(body: bytes) -> list[msgspec.Raw]:
    try:
        if body.lstrip()[:1] == b"[":
            return _raws.decode(body)
        return [_raw.decode(body)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(
            pointer="#", detail=wording.explain(error).in_english()
        ) from error


def _is_item(part: msgspec.Raw) -> bool:
    try:
        return not {"message", "base64"}.isdisjoint(_fields.decode(part))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False


def _sent(item: Item, bearer: Bearer, pointer: str) -> Sent:
    payload = bytes(item.message)
    if bool(payload) == (item.base64 is not None):
        raise Unreadable(pointer=pointer, detail="Give either `message` or `base64`")
    if item.base64 is not None:
        try:
            payload = base64.b64decode(item.base64, validate=True)
        except (binascii.Error, ValueError) as error:
            raise Unreadable(pointer=f"{pointer}/base64", detail=str(error)) from error
    if item.topic is not None:
        if item.municipality or item.sensor or item.kind:
            raise Unreadable(
                pointer=pointer,
                detail="Give either `topic`, or `municipality`, `sensor` and `kind`",
            )
        if len(item.topic) > MAX_TOPIC_LENGTH or not is_topic(item.topic):
            raise Unreadable(
                pointer=f"{pointer}/topic",
                detail="It must be an MQTT topic without wildcards, of at most "
                f"{MAX_TOPIC_LENGTH} characters",
            )
        return Sent(item.topic, payload)
    sensor = item.sensor or bearer.sensor
    if sensor is None:
        raise Unreadable(pointer=pointer, detail="`sensor` or `topic` is missing")
    municipality = item.municipality or bearer.municipality
    kind = item.kind or _kind(payload)
    if kind not in KINDS:
        raise Unreadable(
            pointer=pointer, detail=f"`kind` must be one of {', '.join(KINDS)}"
        )
    for name, key in (("municipality", municipality), ("sensor", sensor)):
        if not KEY_PATTERN.fullmatch(key):
            raise Unreadable(
                pointer=f"{pointer}/{name}",
                detail="It must have 1 to 64 lower-case letters, digits and hyphens",
            )
    return Sent(topic(municipality, sensor, kind), payload)


def _kind(payload: bytes) -> str:
    """Determine the kind of a native message from its fields.

    For an array, from the first object that shows it: others may be invalid.
    """
    for part in _objects(payload):
        try:
            found = _native.decode(part)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue  # ingest reports the error
        if bytes(found.values):
            return "environment"
        if bytes(found.state):
            return "status"
        if bytes(found.counts):
            break
    return KINDS[0]


def _objects(payload: bytes) -> Sequence[bytes | msgspec.Raw]:
    if payload.lstrip()[:1] != b"[":
        return [payload]
    try:
        return _raws.decode(payload)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return []


class _Known(NamedTuple):
    """The registry as a municipality sees it, and when it was read."""

    registry: "Registry"
    read_at: float


class Trial:
    """Checks messages as ingest would; registries are cached for a while."""

    def __init__(self, settings: Ingest) -> None:
        self._settings = settings
        self._lock = threading.Lock()
        self._registries: dict[str, _Known] = {}
        #: with what stateful formats remember; made with the first registry
        self._formats: Formats | None = None

    def run(
        self, connection: Connection, sent: Sequence[Sent], bearer: Bearer
    ) -> list[ItemOutcome]:
        """Return the expected outcome of each message.

        Raise `NotAllowed` if one belongs to a sensor that the token does not cover.
        """
        from ingest.batch import Collector, Message
        from ingest.check import Limits

        now = datetime.now(UTC)
        registry, formats = self._known(connection, sent, bearer.municipality)
        owners = {sensor.sensor_id: key for key, sensor in registry.items()}
        limits = Limits.at(now, self._settings)
        collector = Collector(registry, formats, limits)
        messages = [Message(each.topic, each.payload, now) for each in sent]
        for index, message in enumerate(messages):
            native, found = collector.senders(message)
            # what none of a topic's sensors takes may be reported to the holder of any
            # of them
            found = found or registry.senders(message.topic)[1][:1]
            sensors = (
                [native[:2]] if native else [owners[each.sensor_id] for each in found]
            )
            if (
                not sensors
                or not all(bearer.may_send_for(*owner) for owner in sensors)
                or (
                    not native
                    and is_heard_elsewhere(
                        connection, message.topic, bearer.municipality
                    )
                )
            ):
                raise NotAllowed(index=index)
        return [
            self._try(collector, message, index)
            for index, message in enumerate(messages)
        ]

    def _try(
        self, collector: "Collector", message: "Message", index: int
    ) -> ItemOutcome:
        from ingest.reasons import Detail, explain

        if len(message.payload) > self._settings.message_bytes - _ENVELOPE:
            size = Detail.of(_("{} bytes"), len(message.payload))
            reason, detail, used = "too-large", size, 0
        else:
            batch = collector.collect([message])
            if not batch.rejects:
                return ItemOutcome(index=index, status="accepted")
            reason, detail = batch.rejects[0].reason, batch.rejects[0].detail
            used = batch.readings
        return ItemOutcome(
            index=index,
            status="partly-accepted" if used else "rejected",
            reason=reason,
            detail={name: explain(reason, detail, name) for name in LANGUAGES},
        )

    def _known(
        self, connection: Connection, sent: Sequence[Sent], municipality: str
    ) -> "tuple[Registry, Formats]":
        """Return the registry that a connection shows for a municipality."""
        from ingest.formats import Formats
        from ingest.resolve import read_registry

        with self._lock:
            self._formats = formats = self._formats or Formats()
            known = self._registries.get(municipality)
            if known is not None:
                age = time.monotonic() - known.read_at
                natives = [parse_topic(each.topic) for each in sent]
                if age <= _REGISTRY_REREAD_S or (
                    age <= self._settings.registry_s
                    and all(n and n[:2] in known.registry for n in natives)
                ):
                    return known.registry, formats
            registry = read_registry(connection, formats)
            self._registries[municipality] = _Known(registry, time.monotonic())
            return registry, formats
