"""The names of models in the OpenAPI document stay when modules move."""

from api.app import PUBLISHED_NAMES, create_app
from verkehrspuls.settings import load


def test_names_that_hold_a_module_are_the_published_ones() -> None:
    names = create_app(load()).openapi()["components"]["schemas"]
    assert {name for name in names if "__" in name} == {
        "api__routes__cases__Change",
        "api__schemas__common__Balance",
        "api__schemas__environment__Compared",
        "api__schemas__sections__Balance",
        "api__schemas__studies__Change",
        "api__schemas__studies__Compared",
    }
    assert set(PUBLISHED_NAMES.values()) <= set(names)
