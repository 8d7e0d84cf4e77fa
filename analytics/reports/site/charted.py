"""What the hours of a site come to: profiles, directions and classes."""

from dataclasses import dataclass
from typing import Final

import polars as pl

from analytics.flow import classes, directions, profiles
from analytics.flow.figure import Figure
from analytics.flow.inputs import passport_of_bins
from analytics.reports.site.asked import Asked
from analytics.reports.site.reading import Frames
from analytics.reports.sources import HOUR_S, scheme_of

#: Kinds of days whose usual course is shown.
DAY_TYPES: Final = ("workday", "saturday", "sunday_or_holiday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Charted:
    """Charts of the hours that count, of each direction and of all (`all`)."""

    #: FLOWS of the cross-section's hours
    hours: pl.DataFrame
    #: DAY_PROFILE of DAY_TYPES by `direction`
    day_profiles: pl.DataFrame
    #: WEEK_PROFILE of all directions
    week_profile: pl.DataFrame
    #: DIRECTIONS: what was counted by direction
    directions: pl.DataFrame
    #: CLASS_SHARES of the classes that are known, with their share of these, and of
    #: heavy traffic; no rows where the sensors distinguish none
    classes: pl.DataFrame
    heavy_share: Figure

    @property
    def has_holidays(self) -> bool:
        """Whether public holidays are left out of the week."""
        known = pl.col("flow").is_not_null() & pl.col("holiday")
        return bool(self.hours.select(known.any()).item())


def charted(
    asked: Asked, read: Frames, *, hours: pl.DataFrame, each: pl.LazyFrame
) -> Charted:
    """Profile the hours up to the last day that has ended, and their classes.

    Of a period without such a day the hours are taken as they are. `hours` are FLOWS of
    the cross-section, `each` those of each direction.
    """
    until = asked.until
    if until < asked.end:
        before = pl.col("time") < until
        hours, each = hours.filter(before), each.filter(before)
    scheme = scheme_of(asked.site, asked.channels, start=asked.start, end=until)
    by_class = classes.shares(
        read.classes, quantity=asked.quantity or "", scheme=scheme
    )
    return Charted(
        hours=hours,
        day_profiles=profiles.day_profiles(each, types=DAY_TYPES),
        week_profile=profiles.week_table(hours),
        directions=directions.by_direction(read.hours),
        classes=by_class.filter(
            pl.col("name") != "total", pl.col("volume").is_not_null()
        ),
        heavy_share=classes.share_of(
            read.classes,
            "heavy",
            scheme=scheme,
            passport=passport_of_bins(
                hours,
                method=classes.METHOD,
                expected=int((until - asked.start).total_seconds() // HOUR_S),
            ),
        ),
    )
