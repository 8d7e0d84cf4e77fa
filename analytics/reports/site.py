"""The report of a site: what it carried in a period, and how good the data is.

What it reports of the period is read together and computed by the functions that the
API's figures come from. Whoever shows it arranges it, and computes nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final, Literal

import polars as pl

from analytics.flow import classes, means, peaks, profiles, speeds
from analytics.flow.figure import Figure, Result, touched_by
from analytics.flow.inputs import (
    KNOWN,
    lazy_flow_bins,
    on_calendar,
    passport_of_bins,
)
from analytics.flow.inputs import calendar as calendar_of
from analytics.frames import FLOW_BINS, FLOW_DAYS, SPEED_HISTOGRAMS, check, empty
from analytics.quality import suspected
from analytics.quality.passport import Passport, of_days
from analytics.quality.suspected import touched
from analytics.quality.validity import Rules
from analytics.reports import extracts, figures
from analytics.reports.extracts import ALL, Bin, Selection
from analytics.reports.sources import (
    HOUR_S,
    Known,
    Options,
    Source,
    scheme_of,
    school_holidays,
    sites_of,
    suspected_of,
)
from analytics.reports.sources import read_days as read_days_of
from analytics.reports.suspected import read_suspected, trusted_days
from analytics.studies.change import Change
from analytics.studies.comparison import compare_periods, compare_sites
from verkehrspuls.calendar import day_end, day_length_h, day_start, local_day
from verkehrspuls.settings import Analytics
from verkehrspuls.storage import health
from verkehrspuls.storage.case_lists import (
    OPEN,
    Counts,
    Finding,
    count_cases,
    list_cases,
    list_findings,
    sum_towns,
)
from verkehrspuls.storage.database import Connection, Row
from verkehrspuls.storage.days import read_daily_figures
from verkehrspuls.storage.doubts import list_ambiguous_hours
from verkehrspuls.storage.estimates import (
    ForecastError,
    list_forecast_errors,
    read_forecast,
    read_imputed,
)
from verkehrspuls.storage.health import HealthDay
from verkehrspuls.storage.reader import Reader
from verkehrspuls.storage.sites import read_site
from verkehrspuls.storage.speeds import read_speed_histograms
from verkehrspuls.storage.volumes import read_volumes

#: V85 is of so many days at the end of a longer period: a page must not take seconds
SPEED_DAYS: Final = 31
#: cases of a standing that are told beside those of the period, at most
MAX_CASES: Final = 50
#: kinds of days whose usual course is told
DAY_TYPES: Final = ("workday", "saturday", "sunday_or_holiday")
_OF_PROFILES: Final = ("day", "hour", "weekday", "school_holiday", "day_type", "flow")
#: blocks of a day whose peaks are told
_BLOCKS: Final = {"day": peaks.BLOCKS["day"]}
_QUARTER_S: Final = 900
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A site, what is counted there, and the period `[start, end)` that is asked for.

    Of the period the local days from `first` to `last` are touched.
    """

    site: Mapping[str, Any]
    #: what is counted, if anything is
    quantity: str | None
    start: datetime
    end: datetime
    #: the step of its series
    bin: Bin
    now: datetime

    @property
    def zone(self) -> str:
        """The site's time zone."""
        return str(self.site["time_zone"])

    @property
    def first(self) -> date:
        """The first local day."""
        return local_day(self.start, self.zone)

    @property
    def last(self) -> date:
        """The last local day, included."""
        return local_day(self.end - timedelta(microseconds=1), self.zone)

    @property
    def today(self) -> date:
        """The local day that runs."""
        return local_day(self.now, self.zone)

    @property
    def whole_days(self) -> bool:
        """Whether it starts and ends at local midnight."""
        ends = day_start(self.first, self.zone), day_end(self.last, self.zone)
        return (self.start, self.end) == ends

    @property
    def ended(self) -> date:
        """The last day that has ended; before the first where none has."""
        if not self.whole_days:
            return self.first - _DAY
        return min(self.last, self.today - _DAY)

    @property
    def counted(self) -> dict[str, Any]:
        """The series shown, as parameters of the queries of storage."""
        return {"site_id": self.site["site_id"], "quantity": self.quantity or ""}

    @property
    def period(self) -> dict[str, Any]:
        """The period, as parameters of the queries of storage."""
        return {"start": self.start, "end": self.end}

    @property
    def channels(self) -> list[Mapping[str, Any]]:
        """The channels that count."""
        return [c for c in self.site["channels"] if c["quantity"] == self.quantity]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What was counted in which days of a site, and the figures of it."""

    site: dict[str, Any]
    quantity: str
    #: local days, both included; flow figures are of the ended ones up to `ended`
    first: date
    last: date
    ended: date
    #: day figures of the cross-section
    days: pl.DataFrame
    #: what was counted in the period; None where nothing of it is known
    total: int | None = None
    #: flow figures by name; none where no day has ended
    figures: Mapping[str, Figure] = field(default_factory=dict)
    #: open cases that touch them, and hours whose readings may be of another one
    cases: tuple[int, ...] = ()
    ambiguous_hours: tuple[datetime, ...] = ()
    #: where the period's hours come from, where it is not one of whole days
    of_hours: Passport | None = None
    #: the same without what is suspected to be of a sensor's fault, where any is, and
    #: what share of the period that is
    trusted: "Counted | None" = None
    suspected: float = 0.0
    is_trusted: bool = False

    @property
    def runs(self) -> bool:
        """Whether the passport is of the days up to yesterday, and today runs."""
        return self.first <= self.ended < self.last

    @property
    def passport(self) -> Passport:
        """Where the period's days come from; days without figures are missing."""
        if self.of_hours is not None:
            return touched(
                replace(self.of_hours, ambiguous_hours=self.ambiguous_hours),
                self.suspected,
            )
        last = self.ended if self.ended >= self.first else self.last
        known = self.days.filter(pl.col("day") <= last)
        return touched(
            of_days(
                known,
                method=", ".join(sorted(known["method"].unique())),
                days_expected=(last - self.first).days + 1,
                ambiguous_hours=self.ambiguous_hours,
            ),
            self.suspected,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Charted:
    """What is told of the hours that count, of each direction and of all (`all`)."""

    #: FLOW_BINS of the cross-section's hours
    hours: pl.DataFrame
    #: DAY_PROFILE of DAY_TYPES by `direction`
    day_profiles: pl.DataFrame
    #: WEEK_PROFILE of all directions
    week_profile: pl.DataFrame
    #: what was counted by direction, without `all`
    totals: Mapping[str, int]
    #: CLASS_VOLUMES of the classes that are told, with their share of these, and of
    #: heavy traffic; no rows where the sensors tell none apart
    classes: pl.DataFrame
    heavy_share: Figure

    @property
    def has_holidays(self) -> bool:
        """Whether public holidays are left out of the week."""
        return bool(self.hours.drop_nulls("flow")["holiday"].any())


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What is known around the figures of a site."""

    #: open cases that touch the period, the newest first
    cases: Sequence[Row]
    #: the other ones, by how they stand, and how many of all there are
    other_cases: Mapping[str, Sequence[Row]]
    counts: Counts
    #: what tests found of channels in the last days
    verdicts: Sequence[HealthDay]
    #: hours of the period whose readings may be of another one: of what is counted, and
    #: of all that is measured
    ambiguous_hours: tuple[datetime, ...]
    ambiguous_of_all: tuple[datetime, ...]
    #: what is suspected to be of a sensor's fault (SUSPECTED), of all that is measured
    suspected: pl.DataFrame
    #: sites of the municipality; none where nothing is counted
    neighbours: Sequence[Row] = ()
    #: what open cases found in the period
    findings: Sequence[Finding] = ()
    #: by how much forecasts were off
    forecast_errors: Sequence[ForecastError] = ()
    #: SCHOOL_HOLIDAYS
    school_holidays: pl.DataFrame = field(default_factory=pl.DataFrame)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is told of what a site counts in a period."""

    asked: Asked
    counted: Counted
    #: of the hours that ended with the last whole day; of all where none has ended
    charted: Charted
    #: the same without what is suspected to be of a sensor's fault, where any is
    charted_trusted: Charted | None
    #: day figures of each direction, and of all of them
    days: pl.DataFrame
    #: volumes of the step that is asked for and of hours, by direction
    bins: pl.DataFrame
    hours: pl.DataFrame
    #: what is imputed of hours, where these are the step
    estimates: pl.DataFrame | None
    #: the newest forecast, where the period reaches into the future
    forecast: pl.DataFrame | None

    @property
    def newest(self) -> pl.DataFrame:
        """The hours of all directions (`time`, `value`), whole ones."""
        return (
            _together(self.hours)
            .filter(KNOWN)
            .select("time", value="volume_normalised")
        )

    @property
    def has_begun(self) -> bool:
        """Whether something was counted in the period, but no step of it is whole."""
        if self.asked.bin == "P1D":
            return not self.days["valid"].any()
        return self.bins.height > 0 and not self.bins.select(KNOWN.any()).item()


def read_days(asked: Asked, reader: Reader) -> pl.DataFrame:
    """Read the local days of the period, of each direction and of all of them."""
    with reader.frames() as url:
        return read_daily_figures(
            url, **asked.counted, first=asked.first, last=asked.last
        )


def around(
    asked: Asked, reader: Reader, *, environment: Sequence[str], since: date
) -> Around:
    """Read what is known around the figures; verdicts are of the days from `since`."""
    site = asked.site
    of_site = {"municipality": site["municipality"], "site": site["key"]}
    measured = [*filter(None, (asked.quantity,)), *environment]
    places = [(site["site_id"], quantity, ALL) for quantity in measured]
    with reader.connection() as connection:
        told = list_cases(
            connection,
            **of_site,
            quantity=asked.quantity,
            **asked.period,
            now=asked.now,
        )
        counts = sum_towns(count_cases(connection, **of_site, now=asked.now))
        ambiguous = list_ambiguous_hours(connection, places, **asked.period)
        of_counted: dict[str, Any] = {}
        if asked.quantity:
            of_counted = {
                "neighbours": sites_of(connection, site["municipality"]),
                "findings": list_findings(connection, **asked.counted, **asked.period),
                "forecast_errors": list_forecast_errors(connection, **asked.counted)
                if asked.end > asked.now
                else (),
                "school_holidays": school_holidays(connection),
            }
        return Around(
            cases=told,
            other_cases=_other_cases(connection, asked, told, counts),
            counts=counts,
            verdicts=health.days(connection, **of_site, first=since, last=asked.today),
            ambiguous_hours=ambiguous
            if measured == [asked.quantity]
            else list_ambiguous_hours(connection, places[:1], **asked.period)
            if asked.quantity
            else (),
            ambiguous_of_all=ambiguous,
            suspected=read_suspected(
                connection, [site["site_id"]], None, **asked.period
            ),
            **of_counted,
        )


def _other_cases(
    connection: Connection,
    asked: Asked,
    told: Sequence[Row],
    counts: Counts,
) -> dict[str, list[Row]]:
    """Open cases of the site that are not told already, the newest by standing."""
    known = {case["anomaly_case_id"] for case in told}
    found = {
        standing: list_cases(
            connection,
            municipality=asked.site["municipality"],
            site=asked.site["key"],
            standing=(standing,),
            now=asked.now,
            limit=MAX_CASES,
        )
        if getattr(counts, standing)
        else []
        for standing in OPEN
    }
    return {
        standing: [case for case in cases if case["anomaly_case_id"] not in known]
        for standing, cases in found.items()
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frames:
    """What was read of the period, of all rows or of those that are trusted."""

    #: day figures of each direction, and of all of them
    days: pl.DataFrame
    #: volumes of hours of each direction, and of all of them
    hours: pl.DataFrame
    #: the busiest day, and volumes of its quarter-hours of all directions
    busiest: date
    quarters: pl.DataFrame
    #: speed histograms of the newest days, with what a person excluded
    histograms: pl.DataFrame


class _Held(Source):
    """A source whose frames are read already."""

    def __init__(
        self,
        selection: Selection,
        *,
        known: Known,
        settings: Analytics,
        days: pl.DataFrame,
        hours: pl.DataFrame,
        quarters: pl.DataFrame,
        histograms: pl.DataFrame,
    ) -> None:
        """Take FLOW_DAYS, and FLOW_BINS of hours and quarter-hours, of all directions.

        `histograms` as `read_speed_histograms` gives them.
        """
        super().__init__(
            selection,
            known=known,
            turn=lambda: nullcontext(""),
            settings=settings,
            options=Options(),
        )
        self._inside = pl.col("day").is_between(self.first, self.last)
        self._held_days = days
        self._held_hours = hours
        self._held_quarters = quarters
        self.__dict__["_histograms"] = histograms

    def days(self) -> pl.DataFrame:
        """FLOW_DAYS of the cross-section."""
        return self._held_days.filter(self._inside)

    def hours(self) -> pl.DataFrame:
        """FLOW_BINS of its hours."""
        return check(self._held_hours.filter(self._inside), FLOW_BINS)

    def quarters(self) -> pl.DataFrame:
        """FLOW_BINS of its quarter-hours."""
        return check(self._held_quarters.filter(self._inside), FLOW_BINS)


def volumes(
    asked: Asked, url: str, interval_s: Literal[900, 3600], *, trusted: bool = False
) -> pl.DataFrame:
    """Read the volumes of the period, of each direction and of all of them (`all`)."""
    directions = {channel["direction"] for channel in asked.channels}
    found = read_volumes(
        url,
        **asked.counted,
        **asked.period,
        interval_s=interval_s,
        together=len(directions) > 1,
        trusted=trusted,
    )
    if len(directions) > 1:
        return found
    # of one direction the cross-section is the same
    return pl.concat([found, found.with_columns(direction=pl.lit(ALL))])


def report(
    asked: Asked,
    reader: Reader,
    *,
    days: pl.DataFrame,
    known: Around,
    settings: Analytics,
) -> Report:
    """Read and compute what is told of the period; `days` from `read_days`."""
    suspects = known.suspected.filter(quantity=asked.quantity or "")
    with reader.frames() as url:
        hours = volumes(asked, url, HOUR_S)
        bins = hours
        if asked.bin == "PT15M" and not hours.is_empty():
            bins = volumes(asked, url, _QUARTER_S)
        found = _read(
            asked,
            url,
            days=days,
            hours=hours,
            quarters=bins if asked.bin == "PT15M" else None,
        )
        without = None
        if not suspects.is_empty():
            without = _read(
                asked,
                url,
                days=trusted_days(
                    url,
                    asked.site,
                    asked.quantity or "",
                    days,
                    suspects,
                    first=asked.first,
                    last=asked.last,
                    rules=Rules.of(settings),
                ),
                hours=volumes(asked, url, HOUR_S, trusted=True),
                trusted=True,
            )
        estimates = forecast = None
        if asked.bin == "PT1H":
            estimates = read_imputed(url, **asked.counted, **asked.period)
        if asked.end > asked.now and not hours.is_empty():
            forecast = read_forecast(url, **asked.counted)
    computed = _Computed(asked, known, suspects, settings, left_out=found.hours)
    counted = computed.counted(found)
    if without is not None:
        counted = replace(
            counted,
            suspected=suspected.share(
                suspects,
                start=asked.start,
                end=min(asked.end, asked.now),
                channels=len(asked.channels),
            ),
            trusted=computed.counted(without, is_trusted=True),
        )
    bins_of_hours = computed.bins(hours)
    of_all = computed.figures(found, counted, hours=bins_of_hours)
    counted = replace(counted, figures=of_all)
    charted_trusted = None
    if without is not None and counted.trusted is not None:
        trusted = computed.bins(without.hours)
        figured = computed.figures(without, counted.trusted, hours=trusted)
        counted = replace(counted, trusted=replace(counted.trusted, figures=figured))
        charted_trusted = computed.charted(without, hours=trusted)
    return Report(
        asked=asked,
        counted=counted,
        charted=computed.charted(found, hours=bins_of_hours),
        charted_trusted=charted_trusted,
        days=days,
        bins=bins.filter(pl.col("direction") != ALL),
        hours=hours,
        estimates=estimates,
        forecast=forecast,
    )


def _read(
    asked: Asked,
    url: str,
    *,
    days: pl.DataFrame,
    hours: pl.DataFrame,
    quarters: pl.DataFrame | None = None,
    trusted: bool = False,
) -> _Frames:
    """Read what else figures need: quarter-hours of a day, and speed histograms.

    `quarters` are those of the period, where they are read already.
    """
    histograms = empty(SPEED_HISTOGRAMS).with_columns(excluded_s=pl.lit(0))
    if asked.ended < asked.first:
        return _Frames(
            days=days,
            hours=hours,
            busiest=asked.first,
            quarters=hours.clear(),
            histograms=histograms,
        )
    day = _busiest(days, asked.ended)
    start, end = day_start(day, asked.zone), day_end(day, asked.zone)
    if quarters is not None:
        of_day = pl.col("time").is_between(start, end, closed="left")
        quarters = _together(quarters.filter(of_day))
    else:
        quarters = read_volumes(
            url,
            **asked.counted,
            start=start,
            end=end,
            interval_s=_QUARTER_S,
            direction=ALL,
            trusted=trusted,
        )
    if asked.quantity == "motor":
        histograms = read_speed_histograms(
            url,
            **asked.counted,
            start=day_start(_speeds_since(asked), asked.zone),
            end=day_end(asked.ended, asked.zone),
            direction=ALL,
            trusted=trusted,
        )
    return _Frames(
        days=days,
        hours=hours,
        busiest=day,
        quarters=quarters,
        histograms=histograms,
    )


def _speeds_since(asked: Asked) -> date:
    return max(asked.first, asked.ended - timedelta(days=SPEED_DAYS - 1))


def _busiest(days: pl.DataFrame, ended: date) -> date:
    """The day with the greatest peak of the period; else the last one with figures.

    The sliding peak of each day is stored: only the quarter-hours of that day are read.
    """
    told = days.filter(pl.col("direction") == ALL, pl.col("day") <= ended)
    peak_days = told.drop_nulls("peak_volume").sort("peak_volume", descending=True)
    known = told.drop_nulls("volume")["day"]
    found: list[date] = [ended, *known.sort(), *peak_days["day"][:1]]
    return found[-1]


class _Computed:
    """Computes what is told of frames, with a calendar that is made once."""

    def __init__(
        self,
        asked: Asked,
        known: Around,
        suspects: pl.DataFrame,
        settings: Analytics,
        *,
        left_out: pl.DataFrame,
    ) -> None:
        """Begin; `left_out` are hours that tell what a person excluded of them."""
        self._asked = asked
        self._around = known
        self._suspects = suspects
        self._settings = settings
        self._cases = tuple(sorted(case["anomaly_case_id"] for case in known.cases))
        self._calendar = calendar_of(
            asked.first, asked.last, asked.site["state"], known.school_holidays
        )
        self._left_out = _left_out(left_out, asked.zone)

    def counted(self, of: _Frames, *, is_trusted: bool = False) -> Counted:
        """Return what was counted, without its flow figures."""
        asked = self._asked
        together = of.days.filter(pl.col("direction") == ALL)
        rows = together if asked.whole_days else _together(of.hours)
        return Counted(
            site=dict(asked.site),
            quantity=asked.quantity or "",
            first=asked.first,
            last=asked.last,
            ended=asked.ended,
            days=together,
            total=int(rows["volume"].sum()) if rows["volume"].count() else None,
            cases=self._cases,
            ambiguous_hours=self._around.ambiguous_hours,
            of_hours=None if asked.whole_days else self._passport_of_hours(of.hours),
            is_trusted=is_trusted,
        )

    def _passport_of_hours(self, hours: pl.DataFrame) -> Passport:
        """Where the hours come from; the running one is not expected yet."""
        asked = self._asked
        selection = extracts.select(
            dict(asked.site),
            quantity=asked.quantity,
            direction=None,
            **asked.period,
            bin="PT1H",
            now=asked.now,
        )
        ended = asked.now.replace(minute=0, second=0, microsecond=0)
        return extracts.passport(
            selection,
            frame=hours.filter(pl.col("direction") != ALL),
            cases=list(self._around.cases),
            now=ended,
        )

    def figures(
        self, of: _Frames, told: Counted, *, hours: pl.DataFrame
    ) -> Mapping[str, Figure]:
        """Compute the flow figures of the days that have ended, by name.

        `hours` are `bins` of the hours.
        """
        asked = self._asked
        if asked.ended < asked.first:
            return {}
        days = self._flow_days(of.days)
        quarters = self.bins(of.quarters, _QUARTER_S)

        def source(kind: str, first: date, last: date) -> Source:
            selection = figures.select(
                dict(asked.site),
                kind,
                quantity=asked.quantity,
                direction=ALL,
                start=first,
                end=last + _DAY,
                now=asked.now,
            )
            return _Held(
                selection,
                known=Known(
                    touching={
                        "cases": self._cases,
                        "ambiguous_hours": self._around.ambiguous_hours,
                    },
                    suspected=self._suspects,
                    school_holidays=self._around.school_holidays,
                ),
                settings=self._settings,
                days=days,
                hours=hours,
                quarters=quarters,
                histograms=of.histograms,
            )

        period = source("means", asked.first, asked.ended)
        results = [
            means.means(
                period.days(), unit=period.unit, rules=period.rules, terms=period.terms
            ),
            self._peaks(of, told, source),
        ]
        if asked.quantity == "motor":
            fast = source("speeds", _speeds_since(asked), asked.ended)
            results.append(
                speeds.speeds(
                    fast.histograms(),
                    empty(FLOW_BINS),
                    limit_kmh=fast.limit_kmh,
                    expected=fast.hours_expected,
                    lanes=len(fast.channels),
                    excluded_s=fast.histograms_excluded_s,
                )
            )
        return {
            figure.name: replace(
                figure, passport=touched(figure.passport, told.suspected)
            )
            for result in results
            for figure in touched_by(
                result, cases=told.cases, ambiguous_hours=told.ambiguous_hours
            ).figures
        }

    def _peaks(
        self, of: _Frames, told: Counted, source: Callable[[str, date, date], Source]
    ) -> Result:
        """Compute the peaks of the busiest day; their passport is the period's."""
        found = figures.of_kind(
            "peaks",
            source("peaks", of.busiest, of.busiest),
            compute=partial(figures.peaks_of, blocks=_BLOCKS),
        )
        passport = replace(told.passport, method=peaks.METHOD, days_used=None)
        return Result(
            tuple(replace(figure, passport=passport) for figure in found.figures)
        )

    def charted(self, of: _Frames, *, hours: pl.DataFrame) -> Charted:
        """Profile the hours up to the last day that has ended, and sum their classes.

        Of a period without such a day the hours are taken as they are. `hours` are
        `bins` of them.
        """
        asked = self._asked
        until = asked.end
        if asked.ended >= asked.first:
            until = day_end(asked.ended, asked.zone)
        together, found = hours, of.hours
        if until < asked.end:
            together = together.filter(pl.col("time") < until)
            found = found.filter(pl.col("time") < until)
        each = self._lazy(found, HOUR_S)
        expected = int((until - asked.start).total_seconds() // HOUR_S)
        week = profiles.week_profile(together, expected=expected)
        scheme = scheme_of(asked.site, asked.channels, start=asked.start, end=until)
        by_class = classes.volumes_of(
            together, quantity=asked.quantity or "", scheme=scheme
        )
        sums = (
            of.hours.filter(pl.col("direction") != ALL)
            .group_by("direction")
            .agg(pl.col("volume").sum())
        )
        return Charted(
            hours=together,
            day_profiles=profiles.day_profiles(
                each.select("direction", *_OF_PROFILES).collect(), types=DAY_TYPES
            ),
            week_profile=_table(week),
            totals=dict(sums.iter_rows()),
            classes=by_class.filter(
                pl.col("name") != "total", pl.col("volume").is_not_null()
            ),
            heavy_share=classes.share_of(
                together,
                "heavy",
                scheme=scheme,
                passport=passport_of_bins(
                    together, method=classes.METHOD, expected=expected
                ),
            ),
        )

    def _flow_days(self, days: pl.DataFrame) -> pl.DataFrame:
        """Make FLOW_DAYS of the cross-section, up to the last day that has ended."""
        told = days.filter(pl.col("direction") == ALL)
        if not self._left_out.is_empty():
            # stored days tell of it only where nothing is imputed in its place
            told = told.join(self._left_out, on="day", how="left").with_columns(
                excluded=pl.max_horizontal("left_out", "excluded")
            )
        ended = self._calendar.filter(pl.col("day") <= self._asked.ended)
        return check(on_calendar(told, ended), FLOW_DAYS)

    def bins(self, found: pl.DataFrame, interval_s: int = HOUR_S) -> pl.DataFrame:
        """Make FLOW_BINS of the cross-section."""
        return self._lazy(_together(found), interval_s).select(*FLOW_BINS).collect()

    def _lazy(self, found: pl.DataFrame, interval_s: int) -> pl.LazyFrame:
        return lazy_flow_bins(
            found,
            interval_s=interval_s,
            time_zone=self._asked.zone,
            days=self._calendar,
        )


def _together(found: pl.DataFrame) -> pl.DataFrame:
    """The rows of all directions together."""
    return found.filter(pl.col("direction") == ALL)


def _table(result: Result) -> pl.DataFrame:
    if result.table is None:
        raise LookupError("the result has no table")
    return result.table


def _left_out(hours: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Share of days (`day`, `left_out`) that a person excluded."""
    local = pl.col("time").dt.convert_time_zone(zone).dt.date()
    excluded = (
        _together(hours)
        .filter(pl.col("excluded") > 0)
        .group_by(day=local)
        .agg(pl.col("excluded").sum())
    )
    lengths = [day_length_h(day, zone) for day in excluded["day"]]
    return excluded.select(
        "day", left_out=pl.col("excluded") / pl.Series(lengths, dtype=pl.Float64)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A change of what was counted; without what is suspected, where any is."""

    found: Change
    trusted: Change | None = None


def compared(
    of: Counted,
    before: tuple[date, date],
    reader: Reader,
    *,
    other: str = "",
    school_holidays: pl.DataFrame,
) -> Compared:
    """Compare the days that have ended with those `before`, or of another site.

    `other` is the key of a site of the same municipality; `before` are then the days
    of both.
    """
    after = (of.first, of.ended)
    compared = [(of.site, *before), (of.site, *after)]
    with reader.connection() as connection:
        if other:
            site = read_site(connection, of.site["municipality"], other)
            compared[0] = (site, *before)
        suspects = pl.concat(
            [
                suspected_of(connection, [site], of.quantity, first, last)
                for site, first, last in compared
            ]
        )

    def changed(without: pl.DataFrame | None) -> Change:
        with reader.frames() as url:
            pair = [
                read_days_of(
                    url,
                    site,
                    of.quantity,
                    first,
                    last,
                    school_holidays=school_holidays,
                    without=without,
                )
                for site, first, last in compared
            ]
        if other:
            return compare_sites(*pair)
        both = pl.concat(pair).unique("day").sort("day")
        return compare_periods(both, before=before, after=after)

    return Compared(
        found=changed(None),
        trusted=None if suspects.is_empty() else changed(suspects),
    )
