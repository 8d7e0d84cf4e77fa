"""Bad input, case by case: counted, kept with its reason, and never raised."""

import pytest

from ingest.batch import Batch, Collector, Message
from ingest.check import Limits
from ingest.formats import formats
from ingest.reasons import REASONS
from ingest.resolve import Feed, RegisteredSensor, Registry
from ingest.rows import KEY_BYTES
from tests.corpus import FOLDER, Case, cases, moment, town
from tests.rows import unpack
from tests.unit.ingest.test_batch import EVER, NOW
from verkehrspuls.classes import COUNTS, SCHEMES
from verkehrspuls.settings import Ingest

CASES = cases()


def registry() -> Registry:
    """What `read_registry` would read of the corpus's town."""
    found = Registry()
    (site,) = town().sites
    channels = {c.key: (n, c.quantity) for n, c in enumerate(site.channels, 1)}
    for number, sensor in enumerate(town().sensors, 1):
        found["kusel", sensor.key] = RegisteredSensor(
            number,
            sensor.payload_format,
            frozenset(SCHEMES.get(sensor.class_scheme or "", ())),
            {
                i.output: [Feed(*channels[i.channel], *EVER, i.mapping)]
                for i in sensor.installations
            },
            topic=sensor.topic,
            interval_s=sensor.interval_s,
            profile=sensor.profile,
        )
    return found


REGISTRY = registry()


def collect(*of: Case) -> Batch:
    collector = Collector(REGISTRY, formats(), Limits.at(NOW, Ingest()))
    return collector.collect(
        Message(case.topics(), payload, NOW)
        for case in of
        for payload in case.payloads()
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_ends_as_it_should(case: Case) -> None:
    batch = collect(case)
    (tally,) = batch.ledger.values()
    messages = len(case.payloads())
    assert tally.messages == messages == len(batch.messages)
    rows = [*batch.counts, *batch.environment]
    assert len({row[:KEY_BYTES] for row in rows}) == case.rows
    assert [reject.reason for reject in batch.rejects] == (
        [case.reason] if case.reason else []
    )
    assert {
        "stored": tally.accepted == messages and case.rows > 0,
        "ignored": tally.accepted == messages and case.rows == 0,
        "rejected": tally.rejected + tally.unknown_sensor == messages,
        "partly": tally.partly_accepted == messages and case.rows > 0,
    }[case.outcome]
    assert tally.readings_rejected == case.refused or case.rows == 0
    assert all(case.hint in reject.detail.in_language("en") for reject in batch.rejects)
    if not rows:
        return
    last = unpack(rows[-1])
    if case.car is not None:
        assert last[6 + COUNTS.index("car")] == case.car
    if case.value is not None:
        assert str(last[6]) == str(case.value)
    if case.origin is not None:
        assert last[4] == case.origin
    if case.time is not None:
        assert last[1] == moment(case.time)


def test_all_cases_in_one_batch_balance() -> None:
    batch = collect(*CASES)
    tallies = batch.ledger.values()
    assert sum(t.messages for t in tallies) == len(batch.messages)
    assert sum(t.readings_written for t in tallies) == batch.readings
    assert sum(t.readings_rejected for t in tallies) == sum(
        reject.readings for reject in batch.rejects
    )
    keys = {row[:KEY_BYTES] for row in (*batch.counts, *batch.environment)}
    assert len(keys) == sum(case.rows for case in CASES)


def test_corpus_is_complete() -> None:
    assert {int(case.name[:2]) for case in CASES} == set(range(1, 75))
    assert len({case.name for case in CASES}) == len(CASES)
    files = {path.name for path in FOLDER.glob("*.bin")}
    named = {
        f"{case.name}.{number}.bin" if case.messages else f"{case.name}.bin"
        for case in CASES
        if not case.build
        for number in range(1, (case.messages or 1) + 1)
    }
    assert files == named
    assert {case.reason for case in CASES if case.reason} <= REASONS.keys()
