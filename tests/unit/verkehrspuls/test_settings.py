import pytest

from verkehrspuls.settings import Settings, meanings

SECTIONS = {name: type(field.default) for name, field in Settings.model_fields.items()}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_described(section: str) -> None:
    assert list(meanings(SECTIONS[section])) == list(SECTIONS[section].model_fields)


@pytest.mark.parametrize("section", SECTIONS)
def test_description_of_a_setting_stands_in_a_table(section: str) -> None:
    """It has no full stop and no border, as the cells of a table have none."""
    for key, meaning in meanings(SECTIONS[section]).items():
        assert not meaning.endswith("."), key
        assert "|" not in meaning, key
