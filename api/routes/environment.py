"""`/sites/{municipality}/{site}/…`: air, noise, wind, water level, with the traffic."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import polars as pl
from fastapi import APIRouter, Depends, Query

from analytics.environment import gauges, humidity, indices, limits, noise, rls19
from analytics.environment import wind as winds
from analytics.environment.with_traffic import class_means, effects, increments
from analytics.reports.environment import LONGEST_DAYS, LOOK_BACK, Asked, ask
from analytics.reports.periods import period
from api import PREFIX
from api.parameters import From, MunicipalityKey, SiteKey, Store, To
from api.problems import RESPONSES
from api.schemas import environment as schemas
from verkehrspuls.errors import BadParameter
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.storage.sites import read_site

router = APIRouter(prefix=f"{PREFIX}/sites/{{municipality}}/{{site}}", tags=["figures"])


def _ask(
    store: Store,
    municipality: MunicipalityKey,
    site: SiteKey,
    from_: From = None,
    to: To = None,
) -> Asked:
    with store.connection() as connection:
        found = read_site(connection, municipality, site)
    now = datetime.now(UTC)
    return ask(
        store, found, period(found, from_, to, now=now, days=30).at_most(LONGEST_DAYS)
    )


Ask = Annotated[Asked, Depends(_ask)]

_PARTICLES: Final = ("pm10_ugm3", "pm25_ugm3")


@router.get(
    "/air",
    operation_id="readAir",
    summary="Air quality",
    response_model=schemas.Air,
    responses=RESPONSES,
)
def read_air(
    asked: Ask,
    index: Annotated[
        str,
        Query(
            description="which index, by name and version",
            pattern="^(" + "|".join(indices.INDICES) + ")$",
            examples=["uba-2025"],
        ),
    ] = indices.SHOWN,
) -> dict[str, Any]:
    """Judge the air of a period: index, limits by calendar year, correction of PM.

    The default is the last 30 days, the maximum is 366 days. Comparisons cover the part
    of each calendar year within the period.
    """
    chosen = indices.INDICES[index]
    suspects = asked.suspects(*chosen.ends, "humidity_pct", before=LOOK_BACK)
    return asked.answer(lambda of: _air(of, chosen), suspects) | {
        "standards": {key: s.source for key, s in limits.STANDARDS.items()}
    }


def _air(asked: Asked, chosen: indices.Index) -> dict[str, Any]:
    """Compute the figures of the air."""
    since = pl.col("time") >= asked.period.start
    every = {q: asked.hours(q, before=LOOK_BACK) for q in chosen.ends}
    longer = {quantity: found.drop_nulls("mean") for quantity, found in every.items()}
    hours = {quantity: found.filter(since) for quantity, found in every.items()}
    moist = asked.hours("humidity_pct")
    parameters = humidity.Parameters()
    comparison = [
        row | {"quantity": quantity}
        for quantity, found in longer.items()
        for row in _named(
            limits.compare(
                found, quantity, long=asked.long(quantity), since=asked.period.start
            ),
            asked,
        )
    ]
    corrected = [
        row | {"quantity": quantity}
        for quantity in _PARTICLES
        for row in _named(
            humidity.correct(longer[quantity].filter(since), moist), asked
        )
    ]
    return {
        "index": {
            "key": chosen.key,
            "name": chosen.name,
            "classes": chosen.classes,
            "source": chosen.source,
            "hours": indices.index_hours(longer, chosen).filter(since).to_dicts(),
        },
        "comparison": comparison,
        "corrected": {
            "method": humidity.METHOD,
            "hours": corrected,
            **asdict(parameters),
        },
        "passport": asked.passports({**hours, "humidity_pct": moist}),
    }


@router.get(
    "/noise",
    operation_id="readNoise",
    summary="Noise levels",
    response_model=schemas.Noise,
    responses=RESPONSES,
)
def read_noise(asked: Ask) -> dict[str, Any]:
    """Return Lday, Levening, Lnight and Lden of days and of the period.

    Also the emission of the traffic counted at the site (RLS-19).
    """
    return asked.answer(_noise, asked.suspects("laeq_db", "motor"))


def _noise(asked: Asked) -> dict[str, Any]:
    """Compute the figures of the noise."""
    hours = asked.hours("laeq_db")
    days = noise.noise_days(hours, time_zone=asked.site["time_zone"])
    compared = rls19.compare(
        rls19.traffic_hours(asked.traffic()), asked.mean("laeq_db")
    )
    attenuation = (compared["emitted"] - compared["measured"]).median()
    return {
        "days": _named(days, asked),
        "levels": _named(noise.noise_levels(days), asked),
        "emission": {
            "method": rls19.METHOD,
            "attenuation_db": attenuation,
            "hours": compared.to_dicts(),
        },
        "passport": asked.passports({"laeq_db": hours}),
    }


@router.get(
    "/wind",
    operation_id="readWind",
    summary="Wind rose",
    response_model=schemas.Wind,
    responses=RESPONSES,
)
def read_wind(
    asked: Ask,
    quantity: Annotated[
        str | None,
        Query(
            description="a concentration to average by sector and speed",
            pattern="^[a-z0-9_]{1,64}$",
            examples=["pm10_ugm3"],
        ),
    ] = None,
) -> dict[str, Any]:
    """Count the hours of a period by wind direction and speed."""
    if quantity is not None:
        _concentration(quantity)
    suspects = asked.suspects("wind_ms", "wind_deg", *filter(None, [quantity]))
    return asked.answer(lambda of: _wind(of, quantity), suspects) | {
        "sectors": winds.SECTORS,
        "calm_ms": winds.MIN_WIND_MS,
        "classes_ms": winds.CLASSES_MS,
        "quantity": quantity,
    }


def _wind(asked: Asked, quantity: str | None) -> dict[str, Any]:
    """Compute the figures of the wind."""
    values = None if quantity is None else asked.mean(quantity)
    speed, direction = asked.hours("wind_ms"), asked.hours("wind_deg")
    wind = (
        asked.mean("wind_ms")
        .rename({"mean": "speed"})
        .join(asked.mean("wind_deg").rename({"mean": "direction"}), on="time")
    )
    return {
        "rose": winds.rose(wind, values).to_dicts(),
        "passport": asked.passports({"wind_ms": speed, "wind_deg": direction}),
    }


@router.get(
    "/water-level",
    operation_id="readWaterLevel",
    summary="Gauges",
    response_model=schemas.WaterLevels,
    responses=RESPONSES,
)
def read_water_level(asked: Ask) -> dict[str, Any]:
    """Return the level of gauges, their trend, and crossed thresholds."""
    return asked.answer(_water_level, asked.suspects("water_level_cm"))


def _water_level(asked: Asked) -> dict[str, Any]:
    """Compute the figures of gauges."""
    hours = asked.hours("water_level_cm")
    known = hours.drop_nulls("mean")
    trend = {row["channel"]: row for row in _named(gauges.trends(known), asked)}
    found = []
    for channel in asked.site["channels"]:
        if channel["quantity"] != "water_level_cm":
            continue
        mine = known.filter(pl.col("channel") == channel["key"])
        newest = trend.get(channel["key"], {})
        level = newest.get("level")
        thresholds = channel["thresholds"]
        reached = [
            name
            for name, value in sorted(thresholds.items(), key=lambda item: item[1])
            if level is not None and level >= value
        ]
        found.append(
            {
                "channel": channel["key"],
                "thresholds": thresholds,
                "reached": reached[-1] if reached else None,
                "crossings": gauges.crossings(mine, thresholds).to_dicts(),
                **{name: newest.get(name) for name in ("time", "level", "cm_per_h")},
            }
        )
    return {
        "gauges": found,
        "passport": asked.passports({"water_level_cm": hours}),
    }


@router.get(
    "/traffic-and-environment",
    operation_id="readTrafficAndEnvironment",
    summary="How a concentration goes with the traffic",
    response_model=schemas.Dependence,
    responses=RESPONSES,
)
def read_dependence(
    asked: Ask,
    quantity: Annotated[
        str,
        Query(
            description="a concentration",
            pattern="^[a-z0-9_]{1,64}$",
            examples=["no2_ugm3"],
        ),
    ] = "no2_ugm3",
    background: Annotated[
        str | None,
        Query(
            description="key of a site of the municipality, away from the road, whose "
            "values are subtracted",
            pattern="^[a-z0-9-]{1,64}$",
        ),
    ] = None,
) -> dict[str, Any]:
    """Compare a concentration with flow, speed and wind, hour by hour."""
    _concentration(quantity)
    suspects = asked.suspects(quantity, "motor", "wind_ms")
    away = None
    if background is not None:
        with asked.store.connection() as connection:
            other = read_site(connection, asked.site["municipality"], background)
        away = ask(asked.store, other, asked.period)
        suspects = pl.concat([suspects, away.suspects(quantity)])
    return asked.answer(lambda of: _dependence(of, quantity, away), suspects) | {
        "quantity": quantity,
        "background": background,
    }


def _dependence(asked: Asked, quantity: str, away: Asked | None) -> dict[str, Any]:
    """Compute the dependence of a concentration; `away` is the background."""
    value = asked.mean(quantity)
    beside = ("motor", "wind_ms")
    cases, unsure = asked.cases(*beside), asked.ambiguous_hours(*beside)
    if away is not None:
        elsewhere = replace(away, trusted=asked.trusted).mean(quantity)
        cases += away.cases(quantity)
        unsure += away.ambiguous_hours(quantity)
        value = increments(value, elsewhere).select("time", mean="increment")
    together = _together(asked, value)
    terms = [name for name in ("flow", "speed", "wind") if together[name].count()]
    return {
        "hours": together.height,
        "mean": together["mean"].mean(),
        "by": {
            name: class_means(together, "mean", on=name).to_dicts() for name in terms
        },
        "effects": [asdict(e) for e in effects(together, "mean", terms=terms)],
        "passport": asked.passports(
            {quantity: asked.hours(quantity)}, cases=cases, ambiguous_hours=unsure
        ),
    }


def _together(asked: Asked, value: pl.DataFrame) -> pl.DataFrame:
    """Add flow, speed and wind to the hours of a value."""
    traffic = (
        asked.traffic()
        .filter(pl.col("observed") >= 0.75)
        .select(
            "time",
            flow=pl.col("volume") / pl.col("observed"),
            speed=pl.col("speed_kmh").cast(pl.Float64),
        )
    )
    wind = asked.mean("wind_ms").rename({"mean": "wind"})
    local = pl.col("time").dt.convert_time_zone(asked.site["time_zone"])
    return (
        value.join(traffic, on="time")
        .join(wind, on="time", how="left")
        .sort("time")
        .drop_nulls("mean")
        .with_columns(day=local.dt.date())
    )


def _concentration(quantity: str) -> None:
    known: Sequence[str] = [q for q in ENVIRONMENT if q.endswith("_ugm3")]
    if quantity not in known:
        raise BadParameter(
            parameter="quantity", detail=f"The concentrations are {', '.join(known)}"
        )


def _named(found: pl.DataFrame, asked: Asked) -> list[dict[str, Any]]:
    """Return rows with the key of their channel instead of its id."""
    keys = pl.DataFrame(
        [(c["channel_id"], c["key"]) for c in asked.site["channels"]],
        schema={"channel_id": pl.Int32, "channel": pl.String},
        orient="row",
    )
    return (
        found.join(keys, on="channel_id", maintain_order="left")
        .drop("channel_id")
        .to_dicts()
    )
