"""What the air, the noise and the wind of a site come to, from their hours."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from analytics.environment import indices, limits, noise, wind
from analytics.frames import ENVIRONMENT_HOURS
from dashboards.charts import Chart, Table
from dashboards.figures.air import air as draw_air
from dashboards.figures.noise import noise as draw_noise
from dashboards.figures.wind_rose import wind_rose as draw_wind_rose
from dashboards.language import Language
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.text import mark

#: the index that pages show
INDEX: Final = indices.INDICES["uba-2025"]

_SECTORS: Final = {
    "de": ("N NNO NO ONO", "O OSO SO SSO", "S SSW SW WSW", "W WNW NW NNW"),
    "en": ("N NNE NE ENE", "E ESE SE SSE", "S SSW SW WSW", "W WNW NW NNW"),
}
_LEVELS: Final = {
    "lden": mark("whole day (Lden)"),
    "lday": mark("day"),
    "levening": mark("evening"),
    "lnight": mark("night"),
}
_KINDS: Final = {
    "limit": mark("limit"),
    "target": mark("target"),
    "information": mark("information threshold"),
    "alert": mark("alert threshold"),
    "guideline": mark("guideline"),
}
_AVERAGES: Final = {
    "hour": mark("hourly mean"),
    "day": mark("daily mean"),
    "max_8h": mark("greatest 8-hour mean of a day"),
    "year": mark("yearly mean"),
}


def stored_hours(
    found: pl.DataFrame, channels: Sequence[Mapping[str, Any]]
) -> pl.DataFrame:
    """Give `series.environment` as ENVIRONMENT_HOURS, what analytics takes."""
    ids = {channel["key"]: channel["channel_id"] for channel in channels}
    return (
        found.drop_nulls("mean")
        .with_columns(
            pl.col("channel")
            .replace_strict(ids, default=None, return_dtype=pl.Int32)
            .alias("channel_id"),
            (pl.col("observed") * 3600).round().cast(pl.Int32).alias("observed_s"),
        )
        .select(list(ENVIRONMENT_HOURS))
    )


def environment_charts(
    hours: Mapping[str, pl.DataFrame], language: Language, *, zone: str
) -> list[Chart]:
    """The charts that a site's environment quantities allow (ENVIRONMENT_HOURS)."""
    drawn: list[Chart] = []
    if any(quantity in hours for quantity in INDEX.ends):
        drawn += [_air(hours, language, zone=zone), _limits(hours, language)]
    if "laeq_db" in hours:
        drawn.append(_noise(hours["laeq_db"], language, zone=zone))
    if "wind_ms" in hours and "wind_deg" in hours:
        drawn.append(_wind(hours, language))
    return drawn


def _air(hours: Mapping[str, pl.DataFrame], language: Language, *, zone: str) -> Chart:
    judged = indices.index_hours(hours, INDEX)
    names = [language.phrase(name) for name in INDEX.classes]
    heading = language.phrase("How good is the air?")
    if judged.is_empty():
        return _nothing("air", heading, language)
    counted = dict(judged.group_by("level").len().iter_rows())
    shares = [
        (name, counted.get(level, 0) / judged.height)
        for level, name in enumerate(names)
    ]
    newest = judged.row(-1, named=True)
    worst = max(counted)
    sentence = language.phrase(
        "Newest hour (%(hour)s): %(level)s, decided by %(quantity)s; worst hour of the "
        "period: %(worst)s.",
        hour=language.hour(newest["time"], zone),
        level=names[newest["level"]],
        quantity=language.quantity(newest["decides"]),
        worst=names[worst],
    )
    missing = [language.quantity(quantity) for quantity in newest["missing"]]
    note = language.phrase(
        "%(index)s (%(key)s), indicative: low-cost sensors do not measure as the law "
        "wants it.",
        index=language.phrase(INDEX.name),
        key=INDEX.key,
    )
    if missing:
        note += " " + language.phrase(
            "Without %(quantities)s, so the air may be worse.",
            quantities=", ".join(missing),
        )
    rows = [
        (name, language.number(counted.get(level, 0)), language.percent(share, 1))
        for level, (name, share) in enumerate(shares)
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
        figure=draw_air(shares, language),
        table=Table(head, rows),
        note=note,
    )


