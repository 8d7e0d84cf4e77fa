"""What flow figures are computed from, read for a site and its whole local days."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from copy import copy
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from typing import Any, Final, Literal, Required, Self, TypedDict, Unpack

import polars as pl

from analytics import frames
from analytics.calendar import Terms, terms_of
from analytics.flow import parameters
from analytics.flow.inputs import calendar as calendar_of
from analytics.flow.inputs import flow_bins, on_calendar
from analytics.quality import suspected, validity
from analytics.quality.passport import Touching
from analytics.quality.validity import Rules
from analytics.reports.extracts import ALL, Selection
from analytics.reports.suspected import read_suspected, trusted_days
from verkehrspuls.calendar import day_end, day_length_h, day_start, local_day
from verkehrspuls.calibrations import Calibrated
from verkehrspuls.errors import BadParameter, UnknownKey
from verkehrspuls.quantities import QUANTITIES
from verkehrspuls.registry import calendar
from verkehrspuls.settings import Analytics
from verkehrspuls.storage.by_place import Place
from verkehrspuls.storage.case_lists import list_open_cases, list_open_cases_of_sites
from verkehrspuls.storage.database import Connection, FrameSource
from verkehrspuls.storage.days import read_daily_figures_of_sites
from verkehrspuls.storage.doubts import (
    list_ambiguous_hours,
    list_ambiguous_hours_of_sites,
    read_excluded,
)
from verkehrspuls.storage.sites import Channel, Site, list_sites
from verkehrspuls.storage.speeds import read_speed_histograms
from verkehrspuls.storage.volumes import (
    list_calibrations,
    list_calibrations_of_sites,
    read_volumes,
)

HOUR_S: Final = 3600
_QUARTER_S: Final = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of a figure beyond the period; None is the site's, or the default."""

    limit_kmh: float | None = None
    capacity: float | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of a source's period before its figures are read."""

    #: what touches the figures
    touching: Touching
    #: what is suspected to be of a sensor's fault (SUSPECTED); what lies outside of the
    #: period changes nothing
    suspected: pl.DataFrame
    #: SCHOOL_HOLIDAYS
    school_holidays: pl.DataFrame


def known(
    connection: Connection,
    selection: Selection,
) -> Known:
    """Read what is known of the period of a selection."""
    site_id, direction = selection.site.site_id, selection.direction or ALL
    period: dict[str, Any] = {
        "start": selection.period.start,
        "end": selection.period.end,
    }
    return Known(
        touching=touching(
            connection, [(site_id, selection.quantity, direction)], **period
        ),
        suspected=read_suspected(
            connection,
            [site_id],
            selection.quantity,
            direction=direction,
            **period,
        ),
        school_holidays=school_holidays(connection, selection.site.state),
    )


