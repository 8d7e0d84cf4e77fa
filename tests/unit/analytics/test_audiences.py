"""Who sees a site decides what it is held against."""

import polars as pl

from analytics import audiences

PUBLIC, CLUSTER, OWN = 0, -1, 7


def rows(*seen_by: int) -> pl.DataFrame:
    return pl.DataFrame(
        {"audience": seen_by, "value": range(len(seen_by))},
        schema={"audience": pl.Int32(), "value": pl.Int64()},
    )


def heights(given: pl.DataFrame) -> list[tuple[int, int]]:
    """Return of each row its audience, and how many rows it was computed from."""
    found = audiences.apart(given, lambda seen: seen.with_columns(number=pl.len()))
    return sorted(found.select("audience", "number").rows())


def test_each_is_computed_from_what_all_see_who_see_it() -> None:
    given = rows(OWN, PUBLIC, CLUSTER, PUBLIC, OWN, OWN)
    assert heights(given) == [(CLUSTER, 3), *[(PUBLIC, 2)] * 2, *[(OWN, 6)] * 3]
    assert list(audiences.ranks(given)) == [0, 1, 2]


def test_nothing_is_computed_from_nothing() -> None:
    assert heights(rows()) == []
    assert list(audiences.ranks(rows())) == []


def test_who_alone_is_seen_is_computed_alone() -> None:
    assert heights(rows(OWN, OWN)) == [(OWN, 2), (OWN, 2)]
