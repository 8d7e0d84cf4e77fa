"""Documents to print: one record, from which a page and a tagged PDF are made.

A document says what it contains, not how it looks: `document.typ` typesets it, and
pages show it by `templates/document.html`. So every report that is printed has both.
"""

import re
from collections.abc import Sequence
from importlib import resources
from typing import Final

from msgspec import Struct, json

#: PDF/UA-1 (ISO 14289-1): tagged, with language and title; Typst refuses what is not.
_STANDARD: Final = "ua-1"
_LACKING: Final = re.compile(r'the (?:text|text contains .+) `"(.+?)"`')
_ESCAPE: Final = re.compile(r"\\u\{([0-9a-f]+)\}")
#: what is not of western Europe
_UNSURE: Final = re.compile("[^ -~\xa0-\xac\xae-\xff–—‘-„…\u202f€−]+")
#: lacking characters are replaced one by one, so many times
_ROUNDS: Final = 10


class Heading(Struct, frozen=True, tag="heading", tag_field="kind"):
    """Begins a section."""

    text: str


class Text(Struct, frozen=True, tag="text", tag_field="kind"):
    """A paragraph."""

    text: str


class Facts(Struct, frozen=True, tag="facts", tag_field="kind"):
    """Names with values."""

    head: tuple[str, str]
    rows: Sequence[tuple[str, str]]


class Table(Struct, frozen=True, tag="table", tag_field="kind"):
    """A table with a head."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    #: columns of numbers, from 0
    numbers: Sequence[int] = ()


class Signatures(Struct, frozen=True, tag="signatures", tag_field="kind"):
    """Lines to sign on, beside each other."""

    labels: Sequence[str]


Block = Heading | Text | Facts | Table | Signatures


class Document(Struct, frozen=True):
    """A document to print."""

    #: of its texts: `de` or `en`
    language: str
    title: str
    footer: str
    blocks: Sequence[Block]


def to_pdf(document: Document) -> bytes:
    """Typeset a document as PDF/UA-1.

    Characters that the fonts of Typst lack, such as emoji, become question marks.
    """
    import typst

    template = (resources.files("verkehrspuls") / "document.typ").read_bytes()
    text, rounds = json.encode(document).decode(), 0
    while True:
        try:
            written: bytes = typst.compile(
                template,
                format="pdf",
                pdf_standards=[_STANDARD],
                sys_inputs={"document": text},
                ignore_system_fonts=True,
            )
        except typst.TypstError as error:
            rounds += 1
            shown = _without(text, str(error) if rounds < _ROUNDS else "")
            if shown == text:
                raise
            text = shown
        else:
            return written


def _without(text: str, error: str) -> str:
    """Return a text without the character of which Typst says that it lacks it.

    Of what is joined it names the first part only, which may be a digit, or a question
    mark of ours: then everything goes that is not sure to be there.
    """
    found = _LACKING.search(error)
    lacking = _ESCAPE.sub(
        lambda escaped: chr(int(escaped[1], 16)), found[1] if found else ""
    )
    if lacking in text and not lacking.isascii():
        return text.replace(lacking, "?")
    return _UNSURE.sub("?", text)
