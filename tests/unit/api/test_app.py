"""What the OpenAPI document says beside what the routes are made of."""

import sys
from pathlib import Path

import pytest

from api import routes
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


def test_reading_documents_no_answer_that_only_writing_gives() -> None:
    of_writing = {"403", "409", "413", "415", "429"}
    for path, methods in create_app(load()).openapi()["paths"].items():
        answers = set(methods.get("get", {}).get("responses", ()))
        # which asks for a token of the operator's
        answers -= {"403"} if path == "/metrics" else set()
        assert of_writing.isdisjoint(answers), path


def test_file_is_a_resource_and_changes_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = create_app(load()).openapi()
    (tmp_path / "bridges.py").write_text(
        "from fastapi import APIRouter\n"
        "from pydantic import BaseModel\n"
        "router = APIRouter(prefix='/api/v1', tags=['registry'])\n"
        "class Crane(BaseModel): name: str\n"
        "MODELS = (Crane,)\n"
        "@router.get('/bridges', summary='List bridges')\n"
        "def list_bridges() -> list[str]:\n"
        "    return []\n"
    )
    monkeypatch.setattr(routes, "__path__", [*routes.__path__, str(tmp_path)])
    monkeypatch.setattr("api.app.resources", routes.resources.__wrapped__)
    try:
        found = create_app(load()).openapi()
    finally:
        sys.modules.pop("api.routes.bridges", None)
    assert list(found["paths"]) == [*before["paths"], "/api/v1/bridges"]
    assert found["components"]["schemas"].pop("Crane")["title"] == "Crane"
    added = found["paths"].pop("/api/v1/bridges")
    assert added["get"]["operationId"] == "listBridges"
    assert found == before
