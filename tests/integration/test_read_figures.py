"""What storage reads of figures, sites and cases, from `tests.world`."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
import pytest

from analytics.flow import classes
from analytics.volumes.daily import METHOD
from tests import world
from tests.cases import Finding, open_case
from tests.parts import as_reader
from verkehrspuls.errors import UnknownKey
from verkehrspuls.storage.case_lists import list_cases
from verkehrspuls.storage.database import Shown, connect
from verkehrspuls.storage.days import read_daily_figures
from verkehrspuls.storage.environment import read_environment
from verkehrspuls.storage.ledger_hours import list_ledger
from verkehrspuls.storage.named import queries
from verkehrspuls.storage.operation import OfReason, read_state
from verkehrspuls.storage.sensors import list_sensors
from verkehrspuls.storage.sites import list_municipalities, list_sites, read_site
from verkehrspuls.storage.speeds import read_speed_histograms
from verkehrspuls.storage.volumes import (
    read_class_sums,
    read_flows,
    read_latest,
    read_volumes,
    read_volumes_of_sites,
)

HOUR = timedelta(hours=1)
DAY_3 = datetime(2026, 3, 3, tzinfo=UTC)


def site_id(url: str, key: str) -> int:
    with connect(url) as connection:
        found = read_site(connection, "kaiserslautern", key)
        return found.site_id


def volumes(url: str, *, key: str = "pariser-strasse", **given: Any) -> pl.DataFrame:
    asked: dict[str, Any] = {
        "quantity": "motor",
        "start": DAY_3 - timedelta(hours=1),
        "end": DAY_3 + timedelta(hours=1),
        "interval_s": 3600,
    }
    return read_volumes(url, site_id=site_id(url, key), **{**asked, **given})


def test_only_what_is_shown_is_found(url: str) -> None:
    with connect(url) as connection:
        assert [s.key for s in list_sites(connection)].count("hof") == 2
    with psycopg.connect(as_reader(url)) as connection:
        assert [m.key for m in list_municipalities(connection)] == ["kaiserslautern"]
        assert [s.key for s in list_sites(connection)] == [
            "pariser-strasse",
            "radweg",
        ]
        with pytest.raises(UnknownKey):
            read_site(connection, "kaiserslautern", "hof")
        assert {c.site for c in list_cases(connection, standing=None)} == {
            "pariser-strasse"
        }
        assert "gate" not in {s.key for s in list_sensors(connection)}


def test_figures_of_a_hidden_site_are_not_read_by_its_number(url: str) -> None:
    hidden = site_id(url, "hof")
    hours: dict[str, Any] = {
        "site_id": hidden,
        "quantity": "motor",
        "start": DAY_3 - HOUR,
        "end": DAY_3 + HOUR,
        "interval_s": 3600,
    }
    shown = Shown(as_reader(url), "")
    assert read_volumes(url, **hours).height == 2
    assert read_volumes(shown, **hours).is_empty()
    assert hidden in read_latest(url)["site_id"].to_list()
    assert hidden not in read_latest(shown)["site_id"].to_list()


def test_nothing_of_the_future_is_read(plain_world: str) -> None:
    """As a sensor sends it whose clock is ahead."""
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    later = hour + timedelta(hours=3)
    with connect(plain_world) as connection:
        connection.execute("select ensure_range('volume', %s, %s)", (hour, later))
        connection.execute(
            "insert into volume (channel_id, interval_s, time, observed_s, volume)"
            " select channel_id, 3600, at, 3600, 9 from channel"
            " cross join unnest(%s::timestamptz[]) at where key = 'ost-1'",
            ([hour, later],),
        )
        connection.execute(
            "insert into daily_figure (site_id, quantity, direction, day, volume,"
            " observed, normalised, imputed, excluded, valid, method)"
            " select site_id, 'motor', 'all', day, 9, 1, 0, 0, 0, true, %s"
            " from site cross join unnest(%s::date[]) day"
            " where key = 'pariser-strasse'",
            (METHOD, [hour.date(), hour.date() + timedelta(days=2)]),
        )
    span: dict[str, Any] = {"start": hour, "end": later + timedelta(hours=1)}
    found = volumes(plain_world, direction="all", **span)
    assert found["time"].to_list() == [hour]
    days = read_daily_figures(
        plain_world,
        site_id=site_id(plain_world, "pariser-strasse"),
        quantity="motor",
        first=hour.date(),
        last=hour.date() + timedelta(days=3),
    )
    assert days["day"].to_list() == [hour.date()]


def test_sites_tell_their_channels_and_newest_message(url: str) -> None:
    with connect(url) as connection:
        site = read_site(connection, "kaiserslautern", "pariser-strasse")
    assert [c.key for c in site.channels] == ["ost-1", "ost-2", "west-1", "no2"]
    assert site.last_received_at == world.RECEIVED
    assert [(s.key, s.channel) for s in site.sensors] == [
        ("air", "no2"),
        ("camera", "ost-1"),
        ("camera", "ost-2"),
        ("camera", "west-1"),
    ]
    assert site.sensors[0].until is None
    assert site.sensors[0].state == "unknown"


def test_volumes_are_summed_over_lanes_by_direction(url: str) -> None:
    found = volumes(url, end=DAY_3)
    ost, west = found.rows(named=True)
    # sorted, the channels are numbered hof/tor, no2, ost-1, ost-2, west-1, …
    assert (ost["direction"], ost["volume"]) == ("ost", 230 + 3 + 230 + 4)
    assert (west["direction"], west["volume"]) == ("west", 230 + 5)
    assert ost["observed"] == 1
    assert ost["truck"] == 2
    assert ost["van"] is None
    assert ost["usual"] == ost["volume"] + 2 * 5
    assert ost["usual_spread"] == pytest.approx((29.28**2 + 29.38**2) ** 0.5, abs=0.05)
    assert ost["speed_kmh"] == 47.3
    assert found.schema["time"] == pl.Datetime("us", "UTC")


def test_a_silent_lane_is_not_observed_rather_than_zero(url: str) -> None:
    ost = volumes(url, start=DAY_3, direction="ost").row(0, named=True)
    assert ost["volume"] == 3
    assert ost["observed"] == 0.5


def test_cross_section_is_all_directions(url: str) -> None:
    each = volumes(url)
    whole = volumes(url, direction="all")
    assert whole["direction"].unique().to_list() == ["all"]
    assert whole["volume"].sum() == each["volume"].sum()
    assert whole["observed"].to_list() == [1.0, pytest.approx(2 / 3, abs=1e-4)]


def test_a_channel_is_expected_from_its_first_installation_on(
    plain_world: str,
) -> None:
    with connect(plain_world) as connection:
        connection.execute(
            "update vp.installation i set period = '[2026-03-05, infinity)'"
            " from vp.channel c where c.channel_id = i.channel_id and c.key = 'ost-2'"
        )
    assert volumes(plain_world, start=DAY_3, direction="ost")["observed"][0] == 1


def test_a_class_unknown_for_one_lane_is_unknown_for_both(plain_world: str) -> None:
    with connect(plain_world) as connection:
        connection.execute(
            "update vp.volume v set truck = null from vp.channel c"
            " where c.channel_id = v.channel_id and c.key = 'ost-2'"
        )
    ost = volumes(plain_world, end=DAY_3, direction="ost").row(0, named=True)
    assert ost["truck"] is None
    assert ost["car"] == 467 - 2


def test_sums_by_class_are_those_of_the_hours(plain_world: str) -> None:
    """Sums of hours that know the same classes, as the functions of figures take it."""
    with connect(plain_world) as connection:
        # known for one of the lanes, for neither, and for both
        connection.execute(
            "update vp.volume v set truck = null from vp.channel c"
            " where c.channel_id = v.channel_id"
            " and (c.key = 'ost-2' and v.time < %(day)s"
            " or v.time = %(day)s - interval '3 hours')",
            {"day": DAY_3},
        )
    span: dict[str, Any] = {"start": world.FIRST, "end": DAY_3 + timedelta(hours=1)}
    hours = volumes(plain_world, direction="all", **span)
    sums = read_class_sums(
        plain_world,
        site_id=site_id(plain_world, "pariser-strasse"),
        quantity="motor",
        **span,
    )
    asked: dict[str, Any] = {"quantity": "motor", "scheme": "tls-8+1"}
    shares = classes.shares(sums, **asked)
    assert 0 < shares.filter(name="truck")["volume"].item() < hours["volume"].sum()
    assert shares.rows() == classes.shares(hours, **asked).rows()
    heavy = classes.summed(frozenset({"truck"}), "tls-8+1")
    assert classes.sums_of(sums, heavy) == classes.sums_of(hours, heavy)


def test_flows_are_the_volumes_without_classes(url: str) -> None:
    asked: dict[str, Any] = {
        "site_id": site_id(url, "pariser-strasse"),
        "quantity": "motor",
        "start": world.FIRST,
        "end": DAY_3 + timedelta(hours=1),
        "interval_s": 3600,
        "together": True,
    }
    flows = read_flows(url, usual=True, **asked)
    assert flows.equals(read_volumes(url, **asked).select(flows.columns))
    assert flows["usual"].count()
    assert not read_flows(url, **asked)["usual"].count()


def test_volumes_of_days_are_not_cut_to_six_digits(plain_world: str) -> None:
    with connect(plain_world) as connection:
        connection.execute("update vp.daily_figure set volume_normalised = 1234567")
    found = read_daily_figures(
        plain_world,
        site_id=site_id(plain_world, "pariser-strasse"),
        quantity="motor",
        first=date(2026, 3, 2),
        last=date(2026, 3, 3),
    )
    assert set(found["volume_normalised"]) == {1_234_567}


def test_days_include_the_last_and_the_cross_section(url: str) -> None:
    found = read_daily_figures(
        url,
        site_id=site_id(url, "pariser-strasse"),
        quantity="motor",
        first=date(2026, 3, 2),
        last=date(2026, 3, 3),
    )
    assert found["day"].unique(maintain_order=True).to_list() == [
        date(2026, 3, 2),
        date(2026, 3, 3),
    ]
    assert set(found["direction"]) == {"all", "ost", "west"}
    last = found.filter(direction="all").row(-1, named=True)
    # of the second lane there is the first hour
    observed = pytest.approx((24 + 24 + 1) / 72, abs=1e-4)
    assert (last["volume"], last["valid"], last["observed"]) == (5946, False, observed)
    assert last["volume_normalised"] == 5946


def test_environment_tells_means_with_their_extremes(url: str) -> None:
    found = read_environment(
        url,
        site_id=site_id(url, "pariser-strasse"),
        quantity="no2_ugm3",
        start=world.FIRST,
        end=world.FIRST + timedelta(hours=2),
    )
    assert found.rows() == [
        (world.FIRST, "no2", 0.8333, 0, 20.5, -0.5, 60.25),
        (world.FIRST + timedelta(hours=1), "no2", 0.8333, 0, 21.5, -0.5, 61.25),
    ]


@pytest.mark.parametrize(
    ("asked", "reasons"),
    [
        ({}, ["silent"]),
        ({"standing": None}, ["silent", "above-usual"]),
        ({"standing": None, "limit": 1}, ["silent"]),
        ({"site": "radweg"}, []),
        ({"quantity": "bicycle"}, []),
        ({"end": datetime(2026, 3, 2, 23, tzinfo=UTC)}, []),
        ({"start": datetime(2026, 3, 3, 22, tzinfo=UTC)}, ["silent"]),
        ({"start": world.RECEIVED}, []),
    ],
)
def test_cases_are_found_newest_first(
    url: str, asked: dict[str, Any], reasons: list[str]
) -> None:
    with psycopg.connect(as_reader(url)) as connection:
        found = list_cases(connection, **asked)
    assert [case.reason for case in found] == reasons


def test_what_a_person_decided_is_not_open(plain_world: str) -> None:
    with connect(plain_world) as connection:
        connection.execute("update vp.anomaly_case set state = 'explained'")
        assert list_cases(connection) == []


def test_latest_is_the_newest_hour_that_has_ended(url: str) -> None:
    found = read_latest(url, now=DAY_3 + timedelta(hours=1, minutes=59))
    motor = found.filter(site_id=site_id(url, "pariser-strasse"), quantity="motor").row(
        0, named=True
    )
    assert motor["time"] == DAY_3
    assert motor["volume"] == 3 + 5
    assert motor["usual"] == 3 + 5 + 2 * 5
    assert motor["observed"] == pytest.approx(2 / 3, abs=1e-4)


def test_ledger_sums_over_worker_slots_and_balances(url: str) -> None:
    hour = world.RECEIVED.replace(minute=0, second=0)
    with connect(url) as connection:
        rows = list_ledger(
            connection, start=hour, end=hour + timedelta(hours=1), sensor="camera"
        )
        every = list_ledger(connection, start=hour, end=hour + timedelta(hours=1))
        state = read_state(connection)
    assert [row.messages_received for row in rows] == [26]
    assert rows[0].last_received_at == world.RECEIVED
    assert [row.sensor for row in every] == [
        *("air", "camera", "gate", "loop", "gate"),
        None,
    ]
    unknown = next(row for row in state.ledger if row.municipality is None)
    assert unknown.messages_unknown_sensor == 4
    # of each reason, one is kept
    assert {row.reason: row for row in state.rejected} == {
        reason: OfReason(reason, messages=messages, only_counted=messages - 1)
        for reason, messages in (("unknown-sensor", 4), ("unreadable", 3))
    }
    assert state.work.stale_buckets == 2


def test_reading_works_on_each_edition(edition_world: str) -> None:
    assert volumes(edition_world).height == 4
    assert read_latest(edition_world).height == 4


def test_what_a_person_excluded_leaves_all_figures(plain_world: str) -> None:
    """All channels of a case, not the leading one alone."""
    place = site_id(plain_world, "pariser-strasse")
    hour: dict[str, Any] = {"start": DAY_3, "end": DAY_3 + timedelta(hours=1)}

    def figures() -> dict[str, list[tuple[object, ...]]]:
        of_site = {"site_id": place, **hour}
        motor = {**of_site, "quantity": "motor"}
        url = plain_world
        found = {
            "volumes": volumes(url, direction="west", **hour).select("volume"),
            "of_sites": read_volumes_of_sites(
                url, site_ids=[place], interval_s=3600, **hour
            )
            .filter(direction="west")
            .select("volume", "observed", "least_observed", "excluded"),
            "speeds": read_speed_histograms(url, direction="west", **motor).select(
                "observed_s", "counts", "excluded_s"
            ),
            "air": read_environment(url, quantity="no2_ugm3", **of_site).select(
                "mean", "observed", "excluded"
            ),
            "latest": read_latest(url, now=DAY_3 + timedelta(minutes=119))
            .filter(site_id=place, quantity="motor")
            .select("volume", "observed"),
        }
        return {name: frame.rows() for name, frame in found.items()}

    with connect(plain_world) as connection:
        connection.execute(
            "select vp.ensure_range('speed_histogram', %s, %s)", [DAY_3, DAY_3]
        )
        connection.execute(
            "insert into vp.speed_histogram select channel_id, %s, 3600,"
            " array_fill(1, array[51]), null, 0, 0 from vp.channel"
            " where key = 'west-1'",
            [DAY_3],
        )
        # the case is led by another channel
        connection.execute(
            "insert into vp.case_member (anomaly_case_id, channel_id, detector, began,"
            " ended, score, reason) select a.anomaly_case_id, c.channel_id, 'silence',"
            " a.began, a.ended, 9, 'silent' from vp.anomaly_case a, vp.channel c"
            " where a.reason = 'silent' and c.key in ('west-1', 'no2')"
        )
    before = figures()
    assert all(len(rows) == 1 and rows[0][0] for rows in before.values()), before
    with connect(plain_world) as connection:
        connection.execute(
            "update vp.anomaly_case set state = 'confirmed', effect = 'exclude'"
            " where reason = 'silent'"
        )
    assert figures() == {
        "volumes": [(None,)],
        "of_sites": [(None, 0, 0, 1)],
        "speeds": [(0, None, 3600)],
        "air": [(None, 0, pytest.approx(3000 / 3600, abs=1e-4))],
        # of three channels, one is left
        "latest": [(3, pytest.approx(1 / 3, abs=1e-4))],
    }


def test_a_bin_is_excluded_also_where_the_period_ends_in_it(
    plain_world: str,
) -> None:
    """A case from half past; the hour is read up to a quarter past, and as a whole."""
    url = plain_world
    place = site_id(url, "pariser-strasse")
    hour = DAY_3 - timedelta(hours=10)
    with connect(url) as connection:
        open_case(
            connection,
            *(
                Finding(
                    "pariser-strasse", key, "above-usual", hour + HOUR / 2, hour + HOUR
                )
                for key in ("west-1", "no2")
            ),
            state="confirmed",
            effect="exclude",
        )
        connection.execute(
            "select vp.ensure_range('speed_histogram', %s, %s)", [hour, hour]
        )
        connection.execute(
            "insert into vp.speed_histogram select channel_id, %s, 3600,"
            " array_fill(1, array[51]), null, 0, 0 from vp.channel"
            " where key = 'west-1'",
            [hour],
        )
    for minutes in (15, 60):
        span: dict[str, Any] = {"start": hour, "end": hour + timedelta(minutes=minutes)}
        of_site = {"site_id": place, **span}
        frames = (
            volumes(url, direction="west", **span),
            read_volumes_of_sites(
                url, site_ids=[place], interval_s=3600, **span
            ).filter(direction="west"),
            read_environment(url, quantity="no2_ugm3", **of_site),
            read_speed_histograms(
                url, quantity="motor", direction="west", **of_site
            ).with_columns(excluded=pl.col("excluded_s") / 3600),
        )
        found = [frame["excluded"].item() for frame in frames]
        assert found == [1, 1, pytest.approx(3000 / 3600, abs=1e-4), 1], minutes


@pytest.mark.parametrize(
    ("query", "more"),
    [
        (
            "read_volumes",
            {"quantity": "motor", "interval_s": 900, "together": False},
        ),
        ("read_volumes_of_sites", {"site_ids": [1], "interval_s": 900}),
        ("read_imputed", {"quantity": "motor"}),
        ("read_environment", {"quantity": "no2_ugm3"}),
        ("read_speed_histograms", {"quantity": "motor"}),
    ],
)
def test_a_bin_is_asked_once_whether_it_is_excluded(
    url: str, query: str, more: dict[str, Any]
) -> None:
    """And not for each column: with one case in a year that took seconds.

    Nor a volume of each span: where much is suspected that took seconds, too.
    """
    asked = {
        "site_id": site_id(url, "pariser-strasse"),
        "direction": "all",
        "start": DAY_3,
        "end": DAY_3 + timedelta(hours=1),
        "trusted": True,
        "faults": ["stuck"],
        "verdicts": ["frozen"],
    }
    with connect(url) as connection:
        connection.execute(
            "select vp.ensure_range('speed_histogram', %s, %s)", [DAY_3, DAY_3]
        )
        plan = connection.execute(
            b"explain " + queries()[query].encode(), asked | more
        ).fetchall()
    asks = [line for (line,) in plan if "CTE Scan on left_out x" in line]
    assert len(asks) == 1, plan
    assert not any('ended > v."time"' in line for (line,) in plan), plan


def test_volumes_of_many_days_are_read_day_by_day(url: str) -> None:
    """And not from the whole table: of three years that took a minute."""
    days = [DAY_3 + timedelta(days=3 * n) for n in range(300)]
    asked = {
        "site_id": site_id(url, "pariser-strasse"),
        "quantity": "motor",
        "since": days,
        "until": [day + timedelta(days=1) for day in days],
    }
    with connect(url) as connection:
        plan = connection.execute(
            b"explain " + queries()["read_channel_volumes"].encode(), asked
        ).fetchall()
    assert not any("Join Filter" in line for (line,) in plan), plan


@pytest.mark.parametrize(
    ("until", "observed", "least", "latest"),
    [("infinity", 0.5, 0, 2 / 3), ("2026-03-03", 1, 1, 1)],
    ids=["silent", "removed"],
)
def test_a_lane_that_was_removed_is_not_expected_any_more(
    plain_world: str, until: str, observed: float, least: float, latest: float
) -> None:
    with connect(plain_world) as connection:
        connection.execute(
            "update vp.installation i set period = tstzrange(lower(i.period), %s)"
            " from vp.channel c where c.channel_id = i.channel_id and c.key = 'ost-2'",
            [until],
        )
    place = site_id(plain_world, "pariser-strasse")
    found = read_volumes_of_sites(
        plain_world,
        site_ids=[place],
        interval_s=3600,
        start=DAY_3 - timedelta(hours=1),
        end=DAY_3 + timedelta(hours=1),
    )
    before, after = found.filter(direction="ost").rows(named=True)
    assert (before["observed"], before["least_observed"]) == (1, 1)
    assert (after["observed"], after["least_observed"]) == (observed, least)
    newest = read_latest(plain_world, now=DAY_3 + timedelta(minutes=119))
    motor = newest.filter(site_id=place, quantity="motor").row(0, named=True)
    assert motor["observed"] == pytest.approx(latest, abs=1e-4)
