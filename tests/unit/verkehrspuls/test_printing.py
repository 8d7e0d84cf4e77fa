"""Documents to print."""

import pytest

from verkehrspuls.printing import (
    Document,
    Facts,
    Heading,
    Signatures,
    Table,
    Text,
    to_pdf,
)

#: what Typst would take as markup
MARKUP = "*#let x = 1* $y$ <b> `c` @d \\ \u202e„Süd“ 🚲🏻 مرحبا 你好"


@pytest.mark.parametrize(
    "text",
    [
        "👩\u200d🔬 Özlem 1\ufe0f\u20e3",
        "\ufeff\u200b\u2028\xad",
        "".join(map(chr, range(0x4E00, 0x4E00 + 500))),
    ],
    ids=["joined", "invisible", "many"],
)
def test_what_the_fonts_lack_hinders_nothing(text: str) -> None:
    document = Document(
        "de", "Süd", "x", [Text(text), Table("1", ["1"], [["1"]], (0,))]
    )
    assert to_pdf(document).startswith(b"%PDF")


@pytest.mark.parametrize("language", ["de", "en"])
def test_a_document_becomes_an_accessible_pdf(language: str) -> None:
    rows = [(MARKUP, str(n)) for n in range(100)]
    blocks = (
        Facts((MARKUP, "b"), [(MARKUP, MARKUP)]),
        Heading(MARKUP),
        Text(MARKUP),
        Table(MARKUP, (MARKUP, "n"), rows, (1,)),
        Signatures([MARKUP, "x", "y"]),
    )
    # Typst refuses what is not PDF/UA-1, such as a document without a title
    found = to_pdf(Document(language, MARKUP, MARKUP, blocks))
    assert found.startswith(b"%PDF")
    assert b"pdfuaid:part" in found
    assert f"/Lang({language})".encode() in found.replace(b" ", b"")
