"""Daily figures: local days of a site, per direction and for the cross-section.

A local day has 23, 24 or 25 hours. An hour (UTC) belongs to the local day in which it
begins. Shares are parts of (hours of the day) x (channels installed on it, or with
data), so a channel that was silent lowers the observed share. A day without any data
has no row.
"""

from typing import Final

import polars as pl

from analytics.frames import CHANNELS, DAYS, INSTALLED, SITE_DAYS, SPANS, VOLUMES, check
from analytics.local_time import day_bounds, with_local
from verkehrspuls.classes import HEAVY_CLASSES

METHOD: Final = "daily-1"
#: Direction of the cross-section.
ALL: Final = "all"

#: A partly observed hour is scaled to a whole one from this share on.
NORMALISED_FROM: Final = 0.5
#: A day is valid with 21 of 24 hours observed, and both peaks (local hours) to this
#: share (DOMAIN.md 6).
VALID_DAY: Final = 21 / 24
VALID_PEAK: Final = 0.75
PEAKS: Final = {"morning": (6, 10), "evening": (15, 19)}
#: An hour may be the peak hour with this share observed.
PEAK_HOUR_OBSERVED: Final = 0.75

_HOUR_S = 3600
_QUARTER_S = 900
_GROUP = ("site_id", "quantity", "direction", "day")


def days(
    volumes: pl.DataFrame,
    targets: pl.DataFrame,
    *,
    channels: pl.DataFrame,
    installed: pl.DataFrame,
    excluded: pl.DataFrame,
) -> pl.DataFrame:
    """Compute DAYS for the SITE_DAYS of `targets` from the VOLUMES of these days.

    Hours that overlap a span of `excluded` (SPANS) count for nothing but the excluded
    share.

    - volume: what was counted, not scaled up.
    - volume_normalised: hours observed at least to half scaled to whole ones
      (volume · 3600 / observed_s); their added parts are the normalised share.
    - heavy: sum of HEAVY_CLASSES; null where a channel never told one of them apart.
    - speed_kmh: hourly speeds weighted by volume (time mean).
    - peak_hour, peak_volume: the four consecutive quarter-hours with the greatest sum,
      or the greatest hour where not all channels count by quarter-hours; null where
      no hour is observed to 75 %. The earliest of several.
    - valid: at least 21 of 24 hours observed, and each peak (06-10, 15-19) to 75 %.
    """
    targets = check(targets, SITE_DAYS)
    places = check(channels, CHANNELS)
    rows = (
        with_local(check(volumes, VOLUMES).join(places, on="channel_id"))
        .join(targets, on=["site_id", "day"], how="semi")
        .pipe(_mark_excluded, check(excluded, SPANS))
    )
    present = _present(rows, targets, channels=places, installed=installed)
    kept = rows.filter(~pl.col("is_excluded"))
    quarters = kept.filter(pl.col("interval_s") == _QUARTER_S)
    hours = kept.filter(pl.col("interval_s") == _HOUR_S)
    lost = rows.filter(pl.col("is_excluded") & (pl.col("interval_s") == _HOUR_S))
    figures = (
        _with_all(present)
        .group_by(_GROUP)
        .agg(
            pl.col("day_s").sum(),
            pl.len().alias("channels"),
        )
        .join(_sums(hours, lost), on=_GROUP)
        .join(_peak_hours(quarters, hours, present), on=_GROUP, how="left")
    )
    return check(figures.select(_figures()), DAYS)


def _mark_excluded(rows: pl.DataFrame, excluded: pl.DataFrame) -> pl.DataFrame:
    if excluded.is_empty():
        return rows.with_columns(is_excluded=pl.lit(value=False))
    keys = ("channel_id", "interval_s", "time")
    ends = pl.col("time") + pl.duration(seconds="interval_s")
    hit = (
        rows.select(keys)
        .join(excluded, on="channel_id")
        .filter((pl.col("time") < pl.col("until")) & (ends > pl.col("since")))
        .select(keys)
        .unique()
        .with_columns(is_excluded=pl.lit(value=True))
    )
    return rows.join(hit, on=keys, how="left").with_columns(
        pl.col("is_excluded").fill_null(value=False)
    )


def _present(
    rows: pl.DataFrame,
    targets: pl.DataFrame,
    *,
    channels: pl.DataFrame,
    installed: pl.DataFrame,
) -> pl.DataFrame:
    """Channels by day that were installed or have data, with the day's seconds."""
    days = targets.join(channels, on="site_id")
    days = days.join(day_bounds(days), on=["time_zone", "day"])
    keys = ("channel_id", "day")
    attached = days.join(check(installed, INSTALLED), on="channel_id").filter(
        (pl.col("since") < pl.col("day_ended"))
        & (pl.col("until") > pl.col("day_began"))
    )
    present = pl.concat([attached.select(keys), rows.select(keys)]).unique()
    day_s = (pl.col("day_ended") - pl.col("day_began")).dt.total_seconds()
    return days.join(present, on=keys, how="semi").select(
        "site_id", "quantity", "direction", "day", "channel_id", day_s=day_s
    )


