"""Languages: a record and a catalogue each, found by their files in `locale/`."""

from functools import cache
from importlib import resources
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct


class Locale(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a language writes things: `locale/<key>.toml`.

    Its texts are in `locale/<key>.po`; a text that is missing there is shown in
    English.
    """

    #: as its speakers call it
    name: str
    #: place among the languages; readers without a preference get the first
    order: int = 99
    #: locale of the Unicode CLDR, its own or a near one: signs of numbers, names of
    #: days and months
    cldr: str
    #: patterns of a day, and of a day with its time (Unicode TR35)
    day: str
    moment: str
    #: pattern of a day where the year is evident
    short_day: str
    #: width of the names of weekdays in dates
    short_weekday: Literal["short", "abbreviated"] = "abbreviated"
    #: whether names of quantities are written small within a sentence
    lower_quantities: bool = False


#: the part of an address that names a language; no address of the API looks like it
Key = Annotated[str, Meta(pattern=r"^[a-z]{2,3}\Z")]


@cache
def locales() -> dict[str, Locale]:
    """Load the records of all languages, by key, in their order."""
    folder = resources.files("verkehrspuls") / "locale"
    found = {
        msgspec.convert(file.name.removesuffix(".toml"), Key): msgspec.toml.decode(
            file.read_bytes(), type=Locale
        )
        for file in folder.iterdir()
        if file.name.endswith(".toml")
    }
    return dict(sorted(found.items(), key=lambda one: (one[1].order, one[0])))


def within_sentence(quantity: str, language: str) -> str:
    """Return the name of a quantity as a language writes it within a sentence."""
    if not locales()[language].lower_quantities:
        return quantity
    return quantity[:1].lower() + quantity[1:]
