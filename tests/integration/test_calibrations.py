"""Calibration factors: registered by date, applied to figures, raw readings stay."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest
from fastapi.testclient import TestClient

from tests import served
from tests.integration.test_analytics import Bench, T
from tests.towns import TOWN
from verkehrspuls.errors import UsageError
from verkehrspuls.registry import edit
from verkehrspuls.registry.files import formats, load
from verkehrspuls.registry.registration import Entry, difference, entries
from verkehrspuls.registry.swap import swapped

HOUR = timedelta(hours=1)


@pytest.fixture
def bench(plain_bench: Bench) -> Bench:
    plain_bench.count([100] * 12, interval_s=900)
    plain_bench.compute()
    return plain_bench


def entry_of(bench: Bench) -> Entry:
    town = edit.read(bench.connection, TOWN.key)
    return next(
        entry
        for entry, fields in entries(town).items()
        if entry.kind == "installation" and fields["channel"] == "in"
    )


def calibrate(bench: Bench, *factors: dict[str, Any]) -> None:
    with bench.connection.transaction():
        fields = {"calibrations": list(factors)}
        key = entry_of(bench).key
        edit.change_entry(bench.connection, TOWN.key, "installation", key, fields)


def hours(bench: Bench) -> list[int]:
    return [bench.hour(T + n * HOUR)[0] for n in range(3)]  # type: ignore[index]


def test_figures_follow_a_factor_from_its_date_and_back(bench: Bench) -> None:
    raw = bench.rows("select * from count_reading order by channel_id, time")
    assert hours(bench) == [400, 400, 400]
    since = (T + HOUR).isoformat()
    calibrate(bench, {"since": since, "factor": 1.05, "uncertainty": 0.02})
    assert bench.compute() > 0
    assert hours(bench) == [400, 420, 420]
    later = {"since": (T + 2 * HOUR).isoformat(), "factor": 0.9}
    calibrate(bench, {"since": since, "factor": 1.05}, later)
    bench.compute()
    assert hours(bench) == [400, 420, 360]
    calibrate(bench)
    bench.compute()
    assert hours(bench) == [400, 400, 400]
    assert bench.rows("select * from count_reading order by channel_id, time") == raw


def test_pages_and_passports_say_which_factor_holds(bench: Bench) -> None:
    factor = {"factor": 1.05, "uncertainty": 0.02, "source": "manual count 7"}
    calibrate(bench, {"since": (T + HOUR).isoformat(), **factor})
    bench.compute()
    with TestClient(served.web(bench.url, T + 4 * HOUR)) as client:
        days = f"from={T:%Y-%m-%d}&until={T:%Y-%m-%d}"
        page = client.get(f"/de/towns/{TOWN.key}/b420?{days}").text
        told = f"einwärts seit {T:%d.%m.%Y} mal 1,050 ± 0,020 (95 %)"
        assert f"Die Zählwerte sind kalibriert: {told}." in page
        assert f"<li>kalibriert: {told}</li>" in page
        period = {"from": f"{T:%Y-%m-%d}", "to": f"{T + 24 * HOUR:%Y-%m-%d}"}
        for asked in ("series", "figures/peaks"):
            found = client.get(
                f"/api/v1/sites/{TOWN.key}/b420/{asked}", params=period
            ).json()
            passport = found.get("passport") or found["figures"][0]["passport"]
            (applied,) = passport["calibrations"]
            assert applied.items() >= {**factor, "channel": "in"}.items()
            assert (applied["since"], applied["until"]) == (
                f"{T + HOUR:%Y-%m-%dT%H:%M:%SZ}",
                None,
            )
        before = {"from": (T - HOUR).isoformat(), "to": T.isoformat()}
        found = client.get(f"/api/v1/sites/{TOWN.key}/b420/series", params=before)
        assert found.json()["passport"]["calibrations"] == []


def test_a_factor_is_refused_where_it_makes_no_sense(bench: Bench) -> None:
    later, earlier = (
        {"since": (T + n * HOUR).isoformat(), "factor": 1.1} for n in (2, 1)
    )
    with pytest.raises(UsageError, match="in order of time"):
        calibrate(bench, later, earlier)
    with pytest.raises(UsageError, match=r"below 0\.2"):
        calibrate(bench, later | {"factor": 0})


def test_factors_survive_export_and_import(bench: Bench) -> None:
    since = "2026-03-02T08:00:00Z"
    calibrate(
        bench, {"since": since, "factor": 1.05, "uncertainty": 0.02, "source": "Nr. 1"}
    )
    town = edit.read(bench.connection, TOWN.key)
    assert "1.05" in msgspec.json.encode(town).decode()
    for name, kind in formats().items():
        data = kind.write(town)
        found = load.content(data, kind.media_types[0])
        assert difference(town, load.town_of(found, None)) == [], name


def test_another_device_begins_without_a_factor(bench: Bench) -> None:
    calibrate(bench, {"since": T.isoformat(), "factor": 1.05})
    town = edit.read(bench.connection, TOWN.key)
    sensor = entry_of(bench).key.partition("/")[0]
    after = swapped(town, sensor, "another", {}, at=T + HOUR)
    old, new = (
        next(s for s in after.sensors if s.key == key) for key in (sensor, "another")
    )
    assert [len(each.calibrations) for each in old.installations] == [1, 0]
    assert [len(each.calibrations) for each in new.installations] == [0, 0]
