"""Reading for pages, API and exports: registry, series of figures, and cases.

Times are aware UTC and periods half-open `[start, end)`. Only sites whose visibility
is in `visible` are found; the default is what anybody may see.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, Literal, NamedTuple

import polars as pl

from verkehrspuls import places
from verkehrspuls.errors import UnknownKey
from verkehrspuls.quantities import COUNTED, QUANTITIES
from verkehrspuls.reasons import FAULTS, FAULTY_DAYS, NAMING
from verkehrspuls.storage.database import Connection, execute, one, read_frame
from verkehrspuls.text import mark, translate

PUBLIC: Final = ("public",)
#: for commands of the operator
EVERYTHING: Final = ("public", "cluster", "private")

#: For so many days a case that ended, and that nobody decided, is still looked at. One
#: that had ended for longer when it was found is history: nobody is to look at it now.
CURRENT_DAYS: Final = 7
#: How open cases stand, see `vp.case_stands`.
CURRENT: Final = ("current",)
UNDECIDED: Final = ("current", "older")
HISTORY: Final = ("history",)
OPEN: Final = (*UNDECIDED, *HISTORY)

Row = dict[str, Any]

_FAULTS: Final[Mapping[str, list[str]]] = {
    "faults": list(FAULTS),
    "verdicts": list(FAULTY_DAYS),
}


class Fault(NamedTuple):
    """What of a site's registration cannot be used, with the value."""

    text: str
    value: str

    def say(self, language: str) -> str:
        """Say it in a language."""
        return translate(self.text, language) % {"value": self.value}


#: id of a site, quantity, and direction or `all`
Place = tuple[int, str, str]


def changes(connection: Connection) -> int:
    """Count the transactions that changed registry, figures or cases.

    Read before what it tells of, it is never newer. What ingest writes with each batch
    is not counted: `last_received_at` and the state of sensors tell it.
    """
    return int(one(connection, "count_changes")["changes"])


def municipalities(
    connection: Connection, *, visible: Sequence[str] = PUBLIC
) -> list[Row]:
    """List municipalities that have a visible site, by name."""
    rows = execute(connection, "list_municipalities", visible=list(visible))
    return [_placed(row) for row in rows]


