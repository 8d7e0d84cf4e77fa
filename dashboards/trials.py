"""What messages become, as pages show it: readings in words, and their rejection."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from verkehrspuls.classes import CLASS_NAMES
from verkehrspuls.language import Language
from verkehrspuls.model import Channel, Town
from verkehrspuls.quantities import COUNTED, ENVIRONMENT
from verkehrspuls.registry import drafts
from verkehrspuls.settings import Settings
from verkehrspuls.text import mark

if TYPE_CHECKING:
    from ingest.trial import Trial

_WORDS: Final[Mapping[str, str]] = CLASS_NAMES | {
    "speed_kmh": drafts.OTHER["speed_kmh"],
    "occupancy": drafts.OTHER["occupancy"],
    "total": mark("all vehicles"),
}
#: parts of a reading that are no values of their own
_ASIDE: Final = frozenset(
    {"observed_s", "histogram", "histogram_from_kmh", "histogram_width_kmh"}
)
_FLOW: Final = mark("unusually many: %(flow)s an hour in one lane")
_FAST: Final = mark("unusually fast")
#: characters of a message that are shown
_SAMPLE: Final = 2000
#: mean speed of an interval above which it is doubted, in km/h
_FASTEST: Final = 200


class Became(NamedTuple):
    """A reading that a message would become."""

    channel: str
    direction: str
    time: str
    values: str
    #: why it is doubted; empty: it is plausible
    doubt: str


class Tried(NamedTuple):
    """A message, and what it would become."""

    payload: str
    readings: Sequence[Became]
    status: str
    #: why it, or a part of it, would be rejected
    problem: str
    #: fields that would be left out
    left_out: Sequence[str]


def tried(
    payload: str, trial: "Trial", town: Town, settings: Settings, language: Language
) -> Tried:
    """Return a message and what it would become, in words."""
    channels = {
        (site.key, channel.key): channel
        for site in town.sites
        for channel in site.channels
    }
    readings = []
    for one in trial.readings:
        channel = channels.get((one.site, one.channel))
        readings.append(
            Became(
                channel.name if channel else one.channel,
                (channel.direction_name or channel.direction) if channel else "",
                language.moment(one.time, town.time_zone),
                values(one.values, language),
                _doubt(one.values, one.interval_s, channel, settings, language),
            )
        )
    told = trial.status
    said = {name: getattr(told, name, None) for name in drafts.STATUS}
    return Tried(
        payload,
        readings,
        status(said, language),
        trial.problem.why if trial.problem else "",
        [f"{one.field}: {language.phrase(one.why)}" for one in trial.left_out],
    )


def status(said: Mapping[str, Any], language: Language) -> str:
    """Return what a device says of itself, in words."""
    return ", ".join(
        f"{language.phrase(drafts.STATUS[name])}: {value}"
        for name, value in said.items()
        if value is not None
    )


def values(found: Mapping[str, object], language: Language) -> str:
    """Return what a reading holds, in words: by class or quantity, with the unit."""
    return ", ".join(_each(found.items(), language))


def text_of(payload: bytes) -> str:
    """Return a payload as text, as far as it is shown."""
    try:
        text = payload.decode()
    except UnicodeDecodeError:
        text = payload.hex(" ")
    return f"{text[:_SAMPLE]}…" if len(text) > _SAMPLE else text


def _each(found: Iterable[tuple[str, object]], language: Language) -> Iterable[str]:
    for name, value in found:
        if value is None or name in _ASIDE:
            continue
        unit = f" {ENVIRONMENT[name].unit}" if name in ENVIRONMENT else ""
        yield f"{_name(name, language)}: {_number(value, language)}{unit}".rstrip()


def _name(name: str, language: Language) -> str:
    if name in ENVIRONMENT:
        return language.phrase(ENVIRONMENT[name].name)
    return language.phrase(_WORDS.get(name, name))


def _number(value: object, language: Language) -> str:
    if not isinstance(value, int | float):
        return str(value)
    return language.number(value, 0 if float(value).is_integer() else 2)


def _doubt(
    found: Mapping[str, object],
    interval_s: int,
    channel: Channel | None,
    settings: Settings,
    language: Language,
) -> str:
    """Return why a reading is doubted; what cannot be is rejected anyway."""
    if channel is None or channel.quantity not in COUNTED:
        return ""
    counts = (found.get(name) for name in ("total", *CLASS_NAMES))
    volume = sum(n for n in counts if isinstance(n, int | float))
    flow = volume * 3600 / interval_s
    if channel.quantity == "motor" and flow > settings.health.high_flow:
        return language.phrase(_FLOW, flow=language.number(flow))
    speed = found.get("speed_kmh")
    if isinstance(speed, int | float) and speed > _FASTEST:
        return language.phrase(_FAST)
    return ""
