"""Charts as pages show them: heading, sentence, figure, table and downloads of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl
from markupsafe import Markup, escape

from analytics.flow import months
from dashboards import describe, steps
from dashboards.figures.classes import classes as draw_classes
from dashboards.figures.day_profile import DAY_TYPE_NAMES
from dashboards.figures.day_profile import day_profile as draw_day_profile
from dashboards.figures.directions import directions as draw_directions
from dashboards.figures.environment import environment as draw_environment
from dashboards.figures.layout import Figure, long
from dashboards.figures.payload import payload
from dashboards.figures.series import Mark
from dashboards.figures.series import series as draw_series
from dashboards.figures.week import week as draw_week
from dashboards.period import Period
from dashboards.wall_clock import written
from verkehrspuls.classes import CLASS_NAMES
from verkehrspuls.language import UNKNOWN_FIGURE, Language
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.text import mark

#: what a unit is per, by step
PER_STEP = {"PT15M": mark("15 min"), "PT1H": mark("h"), "P1D": mark("day")}

Names = Sequence[tuple[str, str]]

#: notes on charts in longer steps than hours
_CONDENSED: Final = {
    "P1D": mark(
        "The line shows daily means, the band the lowest and highest hours. "
        "Shorter periods are shown by the hour."
    ),
    "P1M": mark(
        "The line shows monthly means, the band the lowest and highest hours. "
        "Shorter periods are shown by the day or hour."
    ),
}

#: control characters that stand for tags while the text is escaped
_TAGS: Final = {
    "\x1c": '<tr><th scope="row">',
    "\x1d": "</th><td>",
    "\x1e": "</td><td>",
    "\x1f": "</td></tr>\n",
}


@dataclass(frozen=True, slots=True)
class Table:
    """A table's head and rows, as text; the first cell of a row names it."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    #: address of all rows, if these are only a part or a summary
    all_rows: str = ""
    #: how many these are, if `rows` are only the first of them
    of: int = 0

    @property
    def body(self) -> Markup:
        """The rows as HTML; thousands of them, so they are escaped together."""
        lines = (
            f"\x1c{first}\x1d" + "\x1e".join(cells) + "\x1f"
            for first, *cells in self.rows
        )
        text = str(escape("".join(lines)))
        for sign, tag in _TAGS.items():
            text = text.replace(sign, tag)
        return Markup(text)  # noqa: S704 - escaped above


@dataclass(frozen=True, slots=True)
class Chart:
    """One question and its answer."""

    key: str
    heading: str
    sentence: str
    figure: Figure | None
    table: Table
    note: str = ""
    #: (label, address)
    downloads: Sequence[tuple[str, str]] = field(default=())

    @property
    def height(self) -> int:
        """The figure's height in pixels, kept free while it loads."""
        return int(self.figure["layout"]["height"]) if self.figure else 0

    @property
    def payload(self) -> Markup:
        """The figure as JSON for the page."""
        return payload(self.figure or {"data": [], "layout": {}})


def series_chart(
    filled: pl.DataFrame,
    language: Language,
    *,
    period: Period,
    quantity: str,
    names: Names,
    marks: Sequence[Mark],
    downloads: Sequence[tuple[str, str]],
    all_rows: str = "",
) -> Chart:
    """Volumes over time, from `summaries.fill_gaps` or `fill_days`."""
    unit = language.unit(quantity, PER_STEP[period.bin])
    by_key = dict(names)
    return Chart(
        key="series",
        heading=language.phrase("How much traffic, and when?"),
        sentence=describe.series(
            filled, language, period=period, unit=unit, names=by_key
        ),
        figure=draw_series(
            filled,
            language,
            directions=names,
            unit=unit,
            marks=marks,
            height=340 if len(names) < 3 else 120 * len(names) + 40,
        ),
        table=_series_table(
            filled, language, period=period, names=names, all_rows=all_rows
        ),
        note=_series_note(filled, language, period=period, marks=marks),
        downloads=downloads,
    )


def profile_chart(
    profile: pl.DataFrame, language: Language, *, quantity: str, drawn: bool = True
) -> Chart:
    """The mean course of a day, from `profiles.day_profile`.

    Without `drawn` it has no figure.
    """
    unit = language.unit(quantity)
    profile = profile.filter(pl.col("day_type").is_in(list(DAY_TYPE_NAMES)))
    known = {
        ((row["day_type"], column), row["hour"]): row[column]
        for row in profile.to_dicts()
        for column in ("mean", "lower", "upper")
    }
    names = [
        *(
            ((key, "mean"), language.phrase(DAY_TYPE_NAMES[key]))
            for key in DAY_TYPE_NAMES
        ),
        (("workday", "lower"), language.phrase("Workday, 15 % quantile")),
        (("workday", "upper"), language.phrase("Workday, 85 % quantile")),
    ]
    return Chart(
        key="profile",
        heading=language.phrase("What does a usual day look like?"),
        sentence=describe.day_profile(profile, language, unit=unit),
        figure=draw_day_profile(profile, language, unit=unit) if drawn else None,
        table=_by_hour(known, names, language),
        note=language.phrase(
            "Means of hours of which at least three quarters were observed, all "
            "directions together. 7 of 10 workdays lie within the band."
        ),
    )


