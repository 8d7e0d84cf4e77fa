"""Why a message or a reading in it was not used: the code stored, and what it says."""

from typing import Final

from verkehrspuls.text import mark as _

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
    "out-of-range": _("The value is physically impossible."),
    "too-old": _("The reading's time is before the oldest that is accepted."),
    "too-new": _("The reading's time lies too far in the future."),
    "database-refused": _("The database refused the reading."),
}


class Unusable(Exception):
    """A message or reading that cannot be used, with its reason code and the detail."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
