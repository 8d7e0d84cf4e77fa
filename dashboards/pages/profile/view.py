"""The draft of a device profile as a page shows it, and as TOML."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from fastapi import Request, Response

from api import previews
from dashboards.forms import Form, Values, sentence
from dashboards.render import render
from dashboards.trials import Tried, tried
from verkehrspuls import wording
from verkehrspuls.classes import CLASS_NAMES, SCHEMES
from verkehrspuls.errors import BadParameter, UnknownKey, UsageError
from verkehrspuls.language import Language
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.registry import device_profiles, drafts, own_profiles
from verkehrspuls.registry.device_profiles import (
    KINDS_OF_DEVICES,
    LORAWAN,
    BadProfile,
    DeviceProfile,
    NotApplicable,
)
from verkehrspuls.registry.drafts import Draft
from verkehrspuls.registry.faults import faults
from verkehrspuls.registry.formats import networks, payload_formats
from verkehrspuls.registry.own_profiles import Known, TooManyProfiles
from verkehrspuls.settings import Ingest, Settings
from verkehrspuls.storage.database import Connection
from verkehrspuls.storage.sites import Municipality
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

#: Bytes of a draft in a form.
MAX_DRAFT: Final = 200_000
_FACTS: Final = frozenset(
    {"name_de", "name_en", "kind", "payload_format", "topic", "interval_s", "time_is"}
)
_NO_INTERVAL: Final = mark("Write the interval in whole seconds.")
_NO_NAME: Final = mark("Give the model a name in both languages.")
_NOT_USABLE: Final = mark("cannot be used any more")
_DONE: Final = {
    "saved": mark("It is saved, and can be used."),
    "changed": mark("Somebody else changed it meanwhile: look at it again."),
    "removed": mark("It is removed. Sensors that were registered by it stay."),
}
#: fields of the form, by the fields of a profile
_BESIDE: Final = {
    "name.de": "name_de",
    "name.en": "name_en",
    **{name: name for name in ("kind", "payload_format", "topic", "interval_s")},
}
_TOO_LARGE: Final = mark("The draft is too large; begin a new one.")


@dataclass
class Keeping:
    """Where device profiles can be kept, and those that are."""

    towns: Sequence[Municipality]
    #: what was done, by its word in the address
    done: str = ""
    #: own ones, by town
    own: list[tuple[str, Sequence[Known]]] = field(default_factory=list)

    def list_own(self, connection: Connection) -> None:
        """Read those that the towns keep."""
        for town in self.towns:
            known = own_profiles.list_profiles(connection, town.key)
            if own := [one for one in known if one.own]:
                self.own.append((town.key, own))

    def name_of(self, key: str) -> str:
        """Return the name of a town."""
        return next((town.name for town in self.towns if town.key == key), key)


class Cell(NamedTuple):
    """A field of the newest message, and what it means."""

    path: str
    value: str
    #: as JSON, to be sent again
    raw: str
    means: str
    output: str


def read_draft(text: str) -> Draft:
    """Read the draft that a form contains; nothing of what is none."""
    if len(text) > MAX_DRAFT:
        raise UsageError(reason=_TOO_LARGE)
    return drafts.read(text)


def with_facts(draft: Draft, values: Values) -> Draft:
    """Return the draft with the facts of a form."""
    changed = dict(draft)
    if "name_de" in values:
        names = {
            "de": values.get("name_de", "").strip(),
            "en": values.get("name_en", "").strip(),
        }
        changed["name"] = {key: text for key, text in names.items() if text}
    for name in ("kind", "payload_format", "topic"):
        if name in values:
            changed[name] = values.get(name, "").strip() or None
    if "interval_s" in values:
        text = values.get("interval_s", "").strip()
        if not (text.isdecimal() and text.isascii() and 1 <= len(text) <= 6):
            raise BadParameter(parameter="interval_s", detail=_NO_INTERVAL)
        changed["interval_s"] = int(text)
    if "time_is" in values:
        profile = dict(changed.get("profile") or {})
        profile["time_is"] = "end" if values.get("time_is") == "end" else "start"
        profile["receipt_time"] = "receipt_time" in values
        changed["profile"] = profile
    if changed.get("payload_format") == LORAWAN:
        changed["topic"] = None
    elif changed.get("payload_format") and not changed.get("topic"):
        changed["topic"] = "devices/{device_id}"
    return {name: value for name, value in changed.items() if value is not None}


def profile_page(
    request: Request,
    language: Language,
    draft: Draft,
    form: Form,
    keeping: Keeping,
    *,
    picked: str = "",
    captured: Sequence[tuple[str, str]] = (),
) -> Response:
    """Show the draft: the newest message as fields, and what the messages become.

    `captured` are addresses and names of unknown senders whose messages can be taken.
    """
    settings: Settings = request.app.state.settings
    messages: list[Tried] = []
    cells: list[Cell] = []
    fault = ""
    try:
        profile = drafts.complete(draft)
        messages = [_message(profile, n, settings, language) for n in _last(profile)]
        cells = _cells(draft, profile, language)
        town = device_profiles.sample(profile, profile.formats[0])
        fault = next((f.phrase.in_language(language.key) for f in faults(town)), "")
    except (UsageError, msgspec.ValidationError) as error:
        if not _beside(form, error, language):
            fault = said_of(error, language)
    response = render(
        request,
        language,
        "pages/profile/profile.html",
        # what was typed and refused stays
        suggested=_suggested(draft),
        facts=_facts(draft) | {n: v for n, v in form.values.items() if n in _FACTS},
        packed=msgspec.json.encode(draft).decode(),
        form=form,
        cells=cells,
        picked=next((one for one in cells if one.path == picked), None),
        messages=messages,
        fault=fault if draft.get("outputs") else "",
        meanings=_meanings(language),
        kinds=[(key, language.phrase(word)) for key, word in KINDS_OF_DEVICES.items()],
        formats=_formats(),
        started=bool(draft.get("examples")),
        captured=captured,
        keeping=keeping,
        towns=_towns(keeping, form),
        done=language.phrase(_DONE[keeping.done]) if keeping.done in _DONE else "",
        own=[
            (town, keeping.name_of(town), [_named(one, language) for one in known])
            for town, known in keeping.own
        ],
        profiles=[
            (key, one.name.in_language(language.key))
            for key, one in device_profiles.shipped().items()
        ],
    )
    response.status_code = form.status
    return response


def _towns(keeping: Keeping, form: Form) -> list[tuple[str, str]]:
    """Return the towns to choose from; who has several chooses one."""
    towns = [(town.key, town.name) for town in keeping.towns]
    chosen = len(towns) == 1 or form.values.get("town")
    return towns if chosen else [("", ""), *towns]


def _named(known: Known, language: Language) -> tuple[str, str]:
    if known.profile is None:
        return known.key, f"{known.key}: {language.phrase(_NOT_USABLE)}"
    return known.key, known.profile.name.in_language(language.key)


def ask_page(request: Request, language: Language, values: Values) -> Response:
    """Ask whether a profile that a municipality keeps is to be removed."""
    town, _, key = values.get("kept", "").partition("/")
    return render(
        request,
        language,
        "pages/profile/remove.html",
        town=town,
        key=key,
        version=values.get("version", ""),
    )


def _suggested(draft: Draft) -> str:
    """Suggest the key by which a draft is kept: from the name of the model."""
    name = (draft.get("name") or {}).get("en", "")
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return re.sub("[^a-z0-9]+", "-", plain.lower())[:64].strip("-")


def _facts(draft: Draft) -> dict[str, Any]:
    """Return the facts of the device as the form shows them."""
    names, profile = draft.get("name", {}), draft.get("profile", {})
    return {
        "name_de": names.get("de", ""),
        "name_en": names.get("en", ""),
        "kind": draft.get("kind", "other"),
        "payload_format": draft.get("payload_format", ""),
        "topic": draft.get("topic") or "",
        "interval_s": draft.get("interval_s", 300),
        "time_is": profile.get("time_is", "start"),
        "receipt_time": profile.get("receipt_time", False),
    }


def document_of(request: Request, draft: Draft) -> str:
    """Return the draft as TOML, with what its messages become as its examples.

    Raise `UsageError` or `msgspec.ValidationError` for what is not complete.
    """
    settings: Ingest = request.app.state.settings.ingest
    for name in ("de", "en"):
        if name not in (draft.get("name") or {}):
            raise BadParameter(parameter=f"name_{name}", detail=_NO_NAME)
    profile = drafts.complete(draft)
    document = _whole(profile)
    channels = {one.channel: one.output for one in profile.outputs}
    for example, written in zip(profile.examples, document["examples"], strict=True):
        found = previews.outcome(profile, example, settings, "en")
        written["readings"] = [
            {
                "output": channels[one.channel],
                "time": one.time,
                "interval_s": one.interval_s
                if one.interval_s != profile.interval_s
                else None,
                "values": one.values,
            }
            for one in found.readings
        ]
        written["status"] = {
            name: value
            for name in drafts.STATUS
            if (value := getattr(found.status, name, None)) is not None
        }
    text = drafts.to_toml(document)
    device_profiles.parse(text)  # what is not complete is refused here
    return text


def refuse(form: Form, error: Exception, language: Language, *, now: datetime) -> None:
    """Note why nothing was done, beside the field that it is about."""
    form.status = 422
    if isinstance(error, BadParameter | TooManyProfiles | UnknownKey):
        form.refuse(error, language, now=now)
        return
    if not _beside(form, error, language):
        form.general = said_of(error, language)


def _beside(form: Form, error: Exception, language: Language) -> bool:
    """Note what is wrong beside its field; return whether there is one."""
    if isinstance(error, BadProfile):
        place, phrase = error.field, error.phrase
    elif isinstance(error, msgspec.ValidationError):
        found = wording.explain(error)
        place, phrase = found.where, found.phrase
    elif isinstance(error, NotApplicable):
        place, phrase = error.field, error.reason
    else:
        return False
    if place not in _BESIDE:
        return False
    form.errors[_BESIDE[place]] = sentence(phrase.in_language(language.key))
    return True


def said_of(error: Exception, language: Language) -> str:
    """Say in a language why a draft cannot be used."""
    if isinstance(error, msgspec.ValidationError):
        found = wording.explain(error)
        text = found.phrase.in_language(language.key)
        return f"{found.where}: {text}" if found.where else text
    if isinstance(error, BadProfile):
        return error.phrase.in_language(language.key)
    reason = getattr(error, "reason", str(error))
    if isinstance(reason, Phrase):
        return reason.in_language(language.key)
    return language.phrase(str(reason))


def _whole(profile: DeviceProfile) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(profile, builtin_types=(datetime,))
    return found


def _last(profile: DeviceProfile) -> Sequence[int]:
    return range(len(profile.examples) - 1, -1, -1)


def _message(
    profile: DeviceProfile, number: int, settings: Settings, language: Language
) -> Tried:
    example = profile.examples[number]
    found = previews.outcome(profile, example, settings.ingest, language.key)
    payload = (
        example.payload
        or msgspec.json.format(msgspec.json.encode(example.object)).decode()
    )
    name = profile.formats[0]
    town = device_profiles.sample(profile, name, language=language.key)
    return tried(payload, found, town, settings, language)


def _cells(draft: Draft, profile: DeviceProfile, language: Language) -> list[Cell]:
    if not draft.get("examples"):
        return []
    found = previews.fields(profile, profile.examples[-1])
    means = {field: (what, output) for field, what, output in drafts.meanings(draft)}
    missing = [field for field in means if field not in found]
    return [
        Cell(
            path,
            "" if path in missing else _shown(found[path]),
            msgspec.json.encode(found.get(path)).decode(),
            language.phrase(drafts.words_of(means[path][0])) if path in means else "",
            means[path][1] if path in means else "",
        )
        for path in [*found, *missing]
    ]


def _shown(value: object) -> str:
    return str(value)[:80] if not isinstance(value, bool) else str(value).lower()


def _formats() -> list[tuple[str, str]]:
    others = [n for n in payload_formats() if n not in networks() and n != "native"]
    return [(LORAWAN, "LoRaWAN"), *((name, name) for name in others)]


def _meanings(language: Language) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return what a field can be, in groups."""
    classes = {"total": mark("all vehicles")} | {
        name: words for name, words in CLASS_NAMES.items() if _in_a_scheme(name)
    }
    groups = (
        (mark("Counts"), {f"class/{k}": v for k, v in classes.items()}),
        (
            mark("Measured values"),
            {f"quantity/{k}": v.name for k, v in ENVIRONMENT.items()},
        ),
        (mark("Time"), {f"time/{k}": v for k, v in drafts.TIMES.items()}),
        (
            mark("The device itself"),
            {f"status/{k}": v for k, v in drafts.STATUS.items()},
        ),
        (mark("Other"), drafts.OTHER),
    )
    return [
        (
            language.phrase(title),
            [(key, language.phrase(words)) for key, words in found.items()],
        )
        for title, found in groups
    ]


def _in_a_scheme(name: str) -> bool:
    return any(name in columns for columns in SCHEMES.values())
