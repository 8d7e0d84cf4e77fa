"""The frames passed between the parts of analytics, each with a declared schema.

Times are aware UTC and name the start of an interval. NULL is unknown, never zero.
"""

from collections.abc import Mapping, Sequence
from typing import Final, cast

import polars as pl

from verkehrspuls.classes import COUNTS

Schema = Mapping[str, pl.DataType]

TIME: Final = pl.Datetime("us", "UTC")
_I32: Final = pl.Int32()
_F32: Final = pl.Float32()
_F64: Final = pl.Float64()
_TEXT: Final = pl.String()
_COUNTS: Final[Schema] = dict.fromkeys(COUNTS, _I32)

#: Start and duration of readings of any kind.
INTERVALS: Final[Schema] = {"channel_id": _I32, "time": TIME, "interval_s": _I32}
# columns that several of the frames have
_CALENDAR: Final[Schema] = {
    "weekday": pl.Int8(),
    "holiday": pl.Boolean(),
    "school_holiday": pl.Boolean(),
    "day_type": _TEXT,
}
_EXTREMES: Final[Schema] = {"mean": _F64, "minimum": _F64, "maximum": _F64}
_SHARES: Final = ("observed", "normalised", "imputed", "excluded")
_USUAL: Final[Schema] = {"usual": _F32, "usual_spread": _F32}
_WHERE: Final[Schema] = {
    "municipality_id": _I32,
    "audience": _I32,
    "site_id": _I32,
    "sensor_id": _I32,
    "road": _TEXT,
    "latitude": _F64,
    "longitude": _F64,
    "quantity": _TEXT,
    "direction": _TEXT,
}

