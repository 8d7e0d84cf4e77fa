"""From records of foreign payloads to readings, as the registry says."""

import tracemalloc
import typing
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from ingest import mapping
from ingest.formats import (
    DEVICE,
    NETWORK,
    RECEIPT,
    CountReading,
    EnvironmentReading,
    foreign_formats,
    formats,
)
from ingest.formats.record import Record, Value, flatten
from ingest.mapping import read_foreign
from ingest.reasons import MAX_DETAIL_LENGTH, REASONS, Dropped, Unusable
from ingest.units import UNITS, convert
from tests.unit.ingest.formats import NOW, decoded, readings, sensor, value
from verkehrspuls.model import Mapping, Profile, Source, TimeField
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.registry.formats import payload_formats

KNOWN = formats().foreign
WARM = sensor(value("t", "temperature_c"))


def test_registry_knows_the_formats_that_there_are() -> None:
    assert payload_formats() == ["native", *foreign_formats()]


def test_unknown_format_is_reported() -> None:
    strange = sensor(value("t", "temperature_c"), payload_format="morse")
    with pytest.raises(Unusable) as refused:
        read_foreign(strange, "t", b"", decoders=KNOWN, received_at=NOW)
    assert refused.value.reason == "unknown-format"


@pytest.mark.parametrize("payload_format", sorted(foreign_formats()))
def test_deleted_retained_message_holds_nothing(payload_format: str) -> None:
    gone = sensor(value("t", "temperature_c"), payload_format=payload_format)
    found = read_foreign(gone, "t", b"", decoders=KNOWN, received_at=NOW)
    assert found.readings == []


def test_fault_of_a_format_is_a_reason_and_no_exception(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(*_: object) -> list[Record]:
        raise ZeroDivisionError

    strange = sensor(value("t", "temperature_c"), payload_format="new")
    with pytest.raises(Unusable, match="ZeroDivisionError") as refused:
        read_foreign(strange, "t", b"1", decoders={"new": fail}, received_at=NOW)
    assert refused.value.reason == "unreadable"
    assert "decoder_failed" in caplog.text


def test_what_came_is_quoted_but_not_at_length() -> None:
    with pytest.raises(Unusable) as refused:
        convert(1.0, 100_000 * "x", "°C")
    assert len(refused.value.detail.in_language("de")) <= MAX_DETAIL_LENGTH + 50


@pytest.mark.parametrize(
    ("profile", "time", "origin"),
    [
        ({}, NOW - timedelta(minutes=1), NETWORK),
        ({"receipt_time": True}, NOW - timedelta(minutes=1), NETWORK),
        ({"times": (TimeField(field="ms", unit="ms"),)}, NOW, DEVICE),
        (
            {"times": (TimeField(field="gone"), TimeField(field="s", unit="s"))},
            NOW,
            DEVICE,
        ),
        ({"times": (TimeField(field="iso"),)}, NOW, DEVICE),
        (
            {"times": (TimeField(field="ms", unit="ms"),), "time_is": "end"},
            NOW - timedelta(minutes=5),
            DEVICE,
        ),
    ],
)
def test_time_goes_by_the_precedence_of_the_profile(
    profile: dict[str, typing.Any], time: datetime, origin: int
) -> None:
    at = NOW.timestamp()
    fields: dict[str, Value] = {"t": 4, "s": at, "ms": at * 1000, "gone": None}
    fields["iso"] = "2026-11-21 21:00:00+01:00"
    record = Record(NOW - timedelta(minutes=1), fields, NETWORK)
    to = sensor(value("t", "temperature_c"), profile=Profile(**profile))
    (reading,) = readings([record], to)
    assert (reading.time, reading.time_origin) == (time, origin)


@pytest.mark.parametrize(
    ("unit", "stamp"),
    [("us", 1795291200_000000), ("ns", 1795291200_000000_000), ("s", "1795291200")],
)
def test_unit_of_a_stamp_is_never_guessed(unit: typing.Any, stamp: Value) -> None:
    def times(unit: typing.Any) -> list[datetime]:
        profile = Profile(times=(TimeField(field="at", unit=unit),))
        to = sensor(value("t", "temperature_c"), profile=profile)
        found = decoded([Record(None, {"t": 1, "at": stamp})], to)
        return [reading.time for reading in found.readings]

    assert times(unit) == [NOW]
    assert NOW not in times("ms")


@pytest.mark.parametrize(
    "stamp", ["heute", True, 1e300, float("nan"), "2026-11-21T20:00:00", "0001-01-01"]
)
@pytest.mark.parametrize("unit", ["iso", "s"])
def test_invalid_stamp_is_refused(
    stamp: Value, unit: typing.Literal["iso", "s"]
) -> None:
    times = (TimeField(field="at", unit=unit),)
    to = sensor(value("t", "temperature_c"), profile=Profile(times=times))
    (problem,) = decoded([Record(NOW, {"t": 1, "at": stamp})], to).unusable
    assert problem.reason == "not-a-time"


@pytest.mark.parametrize(
    ("profile", "reason"), [({}, "no-time"), ({"receipt_time": True}, None)]
)
def test_receipt_stands_in_only_where_allowed(
    profile: dict[str, typing.Any], reason: str | None
) -> None:
    to = sensor(value("t", "temperature_c"), profile=Profile(**profile))
    found = decoded([Record(None, {"t": 1})], to)
    assert [problem.reason for problem in found.unusable] == (
        [reason] if reason else []
    )
    assert [r.time_origin for r in found.readings] == ([] if reason else [RECEIPT])


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("12", "not-a-number"),
        ("12,5", "not-a-number"),
        (True, "not-a-number"),
        (float("nan"), "not-a-number"),
        (float("inf"), "not-a-number"),
        (10**400, "not-a-number"),
    ],
)
def test_value_that_is_no_number_is_refused(number: Value, reason: str) -> None:
    (problem,) = decoded([Record(NOW, {"t": number})], WARM).unusable
    assert problem.reason == reason
    assert ("decimal comma" in problem.detail.in_language("en")) == (number == "12,5")


