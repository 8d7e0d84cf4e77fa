"""A small world of figures for tests of API, exports and pages.

Two public sites and a private one in Kaiserslautern, and a town with a private site
only. Figures of 1 to 3 March 2026 (UTC), and of 25 October, the day of 25 hours.
The volume of an hour is 10 times its number in the day and the number of the channel.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Final

from analytics.volumes.daily import METHOD
from verkehrspuls.model import (
    Arm,
    Channel,
    Corridor,
    Installation,
    Junction,
    Sensor,
    Site,
    Station,
    Town,
)
from verkehrspuls.registry.towns import register
from verkehrspuls.storage.database import Connection, connect

SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
FIRST: Final = datetime(2026, 3, 1, tzinfo=UTC)
LAST: Final = datetime(2026, 3, 4, tzinfo=UTC)
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
        Corridor(
            key="nordtangente-ost",
            name="Nordtangente",
            stations=(
                Station(site="pariser-strasse", direction="ost", chainage_m=0),
                Station(site="radweg", direction="", chainage_m=1200),
            ),
        ),
    ),
    junctions=(
        Junction(
            key="mainzer-tor",
            name="Mainzer Tor",
            arms=(
                Arm(site="pariser-strasse", direction="ost", leads="in"),
                Arm(site="pariser-strasse", direction="west", leads="out"),
            ),
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


def build(url: str) -> None:
    """Put the world into a migrated, empty database."""
    with connect(url) as connection:
        register(connection, TOWN)
        register(connection, SECRET_TOWN)
        ids = _channel_ids(connection)
        _volumes(connection, ids)
        _days(connection)
        _environment(connection, ids)
        _cases(connection, ids)
        _ledger(connection)


def _channel_ids(connection: Connection) -> dict[tuple[str, str, str], int]:
    rows = connection.execute(
        "select m.key, s.key, c.key, c.channel_id from vp.channel c "
        "join vp.site s using (site_id) join vp.municipality m using (municipality_id)"
    )
    return {(town, site, channel): found for town, site, channel, found in rows}


def _volumes(connection: Connection, ids: dict[tuple[str, str, str], int]) -> None:
    hours = [FIRST + timedelta(hours=n) for n in range(72)]
    hours += [AUTUMN + timedelta(hours=n) for n in range(25)]
    rows = []
    for number, ((_, _, key), channel_id) in enumerate(sorted(ids.items()), start=1):
        if key == "no2":
            continue
        for hour in hours:
            # the second lane fell silent on the third day
            if key == "ost-2" and hour >= datetime(2026, 3, 3, tzinfo=UTC):
                continue
            volume = 10 * hour.hour + number
            rows.append((channel_id, 3600, hour, 3600, volume, key))
            rows += [
                (channel_id, 900, hour + timedelta(minutes=m), 900, volume // 4, key)
                for m in (0, 15, 30, 45)
            ]
    for first, last in ((FIRST, LAST), (AUTUMN, AUTUMN + timedelta(hours=25))):
        connection.execute("select vp.ensure_range('volume', %s, %s)", [first, last])
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into vp.volume (channel_id, interval_s, time, observed_s, volume,"
            " car, truck, bicycle, speed_kmh, usual, usual_spread, gap_s, valid) values"
            " (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0, true)",
            [
                (
                    *(channel_id, seconds, time, observed_s, volume),
                    *(
                        (None, None, volume, None)
                        if key == "alle"
                        else (volume - min(1, volume), min(1, volume), None, 47.3)
                    ),
                    *((volume + 5.5, 3.0) if seconds == 3600 else (None, None)),
                )
                for channel_id, seconds, time, observed_s, volume, key in rows
            ],
        )


def _days(connection: Connection) -> None:
    for day in (date(2026, 3, 1), date(2026, 3, 2), date(2026, 3, 3)):
        for direction, volume in (("ost", 4000), ("west", 2000), ("all", 6000)):
            whole = day.day < 3
            connection.execute(
                "insert into vp.daily_figure (site_id, quantity, direction, day,"
                " volume, volume_normalised, volume_estimated, heavy, speed_kmh,"
                " peak_hour, peak_volume,"
                " expected, observed, normalised, imputed, excluded, valid, method)"
                " select s.site_id, 'motor', %s, %s, %s, %s, %s, 48, 47.3, %s, 464,"
                " 1, %s, 0.1, 0, 0, %s, %s"
                " from vp.site s where s.key = 'pariser-strasse'",
                [
                    *(direction, day, volume, volume * 1.05, volume * 1.05),
                    FIRST.replace(day=day.day, hour=22),
                    *(1.0 if whole else 0.5, whole, METHOD),
                ],
            )


def _environment(connection: Connection, ids: dict[tuple[str, str, str], int]) -> None:
    channel_id = ids["kaiserslautern", "pariser-strasse", "no2"]
    connection.execute(
        "select vp.ensure_range('environment_hour', %s, %s)", [FIRST, LAST]
    )
    for n in range(48):
        connection.execute(
            "insert into vp.environment_hour values (%s, %s, 3000, %s, -0.5, %s)",
            [channel_id, FIRST + timedelta(hours=n), 20.5 + n, 60.25 + n],
        )


def _cases(connection: Connection, ids: dict[tuple[str, str, str], int]) -> None:
    for key, site, began, detector, reason, withdrawn in (
        ("ost-2", "pariser-strasse", 2, "silence", "silent", None),
        ("ost-1", "pariser-strasse", 1, "unusual-volume", "above-usual", RECEIVED),
        ("tor", "hof", 1, "unusual-volume", "below-usual", None),
    ):
        connection.execute(
            "insert into vp.anomaly_case (site_id, channel_id, detector, began, ended,"
            " observed, usual, score, reason, opened_at, updated_at, withdrawn_at)"
            " select site_id, channel_id, %s, %s, %s, 0, 117.5, 6.25, %s, %s, %s,"
            " %s from vp.channel where channel_id = %s",
            [
                detector,
                FIRST.replace(day=began, hour=23),
                FIRST.replace(day=began + 1, hour=23),
                *(reason, RECEIVED, RECEIVED, withdrawn),
                ids["kaiserslautern", site, key],
            ],
        )
    connection.execute(
        "insert into vp.case_member (anomaly_case_id, channel_id, detector, began,"
        " ended, observed, usual, score, reason, withdrawn_at) select anomaly_case_id,"
        " channel_id, detector, began, ended, observed, usual, score, reason,"
        " withdrawn_at from vp.anomaly_case"
    )


def _ledger(connection: Connection) -> None:
    hour = RECEIVED.replace(minute=0, second=0)
    for slot in (0, 1):
        connection.execute(
            "insert into vp.ledger select %s, sensor_id, %s, %s,"
            " 12, 10, 1, 1, 0, 40, 30, 5, 2, 3 from vp.sensor",
            [slot, hour, RECEIVED - timedelta(seconds=slot)],
        )
    connection.execute(
        "insert into vp.ledger values (0, null, %s, %s, 4, 0, 0, 0, 4, 0, 0, 0, 0, 0)",
        [hour, RECEIVED],
    )
    connection.execute(
        "select vp.ensure_range('rejected_message', %s, %s)", [hour, RECEIVED]
    )
    connection.execute(
        "insert into vp.rejected_message (received_at, slot, topic, payload,"
        " payload_bytes, reason, detail, readings_rejected)"
        " values (%s, 0, 'vp/v1/x/y/counts', 'x', 1, 'unreadable', 'secret detail', 0)",
        [RECEIVED],
    )
    connection.execute(
        "insert into vp.ledger_reject values (0, null, %s, 'unreadable', 3, 1, 0)",
        [hour],
    )
    columns = connection.execute("select * from vp.ledger_sum").description or []
    sums = ", ".join(f"sum({column.name})" for column in columns[2:])
    connection.execute(
        f"insert into vp.ledger_sum select slot, municipality_id, {sums} from vp.ledger"
        " left join vp.sensor using (sensor_id) group by slot, municipality_id"
    )
    connection.execute(
        "insert into vp.ledger_reject_sum values (0, 'unreadable', 3, 1)"
    )
    connection.execute(
        "insert into vp.stale_bucket values (1, %s), (2, %s)", [hour] * 2
    )
    connection.execute(
        "insert into vp.newest_reading select * from (select channel_id,"
        " vp.newest_reading(channel_id, now()) as time from vp.channel) newest"
        " where time is not null"
    )
