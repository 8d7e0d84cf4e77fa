"""Languages: each has its record and its catalogue."""

from importlib import resources

import pytest
from babel import Locale

from verkehrspuls.locales import locales


def test_german_is_first_and_english_is_there() -> None:
    assert list(locales())[:2] == ["de", "en"]


def test_every_language_has_a_name_of_its_own() -> None:
    names = [one.name for one in locales().values()]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("key", locales())
def test_numbers_and_days_can_be_written(key: str) -> None:
    assert Locale.parse(locales()[key].cldr).number_symbols["latn"]["decimal"]


@pytest.mark.parametrize("key", sorted(locales().keys() - {"en"}))
def test_every_language_has_its_catalogue(key: str) -> None:
    assert (resources.files("verkehrspuls") / "locale" / f"{key}.po").is_file()
