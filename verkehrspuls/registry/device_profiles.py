"""Device profiles: how a sensor of a model of device is registered.

Each is a TOML document: those of `profiles/` come with the program, municipalities keep
their own (`own_profiles`), and a person may have files. A profile is written for any
device of the model: `{dev_eui}`, `{device_id}`, `{serial}` and ids that the file
describes itself stand for those of one device, `{fields}` for the path of what the
device's codec returns. Pure.
"""

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct, structs

from verkehrspuls import wording
from verkehrspuls.errors import BadFile, UnknownKey, UsageError
from verkehrspuls.files import parse_toml, read_text
from verkehrspuls.model import (
    Channel,
    Installation,
    Key,
    Link,
    Name,
    PayloadFormat,
    Profile,
    Sensor,
    Site,
    TopicFilter,
    Town,
    Words,
)
from verkehrspuls.model import Mapping as FieldMapping
from verkehrspuls.registry.faults import faults as faults_of_town
from verkehrspuls.registry.formats import networks
from verkehrspuls.text import mark
from verkehrspuls.wire import topic
from verkehrspuls.wording import Phrase

#: `payload_format` of a LoRaWAN device: that of the network server is chosen.
LORAWAN: Final = "lorawan"
NATIVE: Final = "native"
FOLDER: Final = Path(__file__).parent / "profiles"
_FORMAT: Final = "a device profile"
_PLACE: Final = re.compile(r"\{([a-z_0-9]+)\}")
#: The place of the path of what a codec returns.
_FIELDS: Final = "fields"
#: An id is part of topics and paths.
_ID: Final = re.compile(r"[^\s+#/{}\x00-\x1f\x7f]{1,64}")
_DEV_EUI: Final = re.compile(r"[0-9a-f]{16}")
_PROSE: Final = r"^[^\x00-\x08\x0b-\x1f\x7f\u202a-\u202e\u2066-\u2069]*\Z"
_SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)

#: What a device is.
KINDS_OF_DEVICES: Final = {
    "thermal-camera": mark("thermal camera"),
    "camera": mark("camera"),
    "radar": mark("radar"),
    "loops": mark("induction loops"),
    "bicycles": mark("bicycle counter"),
    "people": mark("people counter"),
    "parking": mark("parking sensor"),
    "air": mark("air quality station"),
    "sound": mark("sound level meter"),
    "water": mark("water gauge"),
    "weather": mark("weather station"),
    "other": mark("other device"),
}
Kind = Literal[
    "thermal-camera",
    "camera",
    "radar",
    "loops",
    "bicycles",
    "people",
    "parking",
    "air",
    "sound",
    "water",
    "weather",
    "other",
]
#: Ids that most devices have: how they are called, and an example.
IDS: Final = {
    "dev_eui": (mark("DevEUI"), "0101010101010101"),
    "device_id": (mark("Device ID"), "device-1"),
    "serial": (mark("Serial number"), "1"),
}


