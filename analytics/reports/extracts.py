"""Extracts: a site's figures for a period and bin, with their passport.

The API serves them and the command `export` writes them.
"""

import math
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, Literal

import polars as pl

from analytics.environment import days as by_day
from analytics.frames import CHANNELS, ENVIRONMENT_DAYS, ENVIRONMENT_HOURS, check
from analytics.quality import suspected
from analytics.quality.passport import SHARES, Passport
from analytics.reports.periods import Period, ceiling, period
from analytics.reports.standing import COLUMNS, with_standing
from analytics.volumes.long_intervals import MAX_INTERVAL_S
from analytics.volumes.volume import METHOD as VOLUMES_METHOD
from verkehrspuls.calendar import day_end, day_start
from verkehrspuls.cases import Case
from verkehrspuls.classes import VOLUME_CLASSES
from verkehrspuls.errors import BadParameter
from verkehrspuls.quantities import COUNTED, ENVIRONMENT, QUANTITIES
from verkehrspuls.storage.case_lists import list_cases
from verkehrspuls.storage.database import Connection, FrameSource
from verkehrspuls.storage.days import read_daily_figures
from verkehrspuls.storage.doubts import list_ambiguous_hours, list_suspected
from verkehrspuls.storage.environment import read_environment, read_long_environment
from verkehrspuls.storage.estimates import read_imputed
from verkehrspuls.storage.sites import Channel, Site
from verkehrspuls.storage.volumes import list_calibrations, read_volumes

Bin = Literal["PT15M", "PT1H", "P1D"]

#: seconds of a bin; a day is a local one and has 23 to 25 hours
SECONDS: Final[dict[str, Literal[900, 3600]]] = {"PT15M": 900, "PT1H": 3600}
DAY: Final = "P1D"
ALL: Final = "all"

_KEYS: Final = ("channel_id", "day")

