"""The devices of a town, as their pages show them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, NamedTuple
from urllib.parse import urlencode

import segno
from markupsafe import Markup

from analytics.reports.device_condition import CONDITIONS
from analytics.reports.devices import Device
from dashboards import addresses
from dashboards.charts.charts import Chart, Table
from dashboards.figures.site_map import Place, site_map
from dashboards.pages.devices.columns import COLUMNS, Column, Reading, in_order
from dashboards.states import DEVICES, State
from verkehrspuls.language import Language
from verkehrspuls.text import mark

#: of a list, on one page
ROWS: Final = 100
#: value of the filter for all that somebody has to look after
ANY_PROBLEM: Final = "problem"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which devices are listed, and in which order, as the address says."""

    search: str = ""
    condition: str = ""
    sort: str = ""
    page: int = 1

    def query(self, **other: Any) -> str:
        """Return the query of an address, with some parts replaced."""
        parts = asdict(replace(self, **{"page": 1, **other}))
        usual = asdict(Filter())
        return urlencode({k: v for k, v in parts.items() if v != usual[k]})

    def takes(self, device: Device) -> bool:
        """Return whether a device is among those that are asked for."""
        if self.condition == ANY_PROBLEM and not device.problems:
            return False
        if self.condition in CONDITIONS and not (
            self.condition == device.condition or self.condition in device.problems
        ):
            return False
        here = device.registered
        places = (text for site in here.sites for text in (site.key, site.name))
        texts = (here.key, here.name, here.model, here.serial, here.firmware, *places)
        return self.search.strip().casefold() in "\n".join(texts).casefold()


class Head(NamedTuple):
    """The heading of a column, with the address that sorts by it."""

    text: str
    query: str
    #: ascending, descending, or empty
    order: str


class Row(NamedTuple):
    """A device in the list."""

    key: str
    name: str
    link: str
    state: State
    #: what is wrong besides
    also: str
    sites: Sequence[tuple[str, str]]
    cells: Sequence[str]


@dataclass(frozen=True, slots=True)
class Listed:
    """The devices that the page lists, and how many there are."""

    heads: Sequence[Head]
    rows: Sequence[Row]
    #: how many are found, in words
    heading: str
    pages: int


def listed(
    devices: Sequence[Device], chosen: Filter, reading: Reading, municipality: str
) -> Listed:
    """Return the part of the devices that the page lists."""
    found = in_order([d for d in devices if chosen.takes(d)], chosen.sort)
    pages = max(1, -(-len(found) // ROWS))
    page = min(chosen.page, pages)
    return Listed(
        [head(column, chosen, reading.language) for column in COLUMNS],
        [
            row(device, reading, municipality)
            for device in found[(page - 1) * ROWS : page * ROWS]
        ],
        reading.language.plural(
            "%(count)s device is found", "%(count)s devices are found", len(found)
        ),
        pages,
    )


def head(column: Column, chosen: Filter, language: Language) -> Head:
    """Return the heading of a column, and what a click on it sorts by."""
    order, then = "", column.name
    if chosen.sort == column.name:
        order, then = ("descending" if column.falls else "ascending"), f"-{column.name}"
    elif chosen.sort == f"-{column.name}":
        order = "ascending" if column.falls else "descending"
    return Head(language.phrase(column.head), chosen.query(sort=then), order)


def row(device: Device, reading: Reading, municipality: str) -> Row:
    """Describe a device in words."""
    here, language = device.registered, reading.language
    return Row(
        here.key,
        here.name,
        addresses.device(language.key, municipality, here.key),
        DEVICES[device.condition],
        ", ".join(language.phrase(DEVICES[one].word) for one in device.problems[1:]),
        [
            (site.name, addresses.history(language.key, municipality, site.key))
            for site in here.sites
        ],
        [column.text(device, reading) for column in COLUMNS[1:]],
    )


def counts(devices: Sequence[Device]) -> list[tuple[str, State, int]]:
    """Count devices by condition: its key, state and number; those that occur."""
    found = Counter(device.condition for device in devices)
    return [(key, DEVICES[key], found[key]) for key in CONDITIONS if found[key]]


def sentence(devices: Sequence[Device], language: Language) -> str:
    """Say how many devices there are, and how many somebody has to look after."""
    wrong = sum(bool(device.problems) for device in devices)
    return " ".join(
        (
            language.plural("%(count)s device.", "%(count)s devices.", len(devices)),
            language.plural(
                "%(count)s needs somebody.", "%(count)s need somebody.", wrong
            )
            if wrong
            else language.phrase(mark("None of them needs anybody now.")),
        )
    )


def device_map(
    devices: Sequence[Device], chosen: Filter, reading: Reading, municipality: str
) -> Chart | None:
    """Draw where the devices are that are asked for; None where nothing is placed."""
    language = reading.language
    places = [
        Place(
            name=device.registered.name,
            latitude=here.latitude,
            longitude=here.longitude,
            road="",
            town="",
            state=device.condition,
            words=(language.phrase(DEVICES[device.condition].word),),
            link=addresses.device(language.key, municipality, here.key),
        )
        for device in devices
        for here in (device.registered,)
        if here.latitude is not None
        and here.longitude is not None
        and chosen.takes(device)
    ]
    if not places:
        return None
    return Chart(
        key="map",
        heading=language.phrase(mark("Where are they?")),
        sentence="",
        figure=site_map(places, language, height=360, states=DEVICES),
        table=Table((), ()),
    )


def facts(device: Device, reading: Reading) -> list[tuple[str, str]]:
    """Return what is told of a device on its own page: name and text."""
    language, here = reading.language, device.registered
    told = [
        (language.phrase(column.head), column.text(device, reading))
        for column in COLUMNS[1:]
    ]
    temperature = here.temperature_c
    return [
        *told,
        (
            language.phrase(mark("Temperature of the device")),
            f"{language.number(temperature, 1)} °C" if temperature is not None else "",
        ),
        (language.phrase(mark("Serial number, or DevEUI")), here.serial),
        (language.phrase(mark("Owner")), here.owner),
    ]


class Label(NamedTuple):
    """What stands on a device: a QR code of its page, and the same in words."""

    name: str
    key: str
    serial: str
    address: str
    picture: Markup


def label(device: Device, outside: str) -> Label:
    """Make the label of a device; `outside` is the address of the pages."""
    here = device.registered
    path = addresses.label(here.municipality, here.key)
    address = f"{outside.rstrip('/')}{path}"
    square = segno.make(address, error="q", micro=False)
    picture = square.svg_inline(
        scale=3, border=4, light="#fff", dark="#000", omitsize=True
    )
    return Label(here.name, here.key, here.serial, address, Markup(picture))  # noqa: S704 - made here
