"""Flow figures of a site: what they are computed from is read, and they are computed.

The API serves them and pages show them. Periods are whole local days that have ended.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Any, Final, Literal

import polars as pl

from analytics import frames
from analytics.flow import (
    aadt,
    classes,
    design_hour,
    means,
    noise,
    parameters,
    peaks,
    profiles,
    service,
    speeds,
)
from analytics.flow.figure import Result, with_cases
from analytics.flow.inputs import flow_bins, flow_days
from analytics.quality.validity import Rules
from api import extracts
from api.errors import BadParameter, TooLong
from api.extracts import ALL, DAY, Selection
from verkehrspuls import calendar
from verkehrspuls.quantities import QUANTITIES
from verkehrspuls.settings import Analytics
from verkehrspuls.storage import calendar as stored_calendar
from verkehrspuls.storage import series
from verkehrspuls.storage.database import Connection

_HOUR_S: Final = 3600
_QUARTER_S: Final = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a figure may be told beyond the period; None is the site's or default."""

    limit_kmh: float | None = None
    capacity: float | None = None
    profile: str | None = None


class Source:
    """What figures of a site, quantity, direction and period are computed from."""

    def __init__(
        self,
        selection: Selection,
        *,
        connection: Connection,
        turn: Callable[[], AbstractContextManager[str]],
        settings: Analytics,
        options: Options,
        visible: Sequence[str] = series.PUBLIC,
    ) -> None:
        self.selection = selection
        self.site = selection.site
        self.direction = selection.direction or ALL
        self.first, self.last = extracts.local_days(selection)
        self.parameters = parameters.load(settings.flow_parameters)
        self.settings = settings
        self.rules = Rules.of(settings)
        self.options = options
        # lends the database's URL while frames are read, not while is computed
        self._turn = turn
        self._visible = visible
        self._cases = series.cases(
            connection,
            municipality=self.site["municipality"],
            site=self.site["key"],
            quantity=selection.quantity,
            start=selection.start,
            end=selection.end,
            limit=10_000,
            visible=visible,
        )
        self._school_holidays = pl.DataFrame(
            stored_calendar.school_holidays(connection),
            schema=dict(frames.SCHOOL_HOLIDAYS),
        )

    @property
    def unit(self) -> str:
        """What is counted, such as Kfz."""
        return QUANTITIES[self.selection.quantity].unit.removesuffix("/h")

    @property
    def length(self) -> int:
        """Days of the period."""
        return (self.last - self.first).days + 1

    @property
    def hours_expected(self) -> int:
        """Hours of the period; local days have 23, 24 or 25."""
        seconds = (self.selection.end - self.selection.start).total_seconds()
        return int(seconds // _HOUR_S)

    @cached_property
    def channels(self) -> list[dict[str, Any]]:
        """The channels of the quantity and direction."""
        return [
            channel
            for channel in self.site["channels"]
            if channel["quantity"] == self.selection.quantity
            and self.direction in (ALL, channel["direction"])
        ]

    @property
    def directions(self) -> list[str]:
        """All directions of the quantity."""
        return sorted(
            {
                channel["direction"]
                for channel in self.site["channels"]
                if channel["quantity"] == self.selection.quantity
            }
        )

    @property
    def lanes(self) -> int | None:
        """How many lanes there are; None where one is not numbered."""
        lanes = {(channel["direction"], channel["lane"]) for channel in self.channels}
        return None if any(lane is None for _, lane in lanes) else len(lanes)

    @property
    def limit_kmh(self) -> float | None:
        """The speed limit."""
        return self.options.limit_kmh or self.site["speed_limit_kmh"]

    @property
    def scheme(self) -> str | None:
        """The class scheme of all sensors of the period; None where they differ."""
        keys = {channel["key"] for channel in self.channels}
        found = {
            sensor["class_scheme"]
            for sensor in self.site["sensors"]
            if sensor["channel"] in keys
            and (sensor["since"] is None or sensor["since"] < self.selection.end)
            and (sensor["until"] is None or sensor["until"] > self.selection.start)
        }
        return found.pop() if len(found) == 1 else None

    @property
    def open_cases(self) -> tuple[int, ...]:
        """Open cases that touch the figures."""
        return tuple(
            sorted(
                case["anomaly_case_id"]
                for case in self._cases
                if self.direction in (ALL, case["direction"])
            )
        )

    def days(self) -> pl.DataFrame:
        """FLOW_DAYS of the direction that is asked for."""
        return self._flow_days(self._days(self.direction))

    def days_by_direction(self) -> dict[str, pl.DataFrame]:
        """FLOW_DAYS of each direction."""
        read = self._days(None)
        return {
            key: self._flow_days(read.filter(pl.col("direction") == key))
            for key in self.directions
        }

    def hours(self) -> pl.DataFrame:
        """FLOW_BINS of the hours of the direction that is asked for."""
        return self._flow_bins(self._volumes(self.direction, _HOUR_S), _HOUR_S)

    def hours_by_direction(self) -> dict[str, pl.DataFrame]:
        """FLOW_BINS of the hours of each direction."""
        read = self._volumes(None, _HOUR_S)
        return {
            key: self._flow_bins(read.filter(pl.col("direction") == key), _HOUR_S)
            for key in self.directions
        }

    def quarters(self) -> pl.DataFrame:
        """FLOW_BINS of the quarter-hours of the direction that is asked for."""
        return self._flow_bins(self._volumes(self.direction, _QUARTER_S), _QUARTER_S)

    def histograms(self) -> pl.DataFrame:
        """SPEED_HISTOGRAMS of its channels."""
        with self._turn() as url:
            found = series.speed_histograms(
                url,
                site_id=self.site["site_id"],
                quantity=self.selection.quantity,
                start=self.selection.start,
                end=self.selection.end,
                direction=self.direction,
                visible=self._visible,
            )
        return frames.check(found, frames.SPEED_HISTOGRAMS)

    def _days(self, direction: str | None) -> pl.DataFrame:
        with self._turn() as url:
            return series.days(
                url,
                site_id=self.site["site_id"],
                quantity=self.selection.quantity,
                first=self.first,
                last=self.last,
                direction=direction,
                visible=self._visible,
            )

    def _flow_days(self, read: pl.DataFrame) -> pl.DataFrame:
        return flow_days(
            read,
            first=self.first,
            last=self.last,
            state=self.site["state"],
            school_holidays=self._school_holidays,
        )

    def _volumes(
        self, direction: str | None, interval_s: Literal[900, 3600]
    ) -> pl.DataFrame:
        with self._turn() as url:
            return series.volumes(
                url,
                site_id=self.site["site_id"],
                quantity=self.selection.quantity,
                start=self.selection.start,
                end=self.selection.end,
                interval_s=interval_s,
                direction=direction,
                visible=self._visible,
            )

    def _flow_bins(
        self, read: pl.DataFrame, interval_s: Literal[900, 3600]
    ) -> pl.DataFrame:
        return flow_bins(
            read,
            interval_s=interval_s,
            time_zone=self.site["time_zone"],
            state=self.site["state"],
            school_holidays=self._school_holidays,
        )


def _means(of: Source) -> Result:
    found = means.means(of.days(), unit=of.unit, rules=of.rules)
    split = means.directional_split(of.days_by_direction(), rules=of.rules)
    return Result((*found.figures, *split.figures))


def _aadt(of: Source) -> Result:
    return aadt.aadt(of.days(), of.hours(), unit=of.unit)


def _peaks(of: Source) -> Result:
    return peaks.peaks(of.quarters(), unit=of.unit, expected=4 * of.hours_expected)


def _design_hour(of: Source) -> Result:
    dtv = means.means(of.days(), unit=of.unit, rules=of.rules).figures[0]
    return design_hour.design_hour(
        of.hours(),
        of.hours_by_direction(),
        heavy=classes.summed(classes.GROUPS["heavy"], of.scheme),
        dtv=dtv.value,
        days=of.length,
        unit=of.unit,
    )


def _classes(of: Source) -> Result:
    return classes.classes(
        of.hours(),
        quantity=of.selection.quantity,
        scheme=of.scheme,
        units=of.parameters.car_units[of.settings.car_units].units,
        unit=of.unit,
        expected=of.hours_expected,
    )


def _speeds(of: Source) -> Result:
    histograms = of.histograms()
    # the sensors' means are a substitute
    means_only = histograms.is_empty()
    return speeds.speeds(
        histograms,
        of.hours() if means_only else frames.empty(frames.FLOW_BINS),
        limit_kmh=of.limit_kmh,
        expected_s=of.hours_expected * _HOUR_S * len(of.channels),
    )


def _service(of: Source) -> Result:
    key = of.options.profile or of.settings.service_profile
    known = of.parameters.service
    if key not in known:
        raise BadParameter(
            parameter="profile", detail=f"The profiles are {', '.join(known)}"
        )
    return service.service(
        of.hours(),
        of.histograms(),
        profile=known[key],
        lanes=of.lanes,
        capacity=of.options.capacity,
        limit_kmh=of.limit_kmh,
        unit=of.unit,
        expected=of.hours_expected,
    )


def _noise_flows(of: Source) -> Result:
    return noise.noise_flows(
        of.hours(),
        scheme=of.scheme,
        days=of.length,
        unit=of.unit,
        rules=of.rules,
    )


def _day_profile(of: Source) -> Result:
    return profiles.day_profile(of.hours(), expected=of.hours_expected)


def _week_profile(of: Source) -> Result:
    return profiles.week_profile(of.hours(), expected=of.hours_expected)


def _year_profile(of: Source) -> Result:
    return profiles.year_profile(of.days(), rules=of.rules)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of figures: how it is computed, and days of its period."""

    compute: Callable[[Source], Result]
    usual: int
    longest: int


KINDS: Final[Mapping[str, Kind]] = {
    "means": Kind(_means, 365, 100 * 366),
    "aadt": Kind(_aadt, 365, 366),
    "peaks": Kind(_peaks, 28, 366),
    "design-hour": Kind(_design_hour, 365, 366),
    "classes": Kind(_classes, 365, 5 * 366),
    "speeds": Kind(_speeds, 28, 366),
    "service": Kind(_service, 28, 366),
    "noise-flows": Kind(_noise_flows, 365, 366),
    "day-profile": Kind(_day_profile, 365, 5 * 366),
    "week-profile": Kind(_week_profile, 365, 5 * 366),
    "year-profile": Kind(_year_profile, 365, 100 * 366),
}


def select(
    site: dict[str, Any],
    kind: str,
    *,
    quantity: str | None,
    direction: str | None,
    start: datetime | date | None,
    end: datetime | date | None,
    now: datetime,
) -> Selection:
    """Complete and check what is asked for: whole local days that have ended."""
    today = calendar.local_day(now, site["time_zone"])
    chosen = extracts.select(
        site,
        quantity=quantity,
        direction=direction,
        start=start or today - timedelta(days=KINDS[kind].usual),
        end=end or today,
        bin=DAY,
        now=now,
    )
    first, last = extracts.local_days(chosen)
    last = min(last, today - timedelta(days=1))
    days = (last - first).days + 1
    if days < 1:
        raise BadParameter(
            parameter="from", detail="The period has no local day that has ended"
        )
    if days > KINDS[kind].longest:
        raise TooLong(
            parameter="from",
            detail=f"{days} days are too long for {kind}: at most "
            f"{KINDS[kind].longest}",
        )
    return Selection(
        site,
        chosen.quantity,
        chosen.direction,
        calendar.day_start(first, site["time_zone"]),
        calendar.day_end(last, site["time_zone"]),
        DAY,
    )


def compute(kind: str, source: Source) -> Result:
    """Compute the figures of a kind."""
    return with_cases(KINDS[kind].compute(source), source.open_cases)
