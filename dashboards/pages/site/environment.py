"""Charts of a site's air, limits, noise and wind, from their hours."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import polars as pl

from analytics.environment import indices, limits, wind
from analytics.reports import environment as reports
from dashboards.charts.charts import Chart, Table
from dashboards.figures.air import air as draw_air
from dashboards.figures.noise import noise as draw_noise
from dashboards.figures.wind_rose import wind_rose as draw_wind_rose
from dashboards.steps import MAX_ROWS
from verkehrspuls.language import Language
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.text import mark

#: the index that pages show
INDEX: Final = indices.INDICES[indices.SHOWN]

#: directions of the wind, clockwise from north
_SECTORS: Final = {
    "de": ("N NNO NO ONO", "O OSO SO SSO", "S SSW SW WSW", "W WNW NW NNW"),
    "en": ("N NNE NE ENE", "E ESE SE SSE", "S SSW SW WSW", "W WNW NW NNW"),
}
_LEVELS: Final = {
    "lden": mark("Whole day (Lden)"),
    "lday": mark("Day"),
    "levening": mark("Evening"),
    "lnight": mark("Night"),
}
_KINDS: Final = {
    "limit": mark("limit"),
    "target": mark("target"),
    "information": mark("information threshold"),
    "alert": mark("alert threshold"),
    "guideline": mark("guideline"),
}
_GROUPS: Final = {
    "in-force": mark("in force"),
    "coming": mark("coming"),
    "recommended": mark("recommended"),
}
_AVERAGES: Final = {
    "hour": mark("hourly mean"),
    "day": mark("daily mean"),
    "max_8h": mark("highest 8-hour mean of a day"),
    "year": mark("annual mean"),
}


def environment_charts(
    hours: Mapping[str, pl.DataFrame],
    language: Language,
    *,
    zone: str,
    since: datetime | None = None,
    all_rows: str = "",
    long: Mapping[str, pl.DataFrame] | None = None,
) -> list[Chart]:
    """Return the charts that a site's environment quantities allow (ENVIRONMENT_HOURS).

    Hours before `since` are read for the running means of those that follow. `long`
    are LONG_VALUES of them, such as daily means, where there are some.
    """
    drawn: list[Chart] = []
    every = hours
    if since is not None:
        of_period = pl.col("time") >= since
        hours = {key: found.filter(of_period) for key, found in every.items()}
    if any(quantity in hours for quantity in INDEX.ends):
        air = reports.air_of(every, long or {}, index=INDEX, since=since)
        drawn += [
            _air(air, hours, language, zone=zone, by_day=bool(long)),
            _limits(air, hours, language),
        ]
    if "laeq_db" in hours:
        drawn.append(
            _noise(
                hours["laeq_db"],
                language,
                zone=zone,
                by_day=bool(long),
                all_rows=all_rows,
            )
        )
    if "wind_ms" in hours and "wind_deg" in hours:
        drawn.append(_wind(hours, language))
    return drawn


def _air(
    air: reports.Air,
    hours: Mapping[str, pl.DataFrame],
    language: Language,
    *,
    zone: str,
    by_day: bool,
) -> Chart:
    judged = air.hours
    names = [language.phrase(name) for name in INDEX.classes]
    heading = language.phrase("How good is the air?")
    if judged.is_empty():
        return _nothing("air", heading, language, *_of_air(hours), by_day=by_day)
    classes = air.classes.to_dicts()
    newest = judged.row(-1, named=True)
    worst = max(row["level"] for row in classes if row["hours"])
    sentence = language.phrase(
        "Newest hour (%(hour)s): %(level)s, because of %(quantity)s; worst hour of "
        "the period: %(worst)s.",
        hour=language.hour(newest["time"], zone),
        level=names[newest["level"]],
        quantity=language.quantity_within(newest["decides"]),
        worst=names[worst],
    )
    missing = [language.quantity_within(quantity) for quantity in newest["missing"]]
    note = language.phrase(
        "%(index)s (%(key)s), indicative: low-cost sensors do not meet the legal "
        "requirements for measurements.",
        index=language.phrase(INDEX.name),
        key=INDEX.key,
    )
    if missing:
        note += " " + language.phrase(
            "Without %(quantities)s, so the air may be worse.",
            quantities=", ".join(missing),
        )
    rows = [
        (name, language.number(row["hours"]), language.percent(row["share"], 1))
        for name, row in zip(names, classes, strict=True)
    ]
    head = (
        language.phrase("Class of the index"),
        language.phrase("Hours"),
        language.phrase("Share"),
    )
    return Chart(
        key="air",
        heading=heading,
        sentence=sentence,
        figure=draw_air(
            [(name, row["share"]) for name, row in zip(names, classes, strict=True)],
            language,
        ),
        table=Table(head, rows),
        note=note,
    )


def _of_air(hours: Mapping[str, pl.DataFrame]) -> list[pl.DataFrame]:
    return [hours[quantity] for quantity in INDEX.ends if quantity in hours]


def _limits(
    air: reports.Air, hours: Mapping[str, pl.DataFrame], language: Language
) -> Chart:
    compared = air.comparison.to_dicts()
    heading = language.phrase("How does the air compare with limits?")
    if not compared:
        return _nothing("limits", heading, language, *_of_air(hours))
    compared.sort(key=lambda row: (row["year"], list(_GROUPS).index(row["group"])))
    years = {row["year"] for row in compared}
    words = {
        True: language.phrase("met"),
        False: language.phrase("not met"),
        None: language.phrase("unknown"),
    }
    rows = [
        (
            ", ".join(
                (
                    language.quantity(row["quantity"]),
                    _named(_AVERAGES, row["average"], language),
                    *([str(row["year"])] if len(years) > 1 else ()),
                )
            ),
            ", ".join(
                (
                    _standard(row["standard"], language),
                    _named(_KINDS, row["kind"], language),
                )
            ),
            f"{language.number(row['value'])} {ENVIRONMENT[row['quantity']].unit}",
            language.number(row["greatest"], 1),
            words[row["met"]],
            language.number(row["exceeded"]),
            language.number(row["allowed"]),
            language.percent(row["capture"]),
            _named(_GROUPS, row["group"], language),
        )
        for row in compared
    ]
    head = (
        language.phrase("Average"),
        language.phrase("Standard"),
        language.phrase("Value"),
        language.phrase("Highest"),
        language.phrase("Indicative finding"),
        language.phrase("Above"),
        language.phrase("Allowed in a year"),
        language.phrase("Share of the year observed"),
        language.phrase("Validity"),
    )
    return Chart(
        key="limits",
        heading=heading,
        sentence=_kept(compared, language),
        figure=None,
        table=Table(head, rows),
        note=language.phrase(
            "For each calendar year, the part within the period. A limit counts as "
            "met only if nine tenths of the year are observed. The comparison "
            "shows where to measure, not whether a limit is legally met."
        ),
    )


def _kept(compared: Sequence[Mapping[str, Any]], language: Language) -> str:
    """Describe whether limits in force are met; then coming and recommended ones.

    Thresholds that call for information or alert are described only if one is exceeded.
    """

    def verdicts(*groups: str, binding: bool = True) -> list[bool | None]:
        return [
            row["met"]
            for row in compared
            if row["group"] in groups
            and (row["kind"] in limits.BINDING or row["group"] == "recommended")
            is binding
        ]

    now, thresholds = verdicts("in-force"), verdicts("in-force", binding=False)
    sentences = []
    if now:
        sentences.append(_in_force(now, language))
    if above := thresholds.count(False):
        sentences.append(
            language.plural(
                "%(count)s information or alert threshold was exceeded.",
                "%(count)s information or alert thresholds were exceeded.",
                above,
            )
        )
    for found, text in (
        (verdicts("coming"), _COMING),
        (verdicts("recommended"), _RECOMMENDED),
    ):
        if found:
            sentences.append(
                language.phrase(
                    text,
                    count=language.number(found.count(False)),
                    all=language.number(len(found)),
                )
            )
        if unknown := found.count(None):
            sentences.append(
                language.plural(
                    "%(count)s of these can be judged only when more of the year is "
                    "observed.",
                    "%(count)s of these can be judged only when more of the year is "
                    "observed.",
                    unknown,
                )
            )
    return " ".join(sentences)


def _in_force(met: Sequence[bool | None], language: Language) -> str:
    count = language.number(len(met))
    if met == [False]:
        return language.phrase(
            "The limit in force is exceeded more than a year allows."
        )
    if above := met.count(False):
        return language.plural(
            "%(count)s of %(all)s limits in force is exceeded more than a year allows.",
            "%(count)s of %(all)s limits in force are exceeded more than a year "
            "allows.",
            above,
            all=count,
        )
    if None in met:
        unknown = met.count(None)
        return " ".join(
            (
                language.plural(
                    "The limit in force is not exceeded more than a year allows.",
                    "None of the %(all)s limits in force is exceeded more than a "
                    "year allows.",
                    len(met),
                    all=count,
                ),
                language.plural(
                    "%(unknown)s of them can be judged only when more of the year is "
                    "observed.",
                    "%(unknown)s of them can be judged only when more of the year is "
                    "observed.",
                    unknown,
                    unknown=language.number(unknown),
                )
                if len(met) > 1
                else language.phrase(
                    "It can be judged only when more of the year is observed."
                ),
            )
        )
    return language.plural(
        "The limit in force is met.",
        "All limits in force are met (%(all)s).",
        len(met),
        all=count,
    )


_COMING: Final = mark(
    "%(count)s of %(all)s limits that apply from 2030 would be exceeded."
)
_RECOMMENDED: Final = mark(
    "%(count)s of %(all)s recommendations of the WHO are exceeded."
)


def _noise(
    hours: pl.DataFrame,
    language: Language,
    *,
    zone: str,
    by_day: bool,
    all_rows: str,
) -> Chart:
    heading = language.phrase("How loud are day, evening and night?")
    if hours.is_empty():
        return _nothing("noise", heading, language, by_day=by_day)
    loud = reports.noise_of(hours, time_zone=zone)
    first = pl.col("channel_id") == loud.days["channel_id"].min()
    days, levels = loud.days.filter(first), loud.levels.filter(first)
    found = levels.row(0, named=True)
    names = {level: language.phrase(name) for level, name in _LEVELS.items()}
    table = noise_table(days, language)
    if len(table.rows) > MAX_ROWS:
        by_month = noise_table(loud.months.filter(first), language)
        table = replace(by_month, all_rows=all_rows)
    mean = language.phrase("Energetic mean")
    table = replace(table, rows=[*table.rows, (mean, *_levels(found, language))])
    return Chart(
        key="noise",
        heading=heading,
        sentence=language.plural(
            "Whole day (Lden) %(lden)s dB(A), from %(count)s day; day %(lday)s, "
            "evening %(levening)s, night %(lnight)s dB(A).",
            "Whole day (Lden) %(lden)s dB(A), from %(count)s days; day %(lday)s, "
            "evening %(levening)s, night %(lnight)s dB(A).",
            found["days_lden"],
            **{name: language.number(found[name], 1) for name in _LEVELS},
        ),
        figure=draw_noise(days, language, names=names),
        table=table,
        note=language.phrase(
            "Measured, indicative: day 6–18, evening 18–22, night 22–6 h; Lden "
            "counts the evening as 5 dB and the night as 10 dB louder. Legal "
            "limits apply to calculated levels, not to this one."
        ),
    )


def noise_table(steps: pl.DataFrame, language: Language) -> Table:
    """Return the levels of each `day`, or the energetic means of each `month`."""
    by_month = "month" in steps.columns
    first = mark("Month") if by_month else mark("Day")
    head = tuple(language.phrase(text) for text in (first, *_LEVELS.values()))
    rows = [
        (
            language.month(row["month"]) if by_month else language.day(row["day"]),
            *_levels(row, language),
        )
        for row in steps.to_dicts()
    ]
    return Table(head, rows)


def _levels(found: Mapping[str, Any], language: Language) -> list[str]:
    return [language.number(found[name], 1) for name in _LEVELS]


def _wind(hours: Mapping[str, pl.DataFrame], language: Language) -> Chart:
    heading = language.phrase("Where does the wind come from?")
    if hours["wind_ms"].is_empty() or hours["wind_deg"].is_empty():
        return _nothing("wind", heading, language)
    rose = reports.wind_of(hours["wind_ms"], hours["wind_deg"])
    if rose.is_empty():
        return _nothing("wind", heading, language, hours["wind_ms"])
    names = " ".join(_SECTORS[language.key]).split()
    classes = _wind_classes(language)
    shares: dict[int | None, float] = dict(wind.by_sector(rose).iter_rows())
    calm = shares.pop(None, 0.0)
    known = {
        (row["sector"], row["speed_class"]): row["share"] for row in rose.to_dicts()
    }
    rows = [
        (
            name,
            *(
                language.percent(known.get((n, speed), 0.0), 1)
                for speed in range(len(classes))
            ),
            language.percent(shares.get(n, 0.0), 1),
        )
        for n, name in enumerate(names)
    ]
    sentence = (
        language.phrase(
            "In %(calm)s of the hours it is calm.", calm=language.percent(calm)
        )
        if calm
        else language.phrase("It is never calm.")
    )
    if shares:
        most, share = max(shares.items(), key=lambda item: item[1])
        sentence = (
            language.phrase(
                "Most often from %(direction)s (%(share)s of the hours).",
                direction=names[most or 0],
                share=language.percent(share),
            )
            + f" {sentence}"
        )
    return Chart(
        key="wind",
        heading=heading,
        sentence=sentence,
        figure=draw_wind_rose(rose, language, directions=names, classes=classes),
        table=Table((language.phrase("From"), *classes, language.phrase("All")), rows),
    )


def _wind_classes(language: Language) -> list[str]:
    ends = [language.number(end) for end in wind.CLASSES_MS]
    calm = language.number(wind.MIN_WIND_MS, 1)
    between = zip([calm, *ends], ends, strict=False)
    return [f"{low}–{high} m/s" for low, high in between] + [f"≥ {ends[-1]} m/s"]


def _nothing(
    key: str,
    heading: str,
    language: Language,
    *hours: pl.DataFrame,
    by_day: bool = False,
) -> Chart:
    """Return the chart of a figure without hours, or with too few.

    `by_day`: longer intervals are measured instead, such as daily means.
    """
    measured = any(found.height for found in hours)
    text = (
        mark("It needs hours; here longer intervals are measured, such as daily means.")
        if by_day and not measured
        else mark("This period has too few measurements for it yet.")
        if measured
        else mark("No data yet in this period.")
    )
    return Chart(
        key=key,
        heading=heading,
        sentence=language.phrase(text),
        figure=None,
        table=Table((), ()),
    )


def _named(names: Mapping[str, str], key: str, language: Language) -> str:
    name = names[key]
    return language.phrase(name)


def _standard(key: str, language: Language) -> str:
    standard = limits.STANDARDS[key]
    return language.phrase(standard.name)
