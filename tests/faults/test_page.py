"""The page that tells which fault is tested where tells the truth."""

import re

from tests.faults.matrix import FAULTS, GROUPS
from tests.parts import PROJECT

PAGE = PROJECT / "docs" / "explanation" / "faults.md"
ROW = re.compile(r"^\| (\d+) \|.*\| (.+) \|$", re.MULTILINE)


def test_each_row_of_the_matrix_names_tests_that_exist() -> None:
    rows = ROW.findall(PAGE.read_text("utf-8"))
    assert [int(number) for number, _ in rows] == [*range(1, 37), 43, 44]
    for number, cell in rows:
        file, named = "", 0
        for word in re.findall(r"`([^`]+)`", cell):
            if word.endswith(".py"):
                file = (PROJECT / "tests" / word).read_text("utf-8")
            else:
                assert f"def {word}(" in file, f"row {number}: {word}"
                named += 1
        assert named, number


def test_each_fault_of_the_histories_has_a_group() -> None:
    assert GROUPS.keys() == FAULTS.keys()
