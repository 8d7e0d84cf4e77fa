"""Why a message or a reading in it was not used: the code stored, and what it says.

The reason is a code. The detail is a source text with places for values, so that it can
be told in any language; what comes from the payload or from a library is a value, and
stays as it is.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from ingest.sequence import Numbered
from verkehrspuls import wording
from verkehrspuls.text import mark as _
from verkehrspuls.text import translate

#: Characters of a detail, and of each value in it.
LONGEST_DETAIL: Final = 300

#: So many unusable readings of a message are described.
MOST_NAMED: Final = 5

#: Reason codes with their meaning and what to do, for people.
REASONS: Final = {
    "unknown-topic": _("The topic has no form that is known here."),
    "unknown-sensor": _("No such sensor is registered in this municipality."),
    "unknown-output": _("The sensor has no output of this name at this time."),
    "unknown-class": _("The payload names a class that does not exist."),
    "class-not-in-scheme": _("The sensor's class scheme does not have this class."),
    "wrong-kind": _("Counts came for an environment channel, or the other way round."),
    "not-utf8": _("The payload is not UTF-8 text."),
    "unreadable": _("The payload does not have the form of its format."),
    "too-deep": _("The payload is nested too deeply."),
    "too-large": _("The message is larger than a message may be."),
    "unknown-format": _("The sensor's payload format does not exist."),
    "no-mapping": _("The output has no mapping that can be read."),
    "no-mapped-field": _("The payload has none of the fields that are mapped."),
    "no-decoded-object": _(
        "The network server sent no decoded object; set up a codec there."
    ),
    "simulated": _("The network server says that no device sent this: it is a test."),
    "not-to-be-stored": _("The device says that this value is not to be stored."),
    "not-meant": _("None of the sensors of this topic takes payloads like this one."),
    "retained": _(
        "The broker had kept the message, and it has no time of its own: when it was "
        "measured nobody knows."
    ),
    "no-birth": _("A metric goes by a number that no birth message has named."),
    "no-time": _("The payload has no time, and that of receipt may not stand in."),
    "not-a-time": _("The field for the time holds none, or one that never was."),
    "not-a-number": _("A mapped field holds something that is not a number."),
    "unknown-unit": _("The value's unit cannot be converted into the quantity's."),
    "too-many-values": _("The message has too many values for one interval."),
    "out-of-range": _("The value is physically impossible."),
    "too-old": _("The reading's time is before the oldest that is accepted."),
    "too-new": _("The reading's time lies too far in the future."),
    "rate-limited": _(
        "The sensor sent more messages than it may; they can be replayed."
    ),
    "database-refused": _("The database refused the reading."),
}


#: What to do about it at the sensor or in its registration, for commands.
ADVICE: Final = {
    "unknown-topic": "Publish under a topic of `verkehrspuls sensor show`, or register "
    "the sensor with this topic.",
    "unknown-sensor": "Register the sensor, or correct the keys in its topic.",
    "unknown-output": "Correct the payload's channel, or the installation's output and "
    "dates.",
    "unknown-class": "Rename the class in the payload, or map it.",
    "class-not-in-scheme": "Register the class scheme that has all classes of the "
    "sensor.",
    "wrong-kind": "Publish under the topic of the other kind, or correct the channel's "
    "quantity.",
    "too-large": "Send fewer intervals in a message.",
    "unknown-format": "Correct the sensor's payload_format.",
    "no-mapping": "Give the installation a mapping.",
    "no-mapped-field": "Correct the mapping: it names fields as the payload does.",
    "no-decoded-object": "Set up a codec for the device at the network server.",
    "simulated": "Nothing: it is no reading. Let the device itself send one.",
    "not-to-be-stored": "Map another metric, or let the device send it without "
    "is_transient.",
    "not-meant": "Register the device, or correct `only` in the profiles of the "
    "topic's sensors.",
    "retained": "Let the payload tell its time (`times` in the profile), or let the "
    "sensor publish without retain.",
    "no-birth": "Let the device send its birth again.",
    "no-time": "Name the time's field in the profile (`times`), or let that of receipt "
    "stand in (`receipt_time`).",
    "not-a-time": "Correct `times` in the sensor's profile, or the device's clock.",
    "not-a-number": "Correct the mapping, or allow text_numbers in the profile.",
    "unknown-unit": "Correct the unit in the mapping.",
    "out-of-range": "Correct unit or factor in the mapping, or repair the device.",
    "too-old": "Set the device's clock.",
    "too-new": "Set the device's clock and its time zone; times are UTC or have an "
    "offset.",
}
#: Where the payload itself is not as it should be.
COMPARE: Final = "Compare the payload with docs/reference/topics-and-payloads.md."

#: Texts of details that are stored, and not made any more.
OLD: Final = (
    _("the decoder says: {}"),
    _("{} has no offset"),
    _("{} cannot become {}"),
    _("{} at {}"),
    _("[{}]: an array in an array"),
)
#: What is wrong with a payload: see `explained`.
SAYS: Final = "{}"
DEEP: Final = _("arrays or objects are nested too deeply")
NO_TEXT: Final = _("byte {} is not UTF-8")
POSSIBLE: Final = _("{}, possible are {} to {}")
_IN_SECONDS: Final = _("{} = {}: {}; write whole seconds, 1 to 90000")
_IN_NUMBERS: Final = _(
    "{} = {}: {}; write null where there is no value, else a number without quotes"
)


class Detail(NamedTuple):
    """What in particular was wrong: a text, and what stands in its places `{}`.

    Without values the text may as well be what came, and is not looked at for places.
    """

    text: str = ""
    #: texts, numbers, or details again
    values: Sequence[Any] = ()

    @classmethod
    def of(cls, text: str, *values: "str | float | Detail") -> "Detail":
        """Make one that can be stored, whatever it quotes."""
        return cls(
            _storable(text),
            [_storable(each) if isinstance(each, str) else each for each in values],
        )

    def stored(self) -> str | None:
        """Give the values as the database keeps them."""
        return msgspec.json.encode(self.values).decode() if self.values else None

    def say(self, language: str) -> str:
        """Say it in a language."""
        text = translate(self.text, language)
        if not self.values:
            return text
        return text.format(
            *(
                # a detail comes back from the database as a list
                Detail(*value).say(language)
                if isinstance(value, list | tuple)
                else value
                for value in self.values
            )
        )


def _storable(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return text if len(text) <= LONGEST_DETAIL else f"{text[:LONGEST_DETAIL]}…"


def dated(problem: "Unusable", time: datetime) -> "Unusable":
    """Name the time of a reading, where its message holds others too."""
    if problem.reason in _NAME_THE_TIME:
        return problem
    said = time.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return Unusable(problem.reason, "{}: {}", said, problem.detail)


def several(details: Sequence[Detail]) -> Detail:
    """Make one detail of those of several readings: the first of them, and how many."""
    if len(details) == 1:
        return details[0]
    shown = details[:MOST_NAMED]
    text = "; ".join(["{}"] * len(shown))
    if left := len(details) - len(shown):
        return Detail.of(_("{}; and {} more"), Detail.of(text, *shown), left)
    return Detail.of(text, *shown)


def explain(reason: str, detail: Detail, language: str) -> str:
    """Say in a language what was wrong, and in what; a code of old as it is."""
    meaning = translate(REASONS.get(reason, reason), language)
    said = detail.say(language)
    return f"{meaning} ({said})" if said else meaning


def explained(error: Exception) -> Detail:
    """Put what the decoder says of a payload into words of ours."""
    return _explained(str(error))


@lru_cache(maxsize=1000)  # a device that sends it wrong does so again and again
def _explained(error: str) -> Detail:
    where, text, values = wording.explain(error)
    said = Detail.of(text, *map(_translatable, values))
    return Detail.of("{}: {}", where, said) if where else said


def of_field(name: str, value: str, error: Exception) -> Detail:
    """Say of a field what is wrong with its value, and what would be right."""
    said = explained(error)
    if name == "interval_s":
        return Detail.of(_IN_SECONDS, name, value, said)
    number = str(error).startswith(("Expected `int", "Expected `float"))
    return Detail.of(_IN_NUMBERS if number else "{} = {}: {}", name, value, said)


def _translatable(value: str) -> str | Detail:
    """Make a detail of kinds of values, such as `text / a number`."""
    kinds = value.split(" / ")
    if not set(kinds) <= set(wording.KINDS.values()):
        return value
    return Detail.of(" / ".join("{}" for _ in kinds), *map(Detail.of, kinds))


class Dropped(NamedTuple):
    """A field that was left out of a reading which can be used without it."""

    field: str
    #: a key of `DROPPED`
    problem: str
    #: as it came
    value: str


#: What can be wrong with a field that is dropped, for people.
DROPPED: Final = {
    "below": _("smaller than it can be, as -1 where nothing was measured"),
    "above": _("larger than it can be, as 65535 where nothing was measured"),
    "wrong": _("no number, or not what the field holds"),
    "sentinel": _("a value that the sensor's profile names as no value"),
}


#: Their details have the time.
_NAME_THE_TIME: Final = frozenset({"too-old", "too-new", "unknown-output"})


class Unusable(Exception):
    """A message or reading that cannot be used, with its reason code and the detail.

    The values stand in the places `{}` of the text.
    """

    def __init__(self, reason: str, text: str, *values: str | float | Detail) -> None:
        super().__init__(reason, text, *values)
        self.reason = reason
        self.detail = Detail.of(text, *values)
        #: sequence numbers that could be read all the same
        self.numbered: Sequence[Numbered] = ()
