"""The page on which a device profile is made from messages.

The draft travels in the form, so that nothing is stored before it is saved as a file.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec
from fastapi import Query, Request, Response

from dashboards import addresses
from dashboards.forms import Form, Person, Posted, Sent
from dashboards.language import Language
from dashboards.pages.profile.view import (
    exported,
    profile_page,
    read_draft,
    said_of,
    with_facts,
)
from dashboards.permitted import towns_where
from dashboards.render import LanguageKey, Now, database_of, page_router
from verkehrspuls.errors import UsageError
from verkehrspuls.registry import device_profiles, drafts, edit, unknown
from verkehrspuls.registry.drafts import Draft
from verkehrspuls.text import mark

router = page_router()

#: Characters of the messages that are pasted at once.
MAX_PASTED: Final = 100_000
_TOO_LONG: Final = mark("That is too long: paste at most 100,000 characters.")
_NOTHING_KEPT: Final = mark(
    "No message of it is kept that is text. Paste one, as the broker shows it."
)
_EMPTY: Final = mark("Paste at least one message.")


@router.get("/{language:language}/device-profile")
def new_profile(
    request: Request,
    language: LanguageKey,
    person: Person,
    now: Now,
    profile: Annotated[str, Query(max_length=64)] = "",
    town: Annotated[str, Query(max_length=64)] = "",
    sensor: Annotated[str, Query(max_length=64)] = "",
    sender: Annotated[str, Query(max_length=1024)] = "",
) -> Response:
    """Show an empty draft, or one that begins as a device profile that there is.

    Or one with captured messages: of a sensor of a town, or of an unknown `sender`.
    """
    known = towns_where(request, person.session, "register")
    page_language = Language(language)
    draft: Draft = {}
    form = Form()
    if profile:
        found = device_profiles.find(profile)
        draft = msgspec.to_builtins(found, str_keys=True)
    with database_of(request).connection() as connection:
        captured: list[tuple[str, str]] = []
        if sensor or sender:
            edit.require(connection, town)
            kept = (
                unknown.messages(connection, town, sender, now=now)
                if sender
                else unknown.rejected(
                    connection, town, sensor, now=now, limit=drafts.MAX_EXAMPLES
                )
            )
            draft = drafts.of_captured([(one.topic, one.payload) for one in kept], now)
            form.general = "" if draft else page_language.phrase(_NOTHING_KEPT)
        elif not draft:
            captured = [
                (
                    addresses.device_profile(
                        language, town=one.key, sender=other.sender
                    ),
                    other.sender,
                )
                for one in known
                for other in unknown.unknown_sensors(connection, one.key, now=now)
            ]
    return profile_page(request, page_language, draft, form, captured=captured[:50])


@router.post("/{language:language}/device-profile")
def change_profile(
    request: Request, language: LanguageKey, sent: Sent, now: Now
) -> Response:
    """Change the draft as the button says, and show what it makes of the messages."""
    towns_where(request, sent.visit.session, "register")
    page_language = Language(language)
    form = Form(values=sent.values)
    draft = read_draft(sent.values.get("draft", ""))
    try:
        draft = _changed(draft, sent, now)
        if sent.text("act") == "export":
            return exported(request, draft)
    except (UsageError, msgspec.MsgspecError) as error:
        form.status = 422
        form.general = said_of(error, page_language)
    else:  # they are read
        form.values = {n: v for n, v in sent.values.items() if n in ("output", "unit")}
    picked = sent.text("pick") or (sent.text("say") if form.general else "")
    return profile_page(request, page_language, draft, form, picked=picked)


def _changed(draft: Draft, sent: Posted, now: datetime) -> Draft:
    draft = with_facts(draft, sent.values)
    if pasted := sent.values.get("payloads", "").strip():
        draft = drafts.add_messages(draft, _messages(pasted), now)
    elif sent.text("act") == "add":
        raise UsageError(reason=_EMPTY)
    return _said(draft, sent)


def _said(draft: Draft, sent: Posted) -> Draft:
    """Return the draft with what was said of one field."""
    if field := sent.text("forget"):
        return drafts.forget(draft, field)
    if not (field := sent.text("say")):
        return draft
    value = msgspec.json.decode(sent.values.get("value", "null"))
    return drafts.say(
        draft,
        field,
        sent.text("means"),
        output=sent.text("output"),
        unit=sent.text("unit"),
        value=value,
    )


def _messages(pasted: str) -> Sequence[str]:
    """Split what was pasted: one message, or several with an empty line between."""
    if len(pasted) > MAX_PASTED:
        raise UsageError(reason=_TOO_LONG)
    text = pasted.replace("\r\n", "\n")
    parts = [part.strip() for part in text.split("\n\n") if part.strip()]
    return parts[-drafts.MAX_EXAMPLES :]
