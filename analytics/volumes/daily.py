"""Daily figures: local days of a site, by direction and for the cross-section.

A local day has 23, 24 or 25 hours, or half an hour more or less. An hour (UTC) in which
a local day begins belongs to two days: it is split into quarter-hours, or, if nothing
shorter was counted, belongs to the day in which it begins. Shares are parts of (hours
of the day) x (channels installed on it, or with data), so a channel that was silent
lowers the observed share. A day without any data has no row.

For a channel with intervals of more than an hour (`long_intervals`), such as daily
totals, these make up its day, unless its hours are sufficient.
"""

from collections.abc import Sequence
from typing import Final

import polars as pl

from analytics.frames import (
    CHANNELS,
    DAYS,
    IMPUTED,
    INSTALLATIONS,
    LONG_VOLUMES,
    SITE_DAYS,
    SPANS,
    VALID_VOLUMES,
    check,
    empty,
)
from analytics.local_time import day_bounds, with_local
from analytics.quality import completeness, validity
from analytics.volumes import long_intervals
from verkehrspuls.classes import HEAVY_CLASSES, SCHEMES, columns_of

METHOD: Final = "daily-5"
#: method of days with at least one channel made of intervals above an hour
TOTALS_METHOD: Final = "daily-totals-1"
#: Direction of the cross-section.
ALL: Final = "all"

#: Both peaks, local hours: first, and last (exclusive).
PEAKS: Final = ((6, 10), (15, 19))
#: Minimum observed share of an hour at each channel to be the peak hour.
MIN_PEAK_OBSERVED: Final = 0.75

_HOUR_S = 3600
_QUARTER_S = 900
_GROUP = ("site_id", "quantity", "direction", "day")
#: numbers of a channel's groups: its direction, and the cross-section
_NUMBERS = ("group", "whole")
_CHANNEL = ("channel_id", "day")
_SECONDS = ("observed_s", "normalised_s", "imputed_s", "excluded_s")


def days(
    volumes: pl.DataFrame,
    targets: pl.DataFrame,
    *,
    channels: pl.DataFrame,
    installed: pl.DataFrame,
    excluded: pl.DataFrame,
    imputed: pl.DataFrame | None = None,
    long: pl.DataFrame | None = None,
    rules: validity.Rules = validity.DEFAULT,
) -> pl.DataFrame:
    """Compute DAYS for the SITE_DAYS of `targets` from VALID_VOLUMES of these days.

    `long` are LONG_VOLUMES that may belong to the days; others are ignored. `imputed`
    are IMPUTED hours. The function `quality.completeness.of_bins` defines the observed,
    normalised, imputed and excluded parts of an hour.

    - volume: the counted vehicles, not scaled up; null without a count.
    - volume_normalised: the same with the hours that are observed at least to half
      scaled up to whole hours.
    - volume_estimated: volume_normalised plus the imputed values of other hours.
    - heavy: sum of the columns that contain HEAVY_CLASSES by the class scheme of the
      channel's sensors (TLS 8+1 if unknown); null, which is unknown and not zero, if a
      channel's scheme cannot distinguish them, if sensors with different schemes were
      attached, or if a counted hour lacks one of the columns.
    - speed_kmh: hourly speeds weighted by volume (time mean).
    - peak_hour, peak_volume: the four consecutive quarter-hours with the greatest sum,
      or the greatest hour if not all channels count by quarter-hours; the earliest of
      several. Null if no hour is observed to 75 % at each channel.
    - expected: share of the day at which sensors were attached.
    - valid: 21 of 24 hours, including those of both peaks, are valid at all channels.
      An interval above an hour validates the hours that it covers to 75 %, a daily
      total all of them; it has no peak hour.
    - method: TOTALS_METHOD if intervals above an hour were used, else METHOD.
    """
    targets = check(targets, SITE_DAYS)
    places = check(channels, CHANNELS)
    bins = completeness.of_bins(
        check(volumes, VALID_VOLUMES),
        excluded=check(excluded, SPANS),
        imputed=empty(IMPUTED) if imputed is None else check(imputed, IMPUTED),
    )
    groups, of_day = _groups(targets, places)
    rows = with_local(
        bins.join(places.select("channel_id", "time_zone"), on="channel_id")
    ).join(of_day.select("channel_id", "day", *_NUMBERS), on=["channel_id", "day"])
    totals = _totals(long, rows, of_day, places, excluded, rules)
    rows = rows.join(totals, on=_CHANNEL, how="anti") if totals.height else rows
    quarters = rows.filter(pl.col("interval_s") == _QUARTER_S)
    hours = _hours(rows.filter(pl.col("interval_s") == _HOUR_S), quarters)
    attached = _attached(of_day, check(installed, INSTALLATIONS))
    counted = _appended(hours, totals)
    present = _present(counted, of_day, attached)
    by_hour, by_quarter = _by_time(hours, present), _by_time(quarters, present)
    covered = by_hour
    if totals.height:
        whole = _appended(hours, long_intervals.covered(totals))
        covered = _by_time(whole, present)
    figures = (
        groups.join(present, on="group")
        .join(
            _sums(counted.join(_schemes(attached), on=_CHANNEL, how="left")), on="group"
        )
        .join(_valid_hours(covered), on="group", how="left")
        .join(_peak_hours(by_quarter, by_hour), on="group", how="left")
        .join(_methods(totals), on="group", how="left")
    )
    return check(figures.select(_figures(rules)), DAYS)