def test_text_is_a_number_if_the_profile_allows_it() -> None:
    to = sensor(value("t", "temperature_c"), profile=Profile(text_numbers=True))
    assert readings([Record(NOW, {"t": " 12.5"})], to)[0].value == 12.5
    (problem,) = decoded([Record(NOW, {"t": "12,5"})], to).unusable
    assert problem.reason == "not-a-number"


def test_absent_null_and_sentinel_are_gaps_and_never_zero() -> None:
    to = sensor(
        ("1", "motor", Mapping(classes={"car": "car", "truck": "truck"})),
        profile=Profile(sentinels={"*": (65535,), "truck": (-1,)}),
    )
    first, second = readings(
        [
            Record(NOW, {"car": 0, "truck": -1}),
            Record(NOW, {"car": 5}),
            Record(NOW, {"car": None, "truck": 65535}),
        ],
        to,
    )
    assert first.classes == {"car": 0, "truck": None}
    assert second.classes == {"car": 5, "truck": None}


def test_sentinels_are_counted() -> None:
    road = sensor(
        ("1", "motor", Mapping(classes={"car": "car"}, speed_kmh="v")),
        value("t", "temperature_c"),
        profile=Profile(sentinels={"*": (65535,), "v": (127,)}),
    )
    found = decoded([Record(NOW, {"car": 5, "v": 127, "t": 65535})], road)
    assert len(found.readings) == 1
    assert found.dropped == [
        Dropped("speed_kmh", "sentinel", "127"),
        Dropped("temperature_c", "sentinel", "65535"),
    ]
    nothing = decoded([Record(NOW, {"car": 65535})], road)
    assert nothing.dropped == [Dropped("classes.car", "sentinel", "65535")]
    assert (nothing.readings, nothing.unusable) == ([], ())


def test_renamed_field_comes_to_light() -> None:
    with pytest.raises(Unusable) as refused:
        decoded([Record(NOW, {"temp": 4.1})], WARM)
    assert refused.value.reason == "no-mapped-field"
    assert refused.value.detail.in_language("en") == "there are 'temp'"
    assert refused.value.detail.in_language("de") == "vorhanden sind 'temp'"


