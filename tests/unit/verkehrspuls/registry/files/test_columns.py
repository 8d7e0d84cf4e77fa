"""Columns of registration tables."""

from verkehrspuls.registry.files.columns import GERMAN, by_heading, columns, plain


def test_each_column_has_headings_of_its_own_in_both_languages() -> None:
    names = [column.name for column in columns()]
    assert sorted(GERMAN) == sorted(names)
    headings = [plain(name) for name in names] + [plain(GERMAN[n]) for n in names]
    assert len(by_heading()) == len(set(headings))
    for column in columns():
        for heading in (column.name, GERMAN[column.name]):
            assert by_heading()[plain(heading)] == column
