"""Why a message or a reading in it was not used: the stored code and its text.

The reason is a code. The detail is a source text with places for values, so that it can
be translated; values come from the payload or a library, and stay unchanged.
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

#: Maximum characters of a detail, and of each value in it.
MAX_DETAIL_LENGTH: Final = 300

#: Unusable readings described per message.
MAX_READINGS_LISTED: Final = 5

#: Meaning of each reason code and what to do, for people.
REASONS: Final = {
    "unknown-topic": _("The topic does not have a known form."),
    "unknown-sensor": _("No such sensor is registered in this municipality."),
    "unknown-output": _("The sensor has no output of this name at this time."),
    "unknown-class": _("The payload names a class that does not exist."),
    "class-not-in-scheme": _("The sensor's class scheme does not have this class."),
    "wrong-kind": _("Counts came for an environment channel, or the other way round."),
    "not-utf8": _("The payload is not UTF-8 text."),
    "unreadable": _("The payload does not match its format."),
    "too-deep": _("The payload is nested too deeply."),
    "too-large": _("The message is too large."),
    "unknown-format": _("The sensor's payload format does not exist."),
    "no-mapping": _("The output has no readable mapping."),
    "no-mapped-field": _("The payload has none of the fields that are mapped."),
    "no-decoded-object": _(
        "The network server sent no decoded object; set up a codec there."
    ),
    "simulated": _("The network server says that no device sent this: it is a test."),
    "not-to-be-stored": _("The device says that this value is not to be stored."),
    "not-meant": _("No sensor of this topic accepts a payload like this one."),
    "retained": _(
        "The broker had retained the message, and it has no time of "
        "its own: when it was measured is unknown."
    ),
    "no-birth": _("A metric has an alias that no birth message has defined."),
    "no-time": _(
        "The payload has no time, and the time of receipt is not allowed instead."
    ),
    "not-a-time": _("The time field contains no time, or one that the clock skipped."),
    "not-a-number": _("A mapped field holds something that is not a number."),
    "unknown-unit": _("The value's unit cannot be converted into the quantity's."),
    "too-many-values": _("The message has too many values for one interval."),
    "out-of-range": _("The value is physically impossible."),
    "too-old": _("The reading's time is before the oldest that is accepted."),
    "too-new": _("The reading's time lies too far in the future."),
    "rate-limited": _(
        "The sensor exceeded its message rate; the messages can be replayed."
    ),
    "database-refused": _("The database refused the reading."),
}


#: Advice per reason code: what to change at the sensor or in its registration.
ADVICE: Final = {
    "unknown-topic": _(
        "Publish under a topic of `verkehrspuls sensor show`, or register "
        "the sensor with this topic."
    ),
    "unknown-sensor": _("Register the sensor, or correct the keys in its topic."),
    "unknown-output": _(
        "Correct the payload's channel, or the installation's output and dates."
    ),
    "unknown-class": _("Rename the class in the payload, or map it."),
    "class-not-in-scheme": _(
        "Register the class scheme that has all classes of the sensor."
    ),
    "wrong-kind": _(
        "Publish under the topic of the other kind, or correct the channel's quantity."
    ),
    "too-large": _("Send fewer intervals in a message."),
    "unknown-format": _("Correct the sensor's payload_format."),
    "no-mapping": _("Give the installation a mapping."),
    "no-mapped-field": _("Correct the mapping: it names fields as the payload does."),
    "no-decoded-object": _("Set up a codec for the device at the network server."),
    "simulated": _("Nothing: it is no reading. Let the device itself send one."),
    "not-to-be-stored": _(
        "Map another metric, or let the device send it without is_transient."
    ),
    "not-meant": _(
        "Register the device, or correct `only` in the profiles of the topic's sensors."
    ),
    "retained": _(
        "Let the payload contain its time (`times` in the profile), or let the "
        "sensor publish without retain."
    ),
    "no-birth": _("Let the device send its birth again."),
    "no-time": _(
        "Name the time's field in the profile (`times`), or let that of receipt "
        "stand in (`receipt_time`)."
    ),
    "not-a-time": _("Correct `times` in the sensor's profile, or the device's clock."),
    "not-a-number": _("Correct the mapping, or allow text_numbers in the profile."),
    "unknown-unit": _("Correct the unit in the mapping."),
    "out-of-range": _("Correct unit or factor in the mapping, or repair the device."),
    "too-old": _("Set the device's clock."),
    "too-new": _(
        "Set the device's clock and its time zone; times are UTC or have an offset."
    ),
}
#: Advice if the payload itself is invalid.
PAYLOAD_ADVICE: Final = _(
    "Compare the payload with docs/reference/topics-and-payloads.md."
)

#: Texts of stored details that are no longer written.
FORMER_TEXTS: Final = (
    _("the decoder says: {}"),
    _("{} has no offset"),
    _("{} cannot become {}"),
    _("{} at {}"),
    _("[{}]: an array in an array"),
)
#: Text for a problem of a payload: see `explained`.
VERBATIM: Final = "{}"
TOO_DEEP: Final = _("arrays or objects are nested too deeply")
NOT_UTF8: Final = _("byte {} is not UTF-8")
OUT_OF_RANGE: Final = _("{}, possible are {} to {}")
_IN_SECONDS: Final = _("{} = {}: {}; write whole seconds, 1 to 90000")
_IN_NUMBERS: Final = _(
    "{} = {}: {}; write null where there is no value, else a number without quotes"
)


class Detail(NamedTuple):
    """What exactly was wrong: a text and the values for its places `{}`.

    Without values the text may quote the payload, and its braces are not replaced.
    """

    text: str = ""
    #: texts, numbers, or nested details
    values: Sequence[Any] = ()

    @classmethod
    def of(cls, text: str, *values: "str | float | Detail") -> "Detail":
        """Create a detail that can be stored, whatever it quotes."""
        return cls(
            _storable(text),
            [_storable(each) if isinstance(each, str) else each for each in values],
        )

    def stored(self) -> str | None:
        """Return the values as the database stores them."""
        return msgspec.json.encode(self.values).decode() if self.values else None

    def in_language(self, language: str) -> str:
        """Return the text in a language."""
        text = translate(self.text, language)
        if not self.values:
            return text
        return text.format(
            *(
                # the database returns a nested detail as a list
                Detail(*value).in_language(language)
                if isinstance(value, list | tuple)
                else value
                for value in self.values
            )
        )


def _storable(text: str) -> str:
    text = text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")
    return text if len(text) <= MAX_DETAIL_LENGTH else f"{text[:MAX_DETAIL_LENGTH]}…"


def dated(problem: "Unusable", time: datetime) -> "Unusable":
    """Prefix the time of a reading, if its message holds others as well."""
    if problem.reason in _WITH_TIME:
        return problem
    text = time.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return Unusable(problem.reason, "{}: {}", text, problem.detail)


def several(details: Sequence[Detail]) -> Detail:
    """Combine the details of several readings: the first ones, and their number."""
    if len(details) == 1:
        return details[0]
    shown = details[:MAX_READINGS_LISTED]
    text = "; ".join(["{}"] * len(shown))
    if left := len(details) - len(shown):
        return Detail.of(_("{}; and {} more"), Detail.of(text, *shown), left)
    return Detail.of(text, *shown)


def explain(reason: str, detail: Detail, language: str) -> str:
    """Explain in a language what was wrong; an unknown code is returned unchanged."""
    meaning = translate(REASONS.get(reason, reason), language)
    text = detail.in_language(language)
    return f"{meaning} ({text})" if text else meaning


def explained(error: Exception) -> Detail:
    """Translate an error message of the decoder into our words."""
    return _explained(str(error))


@lru_cache(maxsize=1000)  # a faulty device repeats the same error
def _explained(error: str) -> Detail:
    where, text, values = wording.explain(error)
    detail = Detail.of(text, *(_translatable(str(each)) for each in values))
    return Detail.of("{}: {}", where, detail) if where else detail


def of_field(name: str, value: str, error: Exception) -> Detail:
    """Describe the problem of a field's value, and what would be right."""
    problem = explained(error)
    if name == "interval_s":
        return Detail.of(_IN_SECONDS, name, value, problem)
    number = str(error).startswith(("Expected `int", "Expected `float"))
    return Detail.of(_IN_NUMBERS if number else "{} = {}: {}", name, value, problem)


