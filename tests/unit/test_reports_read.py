"""Pages, the API and commands read figures through `analytics.reports` only."""

import ast
from pathlib import Path
from typing import Final

import pytest

from tests.parts import PROJECT

#: Of storage they use what is registered, what was received, versions of the data, and
#: its types.
ALLOWED: Final = {
    *("list_municipalities", "list_sites", "read_site", "list_corridors"),
    *("count_changes", "known", "ledger", "readings_of_message"),
}
#: Routes that list what is stored, and compute nothing.
LISTS: Final = {
    *("ledger", "municipalities", "probes", "readings", "rejects", "sections", "sites"),
}
ROUTES: Final = {
    path for path in (PROJECT / "api/routes").glob("*.py") if path.stem not in LISTS
}
COMMANDS: Final = {
    path
    for package in ("api", "analytics", "dashboards")
    for path in (PROJECT / package / "commands").glob("*.py")
}
FILES: Final = sorted({*(PROJECT / "dashboards").rglob("*.py"), *ROUTES, *COMMANDS})


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


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PROJECT)))
def test_figures_are_read_through_reports(file: Path) -> None:
    assert read(file) <= ALLOWED
