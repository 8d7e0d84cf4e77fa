"""A small world of figures for tests of API, exports and pages.

Two public sites and a private one in Kaiserslautern, and a town with a private site
only: all of it made by the product, from messages to figures and cases. Figures of
1 to 3 March 2026 (UTC), and of the three days before, from which the usual volumes are.
The volume of an hour is 10 times its number in the day and the number of the channel,
on Thursday and Friday before 5 more.

On 2 March the first lane counted too much for two hours, which was corrected later, and
the private gate counts less than usual; on 3 March the second lane is silent.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import msgspec

from ingest.batch import Message
from tests.intake import Intake
from tests.towns import corridor, junction
from verkehrspuls.model import Channel, Installation, Sensor, Site, Town
from verkehrspuls.registry.towns import register

SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
#: local midnight of Thursday
BEFORE: Final = datetime(2026, 2, 25, 23, tzinfo=UTC)
SATURDAY: Final = datetime(2026, 2, 27, 23, tzinfo=UTC)
FIRST: Final = datetime(2026, 3, 1, tzinfo=UTC)
LAST: Final = datetime(2026, 3, 4, tzinfo=UTC)
#: the day of 25 hours, see `build_autumn`
AUTUMN: Final = datetime(2026, 10, 24, 22, tzinfo=UTC)
RECEIVED: Final = datetime(2026, 3, 3, 23, 59, 30, tzinfo=UTC)

PUBLIC: Final = Site(
    key="pariser-strasse",
    name="Pariser Straße",
    road="Nordtangente",
    place="Kaiserslautern",
    latitude=49.4437,
    longitude=7.7412,
    speed_limit_kmh=50,
    channels=(
        Channel(
            key="ost-1",
            name="Richtung Mainzer Tor, Fahrstreifen 1",
            quantity="motor",
            direction="ost",
            direction_name="Richtung Mainzer Tor",
            lane=1,
        ),
        Channel(
            key="ost-2",
            name="Richtung Mainzer Tor, Fahrstreifen 2",
            quantity="motor",
            direction="ost",
            direction_name="Richtung Mainzer Tor",
            lane=2,
        ),
        Channel(
            key="west-1",
            name="Richtung Einsiedlerhof",
            quantity="motor",
            direction="west",
            direction_name="Richtung Einsiedlerhof",
        ),
        Channel(key="no2", name="NO₂", quantity="no2_ugm3"),
    ),
)
RADWEG: Final = Site(
    key="radweg",
    name="Radweg =1+1 <b>",
    latitude=49.45,
    longitude=7.76,
    channels=(Channel(key="alle", name="beide", quantity="bicycle"),),
)
HIDDEN: Final = Site(
    key="hof",
    name="Bauhof",
    latitude=49.46,
    longitude=7.77,
    visibility="private",
    channels=(Channel(key="tor", name="Tor", quantity="motor", direction="ein"),),
)


def _sensor(key: str, site: Site, *channels: str, scheme: str | None) -> Sensor:
    return Sensor(
        key=key,
        name=f"Sensor {key}",
        model="Muster 1",
        interval_s=300,
        class_scheme=scheme,
        installations=tuple(
            Installation(site=site.key, channel=channel, output=channel, since=SINCE)
            for channel in channels
        ),
    )


TOWN: Final = Town(
    key="kaiserslautern",
    name="Kaiserslautern",
    state="RP",
    licence="dl-de/by-2-0",
    latitude=49.4447,
    longitude=7.769,
    sites=(PUBLIC, RADWEG, HIDDEN),
    sensors=(
        _sensor("camera", PUBLIC, "ost-1", "ost-2", "west-1", scheme="tls-8+1"),
        _sensor("air", PUBLIC, "no2", scheme=None),
        _sensor("loop", RADWEG, "alle", scheme="bicycle"),
        _sensor("gate", HIDDEN, "tor", scheme="tls-8+1"),
    ),
    corridors=(
        corridor(
            "nordtangente-ost",
            ("pariser-strasse", "ost", 0),
            ("radweg", "", 1200),
            name="Nordtangente",
        ),
    ),
    junctions=(
        junction(
            "mainzer-tor",
            ("pariser-strasse", "ost", "in"),
            ("pariser-strasse", "west", "out"),
            name="Mainzer Tor",
        ),
    ),
)
SECRET_TOWN: Final = Town(
    key="verborgen",
    name="Verborgen",
    state="RP",
    latitude=49.0,
    longitude=7.0,
    sites=(HIDDEN,),
    sensors=(_sensor("gate", HIDDEN, "tor", scheme="tls-8+1"),),
)


#: Numbers of the channels, by sensor.
NUMBERS: Final = {
    ("kaiserslautern", "camera"): {"ost-1": 3, "ost-2": 4, "west-1": 5},
    ("kaiserslautern", "loop"): {"alle": 6},
    ("kaiserslautern", "gate"): {"tor": 1},
    ("verborgen", "gate"): {"tor": 7},
}
MONDAY: Final = datetime(2026, 3, 2, tzinfo=UTC)
TUESDAY: Final = datetime(2026, 3, 3, tzinfo=UTC)
#: Hours of Monday in which the first lane counted threefold at first.
WRONG: Final = (MONDAY + timedelta(hours=6), MONDAY + timedelta(hours=8))
#: Hours of Monday in which the private gate counts a fifth of what it should.
LITTLE: Final = (MONDAY + timedelta(hours=18), MONDAY + timedelta(hours=22))
#: So that it is known how many vehicles are heavy.
NO_OTHERS: Final = {"truck_trailer": 0, "articulated": 0, "bus": 0}
HOUR: Final = timedelta(hours=1)
HALF_MINUTE: Final = timedelta(seconds=30)


def build(url: str) -> None:
    """Put the world into a migrated, empty database."""
    # of rejected messages one of each reason is kept, the others are counted
    with Intake(url, keep_rejects=1) as intake:
        for town in (TOWN, SECRET_TOWN):
            register(intake.connection, town)
        intake.write(*_measured(BEFORE, MONDAY, received_at=MONDAY - HALF_MINUTE))
        monday = TUESDAY - HALF_MINUTE
        intake.write(*_measured(MONDAY, TUESDAY, received_at=monday, is_wrong=True))
        intake.compute(TUESDAY)
        intake.write(
            *_counted("kaiserslautern", "camera", *WRONG, received_at=RECEIVED),
            *_measured(TUESDAY, LAST, received_at=RECEIVED),
            *[Message("vp/v1/kaiserslautern/loop/counts", b"x", RECEIVED)] * 3,
            *[Message("vp/v1/x/y/counts", b"secret detail", RECEIVED)] * 4,
        )
        intake.compute(RECEIVED, silence=True)
        # what waits to be computed
        intake.write(
            *_counted(
                *("kaiserslautern", "loop", FIRST, FIRST + 2 * HOUR),
                received_at=RECEIVED,
                speed_kmh=18.0,
            )
        )
        intake.writer.note_newest()
        _date_cases(intake)


def _date_cases(intake: Intake) -> None:
    """Date cases to RECEIVED: the database dates them by its clock, which is not ours.

    Found today, they would be cases of history.
    """
    for statement in (
        "update vp.anomaly_case set opened_at = %(at)s, updated_at = %(at)s",
        "update vp.anomaly_case set withdrawn_at = %(at)s where withdrawn_at < now()",
        "update vp.case_member set withdrawn_at = %(at)s where withdrawn_at < now()",
        "update vp.case_event set at = %(at)s",
    ):
        intake.connection.execute(statement, {"at": RECEIVED})


def build_autumn(url: str) -> None:
    """Put the day of 25 hours into a migrated, empty database."""
    end = AUTUMN + 25 * HOUR
    with Intake(url) as intake:
        register(intake.connection, TOWN)
        for sensor in ("camera", "loop"):
            intake.write(
                *_counted("kaiserslautern", sensor, AUTUMN, end, received_at=end)
            )
        intake.compute(end)


def _measured(
    since: datetime, until: datetime, *, received_at: datetime, is_wrong: bool = False
) -> Iterator[Message]:
    """All that sensors report of a period; at first, if `is_wrong`."""
    for town, sensor in NUMBERS:
        yield from _counted(
            *(town, sensor, since, until),
            received_at=received_at,
            is_wrong=is_wrong,
        )
    for time in _hours(since, until):
        yield _message("kaiserslautern", "air", _air(time), received_at)


def _counted(
    town: str,
    sensor: str,
    since: datetime,
    until: datetime,
    *,
    received_at: datetime,
    is_wrong: bool = False,
    speed_kmh: float = 47.3,
) -> Iterator[Message]:
    """What a counting sensor reports, in a message each hour."""
    numbers = NUMBERS[town, sensor]
    for time in _hours(since, until):
        hour = {
            key: _volume(time, key, number, is_wrong=is_wrong)
            for key, number in numbers.items()
            if key != "ost-2" or not TUESDAY <= time < LAST
        }
        yield _message(town, sensor, _quarters(time, hour, speed_kmh), received_at)


def _volume(time: datetime, key: str, number: int, *, is_wrong: bool) -> int:
    volume = 10 * time.hour + number
    if time < SATURDAY:
        return volume + 5
    if key == "tor" and number == 1 and LITTLE[0] <= time < LITTLE[1]:
        return volume // 5
    if key == "ost-1" and is_wrong and WRONG[0] <= time < WRONG[1]:
        return 3 * volume
    return volume


def _quarters(
    time: datetime, hour: dict[str, int], speed_kmh: float
) -> list[dict[str, Any]]:
    """The quarter-hours of an hour; the last one has what is left, and the truck."""
    found = []
    for n in range(4):
        counts = []
        for key, volume in hour.items():
            part = volume // 4 + (volume % 4 if n == 3 else 0)
            if key == "alle":
                classes = {"bicycle": part}
            else:
                truck = min(part, n // 3)
                classes = {"car": part - truck, "truck": truck, **NO_OTHERS}
            counts.append({"channel": key, "classes": classes, "speed_kmh": speed_kmh})
        start = time + n * HOUR / 4
        found.append({"time": start, "interval_s": 900, "counts": counts})
    return found


def _air(time: datetime) -> list[dict[str, Any]]:
    """Five of six readings: their mean is 20.5 and an hour's number since FIRST."""
    n = (time - FIRST) // HOUR % 72
    values = (-0.5, 60.25 + n, *(14.25 + n + (n + one) // 3 for one in range(3)))
    return [
        {"time": time + m * HOUR / 6, "interval_s": 600, "values": {"no2": value}}
        for m, value in enumerate(values)
    ]


def _message(
    town: str, sensor: str, body: Sequence[dict[str, Any]], received_at: datetime
) -> Message:
    kind = "environment" if sensor == "air" else "counts"
    topic = f"vp/v1/{town}/{sensor}/{kind}"
    return Message(topic, msgspec.json.encode(body), received_at)


def _hours(since: datetime, until: datetime) -> Iterator[datetime]:
    return (since + n * HOUR for n in range((until - since) // HOUR))
