"""Texts for people, German first, through gettext.

Source texts are English; `locale/<language>.po` holds the German ones. It is compiled
when it is first needed, so that there is no compiled file to forget. `mark` marks a
text for translation where it is defined; `translate` is called where it is shown.
"""

from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from importlib import resources
from io import BytesIO
from typing import Final

#: Languages of machine-readable answers; those of pages are `locales`.
LANGUAGES: Final = ("de", "en")


def mark(text: str) -> str:
    """Mark a text for translation and return it as it is."""
    return text


@cache
def catalogue(language: str) -> NullTranslations:
    """Load the texts of a language; the source texts where it has no catalogue."""
    file = resources.files("verkehrspuls") / "locale" / f"{language}.po"
    if not file.is_file():
        return NullTranslations()
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    compiled = BytesIO()
    with file.open("rb") as stream:
        write_mo(compiled, read_po(stream, locale=language))
    compiled.seek(0)
    return GNUTranslations(compiled)


#: a page asks for the same few hundred texts again and again
@lru_cache(maxsize=4096)
def translate(text: str, language: str) -> str:
    """Return a text in a language; the source text where there is none."""
    # gettext's entry for the empty text is the head of the catalogue
    return catalogue(language).gettext(text) if text else text


def translate_plural(one: str, many: str, count: int, language: str) -> str:
    """Return the form of a text for a count, by the rule of the language."""
    return catalogue(language).ngettext(one, many, count)


def is_translated(text: str, language: str) -> bool:
    """Return whether a text has words of its own in a language."""
    return translate(text, language) != text
