"""What the OpenAPI document says beside what the routes are made of."""

import sys
from pathlib import Path

import pytest

from api import routes
from api.app import PUBLISHED_NAMES, create_app
from api.pace import PROBES
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
    of_writing = {"403", "409", "413", "415"}
    for path, methods in create_app(load()).openapi()["paths"].items():
        answers = set(methods.get("get", {}).get("responses", ()))
        # which ask for a token of the operator's, or of an engineer's
        if path == "/metrics" or path.startswith(
            (
                "/api/v1/registry",
                "/api/v1/devices",
                "/api/v1/commissioning",
                "/api/v1/credentials",
                "/api/v1/manual-counts",
            )
        ):
            answers -= {"403"}
        assert of_writing.isdisjoint(answers), path


def test_each_operation_but_probes_documents_that_it_has_limits() -> None:
    for path, methods in create_app(load()).openapi()["paths"].items():
        for operation in methods.values():
            assert ("429" in operation["responses"]) is (path not in PROBES), path


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
