"""Sites are renamed, merged and split; addresses and figures follow."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from dashboards.app import create_web
from tests import parts, people, world
from tests.intake import compute
from tests.parts import as_web
from tests.people import BERND, OTHER, TOWN, People
from verkehrspuls.errors import UnknownKey, UsageError
from verkehrspuls.registry import edit, moves
from verkehrspuls.registry.edit import NotYourTown
from verkehrspuls.settings import load
from verkehrspuls.storage.database import connect

CLARA = "clara@example.org"
OLD, NEW = "pariser-strasse", "pariser-tor"


@pytest.fixture(
    params=("plain", "oldest", pytest.param("timescale", marks=pytest.mark.timescale))
)
def found(request: pytest.FixtureRequest) -> Iterator[People]:
    databases: parts.Databases = request.getfixturevalue(f"_{request.param}")
    with databases.fresh(world.build) as url, people.of(url) as found:
        found.put(BERND, ("engineer", TOWN))
        found.put(CLARA, ("engineer", OTHER))
        yield found


def days(found: People, site: str) -> dict[Any, int]:
    """Return the volumes of days of a site by quantity, direction and day."""
    with connect(found.url) as connection:
        rows = connection.execute(
            "select d.quantity, d.direction, d.day, d.volume from daily_figure d "
            "join site s using (site_id) where s.key = %s",
            [site],
        )
        return {tuple(key): volume for *key, volume in rows}


def test_a_renamed_site_is_found_under_both_keys(found: People) -> None:
    with found.web(found.log_in(BERND))() as connection:
        moves.rename(connection, TOWN, OLD, NEW)
    web = create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(found.url)}))
    with TestClient(web, follow_redirects=False) as client:
        for path in ("/de/towns/{}/{}?period=30d", "/api/v1/sites/{}/{}"):
            old = client.get(path.format(TOWN, OLD))
            assert old.status_code == 301
            assert old.headers["location"].endswith(path.format(TOWN, NEW))
            assert client.get(path.format(TOWN, NEW)).status_code == 200
        assert client.get(f"/api/v1/sites/{TOWN}/nirgends").status_code == 404
    with found.web(found.log_in(BERND))() as connection:
        moves.rename(connection, TOWN, NEW, OLD)
        assert moves.led_to(connection, TOWN, NEW) == OLD
        assert moves.led_to(connection, TOWN, OLD) is None


def test_a_site_is_split_and_merged_again(found: People) -> None:
    compute(found.url, world.RECEIVED)
    before = days(found, OLD)
    assert before
    with found.web(found.log_in(BERND))() as connection:
        edit.change_entry(connection, TOWN, "site", NEW, {"name": "Tor"})
        moves.move_channels(connection, TOWN, OLD, ["ost-1"], into=NEW)
    compute(found.url, world.RECEIVED)
    there = days(found, NEW)
    assert {key[:2] for key in there} == {("motor", "ost"), ("motor", "all")}
    total = [
        sum(v for k, v in each.items() if k[1] == "all") for each in (before, there)
    ]
    assert 0 < total[1] < total[0]
    with found.web(found.log_in(BERND))() as connection:
        moves.merge(connection, TOWN, NEW, into=OLD)
        assert moves.led_to(connection, TOWN, NEW) == OLD
    compute(found.url, world.RECEIVED)
    assert days(found, OLD) == before
    assert days(found, NEW) == {}


def test_a_direction_that_a_junction_names_stays(found: People) -> None:
    with found.web(found.log_in(BERND))() as connection:
        edit.change_entry(connection, TOWN, "site", NEW, {"name": "Tor"})
        with pytest.raises(UsageError, match="names the direction west"):
            moves.move_channels(connection, TOWN, OLD, ["west-1"], into=NEW)


def test_nobody_else_moves_anything(found: People) -> None:
    for who in (CLARA, ""):
        credential = found.log_in(who) if who else ""
        with pytest.raises(NotYourTown), found.web(credential)() as connection:
            moves.rename(connection, TOWN, OLD, NEW)
        with (
            pytest.raises(Exception, match="may register"),
            found.web(credential)() as connection,
        ):
            connection.execute(
                "select shown.move_channels(array_agg(channel_id), min(site_id)) "
                "from channel"
            )


@pytest.mark.parametrize(
    ("new", "error"), [("Süd", UsageError), ("", UsageError), (OLD, UsageError)]
)
def test_a_wrong_key_is_refused(plain_world: str, new: str, error: type) -> None:
    with connect(plain_world) as connection, pytest.raises(error):
        moves.rename(connection, TOWN, OLD, new)
    with connect(plain_world) as connection, pytest.raises(UnknownKey):
        moves.rename(connection, TOWN, "nirgends", NEW)
