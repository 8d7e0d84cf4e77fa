"""Payloads, the order of history, and the clock of live."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from simulators.publish import BLOCK_S, backfill, ended, live, sensors, statuses
from simulators.sensor import kind, messages
from simulators.world import DAY_S, World, standard
from verkehrspuls import wire
from verkehrspuls.classes import SCHEMES
from verkehrspuls.model import Sensor
from verkehrspuls.quantities import ENVIRONMENT

WORLD = standard(1)
DAY = int(datetime(2026, 11, 17, tzinfo=UTC).timestamp()) // DAY_S
START = DAY * DAY_S
COUNTS = msgspec.json.Decoder(list[wire.CountMessage])
VALUES = msgspec.json.Decoder(list[wire.EnvironmentMessage])


class Recorder:
    """Takes the place of a publisher: keeps what is published."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, bytes, bool]] = []

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.sent.append((topic, payload, retain))

    def flush(self, timeout_s: float = 60) -> None:
        assert timeout_s > 0


@pytest.mark.parametrize(
    ("municipality", "sensor"),
    list(sensors(WORLD)),
    ids=lambda one: one if isinstance(one, str) else one.key,
)
def test_payloads_are_native_and_within_the_class_scheme(
    municipality: str, sensor: Sensor
) -> None:
    body = msgspec.json.encode(
        messages(WORLD, municipality, sensor, START, START + DAY_S)
    )
    outputs = {one.output for one in sensor.installations}
    if kind(sensor) == "counts":
        assert sensor.class_scheme
        for message in COUNTS.decode(body):
            assert message.interval_s == sensor.interval_s
            assert {part.channel for part in message.counts} == outputs
            for part in message.counts:
                assert tuple(part.classes) == SCHEMES[sensor.class_scheme]
    else:
        found = VALUES.decode(body)
        assert found
        for one in found:
            assert set(one.values) == outputs <= set(ENVIRONMENT)


def test_intervals_are_named_by_their_start_and_numbered() -> None:
    sensor = WORLD.by_key["kaiserslautern"].sensor("kamera-ludwigstrasse")
    found = messages(WORLD, "kaiserslautern", sensor, START + 1, START + 901)
    assert [one["time"] for one in found] == [
        "2026-11-17T00:05:00Z",
        "2026-11-17T00:10:00Z",
        "2026-11-17T00:15:00Z",
    ]
    assert [one["seq"] for one in found] == list(
        range(found[0]["seq"], found[0]["seq"] + 3)
    )


def history(
    world: World, start: int, until: int, **newest: int
) -> Iterator[dict[str, Any]]:
    """All messages of a back-fill, decoded."""
    known = {("kaiserslautern", key): time for key, time in newest.items()}
    for one in backfill(world, start, until, newest=known):
        if one is not None:
            found = msgspec.json.decode(one.payload)
            yield from found if isinstance(found, list) else [found]


def test_history_is_complete_and_oldest_first() -> None:
    payloads = [
        one
        for one in backfill(WORLD, START, START + DAY_S, newest={})
        if one is not None
    ]
    assert max(len(one.payload) for one in payloads) < 128 * 1024
    firsts = [msgspec.json.decode(one.payload)[0]["time"] for one in payloads]
    blocks = [text[:13] for text in firsts if text[14:] == "00:00Z"]
    assert blocks == sorted(blocks)
    assert len({one.topic for one in payloads}) == sum(1 for _ in sensors(WORLD))
    for municipality, sensor in sensors(WORLD):
        topic = wire.topic(municipality, sensor.key, kind(sensor))
        there = sum(one.intervals for one in payloads if one.topic == topic)
        sent = messages(WORLD, municipality, sensor, START, START + DAY_S)
        assert there == len(sent) > 0


def test_history_has_no_interval_that_has_not_ended() -> None:
    until = START + 12 * 3600 + 899
    for one in history(WORLD, START + 11 * 3600, until):
        begin = datetime.fromisoformat(one["time"]).timestamp()
        assert begin >= START + 11 * 3600
        assert begin + one["interval_s"] <= until


def test_history_goes_on_after_what_is_there() -> None:
    until = START + 6 * 3600
    town = WORLD.by_key["kaiserslautern"]
    key = "kamera-ludwigstrasse"
    newest = {("kaiserslautern", key): START + 3600}
    found = [
        one
        for one in backfill(WORLD, START, until, newest=newest)
        if one is not None and key in one.topic
    ]
    assert found[0].intervals == 5 * 12 - 1
    missing = messages(WORLD, "kaiserslautern", town.sensor(key), START + 3900, until)
    assert found[0].payload == msgspec.json.encode(missing)
    newest = {(one, sensor.key): until for one, sensor in sensors(WORLD)}
    assert not any(backfill(WORLD, START, until, newest=newest))