def _groups(
    targets: pl.DataFrame, channels: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Number the groups, and return those of each channel and day.

    `group` is that of the channel's direction, `whole` that of the cross-section.
    """
    days = targets.join(channels, on="site_id")
    names = days.select(_GROUP)
    groups = (
        pl.concat([names, names.with_columns(direction=pl.lit(ALL))])
        .unique()
        .with_row_index("group")
    )
    whole = groups.filter(pl.col("direction") == ALL).drop("direction")
    return groups, days.join(groups, on=_GROUP).join(
        whole.rename({"group": "whole"}), on=["site_id", "quantity", "day"]
    )


def _by_group(rows: pl.DataFrame, *keys: str, of: list[pl.Expr]) -> pl.DataFrame:
    """Aggregate rows by the group of their direction, and that of the cross-section."""
    return pl.concat(
        [
            rows.group_by(pl.col(number).alias("group"), *keys).agg(of)
            for number in _NUMBERS
        ]
    )


def _hours(hours: pl.DataFrame, quarters: pl.DataFrame) -> pl.DataFrame:
    """Return hours; those in which a local day begins are replaced by quarter-hours."""
    bounds = day_bounds(hours)
    begins = bounds.select(
        "time_zone", time=pl.concat_list("day_began", "day_ended")
    ).explode("time")
    hour = pl.col("time").dt.truncate("1h")
    split = begins.filter(pl.col("time") != hour)
    if split.is_empty():  # the usual case
        return hours
    parts = quarters.join(
        split,
        left_on=["time_zone", hour],
        right_on=["time_zone", hour],
        how="semi",
    )
    whole = hours.join(
        parts, left_on=["channel_id", "time"], right_on=["channel_id", hour], how="anti"
    )
    return pl.concat([whole, parts], how="diagonal")


def _totals(
    long: pl.DataFrame | None,
    rows: pl.DataFrame,
    of_day: pl.DataFrame,
    places: pl.DataFrame,
    excluded: pl.DataFrame,
    rules: validity.Rules,
) -> pl.DataFrame:
    """Return the intervals above an hour that make up the days of their channels."""
    if long is None or long.is_empty():  # the usual case
        return rows.clear()
    found = long_intervals.totals(check(long, LONG_VOLUMES), places, excluded)
    of_days = found.join(of_day.select(*_CHANNEL, *_NUMBERS), on=_CHANNEL)
    by_hours = rows.filter(pl.col("interval_s") == _HOUR_S)
    return long_intervals.chosen_over_hours(of_days, by_hours, rules)


def _appended(hours: pl.DataFrame, longer: pl.DataFrame) -> pl.DataFrame:
    """Append longer rows to those of hours."""
    return pl.concat([hours, longer], how="diagonal") if longer.height else hours


def _methods(totals: pl.DataFrame) -> pl.DataFrame:
    """Return the method of the groups that contain totals."""
    named = pl.lit(TOTALS_METHOD).alias("method")
    return _by_group(totals, of=[named])


def _attached(of_day: pl.DataFrame, installed: pl.DataFrame) -> pl.DataFrame:
    """Return installations of channels on days: `attached_s`, `class_scheme`."""
    overlap = pl.min_horizontal("until", "day_ended") - pl.max_horizontal(
        "since", "day_began"
    )
    return (
        of_day.join(day_bounds(of_day), on=["time_zone", "day"])
        .join(installed, on="channel_id")
        .select(*_CHANNEL, "class_scheme", attached_s=overlap.dt.total_seconds())
        .filter(pl.col("attached_s") > 0)
    )


def _schemes(attached: pl.DataFrame) -> pl.DataFrame:
    """Return the class scheme of each channel and day; `several` if sensors differ."""
    scheme = pl.col("class_scheme")
    several = pl.when(scheme.n_unique() > 1).then(pl.lit("several"))
    return attached.group_by(_CHANNEL).agg(
        several.otherwise(scheme.first()).alias("class_scheme")
    )


def _present(
    rows: pl.DataFrame, of_day: pl.DataFrame, attached: pl.DataFrame
) -> pl.DataFrame:
    """Count the channels by group that were installed or have data, with their seconds.

    `hours` are those of the day, `day_s` its seconds times the channels, `expected_s`
    those of them at which a sensor was attached.
    """
    days = of_day.join(day_bounds(of_day), on=["time_zone", "day"])
    with_data = rows.select(*_CHANNEL, attached_s=pl.lit(0, pl.Int64)).unique()
    day_s = (pl.col("day_ended") - pl.col("day_began")).dt.total_seconds()
    by_channel = (
        pl.concat([attached.drop("class_scheme"), with_data])
        .group_by(_CHANNEL)
        .agg(pl.col("attached_s").sum())
        .join(days, on=_CHANNEL)
        .select(*_NUMBERS, "attached_s", day_s=day_s)
    )
    return _by_group(
        by_channel,
        of=[
            pl.len().alias("channels"),
            (pl.col("day_s").first() / _HOUR_S).alias("hours"),
            pl.col("day_s").sum(),
            pl.col("attached_s").sum().alias("expected_s"),
        ],
    )


def _sums(hours: pl.DataFrame) -> pl.DataFrame:
    """Return sums over hours and channels, by group."""
    volume, speed = pl.col("volume"), pl.col("speed_kmh").cast(pl.Float64)
    sums = ("volume", "volume_normalised", "volume_estimated", *_SECONDS)
    by_channel = (
        hours.with_columns(
            travelled=speed * volume, spotted=pl.when(speed.is_not_null()).then(volume)
        )
        .group_by(*_NUMBERS, "channel_id")
        .agg(
            pl.col(*sums, "travelled", "spotted").sum(),
            _heavy().alias("heavy"),
        )
    )
    is_known = pl.col("heavy").null_count() == 0
    return _by_group(
        by_channel,
        of=[
            pl.col(*sums, "travelled", "spotted").sum(),
            pl.when(is_known).then(pl.col("heavy").sum()).alias("heavy"),
        ],
    )


def _heavy() -> pl.Expr:
    """Return the heavy vehicles of a channel and day, by its class scheme."""
    counted = pl.col("volume").count()

    def heavy_sum(columns: Sequence[str]) -> pl.Expr:
        known = pl.all_horizontal(
            counted > 0, *(pl.col(name).count() == counted for name in columns)
        )
        return pl.when(known).then(pl.sum_horizontal(pl.col(columns).sum()))

    scheme = pl.col("class_scheme").first()
    return pl.coalesce(
        pl.when(scheme.is_null()).then(heavy_sum(HEAVY_CLASSES)),
        *(
            pl.when(scheme == key).then(heavy_sum(columns))
            for key in SCHEMES
            if (columns := columns_of(key, HEAVY_CLASSES))
        ),
    )


def _by_time(bins: pl.DataFrame, present: pl.DataFrame) -> pl.DataFrame:
    """Return sums over channels of each bin, by group, with the counts of `_present`.

    `least_s` is the observed time of the least observed channel: 0 if one has no bin.
    """
    sums = _by_group(
        bins,
        "time",
        of=[
            pl.col("local_hour", "interval_s").first(),
            pl.col("volume", "valid").sum(),
            pl.col("observed_s").min().alias("least_s"),
            pl.len().alias("known"),
        ],
    )
    whole = pl.col("known") == pl.col("channels")
    return sums.join(present, on="group").with_columns(
        pl.when(whole).then("least_s").otherwise(0)
    )


def _valid_hours(by_hour: pl.DataFrame) -> pl.DataFrame:
    """Count the hours that are valid at all channels, and those of the peaks."""
    valid = pl.col("valid") == pl.col("channels")
    in_peak = pl.any_horizontal(
        pl.col("local_hour").is_between(first, end, closed="left")
        for first, end in PEAKS
    )
    part = pl.col("interval_s") / _HOUR_S
    return by_hour.group_by("group").agg(
        part.filter(valid).sum().alias("valid_hours"),
        part.filter(valid & in_peak).sum().alias("valid_peak"),
    )


def _peak_hours(by_quarter: pl.DataFrame, by_hour: pl.DataFrame) -> pl.DataFrame:
    """Return the greatest hour of each group that is sufficiently observed."""
    counted = pl.col("volume").sum()
    fine = (
        by_quarter.group_by("group")
        .agg(counted)
        .join(by_hour.group_by("group").agg(counted), on=["group", "volume"])
        .select("group")
    )
    columns = ("group", "time", "volume", "least_s")
    sliding = _sliding(by_quarter.join(fine, on="group", how="semi"))
    whole = by_hour.filter(pl.col("interval_s") == _HOUR_S)
    clock = whole.join(fine, on="group", how="anti")
    return (
        pl.concat([sliding.select(columns), clock.select(columns)])
        .filter(pl.col("least_s") >= MIN_PEAK_OBSERVED * _HOUR_S)
        .sort("volume", "time", descending=[True, False])
        .unique("group", keep="first", maintain_order=True)
        .select("group", peak_hour="time", peak_volume="volume")
    )


def _sliding(by_quarter: pl.DataFrame) -> pl.DataFrame:
    """Return sums of the hour from each quarter-hour, within the group's day."""
    ends = pl.col("time") + pl.duration(seconds=_HOUR_S)

    def hour(name: str) -> pl.Expr:
        later = (
            pl.when(
                (pl.col("group").shift(-n) == pl.col("group"))
                & (pl.col("time").shift(-n) < ends)
            ).then(pl.col(name).shift(-n))
            for n in range(_HOUR_S // _QUARTER_S)
        )
        return pl.sum_horizontal(later).alias(name)

    return by_quarter.sort("group", "time").with_columns(
        hour("volume"), hour("least_s")
    )


def _figures(rules: validity.Rules) -> list[pl.Expr]:
    """Return the columns of DAYS from the joined sums."""

    def share(seconds: pl.Expr) -> pl.Expr:
        return (seconds / pl.col("day_s")).clip(0, 1).cast(pl.Float32)

    observed, imputed = pl.col("observed_s"), pl.col("imputed_s")
    known = pl.sum_horizontal("observed_s", "excluded_s")
    speed = pl.when(pl.col("spotted") > 0).then(pl.col("travelled") / pl.col("spotted"))
    peak_hours = sum(end - first for first, end in PEAKS)
    return [
        *(pl.col(name) for name in _GROUP),
        pl.when(observed > 0).then("volume").cast(pl.Int32),
        pl.when(observed > 0).then("volume_normalised").cast(pl.Float32),
        pl.when(observed + imputed > 0).then("volume_estimated").cast(pl.Float32),
        pl.col("heavy").cast(pl.Int32),
        speed.cast(pl.Float32).alias("speed_kmh"),
        pl.col("peak_hour"),
        pl.col("peak_volume").cast(pl.Int32),
        share(pl.max_horizontal(pl.col("expected_s"), known)).alias("expected"),
        *(share(pl.col(name)).alias(name.removesuffix("_s")) for name in _SECONDS),
        (
            (pl.col("valid_hours") >= rules.day * pl.col("hours"))
            & (pl.col("valid_peak") == peak_hours)
        ).alias("valid"),
        pl.col("method").fill_null(METHOD),
    ]
