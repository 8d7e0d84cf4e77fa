"""What parsers say is said in our words, in both languages."""

import pytest

from verkehrspuls.registry.files import formats, syntax
from verkehrspuls.registry.files.record import FaultyFile

LONG = '"' + "x" * 140_000


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("toml", 'a="x\nb=1', "kein Ende: sein Anführungszeichen"),
        ("toml", "a=x", "Text steht in Anführungszeichen"),
        ("toml", "a={b=1\n", "} fehlt"),
        ("toml", "=1", "name = wert"),
        ("toml", "[a]\n[a]", "stand schon vorher"),
        ("toml", "a=1 b=2", "endet hier nicht"),
        ("toml", 'a="\\q"', "doppelt"),
        ("toml", 'a="\x01"', "Steuerzeichen"),
        ("yaml", 'a: "x', "kein Ende: sein Anführungszeichen"),
        ("yaml", "a: [1, 2", "] fehlt"),
        ("yaml", "a: {b: 1", "} fehlt"),
        ("yaml", "a: b: c", "Doppelpunkt"),
        ("yaml", "a:\n\t- b", "Tabulatoren"),
        ("yaml", "- a\nb: c", "derselben Spalte"),
        ("yaml", "a: |\n x\ny\n", "name: wert"),
        ("csv", f"a;b\n{LONG}\n", "131.072"),
    ],
)
def test_a_german_reads_why_a_file_cannot_be_read(
    name: str, text: str, says: str
) -> None:
    with pytest.raises(FaultyFile) as caught:
        formats()[name].read(text.encode())
    (problem,) = caught.value.problems
    assert says in problem.phrase.in_language("de")
    assert problem.place is not None


def test_what_is_not_known_is_passed_on() -> None:
    assert str(syntax.reason("{odd} said 'x'")) == "{odd} said 'x'"
