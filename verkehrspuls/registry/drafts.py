"""A device profile in the making: what a person says of fields of a message. Pure.

A draft is the document of a device profile as JSON has it, in which things may be
missing. `complete` puts in what is, so that its messages can be tried at any time.
"""

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

import msgspec
from msgspec import Struct

from verkehrspuls.classes import CLASS_NAMES, MOTOR_CLASSES, SCHEMES
from verkehrspuls.errors import UsageError
from verkehrspuls.model import StatusFields
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.registry.device_profiles import LORAWAN, DeviceProfile
from verkehrspuls.registry.files import toml
from verkehrspuls.registry.formats import networks
from verkehrspuls.text import mark, translate

Draft = dict[str, Any]
#: what a field can say of the device
STATUS: Final = {
    "battery_pct": mark("battery in %"),
    "signal_dbm": mark("signal strength in dBm"),
    "temperature_c": mark("temperature of the device"),
    "firmware": mark("firmware"),
}
#: how a field can contain the time
TIMES: Final = {
    "iso": mark("time, written out"),
    "s": mark("time in seconds since 1970"),
    "ms": mark("time in milliseconds since 1970"),
}
#: what else a field can be
OTHER: Final = {
    "speed_kmh": mark("mean speed in km/h"),
    "occupancy": mark("occupancy, 0 to 1"),
    "only": mark("read only messages with this value"),
    "no-value": mark("this value means that nothing was measured"),
}
#: name of an output of counts, unless the person says one
COUNTER: Final = "1"
_KEY: Final = re.compile(r"[^a-z0-9]+")

assert set(STATUS) == set(StatusFields.__struct_fields__)  # noqa: S101 - one set of keys


class _Source(Struct, frozen=True):
    field: str


class _Mapping(Struct, frozen=True):
    classes: dict[str, str | _Source] = {}
    speed_kmh: str | _Source | None = None
    occupancy: str | _Source | None = None
    field: str | None = None


class _Output(Struct, frozen=True):
    output: str
    quantity: str
    name: dict[str, str]
    mapping: _Mapping | None = None


class _Profile(Struct, frozen=True):
    times: list[_Source] = []
    status: dict[str, str | _Source] = {}
    sentinels: dict[str, list[float]] = {}
    only: dict[str, Any] = {}
    time_is: str = ""
    receipt_time: bool = False


class _Shape(Struct, frozen=True):
    """What a draft has at least where it has something."""

    name: dict[str, str] = {}
    measures: dict[str, str] = {}
    configure: dict[str, str] = {}
    kind: str = ""
    payload_format: str = ""
    topic: str | None = None
    interval_s: int = 0
    class_scheme: str | None = None
    profile: _Profile = _Profile()
    outputs: list[_Output] = []
    examples: list[dict[str, Any]] = []


def read(text: str) -> Draft:
    """Read a draft from JSON; nothing of what is none."""
    try:
        found = msgspec.json.decode(text or "{}", type=dict[str, Any])
        msgspec.convert(found, _Shape)
    except (msgspec.MsgspecError, RecursionError):
        return {}
    return found


def say(
    draft: Draft,
    field: str,
    means: str,
    *,
    output: str = "",
    unit: str = "",
    value: object = None,
) -> Draft:
    """Return a draft in which a field means something.

    `means` is such as `class/car`, `quantity/no2_ugm3`, `time/iso` and
    `status/firmware`, or one of `OTHER`; `output` is that of counts; `value` is the one
    that the field has here. Raise `UsageError` for another meaning, and where the value
    does not fit it.
    """
    kind, _, word = means.partition("/")
    changed = copy.deepcopy(draft)
    profile = changed.setdefault("profile", {})
    if means == "no-value":
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise UsageError(reason=NOT_A_NUMBER)
        known = profile.setdefault("sentinels", {}).setdefault(field, [])
        if value not in known:
            known.append(value)
        return changed
    changed = forget(changed, field)
    profile = changed.setdefault("profile", {})
    source = {"field": field, "unit": unit} if unit else field
    if kind == "class" and word in CLASS_NAMES | {"total": ""}:
        mapping = _counter(changed, output or COUNTER, _counted(word))
        mapping.setdefault("classes", {})[word] = field
        changed["class_scheme"] = _scheme(changed, word)
    elif means in ("speed_kmh", "occupancy"):
        mapping = _counter(changed, output or COUNTER, "motor")
        mapping[means] = source
    elif kind == "quantity" and word in ENVIRONMENT:
        mapping = {"field": field} | ({"unit": unit} if unit else {})
        _add_output(changed, word, word, mapping)
    elif kind == "time" and word in TIMES:
        time = {"field": field, "unit": word}
        if word == "iso":
            time = {"field": field, "zone": "Europe/Berlin"}
        profile["times"] = [time]
    elif kind == "status" and word in STATUS:
        status = profile.setdefault("status", {})
        status[word] = field if word == "firmware" else source
    elif means == "only":
        profile.setdefault("only", {})[field] = value
    else:
        raise UsageError(reason=NO_MEANING)
    return changed


