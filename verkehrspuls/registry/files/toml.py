"""Registration files in TOML."""

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from verkehrspuls.files import parse_toml
from verkehrspuls.model import CONTROLS, Town
from verkehrspuls.registry.files import syntax
from verkehrspuls.registry.files.record import (
    MAX_DEPTH,
    Content,
    Format,
    Path,
    Place,
    decoded,
    unreadable,
)
from verkehrspuls.registry.files.slim import slim
from verkehrspuls.text import mark

_AT: Final = re.compile(r"(.*) \(at line (\d+), column (\d+)\)", re.DOTALL)
_SYNTAX: Final = mark("it is no TOML from here on: {}")
_TWICE: Final = mark("a key is there twice; each is there once")
_DEEP: Final = mark("it is nested too deeply")
_DIGITS: Final = mark("a number has too many digits")
#: Words of a valid document: strings, marks, and all between them.
_WORD: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}'
    r'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|[\[\]{}=,\n]|[^\S\n]+'
    r"|[^\s\[\]{}=,#\"']+",
    re.DOTALL,
)


def read(data: bytes) -> Content:
    """Read a document, with the place of each value."""
    text = decoded(data).replace("\r\n", "\n")
    try:
        document = parse_toml(text)
    except RecursionError as error:
        raise unreadable(_DEEP) from error
    except tomllib.TOMLDecodeError as error:
        found = _AT.fullmatch(str(error))
        reason = found[1] if found else str(error)
        place = Place(int(found[2]), int(found[3])) if found else None
        if reason == "Cannot overwrite a value":
            raise unreadable(_TWICE, place=place) from error
        raise unreadable(_SYNTAX, syntax.reason(reason), place=place) from error
    except (ValueError, OverflowError) as error:
        raise unreadable(_DIGITS) from error
    if _depth(document) > MAX_DEPTH:
        raise unreadable(_DEEP)
    return Content(document, _Scanner(text).places)


def _depth(value: Any) -> int:
    """Return the levels of a document, without recursion."""
    level, depth = [value], 0
    while level:
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
        depth += 1
    return depth


class _Scanner:
    """Finds where the keys of a valid document stand; `tomllib` does not say."""

    def __init__(self, text: str) -> None:
        self.places: dict[Path, Place] = {(): Place(1, 1)}
        self.numbers: dict[Path, int] = {}
        self.words = self._words(text)
        table: Path = ()
        begins = True
        for word, place in self.words:
            if begins and word == "[":
                table = self._heading(place)
            elif begins and word != "\n":
                self._pair(table, word, place)
            begins = word == "\n"

    def _words(self, text: str) -> Iterator[tuple[str, Place]]:
        """Yield the words of the document, without blanks and comments."""
        line, begin = 1, 0
        for found in _WORD.finditer(text):
            word = found[0]
            if (not word.isspace() and word[0] != "#") or word == "\n":
                yield word, Place(line, found.start() - begin + 1)
            if breaks := word.count("\n"):
                line += breaks
                begin = found.start() + word.rindex("\n") + 1

    def _heading(self, place: Place) -> Path:
        """Note a heading `[a.b]` or `[[a.b]]`; return the path of its table."""
        parts, deep = [], False
        for word, _ in self.words:
            if word == "[":
                deep = True
            elif word == "]":
                break
            else:
                parts += _names(word)
        path: Path = ()
        for number, name in enumerate(parts, 1):
            path = (*path, name)
            if deep and number == len(parts):
                self.numbers[path] = self.numbers.get(path, -1) + 1
            if path in self.numbers:
                path = (*path, self.numbers[path])
            self.places.setdefault(path, place)
        return path

    def _pair(self, table: Path, word: str, place: Place) -> None:
        """Note `a.b = value`, beginning with its first word."""
        path = (*table, *_names(word))
        for word, _ in self.words:
            if word == "=":
                break
            path = (*path, *_names(word))
        self.places[path] = place
        self._value(path, *next(self.words))

    def _value(self, path: Path, word: str, place: Place) -> None:
        if word not in ("{", "["):
            return
        begins, number = True, 0
        for inner, at in self.words:
            if inner in ("}", "]"):
                return
            if inner == ",":
                begins, number = True, number + 1
            elif begins and inner != "\n":
                begins = False
                if word == "{":
                    self._pair(path, inner, at)
                else:
                    self.places[*path, number] = at
                    self._value((*path, number), inner, at)


def _names(word: str) -> list[str]:
    """Return the parts of a key in a word: `a.b`, or `"a.b"`."""
    if word[0] in "\"'":
        return list(tomllib.loads(f"{word} = 0"))
    return [part for part in word.split(".") if part]


def write(town: Town) -> bytes:
    """Write a registration; what has its default is left out."""
    return document(slim(town), _HEADED).encode()


def document(table: Mapping[str, Any], headed: Collection[str]) -> str:
    """Write a document; lists of these names have headings, others stand in line."""
    return "\n".join(_table(table, (), headed)) + "\n"


_HEADED: Final = frozenset(
    {"sites", "channels", "sensors", "installations", "corridors", "junctions"}
)
_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
#: characters that no file shows, such as marks of text direction
_UNSEEN: Final = re.compile(f"[{CONTROLS}]")
_ESCAPED: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def _table(
    table: Mapping[str, Any], path: tuple[str, ...], headed: Collection[str]
) -> Iterator[str]:
    later = []
    for name, value in table.items():
        if name in headed and value:
            later.append((name, value))
        else:
            yield f"{_key(name)} = {_literal(value)}"
    for name, value in later:
        for each in value:
            yield ""
            yield f"[[{'.'.join((*path, name))}]]"
            yield from _table(each, (*path, name), headed)


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(k)} = {_literal(v)}" for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    return repr(value)


def _text(value: str) -> str:
    return '"' + "".join(_escape(each) for each in value) + '"'


def _escape(character: str) -> str:
    if character in _ESCAPED:
        return _ESCAPED[character]
    if _UNSEEN.match(character):
        return f"\\u{ord(character):04x}"
    return character


FORMAT: Final = Format(
    title="TOML",
    suffix=".toml",
    media_types=("application/toml", "text/toml"),
    read=read,
    write=write,
)
