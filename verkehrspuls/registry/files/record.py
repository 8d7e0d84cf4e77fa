"""What a registration file contains, and where: documents, places and problems."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from verkehrspuls.errors import UsageError
from verkehrspuls.files import MAX_TEXT_BYTES
from verkehrspuls.model import Town
from verkehrspuls.registry.registration import Kind
from verkehrspuls.text import mark, translate
from verkehrspuls.wording import Phrase

#: Bytes of a registration file.
MAX_BYTES: Final = MAX_TEXT_BYTES
#: Levels of a document; a registration needs 9.
MAX_DEPTH: Final = 20
#: Path of a value in a document: `("sites", 0, "name")`.
Path = tuple[str | int, ...]

_LINE: Final = mark("line {}")
_COLUMN: Final = mark("line {}, column {}")


class Place(NamedTuple):
    """Where something stands in a file; lines and columns count from 1, 0 is none."""

    line: int
    column: int = 0
    #: the heading of the column
    heading: str = ""
    #: of a workbook
    sheet: str = ""

    def in_language(self, language: str) -> str:
        """Return the place in a language: a line and column, or a cell of a sheet."""
        if self.sheet:
            return f"{self.sheet}!{letters(self.column)}{self.line}"
        if not self.column:
            return translate(_LINE, language).format(self.line)
        column = str(self.column) + f" ({self.heading})" * bool(self.heading)
        return translate(_COLUMN, language).format(self.line, column)


def letters(column: int) -> str:
    """Return the name of a workbook's column: 1 is A, 27 is AA."""
    name = ""
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name


class Problem(NamedTuple):
    """Something of a file that cannot be registered, and what to do."""

    place: Place | None
    phrase: Phrase
    path: Path = ()

    @property
    def pointer(self) -> str:
        """Return the JSON pointer into the document."""
        return "".join(f"/{part}" for part in self.path)


@dataclass(frozen=True, slots=True)
class Content:
    """What a file contains, as a registration document that is not checked yet."""

    document: dict[str, Any]
    places: Mapping[Path, Place]
    problems: list[Problem] = field(default_factory=list)
    #: of a table: the fields that it has columns for; the others stay as they are
    columns: Collection[tuple[Kind, str]] | None = None

    def place(self, path: Path) -> Place | None:
        """Return where a value stands; if that is unknown, what it is part of."""
        return next(
            (
                self.places[path[:length]]
                for length in range(len(path), -1, -1)
                if path[:length] in self.places
            ),
            None,
        )

    def add(self, path: Path, phrase: Phrase) -> None:
        """Note a problem of a value."""
        self.problems.append(Problem(self.place(path), phrase, path))


class FaultyFile(UsageError):
    """{reason}."""

    code = "faulty-registration"
    http_status = 422

    reason: str

    def __init__(self, problems: Collection[Problem]) -> None:
        #: all of them, in the order of the file
        self.problems = tuple(sorted(problems, key=_order))
        first = self.problems[0]
        where = f"{first.place.in_language('en')}: " if first.place else ""
        more = len(problems) - 1
        rest = f" ({more} more problem{'s' * (more != 1)})" if more else ""
        super().__init__(reason=f"{where}{first.phrase.in_language('en')}{rest}")


def _order(problem: Problem) -> tuple[str, int, int]:
    place = problem.place or Place(0)
    return place.sheet, place.line, place.column


def unreadable(
    text: str, *values: str | Phrase, place: Place | None = None
) -> FaultyFile:
    """Return the error of a file that cannot be read at all."""
    return FaultyFile([Problem(place, Phrase(text, values))])


@dataclass(frozen=True, slots=True)
class Format:
    """A form of registration files; `FORMAT` of each module of this package."""

    #: for people
    title: str
    suffix: str
    #: the first one is that of an export
    media_types: tuple[str, ...]
    #: raise `FaultyFile` for what cannot be read at all
    read: Callable[[bytes], Content]
    write: Callable[[Town], bytes]


def decoded(data: bytes) -> str:
    """Return a text file's text; refuse what is no text."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        advice = mark("it is not in UTF-8; save it as UTF-8")
        raise unreadable(advice, place=Place(line)) from error
    if (at := text.find("\0")) >= 0:
        line = text.count("\n", 0, at) + 1
        raise unreadable(
            mark("it has NUL characters; save it as UTF-8"), place=Place(line)
        )
    return text
