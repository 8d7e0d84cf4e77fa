"""The history of a site, what came in the last day, and traces of readings."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import Query, Request, Response

from analytics.reports.site_history import report_last_day
from analytics.reports.trace import report_trace
from api.parameters import MunicipalityKey, SiteKey
from dashboards.forms import Person
from dashboards.pages.history import view
from dashboards.period import read as read_period
from dashboards.render import LanguageKey, Now, database_of, page_router, render
from verkehrspuls.calendar import at_clock
from verkehrspuls.errors import BadParameter
from verkehrspuls.language import Language
from verkehrspuls.moments import parse_time
from verkehrspuls.registry import edit, maintenance
from verkehrspuls.registry.commissioning import sensor as read_sensor
from verkehrspuls.storage.database import Connection
from verkehrspuls.storage.sites import Site, read_site
from verkehrspuls.storage.trace import readings_of_message
from verkehrspuls.text import mark

router = page_router()

_NO_TIME: Final = mark("Write a time as 2026-03-01T17:15.")
_TEXT: Final = Query(max_length=100)


@router.get("/{language:language}/history/{municipality}/{site}")
def site_history(
    request: Request,
    language: LanguageKey,
    municipality: MunicipalityKey,
    site: SiteKey,
    person: Person,
    now: Now,
    from_: Annotated[str, Query(alias="from", max_length=100)] = "",
    until: Annotated[str, _TEXT] = "",
    channel: Annotated[str, _TEXT] = "",
    at: Annotated[str, _TEXT] = "",
    sensor: Annotated[str, _TEXT] = "",
    received: Annotated[str, _TEXT] = "",
) -> Response:
    """Show the history of a site; `channel` and `at`: also why a reading is there."""
    errors: dict[str, str] = {}
    with database_of(request).connection() as connection:
        town = edit.read(connection, municipality)
        found = read_site(connection, municipality, site)
        reader = view.Reader(Language(language), found.time_zone, now)
        days = {"from": from_, "until": until}
        period = _period(days, reader, errors)
        log = [
            *maintenance.entries(connection, municipality, site=site),
            *(
                entry
                for key in {each.key for each in found.sensors}
                for entry in maintenance.entries(connection, municipality, sensor=key)
            ),
        ]
        events = list(view.events(town, found, log, reader))
        last = report_last_day(connection, found, now=now)
        traced = _traced(connection, found, channel, at, reader, errors)
        of_message = _of_message(
            connection, municipality, sensor, received, reader, errors
        )
    response = render(
        request,
        reader.language,
        "pages/history/history.html",
        of=[found],
        site=found,
        form={
            "errors": errors,
            "first": period.first,
            "until": period.last,
            "at": _shown(at, found.time_zone),
        },
        chart=view.chart(events, period, reader),
        last=[view.last_day(each, reader, municipality) for each in last],
        channels=[
            (each.key, view.channel_name(each, reader.language), each.key == channel)
            for each in found.channels
        ],
        traced=traced,
        of_message=of_message,
    )
    if errors:
        response.status_code = 422
    return response


def _period(
    days: Mapping[str, str], reader: view.Reader, errors: dict[str, str]
) -> Any:
    """Read the days of the history; what makes no sense is said, and left out."""
    today = reader.now.astimezone(ZoneInfo(reader.zone)).date()
    usual = view.default_days(today)
    given = {name: text for name, text in days.items() if text}
    try:
        return read_period(usual | given, reader.zone, now=reader.now)
    except BadParameter as error:
        errors[error.parameter] = reader.language.phrase(error.detail)
        return read_period(usual, reader.zone, now=reader.now)


def _traced(
    connection: Connection,
    site: Site,
    key: str,
    at: str,
    reader: view.Reader,
    errors: dict[str, str],
) -> dict[str, Any] | None:
    """Trace a moment of a channel, if one is asked for."""
    channel = next((each for each in site.channels if each.key == key), None)
    if channel is None or not at:
        return None
    moment = _moment(at, "at", reader, errors)
    if moment is None:
        return None
    trace = report_trace(connection, site, channel, moment, now=reader.now)
    return {
        "heading": f"{view.channel_name(channel, reader.language)}, "
        f"{reader.moment(moment)}",
        "answer": view.answer(trace, reader),
        "steps": view.steps(trace, reader),
    }


def _of_message(
    connection: Connection,
    municipality: str,
    sensor: str,
    received: str,
    reader: view.Reader,
    errors: dict[str, str],
) -> dict[str, Any] | None:
    """List what a message became, if one is asked for."""
    if not sensor or not received:
        return None
    at = _moment(received, "received", reader, errors)
    if at is None:
        return None
    facts = read_sensor(connection, municipality, sensor).facts
    readings = readings_of_message(connection, facts.sensor_id, at)
    return {
        "heading": f"{facts.name or facts.key}, {reader.moment(at)}",
        "readings": view.of_message(readings, reader, municipality),
    }


def _moment(
    text: str, name: str, reader: view.Reader, errors: dict[str, str]
) -> datetime | None:
    """Read a time, on the clock of the site where it has no offset."""
    try:
        wall = datetime.fromisoformat(text.replace(" ", "+"))
        return parse_time(text) if wall.tzinfo else at_clock(wall, reader.zone)
    except ValueError:
        errors[name] = reader.language.phrase(_NO_TIME)
        return None


def _shown(text: str, zone: str) -> str:
    """Write a time as its field has it."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{at.astimezone(ZoneInfo(zone)) if at.tzinfo else at:%Y-%m-%dT%H:%M}"
