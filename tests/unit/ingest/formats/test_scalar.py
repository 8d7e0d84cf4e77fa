"""Plain numbers."""

import pytest

from ingest.formats import RECEIPT, EnvironmentReading
from ingest.formats.scalar import EXAMPLES, decode
from ingest.reasons import Unusable
from tests.unit.ingest.formats import NOW, decoded, readings, sensor, value
from verkehrspuls.model import Profile

LEVEL = value("value", "water_level_cm", unit="m", offset=-100)
RECEIVED = Profile(receipt_time=True)


@pytest.mark.parametrize(
    ("payload", "number"),
    [
        (b"182.5", 182.5),
        (b" -3\n", -3.0),
        (b"+1e2", 100.0),
        (b".5", 0.5),
        (b"007", 7.0),
    ],
)
def test_number_is_taken(payload: bytes, number: float) -> None:
    (record,) = decode("t", payload, NOW)
    assert record.fields == {"value": number}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        *(
            (each, "not-a-number")
            for each in (b" ", b"12 cm", b"0x10", b"NaN", b"1e999")
        ),
        *((each, "not-a-number") for each in (b"Infinity", b"true", b"1_000", b"12,5")),
        *((each.encode(), "not-a-number") for each in ("", "١٢", "１２", "½", "∞")),
        (b"\xff", "not-utf8"),
    ],
)
def test_anything_else_is_refused(payload: bytes, reason: str) -> None:
    with pytest.raises(Unusable) as refused:
        decode("t", payload, NOW)
    assert refused.value.reason == reason


def test_decimal_comma_is_hinted_at() -> None:
    with pytest.raises(Unusable, match="decimal comma"):
        decode("t", b"12,5", NOW)


def test_time_of_receipt_stands_in_only_where_allowed() -> None:
    records = decode("t", b"1.825", NOW)
    assert readings(records, sensor(LEVEL, profile=RECEIVED)) == [
        EnvironmentReading("water_level_cm", NOW, 300, 82.5, RECEIPT)
    ]
    (problem,) = decoded(records, sensor(LEVEL)).unusable
    assert problem.reason == "no-time"


def test_example_is_a_number() -> None:
    ((topic, payload),) = EXAMPLES
    assert decode(topic, payload, NOW)[0].fields["value"] == 182.5
