"""The page on which a device profile is made from messages.

The draft travels in the form, so that nothing is stored before it is saved: as one of
the profiles that a municipality keeps, or as a file.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final

import msgspec
from fastapi import Query, Request, Response
from fastapi.responses import RedirectResponse

from api import session
from dashboards import addresses
from dashboards.forms import Form, Person, Posted, Sent, sentence
from dashboards.pages.profile.view import (
    MAX_DRAFT,
    Keeping,
    ask_page,
    document_of,
    profile_page,
    read_draft,
    refuse,
    with_facts,
)
from dashboards.permitted import towns_where
from dashboards.render import LanguageKey, Now, database_of, page_router
from verkehrspuls.errors import BadParameter, UsageError
from verkehrspuls.language import Language
from verkehrspuls.registry import device_profiles, drafts, edit, own_profiles, unknown
from verkehrspuls.registry.device_profiles import BadProfile
from verkehrspuls.registry.drafts import Draft
from verkehrspuls.registry.edit import EntryChanged
from verkehrspuls.text import mark

router = page_router()

#: Characters of the messages that are pasted at once.
MAX_PASTED: Final = 100_000
#: bytes of a form: a draft, and messages, of which forms write many bytes as three
LARGER: Final = {r"/\w+/device-profile": 3 * (MAX_DRAFT + MAX_PASTED) + 10_000}
_TOO_LONG: Final = mark("That is too long: paste at most 100,000 characters.")
_NOTHING_KEPT: Final = mark(
    "No message of it is kept that is text. Paste one, as the broker shows it."
)
_EMPTY: Final = mark("Paste at least one message.")
_NO_TOWN: Final = mark("Choose the municipality that keeps it.")
_TAKEN: Final = mark("there is one of this key already; choose another one")
_MEANWHILE: Final = mark(
    "Somebody else changed this profile meanwhile. Save again to replace it, or choose "
    "another key."
)
_BROKEN: Final = mark(
    "This device profile cannot be used any more: %(why)s. Its text is below: mend it, "
    "and save it again."
)
_GONE: Final = mark(
    "Somebody else removed this profile meanwhile. Save again to keep it."
)


#: fields that are no part of a draft
_TYPED: Final = frozenset({"output", "unit", "key", "town", "kept", "version"})


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
    done: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """Show an empty draft, or one that begins as a device profile that there is.

    With a `town` it may be an own one. Or one with captured messages: of a sensor of a
    town, or of an unknown `sender`.
    """
    keeping = Keeping(towns_where(request, person.session, "register"), done)
    page_language = Language(language)
    draft: Draft = {}
    form = Form(values={"town": town})
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
        elif profile and town:
            found = own_profiles.find(connection, town, profile)
            if found.profile:
                draft = msgspec.to_builtins(found.profile, str_keys=True)
            elif found.problem:
                why = found.problem.in_language(language)
                form.general = page_language.phrase(_BROKEN, why=why)
            if found.own:
                form.values = {
                    **{"town": town, "key": profile, "kept": f"{town}/{profile}"},
                    "version": found.own.version,
                    "payloads": "" if found.profile else found.document,
                }
        elif profile:
            draft = msgspec.to_builtins(device_profiles.find(profile), str_keys=True)
        else:
            keeping.list_own(connection)
            captured = [
                (
                    addresses.device_profile(
                        language, town=one.key, sender=other.sender
                    ),
                    other.sender,
                )
                for one in keeping.towns
                for other in unknown.unknown_sensors(connection, one.key, now=now)
            ]
    return profile_page(
        request, page_language, draft, form, keeping, captured=captured[:50]
    )


@router.post("/{language:language}/device-profile")
def change_profile(
    request: Request, language: LanguageKey, sent: Sent, now: Now
) -> Response:
    """Change the draft as the button says, and show what it makes of the messages.

    Or save it, save it as a file, or remove the one that is kept.
    """
    keeping = Keeping(towns_where(request, sent.visit.session, "register"))
    page_language = Language(language)
    form = Form(values=sent.values)
    draft = read_draft(sent.values.get("draft", ""))
    act = sent.text("act")
    if act == "ask":
        return ask_page(request, page_language, sent.values)
    try:
        if act == "remove":
            return _remove(request, language, sent)
        draft = _changed(draft, sent, now)
        if act == "export":
            return _file(document_of(request, draft), sent.text("key"))
        if act == "save":
            return _save(request, language, draft, sent, keeping)
    except EntryChanged:
        form.status = 412
        _note_change(request, sent, form, page_language)
    except (UsageError, msgspec.MsgspecError) as error:
        refuse(form, error, page_language, now=now)
    else:  # they are read
        form.values = {n: v for n, v in sent.values.items() if n in _TYPED}
    picked = sent.text("pick") or (sent.text("say") if form.general else "")
    return profile_page(request, page_language, draft, form, keeping, picked=picked)


def _save(
    request: Request, language: str, draft: Draft, sent: Posted, keeping: Keeping
) -> Response:
    """Keep the draft in a municipality."""
    town, key = sent.text("town"), sent.text("key")
    if town not in {one.key for one in keeping.towns}:
        raise BadParameter(parameter="town", detail=_NO_TOWN)
    text = document_of(request, draft)
    with session.transaction_for(request, sent.visit.viewer)() as connection:
        own_profiles.save(connection, town, key, text, seen=_seen(sent))
    address = addresses.device_profile(language, key, town=town, done="saved")
    return RedirectResponse(address, 303)


def _seen(sent: Posted) -> str | None:
    """Return the version of the one that is kept; None: it is to be another one."""
    named = f"{sent.text('town')}/{sent.text('key')}"
    return sent.text("version") or None if sent.text("kept") == named else None


def _remove(request: Request, language: str, sent: Posted) -> Response:
    """Remove a profile that a municipality keeps, unless somebody else changed it."""
    town, _, key = sent.text("kept").partition("/")
    seen = sent.text("version")
    address = addresses.device_profile(language, done="removed")
    try:
        with session.transaction_for(request, sent.visit.viewer)() as connection:
            own_profiles.remove(connection, town, key, seen=seen)
    except EntryChanged:
        address = addresses.device_profile(language, key, town=town, done="changed")
    return RedirectResponse(address, 303)


def _note_change(
    request: Request, sent: Posted, form: Form, language: Language
) -> None:
    """Say that another profile is kept by now; saving again replaces it."""
    town, key = sent.text("town"), sent.text("key")
    with database_of(request).connection() as connection:
        now = own_profiles.own_version(connection, town, key)
    if _seen(sent) is None:
        form.errors["key"] = sentence(language.phrase(_TAKEN))
        return
    form.general = language.phrase(_MEANWHILE if now else _GONE)
    form.values = {**form.values, "version": now or ""}


def _file(text: str, key: str) -> Response:
    name = key if re.fullmatch("[a-z0-9-]{1,64}", key) else "device-profile"
    return Response(
        text,
        media_type="application/toml",
        headers={"Content-Disposition": f'attachment; filename="{name}.toml"'},
    )


def _changed(draft: Draft, sent: Posted, now: datetime) -> Draft:
    draft = with_facts(draft, sent.values)
    pasted = sent.values.get("payloads", "").strip()
    if re.search(r"^\[\[outputs\]\]|^outputs = ", pasted, re.MULTILINE):
        try:
            found = device_profiles.parse(_unix(pasted))
        except BadProfile as error:
            raise UsageError(reason=error.reason) from error
        return dict(msgspec.to_builtins(found, str_keys=True))
    if pasted:
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
    parts = [part.strip() for part in _unix(pasted).split("\n\n") if part.strip()]
    return parts[-drafts.MAX_EXAMPLES :]


def _unix(text: str) -> str:
    """Return a text with lines as files have them: forms end them otherwise."""
    return text.replace("\r\n", "\n")
