"""Fixtures of the fault tests."""

from collections.abc import Iterator

import pytest

from tests.faults import world


@pytest.fixture(scope="session")
def server() -> Iterator[world.Server]:
    """A PostgreSQL server that faults may strike; whole again after each test."""
    with world.server() as made:
        yield made
        made.databases.close()
