"""`/sites/{municipality}/{site}/…`: air, noise, wind, water level, with the traffic."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

import polars as pl
from fastapi import APIRouter, Depends, Query

from analytics.environment import humidity, indices, limits, rls19
from analytics.environment import wind as winds
from analytics.reports import environment as reports
from analytics.reports.environment import MAX_PERIOD_DAYS, Asked, ask
from analytics.reports.periods import period
from api import PREFIX
from api.parameters import KEY, From, NamedSite, Store, To, one_of, pattern_of
from api.problems import READ_RESPONSES
from api.schemas import environment as schemas
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.storage.sites import read_site

router = APIRouter(
    prefix=f"{PREFIX}/sites/{{municipality}}/{{site}}",
    tags=["figures"],
    responses=READ_RESPONSES,
)
ORDER: Final = 60

CONCENTRATIONS: Final = tuple(q for q in ENVIRONMENT if q.endswith("_ugm3"))


def _ask(store: Store, site: NamedSite, from_: From = None, to: To = None) -> Asked:
    asked = period(site.time_zone, from_, to, now=datetime.now(UTC), days=30)
    return ask(store, site, asked.at_most(MAX_PERIOD_DAYS))


Figures = TypeVar("Figures")

Ask = Annotated[Asked, Depends(_ask)]


@router.get(
    "/air",
    summary="Air quality",
    response_model=schemas.Air,
)
def read_air(
    asked: Ask,
    index: Annotated[
        str,
        Query(
            description="which index, by name and version",
            pattern=pattern_of(indices.INDICES),
            examples=["uba-2025"],
        ),
        one_of(indices.INDICES),
    ] = indices.SHOWN,
) -> dict[str, Any]:
    """Judge the air of a period: index, limits by calendar year, correction of PM.

    The default is the last 30 days, the maximum is 366 days. Comparisons cover the part
    of each calendar year within the period.
    """
    report = reports.report_air(asked, indices.INDICES[index])

    def arranged(figures: tuple[reports.Air, reports.Corrected]) -> dict[str, Any]:
        air, corrected = figures
        return {
            "index": {
                "key": air.index.key,
                "name": air.index.name,
                "classes": air.index.classes,
                "source": air.index.source,
                "hours": air.hours,
            },
            "comparison": _named(air.comparison, asked),
            "corrected": {
                "method": humidity.METHOD,
                "hours": _named(corrected.hours, asked),
                **asdict(corrected.parameters),
            },
        }

    return _answer(report, arranged) | {
        "standards": {key: s.source for key, s in limits.STANDARDS.items()}
    }


@router.get(
    "/noise",
    summary="Noise levels",
    response_model=schemas.Noise,
)
def read_noise(asked: Ask) -> dict[str, Any]:
    """Return Lday, Levening, Lnight and Lden of days and of the period.

    Also the emission of the traffic counted at the site (RLS-19).
    """

    def arranged(figures: tuple[reports.Noise, reports.Emission]) -> dict[str, Any]:
        loud, emission = figures
        return {
            "days": _named(loud.days, asked),
            "levels": _named(loud.levels, asked),
            "emission": {
                "method": rls19.METHOD,
                "attenuation_db": emission.attenuation_db,
                "hours": emission.hours,
            },
        }

    return _answer(reports.report_noise(asked), arranged)


@router.get(
    "/wind",
    summary="Wind rose",
    response_model=schemas.Wind,
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
        one_of(CONCENTRATIONS),
    ] = None,
) -> dict[str, Any]:
    """Count the hours of a period by wind direction and speed."""
    report = reports.report_wind(asked, quantity)
    return _answer(report, lambda rose: {"rose": rose}) | {
        "sectors": winds.SECTORS,
        "calm_ms": winds.MIN_WIND_MS,
        "classes_ms": winds.CLASSES_MS,
        "quantity": quantity,
    }


@router.get(
    "/water-level",
    summary="Gauges",
    response_model=schemas.WaterLevels,
)
def read_water_level(asked: Ask) -> dict[str, Any]:
    """Return the level of gauges, their trend, and crossed thresholds."""
    return _answer(
        reports.report_water_level(asked),
        lambda gauges: {"gauges": [_gauge(gauge) for gauge in gauges]},
    )


def _gauge(gauge: reports.Gauge) -> dict[str, Any]:
    return {
        "channel": gauge.channel,
        "thresholds": gauge.thresholds,
        "reached": gauge.reached,
        "crossings": gauge.crossings,
        **{name: gauge.newest.get(name) for name in ("time", "level", "cm_per_h")},
    }


@router.get(
    "/traffic-and-environment",
    summary="How a concentration goes with the traffic",
    response_model=schemas.Dependence,
)
def read_traffic_and_environment(
    asked: Ask,
    quantity: Annotated[
        str,
        Query(
            description="a concentration",
            pattern="^[a-z0-9_]{1,64}$",
            examples=["no2_ugm3"],
        ),
        one_of(CONCENTRATIONS),
    ] = "no2_ugm3",
    background: Annotated[
        str | None,
        Query(
            description="key of a site of the municipality, away from the road, whose "
            "values are subtracted",
            pattern=KEY,
        ),
    ] = None,
) -> dict[str, Any]:
    """Compare a concentration with flow, speed and wind, hour by hour."""
    away = None
    if background is not None:
        with asked.store.connection() as connection:
            other = read_site(connection, asked.site.municipality, background)
        away = ask(asked.store, other, asked.period)

    def arranged(found: reports.Dependence) -> dict[str, Any]:
        return {
            "hours": found.hours,
            "mean": found.mean,
            "by": found.by,
            "effects": found.effects,
        }

    return _answer(reports.report_dependence(asked, quantity, away), arranged) | {
        "quantity": quantity,
        "background": background,
    }


def _named(found: pl.DataFrame, asked: Asked) -> pl.DataFrame:
    """Return rows with the key of their channel instead of its id."""
    keys = pl.DataFrame(
        [(c.channel_id, c.key) for c in asked.site.channels],
        schema={"channel_id": pl.Int32, "channel": pl.String},
        orient="row",
    )
    named = found.join(keys, on="channel_id", maintain_order="left")
    return named.drop("channel_id")


def _answer(
    report: reports.Report[Figures], arranged: Callable[[Figures], dict[str, Any]]
) -> dict[str, Any]:
    """Arrange a report; without what is suspected, too, where anything is."""

    def body_of(one: reports.WithPassports[Figures]) -> dict[str, Any]:
        return arranged(one.figures) | {"passport": one.passports}

    without = report.without_suspected
    return {
        "municipality": report.site.municipality,
        "simulated": report.site.simulated,
        "site": report.site.key,
        "from_": report.period.start,
        "to": report.period.end,
        **body_of(report.found),
        "without_suspected": without and body_of(without),
    }