NOT_A_NUMBER: Final = mark("Only a number can mean that nothing was measured.")
NO_MEANING: Final = mark("Choose what the field is.")


def forget(draft: Draft, field: str) -> Draft:
    """Return a draft in which a field means nothing."""
    changed = copy.deepcopy(draft)
    profile = changed.get("profile", {})
    for name in ("sentinels", "only"):
        profile.get(name, {}).pop(field, None)
    profile["times"] = [t for t in profile.get("times", ()) if t["field"] != field]
    status = profile.get("status", {})
    profile["status"] = {k: v for k, v in status.items() if _path(v) != field}
    kept = []
    for one in changed.get("outputs", ()):
        mapping = one.get("mapping") or {}
        classes = mapping.get("classes", {})
        left = {k: v for k, v in classes.items() if _path(v) != field}
        others = {
            name: given
            for name, given in mapping.items()
            if name != "classes"
            and not (name in ("speed_kmh", "occupancy") and _path(given) == field)
        }
        if mapping.get("field") == field:
            continue
        one["mapping"] = others | ({"classes": left} if left else {})
        if one["mapping"]:
            kept.append(one)
    changed["outputs"] = kept
    changed["profile"] = {name: value for name, value in profile.items() if value}
    return changed


def meanings(draft: Draft) -> Iterator[tuple[str, str, str]]:
    """Yield the fields that mean something: the field, its meaning, and the output."""
    profile = draft.get("profile", {})
    for one in draft.get("outputs", ()):
        mapping = one.get("mapping") or {}
        for name, given in mapping.get("classes", {}).items():
            yield _path(given), f"class/{name}", one["output"]
        for name in ("speed_kmh", "occupancy"):
            if name in mapping:
                yield _path(mapping[name]), name, one["output"]
        if "field" in mapping:
            yield mapping["field"], f"quantity/{one['quantity']}", one["output"]
    for time in profile.get("times", ()):
        yield time["field"], f"time/{time.get('unit', 'iso')}", ""
    for name, given in profile.get("status", {}).items():
        yield _path(given), f"status/{name}", ""
    for name in ("only", "sentinels"):
        for field in profile.get(name, {}):
            yield field, "no-value" if name == "sentinels" else name, ""


def words_of(means: str) -> str:
    """Return the text of a meaning, to be translated."""
    kind, _, word = means.partition("/")
    if kind == "class":
        return CLASS_NAMES.get(word) or mark("all vehicles")
    if kind == "quantity":
        return ENVIRONMENT[word].name
    return {**OTHER, **{f"time/{k}": v for k, v in TIMES.items()}}.get(
        means, STATUS.get(word, means)
    )


def complete(draft: Draft) -> DeviceProfile:
    """Return a draft as a device profile, with words in place of what is missing.

    Raise `msgspec.ValidationError` for what cannot be one.
    """
    dots = {"de": "…", "en": "…"}
    nothing = {"output": "1", "channel": "x", "name": dots, "quantity": "motor"}
    whole: Draft = {"kind": "other", "interval_s": 300, **draft}
    whole["outputs"] = whole.get("outputs") or [nothing]
    names = [one["name"] for one in whole["outputs"]]
    instead = {
        "name": dots,
        "measures": {lang: ", ".join(n[lang] for n in names)[:200] for lang in dots},
        "configure": {lang: translate(SEE_MANUAL, lang) for lang in dots},
    }
    for name, texts in instead.items():
        given = {k: v for k, v in (whole.get(name) or {}).items() if v}
        whole[name] = texts | given
    found: DeviceProfile = msgspec.convert(whole, DeviceProfile)
    return found


SEE_MANUAL: Final = mark("As its manual says.")