def sites(
    connection: Connection,
    *,
    municipality: str | None = None,
    heard: bool = True,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List sites with their channels, by names of municipality and site.

    Without `heard` nothing of messages and readings is looked up. With it
    `last_received_at` is when the newest message of any of a site's sensors came; null
    where none ever did. `last_messages`: what became of those of its last hour, `used`
    (one at least), `rejected` (all), or `imported` from a file. `newest_reading_at` is
    when the newest of its readings was measured, whenever it came. `faults`: what of
    its registration cannot be used and is left out, so that nobody stumbles over it.
    """
    rows = execute(
        connection,
        "list_sites",
        municipality=municipality,
        site=None,
        heard=heard,
        visible=list(visible),
    )
    found = [_usable(row) for row in rows]
    by_town: dict[str, list[Row]] = {}
    for row in found:
        if row["latitude"] is not None:
            by_town.setdefault(row["municipality"], []).append(row)
    for town in by_town.values():
        _leave_out_astray(town)
    return found


def site(
    connection: Connection,
    municipality: str,
    site: str,
    *,
    visible: Sequence[str] = PUBLIC,
) -> Row:
    """Find a site; like one of `sites`, and with its `sensors`."""
    seen = list(visible)
    row: Row | None = execute(
        connection,
        "list_sites",
        municipality=municipality,
        site=site,
        heard=True,
        visible=seen,
    ).fetchone()
    if row is None:
        raise UnknownKey(kind="site", key=f"{municipality}/{site}")
    return _usable(row) | {
        "sensors": sensors(
            connection, municipality=municipality, site=site, visible=seen
        )
    }


def _usable(row: Row) -> Row:
    """Leave out what of a site's registration cannot be used, and say so."""
    unknown = {c["quantity"] for c in row["channels"]} - QUANTITIES.keys()
    faults = [
        Fault(mark("It measures “%(value)s”, which is not known here."), quantity)
        for quantity in sorted(unknown)
    ]
    usable = _placed(row)
    if usable is not row:
        place = f"{row['latitude']:g}, {row['longitude']:g}"
        text = mark("Its coordinates (%(value)s) do not lie in Germany.")
        faults.append(Fault(text, place))
    usable["faults"] = faults
    if unknown:
        usable["channels"] = [
            c for c in row["channels"] if c["quantity"] not in unknown
        ]
    return usable


def _leave_out_astray(town: Sequence[Row]) -> None:
    """Leave out coordinates far from a municipality's other sites, and say so."""
    known = [(row["latitude"], row["longitude"]) for row in town]
    its_own = town[0]["town_latitude"], town[0]["town_longitude"]
    told = [its_own] if None not in its_own and places.is_believable(*its_own) else []
    middle = places.middle([*known, *told])
    for row, place in zip(town, known, strict=True):
        if places.are_far(place, middle):
            text = mark("Its coordinates (%(value)s) lie far from all other sites.")
            fault = Fault(text, f"{place[0]:g}, {place[1]:g}")
            row |= {
                "latitude": None,
                "longitude": None,
                "faults": [*row["faults"], fault],
            }


def _placed(row: Row) -> Row:
    """Leave out coordinates that cannot be those of a German town."""
    if row["latitude"] is None or places.is_believable(
        row["latitude"], row["longitude"] or 0.0
    ):
        return row
    return row | {"latitude": None, "longitude": None}


def foreign_topics(connection: Connection, municipality: str | None) -> list[Row]:
    """List sensors of foreign formats with the topic that each publishes under."""
    return execute(connection, "foreign_topics", municipality=municipality).fetchall()


def sensors(
    connection: Connection,
    *,
    municipality: str | None = None,
    site: str | None = None,
    sensor: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List sensors, one row per installation.

    `until` is null while an installation lasts; `state` is what the sensor last said
    of itself, or `unknown`.
    """
    return execute(
        connection,
        "list_sensors",
        municipality=municipality,
        site=site,
        sensor=sensor,
        visible=list(visible),
    ).fetchall()


def count_sensors(
    connection: Connection,
    *,
    municipality: str | None = None,
    sensor: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> int:
    """Count the sensors of which `ledger` tells."""
    row = one(
        connection,
        "count_sensors",
        municipality=municipality,
        sensor=sensor,
        visible=list(visible),
    )
    return int(row["sensors"])


def volumes(
    url: str,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    interval_s: Literal[900, 3600],
    direction: str | None = None,
    together: bool = False,
    trusted: bool = False,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read volumes per interval and direction, summed over lanes.

    Rows are there only where data is. `observed` is the share of the interval, over
    all lanes; `volume` is what was counted, not scaled up. `direction`: one key, `all`
    for the cross-section, None for each direction, with `together` the cross-section
    (direction `all`) beside them. `trusted` leaves out what is
    suspected to be of a sensor's fault (`suspected`), as if a person had excluded it.
    """
    return read_frame(
        url,
        "read_volumes",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        interval_s=interval_s,
        direction=direction,
        together=together,
        trusted=trusted,
        **_FAULTS,
        visible=list(visible),
    )


def imputed(
    url: str,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    direction: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read imputed hours per direction, summed over lanes; see `volumes`.

    `imputed` is their share of the hour, over all lanes, `volume_imputed` what is
    estimated for that share, with bounds; `imputed_by` names the methods.
    """
    return read_frame(
        url,
        "read_imputed",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        direction=direction,
        visible=list(visible),
    )


def forecast(
    url: str,
    *,
    site_id: int,
    quantity: str,
    direction: str = "all",
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read the newest forecasts: the next hour by quarters, the next day by hours.

    Volumes per interval with the bounds between which nine of ten lie.
    """
    return read_frame(
        url,
        "read_forecast",
        site_id=site_id,
        quantity=quantity,
        direction=direction,
        visible=list(visible),
    )


def forecast_errors(
    connection: Connection,
    *,
    site_id: int,
    quantity: str,
    direction: str = "all",
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """Tell what the forecasts of the last weeks missed by, for each kept lead."""
    return execute(
        connection,
        "read_forecast_errors",
        site_id=site_id,
        quantity=quantity,
        direction=direction,
        visible=list(visible),
    ).fetchall()


def days(
    url: str,
    *,
    site_id: int,
    quantity: str,
    first: date,
    last: date,
    direction: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read local days from `first` to `last`, both included.

    Direction `all` is the cross-section; None gives it and each direction.
    """
    return days_of_sites(
        url,
        site_ids=[site_id],
        quantity=quantity,
        first=first,
        last=last,
        direction=direction,
        visible=visible,
    ).drop("site_id")


def days_of_sites(
    url: str,
    *,
    site_ids: Sequence[int],
    quantity: str,
    first: date,
    last: date,
    direction: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read local days of several sites, like `days` of one, with their `site_id`."""
    return read_frame(
        url,
        "read_days",
        site_ids=list(site_ids),
        quantity=quantity,
        first=first,
        last=last,
        direction=direction,
        visible=list(visible),
    )


def valid_days(
    connection: Connection,
    *,
    site_ids: Sequence[int],
    quantity: str,
    first: date,
    last: date,
    visible: Sequence[str] = PUBLIC,
) -> dict[int, int]:
    """Count the valid local days of sites, both ends included; those with none lack."""
    rows = execute(
        connection,
        "count_valid_days",
        site_ids=list(site_ids),
        quantity=quantity,
        first=first,
        last=last,
        visible=list(visible),
    )
    return {row["site_id"]: row["days"] for row in rows}


def excluded(
    url: str,
    *,
    site_ids: Sequence[int],
    quantity: str,
    start: datetime,
    end: datetime,
    direction: str,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read when a person excluded channels of sites, in spans that touch the period.

    Direction `all` is all of them.
    """
    return read_frame(
        url,
        "read_excluded",
        site_ids=list(site_ids),
        quantity=quantity,
        start=start,
        end=end,
        direction=direction,
        visible=list(visible),
    )


def suspected(
    connection: Connection,
    *,
    site_ids: Sequence[int],
    quantity: str | None,
    start: datetime,
    end: datetime,
    direction: str,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List when channels of sites are suspected of a fault that nobody has decided on.

    Spans (`since`, `until`) that touch the period and have begun, with their `fault`:
    the reason of a case, or the verdict of health on a whole day of which no case tells
    the hours. Direction `all` is all of them, quantity None each.
    """
    return execute(
        connection,
        "read_suspected",
        site_ids=list(site_ids),
        quantity=quantity,
        start=start,
        end=end,
        direction=direction,
        **_FAULTS,
        visible=list(visible),
    ).fetchall()


def channel_volumes(
    url: str,
    *,
    site_id: int,
    quantity: str,
    spans: Sequence[tuple[datetime, datetime]],
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read quarter-hours and hours of the channels of a site in spans, as computed."""
    return read_frame(
        url,
        "read_channel_volumes",
        site_id=site_id,
        quantity=quantity,
        since=[since for since, _ in spans],
        until=[until for _, until in spans],
        visible=list(visible),
    )


def long_volumes(
    url: str,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read counts of a site's channels over intervals above an hour, by their start."""
    return read_frame(
        url,
        "read_long_volumes",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        visible=list(visible),
    )


def speed_histograms(
    url: str,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    direction: str,
    trusted: bool = False,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read the merged speed histograms of hours, per channel.

    Direction `all` is all of them. Only hours with histograms have a row; of one that
    a person excluded, `excluded_s` is all that is known.
    """
    return read_frame(
        url,
        "read_speed_histograms",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        direction=direction,
        trusted=trusted,
        **_FAULTS,
        visible=list(visible),
    )


def environment(
    url: str,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    trusted: bool = False,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read hourly means of an environment quantity, with their extremes."""
    return read_frame(
        url,
        "read_environment",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        trusted=trusted,
        **_FAULTS,
        visible=list(visible),
    )


def long_environment(
    url: str,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    trusted: bool = False,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read values of an environment quantity over intervals above an hour.

    Those that began in the period and that no person excluded; `trusted` see `volumes`.
    """
    return read_frame(
        url,
        "read_long_environment",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        trusted=trusted,
        **_FAULTS,
        visible=list(visible),
    )


def counts_known_at(
    url: str,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    known_at: datetime,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read count readings in the versions that were known at an earlier time."""
    return read_frame(
        url,
        "read_counts_known_at",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        known_at=known_at,
        visible=list(visible),
    )


def installed(
    url: str, *, site_id: int, visible: Sequence[str] = PUBLIC
) -> pl.DataFrame:
    """Read when sensors were attached to a site's channels; open ends far away."""
    return read_frame(url, "read_installed", site_id=site_id, visible=list(visible))


def corridors(
    connection: Connection,
    *,
    municipality: str | None = None,
    corridor: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List corridors with their `stations`, in the order in which they are passed."""
    return execute(
        connection,
        "list_corridors",
        municipality=municipality,
        corridor=corridor,
        visible=list(visible),
    ).fetchall()


def junctions(
    connection: Connection,
    *,
    municipality: str | None = None,
    junction: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List junctions with their `arms`."""
    return execute(
        connection,
        "list_junctions",
        municipality=municipality,
        junction=junction,
        visible=list(visible),
    ).fetchall()


def volumes_of_sites(
    url: str,
    *,
    site_ids: Sequence[int],
    start: datetime,
    end: datetime,
    interval_s: Literal[900, 3600],
    trusted: bool = False,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read volumes of motor vehicles of several sites, like `volumes` of one."""
    return read_frame(
        url,
        "read_volumes_of_sites",
        site_ids=list(site_ids),
        start=start,
        end=end,
        interval_s=interval_s,
        trusted=trusted,
        **_FAULTS,
        visible=list(visible),
    )


def cases(
    connection: Connection,
    *,
    municipality: str | None = None,
    site: str | None = None,
    quantity: str | None = None,
    direction: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    case: int | None = None,
    standing: Sequence[str] | None = OPEN,
    now: datetime | None = None,
    limit: int | None = None,
    skip: int = 0,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List anomaly cases, newest first; with a period, those that touch it.

    A case says what was found at the site, of the quantity, in the direction and period
    that are asked for: `found_began` and `found_ended` are the times of the finding
    that names it, `began` and `ended` those of all of them together. `standing` is
    `current`, `older`, `history` or `closed` at `now` (the database's clock where it is
    None); None selects all. `matching` is how many there are beside limit and skip.
    """
    return execute(
        connection,
        "list_cases",
        municipality=municipality,
        site=site,
        quantity=quantity,
        direction=direction,
        start=start,
        end=end,
        case=case,
        standing=None if standing is None else list(standing),
        current_days=CURRENT_DAYS,
        naming=list(NAMING),
        now=now,
        limit=limit,
        skip=skip,
        visible=list(visible),
    ).fetchall()


def findings(
    connection: Connection,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List what open cases found at a site in a period, by case and direction.

    Of a case and direction, what names it comes first.
    """
    return execute(
        connection,
        "read_findings",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        naming=list(NAMING),
        visible=list(visible),
    ).fetchall()


class Counts(NamedTuple):
    """How many cases are open, by how they stand."""

    current: int = 0
    older: int = 0
    history: int = 0

    @property
    def undecided(self) -> int:
        """Those that were once to be looked at."""
        return self.current + self.older


#: key of a municipality, and of a site or None for all of its sites
Where = tuple[str, str | None]


def count_cases(
    connection: Connection,
    *,
    municipality: str | None = None,
    site: str | None = None,
    now: datetime | None = None,
    visible: Sequence[str] = PUBLIC,
) -> dict[Where, Counts]:
    """Count the open cases that `cases` lists; where there is none, nothing is told."""
    rows = execute(
        connection,
        "count_cases",
        municipality=municipality,
        site=site,
        current_days=CURRENT_DAYS,
        now=now,
        visible=list(visible),
    )
    return {
        (row["municipality"], row["site"]): Counts(
            row["current"], row["older"], row["history"]
        )
        for row in rows
    }


def in_all(counted: Mapping[Where, Counts]) -> Counts:
    """Sum up what `count_cases` tells of municipalities."""
    towns = [counts for (_, site), counts in counted.items() if site is None]
    return Counts(*(sum(each) for each in zip(*towns, strict=True)))


def open_cases(
    connection: Connection,
    places: Sequence[Place],
    *,
    start: datetime,
    end: datetime,
    visible: Sequence[str] = PUBLIC,
) -> tuple[int, ...]:
    """Find the open cases that touch what was counted at places in a period."""
    found = open_cases_of_sites(
        connection, places, start=start, end=end, visible=visible
    )
    return tuple(sorted({case for cases in found.values() for case in cases}))


def open_cases_of_sites(
    connection: Connection,
    places: Sequence[Place],
    *,
    start: datetime,
    end: datetime,
    visible: Sequence[str] = PUBLIC,
) -> dict[int, list[int]]:
    """Find the same by `site_id`; sites without such a case lack."""
    return _by_site(
        connection, "list_open_cases", "anomaly_case_id", places, start, end, visible
    )


def ambiguous_hours(
    connection: Connection,
    places: Sequence[Place],
    *,
    start: datetime,
    end: datetime,
    visible: Sequence[str] = PUBLIC,
) -> tuple[datetime, ...]:
    """Find the hours (UTC) of a period in which nobody knows the times of readings.

    The wall clock showed them twice, and nothing tells which of the two is meant.
    """
    found = ambiguous_hours_of_sites(
        connection, places, start=start, end=end, visible=visible
    )
    return tuple(sorted({hour for hours in found.values() for hour in hours}))


def ambiguous_hours_of_sites(
    connection: Connection,
    places: Sequence[Place],
    *,
    start: datetime,
    end: datetime,
    visible: Sequence[str] = PUBLIC,
) -> dict[int, list[datetime]]:
    """Find the same by `site_id`; sites without such an hour lack."""
    return _by_site(
        connection, "list_ambiguous_hours", "hour", places, start, end, visible
    )


def _by_site(
    connection: Connection,
    query: str,
    column: str,
    places: Sequence[Place],
    start: datetime,
    end: datetime,
    visible: Sequence[str],
) -> dict[int, list[Any]]:
    rows = execute(
        connection,
        query,
        sites=[site_id for site_id, _, _ in places],
        quantities=[quantity for _, quantity, _ in places],
        directions=[direction for _, _, direction in places],
        start=start,
        end=end,
        visible=list(visible),
    )
    found: dict[int, list[Any]] = {}
    for row in rows:
        found.setdefault(row["site_id"], []).append(row[column])
    return found


def latest(
    url: str, *, now: datetime | None = None, visible: Sequence[str] = PUBLIC
) -> pl.DataFrame:
    """Read the newest whole hour of each site and counted quantity.

    `now` is the database's clock where it is None.
    """
    return read_frame(url, "read_latest", now=now, visible=list(visible))


def latest_values(
    connection: Connection,
    *,
    now: datetime | None = None,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List the newest whole hour of each environment quantity of stations and gauges.

    Where only longer intervals come, the newest of these. Sites that also count are
    not among them. `now` as in `latest`.
    """
    return execute(
        connection,
        "read_latest_values",
        now=now,
        counted=list(COUNTED),
        visible=list(visible),
    ).fetchall()


def ledger(
    connection: Connection,
    *,
    start: datetime,
    end: datetime,
    municipality: str | None = None,
    sensor: str | None = None,
    silent: bool = False,
    limit: int = 20_000,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List the ledger per sensor and hour of reception, newest first.

    With `silent` hours too in which readings were expected and nothing came.

    Messages of no known sensor have no municipality and no sensor.
    """
    return execute(
        connection,
        "list_ledger",
        start=start,
        end=end,
        municipality=municipality,
        sensor=sensor,
        silent=silent,
        limit=limit,
        visible=list(visible),
    ).fetchall()


def state(connection: Connection) -> dict[str, list[Row]]:
    """Sum up what the operator's metrics tell, over all sites."""
    return {
        "ledger": execute(connection, "sum_ledger").fetchall(),
        "rejected": execute(connection, "count_rejected").fetchall(),
        "cases": execute(
            connection, "count_open_cases", current_days=CURRENT_DAYS
        ).fetchall(),
        "health": execute(connection, "count_health").fetchall(),
        "work": execute(connection, "read_work").fetchall(),
        "alerts": execute(connection, "alerts_held_up").fetchall(),
    }


def lag_s(connection: Connection) -> float | None:
    """Tell how many seconds ago the newest committed message came; None: none did."""
    lag: float | None = execute(connection, "read_work").fetchall()[0][
        "since_last_commit_s"
    ]
    return lag
