"""Registration files in YAML."""

import pytest

from verkehrspuls.registry.files import yaml
from verkehrspuls.registry.files.record import FaultyFile


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: &x [1]\nb: *x\n", "line 1, column 4: anchors"),
        ("a: 1\n&x b: 1\n", "line 2, column 1: anchors"),
        ("a: !!python/object:os.system [1]\n", "line 1, column 4: tags"),
        ("a: " + "[" * 1_000_000, "nest(ed|ing)"),
        ("a: 1\na: 2\n", "line 2, column 1: a is there twice"),
        ("? [a]\n: 1\n", "a key is text"),
        ("a: b: c\n", "line 1, column 5: it is no YAML"),
        ("- a\n", "it is no registration"),
        ("", "it is no registration"),
        ("a: 1\n---\nb: 1\n", "no YAML from here on: ---"),
        ("a: 1\nb: \0\n", "line 2: it has NUL"),
    ],
)
def test_what_is_no_plain_document_is_refused(text: str, words: str) -> None:
    with pytest.raises(FaultyFile, match=words):
        yaml.read(text.encode())


def test_words_are_those_of_version_1_2() -> None:
    text = "a: no\nb: 012\nc: 1_0\nd: 12:30\ne: 2026-01-01\nf: ~\ng: 'true'\nh: true\n"
    assert yaml.read(text.encode()).document == {
        **{"a": "no", "b": 12, "c": "1_0", "d": "12:30", "e": "2026-01-01"},
        **{"f": None, "g": "true", "h": True},
    }