def _with_all(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows once more as those of the cross-section."""
    return pl.concat([rows, rows.with_columns(direction=pl.lit(ALL))])


def _sums(hours: pl.DataFrame, lost: pl.DataFrame) -> pl.DataFrame:
    """Sums over hours and channels, by group."""
    volume, observed = pl.col("volume"), pl.col("observed_s")
    partly = (observed >= NORMALISED_FROM * _HOUR_S) & (observed < _HOUR_S)
    scaled = pl.when(partly).then(volume * (_HOUR_S / observed)).otherwise(volume)
    spotted = volume.filter(pl.col("speed_kmh").is_not_null())
    speed = pl.col("speed_kmh").cast(pl.Float64)
    by_channel = hours.group_by(*_GROUP, "channel_id").agg(
        volume.sum(),
        scaled.sum().alias("volume_normalised"),
        observed.sum(),
        (_HOUR_S - observed.filter(partly)).sum().alias("normalised_s"),
        *(
            observed.filter(pl.col("local_hour").is_between(first, last, closed="left"))
            .sum()
            .alias(name)
            for name, (first, last) in PEAKS.items()
        ),
        _heavy(),
        (speed * volume).sum().alias("speed_sum"),
        spotted.sum().alias("spotted"),
    )
    excluded = lost.group_by(*_GROUP, "channel_id").agg(
        observed.sum().alias("excluded_s")
    )
    both = by_channel.join(
        excluded, on=[*_GROUP, "channel_id"], how="full", coalesce=True
    )
    tells = (pl.col("heavy").null_count() == 0) & (pl.len() > 0)
    return (
        _with_all(both)
        .group_by(_GROUP)
        .agg(
            pl.col(
                "volume",
                "volume_normalised",
                "observed_s",
                "normalised_s",
                "excluded_s",
                *PEAKS,
                "speed_sum",
                "spotted",
            ).sum(),
            pl.when(tells).then(pl.col("heavy").sum()).alias("heavy"),
        )
    )


def _heavy() -> pl.Expr:
    """Sum of the heavy classes of a channel; null where one of them is never known."""
    known = pl.all_horizontal(pl.col(name).count() > 0 for name in HEAVY_CLASSES)
    total = pl.sum_horizontal(pl.col(name).sum() for name in HEAVY_CLASSES)
    return pl.when(known).then(total).alias("heavy")


def _peak_hours(
    quarters: pl.DataFrame, hours: pl.DataFrame, present: pl.DataFrame
) -> pl.DataFrame:
    """The greatest hour of each group that is sufficiently observed."""
    channels = _with_all(present).group_by(_GROUP).agg(pl.len().alias("channels"))
    by_hour, by_quarter = _by_time(hours), _by_time(quarters)
    counted = pl.col("volume").sum()
    fine = (
        by_quarter.group_by(_GROUP)
        .agg(counted)
        .join(by_hour.group_by(_GROUP).agg(counted), on=[*_GROUP, "volume"])
        .select(_GROUP)
    )
    sliding = (
        by_quarter.join(fine, on=_GROUP, how="semi")
        .sort("time")
        .rolling("time", period="1h", offset="0h", closed="left", group_by=_GROUP)
        .agg(pl.col("volume", "observed_s").sum())
    )
    clock = by_hour.join(fine, on=_GROUP, how="anti")
    enough = PEAK_HOUR_OBSERVED * _HOUR_S * pl.col("channels")
    return (
        pl.concat([sliding, clock.select(sliding.columns)])
        .join(channels, on=_GROUP)
        .filter(pl.col("observed_s") >= enough)
        .sort("volume", "time", descending=[True, False])
        .unique(_GROUP, keep="first", maintain_order=True)
        .select(*_GROUP, peak_hour="time", peak_volume="volume")
    )


def _by_time(volumes: pl.DataFrame) -> pl.DataFrame:
    return (
        _with_all(volumes)
        .group_by(*_GROUP, "time")
        .agg(pl.col("volume", "observed_s").sum())
    )


def _figures() -> list[pl.Expr]:
    """The columns of DAYS from the joined sums."""

    def share(of: str) -> pl.Expr:
        return (pl.col(of) / pl.col("day_s")).clip(0, 1)

    peak_s = {
        name: (last - first) * _HOUR_S * pl.col("channels")
        for name, (first, last) in PEAKS.items()
    }
    valid = pl.all_horizontal(
        share("observed_s") >= VALID_DAY,
        *(pl.col(name) >= VALID_PEAK * peak_s[name] for name in PEAKS),
    )
    speed = pl.when(pl.col("spotted") > 0).then(pl.col("speed_sum") / pl.col("spotted"))
    return [
        *(pl.col(name) for name in _GROUP),
        pl.col("volume").cast(pl.Int32),
        pl.col("volume_normalised").cast(pl.Float32),
        pl.col("heavy").cast(pl.Int32),
        speed.cast(pl.Float32).alias("speed_kmh"),
        pl.col("peak_hour"),
        pl.col("peak_volume").cast(pl.Int32),
        share("observed_s").cast(pl.Float32).alias("observed"),
        share("normalised_s").cast(pl.Float32).alias("normalised"),
        # nothing is imputed by this method
        pl.lit(0, pl.Float32).alias("imputed"),
        share("excluded_s").cast(pl.Float32).alias("excluded"),
        valid.alias("valid"),
        pl.lit(METHOD).alias("method"),
    ]