def add_messages(draft: Draft, payloads: Sequence[str], at: datetime) -> Draft:
    """Return a draft with messages as examples, the newest last; five are kept.

    The payloads of a network server become what the codec of the device returned.
    """
    changed = copy.deepcopy(draft)
    examples = changed.setdefault("examples", [])
    for payload in payloads:
        opened = _opened(payload)
        if not examples and opened and changed.get("payload_format") in (None, ""):
            changed["payload_format"] = LORAWAN
        if changed.get("payload_format") == LORAWAN:
            if opened is None:
                raise UsageError(reason=NO_UPLINK)
            fields, port = opened
            one: Draft = {"object": dict(fields), "f_port": port or 1}
        else:
            one = {"payload": payload}
        examples.append({"received_at": at.isoformat(), **one})
    changed.setdefault("payload_format", "json")
    changed["examples"] = examples[-MAX_EXAMPLES:]
    return changed


def of_captured(messages: Sequence[tuple[str, bytes]], at: datetime) -> Draft:
    """Return a draft with captured messages, the newest first: topics and payloads.

    Nothing where none is text. The last level of the topic is taken for the device's.
    """
    texts = []
    for topic, payload in messages[:MAX_EXAMPLES]:
        with suppress(UnicodeDecodeError):
            texts.append((topic, payload.decode()))
    if not texts:
        return {}
    draft = add_messages({}, [text for _, text in reversed(texts)], at)
    if draft["payload_format"] != LORAWAN:
        draft["topic"] = re.sub("[^/]+$", "{device_id}", texts[0][0])
    return draft


MAX_EXAMPLES: Final = 5
NO_UPLINK: Final = mark("This is no uplink of ChirpStack or The Things Stack.")


def to_toml(document: Mapping[str, Any]) -> str:
    """Write a document as TOML, without what is empty; its lists of tables last."""
    headed = [
        name
        for name, value in document.items()
        if isinstance(value, list | tuple) and value and isinstance(value[0], dict)
    ]
    told = {
        name: [_told(each) for each in value] if name in headed else value
        for name, value in document.items()
    }
    return toml.document(_told(told), headed)


def _told(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _some(value)
        for name, value in fields.items()
        if value not in (None, {}, [], "", ())
    }


def _some(value: Any) -> Any:
    """Return a value without what is null within."""
    if isinstance(value, dict):
        return {name: _some(each) for name, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [_some(each) for each in value if each is not None]
    return value


def _path(given: Any) -> str:
    return str(given["field"]) if isinstance(given, dict) else str(given)


def _opened(payload: str) -> tuple[Mapping[str, Any], int] | None:
    for network in networks().values():
        found = network.opened(payload.encode())
        if found is not None and found[0]:
            return found
    return None


def _counted(name: str) -> str:
    return name if name in ("bicycle", "pedestrian") else "motor"


def _scheme(draft: Draft, name: str) -> str:
    """Return a class scheme that has all classes of a draft: the one that it has."""
    used = {
        each
        for one in draft["outputs"]
        for each in (one.get("mapping") or {}).get("classes", {})
    }
    own = draft.get("class_scheme")
    known = [own, *sorted(SCHEMES, key=lambda key: len(SCHEMES[key]))]
    fits = (key for key in known if key in SCHEMES and used <= {*SCHEMES[key]})
    most = "tls-8+1" if name in MOTOR_CLASSES else _counted(name)
    return next(fits, most)


def _counter(draft: Draft, output: str, quantity: str) -> dict[str, Any]:
    """Return the mapping of an output of counts; add the output if it is not there."""
    for one in draft.setdefault("outputs", []):
        if one["output"] == output:
            mapping: dict[str, Any] = one["mapping"]
            return mapping
    return _add_output(draft, output, quantity, {})


def _add_output(
    draft: Draft, output: str, quantity: str, mapping: dict[str, Any]
) -> dict[str, Any]:
    name = ENVIRONMENT[quantity].name if quantity in ENVIRONMENT else output
    key = _KEY.sub("-", output.lower()).strip("-")[:64] or "x"
    outputs = [o for o in draft.get("outputs", ()) if o["output"] != output]
    one = {
        "output": output,
        "channel": key,
        "name": {lang: translate(name, lang) for lang in ("de", "en")},
        "quantity": quantity,
        "mapping": mapping,
    }
    draft["outputs"] = [*outputs, one]
    return mapping