#: Channels with the calendar and clock of their site's municipality.
CHANNELS: Final[Schema] = {
    "channel_id": _I32,
    "site_id": _I32,
    "quantity": _TEXT,
    "direction": _TEXT,
    "state": _TEXT,
    "time_zone": _TEXT,
}
#: Period of a sensor at a channel, and its interval.
INSTALLED: Final[Schema] = {
    "channel_id": _I32,
    "since": TIME,
    "until": TIME,
    "interval_s": _I32,
}
#: The same, with the sensor's class scheme.
INSTALLATIONS: Final[Schema] = {**INSTALLED, "class_scheme": _TEXT}
#: What the counts of a channel are multiplied with, and when.
CALIBRATIONS: Final[Schema] = {
    "channel_id": _I32,
    "since": TIME,
    "until": TIME,
    "factor": _F64,
}
#: Count readings as stored, and the quantity of their channel.
COUNT_READINGS: Final[Schema] = {
    **INTERVALS,
    **_COUNTS,
    "speed_kmh": _F32,
    "quantity": _TEXT,
}
ENVIRONMENT_READINGS: Final[Schema] = {
    **INTERVALS,
    "value": _F64,
    "quantity": _TEXT,
}
#: Details of readings, read only if needed: time of receipt (for overlaps), and
#: observed seconds of the interval (if the sensor reports them).
READING_DETAILS: Final[Schema] = {"received_at": TIME, "observed_s": _I32}
#: Time of the newest reading of each channel.
NEWEST: Final[Schema] = {"channel_id": _I32, "time": TIME}
#: The newest readings of each installed channel.
LAST_READINGS: Final[Schema] = {**INTERVALS, "received_at": TIME}
#: Usual volume of a channel and hour, and its robust spread.
USUAL: Final[Schema] = {
    "channel_id": _I32,
    "time": TIME,
    **_USUAL,
}
VOLUMES: Final[Schema] = {
    "channel_id": _I32,
    "interval_s": _I32,
    "time": TIME,
    "observed_s": _I32,
    "gap_s": _I32,
    "volume": _I32,
    **_COUNTS,
    "speed_kmh": _F32,
}
#: The columns of VOLUMES needed to estimate others.
BIN_VOLUMES: Final[Schema] = {
    name: VOLUMES[name]
    for name in ("channel_id", "interval_s", "time", "observed_s", "volume")
}
STORED_VOLUMES: Final[Schema] = {**VOLUMES, **_USUAL}
#: Channels of a town with site and quantity.
PLACES: Final[Schema] = {
    "channel_id": _I32,
    "site_id": _I32,
    "quantity": _TEXT,
    "audience": _I32,
}
#: Their hours with usual volumes.
USUAL_HOURS: Final[Schema] = {
    **PLACES,
    "time": TIME,
    "observed_s": _I32,
    "volume": _I32,
    **_USUAL,
}
#: `valid`: see quality.validity; null if stored before that existed.
VALID_VOLUMES: Final[Schema] = {**STORED_VOLUMES, "valid": pl.Boolean()}
ENVIRONMENT_HOURS: Final[Schema] = {
    "channel_id": _I32,
    "time": TIME,
    "observed_s": _I32,
    **_EXTREMES,
}
#: Counts over intervals of more than an hour: see `analytics.volumes.long_intervals`.
LONG_VOLUMES: Final[Schema] = {
    **INTERVALS,
    "volume": _I32,
    **_COUNTS,
    "speed_kmh": _F32,
}
#: Environment values over intervals of more than an hour.
LONG_VALUES: Final[Schema] = {**INTERVALS, "value": _F64}
#: Local days of environment channels.
ENVIRONMENT_DAYS: Final[Schema] = {
    "channel_id": _I32,
    "day": pl.Date(),
    "observed": _F64,
    **_EXTREMES,
}
#: Local days of sites.
SITE_DAYS: Final[Schema] = {"site_id": _I32, "day": pl.Date()}
DAYS: Final[Schema] = {
    "site_id": _I32,
    "quantity": _TEXT,
    "direction": _TEXT,
    "day": pl.Date(),
    "volume": _I32,
    "volume_normalised": _F32,
    "volume_estimated": _F32,
    "heavy": _I32,
    "speed_kmh": _F32,
    "peak_hour": TIME,
    "peak_volume": _I32,
    "expected": _F32,
    **dict.fromkeys(_SHARES, _F32),
    "valid": pl.Boolean(),
    "method": _TEXT,
}
# calendar
#: School holidays of a state, the days from `first` to `last`, both included.
SCHOOL_HOLIDAYS: Final[Schema] = {
    "state": _TEXT,
    "name": _TEXT,
    "first": pl.Date(),
    "last": pl.Date(),
}
#: Events at or near a site, on the local days from `first` to `last`.
EVENTS: Final[Schema] = {
    "site_id": _I32,
    "name": _TEXT,
    "first": pl.Date(),
    "last": pl.Date(),
}
# completeness
#: Estimated volumes of whole bins of channels, and their method.
IMPUTED: Final[Schema] = {
    **INTERVALS,
    "volume": _F32,
    "method": _TEXT,
}
#: Hours of channels.
CHANNEL_HOURS: Final[Schema] = {"channel_id": _I32, "hour": TIME}
#: Periods of channels: `[since, until)`.
SPANS: Final[Schema] = {"channel_id": _I32, "since": TIME, "until": TIME}
#: Findings of a detector: `[began, ended)`, evidence and reason code.
HITS: Final[Schema] = {
    "channel_id": _I32,
    "began": TIME,
    "ended": TIME,
    "observed": _F64,
    "usual": _F64,
    "score": _F64,
    "reason": _TEXT,
}
CASES: Final[Schema] = {**HITS, "detector": _TEXT}
#: Devices with a channel each, what is wrong with them, and since when it is looked at.
DEVICES: Final[Schema] = {
    "channel_id": _I32,
    "began": TIME,
    "ended": TIME,
    "problems": pl.List(_TEXT),
    "ahead_min": _F64,
    "battery_pct": _F64,
}
# cases
#: Members of cases as stored, with the state of their case.
STORED_CASES: Final[Schema] = {
    "case_member_id": pl.Int64(),
    "channel_id": _I32,
    "detector": _TEXT,
    "began": TIME,
    "ended": TIME,
    "state": _TEXT,
    "effect": _TEXT,
}
#: Members of undecided cases of a municipality, with the place of their channel.
MEMBERS: Final[Schema] = {
    "case_member_id": pl.Int64(),
    "anomaly_case_id": pl.Int64(),
    "municipality_id": _I32,
    "audience": _I32,
    "site_id": _I32,
    "quantity": _TEXT,
    "latitude": _F64,
    "longitude": _F64,
    **CASES,
}
#: Cases to write: their leading member, and their extent.
GROUPED: Final[Schema] = {
    "group": pl.Int64(),
    "anomaly_case_id": pl.Int64(),
    "municipality_id": _I32,
    "site_id": _I32,
    **CASES,
    "detectors": pl.List(_TEXT),
    "channels": _I32,
    "sites": _I32,
    "severity": _TEXT,
}

