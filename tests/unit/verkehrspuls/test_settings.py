import pytest

from verkehrspuls.settings import Settings

SECTIONS = {name: type(field.default) for name, field in Settings.model_fields.items()}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_setting_is_described(section: str) -> None:
    fields = SECTIONS[section].model_fields
    assert [key for key, field in fields.items() if not field.description] == []


@pytest.mark.parametrize("section", SECTIONS)
def test_description_of_a_setting_stands_in_a_table(section: str) -> None:
    """It is one line without a full stop, as the cells of a table are."""
    for key, field in SECTIONS[section].model_fields.items():
        said = field.description or ""
        assert "\n" not in said, key
        assert not said.endswith("."), key
