"""Every figure that the page of a station shows is the API's."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from math import log10
from statistics import fmean
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from starlette.testclient import TestClient

from dashboards.app import create_web
from dashboards.pages.site.environment import INDEX
from tests import parts, shown
from tests.parts import as_web
from tests.towns import linz
from verkehrspuls.language import Language
from verkehrspuls.model import Channel, Site
from verkehrspuls.quantities import ENVIRONMENT
from verkehrspuls.registry.towns import register
from verkehrspuls.settings import load
from verkehrspuls.storage.database import Connection, connect

BERLIN = ZoneInfo("Europe/Berlin")
DE = Language("de")
#: midnight in Berlin, a day before the period
START = datetime(2026, 11, 1, 23, tzinfo=UTC)
HOURS = 3 * 24
PERIOD = {"from": "2026-11-03", "to": "2026-11-05"}
VALUES = {
    "no2_ugm3": lambda n: 20 + n % 30,
    # an evening of much ozone, whose running means reach into the period
    "o3_ugm3": lambda n: 200 if 17 <= n < 24 else 40 + n % 7,
    "laeq_db": lambda n: 65 if 6 <= n % 24 < 22 else 50 + n % 3,
    "wind_ms": lambda n: 0.5 + n % 5,
    "wind_deg": lambda n: n * 25 % 360,
}
#: quantities with two channels, of which pages draw the first
TWICE = ("wind_ms",)
TOWN = linz(
    Site(
        key="station",
        name="Station",
        channels=tuple(
            Channel(key=f"{key.replace('_', '-')}{n}", name=key, quantity=key)
            for key in VALUES
            for n in range(2 if key in TWICE else 1)
        ),
    ),
)
LEVELS = ("lden", "lday", "levening", "lnight")


@pytest.fixture(scope="module")
def web(_plain: parts.Databases) -> Iterator[TestClient]:
    with _plain.fresh() as url:
        with connect(url) as connection:
            register(connection, TOWN)
            fill(connection)
        with TestClient(
            create_web(load({"VERKEHRSPULS_DATABASE__URL": as_web(url)}))
        ) as web:
            yield web


def fill(connection: Connection) -> None:
    connection.execute(
        "select vp.ensure_range('environment_hour', %s, %s)",
        [START, START + timedelta(hours=HOURS)],
    )
    channels = connection.execute("select quantity, key, channel_id from vp.channel")
    rows = [
        (channel, START + timedelta(hours=n), 3600, mean, mean - 1, mean + 2)
        for quantity, key, channel in channels.fetchall()
        for n in range(HOURS)
        # an hour is missing
        if n != 40
        for mean in (VALUES[quantity](n) + (2 if key.endswith("1") else 0),)
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into vp.environment_hour values (%s, %s, %s, %s, %s, %s)", rows
        )


@pytest.fixture(scope="module")
def page(web: TestClient) -> str:
    found = web.get("/de/towns/linz/station", params=PERIOD | {"bin": "PT1H"})
    assert found.status_code == 200
    return found.text


def ask(web: TestClient, path: str, **query: str) -> Any:
    found = web.get(f"/api/v1/sites/linz/station/{path}", params=PERIOD | query)
    assert found.status_code == 200, found.text
    return found.json()


def of_air(web: TestClient) -> list[list[str]]:
    hours = ask(web, "air")["index"]["hours"]
    counted = Counter(row["level"] for row in hours)
    return [
        [
            DE.phrase(name),
            shown.german(counted[level]),
            DE.percent(counted[level] / len(hours), 1),
        ]
        for level, name in enumerate(INDEX.classes)
    ]


def of_limits(web: TestClient) -> list[list[str]]:
    """Value, greatest, finding, above, allowed, and what was observed; sorted."""
    words = {True: "met", False: "not met", None: "unknown"}
    return sorted(
        [
            f"{shown.german(row['value'])} µg/m³",
            shown.german(row["greatest"], 1),
            DE.phrase(words[row["met"]]),
            shown.german(row["exceeded"]),
            shown.german(row["allowed"]),
            DE.percent(row["capture"]),
        ]
        for row in ask(web, "air")["comparison"]
    )


def of_noise(web: TestClient) -> list[list[str]]:
    found = ask(web, "noise")
    (levels,) = found["levels"]
    return [
        *(
            [
                DE.day(date.fromisoformat(row["day"])),
                *(shown.german(row[level], 1) for level in LEVELS),
            ]
            for row in found["days"]
        ),
        [
            DE.phrase("Energetic mean"),
            *(shown.german(levels[level], 1) for level in LEVELS),
        ],
    ]


def of_wind(web: TestClient) -> list[list[str]]:
    """Shares by speed class of each sector, and of all of them."""
    found = ask(web, "wind")
    shares = {
        (row["sector"], row["speed_class"]): row["share"] for row in found["rose"]
    }
    rows = []
    for sector in range(found["sectors"]):
        by_class = [
            shares.get((sector, n), 0.0) for n in range(len(found["classes_ms"]) + 1)
        ]
        rows.append([DE.percent(one, 1) for one in (*by_class, sum(by_class))])
    return rows


def of_first(web: TestClient, quantity: str) -> list[dict[str, Any]]:
    """Hours with a value of the first channel."""
    rows = ask(web, "series", quantity=quantity, bin="PT1H")["rows"]
    first = min(row["channel"] for row in rows)
    return [row for row in rows if row["channel"] == first and row["mean"] is not None]


def of_values(web: TestClient, quantity: str) -> list[list[str]]:
    return [
        [
            *(shown.german(row[name], 1) for name in ("mean", "minimum", "maximum")),
            DE.percent(row["observed"]),
        ]
        for row in of_first(web, quantity)
    ]


AIR, LIMITS = (
    "Wie gut ist die Luft?",
    DE.phrase("How does the air compare with limits?"),
)
NOISE = DE.phrase("How loud are day, evening and night?")
WIND = DE.phrase("Where does the wind come from?")


def test_each_table_of_the_page_is_compared(page: str) -> None:
    values = {DE.quantity(quantity) for quantity in VALUES}
    assert shown.tables(page).keys() >= {AIR, LIMITS, NOISE, WIND} | values
    charts = shown.tables(page).keys() - {AIR, LIMITS, NOISE, WIND} - values
    # the health of channels has a test of its own
    assert charts <= {DE.phrase("How good is the data?")}, charts


def test_classes_of_the_air_are_the_apis(web: TestClient, page: str) -> None:
    assert shown.tables(page)[AIR] == of_air(web)
    newest = ask(web, "air")["index"]["hours"][-1]
    text = shown.sentences(page)["air"]
    assert f"{DE.phrase(INDEX.classes[newest['level']])}, " in text
    assert DE.quantity(newest["decides"]) in text


def test_limits_look_back_as_the_api_does(web: TestClient, page: str) -> None:
    """An evening before the period exceeds eight-hour means of its first day."""
    rows = shown.tables(page)[LIMITS]
    assert sorted(row[2:8] for row in rows) == of_limits(web)
    (ozone,) = (
        row
        for row in ask(web, "air")["comparison"]
        if (row["quantity"], row["average"], row["standard"])
        == ("o3_ugm3", "max_8h", "39-bimschv")
    )
    assert ozone["exceeded"] == 1


def test_noise_is_the_apis(web: TestClient, page: str) -> None:
    assert shown.tables(page)[NOISE] == of_noise(web)


def test_sentence_of_noise_is_the_apis(web: TestClient, page: str) -> None:
    (levels,) = ask(web, "noise")["levels"]
    text = shown.sentences(page)["noise"]
    assert shown.numbers(text) == [
        shown.german(levels["lden"], 1),
        shown.german(levels["days_lden"]),
        *(shown.german(levels[level], 1) for level in LEVELS[1:]),
    ]


def test_wind_is_the_apis(web: TestClient, page: str) -> None:
    assert [row[1:] for row in shown.tables(page)[WIND]] == of_wind(web)


def test_sentence_of_wind_is_the_apis(web: TestClient, page: str) -> None:
    shares: Counter[int] = Counter()
    calm = 0.0
    for row in ask(web, "wind")["rose"]:
        if row["sector"] is None:
            calm += row["share"]
        else:
            shares[row["sector"]] += row["share"]
    most, share = max(sorted(shares.items()), key=lambda item: item[1])
    name = shown.tables(page)[WIND][most][0]
    assert shown.sentences(page)["wind"] == " ".join(
        (
            DE.phrase(
                "Most often from %(direction)s (%(share)s of the hours).",
                direction=name,
                share=DE.percent(share),
            ),
            DE.phrase("In %(calm)s of the hours it is calm.", calm=DE.percent(calm))
            if calm
            else DE.phrase("It is never calm."),
        )
    )


@pytest.mark.parametrize("quantity", VALUES)
def test_values_are_the_apis(web: TestClient, page: str, quantity: str) -> None:
    rows = shown.tables(page)[DE.quantity(quantity)]
    assert [row[1:] for row in rows] == of_values(web, quantity)


@pytest.mark.parametrize("quantity", VALUES)
def test_sentences_of_values_are_the_apis(
    web: TestClient, page: str, quantity: str
) -> None:
    rows = of_first(web, quantity)
    means = [row["mean"] for row in rows]
    over: dict[str, list[str]] = {
        "arithmetic": [shown.german(fmean(means), 1), shown.german(max(means), 1)],
        "energetic": [
            shown.german(10 * log10(fmean(10 ** (mean / 10) for mean in means)), 1),
            shown.german(max(means), 1),
        ],
        "circular": [shown.german(means[-1])],
    }
    text = shown.sentences(page)[quantity.replace("_", "-")]
    numbers = shown.numbers(text)
    found = over[ENVIRONMENT[quantity].mean]
    assert numbers[: len(found)] == found
    observed = sum(row["observed"] for row in rows) / 48
    assert DE.percent(observed) in text
