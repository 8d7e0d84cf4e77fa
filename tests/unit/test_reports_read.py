"""Pages, the API and commands read figures through `analytics.reports` only."""

import ast
from pathlib import Path
from typing import Final

import pytest

from tests.parts import PROJECT

#: Of storage they use what is registered, versions of the data, and its types.
ALLOWED: Final = {
    *("list_municipalities", "read_site", "list_corridors", "count_changes"),
}
PAGES: Final = sorted((PROJECT / "dashboards").rglob("*.py"))


def read(file: Path) -> set[str]:
    """Return the functions of storage that a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names = {name.name for name in node.names}
            if node.module == "verkehrspuls.storage":
                # the module has all of its functions
                found |= names
            elif node.module.startswith("verkehrspuls.storage."):
                found |= {name for name in names if name[0].islower()}
    return found


@pytest.mark.parametrize("file", PAGES, ids=lambda file: str(file.relative_to(PROJECT)))
def test_pages_read_figures_through_reports(file: Path) -> None:
    assert read(file) <= ALLOWED
