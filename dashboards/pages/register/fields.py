"""The fields of the forms, by kind: what each is called, and how it is written.

A form is made from this table. What is wrong with a value is found by the record of
the kind (`registration.RECORDS`) and by `registry.faults`, not here.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from verkehrspuls import model, wording
from verkehrspuls.calendar import at_clock, states
from verkehrspuls.classes import SCHEMES
from verkehrspuls.language import Language
from verkehrspuls.model import Key, Name, Town, Words
from verkehrspuls.quantities import QUANTITIES
from verkehrspuls.registry.formats import payload_formats
from verkehrspuls.registry.maintenance import WORKS, Maintenance
from verkehrspuls.registry.registration import RECORDS, Kind
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

#: value and text of a choice
Options = Callable[[Town, Language], Sequence[tuple[str, str]]]
#: what the template makes of a field
Control = Literal["text", "number", "choice", "time", "day", "lines"]


class NotWritten(Exception):
    """A text that is no value: {phrase}."""

    def __init__(self, phrase: Phrase) -> None:
        super().__init__(phrase.in_language("en"))
        self.phrase = phrase


class Writing:
    """How a value is written in a form, and read from it; here: text as it is."""

    control: Control = "text"

    def show(self, value: Any, zone: str) -> str:
        """Write a value."""
        return str(value)

    def read(self, text: str, zone: str) -> Any:
        """Read a value; what is none stays text, which the record refuses."""
        return text


class Number(Writing):
    """A number, with a point or a comma."""

    control: Control = "number"

    def read(self, text: str, zone: str) -> Any:
        """Read a number; text that is none stays text."""
        for kind in (int, float):
            try:
                return kind(text.replace(",", ".").replace("\N{MINUS SIGN}", "-"))
            except ValueError:
                continue
        return text


@dataclass(frozen=True)
class Choice(Writing):
    """One of several values."""

    options: Options
    control: Control = "choice"


class Time(Writing):
    """A time on the town's clock."""

    control: Control = "time"

    def show(self, value: Any, zone: str) -> str:
        """Write a time as browsers do."""
        time = datetime.fromisoformat(value).astimezone(ZoneInfo(zone))
        text = time.replace(tzinfo=None).isoformat()
        return text.removesuffix(":00") if time.second == 0 else text

    def read(self, text: str, zone: str) -> Any:
        """Read a time, and refuse one that the clock shows twice or never."""
        try:
            wall = datetime.fromisoformat(text)
        except ValueError:
            return text
        if wall.tzinfo is None:
            try:
                wall = at_clock(wall, zone)
            except ValueError as error:
                raise NotWritten(Phrase(_CHANGE)) from error
            except OverflowError:
                return text
        return msgspec.to_builtins(wall.astimezone(UTC))


_CHANGE: Final = mark(
    "the clock shows this time twice or never, because summer time begins or ends; "
    "choose another hour"
)


class Day(Writing):
    """A local day."""

    control: Control = "day"


class Prose(Writing):
    """Text of several lines."""

    control: Control = "lines"


@dataclass(frozen=True)
class Lines(Writing):
    """Entries, one a line, their parts separated by semicolons."""

    columns: tuple[str, ...]
    #: of the last column, where it is a number
    number: bool = False
    #: names with values, rather than entries
    named: bool = False
    control: Control = "lines"

    def show(self, value: Any, zone: str) -> str:
        """Write a line for each entry."""
        rows = (
            value.items()
            if self.named
            else ([each[name] for name in self.columns] for each in value)
        )
        return "\n".join("; ".join(map(str, row)) for row in rows)

    def read(self, text: str, zone: str) -> Any:
        """Read the lines."""
        found = []
        for line in filter(None, map(str.strip, text.splitlines())):
            parts: list[Any] = [part.strip() for part in line.split(";")]
            if len(parts) != len(self.columns):
                values = (line[:80], str(len(self.columns)))
                raise NotWritten(Phrase(_PARTS, values))
            if self.number:
                parts[-1] = Number().read(parts[-1], zone)
            found.append(parts)
        if self.named:
            return {name: value for name, value in found}
        return [dict(zip(self.columns, parts, strict=True)) for parts in found]


_PARTS: Final = mark("the line “{}” has not {} parts; separate them by semicolons")