def week_chart(
    means: pl.DataFrame,
    language: Language,
    *,
    quantity: str,
    weekdays: Sequence[int] = range(7),
    holidays: bool = False,
    drawn: bool = True,
) -> Chart:
    """Mean by weekday and hour, from `profiles.week_profile`.

    `weekdays` are those of the period, Monday is 0. Public holidays are in no weekday:
    `holidays` says that there are some. Without `drawn` it has no figure.
    """
    unit = language.unit(quantity)
    known = {
        (weekday - 1, hour): mean
        for weekday, hour, mean in means.select("weekday", "hour", "mean").iter_rows()
    }
    names = [(day, language.weekday(day)) for day in weekdays]
    return Chart(
        key="week",
        heading=language.phrase("On which weekdays and hours is it busy?"),
        sentence=describe.week(means, language, unit=unit),
        figure=draw_week(means, language, unit=unit, weekdays=weekdays)
        if drawn
        else None,
        table=_by_hour(known, names, language),
        note=language.phrase("Public holidays are left out.") if holidays else "",
    )


def directions_chart(
    means: pl.DataFrame,
    counted: pl.DataFrame,
    language: Language,
    *,
    quantity: str,
    names: Names,
    drawn: bool = True,
) -> Chart:
    """The mean course of a workday, from `profiles.day_profiles`.

    `counted` is from `flow.directions`. Without `drawn` it has no figure.
    """
    unit = language.unit(quantity)
    known = {
        (direction, hour): mean
        for direction, hour, mean in means.select(
            "direction", "hour", "mean"
        ).iter_rows()
    }
    table = _by_hour(known, names, language)
    volumes = dict(counted.select("direction", "volume").iter_rows())
    total = (
        language.phrase("Counted in the period"),
        *(language.number(volumes.get(key)) for key, _ in names),
    )
    return Chart(
        key="directions",
        heading=language.phrase("Which direction, and when?"),
        sentence=describe.directions(means, counted, language, names=names),
        figure=draw_directions(means, language, names=names, unit=unit)
        if drawn and means.height
        else None,
        table=replace(table, rows=[*table.rows, total]),
        note=language.phrase("Means of workdays."),
    )


def _by_hour(
    known: Mapping[tuple[Any, int], float | None],
    names: Sequence[tuple[Any, str]],
    language: Language,
) -> Table:
    """Return values by key and hour as a row for each hour, a column for each key."""
    rows = [
        (
            language.hours(hour),
            *(language.number(known.get((key, hour))) for key, _ in names),
        )
        for hour in range(24)
    ]
    return Table((language.phrase("Hour"), *(name for _, name in names)), rows)


def classes_chart(
    counted: pl.DataFrame, language: Language, *, heavy: str, drawn: bool = True
) -> Chart | None:
    """The classes' shares, from `flow.classes`; None without known classes.

    `heavy` is the heavy share. Without `drawn` it has no figure.
    """
    if counted.height < 2:
        return None
    rows = [
        (
            language.phrase(CLASS_NAMES[key]),
            language.number(volume),
            language.percent(share, 1),
        )
        for key, volume, share in counted.select("name", "volume", "share").iter_rows()
    ]
    return Chart(
        key="classes",
        heading=language.phrase("Which vehicles?"),
        sentence=describe.classes(counted, language, heavy=heavy),
        figure=draw_classes(counted, language) if drawn else None,
        table=Table(
            (
                language.phrase("Class"),
                language.phrase("Counted"),
                language.phrase("Share"),
            ),
            rows,
        ),
        note=language.phrase(
            "Classes by TLS 8+1, as far as the sensor distinguishes them. Vehicles "
            "that it could not classify are a separate class."
        ),
    )


