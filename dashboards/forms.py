"""Forms that change something: what was sent, by whom, and what is wrong with it.

A route that takes one has a parameter `Sent`; one that only shows something to people
who are logged in has `Person`. Who is not logged in is asked to, and what was typed is
sent again afterwards.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Annotated, Final, NamedTuple
from urllib.parse import parse_qsl

from fastapi import Depends, HTTPException, Request
from starlette.datastructures import ImmutableMultiDict

from api.session import SAFE
from api.viewer import Visit, visit_of
from verkehrspuls.access.accounts import LastAdministrator, NotManaged, OwnAccount
from verkehrspuls.access.limits import TooManyAttempts
from verkehrspuls.access.passkeys import (
    LastSecondFactor,
    NoPasskeys,
    TooManyPasskeys,
)
from verkehrspuls.errors import BadParameter, VerkehrspulsError
from verkehrspuls.language import Language
from verkehrspuls.moments import parse_day
from verkehrspuls.registry.credentials import NotApplied, TooManyCredentials
from verkehrspuls.registry.edit import EntryChanged, EntryUsed
from verkehrspuls.registry.manual_counts import (
    CountDecided,
    CountGoesOn,
    NothingCounted,
)
from verkehrspuls.registry.own_profiles import TooManyProfiles
from verkehrspuls.text import mark

DIFFERENT: Final = mark("The two passwords differ.")
WRONG_CODE: Final = mark(
    "This code is wrong, or was used before. Wait for the next one."
)
#: name of the field that shows that a form is of this session
TOKEN_FIELD: Final = "form_token"  # noqa: S105 - the name of a field
#: name of a value that says that files have to be chosen again
AGAIN: Final = "files_again"
_MAX_FIELDS: Final = 2000
_MAX_FILES: Final = 20
#: of one field; the limit of the body holds as well
_MAX_TEXT_BYTES: Final = 8 * 2**20

Values = ImmutableMultiDict[str, str]

#: what errors mean to who sent a form
_SAID: Final[Mapping[type[VerkehrspulsError], str]] = {
    LastAdministrator: mark(
        "Nothing was changed: the municipality would have no administrator any more. "
        "Give the role to somebody else first, who has chosen a password."
    ),
    NotManaged: mark(
        "Nothing was changed: others decide on this account as well, because it has a "
        "role elsewhere. Ask the operator."
    ),
    OwnAccount: mark(
        "You cannot make a link for yourself. Change your password on the page of your "
        "account, or ask another administrator or the operator."
    ),
    NoPasskeys: mark(
        "Passkeys cannot be used at this address. The operator can change that: the "
        "setting pages.address needs https and a name."
    ),
    LastSecondFactor: mark(
        "One of your roles needs a second factor, and this is your last one. Add "
        "another passkey first."
    ),
    EntryUsed: mark(
        "It stays, because it, or something of it, has readings, messages or cases. "
        "Register its end instead."
    ),
    TooManyProfiles: mark(
        "A municipality keeps at most 100 device profiles. Remove one first."
    ),
    EntryChanged: mark("Somebody else changed it meanwhile: look at it again."),
    NothingCounted: mark(
        "No sensor counts here now: attach a counting sensor first, or mend the date "
        "of its installation."
    ),
    NotApplied: mark(
        "The broker did not answer in time, so there is no new credential. Try again; "
        "if it stays so, ask the operator."
    ),
    TooManyCredentials: mark(
        "The sensor has 10 credentials. Revoke one that is not needed any more first."
    ),
    CountDecided: mark("It is decided on, and stays as it is: begin another count."),
    CountGoesOn: mark("The count goes on: end it first, then decide."),
    TooManyPasskeys: mark("You have 20 passkeys. Remove one before you add another."),
}


class LoginNeeded(Exception):
    """Who sent the request has to log in, or to show the second factor."""

    def __init__(self, values: Values | None = None) -> None:
        super().__init__()
        #: what was sent, to be sent again
        self.values = values


class Upload(NamedTuple):
    """A file that was sent with a form."""

    #: of the form
    field: str
    name: str
    data: bytes


class Posted(NamedTuple):
    """A form of a person who is logged in."""

    visit: Visit
    values: Values
    #: files are not kept while somebody logs in: then `AGAIN` is among the values
    uploads: Sequence[Upload] = ()

    def text(self, name: str) -> str:
        """Return what was typed into a field, without spaces around it."""
        return self.values.get(name, "").strip()


@dataclass(slots=True)
class Form:
    """A form as it is shown: what was typed, and what is wrong with it."""

    values: Mapping[str, str] = field(default_factory=dict)
    #: by field
    errors: dict[str, str] = field(default_factory=dict)
    #: of the form as a whole
    general: str = ""
    #: of the answer
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, error: VerkehrspulsError, language: Language, *, now: datetime
    ) -> "Form":
        """Return an empty form that says why nothing was done."""
        form = cls()
        form.refuse(error, language, now=now)
        return form

    def refuse(
        self, error: VerkehrspulsError, language: Language, *, now: datetime
    ) -> None:
        """Note why nothing was done, beside the field that it is about."""
        self.status = error.http_status
        if isinstance(error, BadParameter):
            self.errors[error.parameter] = sentence(language.phrase(error.detail))
        elif isinstance(error, TooManyAttempts):
            self.headers["Retry-After"] = str(error.retry_s)
            minutes = max(1, math.ceil((error.until - now).total_seconds() / 60))
            self.general = language.plural(
                "There were too many attempts. Try again in %(count)s minute.",
                "There were too many attempts. Try again in %(count)s minutes.",
                minutes,
            )
        else:
            self.general = language.phrase(_SAID.get(type(error), str(error)))


def sentence(text: str) -> str:
    """Write a text as a sentence."""
    return f"{text[:1].upper()}{text[1:].removesuffix('.')}."


def day_in(
    text: str, name: str, errors: dict[str, str], language: Language
) -> date | None:
    """Read a day of a filter; None: it is open, or no day, which is said beside it."""
    if not text:
        return None
    try:
        return parse_day(text)
    except ValueError:
        errors[name] = language.phrase("Write a day as 2026-03-01.")
        return None


async def _values(request: Request) -> Values:
    request.state.uploads = []
    if request.headers.get("content-type", "").startswith("multipart/form-data"):
        return await _parts(request)
    body = (await request.body()).decode("utf-8", "replace")
    try:
        pairs = parse_qsl(body, keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError as error:
        raise HTTPException(413, f"More than {_MAX_FIELDS} fields.") from error
    return Values([(name, text.replace("\0", "")) for name, text in pairs])


async def _parts(request: Request) -> Values:
    """Read a form with files, of who is logged in also the files themselves."""
    limits = {"max_files": _MAX_FILES, "max_fields": _MAX_FIELDS}
    async with request.form(**limits, max_part_size=_MAX_TEXT_BYTES) as form:
        values = []
        for name, part in form.multi_items():
            if isinstance(part, str):
                values.append((name, part.replace("\0", "")))
            elif part.filename:
                data = await part.read() if visit_of(request) else b""
                request.state.uploads.append(Upload(name, part.filename, data))
    return Values(values)


#: what a form contains, of whoever sent it
Typed = Annotated[Values, Depends(_values)]


def _person(request: Request) -> Visit:
    visit = visit_of(request)
    if visit is None or not visit.session.is_complete:
        raise LoginNeeded
    return visit


def _posted(request: Request, values: Typed) -> Posted:
    assert request.method not in SAFE  # noqa: S101 - of routes that change something
    visit = visit_of(request)
    if (
        visit is None
        or not visit.session.is_complete
        or not visit.is_own(values.get(TOKEN_FIELD, ""))
    ):
        again = [(AGAIN, "1")] if request.state.uploads else []
        raise LoginNeeded(Values([*values.multi_items(), *again]))
    return Posted(visit, values, request.state.uploads)


#: who is logged in
Person = Annotated[Visit, Depends(_person)]
#: a form, and who is logged in and sent it
Sent = Annotated[Posted, Depends(_posted)]
