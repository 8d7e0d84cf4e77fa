"""What is shown of the credentials of a sensor."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from fastapi import Request, Response

from dashboards.forms import Form
from dashboards.render import database_of, render
from verkehrspuls.language import Language
from verkehrspuls.registry import clients, commissioning, credentials, edit
from verkehrspuls.registry.brokers import wrong_with
from verkehrspuls.registry.credentials import OVERLAP, Issued, Listed
from verkehrspuls.settings import Broker
from verkehrspuls.text import mark

_OVERLAP_H: Final = str(OVERLAP // timedelta(hours=1))
_STATES: Final[Mapping[str, str]] = {
    "due": mark("the broker is being told"),
    "valid": mark("valid"),
    "ending": mark("being replaced"),
    "expired": mark("ended"),
    "revoked": mark("revoked"),
}
_DONE: Final = {
    "revoked": mark("Revoked. The broker closes its connections within a minute.")
}


class Of(NamedTuple):
    """Whose credentials, and in which language."""

    municipality: str
    sensor: str
    language: Language


class Facts(NamedTuple):
    """The sensor whose credentials are shown."""

    municipality: str
    town: str
    zone: str
    sensor: str
    name: str
    #: under which it publishes
    topics: Sequence[str]
    #: why no credential permits its topic; empty: they do
    unpermitted: str


class Line(NamedTuple):
    """A credential in the list."""

    user: str
    state: str
    is_live: bool
    since: str
    by: str
    #: empty: without an end
    ends: str


class Configuration(NamedTuple):
    """What a client is configured with."""

    name: str
    file: str
    text: str


def list_page(request: Request, of: Of, form: Form, *, done: str = "") -> Response:
    """Show the credentials of a sensor, and what can be done with them."""
    facts = _facts(request, of)
    with database_of(request).connection() as connection:
        found = credentials.every(connection, of.municipality, of.sensor)
    lines = [_line(one, of, facts.zone) for one in found]
    form.values = {"hours": _OVERLAP_H, **form.values}
    response = render(
        request,
        of.language,
        "pages/credentials/credentials.html",
        **facts._asdict(),
        lines=[line for line in lines if line.is_live],
        ended=[line for line in lines if not line.is_live],
        form=form,
        done=of.language.phrase(_DONE[done]) if done in _DONE else "",
    )
    response.status_code = form.status
    response.headers.update(form.headers)
    return response


def issued_page(request: Request, of: Of, issued: Issued) -> Response:
    """Show a new credential, for the only time, with configurations of clients."""
    settings: Broker = request.app.state.settings.broker
    response = render(
        request,
        of.language,
        "pages/credentials/issued.html",
        **_facts(request, of)._asdict(),
        issued=issued,
        values=clients.values(issued, settings),
        configurations=[
            Configuration(name, one.file, clients.filled(name, issued, settings))
            for name, one in clients.every().items()
        ],
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _facts(request: Request, of: Of) -> Facts:
    with database_of(request).connection() as connection:
        town = edit.read(connection, of.municipality)
        found = commissioning.sensor(connection, of.municipality, of.sensor)
    name = found.facts.name or of.sensor
    unpermitted = wrong_with(found.facts.topic) if found.facts.topic else ""
    return Facts(
        town.key,
        town.name,
        town.time_zone,
        of.sensor,
        name,
        found.topics,
        unpermitted and of.language.phrase(unpermitted),
    )


def _line(one: Listed, of: Of, zone: str) -> Line:
    ended = one.revoked_at or one.expires_at
    return Line(
        one.user_name,
        of.language.phrase(_STATES[one.state]),
        one.state in credentials.LIVE,
        of.language.moment(one.issued_at, zone),
        one.issued_by,
        of.language.moment(ended, zone) if ended else "",
    )
