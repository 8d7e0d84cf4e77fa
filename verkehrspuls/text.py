"""Texts for people, German first, through gettext.

Source texts are English; `locale/<language>.po` holds the German ones and is read
directly, so that there is no compiled file to forget. `mark` marks a text for
translation where it is defined; `translate` is called where it is shown.
"""

from functools import cache
from importlib import resources
from typing import Final

LANGUAGES: Final = ("de", "en")


def mark(text: str) -> str:
    """Mark a text for translation and return it as it is."""
    return text


@cache
def catalogue(language: str) -> dict[str, str | tuple[str, ...]]:
    """Load the texts of a language, by source text; plural forms as a tuple."""
    from babel.messages.pofile import read_po

    file = resources.files("verkehrspuls") / "locale" / f"{language}.po"
    if language == "en" or not file.is_file():
        return {}
    with file.open("rb") as stream:
        entries = [m for m in read_po(stream, locale=language) if m.id and m.string]
    return {
        m.id if isinstance(m.id, str) else m.id[0]: (
            m.string if isinstance(m.string, str) else tuple(m.string or ())
        )
        for m in entries
    }


def translate(text: str, language: str) -> str:
    """Give a text in a language; the source text where there is none."""
    found = catalogue(language).get(text, text)
    return found if isinstance(found, str) else found[0]


def translate_plural(one: str, many: str, count: int, language: str) -> str:
    """Give the form of a text for a count; German and English have the same rule."""
    forms = catalogue(language).get(one, (one, many))
    if isinstance(forms, str):
        forms = (forms, forms)
    return forms[0 if count == 1 else 1]
