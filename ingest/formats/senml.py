"""SenML packs (RFC 8428), as JSON or as CBOR.

Any topic. Two formats: `senml-json` and `senml-cbor`.

- Fields: the resolved name of a record, e.g. `urn:dev:ow:10e2073a01080063:temp`. If a
  name has values in several units, each is also available with its unit after a space:
  `urn:dev:ow:10e2073a01080063 %RH`. A sum is `{name} sum`.
- Units: the record's, by SenML's names.
- Records of one time belong together. If a name occurs again at the same time, the
  later value corrects the earlier one. Data values (`vd`) are left out.
- Time: the record's. A time below 2²⁸ s is relative to now, and no time at all means
  now: both use the time of receipt, which the profile must allow.
- A pack with a field whose name ends in `_` is refused: such a field must be
  understood, and none is known.
"""

import io
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final

import msgspec

from ingest.formats import DEVICE, RECEIPT
from ingest.formats.record import (
    MAX_PATH_LENGTH,
    Format,
    Record,
    Value,
    as_kind,
    gather,
    read_json,
    records_of,
)
from ingest.formats.salvage import placed
from ingest.reasons import TOO_DEEP, Unusable
from verkehrspuls.text import mark as _

EXAMPLES: Final = (
    (
        "luft/mast-3",
        b"""[{"bn": "urn:dev:ow:10e2073a01080063:", "bt": 1795291200, "n": "temp",
  "u": "Cel", "v": 4.1},
 {"n": "humidity", "u": "%RH", "v": 87.2}]""",
    ),
)

#: Labels of CBOR maps (RFC 8428, section 6).
LABELS: Final = {
    **{-1: "bver", -2: "bn", -3: "bt", -4: "bu", -5: "bv", -6: "bs"},
    **{0: "n", 1: "u", 2: "v", 3: "vs", 4: "vb", 5: "s", 6: "t", 7: "ut", 8: "vd"},
}
#: The supported version; in a higher one fields may have other meanings.
VERSION: Final = 10
#: Maximum bytes of an integer; a larger one does not fit into a float.
MAX_NUMBER_BYTES: Final = 128
#: Smaller times, in seconds, are relative to now.
MIN_ABSOLUTE_S: Final = 2**28
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-:./_]*")
#: Length to which names are cut: just too long for any mapping.
_CUT_NAME_LENGTH: Final = MAX_PATH_LENGTH + 1
_BASE_UNUSABLE: Final = _("[{}]: what holds for it in [{}] cannot be used")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Number = Annotated[float, msgspec.Meta(ge=-1e300, le=1e300)]


