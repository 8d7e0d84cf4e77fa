"""What the pages of passkeys say."""

from datetime import datetime
from typing import Final, NamedTuple

from fastapi import Request

from verkehrspuls.access import passkeys
from verkehrspuls.access.passkeys import NoPasskeys, Passkey, RelyingParty
from verkehrspuls.language import Language
from verkehrspuls.model import DEFAULT_TIME_ZONE
from verkehrspuls.settings import Settings
from verkehrspuls.text import mark

NOT_ADDED: Final = mark("The passkey was not added. Please try again.")
NOT_ACCEPTED: Final = mark(
    "This passkey was not accepted. Please try again, or use another way to log in."
)
ENDED: Final = mark("You are not logged in any more. Please log in again.")
UNPROVED: Final = mark("Open this page again, and confirm that it is you.")
GONE: Final = mark("This passkey was removed already.")


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


def party_of(request: Request) -> RelyingParty:
    """Return whom passkeys are made for here. Raises `NoPasskeys`."""
    settings: Settings = request.app.state.settings
    return passkeys.relying_party(settings.pages.address)


def are_usable(request: Request) -> bool:
    """Return whether browsers make and show passkeys here."""
    try:
        party_of(request)
    except NoPasskeys:
        return False
    return True


def _moment(time: datetime, language: Language) -> str:
    return language.moment(time, DEFAULT_TIME_ZONE)