# forecast and imputation
#: Volumes of coming intervals; nine of ten lie between low and high. `lead_s` is from
#: the end of the known data (`made_at`) to the end of the interval.
FORECASTS: Final[Schema] = {
    "channel_id": _I32,
    "interval_s": _I32,
    "lead_s": _I32,
    "time": TIME,
    "made_at": TIME,
    "volume": _F32,
    "low": _F32,
    "high": _F32,
    "method": _TEXT,
}
#: IMPUTED hours with their interval, and the length of their gap in hours.
IMPUTED_HOURS: Final[Schema] = {**IMPUTED, "low": _F32, "high": _F32, "gap_h": _I32}

# flow
#: Local days of a site, quantity and direction: one row per day of the calendar, with
#: its columns of `analytics.calendar`; the volume is normalised, null for a day without
#: data.
FLOW_DAYS: Final[Schema] = {
    "day": pl.Date(),
    **_CALENDAR,
    "volume": _F64,
    "heavy": _F64,
    **dict.fromkeys(_SHARES, _F64),
    "valid": pl.Boolean(),
}
#: Quarter-hours or hours of a site, quantity and direction with data. `flow` is in
#: vehicles/h; null if too little is known of one of the lanes.
FLOWS: Final[Schema] = {
    "time": TIME,
    "day": pl.Date(),
    "hour": pl.Int8(),
    **_CALENDAR,
    **dict.fromkeys(_SHARES, _F64),
    "volume": _F64,
    "flow": _F64,
}
#: The same with classes and speeds.
FLOW_BINS: Final[Schema] = {
    **FLOWS,
    **dict.fromkeys(COUNTS, _F64),
    "speed_kmh": _F64,
}
#: Sums of hours that know the same classes.
CLASS_SUMS: Final[Schema] = {"volume": _F64, **dict.fromkeys(COUNTS, _F64)}
#: Speed histograms of channels as received, in bins of equal width.
HISTOGRAM_READINGS: Final[Schema] = {
    **INTERVALS,
    "histogram_from_kmh": _F32,
    "histogram_width_kmh": _F32,
    "histogram": pl.List(_I32),
}
#: The same merged to hours, on the grid of `analytics.flow.histograms`.
SPEED_HISTOGRAMS: Final[Schema] = {
    "channel_id": _I32,
    "time": TIME,
    "observed_s": _I32,
    "counts": pl.List(_I32),
    "open_kmh": _F32,
    "rebinned": _I32,
    "refused": _I32,
}