class Entry(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record of a pack, or a resolved one."""

    bn: str | None = None
    bt: Number | None = None
    bu: str | None = None
    bv: Number | None = None
    bs: Number | None = None
    bver: Annotated[int, msgspec.Meta(ge=1, le=VERSION)] | None = None
    n: str = ""
    u: str = ""
    t: Number = 0.0
    ut: Number | None = None
    v: Number | None = None
    vs: str | None = None
    vb: bool | None = None
    vd: Any = None
    s: Number | None = None


#: Fields that also apply to the following records.
BASE: Final = ("bn", "bt", "bu", "bv", "bs", "bver")

_pack: Final = msgspec.json.Decoder(list[Any])


def decode_json(
    _topic: str, payload: bytes, received_at: datetime
) -> Sequence[Record | Unusable]:
    """Decode a pack in JSON."""
    return _records(read_json(_pack, payload), received_at)


def decode_cbor(
    _topic: str, payload: bytes, received_at: datetime
) -> Sequence[Record | Unusable]:
    """Decode a pack in CBOR."""
    import cbor2

    stream = io.BytesIO(payload)
    try:
        found = cbor2.load(stream, semantic_decoders=_TAGS)
    except RecursionError as error:
        raise Unusable("too-deep", TOO_DEEP) from error
    except cbor2.CBORDecodeEOF as error:
        raise Unusable("unreadable", _("it ends too early")) from error
    except Exception as error:  # decoding a tag can fail in many ways
        raise Unusable(
            "unreadable", _("it is no CBOR from byte {} on"), stream.tell()
        ) from error
    if stream.tell() < len(payload):
        raise Unusable("unreadable", _("more behind the pack"))
    if not isinstance(found, list):
        raise Unusable("unreadable", _("not an array of maps"))
    return _records([_labelled(entry) for entry in found], received_at)


def _labelled(entry: Any) -> Any:
    if not isinstance(entry, dict):
        return entry
    return {LABELS.get(label, label): value for label, value in entry.items()}


def _bignum(number: bytes, _immutable: bool) -> float:
    if len(number) > MAX_NUMBER_BYTES:
        raise ValueError(f"a number of {len(number)} bytes")
    return float(int.from_bytes(number))


def _negative_bignum(number: bytes, immutable: bool) -> float:
    return -1 - _bignum(number, immutable)


def _decimal(parts: Sequence[int], _immutable: bool) -> float:
    exponent, mantissa = parts
    return float(Decimal(mantissa).scaleb(exponent))


def _same(value: Any, _immutable: bool) -> Any:
    return value


def _refuse(_value: Any, _immutable: bool) -> None:
    raise ValueError("no tag of a number")


#: Decoders of tags: those of numbers, and the marker of CBOR itself. All other tags
#: that cbor2 knows are refused: SenML has none of them, and some can take minutes
#: (reducing a fraction, compiling a regular expression).
_TAGS: Final = {
    **dict.fromkeys((0, 1, 5, 30, 35, 36, 37, 100, 258, 260, 261, 1004), _refuse),
    **{2: _bignum, 3: _negative_bignum, 4: _decimal, 55799: _same},
}


def entries(pack: list[Any], problems: list[Unusable] | None = None) -> list[Entry]:
    """Convert the entries of a decoded pack; leave out unknown fields.

    Problems of entries are appended to `problems`, or raised if that is None. The base
    fields of an unusable entry still apply; if they are unusable, so are all entries
    after it.
    """
    problems = _Raising() if problems is None else problems
    for entry in pack:
        for label in entry if isinstance(entry, dict) else ():
            if isinstance(label, str) and label.endswith("_"):
                raise Unusable(
                    "unreadable", _("{} must be understood"), repr(label[:80])
                )
    found = []
    for index, entry in enumerate(pack):
        try:
            found.append(_entry(entry))
        except Unusable as problem:
            problems.append(placed(index, problem))
            base = (
                {n: entry[n] for n in BASE if n in entry}
                if isinstance(entry, dict)
                else {}
            )
            try:
                found.append(_entry(base))
            except Unusable:
                problems += [
                    Unusable("unreadable", _BASE_UNUSABLE, later, index)
                    for later in range(index + 1, len(pack))
                ]
                break
    return found


class _Raising(list[Unusable]):
    """A list that raises what is appended."""

    def append(self, problem: Unusable) -> None:
        raise problem


def _entry(entry: Any) -> Entry:
    if not isinstance(entry, dict):
        return as_kind(entry, Entry)
    return as_kind({k: v for k, v in entry.items() if isinstance(k, str)}, Entry)


def resolve(
    pack: list[Entry], *, now: float, problems: list[Unusable] | None = None
) -> list[Entry]:
    """Resolve base fields and relative times (RFC 8428, 4.6), in the given order.

    Times are in seconds since 1970. Problems of entries are appended to `problems`, or
    raised if that is None.
    """
    problems = _Raising() if problems is None else problems
    base = Entry(bn="", bt=0.0, bu="")
    resolved = []
    for index, entry in enumerate(pack):
        base = Entry(
            bn=((base.bn if entry.bn is None else entry.bn) or "")[:_CUT_NAME_LENGTH],
            bt=base.bt if entry.bt is None else entry.bt,
            bu=base.bu if entry.bu is None else entry.bu,
            bv=base.bv if entry.bv is None else entry.bv,
            bs=base.bs if entry.bs is None else entry.bs,
            bver=_version(entry, base),
        )
        try:
            if _has_value(entry):
                resolved.append(_resolved(entry, base, now))
        except Unusable as problem:
            problems.append(placed(index, problem))
    return resolved


def _version(entry: Entry, base: Entry) -> int | None:
    if entry.bver is not None and base.bver not in (None, entry.bver):
        raise Unusable("unreadable", _("several versions in a pack"))
    return base.bver if entry.bver is None else entry.bver


def _has_value(entry: Entry) -> bool:
    values = (entry.v, entry.vs, entry.vb, entry.vd)
    given = sum(value is not None for value in values)
    if given > 1:
        raise Unusable("unreadable", _("a record with several values"))
    return given == 1 or entry.s is not None


def _resolved(entry: Entry, base: Entry, now: float) -> Entry:
    name = ((base.bn or "") + entry.n)[:_CUT_NAME_LENGTH]
    if not _NAME.fullmatch(name):
        raise Unusable("unreadable", _("{} is no name"), repr(name[:80]))
    time = (base.bt or 0.0) + entry.t
    plain = entry.v is None and (entry.vs, entry.vb, entry.vd) == (None, None, None)
    value = entry.v
    if value is not None or (plain and base.bv is not None):
        value = (value or 0.0) + (base.bv or 0.0)
    return Entry(
        n=name,
        u=entry.u or base.bu or "",
        t=time if time >= MIN_ABSOLUTE_S else now + time,
        v=value,
        vs=entry.vs,
        vb=entry.vb,
        vd=entry.vd,
        s=None if entry.s is None else entry.s + (base.bs or 0.0),
    )


def _records(pack: list[Any], received_at: datetime) -> Sequence[Record | Unusable]:
    """Resolve a pack, and make a record of each time."""
    problems: list[Unusable] = []
    # resolved from 0, relative times can be distinguished
    now = received_at.timestamp()
    found: list[tuple[tuple[float, bool], dict[str, Value]]] = []
    units: dict[tuple[float, bool], dict[str, str]] = {}
    for entry in resolve(entries(pack, problems), now=0.0, problems=problems):
        relative = entry.t < MIN_ABSOLUTE_S
        at = (entry.t + now if relative else entry.t, relative)
        # the first value of a name determines the unit of the plain name
        known = units.setdefault(at, {})
        if len(entry.n) > MAX_PATH_LENGTH and entry.n in known:
            continue
        first = known.setdefault(entry.n, entry.u)
        fields = _values(entry, plain=first == entry.u)
        known.update(dict.fromkeys(fields, entry.u))
        found.append((at, fields))
    known_units = {
        at: {path: unit for path, unit in known.items() if unit}
        for at, known in units.items()
    }

    def record(group: tuple[tuple[float, bool], dict[str, Value], bool]) -> Record:
        at, fields, again = group
        time, relative = at
        origin = RECEIPT if relative else DEVICE
        return Record(_time(time), fields, origin, units=known_units[at], again=again)

    return records_of(gather(found), record, problems)


def _values(entry: Entry, *, plain: bool) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for value in (entry.v, entry.vs, entry.vb):
        if value is not None:
            if plain:
                found[entry.n] = value
            if entry.u:
                found[f"{entry.n} {entry.u}"] = value
    if entry.s is not None:
        found[f"{entry.n} sum"] = entry.s
    return found


def _time(seconds: float) -> datetime:
    try:
        return _EPOCH + timedelta(seconds=seconds)
    except OverflowError as error:
        raise Unusable("not-a-time", f"t = {seconds}") from error


FORMATS: Final = (
    Format(name="senml-cbor", decode=decode_cbor),
    Format(name="senml-json", decode=decode_json),
)
