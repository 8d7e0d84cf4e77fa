"""What flow figures are computed from, read for a site and its whole local days."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any, Final, Literal

import polars as pl

from analytics import frames
from analytics.flow import parameters
from analytics.flow.inputs import flow_bins, flow_days
from analytics.quality.validity import Rules
from api.extracts import ALL, Selection
from verkehrspuls.calendar import day_end, day_length_h, day_start, local_day
from verkehrspuls.errors import UnknownKey
from verkehrspuls.quantities import QUANTITIES
from verkehrspuls.settings import Analytics
from verkehrspuls.storage import calendar, series
from verkehrspuls.storage.database import Connection

HOUR_S: Final = 3600
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
        self.period = selection.period
        self.site = selection.site
        self.direction = selection.direction or ALL
        self.first, self.last = self.period.local_days
        self.parameters = parameters.load(settings.flow_parameters)
        self.settings = settings
        self.rules = Rules.of(settings)
        self.options = options
        # lends the database's URL while frames are read, not while is computed
        self._turn = turn
        self._visible = visible
        #: open cases that touch the figures
        self.open_cases = series.open_cases(
            connection,
            [(self.site["site_id"], selection.quantity, self.direction)],
            start=self.period.start,
            end=self.period.end,
            visible=visible,
        )
        self._school_holidays = school_holidays(connection)

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
        seconds = (self.period.end - self.period.start).total_seconds()
        return int(seconds // HOUR_S)

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
            and (sensor["since"] is None or sensor["since"] < self.period.end)
            and (sensor["until"] is None or sensor["until"] > self.period.start)
        }
        return found.pop() if len(found) == 1 else None

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
        with self._turn() as url:
            return series.speed_histograms(
                url,
                site_id=self.site["site_id"],
                quantity=self.selection.quantity,
                start=self.period.start,
                end=self.period.end,
                direction=self.direction,
                visible=self._visible,
            )

    def _days(self, direction: str) -> pl.DataFrame:
        with self._turn() as url:
            return read_days(
                url,
                self.site,
                self.selection.quantity,
                self.first,
                self.last,
                direction=direction,
                school_holidays=self._school_holidays,
                visible=self._visible,
            )

    def _bins(self, direction: str, interval_s: Literal[900, 3600]) -> pl.DataFrame:
        with self._turn() as url:
            found = series.volumes(
                url,
                site_id=self.site["site_id"],
                quantity=self.selection.quantity,
                start=self.period.start,
                end=self.period.end,
                interval_s=interval_s,
                direction=direction,
                visible=self._visible,
            )
        return flow_bins(
            found,
            interval_s=interval_s,
            time_zone=self.site["time_zone"],
            state=self.site["state"],
            school_holidays=self._school_holidays,
        )


def school_holidays(connection: Connection) -> pl.DataFrame:
    """Read SCHOOL_HOLIDAYS."""
    return pl.DataFrame(
        calendar.school_holidays(connection), schema=dict(frames.SCHOOL_HOLIDAYS)
    )


def read_days(
    url: str,
    site: Mapping[str, Any],
    quantity: str,
    first: date,
    last: date,
    *,
    direction: str = ALL,
    school_holidays: pl.DataFrame,
    visible: Sequence[str] = series.PUBLIC,
) -> pl.DataFrame:
    """Read FLOW_DAYS of a site from `first` to `last`, both included."""
    of_site: dict[str, Any] = {
        "site_id": site["site_id"],
        "quantity": quantity,
        "direction": direction,
        "visible": visible,
    }
    found = series.days(url, first=first, last=last, **of_site)
    left_out = _left_out(url, site["time_zone"], first, last, of_site)
    return flow_days(
        found.join(left_out, on="day", how="left").with_columns(
            excluded=pl.coalesce("left_out", "excluded")
        ),
        first=first,
        last=last,
        state=site["state"],
        school_holidays=school_holidays,
    )


def _left_out(
    url: str, time_zone: str, first: date, last: date, of_site: Mapping[str, Any]
) -> pl.DataFrame:
    """Share of days (`day`, `left_out`) that a person excluded, where one did.

    Stored days tell of it only where nothing is imputed in its place.
    """
    start, end = day_start(first, time_zone), day_end(last, time_zone)
    spans = series.excluded(url, start=start, end=end, **of_site)
    if spans.is_empty():
        return pl.DataFrame(schema={"day": pl.Date, "left_out": pl.Float64})
    since, until = spans.select(pl.col("since").min(), pl.col("until").max()).row(0)
    hours = series.volumes(
        url,
        start=max(start, day_start(local_day(since, time_zone), time_zone)),
        end=min(end, until),
        interval_s=HOUR_S,
        **of_site,
    )
    local = pl.col("time").dt.convert_time_zone(time_zone)
    touched = hours.filter(pl.col("excluded") > 0)
    by_day = touched.group_by(day=local.dt.date()).agg(pl.col("excluded").sum())
    lengths = [day_length_h(day, time_zone) for day in by_day["day"]]
    return by_day.select(
        "day", left_out=pl.col("excluded") / pl.Series(lengths, dtype=pl.Float64)
    )


def open_cases(
    connection: Connection,
    sites: Sequence[Mapping[str, Any]],
    quantity: str,
    first: date,
    last: date,
) -> tuple[int, ...]:
    """Find the open cases that touch days of cross-sections, both ends included."""
    if not sites:
        return ()
    zone = sites[0]["time_zone"]
    return series.open_cases(
        connection,
        [(site["site_id"], quantity, ALL) for site in sites],
        start=day_start(first, zone),
        end=day_end(last, zone),
    )


def sites_of(connection: Connection, municipality: str) -> list[series.Row]:
    """List the sites of a municipality, which must have one."""
    found = series.sites(connection, municipality=municipality)
    if not found:
        raise UnknownKey(kind="municipality", key=municipality)
    return found


def counting(sites: Sequence[series.Row], quantity: str) -> list[series.Row]:
    """Choose the sites that count something."""
    return [
        site
        for site in sites
        if any(channel["quantity"] == quantity for channel in site["channels"])
    ]