def test_two_passes_of_history_leave_no_gap() -> None:
    middle = START + 3 * 3600 + 333
    whole = list(history(WORLD, START, START + BLOCK_S))
    parts = [
        *history(WORLD, START, middle),
        *history(WORLD, middle, START + BLOCK_S),
    ]

    def order(message: dict[str, object]) -> str:
        return msgspec.json.encode(message, order="sorted").decode()

    assert sorted(map(order, parts)) == sorted(map(order, whole))


def test_live_publishes_each_interval_when_it_ends() -> None:
    now = START + 3600.0
    recorder = Recorder()

    def sleep(seconds: float) -> None:
        nonlocal now
        assert 0 < seconds <= 300
        now += seconds + 0.25
        if now > START + 2 * 3600 + 1:
            raise KeyboardInterrupt

    ready: list[bool] = []
    live(
        WORLD,
        recorder,
        on_ready=lambda: ready.append(True),
        clock=lambda: now,
        sleep=sleep,
    )
    assert ready == [True]
    retained = [one for one in recorder.sent if one[2]]
    states = [
        msgspec.json.decode(p, type=wire.StatusMessage).state for _, p, _ in retained
    ]
    number = sum(1 for _ in sensors(WORLD))
    assert states == ["online"] * number + ["offline"] * number
    published = [one[:2] for one in recorder.sent if not one[2]]
    # from a quarter of an hour before it was started, up to the last whole interval
    due = list(ended(WORLD, START + 2700, START + 7200))
    assert sorted(published) == sorted((one.topic, one.payload) for one in due)
    assert len(set(published)) == len(published)


def test_live_and_history_agree() -> None:
    expected = [
        msgspec.json.decode(one.payload) for one in ended(WORLD, START, START + 1800)
    ]
    past = list(history(WORLD, START, START + 1800))

    def order(message: dict[str, object]) -> str:
        return msgspec.json.encode(message, order="sorted").decode()

    assert sorted(map(order, expected)) == sorted(map(order, past))


def test_a_status_has_its_time() -> None:
    one = next(statuses(WORLD, "online", START + 0.5))
    found = msgspec.json.decode(one.payload, type=wire.StatusMessage)
    assert found.time == datetime.fromtimestamp(START, UTC)
    assert wire.parse_topic(one.topic) is not None


def test_history_fills_what_lacks_before_and_between_what_is_there() -> None:
    until = START + 3 * DAY_S
    key = ("kaiserslautern", "kamera-ludwigstrasse")
    newest = {each: until for each in [(one, s.key) for one, s in sensors(WORLD)]}
    there = {each: set(range(START - BLOCK_S, until, BLOCK_S)) for each in newest}
    assert not any(backfill(WORLD, START, until, newest=newest, there=there))
    # a day of it, with a hole, and what is before
    there[key] = set(range(START + DAY_S, until, BLOCK_S)) - {START + 2 * DAY_S}
    found = [
        msgspec.json.decode(one.payload)[0]["time"]
        for one in backfill(WORLD, START, until, newest=newest, there=there)
        if one is not None
    ]
    begun = [datetime.fromisoformat(time).timestamp() - START for time in found]
    # the first block that is there, and those beside the hole, may have holes as well
    hours = [each // 3600 for each in begun]
    assert hours == [0, 6, 12, 18, 24, 42, 48, 54]


def test_nothing_is_measured_before_and_after_an_installation() -> None:
    town = WORLD.by_key["kaiserslautern"]
    sensor = town.sensor("kamera-ludwigstrasse")
    first, *others = sensor.installations
    begins = datetime.fromtimestamp(START + 3600, UTC)
    first = msgspec.structs.replace(first, since=begins)
    later = [
        msgspec.structs.replace(
            each, since=begins + timedelta(hours=1), until=begins + timedelta(hours=2)
        )
        for each in others
    ]
    made = msgspec.structs.replace(sensor, installations=(first, *later))
    found = messages(WORLD, "kaiserslautern", made, START, START + 4 * 3600)
    outputs = [len(one["counts"]) for one in found]
    assert found[0]["time"] == "2026-11-17T01:00:00Z"
    assert outputs == 12 * [1] + 12 * [4] + 12 * [1]


def test_sensors_are_installed_for_three_years_and_more() -> None:
    began = {each.since for _, s in sensors(WORLD) for each in s.installations}
    assert max(began) < datetime(2026, 11, 28, tzinfo=UTC) - timedelta(weeks=156)
