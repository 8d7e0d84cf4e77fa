"""Time to register sensors from a CSV file, each with a site and two channels.

`read_s` reads the file, `check_and_write_s` checks it and writes what it contains,
`commit_s` writes the audit log; `again_s` is the same file once more, in which nothing
differs, `changed_s` one in which each site has another name.
"""

import time

from msgspec import structs

from benchmarks.analytics.database import empty_database
from benchmarks.pages import town
from verkehrspuls.model import Town
from verkehrspuls.registry.files import formats, importing, load
from verkehrspuls.storage.database import Connection, connect

_CSV = "x.csv"


def run(sensors: int) -> dict[str, float]:
    """Register this many sensors in an empty database."""
    given = town(0, sensors)
    sites = tuple(structs.replace(site, name="Neu") for site in given.sites)
    with empty_database() as server, connect(server.url) as connection:
        first = _timed(connection, given)
        again = _timed(connection, given)
        changed = _timed(connection, structs.replace(given, sites=sites))
    return {
        "sensors": sensors,
        **first,
        "whole_s": round(sum(first.values()), 3),
        "again_s": round(sum(again.values()), 3),
        "changed_s": round(sum(changed.values()), 3),
    }


def _timed(connection: Connection, given: Town) -> dict[str, float]:
    data = formats()["csv"].write(given)
    moments = [time.perf_counter()]
    found = load.content(data, _CSV)
    moments.append(time.perf_counter())
    importing.import_content(connection, found, given.key)
    moments.append(time.perf_counter())
    connection.commit()
    moments.append(time.perf_counter())
    names = ("read_s", "check_and_write_s", "commit_s")
    spans = zip(names, moments, moments[1:], strict=False)
    return {name: round(end - begin, 3) for name, begin, end in spans}
