import pytest

from api import negotiation

OFFERED = ("de", "en")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "de"),
        ("en", "en"),
        ("EN-us", "en"),
        ("en;q=0.1,de;q=0.9", "de"),
        ("de;q=0.1,en;q=0.9", "en"),
        ("en;q=0.1, fr, de;q=0.05", "en"),
        # weight 0 excludes
        ("de;q=0,en", "en"),
        ("de;q=0", "en"),
        ("de;q=0.000, fr", "en"),
        ("en;q=0, *", "de"),
        ("de;q=0, *;q=0.1", "en"),
        ("de;q=0, en;q=0", "de"),
        ("*;q=0", "de"),
        ("*;q=0, en;q=0.2", "en"),
        # ranges with regions
        ("de-AT", "de"),
        ("en-GB,en;q=0.9,de;q=0.8", "en"),
        ("en-GB;q=0.8,de-CH;q=0.9", "de"),
        ("de-AT;q=0, de;q=0.4, en;q=0.3", "de"),
        ("de-AT;q=0, en", "en"),
        ("de-AT;q=0", "de"),
        # a language that is named itself is weighed by that
        ("de-AT, de;q=0.1, en;q=0.5", "en"),
        ("den, en;q=0.1", "en"),
        # anything else
        ("*", "de"),
        ("fr", "de"),
        ("fr, *;q=0.5", "de"),
        ("*;q=0.5, en;q=0.7", "en"),
        ("*, en;q=0.5", "de"),
        # of equal weight the first
        ("en, de", "en"),
        ("de, en", "de"),
        ("en;q=0.5, de;q=0.5", "en"),
        # blanks, and what cannot be read
        (" en ; q = 0.3 , de ; Q=0.2 ", "en"),
        ("de;q=nan, en;q=0.1", "en"),
        ("de;q=inf, en;q=0.1", "en"),
        ("de;q=2, en;q=0.1", "en"),
        ("de;q=-1, en;q=0.1", "en"),
        ("de;q=, en;q=0.1", "en"),
        ("de;q=., en;q=0.1", "en"),
        (",,;q=1,en", "en"),
        ("\x00", "de"),
    ],
)
def test_the_language_is_the_one_of_the_greatest_weight(
    header: str, language: str
) -> None:
    assert negotiation.language(header, OFFERED) == language


@pytest.mark.parametrize(
    ("header", "weight"),
    [
        ("text/csv", 1.0),
        ("text/csv;q=0.5, */*", 0.5),
        ("text/*;q=0.3, */*;q=0.1", 0.3),
        ("*/*;q=0.1", 0.1),
        ("application/json", 0.0),
        ("text/csv;q=0, */*", 0.0),
        ("text/csv;q=nan", 0.0),
    ],
)
def test_a_media_type_has_the_weight_of_the_most_specific_range(
    header: str, weight: float
) -> None:
    assert negotiation.weight(header, "text/csv") == weight


@pytest.mark.parametrize(
    ("header", "taken"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("gzip;q=0, *", False),
        ("gzip;q=0", False),
        ("xgzip", False),
        ("", False),
    ],
)
def test_a_coding_is_taken_that_is_named_or_not_excluded(
    header: str, taken: bool
) -> None:
    assert negotiation.takes(header, "gzip") is taken


@pytest.mark.parametrize(
    ("headers", "held"),
    [
        (['W/"x"'], True),
        (['"x"'], True),
        (['"y", "x"'], True),
        (['"y" , W/"x" ,"z"'], True),
        (['"y"', '"x"'], True),
        (['"a,b","x"'], True),
        (["*"], True),
        ([" * "], True),
        ([], False),
        ([""], False),
        (['"y"'], False),
        (["x"], False),
        (['"X"'], False),
        (['"xx"'], False),
        (['W/"y", "x'], False),
    ],
)
@pytest.mark.parametrize("tag", ['"x"', 'W/"x"'])
def test_tags_are_compared_weakly(headers: list[str], held: bool, tag: str) -> None:
    assert negotiation.holds(headers, tag) is held
