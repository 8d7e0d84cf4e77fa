"""Adopt an unknown sensor: guess what it is, register it, and replay what it had sent.

Guessed is from its topic and its messages: by the device profiles of the program and of
the municipality, as sensors that send beside it are registered, and, of a native
sensor, as it says itself. What makes readings of most messages comes first.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import structs

from ingest.batch import Message
from ingest.formats.native import decode
from ingest.reasons import Unusable
from ingest.resolve import is_beside
from ingest.trial import Trial, preview
from verkehrspuls import wording
from verkehrspuls.classes import SCHEMES
from verkehrspuls.errors import UnknownKey, UsageError
from verkehrspuls.model import Sensor, Site, Town
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.registry import device_profiles, drafts, own_profiles, replays
from verkehrspuls.registry.device_profiles import NATIVE, DeviceProfile
from verkehrspuls.registry.edit import edit, read, require
from verkehrspuls.registry.registration import Change
from verkehrspuls.registry.unknown import Kept, UnknownSensor, unknown_sensors
from verkehrspuls.registry.unknown import messages as messages_of
from verkehrspuls.settings import Ingest
from verkehrspuls.storage.database import Connection
from verkehrspuls.text import mark, translate
from verkehrspuls.wire import parse_topic

#: keys of guesses: of a device profile, as another sensor, as the payload says
PROFILE: Final = "profile"
LIKE: Final = "like"
ITSELF: Final = "itself"
#: ways in which sensors of a town are registered that are tried
MAX_WAYS: Final = 20
_OUTPUT: Final = mark("Output {}")
_NAME: Final = mark("Native format")
_NO_KEY: Final = re.compile(r"[^a-z0-9]+")
_LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Guess(NamedTuple):
    """What an unknown sensor may be, and what its messages would become then."""

    #: such as `profile/telraam/telraam`, `like/camera-1` and `itself`
    key: str
    profile: DeviceProfile
    payload_format: str
    #: ids that its topic says
    ids: Mapping[str, str]
    trials: Sequence[Trial] = ()

    @property
    def missing(self) -> list[str]:
        """List the ids that a person has to say."""
        needed = self.profile.ids_of(self.payload_format)
        return [each for each in needed if each not in self.ids]

    @property
    def readings(self) -> int:
        """Return how many readings the messages would become."""
        return sum(len(trial.readings) for trial in self.trials)

    @property
    def used(self) -> int:
        """Return how many of the messages would be used."""
        return sum(trial.problem is None for trial in self.trials)


class Adoption(NamedTuple):
    """How an unknown sensor is registered."""

    guess: Guess
    site: str
    key: str
    name: str
    since: datetime
    #: further ids, and the channel of each output where it is not the suggested one
    ids: Mapping[str, str] = {}
    channels: Mapping[str, str] = {}
    language: str = "de"


class Found(NamedTuple):
    """An unknown sensor of a town, its newest messages, and what it may be."""

    town: Town
    unknown: UnknownSensor
    kept: Sequence[Kept]
    guesses: Sequence[Guess]


def find(
    connection: Connection,
    settings: Ingest,
    municipality: str,
    sender: str | None = None,
    *,
    now: datetime,
) -> list[Found]:
    """Return the unknown sensors of a town, or one, with guesses of what they are."""
    town = read(connection, municipality)
    profiles = own_profiles.profiles(connection, municipality)
    found = []
    for one in unknown_sensors(connection, municipality, now=now):
        if sender in (None, one.sender):
            kept = messages_of(connection, municipality, one.sender, now=now)
            guessed = guesses(town, settings, one, kept, profiles)
            found.append(Found(town, one, kept, guessed))
    return found


def plan(
    found: Found,
    *,
    site: str,
    guess: str = "",
    key: str = "",
    name: str = "",
    since: datetime | None = None,
    ids: Mapping[str, str] = {},
    channels: Mapping[str, str] = {},
    language: str = "de",
) -> Adoption:
    """Return an adoption in which what is not said is as guessed.

    Raise `NothingFits` where nothing is guessed, and `UnknownKey` for another guess.
    """
    known = {one.key: one for one in found.guesses}
    chosen = known.get(guess) if guess else next(iter(found.guesses), None)
    if chosen is None and guess:
        raise UnknownKey(kind="guess", key=guess, meant=wording.nearest(guess, known))
    if chosen is None:
        raise NothingFits(sender=found.unknown.sender)
    named = key or suggested_key(found.unknown, chosen)
    return Adoption(
        guess=chosen,
        site=site,
        key=named,
        name=name or named,
        since=since or since_of(found.unknown, chosen, found.kept),
        ids=ids,
        channels=channels,
        language=language,
    )


class NothingFits(UsageError):
    """Nothing fits what {sender} sends.

    Make a device profile of its messages, on the page or as a file, and register it.
    """

    code = "nothing-fits"
    http_status = 422


def guesses(
    town: Town,
    settings: Ingest,
    unknown: UnknownSensor,
    messages: Sequence[Kept],
    profiles: Mapping[str, DeviceProfile],
) -> list[Guess]:
    """Return what an unknown sensor may be, the best first; nothing where none fits.

    `profiles` are the device profiles that are tried, by key.
    """
    if not messages:
        return []
    found = []
    for guess in _candidates(town, unknown, messages, profiles):
        try:
            alone = town_of(town, unknown, guess, "en")
        except UsageError:
            continue
        trials = previews(alone, settings, messages)
        if any(one.readings or one.status for one in trials):
            found.append(guess._replace(trials=trials))
    return sorted(found, key=lambda one: (one.used, one.readings), reverse=True)


def suggested_key(unknown: UnknownSensor, guess: Guess | None) -> str:
    """Suggest the key of a sensor; a native one has its key already."""
    if unknown.key:
        return unknown.key
    words = [*guess.ids.values()] if guess else []
    text = "-".join(words) if words else unknown.sender.split("/")[-1]
    return _NO_KEY.sub("-", text.lower()).strip("-")[-64:].strip("-") or "x"


def since_of(
    unknown: UnknownSensor, guess: Guess | None, messages: Sequence[Kept]
) -> datetime:
    """Return from when on it is installed: the hour of its first reading."""
    delays = [
        message.received_at - reading.time
        for message, trial in zip(messages, guess.trials if guess else (), strict=False)
        for reading in trial.readings
    ]
    first = unknown.first_at - max(delays, default=timedelta(0))
    return first.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def town_of(town: Town, unknown: UnknownSensor, guess: Guess, language: str) -> Town:
    """Return a town with nothing but the unknown sensor, at a site of its own.

    Raise `UsageError` if it cannot be registered so.
    """
    site = Site(key="site", name="Site", channels=())
    alone = structs.replace(town, sites=(site,), sensors=(), corridors=(), junctions=())
    ids = device_profiles.sample_ids(guess.profile, guess.payload_format)
    known = guess._replace(ids={**ids, **guess.ids})
    key = unknown.key or "x"
    adoption = Adoption(known, site.key, key, key, _LONG_AGO, language=language)
    return _become(adoption)(alone)


def previews(
    town: Town, settings: Ingest, messages: Sequence[Kept], *, language: str = "en"
) -> list[Trial]:
    """Return what messages would become if a town were what is registered."""
    return [
        preview(
            town,
            settings,
            Message(one.topic, one.payload, one.received_at),
            language=language,
        )
        for one in messages
    ]


def adopt(
    connection: Connection, municipality: str, adoption: Adoption
) -> list[Change]:
    """Register an unknown sensor, and ask that what is kept of it be replayed.

    To be committed. Raise `UsageError` for what does not fit.
    """
    changes = register(connection, municipality, adoption)
    replays.ask(connection, municipality, adoption.key)
    return changes


def register(
    connection: Connection, municipality: str, adoption: Adoption
) -> list[Change]:
    """Register an unknown sensor; to be committed."""
    require(connection, municipality)
    return edit(connection, municipality, _become(adoption))


def channels_of(town: Town, site: Site, adoption: Adoption) -> dict[str, str]:
    """Return the channel of each output, by keys: the chosen ones, others are free."""
    profile = adoption.guess.profile
    found = device_profiles.free_channels(profile, town, site, adoption.since)
    return {output: adoption.channels.get(output) or found[output] for output in found}


def _become(adoption: Adoption) -> Callable[[Town | None], Town]:
    def become(town: Town | None) -> Town:
        sites = town.sites if town else ()
        site = next((one for one in sites if one.key == adoption.site), None)
        made = device_profiles.register(
            adoption.guess.profile,
            site=adoption.site,
            key=adoption.key,
            name=adoption.name,
            since=adoption.since,
            ids={**adoption.guess.ids, **adoption.ids},
            outputs=channels_of(town, site, adoption) if town and site else None,
            payload_format=adoption.guess.payload_format,
            language=adoption.language,
        )
        return made(town)

    return become


def _candidates(
    town: Town,
    unknown: UnknownSensor,
    messages: Sequence[Kept],
    profiles: Mapping[str, DeviceProfile],
) -> Iterator[Guess]:
    if unknown.key is not None:
        if found := _as_it_says(messages):
            yield found
    else:
        yield from _as_others(town, unknown)
    for key, profile in profiles.items():
        for name in profile.formats:
            if (name == NATIVE) != (unknown.key is not None):
                continue
            ids = device_profiles.ids_in_topic(profile, name, unknown.sender)
            if name == NATIVE or ids is not None:
                yield Guess(f"{PROFILE}/{key}/{name}", profile, name, ids or {})


def _as_others(town: Town, unknown: UnknownSensor) -> Iterator[Guess]:
    """Yield how sensors are registered that send beside it; each way once."""
    ways: set[bytes] = set()
    for sensor in town.sensors:
        if not sensor.topic or sensor.profile.only or not sensor.installations:
            continue
        if not is_beside(unknown.sender, sensor.topic, sensor.payload_format):
            continue
        profile = _profile_of(town, sensor, unknown.sender)
        way = msgspec.json.encode(
            structs.replace(profile, name=_PLAIN), order="deterministic"
        )
        if way not in ways and len(ways) < MAX_WAYS:
            ways.add(way)
            yield Guess(f"{LIKE}/{sensor.key}", profile, sensor.payload_format, {})


_PLAIN: Final = device_profiles.Texts(de="…", en="…")


def _profile_of(town: Town, sensor: Sensor, topic: str) -> DeviceProfile:
    """Return how a sensor is registered as the device profile of another one."""
    channels = {
        (site.key, channel.key): channel
        for site in town.sites
        for channel in site.channels
    }
    outputs = {}
    for each in sensor.installations:
        channel = channels[each.site, each.channel]
        outputs[each.output] = {
            "output": each.output,
            "channel": channel.key,
            "name": {"de": channel.name, "en": channel.name},
            "quantity": channel.quantity,
            "direction": channel.direction,
            "mapping": msgspec.to_builtins(each.mapping),
        }
    name = sensor.model or sensor.name
    return drafts.complete(
        {
            "name": {"de": name, "en": name},
            "payload_format": sensor.payload_format,
            "topic": topic,
            "interval_s": sensor.interval_s,
            "class_scheme": sensor.class_scheme,
            "profile": msgspec.to_builtins(sensor.profile),
            "outputs": list(outputs.values()),
            "examples": _NO_EXAMPLES,
        }
    )


#: a profile that is used at once needs none
_NO_EXAMPLES: Final = [{"received_at": "2026-01-01T00:00:00Z"}]


def _as_it_says(messages: Sequence[Kept]) -> Guess | None:
    """Return what a native sensor says of itself."""
    classes: dict[str, set[str]] = {}
    intervals: list[int] = []
    values: list[str] = []
    for message in messages:
        topic = parse_topic(message.topic)
        try:
            decoded = decode(topic.kind, message.payload) if topic else None
        except Unusable:
            continue
        if decoded is None:
            continue
        series = decoded.series
        for reading in series.readings() if series else decoded.readings:
            intervals.append(reading.interval_s)
            if hasattr(reading, "classes"):
                known = {name for name, n in reading.classes.items() if n is not None}
                classes.setdefault(reading.output, set()).update(known)
            elif reading.output in ENVIRONMENT:
                values.append(reading.output)
    outputs = [_counting(output, classes[output]) for output in sorted(classes)]
    outputs += [_measuring(key) for key in sorted(set(values))]
    if not outputs:
        return None
    named = {lang: translate(_NAME, lang) for lang in ("de", "en")}
    scheme = _scheme(set().union(*classes.values())) if classes else None
    profile = drafts.complete(
        {
            "name": named,
            "payload_format": NATIVE,
            "interval_s": max(set(intervals), key=intervals.count),
            "class_scheme": scheme,
            "outputs": outputs,
            "examples": _NO_EXAMPLES,
        }
    )
    return Guess(ITSELF, profile, NATIVE, {})


def _counting(output: str, classes: set[str]) -> dict[str, Any]:
    others = [q for q in ("bicycle", "pedestrian") if classes == {q}]
    return {
        "output": output,
        "channel": _NO_KEY.sub("-", output.lower()).strip("-")[:64] or "x",
        "name": {de: translate(_OUTPUT, de).format(output) for de in ("de", "en")},
        "quantity": others[0] if others else "motor",
    }


def _measuring(key: str) -> dict[str, Any]:
    return {
        "output": key,
        "channel": key.replace("_", "-"),
        "name": {lang: translate(ENVIRONMENT[key].name, lang) for lang in ("de", "en")},
        "quantity": key,
    }


def _scheme(classes: set[str]) -> str:
    """Return the smallest class scheme that has all of these classes, or most."""
    return max(
        SCHEMES, key=lambda key: (len(classes & {*SCHEMES[key]}), -len(SCHEMES[key]))
    )
