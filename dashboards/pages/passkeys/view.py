"""What the pages of passkeys say."""

from datetime import datetime
from typing import Final, NamedTuple

from dashboards.language import Language
from verkehrspuls.access.limits import TooManyAttempts
from verkehrspuls.access.passkeys import (
    LastSecondFactor,
    NoPasskeys,
    Passkey,
    TooManyPasskeys,
)
from verkehrspuls.errors import BadParameter, VerkehrspulsError
from verkehrspuls.model import DEFAULT_TIME_ZONE
from verkehrspuls.text import mark

NOT_ADDED: Final = mark("The passkey was not added. Please try again.")
NOT_ACCEPTED: Final = mark(
    "This passkey was not accepted. Please try again, or use another way to log in."
)
ENDED: Final = mark("You are not logged in any more. Please log in again.")
GONE: Final = mark("This passkey was removed already.")
#: what is said of an error
_ERRORS: Final[dict[type[VerkehrspulsError], str]] = {
    NoPasskeys: mark(
        "Passkeys cannot be used at this address. The operator can change that: the "
        "setting pages.address needs https and a name."
    ),
    LastSecondFactor: mark(
        "One of your roles needs a second factor, and this is your last one. Add "
        "another passkey first."
    ),
    TooManyPasskeys: mark("You have 20 passkeys. Remove one before you add another."),
    BadParameter: mark(
        "Give the passkey a name of 1 to 200 characters, without line breaks."
    ),
}
ERRORS: Final[tuple[type[VerkehrspulsError], ...]] = (*_ERRORS, TooManyAttempts)


class Shown(NamedTuple):
    """A passkey of the page."""

    passkey_id: int
    name: str
    created: str
    used: str


def shown(passkey: Passkey, language: Language) -> Shown:
    """Return a passkey as the page shows it."""
    used = passkey.last_used_at
    return Shown(
        passkey.passkey_id,
        passkey.name,
        _moment(passkey.created_at, language),
        _moment(used, language) if used else "",
    )


def said(error: VerkehrspulsError, language: Language) -> str:
    """Say what went wrong, and what to do."""
    if isinstance(error, TooManyAttempts):
        return language.phrase(
            mark("There were too many attempts. Please try again after %(moment)s."),
            moment=_moment(error.until, language),
        )
    return language.phrase(_ERRORS[type(error)])


def _moment(time: datetime, language: Language) -> str:
    return language.moment(time, DEFAULT_TIME_ZONE)
