"""The draft of a device profile as a page shows it, and as a file."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec
from fastapi import Request, Response

from api import previews
from dashboards.forms import Form, Values
from dashboards.language import Language
from dashboards.render import render
from dashboards.trials import Tried, tried
from verkehrspuls import wording
from verkehrspuls.classes import CLASS_NAMES, SCHEMES
from verkehrspuls.errors import UsageError
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.registry import device_profiles, drafts
from verkehrspuls.registry.device_profiles import (
    KINDS_OF_DEVICES,
    LORAWAN,
    DeviceProfile,
)
from verkehrspuls.registry.drafts import Draft
from verkehrspuls.registry.faults import faults
from verkehrspuls.registry.formats import networks, payload_formats
from verkehrspuls.settings import Ingest, Settings
from verkehrspuls.text import mark
from verkehrspuls.wording import Phrase

#: Bytes of a draft in a form.
MAX_DRAFT: Final = 200_000
_FACTS: Final = frozenset(
    {"name_de", "name_en", "kind", "payload_format", "topic", "interval_s", "time_is"}
)
_NO_INTERVAL: Final = mark("Write the interval in whole seconds.")
_NO_NAME: Final = mark("Give the model a name in both languages.")
_TOO_LARGE: Final = mark("The draft is too large; begin a new one.")


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
            raise UsageError(reason=_NO_INTERVAL)
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
        fault = said_of(error, language)
    response = render(
        request,
        language,
        "pages/profile/profile.html",
        # what was typed and refused stays
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
        profiles=[
            (key, one.name.in_language(language.key))
            for key, one in device_profiles.shipped().items()
        ],
    )
    response.status_code = form.status
    return response


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


def exported(request: Request, draft: Draft) -> Response:
    """Return the draft as a file, with what its messages become as its examples."""
    settings: Ingest = request.app.state.settings.ingest
    if not (draft.get("name") or {}).keys() >= {"de", "en"}:
        raise UsageError(reason=_NO_NAME)
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
    return Response(
        text,
        media_type="application/toml",
        headers={"Content-Disposition": 'attachment; filename="device-profile.toml"'},
    )


def said_of(error: Exception, language: Language) -> str:
    """Say in a language why a draft cannot be used."""
    if isinstance(error, msgspec.ValidationError):
        found = wording.explain(error)
        text = Phrase(found.text, found.values).in_language(language.key)
        return f"{found.where}: {text}" if found.where else text
    return language.phrase(str(getattr(error, "reason", error)))


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
    town = device_profiles.sample(profile, profile.formats[0])
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
