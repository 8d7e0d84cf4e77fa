"""The page of the audit log, and the log as a file."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from tempfile import SpooledTemporaryFile
from threading import BoundedSemaphore
from typing import Annotated, Final, Literal

from fastapi import Depends, Query, Request, Response
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from api.database import MAX_WAIT_S
from api.errors import TooSlow
from dashboards.forms import Person, day_in
from dashboards.pages.account.view import ZONE
from dashboards.pages.audit.view import WHOLE, Filter, downloads, line_of, options
from dashboards.permitted import towns_where
from dashboards.render import LanguageKey, database_of, page_router, render
from verkehrspuls.access import audit
from verkehrspuls.access.audit import Choice
from verkehrspuls.access.audit_files import FORMATS
from verkehrspuls.access.permissions import OPERATOR
from verkehrspuls.language import Language
from verkehrspuls.moments import utc
from verkehrspuls.storage.sites import Municipality
from verkehrspuls.text import mark

router = page_router()

ROWS: Final = 50
#: files that are written at once: each takes a connection for as long
_TURNS: Final = BoundedSemaphore(2)
#: bytes of a file that are kept in memory, and read at once
_BLOCK: Final = 1 << 20
_MEDIA_TYPES: Final = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
_BACKWARDS: Final = mark("This day is before the first one.")

Text = Annotated[str, Query(max_length=200)]


def _filter(
    town: Text = "",
    person: Text = "",
    action: Text = "",
    key: Text = "",
    from_: Annotated[str, Query(alias="from", max_length=200)] = "",
    until: Text = "",
) -> Filter:
    return Filter(
        town=town,
        person=person.strip(),
        action=action,
        key=key.strip(),
        first=from_,
        until=until,
    )


Chosen = Annotated[Filter, Depends(_filter)]


@router.get("/{language:language}/audit")
def entries(
    request: Request,
    language: LanguageKey,
    chosen: Chosen,
    person: Person,
    below: Annotated[int, Query(ge=0, le=2**62)] = 0,
) -> Response:
    """List who changed what, newest first."""
    towns = towns_where(request, person.session, "audit")
    return _page(request, Language(language), chosen, person, towns, below=below)


@router.get("/{language:language}/audit.{format}")
def file_of_entries(
    request: Request,
    language: LanguageKey,
    format: Literal["csv", "jsonl"],
    chosen: Chosen,
    person: Person,
) -> Response:
    """Write the entries that are chosen to a file, newest first."""
    towns = towns_where(request, person.session, "audit")
    page_language = Language(language)
    choice, errors = _choice(chosen, towns, page_language)
    if errors:
        return _page(request, page_language, chosen, person, towns)
    # written before it is sent, so that nobody gets a part of it for the whole, and who
    # reads slowly holds no connection
    with _turn(), database_of(request).connection() as connection:
        file = SpooledTemporaryFile(_BLOCK)  # noqa: SIM115 - closed when it was sent
        for line in FORMATS[format](audit.each(connection, **choice)):
            file.write(line.encode())
    headers = {
        "Content-Disposition": f'attachment; filename="audit.{format}"',
        "Content-Length": str(file.tell()),
    }
    file.seek(0)
    return StreamingResponse(
        _blocks(file),
        headers=headers,
        media_type=_MEDIA_TYPES[format],
        background=BackgroundTask(file.close),
    )


@contextmanager
def _turn() -> Iterator[None]:
    """Wait for one of the turns in which files are written."""
    if not _TURNS.acquire(timeout=MAX_WAIT_S):
        raise TooSlow
    try:
        yield
    finally:
        _TURNS.release()


def _page(
    request: Request,
    language: Language,
    chosen: Filter,
    person: Person,
    towns: list[Municipality],
    *,
    below: int = 0,
) -> Response:
    choice, errors = _choice(chosen, towns, language)
    with database_of(request).connection() as connection:
        found = audit.find(connection, **choice, below=below or None, limit=ROWS + 1)
    names = {town.key: town.name for town in towns}
    zone = _zone(chosen, towns)
    query = chosen.query()
    response = render(
        request,
        language,
        "pages/audit/audit.html",
        filter=chosen,
        form={"errors": errors},
        options=options(
            chosen,
            towns,
            language,
            whole=any(held.role == OPERATOR for held in person.session.roles),
        ),
        lines=[line_of(entry, names, language, zone) for entry in found[:ROWS]],
        downloads=downloads(chosen, language),
        newest=f"?{query}" if below else "",
        older=f"?{chosen.query(below=found[ROWS - 1].number)}"
        if len(found) > ROWS
        else "",
    )
    if errors:
        response.status_code = 422
    return response


def _choice(
    chosen: Filter, towns: list[Municipality], language: Language
) -> tuple[Choice, dict[str, str]]:
    """Return which entries are asked for; what makes no sense is left out, and said."""
    errors: dict[str, str] = {}
    first = day_in(chosen.first, "from", errors, language)
    last = day_in(chosen.until, "until", errors, language)
    if first and last and last < first:
        errors["until"] = language.phrase(_BACKWARDS)
    zone = _zone(chosen, towns)
    choice = Choice(
        start=utc(first, zone) if first else None,
        end=utc(last + timedelta(days=1), zone) if last else None,
        actor=chosen.person or None,
        action=chosen.action or None,
        key=chosen.key or None,
        municipality="" if chosen.town == WHOLE else chosen.town or None,
    )
    return choice, errors


def _zone(chosen: Filter, towns: list[Municipality]) -> str:
    return next((town.time_zone for town in towns if town.key == chosen.town), ZONE)


def _blocks(file: "SpooledTemporaryFile[bytes]") -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block