def _limits(hours: Mapping[str, pl.DataFrame], language: Language) -> Chart:
    compared = [
        row | {"quantity": quantity}
        for quantity in INDEX.ends
        if quantity in hours
        for row in limits.compare(hours[quantity], quantity).to_dicts()
    ]
    heading = language.phrase("How does the air compare with limits?")
    if not compared:
        return _nothing("limits", heading, language)
    above = sum(row["met"] is False for row in compared)
    sentence = (
        language.plural(
            "%(count)s of %(all)s comparisons is above what a year may have.",
            "%(count)s of %(all)s comparisons are above what a year may have.",
            above,
            all=language.number(len(compared)),
        )
        if above
        else language.phrase("No comparison is above what a year may have.")
    )
    words = {
        True: language.phrase("met"),
        False: language.phrase("not met"),
        None: language.phrase("cannot be told"),
    }
    rows = [
        (
            ", ".join(
                (
                    language.quantity(row["quantity"]),
                    _named(_AVERAGES, row["average"], language),
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
        )
        for row in compared
    ]
    head = (
        language.phrase("Average"),
        language.phrase("Standard"),
        language.phrase("Value"),
        language.phrase("Greatest"),
        language.phrase("Indicative finding"),
        language.phrase("Above"),
        language.phrase("Allowed in a year"),
        language.phrase("Share of the year observed"),
    )
    return Chart(
        key="limits",
        heading=heading,
        sentence=sentence,
        figure=None,
        table=Table(head, rows),
        note=language.phrase(
            "Of the part of each calendar year that lies in the period. That a limit "
            "is met is said only with nine tenths of the year observed; a comparison "
            "says where to measure, not whether a limit is met in law."
        ),
    )


def _noise(hours: pl.DataFrame, language: Language, *, zone: str) -> Chart:
    heading = language.phrase("How loud are day, evening and night?")
    if hours.is_empty():
        return _nothing("noise", heading, language)
    days = noise.noise_days(hours, time_zone=zone)
    days = days.filter(pl.col("channel_id") == days["channel_id"].min())
    levels = noise.noise_levels(days)
    found = levels.row(0, named=True)
    names = {level: language.phrase(name) for level, name in _LEVELS.items()}
    rows = [
        (language.day(row["day"]), *(language.number(row[n], 1) for n in _LEVELS))
        for row in days.to_dicts()
    ]
    rows.append(
        (
            language.phrase("energetic mean"),
            *(language.number(found[name], 1) for name in _LEVELS),
        )
    )
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
        table=Table((language.phrase("Day"), *names.values()), rows),
        note=language.phrase(
            "Measured, indicative: day 6–18, evening 18–22, night 22–6 h; Lden counts "
            "the evening 5 and the night 10 dB louder. Not the calculated level that "
            "legal limits are about."
        ),
    )


def _wind(hours: Mapping[str, pl.DataFrame], language: Language) -> Chart:
    heading = language.phrase("Where does the wind come from?")
    if hours["wind_ms"].is_empty() or hours["wind_deg"].is_empty():
        return _nothing("wind", heading, language)
    speed, direction = (
        found.filter(pl.col("channel_id") == found["channel_id"].min())
        for found in (hours["wind_ms"], hours["wind_deg"])
    )
    together = speed.select("time", speed="mean").join(
        direction.select("time", direction="mean"), on="time"
    )
    rose = wind.rose(together)
    if rose.is_empty():
        return _nothing("wind", heading, language)
    names = " ".join(_SECTORS[language.key]).split()
    classes = _wind_classes(language)
    of_sectors = rose.drop_nulls("sector").group_by("sector").agg(pl.col("share").sum())
    shares = dict(of_sectors.iter_rows())
    calm = float(rose.filter(pl.col("sector").is_null())["share"].sum())
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
        most = max(shares, key=lambda sector: shares[sector])
        sentence = (
            language.phrase(
                "Most often from %(direction)s (%(share)s of the hours).",
                direction=names[most],
                share=language.percent(shares[most]),
            )
            + f" {sentence}"
        )
    return Chart(
        key="wind",
        heading=heading,
        sentence=sentence,
        figure=draw_wind_rose(rose, language, directions=names, classes=classes),
        table=Table((language.phrase("From"), *classes, language.phrase("all")), rows),
    )


def _wind_classes(language: Language) -> list[str]:
    ends = [language.number(end) for end in wind.CLASSES_MS]
    calm = language.number(wind.CALM_MS, 1)
    between = zip([calm, *ends], ends, strict=False)
    return [f"{low}–{high} m/s" for low, high in between] + [f"≥ {ends[-1]} m/s"]


def _nothing(key: str, heading: str, language: Language) -> Chart:
    return Chart(
        key=key,
        heading=heading,
        sentence=language.phrase("No data yet in this period."),
        figure=None,
        table=Table((), ()),
    )


def _named(names: Mapping[str, str], key: str, language: Language) -> str:
    name = names[key]
    return language.phrase(name)


def _standard(key: str, language: Language) -> str:
    standard = limits.STANDARDS[key]
    return language.phrase(standard.name)
