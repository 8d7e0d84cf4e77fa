"""Each figure that the page of a site shows is the one that the API serves.

Sites of all kinds count from 23 March to 12 April 2026, with Good Friday and Easter
Monday; one lane froze for two nights, another all the time, and nobody has decided yet.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from html import unescape
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

import pytest
from starlette.testclient import TestClient

from analytics.jobs import case_hours, claims, estimates
from analytics.jobs.store import Store, open_store
from dashboards import render
from tests import parts, served
from tests.integration.test_pages import Tables
from tests.shown import sentences
from verkehrspuls.classes import CLASS_NAMES
from verkehrspuls.language import UNKNOWN_FIGURE, Language
from verkehrspuls.model import Channel, Installation, Sensor, Site, Town
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import Analytics

BERLIN: Final = ZoneInfo("Europe/Berlin")
FIRST: Final = datetime(2026, 3, 23, tzinfo=BERLIN).astimezone(UTC)
LAST: Final = datetime(2026, 4, 13, tzinfo=BERLIN).astimezone(UTC)
NOW: Final = datetime(2026, 4, 13, 10, tzinfo=UTC)
HOUR: Final = timedelta(hours=1)
SINCE: Final = datetime(2026, 1, 1, tzinfo=UTC)
NIGHTS: Final = (
    datetime(2026, 4, 7, 20, tzinfo=UTC),
    datetime(2026, 4, 9, 20, tzinfo=UTC),
)
DE: Final = Language("de")
#: digits after which the page rounds
SHARE: Final = 1


class Kind(NamedTuple):
    """A kind of site."""

    key: str
    quantity: str
    #: lanes by direction
    lanes: Mapping[str, int]
    scheme: str | None
    interval_s: int


KINDS: Final = {
    kind.key: kind
    for kind in (
        Kind("spuren", "motor", {"ost": 2, "west": 1}, "tls-8+1", 900),
        Kind("schleife", "motor", {"": 1}, "length-2", 3600),
        Kind("summe", "motor", {"aus": 1, "ein": 1}, "total", 3600),
        Kind("rad", "bicycle", {"her": 1, "hin": 1}, "bicycle", 3600),
        Kind("fuss", "pedestrian", {"": 1}, "pedestrian", 3600),
        Kind("tage", "motor", {"ost": 1, "west": 1}, "total", 86_400),
        Kind("starr", "motor", {"": 1}, "total", 3600),
    )
}
COLUMNS: Final = {
    "tls-8+1": (
        *("unclassified", "motorcycle", "car", "van", "car_trailer"),
        *("truck", "truck_trailer", "articulated", "bus"),
    ),
    "length-2": ("car", "truck"),
    "total": ("total",),
    "bicycle": ("bicycle",),
    "pedestrian": ("pedestrian",),
}
PERIODS: Final = {
    "day": ("2026-04-08", "2026-04-09"),
    "week with holidays": ("2026-03-30", "2026-04-06"),
    "weeks": ("2026-03-23", "2026-04-13"),
    "year": ("2025-04-13", "2026-04-13"),
}


def _channels(kind: Kind) -> list[tuple[str, str, int]]:
    """Key, direction and lane of each channel."""
    return [
        (f"{direction or 'alle'}-{lane}", direction, lane)
        for direction, lanes in kind.lanes.items()
        for lane in range(1, lanes + 1)
    ]


def _town() -> Town:
    sites = [
        Site(
            key=kind.key,
            name=kind.key.title(),
            latitude=49.44,
            longitude=7.77,
            speed_limit_kmh=50,
            channels=tuple(
                Channel(
                    key=key,
                    name=key,
                    quantity=kind.quantity,
                    direction=direction,
                    direction_name=direction.title(),
                    lane=lane,
                )
                for key, direction, lane in _channels(kind)
            )
            + (
                (Channel(key="no2", name="NO₂", quantity="no2_ugm3"),)
                * (kind.key == "spuren")
            ),
        )
        for kind in KINDS.values()
    ]
    sensors = [
        Sensor(
            key=kind.key,
            name=kind.key,
            interval_s=kind.interval_s,
            class_scheme=kind.scheme,
            installations=tuple(
                Installation(site=kind.key, channel=key, output=key, since=SINCE)
                for key, _, _ in _channels(kind)
            ),
        )
        for kind in KINDS.values()
    ]
    air = Installation(site="spuren", channel="no2", output="no2_ugm3", since=SINCE)
    sensors.append(
        Sensor(key="luft", name="Luft", interval_s=3600, installations=(air,))
    )
    return Town(
        key="gleichen",
        name="Gleichen",
        state="RP",
        latitude=49.44,
        longitude=7.77,
        sites=tuple(sites),
        sensors=tuple(sensors),
    )


def _counted(kind: Kind, time: datetime, place: int) -> dict[str, Any]:
    """What a lane counts in an interval, by column: never the same twice in a row."""
    local = time.astimezone(BERLIN)
    busy = 6 <= local.hour < 22
    quiet = local.isoweekday() == 7 or local.day in (3, 6)
    wave = int(time.timestamp() // kind.interval_s * 7) % 11 + 3 * place
    base = (120 if busy else 12) // (2 if quiet else 1) + 5 * (local.hour in (7, 16))
    columns = COLUMNS[kind.scheme or "total"]
    if kind.key == "starr":
        return dict.fromkeys(columns, 216)
    found: dict[str, Any] = {name: wave // 4 + n for n, name in enumerate(columns)}
    main = "car" if "car" in found else columns[0]
    found[main] = base + wave
    if kind.key == "spuren" and place == 2 and _is_frozen(time):
        found = dict.fromkeys(columns, 7) | {main: 216, "truck": 60}
    return found


def _is_frozen(time: datetime) -> bool:
    """Whether a lane is frozen."""
    return any(start <= time < start + 8 * HOUR for start in NIGHTS)


def _speeds(time: datetime, place: int) -> list[int]:
    """How fast vehicles drive on a lane, from 0 km/h: by lane, day and hour."""
    if place == 2 and _is_frozen(time):
        return [0] * 7 + [250, 0]
    local = time.astimezone(BERLIN)
    usual = 2 + place + (local.hour < 6) + 2 * (local.day % 7 == 1)
    return [{0: 30, 1: 9}.get(abs(usual - n), 1) for n in range(9)]


def _fill(store: Store) -> None:
    connection = store.connection
    connection.execute("select vp.ensure_range('count_reading', %s, %s)", (FIRST, LAST))
    connection.execute(
        "select vp.ensure_range('environment_reading', %s, %s)", (FIRST, LAST)
    )
    ids = {
        (site, key): (channel, sensor)
        for site, key, channel, sensor in connection.execute(
            "select s.key, c.key, c.channel_id, i.sensor_id from vp.channel c"
            " join vp.site s using (site_id) join vp.installation i using (channel_id)"
        )
    }
    stale = set()
    for kind in KINDS.values():
        names = COLUMNS[kind.scheme or "total"]
        listed = ", ".join(names)
        rows = []
        for place, (key, _, _) in enumerate(_channels(kind)):
            channel, sensor = ids[kind.key, key]
            time = FIRST
            while time < LAST:
                # a local day may have 23 hours
                step = timedelta(seconds=kind.interval_s)
                local = time.astimezone(BERLIN)
                after = (
                    (local + step).replace(hour=0).astimezone(UTC)
                    if kind.interval_s > 3600
                    else time + step
                )
                # an hour and a half is missing
                lacking = kind.key == "spuren" and local.day == 1 and local.hour == 9
                if not (lacking and local.minute < 30):
                    counts = _counted(kind, time, place)
                    speeds = _speeds(time, place) if kind.key == "spuren" else None
                    rows.append(
                        (
                            *(channel, time, int((after - time).total_seconds())),
                            *(sensor, after, 0 if speeds else None),
                            *(10 if speeds else None, speeds),
                            *(counts[name] for name in names),
                        )
                    )
                    stale.add((channel, time.replace(minute=0)))
                time = after
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into vp.count_reading (channel_id, time, interval_s, sensor_id,"
                " received_at, histogram_from_kmh, histogram_width_kmh, histogram,"
                f" {listed}) values ({', '.join(['%s'] * (8 + len(names)))})",
                rows,
            )
    channel, sensor = ids["spuren", "no2"]
    times = [FIRST + n * HOUR for n in range(int((LAST - FIRST) / HOUR))]
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into vp.environment_reading (channel_id, time, interval_s,"
            " sensor_id, received_at, value) values (%s, %s, 3600, %s, %s, %s)",
            [
                (channel, time, sensor, time + HOUR, 20 + (n * 7) % 31)
                for n, time in enumerate(times)
            ],
        )
        stale |= {(channel, time) for time in times}
        cursor.executemany(
            "insert into vp.stale_bucket values (%s, %s) on conflict do nothing",
            sorted(stale),
        )


@pytest.fixture(scope="module")
def client(_plain: parts.Databases) -> Iterator[TestClient]:
    with _plain.fresh() as url:
        with open_store(url, application="test") as store:
            register(store.connection, _town())
            with store.connection.transaction():
                _fill(store)
            while claims.process(store, Analytics(), now=NOW):
                pass
            while case_hours.judge(store, now=NOW):
                pass
            for made_at in (LAST - 24 * HOUR, LAST):
                estimates.put_forecasts(store, Analytics(), now=made_at)
        app = served.web(url, NOW)
        with TestClient(app) as client:
            yield client


class Place(NamedTuple):
    """A site in a period, as page and API tell of it."""

    client: TestClient
    kind: Kind
    first: str
    to: str

    def api(self, path: str, **query: Any) -> dict[str, Any]:
        asked = {"from": self.first, "to": self.to, "quantity": self.kind.quantity}
        address = f"/api/v1/sites/gleichen/{self.kind.key}/{path}"
        answer = self.client.get(address, params=asked | query)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def figures(self, kind: str, **query: Any) -> dict[str, dict[str, Any]]:
        found = self.api(f"figures/{kind}", **query)
        return {figure["name"]: figure for figure in found["figures"]}

    def page(self, **query: Any) -> str:
        asked = {"from": self.first, "to": self.to, "quantity": self.kind.quantity}
        address = f"/de/towns/gleichen/{self.kind.key}"
        answer = self.client.get(address, params=asked | query)
        assert answer.status_code == 200, answer.text
        return unescape(answer.text)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(params=PERIODS)
def site(request: pytest.FixtureRequest, client: TestClient, kind: Kind) -> Place:
    return Place(client, kind, *PERIODS[request.param])


class Shown(NamedTuple):
    """A key figure of a page."""

    value: str
    unit: str
    basis: str
    without: str


def shown(page: str) -> dict[str, Shown]:
    found = re.findall(
        r'<dt>([^<]+)</dt><dd class="value">([^<]+?)(?: <span class="unit">([^<]*)'
        r'</span>)?</dd><dd class="basis">([^<]*)</dd>'
        r'(?:\s*<dd class="basis without">([^<]*)</dd>)?',
        page,
    )
    return {name: Shown(*(part.strip() for part in parts)) for name, *parts in found}


def number(value: float | None, digits: int = 0) -> str:
    return DE.number(value, digits)


#: how the page tells key figures: kind and name at the API, and how it is written
KEY: Final[dict[str, tuple[str, str, Callable[[float | None], str]]]] = {
    DE.phrase("Daily traffic DTV"): ("means", "dtv", number),
    DE.phrase("Mean per day"): ("means", "mean_day", number),
    DE.phrase("Workday traffic DTVw5"): ("means", "dtv_w5", number),
    DE.phrase("Mean per workday"): ("means", "mean_workday", number),
    DE.phrase("Peak hour"): ("peaks", "peak_day", number),
    DE.phrase("Busiest full hour"): ("peaks", "clock_hour_day", number),
    DE.phrase("Peak hour factor"): ("peaks", "phf_day", lambda v: number(v, 2)),
    DE.phrase("Heavy traffic share"): (
        "means",
        "heavy_share",
        lambda v: DE.percent(v, 1),
    ),
    DE.phrase("Speed V85"): ("speeds", "v85", number),
}


def test_key_figures(site: Place) -> None:
    found = shown(site.page())
    days = site.api("series", bin="P1D", direction="all")["rows"]
    total = found.pop(DE.phrase("Sum in the period"))
    assert total.value == number(sum(row["volume"] or 0 for row in days))
    assert found
    for name, one in found.items():
        kind, key, written = KEY[name]
        query = {}
        if key == "v85" and site.first < "2026-03-13":
            # of the last 31 days of a longer period
            query = {"from": "2026-03-13"}
        served = site.figures(kind, **query)[key]
        assert one.value == written(served["value"]), name
        if served["value"] is None:
            assert one.basis == _reason(served["reason"]), name
        without = served["without_suspected"]
        if served["value"] is None or without is None:
            assert not one.without, name
            continue
        unit = f" {one.unit}" if one.unit and without["value"] is not None else ""
        assert one.without.endswith(f": {written(without['value'])}{unit}"), name


def _reason(served: Mapping[str, Any]) -> str:
    """The reason in German, as the API tells it."""
    return str(served["text"]["de"])


def test_heavy_traffic_is_told_where_the_scheme_tells_it(client: TestClient) -> None:
    for key, tells in (("spuren", True), ("schleife", False), ("summe", False)):
        one = Place(client, KINDS[key], *PERIODS["weeks"])
        share = shown(one.page())[DE.phrase("Heavy traffic share")]
        served = one.figures("means")["heavy_share"]
        assert (served["value"] is not None) is tells
        assert (share.value == UNKNOWN_FIGURE) is not tells
        if not tells:
            assert served["reason"]["code"] == "class-scheme"
            assert share.basis == _reason(served["reason"])


def table(page: str, name: str) -> list[list[str]]:
    return Tables(page).found.get(name, [])[1:]


def test_course_of_a_day(site: Place) -> None:
    rows = table(site.page(), DE.phrase("What does a usual day look like?"))
    served = site.api("figures/day-profile")["table"]["rows"]
    known = {(row["day_type"], row["hour"]): row for row in served}
    assert bool(rows) is bool(known)
    for hour, (_, *means, low, high) in enumerate(rows):
        for day_type, mean in zip(
            ("workday", "saturday", "sunday_or_holiday"), means, strict=True
        ):
            row = known.get((day_type, hour), {})
            assert mean == number(row.get("mean")), (day_type, hour)
        row = known.get(("workday", hour), {})
        assert (low, high) == (number(row.get("lower")), number(row.get("upper")))


def test_a_single_day_has_no_quantiles(client: TestClient) -> None:
    one = Place(client, KINDS["schleife"], *PERIODS["day"])
    rows = table(one.page(), DE.phrase("What does a usual day look like?"))
    assert {row[1] for row in rows} != {UNKNOWN_FIGURE}
    assert {tuple(row[-2:]) for row in rows} == {(UNKNOWN_FIGURE, UNKNOWN_FIGURE)}


def test_hours_of_the_week(site: Place) -> None:
    rows = table(site.page(), DE.phrase("On which weekdays and hours is it busy?"))
    served = site.api("figures/week-profile")["table"]["rows"]
    known = {(row["weekday"], row["hour"]): row["mean"] for row in served}
    one_day = site.to == PERIODS["day"][1]
    assert bool(rows) is (bool(known) and not one_day)
    for hour, (_, *means) in enumerate(rows):
        for weekday, mean in enumerate(means, start=1):
            assert mean == number(known.get((weekday, hour))), (weekday, hour)


def test_directions(site: Place) -> None:
    page = site.page()
    rows = table(page, DE.phrase("Which direction, and when?"))
    if len(site.kind.lanes) == 1 or site.kind.key == "tage":
        assert not rows
        return
    *hours, totals = rows
    counted = []
    for place, direction in enumerate(site.kind.lanes, start=1):
        served = site.api("figures/day-profile", direction=direction)["table"]["rows"]
        known = {
            row["hour"]: row["mean"] for row in served if row["day_type"] == "workday"
        }
        for hour, row in enumerate(hours):
            assert row[place] == number(known.get(hour)), (direction, hour)
        volumes = site.api("series", bin="PT1H", direction=direction)["rows"]
        counted.append(sum(row["volume"] or 0 for row in volumes))
        assert totals[place] == number(counted[-1])
    shares = re.findall(r"(\S+\s%) des Verkehrs", page)
    expected = [DE.percent(volume / sum(counted)) for volume in counted]
    # after these those without what is suspected; none where no workday is known
    assert shares[: len(counted)] == (expected if shares else [])


def test_classes(site: Place) -> None:
    rows = table(site.page(), DE.phrase("Which vehicles?"))
    served = site.api("figures/classes")["table"]["rows"]
    known = {
        DE.phrase(CLASS_NAMES[row["name"]]): row
        for row in served
        if row["name"] in CLASS_NAMES and row["volume"] is not None
    }
    assert [name for name, _, _ in rows] == (list(known) if len(known) > 1 else [])
    for name, volume, share in rows:
        assert volume == number(known[name]["volume"])
        assert share == DE.percent(known[name]["share"], SHARE)


def test_days(site: Place) -> None:
    rows = table(site.page(), DE.phrase("Day by day"))
    served = site.api("series", bin="P1D", direction="all")["rows"]
    assert [row[0] for row in rows] == [
        DE.day(datetime.fromisoformat(row["day"]).date()) for row in served
    ]
    for row, known in zip(rows, served, strict=True):
        heavy = known["heavy"]
        share = heavy / known["volume"] if heavy is not None else None
        assert row[1:5] == [
            number(known["volume"]),
            number(known["volume_normalised"]),
            DE.percent(share, 1),
            number(known["peak_volume"]),
        ]
        assert row[6] == DE.percent(known["observed"])
        assert row[7] == DE.phrase("yes" if known["valid"] else "no")


@pytest.mark.parametrize("step", ["PT15M", "PT1H", "P1D"])
def test_series(client: TestClient, kind: Kind, step: str) -> None:
    days = ("2026-03-31", "2026-04-02" if step == "PT15M" else "2026-04-05")
    one = Place(client, kind, *days)
    page = one.page(bin=step)
    rows = table(page, DE.phrase("How much traffic, and when?"))
    if kind.interval_s > 3600:
        step = "P1D"
    served = one.api("series", bin=step)["rows"]
    by_time: dict[str, dict[str, dict[str, Any]]] = {}
    for row in served:
        by_time.setdefault(row.get("time") or row["day"], {})[row["direction"]] = row
    for known, row in zip(by_time.values(), _with_values(rows), strict=True):
        width = 2 if len(row) == 1 + 2 * len(kind.lanes) else 3
        for place, direction in enumerate(kind.lanes):
            volume, observed = row[1 + width * place : 3 + width * place]
            served_row = known.get(direction, {"volume": None, "observed": 0})
            assert volume == number(served_row["volume"])
            assert observed == DE.percent(served_row["observed"])


def _with_values(rows: list[list[str]]) -> list[list[str]]:
    """Rows of intervals that something is told of."""
    return [row for row in rows if set(row[1::2]) != {UNKNOWN_FIGURE}]


def test_where_figures_come_from(site: Place) -> None:
    observed = re.search(rf"<li>{DE.phrase('observed')}: ([^<]+)</li>", site.page())
    assert observed
    served = site.api("series", bin="P1D", direction="all")
    length = (date.fromisoformat(site.to) - date.fromisoformat(site.first)).days
    share = sum(row["observed"] or 0 for row in served["rows"]) / length
    assert observed[1] == DE.percent(share, 1)
    # the API's is rounded
    assert served["passport"]["observed"] == pytest.approx(share, abs=1e-4)


def test_hours_of_the_environment(client: TestClient) -> None:
    days = ("2026-03-31", "2026-04-05")
    one = Place(client, KINDS["spuren"], *days)
    page = client.get(
        "/de/towns/gleichen/spuren", params={"from": days[0], "to": days[1]}
    )
    rows = table(unescape(page.text), DE.quantity("no2_ugm3"))
    served = one.api("series", bin="PT1H", quantity="no2_ugm3")["rows"]
    for row, known in zip(rows, served, strict=True):
        assert row[1:] == [
            number(known["mean"], 1),
            number(known["minimum"], 1),
            number(known["maximum"], 1),
            DE.percent(known["observed"]),
        ]


def _signed(share: float) -> str:
    return ("+" if share > 0 else "") + DE.percent(share, 1)


def _change(change: Mapping[str, Any]) -> list[str]:
    """What is written of a change, in this order."""
    if change["value"] is None:
        return [_reason(change["reason"])]
    found = [_signed(change[name]) for name in ("value", "lower", "upper")]
    if not change["clear"]:
        found.append(DE.percent(change["detectable"], 1))
    found.append(number(change["days_paired"]))
    return [*found, *([number(change["days_unlike"])] if change["days_unlike"] else [])]


WITHOUT: Final = DE.phrase(
    "Without hours in which a fault is suspected: %(sentence)s", sentence=""
)
COMPARED: Final = (
    ("day", "previous"),
    ("week with holidays", "previous"),
    ("weeks", "last-year"),
    ("weeks", "site"),
)


@pytest.mark.parametrize(("period", "compare"), COMPARED)
def test_comparison(client: TestClient, kind: Kind, period: str, compare: str) -> None:
    one = Place(client, kind, *PERIODS[period])
    first = date.fromisoformat(one.first)
    last = date.fromisoformat(one.to) - timedelta(days=1)
    query = {"first": str(first), "last": str(last), "quantity": kind.quantity}
    if compare == "site":
        alike = [k.key for k in KINDS.values() if k.quantity == kind.quantity]
        other = next((key for key in alike if key != kind.key), None)
        if other is None:
            # a page offers no site that counts something else
            assert 'value="site:' not in one.page()
            return
        compare = f"site:{other}"
        query["with_site"] = other
    elif compare == "previous":
        weeks = timedelta(weeks=-(-((last - first).days + 1) // 7))
        query |= {"with_first": str(first - weeks), "with_last": str(last - weeks)}
    address = f"/api/v1/sites/gleichen/{kind.key}/compare"
    answer = client.get(address, params=query)
    assert answer.status_code == 200, answer.text
    served = answer.json()
    sentence = re.search(r'id="comparison">([^<]+)<', one.page(compare=compare))
    assert sentence
    expected = _change(served["change"])
    without = served["change_without_suspected"]
    assert (WITHOUT in sentence[1]) is (without is not None)
    if without is not None:
        expected += _change(without)
    place = 0
    for text in expected:
        place = sentence[1].find(text, place)
        assert place >= 0, (text, sentence[1])
        place += len(text)


def test_forecast(client: TestClient, kind: Kind) -> None:
    web: Any = client.app
    before = web.dependency_overrides[render.now]
    web.dependency_overrides[render.now] = lambda: LAST
    query = {"quantity": kind.quantity}
    try:
        answer = client.get(f"/de/towns/gleichen/{kind.key}", params=query)
    finally:
        web.dependency_overrides[render.now] = before
    page = unescape(answer.text)
    served = client.get(
        f"/api/v1/sites/gleichen/{kind.key}/forecast", params=query
    ).json()
    coming = [row for row in served["intervals"] if row["interval_s"] == 3600]
    assert bool(coming) is (kind.interval_s <= 3600)
    assert table(page, DE.phrase("How much traffic is expected?")) == [
        [
            DE.hour(datetime.fromisoformat(row["time"]), "Europe/Berlin"),
            *(number(row[name]) for name in ("volume", "low", "high")),
        ]
        for row in coming
    ]
    if not coming:
        return
    text = sentences(page)["forecast"]
    most = max(coming, key=lambda row: row["volume"])
    unit = DE.unit(kind.quantity)
    assert f"{number(coming[0]['volume'])} {unit}" in text
    assert f"{number(most['volume'])} {unit}" in text
    errors = {
        row["lead_s"]: row["wape"]
        for row in served["errors"]
        if row["interval_s"] == 3600 and row["wape"] is not None
    }
    assert errors
    assert DE.percent(errors[min(errors)]) in text


def test_a_value_that_is_wholly_suspected_has_no_unit(client: TestClient) -> None:
    one = Place(client, KINDS["starr"], *PERIODS["week with holidays"])
    found = shown(one.page())
    total = found[DE.phrase("Sum in the period")]
    assert total.value == number(216 * 24 * 7)
    for name in (DE.phrase("Sum in the period"), DE.phrase("Mean per day")):
        assert found[name].without.endswith(f": {UNKNOWN_FIGURE}"), name
    assert f"{UNKNOWN_FIGURE} Kfz" not in one.page()


def test_sentences_of_profile_and_week(site: Place) -> None:
    """Their values stand in their tables."""
    page = site.page()
    sentences_of_page = sentences(page)
    unit = re.escape(DE.unit(site.kind.quantity))
    for key, heading in (
        ("profile", "What does a usual day look like?"),
        ("week", "On which weekdays and hours is it busy?"),
    ):
        cells = {cell for row in table(page, DE.phrase(heading)) for cell in row}
        # what is said without suspected hours stands in no table
        of_all = sentences_of_page.get(key, "").partition(WITHOUT)[0]
        numbers = set(re.findall(rf"([\d.]+) {unit}", of_all))
        assert numbers <= cells, key
        whole = site.first == PERIODS["weeks"][0] and site.kind.interval_s <= 3600
        assert numbers or not whole


def test_sentence_of_the_series(site: Place) -> None:
    text = sentences(site.page(bin="P1D"))["series"]
    rows = site.api("series", bin="P1D")["rows"]
    whole = [
        row["volume_normalised"]
        for row in rows
        if row["valid"] and row["direction"] in site.kind.lanes
    ]
    assert whole
    unit = DE.unit(site.kind.quantity, "day")
    assert f"{number(max(whole))} {unit}" in text


def test_sentence_of_the_classes(site: Place) -> None:
    text = sentences(site.page()).get("classes", "").partition(WITHOUT)[0]
    served = site.api("figures/classes")["table"]["rows"]
    shares = [
        row["share"]
        for row in served
        if row["name"] in CLASS_NAMES and row["share"] is not None
    ]
    heavy = site.figures("means")["heavy_share"]["value"]
    assert bool(text) is (len(shares) > 1)
    if text:
        percentages = re.findall(r"[\d,]+\s%", text)
        assert percentages == [
            DE.percent(share, 1) for share in (max(shares), heavy) if share is not None
        ]