_DESCRIPTIONS: Final = {
    "time": "start of the interval, UTC",
    "imputed_by": "methods of what was imputed",
    "day": "local day of the site",
    "direction": "key of the direction; `all` is the cross-section",
    "channel": "key of the channel",
    "expected": "share of the interval at which sensors were attached",
    "observed": "share of the interval that readings cover",
    "volume": "what was counted, not scaled up",
    "volume_normalised": "volume with partly observed bins scaled to whole ones",
    "volume_estimated": "volume with what was normalised and imputed",
    "total": "of sensors that tell no classes apart",
    "heavy": "lorries and buses (Schwerverkehr)",
    "speed_kmh": "mean of spot speeds, weighted by counts",
    "usual": "volume that is usual for the hour, from the weeks before it; null, with "
    "a spread, where these are of two kinds",
    "usual_spread": "how far volumes of that hour usually lie from it; half of what "
    "lies between two kinds of days",
    "peak_hour": "start of the hour with the greatest volume, UTC: the four "
    "quarter-hours in a row, or the hour by the clock where only hours are counted",
    "peak_volume": "volume of that hour",
    "normalised": "share that was scaled up from what was observed partly",
    "imputed": "share that was estimated",
    "excluded": "share that was observed, and left out because of an anomaly case",
    "valid": "whether enough was observed, without too long a gap, to count in means",
    "method": "how the figures were computed, with its version",
    "mean": "mean of the interval",
    "minimum": "least value in the interval",
    "maximum": "greatest value in the interval",
    **COLUMNS,
}


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds; `unit` is null where it has none, `1` for a share."""

    name: str
    unit: str | None
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesPassport(Passport):
    """Where the figures of an extract come from: shares of the period up to now.

    Intervals without a row are not observed. `cases` are the open ones that touch the
    period. Where no interval of it has begun, none is expected.
    """

    intervals_expected: int
    intervals_present: int


@dataclass(frozen=True, slots=True)
class Selection:
    """What is asked for: figures of a site in a period.

    `direction` is a key, `all` for the cross-section or None for each direction.
    """

    site: Site
    quantity: str
    direction: str | None
    period: Period
    bin: Bin

    @property
    def key(self) -> str:
        """The site's key with its municipality's."""
        return f"{self.site.municipality}/{self.site.key}"


@dataclass(frozen=True, slots=True)
class Extract:
    """Figures, one row per interval and direction (or channel), and their passport."""

    selection: Selection
    frame: pl.DataFrame
    columns: Sequence[Column]
    passport: SeriesPassport
    #: open cases that touch the period
    cases: Sequence[Case]


def select(
    site: Site,
    *,
    quantity: str | None,
    direction: str | None,
    start: datetime | date | None,
    end: datetime | date | None,
    bin: Bin,
    now: datetime,
    days: int = 7,
) -> Selection:
    """Complete and check what is asked for; see `period`.

    The default is the last seven days, and the site's first counted quantity.
    """
    chosen = quantity_of(site, asked=quantity)
    if chosen in ENVIRONMENT and bin == "PT15M":
        raise BadParameter(
            parameter="bin",
            detail=f"{chosen} is there by the hour or day: PT1H or P1D",
        )
    check_direction(site, chosen, direction)
    asked = period(
        site.time_zone,
        start,
        end,
        now=now,
        days=days,
        step_s=SECONDS.get(bin, 3600),
    )
    return Selection(site, chosen, direction, asked, bin)


def check_direction(site: Site, quantity: str, direction: str | None) -> None:
    """Refuse a direction that a quantity of a site does not have."""
    known = _directions(site, quantity)
    if quantity in ENVIRONMENT and direction:
        raise BadParameter(
            parameter="direction", detail=f"{quantity} has no direction: leave it out"
        )
    if direction is not None and direction not in (ALL, *known):
        raise BadParameter(
            parameter="direction",
            detail=f"The directions are {', '.join(filter(None, (ALL, *known)))}",
        )


def quantity_of(
    *sites: Site,
    asked: str | None,
    among: Collection[str] = tuple(QUANTITIES),
) -> str:
    """Check the quantity that is asked for; the default is the first of all sites."""
    measured = [
        quantity
        for quantity in among
        if all(quantity in _measured(site) for site in sites)
    ]
    chosen = next(iter(measured), "") if asked is None else asked
    if chosen not in measured:
        who = "The site measures" if len(sites) == 1 else "All of the sites measure"
        raise BadParameter(
            parameter="quantity",
            detail=f"{who} {', '.join(measured) or 'nothing yet'}, "
            f"not {chosen or 'anything'}",
        )
    return chosen


def read(selection: Selection, *, source: FrameSource) -> pl.DataFrame:
    """Read the figures that are selected."""
    site_id, quantity = selection.site.site_id, selection.quantity
    if quantity in ENVIRONMENT and selection.bin == DAY:
        first, last = selection.period.local_days
        return environment_days(selection.site, quantity, first, last, source=source)
    if quantity in ENVIRONMENT:
        return read_environment(
            source,
            site_id=site_id,
            quantity=quantity,
            start=selection.period.start,
            end=selection.period.end,
        )
    if selection.bin == DAY:
        first, last = selection.period.local_days
        frame = read_daily_figures(
            source,
            site_id=site_id,
            quantity=quantity,
            first=first,
            last=last,
            direction=selection.direction,
        )
        if selection.direction is None:
            return frame.filter(pl.col("direction") != ALL)
        return frame
    frame = read_volumes(
        source,
        site_id=site_id,
        quantity=quantity,
        start=selection.period.start,
        end=selection.period.end,
        interval_s=SECONDS[selection.bin],
        direction=selection.direction,
    )
    columns = (
        *("time", "direction", "expected", *SHARES, "valid"),
        *("volume", "volume_normalised", *VOLUME_CLASSES[quantity], "speed_kmh"),
    )
    if selection.bin != "PT1H":
        return frame.select(columns)
    estimates = read_imputed(
        source,
        site_id=site_id,
        quantity=quantity,
        start=selection.period.start,
        end=selection.period.end,
        direction=selection.direction,
    )
    return _with_imputed(frame, estimates).select(
        *columns, "usual", "usual_spread", "volume_estimated", "imputed_by"
    )


def environment_days(
    site: Site,
    quantity: str,
    first: date,
    last: date,
    *,
    source: FrameSource,
    trusted: bool = False,
) -> pl.DataFrame:
    """Read local days of an environment quantity of a site, both ends included.

    `trusted` leaves out what is suspected to be of a sensor's fault.
    """
    zone = site.time_zone
    asked: dict[str, Any] = {
        "site_id": site.site_id,
        "quantity": quantity,
        "end": day_end(last, zone),
        "trusted": trusted,
    }
    start = day_start(first, zone)
    channels = channels_of(site, quantity)
    found = by_day.days(
        stored_hours(read_environment(source, start=start, **asked), site.channels),
        # an interval above an hour may begin the day before
        read_long_environment(
            source, start=start - timedelta(seconds=MAX_INTERVAL_S), **asked
        ),
        channels.select(list(CHANNELS)),
        quantity=quantity,
    )
    return (
        found.filter(pl.col("day").is_between(first, last))
        .join(channels.select("channel_id", channel="key"), on="channel_id")
        .select("day", "channel", *(n for n in ENVIRONMENT_DAYS if n not in _KEYS))
        .sort("day", "channel")
    )


def channels_of(site: Site, quantity: str) -> pl.DataFrame:
    """Return the channels of a quantity of a site (CHANNELS) with their `key`."""
    return pl.DataFrame(
        [
            {
                "channel_id": channel.channel_id,
                "site_id": site.site_id,
                "quantity": quantity,
                "direction": channel.direction,
                "state": site.state,
                "time_zone": site.time_zone,
                "key": channel.key,
            }
            for channel in site.channels
            if channel.quantity == quantity
        ],
        schema={**CHANNELS, "key": pl.String()},
    )


def stored_hours(found: pl.DataFrame, channels: Sequence[Channel]) -> pl.DataFrame:
    """Return stored environment hours as ENVIRONMENT_HOURS, what analytics takes."""
    ids = {channel.key: channel.channel_id for channel in channels}
    return check(
        found.drop_nulls("mean").with_columns(
            pl.col("channel")
            .replace_strict(ids, default=None, return_dtype=pl.Int32)
            .alias("channel_id"),
            (pl.col("observed") * 3600).round().cast(pl.Int32).alias("observed_s"),
        ),
        ENVIRONMENT_HOURS,
    )


def _with_imputed(hours: pl.DataFrame, estimates: pl.DataFrame) -> pl.DataFrame:
    """Add what is imputed; an hour that nothing is observed of comes in with it."""
    known = pl.col("volume_normalised").is_not_null()
    imputed = pl.col("volume_imputed").is_not_null()
    return (
        hours.drop("imputed")
        .join(estimates, on=["time", "direction"], how="full", coalesce=True)
        .with_columns(
            pl.col("observed", "normalised", "imputed").fill_null(0),
            pl.col("expected").fill_null(pl.col("imputed")),
            pl.when(pl.col("observed").is_null())
            .then(pl.lit(value=False))
            .otherwise("valid")
            .alias("valid"),
            # what is imputed in place of something excluded is not excluded, too
            excluded=(
                pl.col("excluded").fill_null(0) - pl.col("in_place").fill_null(0)
            ).clip(0),
            volume_estimated=pl.when(known | imputed).then(
                pl.sum_horizontal("volume_normalised", "volume_imputed").round(1)
            ),
        )
        .sort("time", "direction")
    )


def complete(
    selection: Selection,
    *,
    frame: pl.DataFrame,
    connection: Connection,
    now: datetime,
) -> Extract:
    """Add to figures what they mean and where they come from."""
    cases = list_cases(
        connection,
        municipality=selection.site.municipality,
        site=selection.site.key,
        quantity=selection.quantity,
        direction=None if selection.direction == ALL else selection.direction,
        start=selection.period.start,
        end=selection.period.end,
    )
    period = selection.period
    suspects = list_suspected(
        connection,
        site_ids=[selection.site.site_id],
        quantity=selection.quantity,
        start=period.start,
        end=period.end,
        direction=selection.direction or ALL,
    )
    place = (selection.site.site_id, selection.quantity, selection.direction or ALL)
    ends: dict[str, Any] = {"start": period.start, "end": period.end}
    known = passport(selection, frame=frame, cases=cases, now=now)
    frame = with_standing(
        frame,
        site=selection.site,
        quantity=selection.quantity,
        bin=selection.bin,
        start=period.start,
        end=period.end,
        suspects=suspects,
        connection=connection,
    )
    return Extract(
        selection,
        frame,
        tuple(_column(name, selection.quantity) for name in frame.columns),
        replace(
            known,
            suspected=suspected.share(
                suspected.frame(map(asdict, suspects)),
                start=period.start,
                end=min(period.end, now),
                channels=len(_channels(selection)),
            ),
            ambiguous_hours=list_ambiguous_hours(connection, [place], **ends),
            calibrations=list_calibrations(connection, [place], **ends),
        ),
        cases,
    )


def passport(
    selection: Selection,
    *,
    frame: pl.DataFrame,
    cases: Sequence[Case],
    now: datetime,
) -> SeriesPassport:
    """Return where the figures come from."""
    streams = _streams(selection)
    if selection.bin == DAY:
        present = frame.filter(
            pl.col("day") < now.astimezone(selection.period.zone).date()
        )
        first, last = selection.period.local_days
        yesterday = now.astimezone(selection.period.zone).date() - timedelta(days=1)
        expected = max(0, (min(last, yesterday) - first).days + 1) * streams
        methods = sorted(set(frame["method"])) if "method" in frame.columns else []
        if selection.quantity in ENVIRONMENT:
            methods = [by_day.METHOD]
        method = ", ".join(methods) or "no days yet"
    else:
        seconds = SECONDS[selection.bin]
        stop = min(selection.period.end, ceiling(now, seconds))
        present = frame.filter(pl.col("time") < stop)
        expected = max(0, _bins(selection.period.start, stop, seconds)) * streams
        method = (
            VOLUMES_METHOD
            if selection.quantity in COUNTED
            else f"{ENVIRONMENT[selection.quantity].mean}-mean-1"
        )
    shares: dict[str, Any] = {
        name: _share(present, name, expected) if name in frame.columns else 0.0
        for name in SHARES
    }
    return SeriesPassport(
        **shares,
        days_used=None,
        days_required=None,
        method=method,
        cases=tuple(case.anomaly_case_id for case in cases),
        intervals_expected=expected,
        intervals_present=_present(present),
    )


def _present(frame: pl.DataFrame) -> int:
    """Count the intervals that something was observed of."""
    if "excluded" not in frame.columns:
        return frame.height
    return frame.filter(pl.col("observed") + pl.col("excluded") > 0).height


def _column(name: str, quantity: str) -> Column:
    unit = QUANTITIES[quantity].unit
    counts = (
        *("volume", "volume_normalised", "volume_estimated"),
        *("heavy", "peak_volume", "usual"),
    )
    units = {
        "speed_kmh": "km/h",
        **dict.fromkeys(("mean", "minimum", "maximum"), unit),
        **dict.fromkeys(("expected", *SHARES), "1"),
        **dict.fromkeys(
            (*counts, "usual_spread", *VOLUME_CLASSES.get(quantity, ())),
            unit.removesuffix("/h"),
        ),
    }
    return Column(name, units.get(name), _DESCRIPTIONS.get(name, f"class {name}"))


def _measured(site: Site) -> list[str]:
    there = {channel.quantity for channel in site.channels}
    return [quantity for quantity in QUANTITIES if quantity in there]


def _channels(selection: Selection) -> list[Channel]:
    """Return the channels whose figures are selected."""
    wanted = selection.direction
    return [
        channel
        for channel in selection.site.channels
        if channel.quantity == selection.quantity
        and (wanted in (None, ALL) or channel.direction == wanted)
    ]


def _directions(site: Site, quantity: str) -> list[str]:
    return sorted({c.direction for c in site.channels if c.quantity == quantity})


def _streams(selection: Selection) -> int:
    """Return how many rows an interval has where nothing is missing."""
    if selection.quantity in ENVIRONMENT:
        return sum(
            channel.quantity == selection.quantity
            for channel in selection.site.channels
        )
    if selection.direction is not None:
        return 1
    return len(_directions(selection.site, selection.quantity))


def _share(frame: pl.DataFrame, name: str, expected: int) -> float:
    return round(min(1.0, float(frame[name].sum()) / max(1, expected)), 4)


def _bins(start: datetime, end: datetime, seconds: int) -> int:
    """Count the intervals that begin in `[start, end)`."""
    return math.ceil(end.timestamp() / seconds) - math.ceil(start.timestamp() / seconds)