def environment_chart(
    frame: pl.DataFrame,
    language: Language,
    *,
    period: Period,
    now: datetime,
    quantity: str,
    thresholds: Mapping[str, float],
    downloads: Sequence[tuple[str, str]],
    all_rows: str = "",
) -> Chart:
    """An environment quantity by the hour or day, gaps filled with nulls.

    If the period's step is a day, figure and table are by days, or months if it is
    long; the text is by the hour, unless there are only longer intervals.
    """
    by_day = "day" in frame.columns
    finest = "P1D" if by_day or period.bin == "P1D" else "PT1H"
    drawn = steps.fitting(frame, finest, steps.MAX_POINTS)
    listed = steps.fitting(frame, finest)
    shown = steps.environment(frame, quantity, drawn)
    rows = shown if drawn == listed else steps.environment(frame, quantity, listed)
    table = environment_table(rows, language, quantity=quantity, step=listed)
    return Chart(
        key=quantity.replace("_", "-"),
        heading=language.quantity(quantity),
        sentence=" ".join(
            filter(
                None,
                (
                    describe.environment(
                        frame, language, period=period, quantity=quantity
                    ),
                    describe.thresholds(
                        frame,
                        language,
                        quantity=quantity,
                        thresholds=thresholds,
                        period=period,
                        now=now,
                    ),
                ),
            )
        ),
        figure=draw_environment(
            shown,
            language,
            quantity=quantity,
            thresholds=thresholds,
            style=steps.STYLES[drawn],
        )
        if frame["mean"].count()
        else None,
        table=table
        if listed == ("P1D" if by_day else "PT1H")
        else replace(table, all_rows=all_rows if table.rows else ""),
        note=language.phrase(_CONDENSED[drawn])
        if drawn in _CONDENSED and not by_day
        else "",
        downloads=downloads,
    )


def environment_table(
    frame: pl.DataFrame, language: Language, *, quantity: str, step: str
) -> Table:
    """Table of measured values by hours or longer steps; only steps with values."""
    known = frame.filter(pl.col("mean").is_not_null() | pl.col("minimum").is_not_null())
    rows = [
        (
            when,
            language.number(mean, 1),
            language.number(low, 1),
            language.number(high, 1),
            language.percent(observed),
        )
        for when, mean, low, high, observed in zip(
            _times(known, language, step),
            *known.select("mean", "minimum", "maximum", "observed"),
            strict=True,
        )
    ]
    head = (
        language.phrase(steps.HEADS[step]),
        language.phrase(
            mark("Sum (%(unit)s)")
            if step != "PT1H" and ENVIRONMENT[quantity].mean == "sum"
            else mark("Mean (%(unit)s)"),
            unit=ENVIRONMENT[quantity].unit,
        ),
        language.phrase("Minimum"),
        language.phrase("Maximum"),
        language.phrase("Observed"),
    )
    return Table(head, rows)


def days_or_months(
    days: pl.DataFrame, language: Language, *, zone: str, all_rows: str
) -> Table:
    """Day figures, or those of months where there are more days than a table takes."""
    by_day = months.by_day(days)
    if by_day.height <= steps.MAX_ROWS:
        return days_table(by_day, language, zone=zone)
    rows = [
        (
            language.month(row["month"]),
            *_figures(row, language, zone=zone, dated=True),
            language.phrase(
                "%(part)s of %(all)s days", part=row["valid_days"], all=row["days"]
            ),
        )
        for row in months.by_month(days).to_dicts()
    ]
    return Table(_days_head(language, mark("Month")), rows, all_rows)


def days_table(by_day: pl.DataFrame, language: Language, *, zone: str) -> Table:
    """Figures of each day, from `flow.months.by_day`."""
    yes, no = language.phrase("yes"), language.phrase("no")
    rows = [
        (
            language.day(row["day"]),
            *_figures(row, language, zone=zone),
            yes if row["valid"] else no,
        )
        for row in by_day.to_dicts()
    ]
    return Table(_days_head(language, mark("Day")), rows)


def _days_head(language: Language, first: str) -> tuple[str, ...]:
    return (
        language.phrase(first),
        language.phrase("Counted"),
        language.phrase("Scaled to whole hours"),
        language.phrase("Heavy share"),
        language.phrase("Peak hour"),
        language.phrase("Peak from–to"),
        language.phrase("Observed"),
        language.phrase("Used in means"),
    )


def _figures(
    row: Mapping[str, Any], language: Language, *, zone: str, dated: bool = False
) -> tuple[str, ...]:
    """Write the figures of a day or month; a peak with its day where it is `dated`."""
    peak = row["peak_hour"]
    when = _hour(peak, language, zone) if peak else UNKNOWN_FIGURE
    if peak and dated:
        when = f"{language.day(peak.astimezone(ZoneInfo(zone)).date())}, {when}"
    return (
        language.number(row["volume"]),
        language.number(row["volume_normalised"]),
        language.percent(row["heavy_share"], 1),
        language.number(row["peak_volume"]),
        when,
        language.percent(row["observed"]),
    )


