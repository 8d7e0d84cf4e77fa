"""Why a message or a reading in it was not used: the code stored, and what it says.

The reason is a code. The detail is a source text with places for values, so that it can
be told in any language; what comes from the payload or from a library is a value, and
stays as it is.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec

from ingest.sequence import Numbered
from verkehrspuls.text import mark as _
from verkehrspuls.text import translate

#: Characters of a detail, and of each value in it.
LONGEST_DETAIL: Final = 300

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


#: What a library says of the payload; it does so in English.
SAYS: Final = _("the decoder says: {}")
POSSIBLE: Final = _("{}, possible are {} to {}")


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


def explain(reason: str, detail: Detail, language: str) -> str:
    """Say in a language what was wrong, and in what; a code of old as it is."""
    meaning = translate(REASONS.get(reason, reason), language)
    said = detail.say(language)
    return f"{meaning} ({said})" if said else meaning


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
