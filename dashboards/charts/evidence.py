"""The chart of an anomaly case: the course of its channel."""

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

import polars as pl

from analytics.cases.evidence import View
from analytics.reports.case import Report
from dashboards import describe
from dashboards.charts.charts import PER_STEP, Chart, Table
from dashboards.figures.evidence import evidence as draw
from dashboards.steps import HEADS, STYLES
from dashboards.wall_clock import add_wall_clock, written
from verkehrspuls.cases import Case
from verkehrspuls.language import UNKNOWN_FIGURE, Language
from verkehrspuls.quantities import COUNTED, ENVIRONMENT
from verkehrspuls.text import mark

#: notes on what is drawn, by measure
_NOTES: Final = {
    "volume": mark(
        "The band is what is usual for the hour, from the weeks before, whatever "
        "the rest of the town does. Partly observed intervals are scaled up; below "
        "three quarters the line has a gap."
    ),
    "days": mark(
        "Sums of the hours for which both are known: what was counted, and what is "
        "usual, whatever the rest of the town does. Days with fewer than 20 such "
        "hours have no value."
    ),
    "speed": mark(
        "Mean speeds of quarter-hours. Usual is the speed of free-flowing traffic "
        "on the day before."
    ),
    "mean": mark("Hourly means. The dashed line is what the detector compares with."),
    "minimum": mark(
        "The lowest hour of each day. If it rises or falls for a long time, the "
        "zero point of the sensor may have shifted."
    ),
}
#: detector of slow changes
_SLOW_CHANGE: Final = "drift"
#: reason of a value above a threshold
_ABOVE_THRESHOLD: Final = "above-limit"


def evidence_chart(report: Report, language: Language) -> Chart:
    """Draw the course of the channel that names a case, with its time marked."""
    case, view = report.case, report.view
    course = add_wall_clock(report.course, case.time_zone)
    unit = _unit(case, view, language)
    usual = language.phrase(
        mark("Threshold") if case.reason == _ABOVE_THRESHOLD else mark("Usual")
    )
    counts = view.measure == "volume"
    digits = 0 if view.measure in ("volume", "speed") else 1
    known = course["observed"].count() + course["low"].count()
    heading = language.phrase("What was observed, and what is usual?")
    if not known:
        return Chart(
            key="course",
            heading=heading,
            sentence=language.phrase("There are no figures by the hour of that time."),
            figure=None,
            table=Table((), ()),
        )
    of_days = counts and view.step == "P1D"
    return Chart(
        key="course",
        heading=heading,
        sentence=_sentence(course, case, language, view=view, unit=unit, digits=digits),
        figure=draw(
            course,
            language,
            unit=unit,
            usual=usual,
            word=describe.case_word(case.reason, language),
            style=STYLES[view.step],
            digits=digits,
            from_zero=counts or view.measure == "speed",
        ),
        table=_table(
            course, language, view=view, unit=unit, usual=usual, digits=digits
        ),
        note=language.phrase(_NOTES["days" if of_days else view.measure]),
    )


def _unit(case: Case, view: View, language: Language) -> str:
    if view.measure == "speed":
        return "km/h"
    if case.quantity in COUNTED:
        return language.unit(case.quantity, PER_STEP[view.step])
    found = ENVIRONMENT.get(case.quantity)
    return found.unit if found else ""


def _sentence(
    course: pl.DataFrame,
    case: Case,
    language: Language,
    *,
    view: View,
    unit: str,
    digits: int,
) -> str:
    """Describe the place, and the interval of the case that is furthest from usual."""
    where = f"{case.site_name}, {case.channel_name}"
    found = course.filter("found").drop_nulls("observed")
    if found.is_empty():
        return language.phrase(
            "%(where)s: nothing was observed at the time of the case.", where=where
        )
    far = (pl.col("observed") - pl.col("usual").fill_null(0)).abs()
    # a slow change is described by its last value
    by = (
        [pl.col("time")]
        if case.detector == _SLOW_CHANGE
        else [far, -pl.int_range(pl.len())]
    )
    row = found.sort(by).row(-1, named=True)
    value = f"{language.number(row['observed'], digits)} {unit}"
    when = _when(row, case, language, view=view)
    if row["usual"] is None:
        return language.phrase(
            "%(where)s: %(value)s on %(when)s.", where=where, value=value, when=when
        )
    return language.phrase(
        mark("%(where)s: %(value)s on %(when)s, the threshold is %(usual)s.")
        if case.reason == _ABOVE_THRESHOLD
        else mark("%(where)s: %(value)s on %(when)s instead of %(usual)s."),
        where=where,
        value=value,
        when=when,
        usual=f"{language.number(row['usual'], digits)} {unit}",
    )


def _when(row: Mapping[str, Any], case: Case, language: Language, *, view: View) -> str:
    zone = case.time_zone
    if view.step == "PT1H":
        return language.hour(row["time"], zone)
    if view.step == "P1D":
        return language.day(row["time"].astimezone(ZoneInfo(zone)).date())
    return language.moment(row["time"], zone)


def _table(
    course: pl.DataFrame,
    language: Language,
    *,
    view: View,
    unit: str,
    usual: str,
    digits: int,
) -> Table:
    banded = course["low"].count() > 0
    cells = ["observed"]
    head = [
        language.phrase(HEADS[view.step]),
        f"{language.phrase('Observed')} ({unit})",
    ]
    if course["usual"].count():
        cells.append("usual")
        head.append(f"{usual} ({unit})")
    if banded:
        cells += ["low", "high"]
        head += [language.phrase("Usual from"), language.phrase("Usual to")]
    yes = language.phrase("yes")
    rows = [
        (
            when,
            *(language.number(row[cell], digits) for cell in cells),
            yes if row["found"] else UNKNOWN_FIGURE,
        )
        for when, row in zip(
            written(course, language, STYLES[view.step]),
            course.to_dicts(),
            strict=True,
        )
    ]
    return Table([*head, language.phrase("In the case")], rows)
