"""A registration file while it is tried: its problems, or what it would change."""

import base64
import binascii
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import msgspec
from fastapi import Request, Response

from dashboards.forms import Form, sentence
from dashboards.pages.audit.words import field_in_words, value_in_words
from dashboards.render import render
from verkehrspuls.language import Language
from verkehrspuls.model import Town
from verkehrspuls.registry.files import formats
from verkehrspuls.registry.files.record import Problem
from verkehrspuls.registry.registration import Change, version
from verkehrspuls.text import mark

#: problems and changes that are listed; the others are counted
ROWS: Final = 500
_ACTIONS: Final = {
    "add": mark("new"),
    "change": mark("changed"),
    "remove": mark("goes"),
}


class Row(NamedTuple):
    """An entry that a file changes."""

    name: str
    action: str
    #: field, value before, and value after
    fields: Sequence[tuple[str, str, str]]


@dataclass
class Trying:
    """A file while it is tried."""

    town: Town
    language: Language
    form: Form = field(default_factory=Form)
    name: str = ""
    #: what the form sends again
    content: str = ""
    problems: Sequence[Problem] = ()
    #: None: not known
    changes: list[Change] | None = None


def file_page(request: Request, trying: Trying) -> Response:
    """Show the form, and what came of the file."""
    language, changes = trying.language, trying.changes or []
    actions = [change.summary()["action"] for change in changes]
    response = render(
        request,
        language,
        "pages/file/file.html",
        town=trying.town,
        form=trying.form,
        name=trying.name,
        content=trying.content,
        seen=of_changes(changes),
        formats=[(key, each.title) for key, each in formats().items()],
        suffixes=",".join(each.suffix for each in formats().values()),
        problems=[
            (
                sentence(each.place.in_language(language.key))[:-1]
                if each.place
                else "",
                sentence(each.phrase.in_language(language.key)),
            )
            for each in trying.problems[:ROWS]
        ],
        more_problems=max(0, len(trying.problems) - ROWS),
        tried=trying.changes is not None,
        rows=[_row(change, trying) for change in changes[:ROWS]],
        more_rows=max(0, len(changes) - ROWS),
        counts=[
            (language.phrase(word), language.number(actions.count(action)))
            for action, word in _ACTIONS.items()
            if action in actions
        ],
    )
    response.status_code = trying.form.status
    return response


def of_changes(changes: Sequence[Change]) -> str:
    """Return what tells a difference from every other one."""
    return version({"changes": [change.summary() for change in changes]})


def packed(name: str, data: bytes) -> str:
    """Return a file as the value of a field."""
    whole = msgspec.json.encode(name) + b"\n" + data
    return base64.b64encode(zlib.compress(whole)).decode()


def unpacked(content: str, most: int) -> tuple[str, bytes] | None:
    """Return name and bytes of a file, `most` and one at most; None for none."""
    opened = zlib.decompressobj()
    try:
        data = base64.b64decode(content, validate=True)
        name, _, rest = opened.decompress(data, most + 1000).partition(b"\n")
        if not opened.eof and len(rest) <= most:
            return None
        return msgspec.json.decode(name, type=str), rest[: most + 1]
    except (binascii.Error, zlib.error, ValueError):
        return None


def _row(change: Change, trying: Trying) -> Row:
    language = trying.language
    action = change.summary()["action"]
    return Row(
        sentence(change.entry.in_language(language.key))[:-1],
        language.phrase(_ACTIONS[action]),
        list(_fields(change, trying)) if action == "change" else (),
    )


def _fields(change: Change, trying: Trying) -> Iterator[tuple[str, str, str]]:
    language, zone = trying.language, trying.town.time_zone

    def words(side: Any, name: str) -> str:
        return value_in_words(name, (side or {}).get(name), language, zone)

    for name in change.fields:
        yield (
            field_in_words(change.entry.kind, name, language),
            words(change.before, name),
            words(change.after, name),
        )
