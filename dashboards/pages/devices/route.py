"""The devices of a town, each by itself, and their labels."""

from dataclasses import replace
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from analytics.reports.devices import Device, report_devices
from api.parameters import KEY, MunicipalityKey
from api.routes.devices import csv_response
from dashboards import addresses
from dashboards.forms import Form, Person, Sent
from dashboards.pages.devices import view
from dashboards.pages.devices.columns import Reading
from dashboards.pages.devices.view import Filter
from dashboards.permitted import towns_where
from dashboards.render import (
    LanguageKey,
    Now,
    database_of,
    page_router,
    preferred,
    render,
)
from verkehrspuls.errors import BadParameter, UnknownKey
from verkehrspuls.language import Language
from verkehrspuls.model import Town
from verkehrspuls.registry import edit, lorawan
from verkehrspuls.registry.formats import networks
from verkehrspuls.storage.sites import Municipality, list_municipalities

router = page_router()

#: labels on one page, to be printed: three sheets
MAX_LABELS: Final = 72


def _filter(
    search: Annotated[str, Query(max_length=200)] = "",
    condition: Annotated[str, Query(max_length=40)] = "",
    sort: Annotated[str, Query(max_length=40)] = "",
    page: Annotated[int, Query(ge=1, le=1_000_000)] = 1,
) -> Filter:
    return Filter(search, condition, sort, page)


Chosen = Annotated[Filter, Depends(_filter)]


@router.get("/device/{municipality}/{sensor}")
def from_label(request: Request, municipality: str, sensor: str) -> Response:
    """Lead from the label of a device to its page, in the reader's language."""
    address = addresses.device(preferred(request), municipality, sensor)
    return RedirectResponse(address, 303)


@router.get("/{language:language}/devices")
def towns(request: Request, language: LanguageKey, person: Person) -> Response:
    """Show the towns whose devices the reader looks after; a single one at once."""
    found = towns_where(request, person.session, "register")
    if len(found) == 1:
        return RedirectResponse(addresses.devices(language, found[0].key), 303)
    template = "pages/devices/towns.html"
    return render(request, Language(language), template, towns=found)


@router.get("/{language:language}/devices/{municipality}.csv")
def file_of_devices(
    request: Request,
    language: LanguageKey,
    municipality: MunicipalityKey,
    chosen: Chosen,
    person: Person,
    now: Now,
) -> Response:
    """Return the devices that are asked for as a file."""
    _, found = _devices(request, municipality, now)
    return csv_response([d for d in found if chosen.takes(d)], municipality)


@router.get("/{language:language}/devices/{municipality}")
def devices(
    request: Request,
    language: LanguageKey,
    municipality: MunicipalityKey,
    chosen: Chosen,
    person: Person,
    now: Now,
) -> Response:
    """Show how the devices of a town are."""
    town, found = _devices(request, municipality, now)
    reading = Reading(Language(language), town.time_zone, now)
    return render(
        request,
        reading.language,
        "pages/devices/devices.html",
        of=[town],
        town=town,
        filter=chosen,
        any_problem=view.ANY_PROBLEM,
        sentence=view.sentence(found, reading.language),
        counts=view.counts(found),
        listed=view.listed(found, chosen, reading, municipality),
        map=view.device_map(found, chosen, reading, municipality),
    )


@router.get("/{language:language}/devices/{municipality}/{sensor}")
def device(
    request: Request,
    language: LanguageKey,
    municipality: MunicipalityKey,
    sensor: str,
    person: Person,
    now: Now,
) -> Response:
    """Show how a device is, as whoever stands before it needs it."""
    town, (found,) = _devices(request, municipality, now, sensor=sensor)
    reading = Reading(Language(language), town.time_zone, now)
    return render(
        request,
        reading.language,
        "pages/devices/device.html",
        of=[town],
        town=town,
        device=view.row(found, reading, municipality),
        facts=view.facts(found, reading),
    )


@router.get("/{language:language}/labels/{municipality}")
def labels(
    request: Request,
    language: LanguageKey,
    municipality: MunicipalityKey,
    chosen: Chosen,
    person: Person,
    now: Now,
    sensor: Annotated[str, Query(pattern=f"{KEY}|^$")] = "",
) -> Response:
    """Show labels to print: of one device, or of those that are asked for."""
    town, found = _devices(request, municipality, now, sensor=sensor or None)
    shown = [device for device in found if chosen.takes(device)]
    # what stands on a device for years is not taken from a request
    outside = request.app.state.settings.pages.address
    pages = max(1, -(-len(shown) // MAX_LABELS))
    chosen = replace(chosen, page=min(chosen.page, pages))
    first = (chosen.page - 1) * MAX_LABELS
    return render(
        request,
        Language(language),
        "pages/devices/labels.html",
        of=[town],
        town=town,
        filter=chosen,
        pages=pages,
        labels=[
            view.label(device, outside) for device in shown[first : first + MAX_LABELS]
        ]
        if outside
        else None,
    )


def _devices(
    request: Request, municipality: str, now: Now, sensor: str | None = None
) -> tuple[Municipality, list[Device]]:
    """Read the devices of a town, or one, for whoever may register there."""
    with database_of(request).connection() as connection:
        edit.require(connection, municipality)
        towns = list_municipalities(connection)
        found = report_devices(
            connection,
            municipality,
            sensor=sensor,
            limits=request.app.state.settings.health,
            now=now,
        )
    town = next((town for town in towns if town.key == municipality), None)
    if town is None:
        raise UnknownKey(kind="municipality", key=municipality)
    return town, found


@router.get("/{language:language}/scan/{municipality}")
def ask_for_code(
    request: Request,
    language: LanguageKey,
    municipality: MunicipalityKey,
    person: Person,
) -> Response:
    """Ask for the QR code on a LoRaWAN device."""
    town = _town(request, municipality)
    return _scan_page(request, Language(language), town, Form())


@router.post("/{language:language}/scan/{municipality}")
def read_code(
    request: Request,
    language: LanguageKey,
    municipality: MunicipalityKey,
    sent: Sent,
    now: Now,
) -> Response:
    """Fill in the form of a new sensor by its code, or open one that is registered."""
    town, form = _town(request, municipality), Form()
    form.values = {name: sent.text(name) for name in ("code", "network")}
    try:
        code = lorawan.read(form.values["code"])
    except BadParameter as error:
        form.refuse(error, Language(language), now=now)
        return _scan_page(request, Language(language), town, form)
    known = lorawan.find(town, code)
    if known is not None:
        return RedirectResponse(addresses.device(language, municipality, known), 303)
    fields = lorawan.fields(code, form.values["network"])
    address = addresses.register(language, municipality, "new", "sensor")
    return RedirectResponse(f"{address}?{urlencode({'told': urlencode(fields)})}", 303)


def _scan_page(
    request: Request, language: Language, town: Town, form: Form
) -> Response:
    response = render(
        request,
        language,
        "pages/devices/scan.html",
        town=town,
        form=form,
        networks=[(key, key) for key in networks()],
    )
    response.status_code = form.status
    return response


def _town(request: Request, municipality: str) -> Town:
    with database_of(request).connection() as connection:
        return edit.read(connection, municipality)
