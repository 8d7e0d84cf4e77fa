"""The report of what a site counts in a period."""

from dataclasses import dataclass, replace

import polars as pl

from analytics.calendar import terms_of
from analytics.flow.inputs import KNOWN, calendar, lazy_flows, on_calendar
from analytics.frames import FLOW_DAYS, FLOWS, check
from analytics.quality import suspected
from analytics.quality.validity import Rules
from analytics.reports.extracts import ALL
from analytics.reports.site.around import Around
from analytics.reports.site.asked import Asked
from analytics.reports.site.charted import Charted, charted
from analytics.reports.site.counted import Counted, counted
from analytics.reports.site.figures import flow_figures
from analytics.reports.site.reading import (
    QUARTER_S,
    Frames,
    read,
    read_trusted,
    together,
    volumes,
)
from analytics.reports.sources import HOUR_S, excluded_of_days
from verkehrspuls.settings import Analytics
from verkehrspuls.storage.estimates import read_forecast, read_imputed
from verkehrspuls.storage.reader import Reader


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a site counts in a period."""

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
            self.hours.lazy()
            .filter(KNOWN, pl.col("direction") == ALL)
            .select("time", value="volume_normalised")
            .collect()
        )

    @property
    def has_begun(self) -> bool:
        """Whether something was counted in the period, but no step of it is whole."""
        if self.asked.bin == "P1D":
            return not self.days["valid"].any()
        return self.bins.height > 0 and not self.bins.select(KNOWN.any()).item()


def report(
    asked: Asked,
    reader: Reader,
    *,
    days: pl.DataFrame,
    known: Around,
    settings: Analytics,
) -> Report:
    """Read and compute the report of the period; `days` from `read_days`."""
    suspects = known.suspected.filter(quantity=asked.quantity or "")
    rules = Rules.of(settings)
    without = estimates = forecast = None
    with reader.frames() as source:
        hours = bins = volumes(asked, source, HOUR_S)
        quarters = None
        if asked.bin == "PT15M":
            if not hours.is_empty():
                bins = volumes(asked, source, QUARTER_S)
            quarters = bins
        found = read(asked, source, days=days, hours=hours, quarters=quarters)
        if not suspects.is_empty():
            without = read_trusted(asked, source, found, suspects, rules=rules)
        if asked.bin == "PT1H":
            estimates = read_imputed(source, **asked.counted, **asked.period)
        if asked.end > asked.now and not hours.is_empty():
            forecast = read_forecast(source, **asked.counted)
    compute = _Computed(asked, known, rules, hours=hours)
    of_all, of_charts = compute(
        found,
        suspected.share(
            suspects,
            start=asked.start,
            end=min(asked.end, asked.now),
            channels=len(asked.channels),
        )
        if without
        else 0.0,
    )
    trusted, charts_trusted = compute(without) if without else (None, None)
    return Report(
        asked=asked,
        counted=replace(of_all, trusted=trusted),
        charted=of_charts,
        charted_trusted=charts_trusted,
        days=days,
        bins=bins.filter(pl.col("direction") != ALL),
        hours=hours,
        estimates=estimates,
        forecast=forecast,
    )


class _Computed:
    """Computes figures and charts of frames, with a calendar that is made once."""

    def __init__(
        self, asked: Asked, known: Around, rules: Rules, *, hours: pl.DataFrame
    ) -> None:
        """Begin; of `hours` it takes what a person excluded of them."""
        self._asked = asked
        self._around = known
        self._rules = rules
        state = asked.site.state
        self._terms = terms_of(known.school_holidays, state)
        self._calendar = calendar(asked.first, asked.last, state, known.school_holidays)
        self._left_out = excluded_of_days(together(hours), asked.zone)

    def __call__(self, read: Frames, share: float = 0.0) -> tuple[Counted, Charted]:
        """Compute what was counted with its figures, and the charts of its hours.

        `share` is that of the period which is suspected.
        """
        asked = self._asked
        hours, quarters = pl.collect_all(
            self._lazy(together(bins), interval_s).select(*FLOWS)
            for bins, interval_s in ((read.hours, HOUR_S), (read.quarters, QUARTER_S))
        )
        found = counted(
            asked,
            read,
            self._around,
            flow_days=self._flow_days(read.days),
            suspected=share,
        )
        figures = flow_figures(
            asked,
            read,
            found,
            hours=check(hours, FLOWS),
            quarters=check(quarters, FLOWS),
            rules=self._rules,
            terms=self._terms,
        )
        return replace(found, figures=figures), charted(
            asked, read, hours=hours, each=self._lazy(read.hours, HOUR_S)
        )

    def _flow_days(self, days: pl.DataFrame) -> pl.DataFrame:
        """Make FLOW_DAYS of the cross-section, up to the last day that has ended."""
        found = together(days)
        if not self._left_out.is_empty():
            # stored days know of it only where nothing is imputed in its place
            found = found.join(self._left_out, on="day", how="left").with_columns(
                excluded=pl.max_horizontal("left_out", "excluded")
            )
        ended = self._calendar.filter(pl.col("day") <= self._asked.ended)
        return check(on_calendar(found, ended), FLOW_DAYS)

    def _lazy(self, found: pl.DataFrame, interval_s: int) -> pl.LazyFrame:
        return lazy_flows(
            found,
            interval_s=interval_s,
            time_zone=self._asked.zone,
            days=self._calendar,
        )
