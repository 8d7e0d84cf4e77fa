"""Reading for pages, API and exports: registry, series of figures, and cases.

Times are aware UTC and periods half-open `[start, end)`. Only sites whose visibility
is in `visible` are found; the default is what anybody may see.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Final, Literal

import polars as pl

from verkehrspuls.errors import UnknownKey
from verkehrspuls.storage.database import Connection, execute, read_frame

PUBLIC: Final = ("public",)
#: for commands of the operator
EVERYTHING: Final = ("public", "cluster", "private")

#: For so many days a case that ended, and that nobody decided, is still looked at.
CURRENT_DAYS: Final = 7

Row = dict[str, Any]
#: id of a site, quantity, and direction or `all`
Place = tuple[int, str, str]


def municipalities(
    connection: Connection, *, visible: Sequence[str] = PUBLIC
) -> list[Row]:
    """List municipalities that have a visible site, by name."""
    return execute(connection, "list_municipalities", visible=list(visible)).fetchall()


def sites(
    connection: Connection,
    *,
    municipality: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List sites with their channels, by names of municipality and site.

    `last_received_at` is when the newest message of any of a site's sensors came; null
    where none ever did.
    """
    return execute(
        connection,
        "list_sites",
        municipality=municipality,
        site=None,
        visible=list(visible),
    ).fetchall()


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
        connection, "list_sites", municipality=municipality, site=site, visible=seen
    ).fetchone()
    if row is None:
        raise UnknownKey(kind="site", key=f"{municipality}/{site}")
    return row | {
        "sensors": sensors(
            connection, municipality=municipality, site=site, visible=seen
        )
    }


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


def volumes(
    url: str,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    interval_s: Literal[900, 3600],
    direction: str | None = None,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read volumes per interval and direction, summed over lanes.

    Rows are there only where data is. `observed` is the share of the interval, over
    all lanes; `volume` is what was counted, not scaled up. `direction`: one key, `all`
    for the cross-section, None for each direction.
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
    return read_frame(
        url,
        "read_days",
        site_id=site_id,
        quantity=quantity,
        first=first,
        last=last,
        direction=direction,
        visible=list(visible),
    )


def excluded(
    url: str,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
    direction: str,
    visible: Sequence[str] = PUBLIC,
) -> pl.DataFrame:
    """Read when a person excluded channels, in spans that touch the period.

    Direction `all` is all of them.
    """
    return read_frame(
        url,
        "read_excluded",
        site_id=site_id,
        quantity=quantity,
        start=start,
        end=end,
        direction=direction,
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
        visible=list(visible),
    )


def environment(
    url: str,
    *,
    site_id: int,
    quantity: str,
    start: datetime,
    end: datetime,
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
        visible=list(visible),
    )


def cases(
    connection: Connection,
    *,
    municipality: str | None = None,
    site: str | None = None,
    quantity: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    case: int | None = None,
    open_only: bool = True,
    current_only: bool = False,
    now: datetime | None = None,
    limit: int = 1000,
    visible: Sequence[str] = PUBLIC,
) -> list[Row]:
    """List anomaly cases, newest first; with a period, those that touch it.

    Open are all that are not withdrawn, explained or rejected; `current_only` of them
    those whose cause lasts or ended no more than CURRENT_DAYS before `now` (the
    database's clock where it is None): what a person should look at. The others are
    history, but still touch the figures of their time.
    """
    return execute(
        connection,
        "list_cases",
        municipality=municipality,
        site=site,
        quantity=quantity,
        start=start,
        end=end,
        case=case,
        open_only=open_only,
        current_only=current_only,
        current_days=CURRENT_DAYS,
        now=now,
        limit=limit,
        visible=list(visible),
    ).fetchall()


def open_cases(
    connection: Connection,
    places: Sequence[Place],
    *,
    start: datetime,
    end: datetime,
    visible: Sequence[str] = PUBLIC,
) -> tuple[int, ...]:
    """Find the open cases that touch what was counted at places in a period."""
    rows = execute(
        connection,
        "list_open_cases",
        sites=[site_id for site_id, _, _ in places],
        quantities=[quantity for _, quantity, _ in places],
        directions=[direction for _, _, direction in places],
        start=start,
        end=end,
        visible=list(visible),
    )
    return tuple(row["anomaly_case_id"] for row in rows)


def latest(
    url: str, *, now: datetime | None = None, visible: Sequence[str] = PUBLIC
) -> pl.DataFrame:
    """Read the newest whole hour of each site and counted quantity.

    `now` is the database's clock where it is None.
    """
    return read_frame(url, "read_latest", now=now, visible=list(visible))


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
    }


def lag_s(connection: Connection) -> float | None:
    """Tell how many seconds ago the newest committed message came; None: none did."""
    lag: float | None = execute(connection, "read_work").fetchall()[0][
        "since_last_commit_s"
    ]
    return lag
