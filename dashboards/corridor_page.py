"""The page of a corridor: how long the drive takes, and where it stalls."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from analytics.sections.bottlenecks import bottlenecks
from analytics.sections.reliability import FEWEST_DAYS, reliability
from analytics.sections.smoothing import speed_field
from analytics.sections.travel_time import corridor_intervals, section_intervals
from api.corridors import QUARTER_S, on_workdays, read_corridor
from dashboards.charts import Chart, Table
from dashboards.figures import corridor as figures
from dashboards.language import Language
from verkehrspuls.calendar import day_end, day_start

#: days up to the one shown that usual times and bottlenecks are of
LOOK_BACK: Final = 28
_STEP_M: Final = 100.0


@dataclass(frozen=True, slots=True)
class CorridorPage:
    """What the template shows."""

    sentence: str
    charts: Sequence[Chart]


def corridor_page(
    corridor: Mapping[str, Any], url: str, day: date, language: Language
) -> CorridorPage:
    """Read and arrange a corridor on a local day, and the four weeks up to it."""
    zone = corridor["time_zone"]
    start = day_start(day - timedelta(days=LOOK_BACK - 1), zone)
    stations = corridor["stations"]
    read = read_corridor(url, corridor, start=start, end=day_end(day, zone))
    intervals, free = read.intervals, read.free
    times = corridor_intervals(
        section_intervals(intervals, free), count=len(stations) - 1
    )
    usual = reliability(on_workdays(times, corridor), time_zone=zone)
    today = _of_day(times, day, zone).select("hour", day=pl.col("travel_s") / 60)
    found = bottlenecks(intervals, free, interval_s=QUARTER_S)
    length = stations[-1]["chainage_m"] - stations[0]["chainage_m"]
    return CorridorPage(
        sentence=language.phrase(
            "%(length)s km from %(first)s to %(last)s, on %(day)s and the %(count)s "
            "days up to it. Travel times are estimated from speeds at %(stations)s "
            "sites.",
            length=language.number(length / 1000, 1),
            first=stations[0]["site_name"],
            last=stations[-1]["site_name"],
            day=language.day(day),
            count=LOOK_BACK,
            stations=language.number(len(stations)),
        ),
        charts=[
            _times(today, usual, language),
            _field(intervals, stations, day, zone, language),
            _reliability(usual, language),
            _bottlenecks(found, stations, zone, language),
        ],
    )


def _of_day(frame: pl.DataFrame, day: date, zone: str) -> pl.DataFrame:
    local = pl.col("time").dt.convert_time_zone(zone)
    hour = local.dt.hour().cast(pl.Float64) + local.dt.minute() / 60
    return frame.filter(local.dt.date() == day).with_columns(hour=hour)


def _times(today: pl.DataFrame, usual: pl.DataFrame, language: Language) -> Chart:
    quarters = pl.DataFrame({"hour": [n / 4 for n in range(96)]})
    together = quarters.join(
        today.unique("hour"), on="hour", how="left", maintain_order="left"
    ).join(
        usual.select(
            hour=pl.col("minute") / 60,
            mean=pl.col("mean_s") / 60,
            p95=pl.col("p95_s") / 60,
        ),
        on="hour",
        how="left",
        maintain_order="left",
    )
    known = together.drop_nulls("day").sort("day")
    sentence = language.phrase("No data yet in this period.")
    if known.height:
        longest = known.row(-1, named=True)
        sentence = language.phrase(
            "Longest at %(time)s with %(longest)s minutes, shortest %(shortest)s.",
            time=_clock(longest["hour"]),
            longest=language.number(longest["day"], 1),
            shortest=language.number(known["day"][0], 1),
        )
    rows = [
        (_clock(hour), *(language.number(value, 1) for value in values))
        for hour, *values in together.select("hour", "day", "mean", "p95").iter_rows()
    ]
    head = (
        language.phrase("Time"),
        language.phrase("this day"),
        language.phrase("mean of workdays"),
        language.phrase("19 of 20 workdays are faster"),
    )
    return Chart(
        key="times",
        heading=language.phrase("How long does the drive take?"),
        sentence=sentence,
        figure=figures.travel_times(together, language) if known.height else None,
        table=Table(head, rows if known.height else ()),
        note=language.phrase(
            "Minutes, by quarter-hours. A station that is silent is not bridged: the "
            "line has a gap."
        ),
    )


def _field(
    intervals: pl.DataFrame,
    stations: Sequence[Mapping[str, Any]],
    day: date,
    zone: str,
    language: Language,
) -> Chart:
    shown = _of_day(intervals, day, zone)
    heading = language.phrase("Where and when is it slow?")
    speeds = shown.drop_nulls("speed_kmh").sort("speed_kmh")
    if speeds.is_empty():
        return Chart(
            key="field",
            heading=heading,
            sentence=language.phrase("No data yet in this period."),
            figure=None,
            table=Table((), ()),
        )
    names = {s["station"]: s["site_name"] for s in stations}
    slowest = speeds.row(0, named=True)
    field = _of_day(
        speed_field(shown.drop("hour"), interval_s=QUARTER_S, step_m=_STEP_M),
        day,
        zone,
    )
    by_hour = shown.group_by("station", pl.col("hour").floor()).agg(
        pl.col("speed_kmh").mean()
    )
    known = {(s, h): v for s, h, v in by_hour.iter_rows()}
    rows = [
        (language.hours(h), *(language.number(known.get((s, float(h)))) for s in names))
        for h in range(24)
    ]
    return Chart(
        key="field",
        heading=heading,
        sentence=language.phrase(
            "Slowest at %(site)s at %(time)s with %(speed)s km/h.",
            site=names[slowest["station"]],
            time=_clock(slowest["hour"]),
            speed=language.number(slowest["speed_kmh"]),
        ),
        figure=figures.speed_field(
            field.with_columns(pl.col("speed_kmh").round(1)),
            language,
            stations=[(s["chainage_m"], s["site_name"]) for s in stations],
        ),
        table=Table((language.phrase("Hour"), *names.values()), rows),
        note=language.phrase(
            "Smoothed between the sites; the more it stands out, the slower. The "
            "table has the mean speeds in km/h that were measured at the sites."
        ),
    )


def _reliability(usual: pl.DataFrame, language: Language) -> Chart:
    hourly = usual.filter(pl.col("minute") % 60 == 0)
    known = usual.drop_nulls("planning_time_index").sort("planning_time_index")
    if known.is_empty():
        sentence = language.phrase(
            "At least %(days)s workdays with travel times are needed.", days=FEWEST_DAYS
        )
    else:
        worst = known.row(-1, named=True)
        sentence = language.phrase(
            "Whoever must be in time on 19 of 20 workdays plans %(factor)s times the "
            "free travel time at %(time)s.",
            factor=language.number(worst["planning_time_index"], 2),
            time=_clock(worst["minute"] / 60),
        )
    names = (
        "travel_time_index",
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
        language.phrase("Mean / free"),
        language.phrase("Buffer"),
        language.phrase("95 % / free"),
        language.phrase("Worst fifth / free"),
    )
    return Chart(
        key="reliability",
        heading=language.phrase("How far can one rely on it?"),
        sentence=sentence,
        figure=None,
        table=Table(head, rows if known.height else ()),
    )


def _bottlenecks(
    found: pl.DataFrame,
    stations: Sequence[Mapping[str, Any]],
    zone: str,
    language: Language,
) -> Chart:
    names = {s["station"]: s["site_name"] for s in stations}
    rows = [
        (
            names[row["station"]],
            language.moment(row["began"], zone),
            language.moment(row["ended"], zone),
            language.number(row["slowest_kmh"]),
            language.number(row["extent_m"]),
            language.number(row["delay_h"], 1),
        )
        for row in found.sort("began", descending=True).to_dicts()
    ]
    head = (
        language.phrase("Site"),
        language.phrase("From"),
        language.phrase("To"),
        language.phrase("Slowest (km/h)"),
        language.phrase("Queue (m)"),
        language.phrase("Delay (vehicle hours)"),
    )
    return Chart(
        key="bottlenecks",
        heading=language.phrase("Where does traffic stall?"),
        sentence=language.plural(
            "%(count)s bottleneck lasted an hour or longer in these weeks.",
            "%(count)s bottlenecks lasted an hour or longer in these weeks.",
            len(rows),
        ),
        figure=None,
        table=Table(head, rows),
    )


def _clock(hour: float) -> str:
    return f"{int(hour)}:{round(hour % 1 * 60):02}"


def default_day(now: datetime, zone: str) -> date:
    """The newest local day that has ended."""
    return now.astimezone(ZoneInfo(zone)).date() - timedelta(days=1)