@dataclass(frozen=True)
class Document(Writing):
    """A record in JSON; what has its default value is left out."""

    record: type[Struct]
    control: Control = "lines"

    def show(self, value: Any, zone: str) -> str:
        """Write the record."""
        usual = msgspec.to_builtins(self.record())
        told = {name: each for name, each in value.items() if each != usual.get(name)}
        return msgspec.json.format(msgspec.json.encode(told)).decode() if told else ""

    def read(self, text: str, zone: str) -> Any:
        """Read the record."""
        try:
            return msgspec.json.decode(text)
        except msgspec.DecodeError as error:
            raise NotWritten(wording.explain(error).phrase) from error


class Records(Writing):
    """Records, one a line, each in JSON."""

    control: Control = "lines"

    def show(self, value: Any, zone: str) -> str:
        """Write a line for each record."""
        return "\n".join(msgspec.json.encode(each).decode() for each in value)

    def read(self, text: str, zone: str) -> Any:
        """Read the lines."""
        lines = filter(None, map(str.strip, text.splitlines()))
        try:
            return [msgspec.json.decode(line) for line in lines]
        except msgspec.DecodeError as error:
            raise NotWritten(wording.explain(error).phrase) from error


TEXT: Final = Writing()
PROSE: Final = Prose()
NUMBER: Final = Number()
TIME: Final = Time()
DAY: Final = Day()


class Field(NamedTuple):
    """A field of a form."""

    name: str
    label: str
    hint: str = ""
    unit: str = ""
    writing: Writing = TEXT


def _of(words: Mapping[str, str]) -> Choice:
    return Choice(lambda _, language: [(k, language.phrase(words[k])) for k in words])


STATUS_NAMES: Final = {
    "planned": mark("planned"),
    "active": mark("in service"),
    "out-of-service": mark("out of service"),
    "dismantled": mark("dismantled"),
}
_VISIBILITY: Final = {
    "public": mark("public"),
    "cluster": mark("people with a role in any municipality"),
    "private": mark("people with a role here"),
}
_POWER: Final = {
    "": mark("not registered"),
    "mains": mark("mains"),
    "battery": mark("battery"),
    "solar": mark("solar"),
}


def _quantities(_: Town, language: Language) -> list[tuple[str, str]]:
    return [(key, language.quantity(key)) for key in QUANTITIES]


def _schemes(_: Town, language: Language) -> list[tuple[str, str]]:
    none = language.phrase(mark("none: it does not count"))
    return [("", none), *((key, key) for key in SCHEMES)]


def _formats(_: Town, language: Language) -> list[tuple[str, str]]:
    return [(key, key) for key in payload_formats()]


def _channels(town: Town, language: Language) -> list[tuple[str, str]]:
    return [
        (f"{site.key}/{channel.key}", f"{site.name}: {channel.name}")
        for site in town.sites
        for channel in site.channels
    ]


def _states(_: Town, language: Language) -> list[tuple[str, str]]:
    return list(states().items())


def sites_of(town: Town, language: Language) -> list[tuple[str, str]]:
    """Return the sites, as options."""
    return [(site.key, site.name) for site in town.sites]


def sensors_of(town: Town, language: Language) -> list[tuple[str, str]]:
    """Return the sensors, as options."""
    return [(sensor.key, sensor.name) for sensor in town.sensors]


def _places(town: Town, language: Language) -> list[tuple[str, str]]:
    whole = language.phrase(mark("in the whole municipality"))
    return [("", whole), *sites_of(town, language)]


class LocalEvent(Struct):
    """What takes place on local days, at a site or in the whole municipality."""

    name: Name
    first: date
    last: date | None = None
    site: Key | None = None
    note: Words = ""


_KEY: Final = Field(
    "key",
    mark("Key"),
    mark(
        "Short and lasting: it is part of addresses and topics and cannot be changed. "
        "Small letters a to z, digits and hyphens."
    ),
)
_NAME: Final = Field("name", mark("Name"), mark("As it stands on pages."))
_STATUS: Final = Field("status", mark("State"), writing=_of(STATUS_NAMES))

#: the key of a channel or an installation begins with that of what it is part of
OWNERS: Final[Mapping[Kind, Field]] = {
    "channel": Field("of", mark("Site"), writing=Choice(sites_of)),
    "installation": Field("of", mark("Sensor"), writing=Choice(sensors_of)),
}

