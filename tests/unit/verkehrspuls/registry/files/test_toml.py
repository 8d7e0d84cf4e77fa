"""Registration files in TOML: the places that `tomllib` does not give."""

import pytest

from verkehrspuls.registry.files import toml
from verkehrspuls.registry.files.record import FaultyFile, Path, Place

TEXT = '''\
a."b.c".d = 1.5 # [[no]]
long = """
x = 1
"""
  when = 2026-01-01 00:00:00
list = [ # ]
  "[", 1.5,
  { k = "}", l = [[2]] },
]
[t.u]
v = '\\'
[[t.w]]
[[t.w]]
x = { y = 1 }
[[t.w.z]]
q = 1
'''


@pytest.mark.parametrize(
    ("path", "line", "column"),
    [
        (("a", "b.c", "d"), 1, 1),
        (("long",), 2, 1),
        (("when",), 5, 3),
        (("list", 1), 7, 8),
        (("list", 2, "k"), 8, 5),
        (("list", 2, "l", 0, 0), 8, 20),
        (("t", "u"), 10, 1),
        (("t", "u", "v"), 11, 1),
        (("t", "w", 1, "x", "y"), 14, 7),
        (("t", "w", 1, "z", 0, "q"), 16, 1),
    ],
)
def test_each_value_has_its_place(path: Path, line: int, column: int) -> None:
    assert toml.read(TEXT.encode()).places[path] == Place(line, column)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = 1\na = 2\n", "line 2, column 6: a key is there twice"),
        ("a = \n", "it is no TOML from here on"),
        ("a = " + "[" * 100_000, "nested too deeply"),
        ("a = " + "[" * 30 + "]" * 30, "nested too deeply"),
        ("a = " + "9" * 5000, "too many digits"),
        ("a = '\xff'", "line 1: it is not in UTF-8"),
    ],
)
def test_what_is_no_toml_is_refused(text: str, words: str) -> None:
    with pytest.raises(FaultyFile, match=words):
        toml.read(text.encode("latin-1"))
