"""The catalogues of texts as they are written, without the program between."""

from functools import cache

from babel.messages.pofile import read_po

from tests.parts import PROJECT


@cache
def catalogue(language: str) -> dict[str, str | tuple[str, ...]]:
    """Read the texts of a language, by source text; plural forms as a tuple."""
    file = PROJECT / "verkehrspuls" / "locale" / f"{language}.po"
    with file.open("rb") as stream:
        entries = [m for m in read_po(stream, locale=language) if m.id and m.string]
    return {
        m.id if isinstance(m.id, str) else m.id[0]: (
            m.string if isinstance(m.string, str) else tuple(m.string or ())
        )
        for m in entries
    }
