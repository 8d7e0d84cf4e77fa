"""What was counted at a site in a period, and where it comes from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property

import polars as pl

from analytics.flow.figure import Figure
from analytics.frames import FLOW_DAYS, empty
from analytics.quality.passport import Passport, Touching, of_days
from analytics.quality.suspected import touched
from analytics.reports import extracts
from analytics.reports.extracts import ALL
from analytics.reports.site.around import Around
from analytics.reports.site.asked import Asked
from analytics.reports.site.reading import Frames, together
from verkehrspuls.storage.sites import Site


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What was counted in days of a site, with its figures."""

    site: Site
    quantity: str
    #: local days, both included; flow figures are of the ended ones up to `ended`
    first: date
    last: date
    ended: date
    #: day figures of the cross-section
    days: pl.DataFrame
    #: FLOW_DAYS of those that have ended
    flow_days: pl.DataFrame = field(default_factory=lambda: empty(FLOW_DAYS))
    #: what was counted in the days of the passport; None where nothing of it is known
    total: int | None = None
    #: flow figures by name; none where no day has ended
    figures: Mapping[str, Figure] = field(default_factory=dict)
    #: open cases that touch them, hours whose readings may be of another one, and the
    #: calibrations in them
    touching: Touching = field(default_factory=Touching)
    #: where the period's hours come from, where it is not one of whole days
    of_hours: Passport | None = None
    #: the same without what is suspected to be of a sensor's fault, where any is, and
    #: what share of the period that is
    trusted: "Counted | None" = None
    suspected: float = 0.0

    @property
    def runs(self) -> bool:
        """Whether today runs: total and passport are of the days up to yesterday."""
        return self.first <= self.ended < self.last

    @cached_property
    def passport(self) -> Passport:
        """Where the period's days come from; days without figures are missing."""
        if self.of_hours is not None:
            return touched(
                replace(self.of_hours, **self.touching),
                self.suspected,
            )
        last = last_counted(self)
        known = self.days.filter(pl.col("day") <= last)
        return touched(
            of_days(
                known,
                method=", ".join(sorted(set(known["method"]))),
                days_expected=(last - self.first).days + 1,
                **self.touching,
            ),
            self.suspected,
        )


def last_counted(period: Asked | Counted) -> date:
    """Return the last day that has ended, or the last one where none has."""
    return period.last if period.ended < period.first else period.ended


def counted(
    asked: Asked,
    read: Frames,
    known: Around,
    *,
    flow_days: pl.DataFrame,
    suspected: float = 0.0,
) -> Counted:
    """Return what was counted, without its flow figures."""
    days = together(read.days)
    rows = (
        days.filter(pl.col("day") <= last_counted(asked))
        if asked.whole_days
        else together(read.hours)
    )
    return Counted(
        site=asked.site,
        quantity=asked.quantity or "",
        first=asked.first,
        last=asked.last,
        ended=asked.ended,
        days=days,
        flow_days=flow_days,
        total=int(rows["volume"].sum()) if rows["volume"].count() else None,
        touching={
            "cases": tuple(sorted(case.anomaly_case_id for case in known.cases)),
            "ambiguous_hours": known.ambiguous_hours,
            "calibrations": known.calibrations,
        },
        of_hours=None
        if asked.whole_days
        else _passport_of_hours(asked, read.hours, known),
        suspected=suspected,
    )


def _passport_of_hours(asked: Asked, hours: pl.DataFrame, known: Around) -> Passport:
    """Return where the hours come from; the running one is not expected yet."""
    selection = extracts.select(
        asked.site,
        quantity=asked.quantity,
        direction=None,
        **asked.period,
        bin="PT1H",
        now=asked.now,
    )
    return extracts.passport(
        selection,
        frame=hours.filter(pl.col("direction") != ALL),
        cases=list(known.cases),
        now=asked.now.replace(minute=0, second=0, microsecond=0),
    )