def _hour(peak: datetime, language: Language, zone: str) -> str:
    """Write an hour that may start at any quarter: 16:15–17:15."""
    ends = (peak, peak + timedelta(hours=1))
    return "–".join(language.clock(end.astimezone(ZoneInfo(zone))) for end in ends)


def _series_table(
    filled: pl.DataFrame,
    language: Language,
    *,
    period: Period,
    names: Names,
    all_rows: str,
) -> Table:
    step = steps.fitting(filled, period.bin)
    if step == period.bin:
        return series_table(filled, language, step=step, names=names)
    longer = steps.volumes(filled, step)
    table = series_table(longer, language, step=step, names=names)
    return replace(table, all_rows=all_rows)


def series_table(
    filled: pl.DataFrame, language: Language, *, step: str, names: Names
) -> Table:
    """Counted volumes, not scaled up: the same numbers as the API's."""
    cells: list[list[str]] = []
    estimated = _has_estimates(filled)
    head = [language.phrase("Day") if step == "P1D" else language.phrase("Time")]
    if step == "P1M":
        head = [language.phrase("Month")]
    for place, (direction, name) in enumerate(names):
        rows = filled.filter(pl.col("direction") == direction)
        if place == 0:
            cells = [[when] for when in _times(rows, language, step)]
        for line, (volume, observed) in zip(
            cells, rows.select("volume", "observed").iter_rows(), strict=True
        ):
            line.append(language.number(volume))
            line.append(language.percent(observed))
        counted = language.phrase("Counted")
        head += [
            f"{name}: {counted}" if name else counted,
            language.phrase("Observed"),
        ]
        if estimated:
            for line, row in zip(cells, rows.to_dicts(), strict=True):
                line.append(_estimate(row, language))
            head.append(language.phrase("Estimated"))
    return Table(head, cells)


def _estimate(row: Mapping[str, Any], language: Language) -> str:
    """Return the estimate for an interval, with its bounds if known."""
    value = language.number(row["estimate"])
    if row["estimate"] is None or row.get("estimate_low") is None:
        return value
    low, high = (language.number(row[f"estimate_{end}"]) for end in ("low", "high"))
    return f"{value} ({low}–{high})"


def _has_estimates(filled: pl.DataFrame) -> bool:
    return "estimate" in filled.columns and filled["estimate"].count() > 0


def _has_two_kinds(filled: pl.DataFrame) -> bool:
    """Return whether usual volumes alternate between two kinds of days."""
    if "usual_spread" not in filled.columns:
        return False
    # such hours have a spread, but no single usual volume
    swings = pl.col("usual").is_null() & pl.col("usual_spread").is_not_null()
    return not filled.filter(swings).is_empty()


def _times(rows: pl.DataFrame, language: Language, step: str) -> list[str]:
    if step == "P1M":
        return [language.month(day) for day in rows["local"].dt.date()]
    if step == "P1D":
        return [language.day(day) for day in rows["local"].dt.date()]
    return written(rows, language)


def _series_note(
    filled: pl.DataFrame, language: Language, *, period: Period, marks: Sequence[Mark]
) -> str:
    notes = []
    if long(filled):
        notes.append(
            language.phrase(
                "The bold line is the mean of the seven days around each day."
            )
        )
        if marks:
            notes.append(
                language.phrase("Marks at the bottom show the times of open cases.")
            )
    if "usual" in filled.columns and filled["usual"].null_count() < filled.height:
        notes.append(
            language.phrase(
                "The grey band is what is usual for the hour, from the weeks before."
            )
        )
    if _has_two_kinds(filled):
        notes.append(
            language.phrase(
                "Where the band has a gap, days of this type are of two kinds, "
                "some with far more traffic than others (such as match or market "
                "days): nothing in between is usual, and nothing is compared. "
                "Registered events separate the two kinds."
            )
        )
    if _has_estimates(filled):
        notes.append(
            language.phrase(
                "The dotted line with open circles shows estimates where nothing "
                "was counted; sums do not include them."
            )
        )
    if period.coarsened:
        notes.append(language.phrase("Finer steps are shown for shorter periods."))
    if filled["fold"].is_in(["A", "B"]).any():
        notes.append(
            language.phrase(
                "Clocks were put back in this period: A is the first pass of the "
                "repeated hour, B the second."
            )
        )
    if period.bin == "P1D":
        notes.append(
            language.phrase("Days that were observed too little have no value.")
        )
    else:
        notes.append(
            language.phrase(
                "The chart scales partly observed intervals up; the table shows "
                "what was counted. Where less than three quarters were observed, "
                "the line has a gap."
            )
        )
    return " ".join(notes)
