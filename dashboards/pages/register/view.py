"""What is registered of a town, and its forms, as they are shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from fastapi import Request, Response

from dashboards import addresses
from dashboards.forms import Form, sentence
from dashboards.pages.maintenance.entries import shown
from dashboards.pages.register.fields import (
    FIELDS,
    OWNERS,
    STATUS_NAMES,
    TIME,
    Choice,
    Field,
    FormKind,
    written,
)
from dashboards.render import render
from verkehrspuls import places
from verkehrspuls.language import Language
from verkehrspuls.model import Channel, Sensor, Site, Town
from verkehrspuls.registry import maintenance
from verkehrspuls.registry.faults import Faulty
from verkehrspuls.registry.registration import (
    Entry,
    Kind,
    entries,
    installation_entry,
    version,
)
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

ROWS: Final = 50
#: of a list to choose from; a key of more is typed, so that pages stay small
MOST_OPTIONS: Final = 500
#: places that a map shows
MOST_PLACES: Final = 500
#: kinds of a list: its name, and what adds to it
LISTS: Final[Mapping[FormKind, tuple[str, str]]] = {
    "site": (mark("Sites"), mark("New site")),
    "sensor": (mark("Sensors"), mark("New sensor")),
    "corridor": (mark("Corridors"), mark("New corridor")),
    "junction": (mark("Junctions"), mark("New junction")),
}
_NEW: Final[Mapping[Kind, str]] = {
    **{kind: new for kind, (_, new) in LISTS.items()},
    "channel": mark("New channel"),
    "installation": mark("Attach a sensor"),
}
_DONE: Final = {
    "saved": mark("It is saved."),
    "removed": mark("It is removed."),
    "ended": mark("The end is registered. What was measured stays."),
    "moved": mark("It is done. Addresses with an earlier key lead here."),
    "swapped": mark("The devices are swapped. The series of the channels go on."),
}
_HEADINGS: Final = (
    mark("to the north"),
    mark("to the north-east"),
    mark("to the east"),
    mark("to the south-east"),
    mark("to the south"),
    mark("to the south-west"),
    mark("to the west"),
    mark("to the north-west"),
)


class Bearing(NamedTuple):
    """A direction of travel: degrees, and as a word."""

    degrees: int
    words: str


class Part(NamedTuple):
    """An entry in a list, or of another one."""

    name: str
    note: str
    state: str
    address: str
    bearing: Bearing | None = None
    parts: "Sequence[Part]" = ()


class Control(NamedTuple):
    """A field of a form as it is shown."""

    field: Field
    value: str
    options: Sequence[tuple[str, str]] = ()
    #: what somebody else registered meanwhile, in words
    meanwhile: str = ""


@dataclass
class Entering:
    """A form of an entry while it is filled in."""

    town: Town
    kind: Kind
    #: empty: it is new
    key: str
    language: Language
    form: Form = field(default_factory=Form)
    #: what is wrong with other entries
    others: list[str] = field(default_factory=list)
    #: whether somebody else changed the entry, which is shown beside what was typed
    is_changed: bool = False

    @property
    def entry(self) -> Entry:
        """The entry of the address."""
        return Entry(self.kind, self.key)

    @property
    def before(self) -> dict[str, Any] | None:
        """What is registered of it."""
        return entries(self.town).get(self.entry) if self.key else None

    def refuse(self, wrong: Mapping[str, Phrase]) -> None:
        """Note what is wrong, by field."""
        self.form.status = 422
        for name, phrase in wrong.items():
            self.form.errors[name] = sentence(phrase.in_language(self.language.key))

    def take(self, error: Faulty, entry: Entry) -> None:
        """Note faults: beside their fields, and those of other entries at the top."""
        own = {field.name for field in FIELDS[self.kind]}
        here = [f for f in error.faults if f.entry == entry and f.field in own]
        self.refuse({fault.field: fault.phrase for fault in reversed(here)})
        self.others = [
            sentence(fault.in_language(self.language.key))
            for fault in error.faults
            if fault not in here
        ]


def bearing(degrees: int | None, language: Language) -> Bearing | None:
    """Return a direction of travel in degrees and as a word."""
    if degrees is None:
        return None
    words = language.phrase(_HEADINGS[round(degrees / 45) % 8])
    return Bearing(degrees, words)


def towns_page(
    request: Request, language: Language, towns: Sequence[tuple[str, str]]
) -> Response:
    """Show the towns where the reader registers."""
    template = "pages/register/towns.html"
    return render(request, language, template, towns=towns)


def town_page(
    request: Request,
    language: Language,
    town: Town,
    *,
    kind: FormKind,
    search: str,
    state: str,
    page: int,
    done: str,
) -> Response:
    """Show what is registered of a town, by kind."""
    wanted = search.casefold()
    found = [
        part
        for part, text, status in _listed(town, kind, language)
        if wanted in text.casefold() and state in ("", status)
    ]
    return render(
        request,
        language,
        "pages/register/town.html",
        town=town,
        kind=kind,
        lists=[(key, language.phrase(name)) for key, (name, _) in LISTS.items()],
        new=language.phrase(_NEW[kind]),
        states=_states(language) if kind in ("site", "sensor") else [],
        search=search,
        state=state,
        found=found[(page - 1) * ROWS : page * ROWS],
        count=len(found),
        page=page,
        more=len(found) > page * ROWS,
        done=done_in_words(done, language),
    )


def entry_page(
    request: Request,
    entering: Entering,
    *,
    now: datetime,
    newest: maintenance.Entry | None = None,
    done: str = "",
) -> Response:
    """Show the form of an entry, and the `newest` one of its maintenance log."""
    town, kind, language = entering.town, entering.kind, entering.language
    before, form = entering.before, entering.form
    kept = _begin(entering)
    owner = OWNERS.get(kind)
    fields = [owner] if owner and not entering.key else []
    fields += [f for f in FIELDS[kind] if f.name != "key" or not entering.key]
    response = render(
        request,
        language,
        "pages/register/entry.html",
        town=town,
        kind=kind,
        key=entering.key,
        heading=_title(before, language) if before else language.phrase(_NEW[kind]),
        controls=[_control(each, entering, kept) for each in fields],
        form=form,
        others=entering.others,
        is_changed=entering.is_changed,
        version=version(before) if before else "",
        parts=list(_parts(entering)),
        newest=newest and shown(town, newest, language),
        position=_position(entering) if kind == "site" else None,
        bearings=[
            (45 * number, language.phrase(words))
            for number, words in enumerate(_HEADINGS)
        ],
        bearing=bearing((before or {}).get("bearing_deg"), language),
        end=TIME.show(now.replace(second=0, microsecond=0).isoformat(), town.time_zone),
        done=done_in_words(done, language),
    )
    response.status_code = form.status
    return response


def municipality_page(
    request: Request, entering: Entering, *, done: str = ""
) -> Response:
    """Show the form of a municipality."""
    kept = _begin(entering)
    response = render(
        request,
        entering.language,
        "pages/municipality/municipality.html",
        town=entering.town,
        controls=[_control(each, entering, kept) for each in FIELDS[entering.kind]],
        form=entering.form,
        others=entering.others,
        is_changed=entering.is_changed,
        version=version(entering.before),
        done=done_in_words(done, entering.language),
    )
    response.status_code = entering.form.status
    return response


def _begin(entering: Entering) -> dict[str, str]:
    """Fill a form with what is registered, where nothing was typed; return that."""
    before = entering.before
    kept = written(entering.kind, before, entering.town.time_zone) if before else {}
    entering.form.values = {**kept, **entering.form.values}
    return kept


def ask_page(request: Request, entering: Entering) -> Response:
    """Ask whether an entry is to be removed."""
    before = entering.before or {}
    return render(
        request,
        entering.language,
        "pages/register/remove.html",
        town=entering.town,
        kind=entering.kind,
        key=entering.key,
        heading=_title(before, entering.language),
        version=version(before),
    )


def swap_page(
    request: Request, entering: Entering, sensor: Sensor, *, now: datetime
) -> Response:
    """Show the form by which another sensor takes over from one."""
    town, form = entering.town, entering.form
    at = TIME.show(now.replace(second=0, microsecond=0).isoformat(), town.time_zone)
    form.values = {"at": at, "name": sensor.name, **form.values}
    response = render(
        request,
        entering.language,
        "pages/register/swap.html",
        town=town,
        sensor=sensor,
        controls=[_control(each, entering, {}) for each in SWAPPED],
        form=form,
        others=entering.others,
        attached=[
            _attached(town, sensor, each, entering.language)
            for each in sensor.installations
            if each.until is None or each.until > now
        ],
    )
    response.status_code = form.status
    return response


#: fields of the new device
SWAPPED: Final = (
    *(f for f in FIELDS["sensor"] if f.name in ("key", "name", "serial", "firmware")),
    Field("at", mark("Swapped at"), mark("Local time."), writing=TIME),
)


def _control(each: Field, entering: Entering, shown: Mapping[str, str]) -> Control:
    town, language, values = entering.town, entering.language, entering.form.values
    value = values.get(each.name, "")
    options = options_of(each, town, language)
    meanwhile = ""
    if entering.is_changed and value != (now := shown.get(each.name, "")):
        meanwhile = dict(options).get(now, now) or language.phrase(mark("nothing"))
    return Control(each, value, options, meanwhile)


def options_of(
    field: Field, town: Town, language: Language
) -> Sequence[tuple[str, str]]:
    """Return what can be chosen; nothing where it is typed, or where there is much."""
    if not isinstance(field.writing, Choice):
        return ()
    found = field.writing.options(town, language)
    return found if len(found) <= MOST_OPTIONS else ()


def _title(fields: Mapping[str, Any], language: Language) -> str:
    """Return the name of an entry; an installation has none."""
    if "output" in fields:
        output, channel = fields["output"], f"{fields['site']}/{fields['channel']}"
        text = mark("Output %(output)s at %(channel)s")
        return language.phrase(text, output=output, channel=channel)
    return str(fields["name"])


def done_in_words(done: str, language: Language) -> str:
    """Say what was done; empty if it is nothing known."""
    return language.phrase(_DONE[done]) if done in _DONE else ""


def _states(language: Language) -> list[tuple[str, str]]:
    return [(key, language.phrase(name)) for key, name in STATUS_NAMES.items()]


def _listed(
    town: Town, kind: FormKind, language: Language
) -> Iterator[tuple[Part, str, str]]:
    """Yield the entries of a list, each with the text that is searched, and state."""
    at = {
        (each.site, each.channel): sensor
        for sensor in town.sensors
        for each in sensor.installations
        if each.until is None
    }
    if kind == "site":
        for site in town.sites:
            parts = [
                _channel(town, site, channel, at.get((site.key, channel.key)), language)
                for channel in site.channels
            ]
            part = _part(town, "site", site, site.road, language, parts)
            yield part, f"{site.key} {site.name} {site.road} {site.place}", site.status
    elif kind == "sensor":
        for sensor in town.sensors:
            part = _part(town, "sensor", sensor, sensor.model, language)
            text = f"{sensor.key} {sensor.name} {sensor.model} {sensor.serial}"
            yield part, text, sensor.status
    else:
        for road in town.corridors if kind == "corridor" else town.junctions:
            yield _part(town, kind, road, "", language), f"{road.key} {road.name}", ""


def _part(
    town: Town,
    kind: FormKind,
    record: Any,
    note: str,
    language: Language,
    parts: Sequence[Part] = (),
) -> Part:
    status = getattr(record, "status", "active")
    state = "" if status == "active" else language.phrase(STATUS_NAMES[status])
    address = addresses.register(language.key, town.key, kind, record.key)
    note = " · ".join(filter(None, (record.key, note)))
    return Part(record.name, note, state, address, parts=parts)


def _channel(
    town: Town, site: Site, channel: Channel, sensor: Sensor | None, language: Language
) -> Part:
    key = f"{site.key}/{channel.key}"
    device = sensor.key if sensor else language.phrase(mark("no sensor"))
    return Part(
        channel.name,
        f"{language.quantity(channel.quantity)} · {device}",
        "",
        addresses.register(language.key, town.key, "channel", key),
        bearing(channel.bearing_deg, language),
    )


def _attached(town: Town, sensor: Sensor, each: Any, language: Language) -> Part:
    entry = installation_entry(sensor, each)
    until = each.until and language.moment(each.until, town.time_zone)
    return Part(
        f"{each.output} → {each.site}/{each.channel}",
        f"{language.moment(each.since, town.time_zone)} – {until or ''}".rstrip(),
        "",
        addresses.register(language.key, town.key, "installation", entry.key),
    )


def _parts(entering: Entering) -> Iterator[Part]:
    """Yield what is part of a site or sensor, or attached to a channel."""
    town, language = entering.town, entering.language
    if entering.kind == "site":
        for site in town.sites:
            if site.key == entering.key:
                for channel in site.channels:
                    yield _channel(town, site, channel, None, language)
    for sensor in town.sensors:
        for each in sensor.installations:
            if entering.entry in (
                Entry("sensor", sensor.key),
                Entry("channel", f"{each.site}/{each.channel}"),
            ):
                part = _attached(town, sensor, each, language)
                yield part._replace(name=f"{sensor.key}, {part.name}")


class Position(NamedTuple):
    """What helps to find a position: a map of the known places, and a proposal."""

    #: south, west, north, east of the map
    box: tuple[float, float, float, float]
    #: name, and position in the map, from 0 to 1 to the east and to the south
    known: Sequence[tuple[str, float, float]]
    proposal: places.Place | None
    system: str


def _position(entering: Entering) -> Position | None:
    """Return the map of a town's places; None where none is known."""
    town, values = entering.town, entering.form.values
    known = [
        (site.name, site.latitude, site.longitude)
        for site in town.sites
        if site.latitude is not None and site.longitude is not None
    ]
    proposal = recognised(town, values) if entering.form.errors else None
    if not known:
        return Position((0, 0, 0, 0), (), proposal, _system(proposal, entering))
    south, north = (f(lat for _, lat, _ in known) for f in (min, max))
    west, east = (f(lon for _, _, lon in known) for f in (min, max))
    # a margin, and something to click where there is one place only
    tall, wide = ((b - a) * 0.15 + 0.003 for a, b in ((south, north), (west, east)))
    box = (south - tall, west - wide, north + tall, east + wide)
    step = -(-len(known) // MOST_PLACES)
    marks = [
        (name, (lon - box[1]) / (box[3] - box[1]), (box[2] - lat) / (box[2] - box[0]))
        for name, lat, lon in known[::step]
    ]
    return Position(box, marks, proposal, _system(proposal, entering))


def _system(proposal: places.Place | None, entering: Entering) -> str:
    return entering.language.phrase(proposal.system) if proposal else ""


def recognised(town: Town, values: Mapping[str, str]) -> places.Place | None:
    """Recognise coordinates that were typed in another system, or swapped."""
    try:
        typed = [
            float(values.get(name, "").replace(" ", "").replace(",", "."))
            for name in ("latitude", "longitude")
        ]
    except ValueError:
        return None
    given = [(town.latitude, town.longitude)]
    given += [(site.latitude, site.longitude) for site in town.sites]
    known = [(lat, lon) for lat, lon in given if lat is not None and lon is not None]
    near = places.middle(known) if known else None
    return places.recognise(typed[0], typed[1], near=near)