_LINK: Final = mark("An address that begins with https:// or mailto:.")

FIELDS: Final[Mapping[str, tuple[Field, ...]]] = {
    "municipality": (
        _NAME,
        Field("state", mark("Federal state"), writing=Choice(_states)),
        Field("time_zone", mark("Time zone"), mark("Such as Europe/Berlin.")),
        Field(
            "licence",
            mark("Licence of the data"),
            mark("Such as dl-de/by-2-0. Pages and exports state it."),
        ),
        Field("imprint", mark("Imprint"), _LINK),
        Field("privacy", mark("Privacy notice"), _LINK),
        Field("contact", mark("Contact"), _LINK),
        Field(
            "latitude",
            mark("Latitude"),
            mark("Of the centre, such as 49.4447."),
            "°",
            NUMBER,
        ),
        Field("longitude", mark("Longitude"), mark("Such as 7.7689."), "°", NUMBER),
    ),
    "site": (
        _KEY,
        _NAME,
        Field("place", mark("Where it is"), mark("Such as: in front of number 12.")),
        Field("road", mark("Road"), mark("Such as B 37.")),
        Field(
            "latitude",
            mark("Latitude"),
            mark(
                "Such as 49.4447. Coordinates in UTM or Gauß-Krüger are recognised: "
                "write them into the two fields."
            ),
            "°",
            NUMBER,
        ),
        Field("longitude", mark("Longitude"), mark("Such as 7.7689."), "°", NUMBER),
        Field("speed_limit_kmh", mark("Speed limit"), unit="km/h", writing=NUMBER),
        Field("lanes", mark("Lanes, in both directions"), writing=NUMBER),
        Field("visibility", mark("Who sees it"), writing=_of(_VISIBILITY)),
        _STATUS,
    ),
    "channel": (
        _KEY,
        _NAME,
        Field("quantity", mark("What it measures"), writing=Choice(_quantities)),
        Field(
            "direction",
            mark("Key of the direction"),
            mark("Such as in or nord. Empty: it has none."),
        ),
        Field(
            "direction_name",
            mark("Name of the direction"),
            mark("Such as: towards the centre."),
        ),
        Field(
            "bearing_deg",
            mark("Direction of travel"),
            mark("In degrees, clockwise: 0 is to the north, 90 to the east."),
            "°",
            NUMBER,
        ),
        Field("lane", mark("Lane"), mark("A number. Empty: all lanes."), "", NUMBER),
        Field(
            "thresholds",
            mark("Thresholds"),
            mark("One a line: name; value in the unit of the quantity."),
            writing=Lines(("name", "value"), number=True, named=True),
        ),
    ),
    "sensor": (
        _KEY,
        _NAME,
        Field("model", mark("Model")),
        Field("serial", mark("Serial number, or DevEUI")),
        Field("firmware", mark("Firmware")),
        Field("owner", mark("Owner"), mark("Where it is not the municipality.")),
        Field("power", mark("Power"), writing=_of(_POWER)),
        Field(
            "interval_s",
            mark("Interval"),
            mark("How long each of its readings lasts: 300 are five minutes."),
            "s",
            NUMBER,
        ),
        Field(
            "class_scheme",
            mark("Classes that it counts"),
            writing=Choice(_schemes),
        ),
        Field(
            "payload_format",
            mark("Format of its messages"),
            writing=Choice(_formats),
        ),
        Field(
            "topic",
            mark("Topic"),
            mark("Of a foreign format only; + stands for one level."),
        ),
        Field(
            "profile",
            mark("Profile of its messages"),
            mark("In JSON. Empty: nothing special."),
            writing=Document(model.Profile),
        ),
        _STATUS,
    ),
    "installation": (
        Field(
            "output",
            mark("Output"),
            mark("As the device names it in its messages, such as 1."),
        ),
        Field("channel", mark("Attached to"), writing=Choice(_channels)),
        Field("since", mark("From"), mark("Local time."), writing=TIME),
        Field("until", mark("Until"), mark("Empty: it goes on."), writing=TIME),
        Field(
            "mapping",
            mark("Mapping"),
            mark('In JSON, of a foreign format only: {"field": "temperature"}.'),
            writing=Document(model.Mapping),
        ),
        Field(
            "calibrations",
            mark("Calibrations"),
            mark(
                'One a line, in JSON: {"since": "2026-03-02T08:00:00Z", "factor": '
                "1.05}. A manual count fills them in."
            ),
            writing=Records(),
        ),
    ),
    "corridor": (
        _KEY,
        _NAME,
        Field(
            "stations",
            mark("Stations"),
            mark(
                "One a line, in the direction of travel: site; direction; metres from "
                "the start."
            ),
            writing=Lines(("site", "direction", "chainage_m"), number=True),
        ),
    ),
    "junction": (
        _KEY,
        _NAME,
        Field(
            "arms",
            mark("Ways in and out"),
            mark("One a line: site; direction; in or out."),
            writing=Lines(("site", "direction", "leads")),
        ),
    ),
    "event": (
        Field("name", mark("Name"), mark("Such as: closed for works.")),
        Field("first", mark("First day"), writing=DAY),
        Field("last", mark("Last day"), mark("Empty: the first day."), writing=DAY),
        Field("site", mark("Where"), writing=Choice(_places)),
        Field("note", mark("Remark")),
    ),
    "maintenance": (
        Field("done_at", mark("Done at"), mark("Local time."), writing=TIME),
        Field("kind", mark("What was done"), writing=_of(WORKS)),
        Field("note", mark("Remark"), writing=PROSE),
        Field(
            "due_on",
            mark("Next maintenance"),
            mark("The day of the newest entry holds. Empty: none is due."),
            writing=DAY,
        ),
    ),
}
#: what a form makes, by its kind
MADE: Final[Mapping[str, type[Struct]]] = {
    **{str(kind): record for kind, record in RECORDS.items()},
    "event": LocalEvent,
    "maintenance": Maintenance,
}