def test_output_without_mapping_is_reported() -> None:
    broken = sensor(("t", "temperature_c", None))
    (problem,) = decoded([Record(NOW, {"t": 1})], broken).unusable
    assert problem.reason == "no-mapping"


def test_speed_and_occupancy_are_converted() -> None:
    mapping = Mapping(
        classes={"car": "n"},
        speed_kmh=Source(field="v", unit="m/s"),
        occupancy=Source(field="o", unit="%"),
    )
    road = sensor(("1", "motor", mapping))
    (reading,) = readings([Record(NOW, {"n": 3, "v": 10, "o": 25})], road)
    assert isinstance(reading, CountReading)
    assert (reading.speed_kmh, reading.occupancy) == (36, 0.25)
    for bad in (-3, 1e7):
        (problem,) = decoded([Record(NOW, {"n": bad})], road).unusable
        assert problem.reason == "out-of-range"


@pytest.mark.parametrize(
    ("field", "value", "dropped"),
    [
        ("v", -1, Dropped("speed_kmh", "below", "-1")),
        ("v", 65535, Dropped("speed_kmh", "above", "65535")),
        ("v", "n/a", Dropped("speed_kmh", "wrong", "n/a")),
        ("o", 140, Dropped("occupancy", "above", "140")),
        ("lkw", -1, Dropped("classes.truck", "below", "-1")),
    ],
)
def test_field_that_cannot_be_used_is_left_out_of_the_counts(
    field: str, value: Value, dropped: Dropped
) -> None:
    mapping = Mapping(
        classes={"total": "n", "truck": "lkw"}, speed_kmh="v", occupancy="o"
    )
    good: dict[str, Value] = {"n": 3, "lkw": 1, "v": 40, "o": 0.5}
    road = sensor(("1", "motor", mapping))
    found = decoded([Record(NOW, good | {field: value})], road)
    (reading,) = found.readings
    assert isinstance(reading, CountReading)
    assert reading.classes["total"] == 3
    assert found.dropped == [dropped]
    assert not found.unusable


@pytest.mark.parametrize("interval_s", [0, -60, 90_001])
def test_interval_that_cannot_be_is_refused(interval_s: int) -> None:
    (problem,) = decoded([Record(NOW, {"t": 1}, interval_s=interval_s)], WARM).unusable
    assert problem.reason == "out-of-range"


def test_time_is_in_utc_whatever_its_offset() -> None:
    there = datetime.fromisoformat("2026-11-22T01:30:00+05:30")
    (reading,) = readings([Record(there, {"t": 1})], WARM)
    assert isinstance(reading, EnvironmentReading)
    assert (reading.time, reading.time.tzinfo) == (NOW, UTC)


def test_time_before_all_times_is_refused() -> None:
    early = datetime.fromisoformat("0001-01-01T00:00:00+14:00")
    (problem,) = decoded([Record(early, {"t": 1})], WARM).unusable
    assert problem.reason == "not-a-time"


@pytest.mark.parametrize(
    ("number", "unit", "into", "expected"),
    [
        (277.25, "K", "°C", 4.1),
        (39.38, "[degF]", "°C", 4.1),
        (36, "km/h", "m/s", 10),
        (1, "kn", "m/s", 1852 / 3600),
        (0.0312, "mg/m3", "µg/m³", 31.2),
        (1.825, "m", "cm", 182.5),
        (0.5, "/", "%", 50),
        (4.1, "Cel", "°C", 4.1),
    ],
)
def test_units_are_converted(
    number: float, unit: str, into: str, expected: float
) -> None:
    assert convert(number, unit, into) == pytest.approx(expected)


@pytest.mark.parametrize("unit", ["lx", "ppm", "", "K\u200b"])
def test_unit_of_another_dimension_is_refused(unit: str) -> None:
    with pytest.raises(Unusable) as refused:
        convert(1, unit, "°C")
    assert refused.value.reason == "unknown-unit"


def test_every_quantity_has_a_unit_that_others_convert_into() -> None:
    assert {quantity.unit for quantity in ENVIRONMENT.values()} <= UNITS.keys()


