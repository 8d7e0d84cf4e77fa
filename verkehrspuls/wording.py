"""Explain errors in what a person or device wrote, and what would be right.

`choice` lists the known words, and the nearest. `explain` translates msgspec's errors
into our words, which are translated into each language.
"""

import difflib
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final, NamedTuple, get_args, get_origin

import msgspec

from verkehrspuls.text import mark as _
from verkehrspuls.text import translate

#: Known words listed for an unknown one.
_MAX_LISTED: Final = 40
_CUT: Final = 80


class Phrase(NamedTuple):
    """A text with places `{}`, and their values: words, or phrases in turn."""

    text: str
    values: "tuple[str | Phrase, ...]" = ()

    def in_language(self, language: str) -> str:
        """Return the text in a language."""
        values = (
            each.in_language(language) if isinstance(each, Phrase) else each
            for each in self.values
        )
        return translate(self.text, language).format(*values)

    def __str__(self) -> str:
        """Return the text in English."""
        return self.in_language("en")


def nearest(word: str, known: Iterable[str]) -> str:
    """Find the nearest of the known words; empty if none is similar."""
    return _nearest(word[:_CUT].lower(), tuple(known))


@lru_cache(maxsize=1000)  # a misconfigured sensor repeats the same error
def _nearest(word: str, known: tuple[str, ...]) -> str:
    by_lower = {each.lower(): each for each in known}
    found = difflib.get_close_matches(word, by_lower, n=1, cutoff=0.5)
    return by_lower[found[0]] if found else ""


def suggestion(word: str, known: Iterable[str]) -> tuple[str, tuple[str, ...]]:
    """List the known words and the nearest one: a text with places, values."""
    words = list(known)
    there = ", ".join(words[:_MAX_LISTED]) + (", …" if len(words) > _MAX_LISTED else "")
    if near := nearest(word, words):
        return _("did you mean {}? There are {}"), (near, there)
    return _("there are {}"), (there,)


def choice(word: str, known: Iterable[str]) -> str:
    """List in English the known words, and the nearest one."""
    return Phrase(*suggestion(word, known)).in_language("en")


def some(words: Iterable[str], *, most: int) -> str:
    """Join the first words, and add the number of the others."""
    every = list(words)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more


class Explained(NamedTuple):
    """A problem: where in the document, a text with places `{}`, their values."""

    where: str
    text: str
    values: tuple[str | Phrase, ...] = ()

    def in_english(self) -> str:
        """Return the text in English."""
        text = self.text.format(*self.values)
        return f"{self.where}: {text}" if self.where else text

    @property
    def phrase(self) -> Phrase:
        """The text without where it is; names of types are translated."""
        kinds = set(KINDS.values())
        values = (Phrase(each) if each in kinds else each for each in self.values)
        return Phrase(self.text, tuple(values))


#: Names of msgspec's value types, and ours.
KINDS: Final = {
    "int": _("a whole number"),
    "float": _("a number"),
    "str": _("text"),
    "bool": _("true or false"),
    "null": _("null"),
    "array": _("an array"),
    "object": _("an object"),
    "datetime": _("a time"),
}
_NO_FIELD: Final = _("there is no field {}; see the documentation")
#: texts as they are where the known words follow
_BEFORE_WORDS: Final = {_NO_FIELD: _("there is no field {}")}
_NO_TIME: Final = _("it is no time; write it as 2026-11-21T20:00:00Z")
#: Error messages of msgspec, and our texts.
_MESSAGES: Final = tuple(
    (re.compile(pattern, re.DOTALL), text)
    for pattern, text in (
        (
            r"Expected `datetime` with a timezone component",
            _("the time has no offset; write Z for UTC, or as +01:00"),
        ),
        (r"Invalid RFC3339 encoded datetime", _NO_TIME),
        (r"Timestamp is out of range", _NO_TIME),
        (r"Object missing required field `(.*)`", _("the field {} is missing")),
        (
            r"Object contains unknown field `(.*)`",
            _NO_FIELD,
        ),
        (r"Invalid enum value (.*)", _("{} is none of the words that there are")),
        (r"Invalid value (.*)", _("{} is none of the words that there are")),
        (r"Expected `str` of length <= (\d+)", _("the text is longer than {}")),
        (r"Expected `str` of length >= (\d+)", _("the text is shorter than {}")),
        (
            r"Expected `array` of length <= (\d+)",
            _("the array has more than {} entries"),
        ),
        (
            r"Expected `array` of length >= (\d+)",
            _("the array has fewer than {} entries"),
        ),
        (
            r"Expected `object` of length <= (\d+)",
            _("the object has more than {} entries"),
        ),
        (
            r"Expected `str` matching regex .*a-z0-9-.*",
            _("a key has only a to z, digits and hyphens, 64 characters at most"),
        ),
        (
            r"Expected `str` matching regex .*https.*",
            _("a link begins with https://, http:// or mailto:, and holds no blanks"),
        ),
        (
            r"Expected `str` matching regex .*\+#/.*",
            _(
                "no topic: + stands for a whole level, # for all that follows, at the "
                "end, and there are no control characters"
            ),
        ),
        (
            r"Expected `str` matching regex .*",
            _("the text shows nothing, or has line breaks or control characters"),
        ),
        (r"Expected `(?:int|float)` >=? (\S+?)(?:\.0)?", _("the number is below {}")),
        (r"Expected `(?:int|float)` <=? (\S+?)(?:\.0)?", _("the number is above {}")),
        (r"Expected `([^`]*)`, got `([^`]*)`", _("it is {1}; {0} is wanted")),
        (r"(?:Integer|Number) (?:value )?out of range", _("the number is too large")),
        (r"Input data was truncated", _("it ends too early")),
        (r"JSON is malformed: .*\(byte (\d+)\)", _("it is no JSON, from byte {} on")),
    )
)