class Texts(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A short text in both languages."""

    de: Name
    en: Name

    def in_language(self, language: str) -> str:
        """Return the text in a language."""
        return self.de if language == "de" else self.en


class Prose(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text of some lines in both languages."""

    de: Annotated[str, Meta(pattern=_PROSE, min_length=1, max_length=4000)]
    en: Annotated[str, Meta(pattern=_PROSE, min_length=1, max_length=4000)]

    def in_language(self, language: str) -> str:
        """Return the text in a language."""
        return (self.de if language == "de" else self.en).strip()


class Output(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An output of the device, and the channel that it would feed."""

    output: Annotated[str, Meta(description="its name in the payloads")]
    channel: Annotated[Key, Meta(description="suggested key of the channel")]
    name: Annotated[Texts, Meta(description="suggested name of the channel")]
    quantity: Annotated[str, Meta(description="what the channel measures")]
    direction: Annotated[
        str, Meta(description="suggested key of the direction, such as `in`")
    ] = ""
    mapping: Annotated[
        dict[str, Any] | None,
        Meta(description="as of an installation, with places for ids"),
    ] = None


class Expected(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A reading that an example becomes."""

    output: Annotated[str, Meta(description="the output")]
    time: Annotated[datetime, Meta(tz=True, description="start of its interval")]
    interval_s: Annotated[
        int | None, Meta(description="if it is not that of the profile")
    ] = None
    values: Annotated[
        dict[str, float],
        Meta(
            description="by class or quantity; `speed_kmh`, `occupancy`, `observed_s`"
        ),
    ]


class Example(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A message of a device, and what it becomes."""

    received_at: Annotated[datetime, Meta(tz=True, description="time of receipt")]
    payload: Annotated[
        str, Meta(description="the payload; or, of a LoRaWAN device, the following")
    ] = ""
    object: Annotated[
        dict[str, Any] | None, Meta(description="what the codec returns")
    ] = None
    f_port: Annotated[int, Meta(ge=1, le=255, description="port of the uplink")] = 1
    kind: Annotated[
        Literal["counts", "environment", "status"],
        Meta(description="of a native message"),
    ] = "counts"
    ids: Annotated[
        dict[str, str], Meta(description="ids in this message, where it contains some")
    ] = {}
    readings: Annotated[
        tuple[Expected, ...], Meta(description="the readings, by output and time")
    ] = ()
    status: Annotated[
        dict[str, float | str],
        Meta(description="what it says of the device, as in `profile.status`"),
    ] = {}


class DeviceProfile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a sensor of a model of device is registered."""

    name: Annotated[Texts, Meta(description="name of the model")]
    kind: Annotated[Kind, Meta(description="what the device is")]
    measures: Annotated[Texts, Meta(description="what it measures")]
    manufacturer: Annotated[Words, Meta(description="who makes it")] = ""
    sources: Annotated[
        tuple[Link, ...], Meta(description="where its payloads are documented")
    ] = ()
    payload_format: Annotated[
        PayloadFormat,
        Meta(description="as of a sensor, or `lorawan`: that of the network server"),
    ] = NATIVE
    topic: Annotated[
        str | None,
        Meta(description="topic filter with places for ids; LoRaWAN has its own"),
    ] = None
    ids: Annotated[
        dict[str, Texts],
        Meta(description="what else a person says of one device, by place"),
    ] = {}
    interval_s: Annotated[int, Meta(ge=1, le=86_400, description="as of a sensor")]
    class_scheme: Annotated[
        str | None, Meta(description="as of a sensor; none if it counts nothing")
    ] = None
    profile: Annotated[
        dict[str, Any], Meta(description="as of a sensor, with places for ids")
    ] = {}
    outputs: Annotated[
        tuple[Output, ...], Meta(min_length=1, description="what it measures, and how")
    ]
    configure: Annotated[Prose, Meta(description="how the device is set up")]
    examples: Annotated[
        tuple[Example, ...],
        Meta(min_length=1, description="messages, and what they become"),
    ]

    @property
    def formats(self) -> tuple[str, ...]:
        """Return the payload formats that a sensor of the model can have."""
        if self.payload_format == LORAWAN:
            return tuple(networks())
        return (self.payload_format,)

    def ids_of(self, payload_format: str) -> list[str]:
        """List the ids that a person gives of one device, in the order of the topic."""
        texts = [_topic(self, payload_format) or "", *_strings(self.profile)]
        texts += [text for one in self.outputs for text in _strings(one.mapping)]
        places = (place for text in texts for place in _PLACE.findall(text))
        return [each for each in dict.fromkeys(places) if each != _FIELDS]


class BadProfile(UsageError):
    """The device profile cannot be used: {reason}."""

    code = "bad-profile"
    http_status = 422

    #: the field that it is about, such as `outputs[1].mapping`; empty: the whole
    field: str
    #: what is wrong with it
    phrase: Phrase
    #: that with line and field
    reason: Phrase


class NotApplicable(UsageError):
    """Sensor {key} cannot be registered by the device profile: {why}."""

    code = "not-applicable"
    http_status = 422

    #: what was given wrongly: the name of an id or of an output, `key`, …
    field: str
    reason: Phrase

    def __init__(
        self,
        key: str,
        field: str,
        text: str,
        *values: str | Phrase,
        named: bool = False,
    ) -> None:
        reason = Phrase(text, values)
        why = f"{field}: {reason}" if named else reason
        super().__init__(key=key, field=field, reason=reason, why=why)


class Use(NamedTuple):
    """What is registered for one device: a sensor, and channels that the site lacks."""

    site: str
    sensor: Sensor
    channels: tuple[Channel, ...]

    def put(self, town: Town) -> Town:
        """Return the town with the sensor and its channels."""
        sites = tuple(
            structs.replace(site, channels=(*site.channels, *self.channels))
            if site.key == self.site
            else site
            for site in town.sites
        )
        others = [one for one in town.sensors if one.key != self.sensor.key]
        return structs.replace(town, sites=sites, sensors=(*others, self.sensor))


def suggested(profile: DeviceProfile, site: Site) -> dict[str, str]:
    """Return the suggested channel of each output, by keys.

    Where the site has a channel of that key with another quantity, the quantity is
    added to the key.
    """
    there = {channel.key: channel.quantity for channel in site.channels}
    return {
        one.output: one.channel
        if there.get(one.channel, one.quantity) == one.quantity
        else f"{one.channel}-{one.quantity.replace('_', '-')}"[:64]
        for one in profile.outputs
    }


class Sent(NamedTuple):
    """The message of an example, in one of the formats of its profile."""

    payload_format: str
    topic: str
    payload: bytes


@cache
def shipped() -> Mapping[str, DeviceProfile]:
    """Return the device profiles that come with the program, by key."""
    return {path.stem: load(path) for path in sorted(FOLDER.glob("*.toml"))}


def find(key: str) -> DeviceProfile:
    """Return a device profile by its key; raise `UnknownKey`."""
    found = shipped().get(key)
    if found is None:
        meant = wording.nearest(key, shipped())
        raise UnknownKey(kind="profile", key=key, meant=meant)
    return found


def load(path: Path) -> DeviceProfile:
    """Read a file and check it; raise `BadFile` with the line and the field."""
    text = read_text(path, format=_FORMAT)
    try:
        return parse(text)
    except UsageError as error:
        reason = getattr(error, "reason", error)
        raise BadFile(path=path, format=_FORMAT, reason=reason) from error


def parse(text: str) -> DeviceProfile:
    """Read a device profile from TOML and check it.

    Raise `BadProfile` with the line and the field of the first fault.
    """
    document: Any = None
    try:
        document = parse_toml(text)
        found = msgspec.convert(document, DeviceProfile)
    except tomllib.TOMLDecodeError as error:
        raise _bad(text, "", Phrase("{}", (str(error),))) from error
    except RecursionError as error:
        raise _bad(text, "", Phrase(_TOO_DEEP)) from error
    except (ValueError, OverflowError) as error:
        where = wording.explain(error).where
        phrase = wording.explain(error, document, DeviceProfile).phrase
        raise _bad(text, where, phrase) from error
    for field, phrase in _faults(found):
        raise _bad(text, field, phrase)
    return found


def _bad(text: str, field: str, phrase: Phrase) -> BadProfile:
    line = line_of(text, field) if field else 0
    placed = Phrase("{}: {}", (field, phrase)) if field else phrase
    reason = Phrase(_AT_LINE, (str(line), placed)) if line else placed
    return BadProfile(reason=reason, field=field, phrase=phrase)


_AT_LINE: Final = mark("line {}, {}")


def apply(
    profile: DeviceProfile,
    *,
    site: Site,
    key: str,
    name: str,
    since: datetime,
    ids: Mapping[str, str] = {},
    outputs: Mapping[str, str] | None = None,
    payload_format: str | None = None,
    language: str = "de",
) -> Use:
    """Return what to register for one device at a site, from `since` on.

    `outputs` are the chosen ones with the keys of their channels, by default all those
    `suggested`. A channel that the site has is used; it must measure the same.
    Raise `NotApplicable` for what is missing or does not fit.
    """
    chosen = payload_format or profile.formats[0]
    if chosen not in profile.formats:
        text, values = wording.suggestion(chosen, profile.formats)
        raise NotApplicable(key, "payload_format", text, *values)
    places = _places(profile, chosen, ids, key)
    known = {one.output: one for one in profile.outputs}
    wanted = outputs or suggested(profile, site)
    installations, channels = [], []
    for output, channel_key in wanted.items():
        if output not in known:
            near = Phrase(*wording.suggestion(output, known))
            raise NotApplicable(key, output, _NO_OUTPUT, output, near)
        one = known[output]
        channel = next((c for c in site.channels if c.key == channel_key), None)
        if channel is None:
            channels.append(
                Channel(
                    key=channel_key,
                    name=one.name.in_language(language),
                    quantity=one.quantity,
                    direction=one.direction,
                    direction_name=one.name.in_language(language)
                    if one.direction
                    else "",
                )
            )
        elif channel.quantity != one.quantity:
            there = (channel_key, channel.quantity, output, one.quantity)
            raise NotApplicable(key, output, _OTHER_QUANTITY, *there)
        installations.append(
            Installation(
                site=site.key,
                channel=channel_key,
                output=output,
                since=since,
                mapping=_filled(one.mapping, FieldMapping, places),
            )
        )
    sent_to = _fill(_topic(profile, chosen), places)
    try:
        msgspec.convert(sent_to, TopicFilter | None)
    except msgspec.ValidationError as error:
        phrase = wording.explain(error).phrase
        named = f"topic {sent_to}"
        raise NotApplicable(key, "topic", "{}: {}", named, phrase) from error
    sensor = Sensor(
        key=key,
        name=name,
        model=profile.name.in_language(language),
        payload_format=chosen,
        serial=places.get("serial") or places.get("dev_eui", ""),
        topic=sent_to,
        profile=_filled(profile.profile, Profile, places),
        interval_s=profile.interval_s,
        class_scheme=profile.class_scheme,
        installations=tuple(installations),
    )
    feeds = {channel_key: output for output, channel_key in wanted.items()}
    for new in channels:
        _refuse_bad(key, new, feeds[new.key])
    _refuse_bad(key, sensor)
    return Use(site.key, sensor, tuple(channels))


def _refuse_bad(key: str, record: Channel | Sensor, field: str = "") -> None:
    """Refuse a record with a value that is none, such as a key with blanks."""
    try:
        msgspec.convert(msgspec.to_builtins(record), type(record))
    except msgspec.ValidationError as error:
        found = wording.explain(error)
        where = field or re.split(r"[.\[]", found.where)[0]
        text, values = found.phrase
        raise NotApplicable(key, where, text, *values, named=True) from error


_TOO_DEEP: Final = mark("it is nested too deeply")
_NO_OUTPUT: Final = mark("it has no output {}; {}")
_OTHER_QUANTITY: Final = mark(
    "the channel {} measures {}, and the output {} {}; choose another key"
)
_KEY_TAKEN: Final = mark("there is a sensor {}; choose another key")


def free_channels(
    profile: DeviceProfile, town: Town, site: Site, since: datetime
) -> dict[str, str]:
    """Return the channel of each output as `suggested`, or with a number.

    So that no other sensor feeds it from `since` on.
    """
    taken = {
        each.channel
        for sensor in town.sensors
        for each in sensor.installations
        if each.site == site.key and (not each.until or each.until > since)
    }
    found = suggested(profile, site)
    for output, key in found.items():
        numbered = (f"{key[:60]}-{number}" for number in range(2, 1000))
        found[output] = next(each for each in (key, *numbered) if each not in taken)
    return found


def register(
    profile: DeviceProfile,
    *,
    site: str,
    key: str,
    since: datetime,
    outputs: Mapping[str, str] | None = None,
    **more: Any,
) -> Callable[[Town | None], Town]:
    """Return the edit of a town that registers one device; see `apply`.

    By default the outputs feed `free_channels`. It refuses a site that is not there,
    and a sensor that is.
    """

    def become(town: Town | None) -> Town:
        sites = {one.key: one for one in town.sites} if town else {}
        if town is None or site not in sites:
            raise UnknownKey(kind="site", key=site, meant=wording.nearest(site, sites))
        if any(one.key == key for one in town.sensors):
            raise NotApplicable(key, "key", _KEY_TAKEN, key)
        feeds = outputs or free_channels(profile, town, sites[site], since)
        given = {"key": key, "since": since, "outputs": feeds, **more}
        return apply(profile, site=sites[site], **given).put(town)

    return become


def sample(
    profile: DeviceProfile,
    payload_format: str,
    ids: Mapping[str, str] = {},
    *,
    language: str = "de",
) -> Town:
    """Return a town with one device of the model, whose ids are examples."""
    site = Site(key="site", name="Site", channels=())
    town = Town(key="town", name="Town", state="RP", sites=(site,), sensors=())
    use = apply(
        profile,
        site=site,
        key="sensor",
        name="Sensor",
        since=_SINCE,
        ids={**sample_ids(profile, payload_format), **ids},
        payload_format=payload_format,
        language=language,
    )
    return use.put(town)


def messages(profile: DeviceProfile, example: Example) -> Iterator[Sent]:
    """Yield the message of an example, in each format of the profile.

    Its sender is that of `sample` with the example's ids.
    """
    for name in profile.formats:
        ids = sample_ids(profile, name) | example.ids
        network = networks().get(name)
        if network is not None and example.object is not None:
            payload = network.payload(
                ids=ids,
                fields=example.object,
                port=example.f_port,
                time=example.received_at,
            )
            yield Sent(name, _fill(network.uplink_topic, ids), payload)
            continue
        sent_to = _fill(_topic(profile, name), ids)
        yield Sent(
            name,
            sent_to.replace("+", "1").replace("#", "1")
            if sent_to
            else topic("town", "sensor", example.kind),
            example.payload.encode(),
        )


def ids_in_topic(
    profile: DeviceProfile, payload_format: str, topic: str
) -> dict[str, str] | None:
    """Return the ids that a topic says; None: no device of the model sends there."""
    template = _topic(profile, payload_format)
    if template is None:
        return None
    pattern = "".join(
        _AT_PLACE.get(part[:1], "") or re.escape(part)
        if part[:1] != "{"
        else f"(?P<{part[1:-1]}>[^/]+)"
        for part in re.split(r"(\{[a-z_0-9]+\}|[+#])", template)
    )
    found = re.fullmatch(pattern, topic)
    return found.groupdict() if found else None


#: what stands at the wildcards of topic filters
_AT_PLACE: Final = {"+": "[^/]+", "#": ".+"}


def _topic(profile: DeviceProfile, payload_format: str) -> str | None:
    network = networks().get(payload_format)
    if profile.topic is None and network is not None:
        return network.topic
    return profile.topic


def _places(
    profile: DeviceProfile, payload_format: str, ids: Mapping[str, str], key: str
) -> dict[str, str]:
    """Return what stands at the places of a profile; refuse a missing or a bad id."""
    given = {name: text.strip() for name, text in ids.items() if text.strip()}
    if "dev_eui" in given:
        given["dev_eui"] = re.sub(r"[\s:.-]", "", given["dev_eui"]).lower()
        if not _DEV_EUI.fullmatch(given["dev_eui"]):
            raise NotApplicable(key, "dev_eui", _NO_EUI)
        # as The Things Stack names devices that nobody has named
        given.setdefault("device_id", f"eui-{given['dev_eui']}")
    for name in profile.ids_of(payload_format):
        if name not in given:
            raise NotApplicable(key, name, _NO_ID_GIVEN, name)
        if not _ID.fullmatch(given[name]):
            raise NotApplicable(key, name, _BAD_ID, name)
    network = networks().get(payload_format)
    return given | ({_FIELDS: network.fields} if network else {})


_NO_EUI: Final = mark("a DevEUI has 16 digits from 0 to f")
_NO_ID_GIVEN: Final = mark("the id {} is missing")
_BAD_ID: Final = mark("the id {} has blanks or one of + # / {{ }}, or is too long")


def sample_ids(profile: DeviceProfile, payload_format: str) -> dict[str, str]:
    """Return examples of the ids of one device."""
    return {
        name: IDS[name][1] if name in IDS else "1"
        for name in profile.ids_of(payload_format)
    }


def _faults(profile: DeviceProfile) -> Iterator[tuple[str, Phrase]]:
    """Find what no sensor could be registered with: the field, and what is wrong."""
    outputs = [one.output for one in profile.outputs]
    for number, output in enumerate(outputs):
        if output in outputs[:number]:
            yield f"outputs[{number}].output", Phrase(_TWICE, (f"{output!r}",))
    for payload_format in profile.formats:
        for name in profile.ids_of(payload_format):
            if name not in IDS and name not in profile.ids:
                yield "ids", Phrase(_NOT_EXPLAINED, (f"{{{name}}}",))
        for number, one in enumerate(profile.outputs):
            try:
                _filled(one.mapping, FieldMapping, _samples(profile, payload_format))
            except msgspec.ValidationError as error:
                yield f"outputs[{number}].mapping", _within(error, one.mapping)
                return
        try:
            _filled(profile.profile, Profile, _samples(profile, payload_format))
        except msgspec.ValidationError as error:
            yield "profile", _within(error, profile.profile)
            return
        try:
            town = sample(profile, payload_format)
        except NotApplicable as error:
            yield "topic" if error.field == "topic" else "outputs", error.reason
            return
        for fault in faults_of_town(town):
            yield "outputs", Phrase("{}: {}", (fault.entry.phrase, fault.phrase))
    for number, example in enumerate(profile.examples):
        for expected in example.readings:
            if expected.output not in outputs:
                phrase = Phrase(_NOT_THERE, (f"{expected.output!r}",))
                yield f"examples[{number}].readings", phrase
        lorawan = profile.payload_format == LORAWAN
        if lorawan != (example.object is not None) or lorawan == bool(example.payload):
            yield f"examples[{number}]", Phrase(_OBJECT_OR_PAYLOAD)


_TWICE: Final = mark("{} is there twice")
_NOT_EXPLAINED: Final = mark("nothing says what {} is")
_NOT_THERE: Final = mark("there is no output {}")
_OBJECT_OR_PAYLOAD: Final = mark("a LoRaWAN device has an object, any other a payload")


def _samples(profile: DeviceProfile, payload_format: str) -> dict[str, str]:
    ids = sample_ids(profile, payload_format)
    return _places(profile, payload_format, ids, "")


def _within(error: Exception, document: Any) -> Phrase:
    found = wording.explain(error, document)
    return (
        Phrase("{}: {}", (found.where, found.phrase)) if found.where else found.phrase
    )


def _filled(given: Any, kind: Any, places: Mapping[str, str]) -> Any:
    """Return a record with what stands at the places; numbers may stand there, too."""
    if given is None:
        return None
    return msgspec.convert(_fill_all(given, places), kind, strict=False)


def _fill_all(given: Any, places: Mapping[str, str]) -> Any:
    if isinstance(given, str):
        return _fill(given, places)
    if isinstance(given, dict):
        return {_fill(k, places): _fill_all(v, places) for k, v in given.items()}
    if isinstance(given, list | tuple):
        return [_fill_all(each, places) for each in given]
    return given


def _fill(text: Any, places: Mapping[str, str]) -> Any:
    if text is None:
        return None
    return _PLACE.sub(lambda found: places.get(found[1], found[0]), text)


def _strings(given: Any) -> Iterator[str]:
    if isinstance(given, str):
        yield given
    elif isinstance(given, dict):
        for name, value in given.items():
            yield name
            yield from _strings(value)
    elif isinstance(given, list | tuple):
        for each in given:
            yield from _strings(each)


def line_of(text: str, field: str) -> int:
    """Return the line of TOML in which a field such as `outputs[1].mapping` begins.

    0 if none of it is there; else the line of as much of it as there is.
    """
    lines = text.splitlines()
    at = found = 0
    header = ""
    for name, index in re.findall(r"([^.\[\]]+)(?:\[(\d+)\])?", field):
        header = f"{header}.{name}" if header else name
        table = re.compile(rf"\s*\[+\s*{re.escape(header)}\s*\]+")
        key = re.compile(rf'\s*"?{re.escape(name)}"?\s*[.=]')
        places = [n for n, line in enumerate(lines) if n >= at and table.match(line)]
        number = int(index or 0)
        if len(places) > number:
            at, found = places[number] + 1, places[number] + 1
            continue
        for n in range(at, len(lines)):
            if key.match(lines[n]):
                at, found = n, n + 1
                break
            if n > at and lines[n].lstrip().startswith("["):
                break
    return found
