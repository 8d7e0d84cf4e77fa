"""Unit tests lie as the modules do that they test, so that they are found.

Those of `analytics/flow/peaks.py` are in `tests/unit/analytics/flow/test_peaks.py`, or,
of one topic, in `test_peaks_of_holidays.py`; those of the package `analytics/flow` as a
whole in `tests/unit/analytics/test_flow.py`. What is about the project as a whole lies
directly in `tests/unit`.
"""

import ast
from pathlib import Path
from typing import Final

import pytest

from tests.parts import PROJECT

UNIT: Final = PROJECT / "tests" / "unit"
FILES: Final = sorted(
    path.relative_to(UNIT) for path in UNIT.rglob("test_*.py") if path.parent != UNIT
)


def modules(file: Path) -> list[str]:
    """Return the modules that a file of tests may be named after."""
    words = file.stem.removeprefix("test_").split("_")
    places = [file.parent / "_".join(words[:n]) for n in range(len(words), 0, -1)]
    return [
        ".".join(place.parts)
        for place in places
        if (PROJECT / place).with_suffix(".py").is_file()
        or (PROJECT / place / "__init__.py").is_file()
    ]


def imported(file: Path) -> set[str]:
    """Return what a file of tests imports, and what that is part of."""
    found = set()
    for node in ast.walk(ast.parse((UNIT / file).read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {f"{node.module}.{each.name}" for each in node.names}
        elif isinstance(node, ast.Import):
            names = {each.name for each in node.names}
        else:
            continue
        for name in names:
            parts = name.split(".")
            found |= {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
    return found


@pytest.mark.parametrize("file", FILES, ids=str)
def test_each_file_is_named_after_a_module_that_it_imports(file: Path) -> None:
    assert modules(file), f"no module has the name of tests/unit/{file}"
    assert imported(file) & set(modules(file)), f"tests/unit/{file} tests another one"


def test_a_file_that_has_no_module_is_found() -> None:
    assert modules(Path("analytics/flow/test_peaks.py")) == ["analytics.flow.peaks"]
    assert modules(Path("analytics/test_flow.py")) == ["analytics.flow"]
    assert modules(Path("analytics/test_peaks.py")) == []
    assert modules(Path("elsewhere/test_peaks.py")) == []
