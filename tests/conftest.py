"""Fixtures that the rings share; the servers behind them are in `parts`."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing
from pathlib import Path

import pytest
from hypothesis import settings

from tests import parts, world

# a test is right or wrong, not slow: other work shares the machine
settings.register_profile("verkehrspuls", deadline=None, max_examples=50)
settings.load_profile("verkehrspuls")

EDITIONS = (
    "plain",
    "oldest",
    pytest.param("timescale", marks=pytest.mark.timescale),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--histories",
        type=int,
        default=15,
        help="how many random histories of faults (tests/faults)",
    )
    parser.addoption(
        "--requests",
        type=int,
        default=0,
        help="how many random requests of each address, in place of a few fixed ones",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Keep what tests write in memory, where there is enough of it, until they end."""
    if "TMPDIR" not in os.environ and parts.memory_has_room():
        folder = parts.memory_folder()
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))
        os.environ["TMPDIR"] = str(folder)
        tempfile.tempdir = None


#: rings in the order of how long one of their tests takes
SLOWEST_FIRST = (
    *("faults", "acceptance", "browser", "bench", "integration", "property", "unit"),
)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the longest test, end with short ones: all cores are done at once."""
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, int]:
    ring = item.path.relative_to(parts.PROJECT / "tests").parts[0]
    is_longest = item.get_closest_marker("longest") is not None
    return not is_longest, SLOWEST_FIRST.index(ring)


@pytest.fixture(scope="session", autouse=True)
def _clean_environment() -> Iterator[None]:
    """No setting of the person who runs the tests reaches them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in os.environ:
            if name.startswith(("VERKEHRSPULS_", "PG")) and name != "VERKEHRSPULS_DATA":
                patch.delenv(name)
        yield


def _databases(server: AbstractContextManager[str]) -> Iterator[parts.Databases]:
    with server as url, closing(parts.Databases(url)) as databases:
        yield databases


@pytest.fixture(scope="session")
def _plain() -> Iterator[parts.Databases]:
    yield from _databases(parts.postgres())


@pytest.fixture(scope="session")
def _oldest() -> Iterator[parts.Databases]:
    yield from _databases(parts.oldest())


@pytest.fixture(scope="session")
def _container() -> Iterator[parts.Databases]:
    yield from _databases(parts.timescale_container())


@pytest.fixture(scope="session")
def _timescale() -> Iterator[parts.Databases]:
    yield from _databases(parts.timescale())


@pytest.fixture
def plain_database(_plain: parts.Databases) -> Iterator[str]:
    """URL of a fresh migrated database, where the edition does not matter."""
    with _plain.fresh() as url:
        yield url


@pytest.fixture(params=EDITIONS)
def database(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a fresh migrated database: each storage edition, oldest and newest."""
    databases: parts.Databases = request.getfixturevalue(f"_{request.param}")
    with databases.fresh() as url:
        yield url


@pytest.fixture
def plain_world(_plain: parts.Databases) -> Iterator[str]:
    """URL of a fresh database with `tests.world`, where the edition does not matter."""
    with _plain.fresh(world.build) as url:
        yield url


@pytest.fixture(params=EDITIONS)
def edition_world(request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a fresh database with `tests.world`: each storage edition."""
    databases: parts.Databases = request.getfixturevalue(f"_{request.param}")
    with databases.fresh(world.build) as url:
        yield url


@pytest.fixture(params=("nats", "mosquitto"))
def broker(request: pytest.FixtureRequest) -> Iterator[parts.Broker]:
    """A fresh broker: the embedded one, and Mosquitto."""
    with parts.broker(request.param) as found:
        yield found


@pytest.fixture(scope="session")
def data() -> Path:
    """The folder of real data (`VERKEHRSPULS_DATA`, default `../shared/data`)."""
    folder = Path(
        os.environ.get("VERKEHRSPULS_DATA", parts.PROJECT.parent / "shared" / "data")
    )
    if not folder.is_dir():
        parts.missing(f"no real data at {folder}: set VERKEHRSPULS_DATA")
    return folder