# health
#: Installations of channels, one row each; `heard` is the first hour with a figure.
HEALTH_CHANNELS: Final[Schema] = {
    "channel_id": _I32,
    **_WHERE,
    "time_zone": _TEXT,
    "interval_s": _I32,
    "since": TIME,
    "until": TIME,
    "heard": TIME,
}
#: Periods of channels to judge, `[began, ended)`: local days or hours; for a running
#: day, which is incomplete, the past part. A sensor was installed from `since` to
#: `until`.
PERIODS: Final[Schema] = {
    "channel_id": _I32,
    "began": TIME,
    "ended": TIME,
    "since": TIME,
    "until": TIME,
    "day": pl.Date(),
    **_WHERE,
    "expected_s": _I32,
    "observed_s": _I32,
    "complete": pl.Boolean(),
}
#: Readings of PERIODS: one count or value each. `daytime` is 05 to 22 o'clock.
HEALTH_READINGS: Final[Schema] = {
    "channel_id": _I32,
    "began": TIME,
    "time": TIME,
    "interval_s": _I32,
    "quantity": _TEXT,
    "volume": _I32,
    "occupancy": _F32,
    "speed_kmh": _F32,
    "value": _F64,
    "time_origin": pl.Int16(),
    "daytime": pl.Boolean(),
}
#: The part of intervals above an hour within the local day that they belong to; `usual`
#: is that of a whole day.
HEALTH_TOTALS: Final[Schema] = {
    **INTERVALS,
    "quantity": _TEXT,
    "volume": _I32,
    "value": _F64,
    "usual": _F64,
}
#: Failures of a health test by period and channel.
FAILURES: Final[Schema] = {
    "channel_id": _I32,
    "began": TIME,
    "value": _F64,
    "threshold": _F64,
}
#: The first test that a period fails, or `good`.
VERDICTS: Final[Schema] = {
    "channel_id": _I32,
    "began": TIME,
    "day": pl.Date(),
    "complete": pl.Boolean(),
    "verdict": _TEXT,
    "value": _F64,
    "threshold": _F64,
    "level": _TEXT,
}

#: Local days of counting channels: hours with a known usual volume, scaled to whole
#: hours, and the usual volume of these.
CHANNEL_DAYS: Final[Schema] = {
    **PLACES,
    "time_zone": _TEXT,
    "day": pl.Date(),
    "hours": _I32,
    "observed": _F64,
    "usual": _F64,
}
#: Local days of environment channels: number of hours, and their lowest mean.
VALUE_DAYS: Final[Schema] = {
    "channel_id": _I32,
    "quantity": _TEXT,
    "time_zone": _TEXT,
    "day": pl.Date(),
    "hours": _I32,
    "minimum": _F64,
}
#: Hours of sites with counts of motor vehicles and noise; `channel_id` is the first of
#: the counting channels.
PAIRED_HOURS: Final[Schema] = {
    "channel_id": _I32,
    "noise_channel_id": _I32,
    "time": TIME,
    "local_hour": pl.Int8(),
    "weekend": pl.Boolean(),
    "volume": _F64,
    "usual": _F64,
    "level": _F64,
}
#: How unusual a count of a series is (`analytics.scores.traffic`).
TRAFFIC_SCORES: Final[Schema] = {
    "score": _F64,
    "odds": _F64,
    "usual": _F64,
    "kind": _TEXT,
}


class WrongFrameError(TypeError):
    """A frame lacks columns, or has them in another type than its schema declares."""


def check(frame: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Return the declared columns of a frame in their order; drop further ones."""
    found = frame.schema
    wrong = [
        f"{name} is {found.get(name, 'missing')}, not {dtype}"
        for name, dtype in schema.items()
        if found.get(name) != dtype
    ]
    if wrong:
        raise WrongFrameError("; ".join(wrong))
    columns = list(schema)
    return frame if columns == list(found) else frame[columns]


def with_details(readings: pl.DataFrame, schema: Schema) -> pl.DataFrame:
    """Return the declared columns of readings, and the existing READING_DETAILS."""
    found = readings.schema
    details = {name: kind for name, kind in READING_DETAILS.items() if name in found}
    return check(readings, {**schema, **details})


def mean(values: pl.Series) -> float:
    """Return the mean of a series with at least one number."""
    return float(cast("float", values.mean()))


def known_sum(column: str) -> pl.Expr:
    """Sum the known numbers of a column; null without any."""
    return pl.when(pl.col(column).count() > 0).then(pl.col(column).sum()).alias(column)


def highest(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """Return the rows with the highest value of a column."""
    return rows.filter(pl.col(column) == pl.col(column).max())


def of_records(records: Sequence[object], schema: Schema) -> pl.DataFrame:
    """Return a frame of the attributes of records that a schema names."""
    columns = {name: [getattr(each, name) for each in records] for name in schema}
    return pl.DataFrame(columns, schema=dict(schema))


def empty(schema: Schema) -> pl.DataFrame:
    """Return a frame without rows."""
    return pl.DataFrame(schema=dict(schema))