#: kinds of entries of the registration that have a form
FormKind = Literal["site", "channel", "sensor", "installation", "corridor", "junction"]
assert set(get_args(FormKind)) <= set(FIELDS)  # noqa: S101 - of this file


def written(kind: str, fields: Mapping[str, Any], zone: str) -> dict[str, str]:
    """Write the fields of an entry as the form shows them."""
    found = {}
    for field in FIELDS[kind]:
        value = fields.get(field.name)
        if kind == "installation" and field.name == "channel" and value is not None:
            value = f"{fields['site']}/{value}"
        found[field.name] = "" if value is None else field.writing.show(value, zone)
    return found


def read(
    kind: str,
    typed: Mapping[str, str],
    zone: str,
    *,
    before: Mapping[str, Any] | None = None,
) -> tuple[dict[str, Any], dict[str, Phrase]]:
    """Read a form: the fields of the entry, and what is wrong with them, by field.

    What was not changed stays exactly as it was `before`.
    """
    fields = dict(before or {})
    old = written(kind, fields, zone) if before else {}
    wrong: dict[str, Phrase] = {}
    for field in FIELDS[kind]:
        text = typed.get(field.name, "").replace("\r\n", "\n").strip()
        if field.name not in typed or (before and text == old[field.name]):
            continue
        fields.pop(field.name, None)
        if text:
            try:
                fields[field.name] = field.writing.read(text, zone)
            except NotWritten as error:
                wrong[field.name] = error.phrase
    if kind == "installation" and "/" in (channel := fields.get("channel") or ""):
        fields["site"], _, fields["channel"] = channel.partition("/")
    given = {name: value for name, value in fields.items() if value is not None}
    for name, phrase in _refused(kind, given):
        wrong.setdefault(name, phrase)
    return given, wrong


def _refused(kind: str, fields: Mapping[str, Any]) -> Iterator[tuple[str, Phrase]]:
    """Find every value that the record does not take, not only the first."""
    shown = {field.name for field in FIELDS[kind]}
    for field in msgspec.structs.fields(MADE[kind]):
        if field.name not in fields:
            if field.required and field.name in shown:
                yield field.name, Phrase(mark("it is needed"))
            continue
        value = fields[field.name]
        try:
            msgspec.convert(value, field.type)
        except msgspec.ValidationError as error:
            found = wording.explain(error, value, field.type)
            where = Phrase("{}: {}", (found.where, found.phrase))
            yield field.name, where if found.where else found.phrase
