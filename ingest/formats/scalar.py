"""A plain number as the whole payload, as many small devices publish it.

Any topic, one for each value: `haus/pegel/cm`.

- Field: `value`.
- A number has digits with an optional sign, decimal point and exponent. A decimal
  comma, a unit after the number, hexadecimal, NaN and infinity are not accepted.
- Time: none. The profile must allow the time of receipt instead.
"""

from datetime import datetime
from typing import Final

from ingest.formats.record import Format, Record, as_quoted, number_of
from ingest.reasons import NOT_UTF8, Unusable

EXAMPLES: Final = (("haus/pegel/cm", b"182.5"),)


def decode(_topic: str, payload: bytes, _received_at: datetime) -> list[Record]:
    """Decode a number."""
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise Unusable("not-utf8", NOT_UTF8, error.start) from error
    value = number_of(text)
    if value is None:
        raise Unusable("not-a-number", as_quoted(text), repr(text[:80]))
    return [Record(None, {"value": value})]


FORMATS: Final = (Format(name="scalar", decode=decode),)