def _translatable(value: str) -> str | Detail:
    """Return a detail for a list of value types, such as `text / a number`."""
    kinds = value.split(" / ")
    if not set(kinds) <= set(wording.KINDS.values()):
        return value
    return Detail.of(" / ".join("{}" for _ in kinds), *map(Detail.of, kinds))


class Dropped(NamedTuple):
    """A field that was left out of an otherwise usable reading."""

    field: str
    #: a key of `DROPPED`
    problem: str
    #: the value as received
    value: str


#: Problems of dropped fields, for people.
DROPPED: Final = {
    "below": _("smaller than it can be, as -1 where nothing was measured"),
    "above": _("larger than it can be, as 65535 where nothing was measured"),
    "wrong": _("no number, or not what the field holds"),
    "sentinel": _("a value that the sensor's profile names as no value"),
}


#: Reasons whose details include the time.
_WITH_TIME: Final = frozenset({"too-old", "too-new", "unknown-output"})


class Unusable(Exception):
    """Raised for an unusable message or reading, with reason code and detail.

    The values fill the places `{}` of the text.
    """

    def __init__(self, reason: str, text: str, *values: str | float | Detail) -> None:
        super().__init__(reason, text, *values)
        self.reason = reason
        self.detail = Detail.of(text, *values)
        #: sequence numbers that could still be read
        self.numbered: Sequence[Numbered] = ()
