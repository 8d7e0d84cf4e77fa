"""Registering from a file, after a dry run, and what is registered as a file."""

from typing import Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from api import session
from api.routes.registry import registration_file
from dashboards import addresses
from dashboards.forms import Person, Sent, Upload
from dashboards.pages.file.view import (
    Trying,
    file_page,
    of_changes,
    packed,
    unpacked,
)
from dashboards.render import LanguageKey, Now, database_of, page_router
from verkehrspuls.errors import UnknownKey, UsageError
from verkehrspuls.language import Language
from verkehrspuls.registry import edit
from verkehrspuls.registry.files import formats, importing, load
from verkehrspuls.registry.files.record import FaultyFile
from verkehrspuls.registry.registration import Change
from verkehrspuls.text import mark

router = page_router()

#: of a file on the page; the content travels in the form until it is registered
MAX_BYTES: Final = 4 * 2**20
LARGER: Final = {r"/\w+/register/[^/]+/file": 3 * MAX_BYTES}
_CHOOSE: Final = mark("Choose a file.")
_TOO_LARGE: Final = mark(
    "The file is larger than 4 MB: split it, or register it with "
    "“verkehrspuls import town”."
)
_MEANWHILE: Final = mark(
    "Somebody else changed the registration meanwhile: look at the difference again."
)


@router.get("/{language:language}/register/{municipality}/file")
def ask_for_file(
    request: Request, language: LanguageKey, municipality: str, person: Person
) -> Response:
    """Show the form for a file, and the files to take."""
    return file_page(request, _trying(request, language, municipality))


@router.get("/{language:language}/register/{municipality}/file/{format}")
def export(
    request: Request,
    language: LanguageKey,
    municipality: str,
    format: str,
    person: Person,
) -> Response:
    """Return what is registered as a file, which can be registered again."""
    if format not in formats():
        raise UnknownKey(kind="format", key=format)
    return registration_file(_trying(request, language, municipality).town, format)


@router.post("/{language:language}/register/{municipality}/file")
def register(
    request: Request, language: LanguageKey, municipality: str, sent: Sent, now: Now
) -> Response:
    """Say what a file would change, or register what it was said to change."""
    trying = _trying(request, language, municipality)
    upload = next(iter(sent.uploads), None) or _sent_again(sent.text("content"))
    if upload is None or len(upload.data) > MAX_BYTES:
        text = _TOO_LARGE if upload else _CHOOSE
        trying.form.status = 422
        trying.form.errors["file"] = trying.language.phrase(text)
        return file_page(request, trying)
    trying.name, trying.content = upload.name, packed(upload.name, upload.data)
    registers = sent.text("act") == "register"
    try:
        with session.transaction_for(request, sent.visit.viewer)() as connection:
            edit.require(connection, municipality)

            def imported(*, dry_run: bool) -> list[Change]:
                found = load.content(upload.data, upload.name)
                return importing.import_content(
                    connection, found, municipality, dry_run=dry_run
                ).changes

            trying.changes = imported(dry_run=True)
            if registers and sent.text("seen") == of_changes(trying.changes):
                imported(dry_run=False)
                address = addresses.register(language, municipality)
                return RedirectResponse(f"{address}?done=saved", 303)
    except FaultyFile as error:
        trying.form.status = error.http_status
        trying.problems = error.problems
    except UsageError as error:
        trying.form.refuse(error, trying.language, now=now)
    else:
        if registers:
            trying.form.status = 412
            trying.form.general = trying.language.phrase(_MEANWHILE)
    return file_page(request, trying)


def _sent_again(content: str) -> Upload | None:
    return Upload("file", *found) if (found := unpacked(content, MAX_BYTES)) else None


def _trying(request: Request, language: str, municipality: str) -> Trying:
    with database_of(request).connection() as connection:
        town = edit.read(connection, municipality)
    return Trying(town, Language(language))