class Source:
    """What figures of a site, quantity, direction and period are computed from."""

    def __init__(
        self,
        selection: Selection,
        *,
        known: Known,
        turn: Callable[[], AbstractContextManager[FrameSource]],
        settings: Analytics,
        options: Options,
        trusted: bool = False,
        days: pl.DataFrame | None = None,
    ) -> None:
        """Take it; `days` are those of the direction, where they are read already."""
        self.selection = selection
        self.period = selection.period
        self.site = selection.site
        self.direction = selection.direction or ALL
        self.first, self.last = self.period.local_days
        self.parameters = parameters.load(settings.flow_parameters)
        self.settings = settings
        self.rules = Rules.of(settings)
        self.options = options
        profiles = self.parameters.service
        key = settings.service_profile if options.profile is None else options.profile
        if key not in profiles:
            raise BadParameter(
                parameter="profile", detail=f"The profiles are {', '.join(profiles)}"
            )
        #: of the levels of service
        self.profile = profiles[key]
        # lends the database's URL while frames are read, not while is computed
        self._turn = turn
        #: what touches the figures, see `Touching`
        self.touching = known.touching
        #: left out where the source is to be trusted
        self.suspected = known.suspected
        self._trusted = trusted
        self._days_read = days
        self._school_holidays = known.school_holidays

    def trusted(self) -> Self:
        """Return the same without what is suspected to be of a sensor's fault."""
        found = copy(self)
        found._trusted = True
        # read anew
        found._days_read = None
        found.__dict__.pop("_histograms", None)
        return found

    @property
    def suspected_share(self) -> float:
        """What part of the period is suspected."""
        return suspected.share(
            self.suspected,
            start=self.period.start,
            end=self.period.end,
            channels=len(self.channels),
        )

    @property
    def unit(self) -> str:
        """What is counted, such as Kfz."""
        return QUANTITIES[self.selection.quantity].unit.removesuffix("/h")

    @property
    def terms(self) -> Terms:
        """Until when the school holidays of the site's state are known."""
        return terms_of(self._school_holidays, self.site.state)

    @property
    def length(self) -> int:
        """Days of the period."""
        return (self.last - self.first).days + 1

    @property
    def hours_expected(self) -> int:
        """Hours of the period; local days have 23, 24 or 25."""
        seconds = (self.period.end - self.period.start).total_seconds()
        return int(seconds // HOUR_S)

    @cached_property
    def channels(self) -> list[Channel]:
        """The channels of the quantity and direction."""
        return [
            channel
            for channel in self.site.channels
            if channel.quantity == self.selection.quantity
            and self.direction in (ALL, channel.direction)
        ]

    @property
    def directions(self) -> list[str]:
        """All directions of the quantity."""
        return sorted(
            {
                channel.direction
                for channel in self.site.channels
                if channel.quantity == self.selection.quantity
            }
        )

    @property
    def lanes(self) -> int | None:
        """How many lanes there are; None where one is not numbered."""
        lanes = {(channel.direction, channel.lane) for channel in self.channels}
        return None if any(lane is None for _, lane in lanes) else len(lanes)

    @property
    def limit_kmh(self) -> float | None:
        """The speed limit."""
        return self.options.limit_kmh or self.site.speed_limit_kmh

    @property
    def scheme(self) -> str | None:
        """The class scheme of all sensors of the period; None where they differ."""
        return scheme_of(
            self.site, self.channels, start=self.period.start, end=self.period.end
        )

    def days(self) -> pl.DataFrame:
        """FLOW_DAYS of the direction that is asked for."""
        return self._days(self.direction)

    def days_by_direction(self) -> dict[str, pl.DataFrame]:
        """FLOW_DAYS of each direction."""
        return {key: self._days(key) for key in self.directions}

    def hours(self) -> pl.DataFrame:
        """FLOW_BINS of the hours of the direction that is asked for."""
        return self._bins(self.direction, HOUR_S)

    def hours_by_direction(self) -> dict[str, pl.DataFrame]:
        """FLOW_BINS of the hours of each direction."""
        return {key: self._bins(key, HOUR_S) for key in self.directions}

    def quarters(self) -> pl.DataFrame:
        """FLOW_BINS of the quarter-hours of the direction that is asked for."""
        return self._bins(self.direction, _QUARTER_S)

    def histograms(self) -> pl.DataFrame:
        """SPEED_HISTOGRAMS of its channels, without what a person excluded."""
        known = self._histograms.drop_nulls("counts")
        return frames.check(known, frames.SPEED_HISTOGRAMS)

    @property
    def histograms_excluded_s(self) -> int:
        """Seconds of histograms that a person excluded."""
        return int(self._histograms["excluded_s"].sum())

    @cached_property
    def _histograms(self) -> pl.DataFrame:
        with self._turn() as source:
            return read_speed_histograms(
                source,
                site_id=self.site.site_id,
                quantity=self.selection.quantity,
                start=self.period.start,
                end=self.period.end,
                direction=self.direction,
                trusted=self._trusted,
            )

    def _days(self, direction: str) -> pl.DataFrame:
        found = self._days_read if direction == self.direction else None
        with self._turn() as source:
            return read_days(
                source,
                self.site,
                self.selection.quantity,
                self.first,
                self.last,
                direction=direction,
                school_holidays=self._school_holidays,
                without=self.suspected if self._trusted and found is None else None,
                found=found,
                rules=self.rules,
            )

    def _bins(self, direction: str, interval_s: Literal[900, 3600]) -> pl.DataFrame:
        with self._turn() as source:
            found = read_volumes(
                source,
                site_id=self.site.site_id,
                quantity=self.selection.quantity,
                start=self.period.start,
                end=self.period.end,
                interval_s=interval_s,
                direction=direction,
                trusted=self._trusted,
            )
        return flow_bins(
            found,
            interval_s=interval_s,
            time_zone=self.site.time_zone,
            state=self.site.state,
            school_holidays=self._school_holidays,
        )


def scheme_of(
    site: Site,
    channels: Sequence[Channel],
    *,
    start: datetime,
    end: datetime,
) -> str | None:
    """Return the class scheme of all sensors of channels; None where they differ."""
    keys = {channel.key for channel in channels}
    found = {
        sensor.class_scheme
        for sensor in site.sensors
        if sensor.channel in keys
        and (sensor.since is None or sensor.since < end)
        and (sensor.until is None or sensor.until > start)
    }
    return found.pop() if len(found) == 1 else None


def suspected_of(
    connection: Connection,
    sites: Sequence[Site],
    quantity: str,
    first: date,
    last: date,
) -> pl.DataFrame:
    """Read SUSPECTED of the cross-sections of sites on days, both ends included."""
    if not sites:
        return suspected.frame([])
    zone = sites[0].time_zone
    return read_suspected(
        connection,
        [site.site_id for site in sites],
        quantity,
        start=day_start(first, zone),
        end=day_end(last, zone),
    )


def school_holidays(connection: Connection, state: str | None = None) -> pl.DataFrame:
    """Read SCHOOL_HOLIDAYS of a state, or of all."""
    found = calendar.school_holidays(connection)
    chosen = [holiday for holiday in found if state in (None, holiday.state)]
    return frames.of_records(chosen, frames.SCHOOL_HOLIDAYS)


class _Days(TypedDict, total=False):
    direction: str
    school_holidays: Required[pl.DataFrame]
    #: SUSPECTED spans that are left out
    without: pl.DataFrame | None
    rules: Rules


def read_days(
    source: FrameSource,
    site: Site,
    quantity: str,
    first: date,
    last: date,
    *,
    found: pl.DataFrame | None = None,
    **asked: Unpack[_Days],
) -> pl.DataFrame:
    """Read FLOW_DAYS of a site from `first` to `last`, both included.

    `found` are days of the direction as `read_daily_figures` reads them, where they
    are read already.
    """
    if found is not None:
        found = found.with_columns(site_id=pl.lit(site.site_id, pl.Int32))
    return read_days_of_sites(
        source, [site], quantity, first, last, found=found, **asked
    )[0]


def read_days_of_sites(
    source: FrameSource,
    sites: Sequence[Site],
    quantity: str,
    first: date,
    last: date,
    *,
    direction: str = ALL,
    school_holidays: pl.DataFrame,
    without: pl.DataFrame | None = None,
    found: pl.DataFrame | None = None,
    rules: Rules = validity.DEFAULT,
) -> list[pl.DataFrame]:
    """Read FLOW_DAYS of each site of a municipality, in their order, all at once.

    `without` are SUSPECTED spans that are left out; `found` as in `read_days`, with
    `site_id`.
    """
    if not sites:
        return []
    of_sites: dict[str, Any] = {
        "quantity": quantity,
        "direction": direction,
    }
    site_ids = [site.site_id for site in sites]
    zone = sites[0].time_zone
    start, end = day_start(first, zone), day_end(last, zone)
    if found is None:
        found = read_daily_figures_of_sites(
            source, site_ids=site_ids, first=first, last=last, **of_sites
        )
    spans = read_excluded(source, site_ids=site_ids, start=start, end=end, **of_sites)
    if without is not None:
        known = found.partition_by("site_id", as_dict=True)
        for site in sites:
            mine = without.filter(site_id=site.site_id)
            if mine.height:
                key = (site.site_id,)
                known[key] = trusted_days(
                    source,
                    site,
                    quantity,
                    known.get(key, found.clear()),
                    mine,
                    first=first,
                    last=last,
                    rules=rules,
                )
        found = pl.concat([found.clear(), *known.values()])
    left_out = [
        _left_out(source, zone, (start, end), excluded, of_sites | {"site_id": site_id})
        for (site_id,), excluded in spans.partition_by("site_id", as_dict=True).items()
    ]
    if left_out:
        found = found.join(
            pl.concat(left_out), on=["site_id", "day"], how="left"
        ).with_columns(excluded=pl.max_horizontal("left_out", "excluded"))
    shared = calendar_of(first, last, sites[0].state, school_holidays)
    order = sorted(set(site_ids))
    every = pl.DataFrame({"site_id": order}, schema={"site_id": pl.Int32})
    read = on_calendar(found, every.join(shared, how="cross"))
    of_site = dict(zip(order, read.iter_slices(shared.height), strict=True))
    return [of_site[site_id] for site_id in site_ids]


def _left_out(
    source: FrameSource,
    time_zone: str,
    between: tuple[datetime, datetime],
    spans: pl.DataFrame,
    of_site: Mapping[str, Any],
) -> pl.DataFrame:
    """Share of days (`site_id`, `day`, `left_out`) that a person excluded.

    Stored days contain it only where nothing is imputed in its place.
    """
    start, end = between
    since, until = spans.select(pl.col("since").min(), pl.col("until").max()).row(0)
    hours = read_volumes(
        source,
        start=max(start, day_start(local_day(since, time_zone), time_zone)),
        end=min(end, until),
        interval_s=HOUR_S,
        **of_site,
    )
    return excluded_of_days(hours, time_zone).select(
        pl.lit(of_site["site_id"], pl.Int32).alias("site_id"), "day", "left_out"
    )


def excluded_of_days(hours: pl.DataFrame, time_zone: str) -> pl.DataFrame:
    """Return the share of days (`day`, `left_out`) that a person excluded."""
    day = pl.col("time").dt.convert_time_zone(time_zone).dt.date()
    # of most sites none are, and a filter alone takes least
    left_out = hours.filter(pl.col("excluded") > 0)
    if left_out.is_empty():
        return left_out.select(day=day, left_out="excluded")
    by_day = left_out.group_by(day=day).agg(left_out=pl.col("excluded").sum())
    lengths = [day_length_h(day, time_zone) for day in by_day["day"]]
    return by_day.with_columns(
        pl.col("left_out") / pl.Series(lengths, dtype=pl.Float64)
    )


def touching(
    connection: Connection,
    places: Sequence[Place],
    *,
    start: datetime,
    end: datetime,
) -> Touching:
    """Find what touches figures of places in a period."""
    return {
        "cases": list_open_cases(connection, places, start=start, end=end),
        "ambiguous_hours": list_ambiguous_hours(
            connection, places, start=start, end=end
        ),
        "calibrations": list_calibrations(connection, places, start=start, end=end),
    }


def touching_days(
    connection: Connection,
    sites: Sequence[Site],
    quantity: str,
    *spans: tuple[date, date],
) -> Touching:
    """Find what touches days of cross-sections; spans include both ends."""
    found = touching_days_of_sites(connection, sites, quantity, *spans).values()
    return {
        "cases": tuple(sorted({n for each in found for n in each["cases"]})),
        "ambiguous_hours": tuple(
            sorted({hour for each in found for hour in each["ambiguous_hours"]})
        ),
        "calibrations": tuple(
            dict.fromkeys(one for each in found for one in each["calibrations"])
        ),
    }


def touching_days_of_sites(
    connection: Connection,
    sites: Sequence[Site],
    quantity: str,
    *spans: tuple[date, date],
) -> dict[int, Touching]:
    """Find the same by `site_id`."""
    places = [(site.site_id, quantity, ALL) for site in sites]
    cases: defaultdict[int, set[int]] = defaultdict(set)
    hours: defaultdict[int, set[datetime]] = defaultdict(set)
    factors: defaultdict[int, dict[Calibrated, None]] = defaultdict(dict)
    for first, last in spans if sites else ():
        zone = sites[0].time_zone
        start, end = day_start(first, zone), day_end(last, zone)
        open_ = list_open_cases_of_sites(connection, places, start=start, end=end)
        for site_id, numbers in open_.items():
            cases[site_id].update(numbers)
        unsure = list_ambiguous_hours_of_sites(connection, places, start=start, end=end)
        for site_id, those in unsure.items():
            hours[site_id].update(those)
        applied = list_calibrations_of_sites(connection, places, start=start, end=end)
        for site_id, calibrations in applied.items():
            factors[site_id].update(dict.fromkeys(calibrations))
    return {
        site_id: {
            "cases": tuple(sorted(cases[site_id])),
            "ambiguous_hours": tuple(sorted(hours[site_id])),
            "calibrations": tuple(factors[site_id]),
        }
        for site_id, _, _ in places
    }


def sites_of(connection: Connection, municipality: str) -> list[Site]:
    """List the sites of a municipality, which must have one, as registered."""
    found = list_sites(connection, municipality=municipality, heard=False)
    if not found:
        raise UnknownKey(kind="municipality", key=municipality)
    return found


def counting(sites: Sequence[Site], quantity: str) -> list[Site]:
    """Choose the sites that count something."""
    return [
        site
        for site in sites
        if any(channel.quantity == quantity for channel in site.channels)
    ]
