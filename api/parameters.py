"""Parameters that routes share."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import Depends, Path, Query, Request
from pydantic import BeforeValidator, WithJsonSchema

from api import authorised
from api.database import Seen
from api.viewer import seen_by
from verkehrspuls.errors import BadParameter, TooLong
from verkehrspuls.moments import parse_day, parse_moment, parse_time, utc
from verkehrspuls.quantities import COUNTED, QUANTITIES
from verkehrspuls.storage.sites import Site, read_site

KEY: Final = "^[a-z0-9-]{1,64}$"
DIRECTION: Final = "^[a-z0-9-]{0,64}$"
#: keys used in the examples of the reference
EXAMPLE_TOWN: Final = "kaiserslautern"
EXAMPLE_SITE: Final = "pariser-strasse"

_Moment = Annotated[
    datetime | date,
    BeforeValidator(parse_moment),
    WithJsonSchema(
        {"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]}
    ),
]
Day = Annotated[date, BeforeValidator(parse_day)]
Instant = Annotated[datetime, BeforeValidator(parse_time)]


def key_of(what: str, *, example: str) -> Any:
    """Describe the key of something in an address."""
    return Path(description=f"key of the {what}", pattern=KEY, examples=[example])


def quantity_of(known: Iterable[str], description: str, **more: Any) -> Any:
    """Describe a parameter that names one of some quantities."""
    return Query(
        description=description,
        examples=["motor"],
        json_schema_extra={"enum": list(known)},
        **more,
    )


def pattern_of(values: Iterable[str]) -> str:
    """Return the pattern of a parameter that takes only these values."""
    return "^(" + "|".join(values) + ")$"


def one_of(values: Iterable[str]) -> BeforeValidator:
    """Refuse any other value with a list of these, before a pattern does."""
    known = tuple(values)

    def checked(value: object) -> object:
        if value is not None and value not in known:
            raise ValueError(f"It must be one of {', '.join(known)}")
        return value

    return BeforeValidator(checked)


MunicipalityKey = Annotated[str, key_of("municipality", example=EXAMPLE_TOWN)]
SensorKey = Annotated[str, key_of("sensor", example="radar-9")]
SiteKey = Annotated[str, key_of("site", example=EXAMPLE_SITE)]
OfMunicipality = Annotated[
    str | None,
    Query(description="only this municipality", pattern=KEY, examples=[EXAMPLE_TOWN]),
]
OfSite = Annotated[
    str | None,
    Query(
        description="only the site of this key", pattern=KEY, examples=[EXAMPLE_SITE]
    ),
]
OfSensor = Annotated[
    str | None,
    Query(description="only the sensor of this key", pattern=KEY),
]
From = Annotated[
    _Moment | None,
    Query(
        alias="from",
        description="begin of the period: a time with offset (RFC 3339), or a date, "
        "which is midnight at the site",
        examples=["2026-03-01T00:00:00Z"],
    ),
]
To = Annotated[
    _Moment | None,
    Query(
        alias="to",
        description="end of the period, itself outside of it",
        examples=["2026-03-03T00:00:00Z"],
    ),
]
Quantity = Annotated[
    str | None,
    quantity_of(
        COUNTED,
        "what was counted; default is the site's first",
        pattern=pattern_of(COUNTED),
    ),
    one_of(COUNTED),
]
#: also environment quantities
AnyQuantity = Annotated[
    str | None,
    quantity_of(
        QUANTITIES, "in which something was found", pattern=pattern_of(QUANTITIES)
    ),
    one_of(QUANTITIES),
]
Direction = Annotated[
    str,
    Query(
        description="key of a direction, or `all` for the cross-section",
        pattern=DIRECTION,
        examples=["all"],
    ),
]


def receipt(
    from_: datetime | date | None,
    to: datetime | date | None,
    time_zone: str,
    *,
    max_days: int,
) -> tuple[datetime, datetime]:
    """Complete and check a period of receipt; its default is the last 24 hours."""
    end = utc(to, time_zone) if to else datetime.now(UTC)
    start = utc(from_, time_zone) if from_ else end - timedelta(days=1)
    if start >= end:
        raise BadParameter(parameter="from", detail="`from` must be before `to`")
    # days of a town where the clock is put back are an hour longer
    if end - start > timedelta(days=max_days, hours=time_zone != "UTC"):
        detail = f"At most {max_days} days come at once"
        raise TooLong(parameter="from", detail=detail)
    return start, end


def store_of(request: Request) -> Seen:
    """Return the database as the viewer of a request sees it; refuse a wrong token."""
    authorised.recognise(request)
    return seen_by(request)


Store = Annotated[Seen, Depends(store_of)]


def _site(store: Store, municipality: MunicipalityKey, site: SiteKey) -> Site:
    with store.connection() as connection:
        return read_site(connection, municipality, site)


#: site that the address names; it is there, and may be seen
NamedSite = Annotated[Site, Depends(_site)]
