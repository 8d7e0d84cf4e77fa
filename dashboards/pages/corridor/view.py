"""The page of a corridor: how long the drive takes, and where it stalls."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import polars as pl

from analytics.reports.corridors import QUARTER_S, Day, day_of
from analytics.sections.reliability import (
    MIN_DAYS,
    MIN_DAYS_FOR_95,
    OUTLIER_TO_SECOND,
)
from dashboards.charts.charts import Chart, Table
from dashboards.figures import corridor as figures
from dashboards.pages.site.counted import with_trusted_sentences
from dashboards.wall_clock import add_wall_clock, every
from verkehrspuls.calendar import day_end, day_start
from verkehrspuls.language import Language
from verkehrspuls.storage.corridors import Corridor, Station
from verkehrspuls.storage.reader import Reader

#: Days up to the one shown that usual times and bottlenecks are of: 25 workdays, so
#: that 20 are left where some are holidays or lack data.
LOOK_BACK: Final = 35


@dataclass(frozen=True, slots=True)
class CorridorPage:
    """What the template shows."""

    sentence: str
    charts: Sequence[Chart]


def corridor_page(
    corridor: Corridor, day: date, language: Language, reader: Reader
) -> CorridorPage:
    """Arrange a corridor on a local day, and the five weeks up to it."""
    stations = corridor.stations
    found, without = day_of(reader, corridor, day, look_back=LOOK_BACK)
    length = stations[-1].chainage_m - stations[0].chainage_m
    return CorridorPage(
        sentence=language.phrase(
            "%(length)s km from %(first)s to %(last)s, on %(day)s and the %(count)s "
            "days up to it. Travel times are estimated from speeds at %(stations)s "
            "sites.",
            length=language.number(length / 1000, 1),
            first=stations[0].site_name,
            last=stations[-1].site_name,
            day=language.day(day),
            count=LOOK_BACK,
            stations=language.number(len(stations)),
        ),
        charts=with_trusted_sentences(
            _charts(found, corridor, day, language),
            _charts(without, corridor, day, language) if without else None,
            language,
        ),
    )


def _charts(
    found: Day, corridor: Corridor, day: date, language: Language
) -> list[Chart]:
    """Draw the day, and the weeks up to it."""
    zone, stations = corridor.time_zone, corridor.stations
    today = _steps(day, zone, timedelta(seconds=QUARTER_S)).join(
        found.times.select("time", day=pl.col("travel_s") / 60),
        on="time",
        how="left",
        maintain_order="left",
    )
    return [
        _times(today, found.usual, language),
        _field(found, stations, day, zone, language),
        _reliability(found.usual, language),
        _bottlenecks(found, stations, zone, language),
    ]


def _of_day(frame: pl.DataFrame, day: date, zone: str) -> pl.DataFrame:
    """Add where each time of a local day stands on an axis, and how it is written.

    `hour`: in hours after midnight; the two passes of a repeated hour share its width.
    `clock`: the wall time, with A or B in a repeated hour.
    """
    local = pl.col("local")
    minutes = local.dt.hour().cast(pl.Int32) * 60 + local.dt.minute()
    fold = pl.when(pl.col("fold") != "").then(pl.lit(" ") + pl.col("fold"))
    return (
        add_wall_clock(frame, zone)
        .filter(local.dt.date() == day)
        .with_columns(
            hour=(pl.col("x") - local.dt.truncate("1d")).dt.total_seconds() / 3600,
            minute=minutes,
            clock=pl.format(
                "{}:{}{}",
                local.dt.hour(),
                local.dt.strftime("%M"),
                fold.otherwise(pl.lit("")),
            ),
        )
    )


def _steps(day: date, zone: str, step: timedelta) -> pl.DataFrame:
    """Return all steps of a local day of 23, 24 or 25 hours."""
    steps = every(day_start(day, zone), day_end(day, zone), step)
    return _of_day(steps, day, zone)


def _times(today: pl.DataFrame, usual: pl.DataFrame, language: Language) -> Chart:
    together = today.join(
        usual.select(
            "minute",
            median=pl.col("median_s") / 60,
            lower=pl.col("lower_s") / 60,
            upper=pl.col("upper_s") / 60,
            p95=pl.col("p95_s") / 60,
        ),
        on="minute",
        how="left",
        maintain_order="left",
    )
    known = together.drop_nulls("day").sort("day", "hour", descending=[False, True])
    sentence = language.phrase("No data yet in this period.")
    if known.height:
        longest = known.row(-1, named=True)
        sentence = language.phrase(
            "Longest at %(time)s with %(longest)s minutes, shortest %(shortest)s.",
            time=longest["clock"],
            longest=language.number(longest["day"], 1),
            shortest=language.number(known["day"][0], 1),
        )
    rows = [
        (clock, *(language.number(value, 1) for value in values))
        for clock, *values in together.select(
            "clock", "day", "median", "p95"
        ).iter_rows()
    ]
    head = (
        language.phrase("Time"),
        language.phrase("this day"),
        language.phrase("median of workdays"),
        language.phrase("19 of 20 workdays are faster"),
    )
    note = language.phrase(
        "Minutes, by quarter-hour. Where a site sends nothing, the line has a gap."
    )
    if together["lower"].count():
        note += " " + language.phrase("7 of 10 workdays lie within the band.")
    return Chart(
        key="times",
        heading=language.phrase("How long does the drive take?"),
        sentence=sentence,
        figure=figures.travel_times(together, language) if known.height else None,
        table=Table(head, rows if known.height else ()),
        note=note,
    )


def _field(
    found: Day,
    stations: Sequence[Station],
    day: date,
    zone: str,
    language: Language,
) -> Chart:
    shown = _of_day(found.intervals, day, zone)
    heading = language.phrase("Where and when is it slow?")
    speeds = shown.drop_nulls("speed_kmh").sort("speed_kmh", "time")
    if speeds.is_empty():
        return Chart(
            key="field",
            heading=heading,
            sentence=language.phrase("No data yet in this period."),
            figure=None,
            table=Table((), ()),
        )
    names = {s.station: s.site_name for s in stations}
    slowest = speeds.row(0, named=True)
    field = _of_day(found.speed_field, day, zone)
    by_hour = found.speeds_by_hour.select("station", "time", "speed_kmh")
    known = {(s, h): v for s, h, v in by_hour.iter_rows()}
    rows = [
        (
            f"{language.hours(minute // 60)} {fold}".rstrip(),
            *(language.number(known.get((s, hour))) for s in names),
        )
        for hour, minute, fold in _steps(day, zone, timedelta(hours=1))
        .select("time", "minute", "fold")
        .iter_rows()
    ]
    return Chart(
        key="field",
        heading=heading,
        sentence=language.phrase(
            "Slowest at %(site)s at %(time)s with %(speed)s km/h.",
            site=names[slowest["station"]],
            time=slowest["clock"],
            speed=language.number(slowest["speed_kmh"]),
        ),
        figure=figures.speed_field(
            field.with_columns(pl.col("speed_kmh").round(1)),
            language,
            stations=[(s.chainage_m, s.site_name) for s in stations],
        ),
        table=Table((language.phrase("Hour"), *names.values()), rows),
        note=language.phrase(
            "Smoothed between the sites; the stronger the colour, the slower. The "
            "table has the mean speeds in km/h that were measured at the sites."
        ),
    )


def _reliability(usual: pl.DataFrame, language: Language) -> Chart:
    hourly = usual.filter(pl.col("minute") % 60 == 0)
    sentence = " ".join(
        filter(None, (_planned(usual, language), _odd(usual, language)))
    )
    names = (
        "median_index",
        "buffer_index",
        "planning_time_index",
        "misery_index",
    )
    rows = [
        (
            _clock(row["minute"] / 60),
            language.number(row["days"]),
            *(language.number(row[name], 2) for name in names),
        )
        for row in hourly.to_dicts()
    ]
    head = (
        language.phrase("Time"),
        language.phrase("Workdays"),
        language.phrase("Median / free flow"),
        language.phrase("Buffer"),
        language.phrase("95 % / free flow"),
        language.phrase("Worst fifth / free flow"),
    )
    return Chart(
        key="reliability",
        heading=language.phrase("How reliable is it?"),
        sentence=sentence,
        figure=None,
        table=Table(head, rows if usual["median_s"].count() else ()),
        note=language.phrase(
            "A percentile is the travel time of one of the days: of 20 workdays "
            "the second longest, so that a single unusual day does not change it."
        ),
    )


def _planned(usual: pl.DataFrame, language: Language) -> str:
    """Return what to plan for 19 of 20 workdays, or how many days that takes."""
    known = usual.drop_nulls("planning_time_index").sort(
        "planning_time_index", "minute", descending=[True, False]
    )
    if known.height:
        worst = known.row(0, named=True)
        return language.phrase(
            "To be on time on 19 of 20 workdays, allow %(factor)s times the travel "
            "time without traffic at %(time)s.",
            factor=language.number(worst["planning_time_index"], 2),
            time=_clock(worst["minute"] / 60),
        )
    most = usual["days"].max() or 0
    if isinstance(most, int) and most >= MIN_DAYS:
        return language.phrase(
            "The time needed on 19 of 20 workdays requires %(days)s "
            "workdays; %(most)s have travel times.",
            days=MIN_DAYS_FOR_95,
            most=most,
        )
    return language.phrase(
        "At least %(days)s workdays with travel times are needed.", days=MIN_DAYS
    )


def _odd(usual: pl.DataFrame, language: Language) -> str:
    """Name the day that took far longer than all others; empty without one.

    Where 19 of 20 days took as long at another time, it is not alone.
    """
    seconds = usual["p95_s"].max() or 0.0
    odd = usual.filter(pl.col("outlier_s") > OUTLIER_TO_SECOND * pl.lit(seconds)).sort(
        "outlier_s", descending=True
    )
    if odd.is_empty():
        return ""
    longest = odd.row(0, named=True)
    return language.phrase(
        "One day stands out: on %(day)s at %(time)s it took %(longest)s minutes, in "
        "the median %(median)s.",
        day=language.day(longest["outlier_day"]),
        time=_clock(longest["minute"] / 60),
        longest=language.number(longest["outlier_s"] / 60, 1),
        median=language.number(longest["median_s"] / 60, 1),
    )


def _bottlenecks(
    found: Day,
    stations: Sequence[Station],
    zone: str,
    language: Language,
) -> Chart:
    names = {s.station: s.site_name for s in stations}
    rows = [
        (
            names[row["station"]],
            language.moment(row["began"], zone),
            language.moment(row["ended"], zone),
            language.number(row["slowest_kmh"]),
            language.number(row["extent_m"]),
            language.number(row["delay_h"], 1),
        )
        for row in found.bottlenecks.sort("began", descending=True).to_dicts()
    ]
    head = (
        language.phrase("Site"),
        language.phrase("From"),
        language.phrase("To"),
        language.phrase("Slowest (km/h)"),
        language.phrase("Queue (m)"),
        language.phrase("Delay (vehicle hours)"),
    )
    days = found.days_with_speeds
    sentence = language.plural(
        "%(count)s bottleneck lasted an hour or longer in these weeks, of which "
        "%(days)s days have speeds.",
        "%(count)s bottlenecks lasted an hour or longer in these weeks, of which "
        "%(days)s days have speeds.",
        len(rows),
        days=language.number(days),
    )
    # where nothing was measured, nothing is known of bottlenecks
    if not days:
        sentence = language.phrase("No data yet in this period.")
    return Chart(
        key="bottlenecks",
        heading=language.phrase("Where does traffic stall?"),
        sentence=sentence,
        figure=None,
        table=Table(head, rows),
    )


def _clock(hour: float) -> str:
    return f"{int(hour)}:{round(hour % 1 * 60):02}"


def default_day(now: datetime, zone: str) -> date:
    """Return the newest local day that has ended."""
    return now.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)