def explain(
    error: Exception | str, document: Any = None, kind: Any = None
) -> Explained:
    """Translate an error of msgspec into our words.

    With the `document` entries are named by their keys; with its `kind` (a `Struct`)
    the known words and fields are listed.
    """
    message, _at, path = str(error).partition(" - at `$")
    where = path.removesuffix("`").removeprefix(".").replace("[...]", "")
    if document is not None:
        where = _named(where, document)
    text, values = _in_words(message)
    if kind is not None and (words := _words(kind, path, message, values)):
        known = (Phrase(_BEFORE_WORDS.get(text, text), values), words)
        return Explained(where, "{}; {}", known)
    return Explained(where, text, values)


def _in_words(message: str) -> tuple[str, tuple[str, ...]]:
    for pattern, text in _MESSAGES:
        if found := pattern.fullmatch(message):
            return text, tuple(_kind(each) for each in found.groups())
    return "{}", (message,)


def _kind(name: str) -> str:
    parts = name.split(" | ")
    known = [
        KINDS.get(part, part) for part in parts if part != "null" or len(parts) == 1
    ]
    return " / ".join(known)


def _named(where: str, document: Any) -> str:
    """Name the entries of arrays by their keys: `sites[0] (ostring).channels`."""
    found, at = "", document
    for name, index in re.findall(r"\.?([^.\[\]]+)|\[(\d+)\]", where):
        try:
            at = at[int(index)] if index else at[name]
        except (LookupError, TypeError):
            at = None
        key = at.get("key") if index and isinstance(at, dict) else None
        found += f"[{index}]" if index else f".{name}" if found else name
        found += f" ({key[:64]})" if isinstance(key, str) else ""
    return found


def _words(
    kind: Any, path: str, message: str, values: tuple[str, ...]
) -> Phrase | None:
    """List the known fields of the record, or words of the field."""
    unknown_field = "unknown field" in message
    if not (unknown_field or message.startswith("Invalid enum value")):
        return None
    for name in re.findall(r"[^.\[\]`]+", re.sub(r"\[[^\]]*\]", "", path)):
        fields = {f.encode_name: f.type for f in _fields(kind)}
        kind = fields.get(name)
    known = (
        [field.encode_name for field in _fields(kind)]
        if unknown_field
        else [str(word) for word in _literals(kind)]
    )
    word = values[0].strip("'")
    return Phrase(*suggestion(word, known)) if known else None


def _fields(kind: Any) -> tuple[Any, ...]:
    """Return the fields of the first record in a type."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return msgspec.structs.fields(kind)
    return next(filter(None, map(_fields, get_args(kind))), ())


def _literals(kind: Any) -> tuple[Any, ...]:
    if str(get_origin(kind)) == "typing.Literal":
        return get_args(kind)
    return next(filter(None, map(_literals, get_args(kind))), ())