def test_every_reason_that_is_given_is_known() -> None:
    import re

    from tests.parts import PROJECT

    given = {
        reason
        for file in (PROJECT / "ingest").rglob("*.py")
        for reason in re.findall(r'Unusable\(\s*"([a-z-]+)"', file.read_text("utf-8"))
    }
    assert len(given) > 10
    assert given <= REASONS.keys()


def test_long_key_over_many_values_takes_no_memory() -> None:
    values = ",".join(100_000 * "1")
    payload = f'{{"{4000 * "k"}": [{values}], "t": 4.1}}'.encode()
    tracemalloc.start()
    fields = flatten(msgspec.json.decode(payload))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert fields == {"t": 4.1}
    assert most < 20 * len(payload)
    # what a mapping may name is there
    assert flatten({"k" * 253: [7, 8]}) == {"k" * 253 + ".0": 7, "k" * 253 + ".1": 8}
    assert flatten({"k" * 256: 7, "k" * 257: 8}) == {"k" * 256: 7}


@pytest.mark.parametrize(
    ("source", "share", "observed_s"),
    [
        ("duty", 0.25, 150),
        (Source(field="duty", unit="%"), 25, 150),
        (Source(field="duty", unit="s"), 150, 150),
        (Source(field="duty", unit="s"), 601, 600),
        ("duty", None, None),
    ],
)
def test_device_reports_how_much_it_observed(
    source: str | Source, share: Value, observed_s: int | None
) -> None:
    profile = Profile(observed=source, receipt_time=True)
    counting = Mapping(classes={"car": "car"})
    fields: dict[str, Value] = {"car": 10, "t": 4.0, "duty": share}
    for output in (("all", "motor", counting), value("t", "temperature_c")):
        (reading,) = readings(
            [Record(NOW, fields)], sensor(output, profile=profile, interval_s=600)
        )
        assert reading.observed_s == observed_s
        if isinstance(reading, CountReading):
            assert reading.classes == {"car": 10}


@pytest.mark.parametrize(
    ("share", "problem"),
    [(7, "above"), (-1, "below"), ("n/a", "wrong"), (True, "wrong")],
)
def test_an_observed_share_that_cannot_be_is_counted(
    share: Value, problem: str
) -> None:
    profile = Profile(observed="duty", receipt_time=True)
    warm = sensor(value("t", "temperature_c"), profile=profile)
    found = decoded([Record(NOW, {"t": 4.0, "duty": share})], warm)
    assert [each.observed_s for each in found.readings] == [None]
    assert found.dropped == [Dropped("observed", problem, str(share))]
    assert not found.unusable


@pytest.mark.parametrize(
    ("sent", "time_is", "utc"),
    [
        # 02:30 is 00:30 and 01:30 in UTC
        ("00:30", "end", "00:30"),
        ("01:29", "end", "01:30"),
        ("01:35", "end", "01:30"),
        ("02:29", "end", "01:30"),
        ("04:00", "end", "00:30"),
        # a device that sends at once
        ("00:30", "start", "00:30"),
        ("01:30", "start", "01:30"),
        # ten minutes that began at 02:30 are sent at 02:40
        ("00:40", "start", "00:30"),
        ("01:40", "start", "01:30"),
    ],
)
def test_receipt_decides_the_pass_of_an_autumn_hour(
    sent: str, time_is: typing.Any, utc: str
) -> None:
    def moment(text: str) -> datetime:
        return datetime.fromisoformat(f"2026-10-25T{text}:00+00:00")

    profile = Profile(
        times=(TimeField(field="at", zone="Europe/Berlin"),), time_is=time_is
    )
    clock = sensor(value("t", "temperature_c"), profile=profile, interval_s=600)
    record = Record(None, {"t": 4.0, "at": "2026-10-25T02:30:00"})
    found = mapping.readings_of([record], clock, received_at=moment(sent)).readings
    (reading,) = found
    lasting = timedelta(seconds=600) if time_is == "end" else timedelta(0)
    assert reading.time + lasting == moment(utc)
    # what came an hour after its second pass, or later, may be of either
    assert reading.ambiguous == ("late" if sent == "04:00" else None)
