"""Fixtures that files of this ring share; a file may have its own in place of one."""

from collections.abc import Iterator

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from api.app import create_app
from tests import parts, people, world
from tests.integration.test_analytics import Bench, benched
from tests.parts import as_web
from tests.people import People
from verkehrspuls.settings import load


@pytest.fixture(scope="module")
def url(_plain: parts.Databases) -> Iterator[str]:
    """URL of a database with `tests.world`, which the tests of a file share."""
    with _plain.fresh(world.build) as url:
        yield url


@pytest.fixture(scope="module")
def app(url: str) -> FastAPI:
    """The API."""
    return create_app(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))


@pytest.fixture(scope="module")
def client(app: FastAPI) -> Iterator[TestClient]:
    """Client of `app`; it follows no redirect."""
    with TestClient(app, follow_redirects=False) as client:
        yield client


@pytest.fixture
def bench(database: str) -> Iterator[Bench]:
    """Bench of each storage edition."""
    with benched(database) as made:
        yield made


@pytest.fixture
def plain_bench(plain_database: str) -> Iterator[Bench]:
    """Bench where the edition does not matter."""
    with benched(plain_database) as made:
        yield made


@pytest.fixture
def editions(edition_world: str) -> Iterator[People]:
    """People of `tests.world`, on each storage edition."""
    with people.of(edition_world) as found:
        yield found


@pytest.fixture
def known(plain_world: str) -> Iterator[People]:
    """People of `tests.world`, where the edition does not matter."""
    with people.of(plain_world) as found:
        yield found
