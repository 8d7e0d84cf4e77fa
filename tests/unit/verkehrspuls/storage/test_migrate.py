"""The files of migrations, and what a database's revisions mean for the program."""

import re
from pathlib import Path

from verkehrspuls.storage.migrate import MIGRATIONS, migrations


def test_every_file_is_a_migration_and_numbers_have_no_gap() -> None:
    assert isinstance(MIGRATIONS, Path)
    files = (path for path in MIGRATIONS.rglob("*") if path.is_file())
    names = sorted(
        path.relative_to(MIGRATIONS).as_posix()
        for path in files
        if path.suffix != ".pyc"
    )
    assert [name for name in names if not re.fullmatch(r"\d{4}_\w+\.sql", name)] == []
    assert [migration.file for migration in migrations()] == names
    numbers = [int(migration.revision) for migration in migrations()]
    assert numbers == list(range(1, len(names) + 1))
