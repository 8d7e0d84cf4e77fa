"""What parsers of registration files say, in words that are translated."""

import re
from typing import Final

from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

_QUOTE: Final = mark("a text has no end: its quotation mark is missing")
_LIST: Final = mark("a list has no end: ] is missing")
_TABLE: Final = mark("a table in braces has no end: }} is missing")
_VALUE: Final = mark("a value is expected here; text stands in quotation marks")
_KEY: Final = mark("a name is expected here, as in name = value")
_AGAIN: Final = mark("this was written before; each is there once")
_COLON: Final = mark("a name is expected here, as in name: value")
_INNER: Final = mark(
    "a colon within a value: put the value in quotation marks, or begin it on a line "
    "of its own"
)
_QUOTED: Final = mark(
    "this cannot begin a value; put text with such characters in quotation marks, and "
    "indent lines by blanks, not by tabs"
)
_INDENT: Final = mark("lines of one level begin at the same column")
_CONTROL: Final = mark("it has a control character; take it out")
_MORE: Final = mark("the line does not end here; write one entry a line")
_BACKSLASH: Final = mark("write a backslash in a text twice")
_LONG: Final = mark(
    "a cell is longer than 131,072 characters; a quotation mark may be missing"
)
#: parts of what the parsers say, and our texts
_REASONS: Final = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        # TOML
        ("Unterminated string|Illegal character '\\\\n'", _QUOTE),
        ("Unclosed array", _LIST),
        ("Unclosed inline table", _TABLE),
        ("Invalid (value|date|hex)|not a Unicode scalar", _VALUE),
        ("Invalid (statement|initial character)|Expected '='|Expected ']", _KEY),
        ("(?i:twice)|Cannot (redefine|mutate|overwrite)|Duplicate", _AGAIN),
        ("Expected newline", _MORE),
        ("Unescaped", _BACKSLASH),
        ("Found invalid character|Illegal character|(?i:control char)", _CONTROL),
        # YAML
        ("unexpected end of stream|while scanning a quoted", _QUOTE),
        (r"expected ',' or '\]'", _LIST),
        ("expected ',' or '}'", _TABLE),
        ("that cannot start any token|unknown escape|tab character", _QUOTED),
        ("mapping values are not allowed", _INNER),
        ("expected (key|'-')|not allowed in this context|expected <block", _INDENT),
        ("expected ':'|simple key|node content|<document start>", _COLON),
        # CSV
        ("field limit", _LONG),
    )
)


def reason(said: str) -> Phrase:
    """Return in our words what a parser says; what is not known stays as it is."""
    for pattern, text in _REASONS:
        if pattern.search(said):
            return Phrase(text)
    return Phrase("{}", (said,))
