"""Each test of channel health finds its fault, and names it."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analytics.health import out_of_range, swapped
from analytics.health.frozen import repeats
from analytics.health.verdicts import judge, ordered_tests, texts
from analytics.quality.gaps import Tolerance
from tests.frames import one, utc
from tests.health import (
    BEGAN,
    DAY,
    INBOUND,
    LIMITS,
    OUTBOUND,
    Stream,
    given,
    ordinary,
    verdicts,
)
from verkehrspuls.text import translate

HOUR = 12  # intervals
OUT = {"direction": "out"}


def pair(
    inbound: list[int | None],
    outbound: list[int | None],
    *,
    road: str = "",
    past: bool = True,
    site: int = 1,
) -> tuple[Stream, Stream]:
    """Both directions of a site."""
    place = {
        "site_id": site,
        "sensor_id": site,
        "road": road,
        # from west to east: 2, 1, 3
        "latitude": 49.4,
        "longitude": {1: 7.2, 2: 7.1, 3: 7.3}[site],
    }
    return (
        Stream(
            channel_id=2 * site - 1,
            counts=inbound,
            usual=INBOUND if past else None,
            channel=place,
        ),
        Stream(
            channel_id=2 * site,
            counts=outbound,
            usual=OUTBOUND if past else None,
            channel=place | OUT,
        ),
    )


def failure(*streams: Stream, **more: Any) -> dict[str, Any]:
    """What is found of the first channel."""
    found = judge(given(*streams, **more), LIMITS)
    return one(found.filter(pl.col("channel_id") == streams[0].channel_id))


def test_an_ordinary_day_is_good() -> None:
    found = failure(*pair(ordinary(), ordinary(OUTBOUND, seed=2)))
    assert found["verdict"] == "good"
    assert (found["value"], found["threshold"], found["level"]) == (None, None, None)
    assert (found["day"], found["complete"]) == (DAY, True)


def test_each_verdict_has_a_german_and_an_english_text() -> None:
    assert len(texts()) == len(ordered_tests()) + 1 == 17
    for text in texts().values():
        assert translate(text, "de") != text


class TestNoData:
    def test_a_silent_channel(self) -> None:
        silent = Stream(
            channel_id=2, counts=[0, *[None] * 287], start=BEGAN - timedelta(days=2)
        )
        found = verdicts(Stream(counts=ordinary()), silent)
        assert found == {1: "good", 2: "no-data"}

    @pytest.mark.parametrize(
        ("silent", "level"),
        [
            ({1}, "channel"),
            ({1, 2}, "sensor"),
            ({1, 2, 3}, "site"),
            ({1, 2, 3, 4}, "municipality"),
            ({1, 2, 3, 4, 5}, "broker"),
        ],
    )
    def test_it_is_put_down_to_the_highest_level_at_which_all_are_silent(
        self, silent: set[int], level: str
    ) -> None:
        places = {
            1: {"sensor_id": 1, "site_id": 1},
            2: {"sensor_id": 1, "site_id": 1},
            3: {"sensor_id": 2, "site_id": 1},
            4: {"sensor_id": 3, "site_id": 2},
            5: {"sensor_id": 4, "site_id": 3, "municipality_id": 2},
        }
        before = BEGAN - timedelta(days=2)
        found = failure(
            *(
                Stream(channel_id=n, counts=[1], start=before, channel=place)
                if n in silent
                else Stream(channel_id=n, counts=ordinary(seed=n), channel=place)
                for n, place in places.items()
            )
        )
        assert (found["verdict"], found["level"]) == ("no-data", level)

    def test_the_only_site_of_the_only_municipality_is_not_the_broker(self) -> None:
        found = failure(Stream(counts=[1], start=BEGAN - timedelta(days=2)))
        assert (found["verdict"], found["level"]) == ("no-data", "site")

    def test_a_channel_that_was_never_heard_of_is_not_in_operation(self) -> None:
        new = Stream(counts=[1], channel={"heard": utc("2026-11-20")})
        assert verdicts(new) == {}

    def test_what_was_not_installed_is_not_expected(self) -> None:
        from_noon = {"since": BEGAN + timedelta(hours=12)}
        half: list[int | None] = [None] * 144
        stream = Stream(counts=half + ordinary()[144:], channel=from_noon)
        assert verdicts(stream) == {1: "good"}
        gone = Stream(counts=ordinary(), channel={"until": BEGAN})
        assert verdicts(gone) == {}


def test_insufficient_data() -> None:
    found = failure(
        Stream(counts=[n if i % 2 else None for i, n in enumerate(ordinary())])
    )
    assert (found["verdict"], found["value"]) == ("insufficient-data", 0.5)


class TestGap:
    def test_longer_than_the_outage_alarm(self) -> None:
        counts = ordinary()
        counts[100:149] = [None] * 49
        found = failure(Stream(counts=counts))
        assert (found["verdict"], found["value"], found["threshold"]) == (
            "gap",
            245,
            240,
        )
        counts[100] = 5
        assert verdicts(Stream(counts=counts)) == {1: "good"}

    def test_it_may_lie_at_the_edge(self) -> None:
        counts = ordinary()
        counts[-49:] = [None] * 49
        assert verdicts(Stream(counts=counts)) == {1: "gap"}

    def test_an_hour_bears_less_the_more_usually_passes(self) -> None:
        counts = ordinary()
        for hour in (3, 8):
            counts[hour * HOUR + 4 : hour * HOUR + 7] = [None] * 3
        found = judge(given(Stream(counts=counts), by="hour"), LIMITS)
        bad = found.filter(pl.col("verdict") == "gap")
        # 540 vehicles bear 10 minutes; 15 in the night bear 20
        assert bad["began"].to_list() == [BEGAN + timedelta(hours=8)]
        assert (bad["value"].item(), bad["threshold"].item()) == (15, 10)

    def test_a_day_that_has_only_begun_bears_what_a_day_does(self) -> None:
        """At twenty past one, of the first hour 21 minutes in a row are missing."""
        counts = [None if 12 <= n < 33 else n % 3 for n in range(80)]
        stream = Stream(counts=counts, interval_s=60)
        soon = {"now": BEGAN + timedelta(minutes=80)}
        found = failure(stream, **soon)
        assert (found["verdict"], found["complete"]) == ("good", False)
        assert verdicts(stream, by="hour", **soon) == {1: "gap"}

    def test_what_an_hour_bears_is_a_setting(self) -> None:
        counts = ordinary()
        counts[8 * HOUR + 4 : 8 * HOUR + 7] = [None] * 3
        evidence = given(Stream(counts=counts), by="hour")
        patient = replace(evidence, gaps=Tolerance(minutes=(30, 30, 30, 30)))
        assert set(judge(patient, LIMITS)["verdict"]) == {"good"}


class TestOutOfRange:
    @pytest.mark.parametrize("count", [-1, 834])
    def test_counts(self, count: int) -> None:
        counts = ordinary()
        counts[100] = count
        found = failure(Stream(counts=counts))
        assert (found["verdict"], found["value"]) == ("out-of-range", 1)

    @pytest.mark.parametrize("speed", [-1.0, 251.0])
    def test_speeds(self, speed: float) -> None:
        stream = Stream(counts=ordinary(), speeds=[50.0] * 287 + [speed])
        assert verdicts(stream) == {1: "out-of-range"}

    def test_values(self) -> None:
        values = [40.0 + n % 7 for n in range(144)]
        air = {"quantity": "no2_ugm3", "direction": ""}
        assert verdicts(Stream(values=values, interval_s=600, channel=air)) == {
            1: "good"
        }
        values[9] = -6.0
        stream = Stream(values=values, interval_s=600, channel=air)
        assert verdicts(stream) == {1: "out-of-range"}

    def test_unknown_is_not_out_of_range(self) -> None:
        readings = given(Stream(counts=ordinary())).readings
        unknown = readings.with_columns(volume=pl.lit(None, pl.Int32))
        assert out_of_range.outside(unknown).is_empty()


class TestZeros:
    def test_cars_zero_while_bicycles_pass(self) -> None:
        bikes = Stream(
            channel_id=2, counts=ordinary(factor=0.2), channel={"quantity": "bicycle"}
        )
        found = failure(Stream(counts=[0] * 288), bikes)
        assert (found["verdict"], found["level"]) == ("mode-zero", "quantity")
        assert found["value"] > 100

    @pytest.mark.parametrize(
        ("zero", "level"),
        [({1}, "channel"), ({1, 2}, "direction"), ({1, 2, 3}, "site")],
    )
    def test_a_day_of_zeros_at_the_broadest_level(
        self, zero: set[int], level: str
    ) -> None:
        lanes = {1: {}, 2: {}, 3: OUT}
        found = failure(
            *(
                Stream(
                    channel_id=n,
                    counts=[0] * 288 if n in zero else ordinary(seed=n),
                    channel=place,
                )
                for n, place in lanes.items()
            )
        )
        assert (found["verdict"], found["level"]) == ("zero-count", level)
        assert found["value"] == 24

    def test_where_few_pass_an_empty_day_is_ordinary(self) -> None:
        assert verdicts(Stream(counts=[0] * 288, usual=[0.4] * 24)) == {1: "good"}
        assert verdicts(Stream(counts=[0] * 288, usual=[0.5] * 24)) == {1: "zero-count"}
        assert verdicts(Stream(counts=[0] * 288, usual=None)) == {1: "zero-count"}

    def test_missing_is_not_zero(self) -> None:
        counts: list[int | None] = [0] * 288
        counts[:24] = [None] * 24
        # 22 hours of zeros: not a whole day; but hours in which many usually pass
        assert failure(Stream(counts=counts, usual=None))["verdict"] == "good"
        assert failure(Stream(counts=counts))["verdict"] == "zero-count"

    def test_three_hours_of_zeros_where_many_usually_pass(self) -> None:
        counts = ordinary()
        counts[8 * HOUR : 11 * HOUR] = [0] * 3 * HOUR
        found = failure(Stream(counts=counts))
        assert (found["verdict"], found["value"]) == ("zero-count", 3)
        counts[9 * HOUR] = 1
        assert verdicts(Stream(counts=counts)) == {1: "good"}

    def test_a_day_of_23_hours_is_a_whole_one(self) -> None:
        spring = Stream(counts=[0] * 276, start=utc("2026-03-28 23:00"))
        assert verdicts(spring, days=[date(2026, 3, 29)]) == {1: "zero-count"}


class TestCardOff:
    def test_nearly_all_intervals_are_empty(self) -> None:
        counts: list[int | None] = [9 if n % 30 == 0 else 0 for n in range(288)]
        found = failure(Stream(counts=counts))
        assert (found["verdict"], found["threshold"]) == ("card-off", 0.95)

    def test_occupancy_tells_it_earlier(self) -> None:
        occupancy = [0.02 + n % 5 / 100 if n % 10 < 3 else 0.0 for n in range(288)]
        counts = [n or 1 for n in ordinary()]
        found = failure(Stream(counts=counts, occupancy=occupancy))
        assert (found["verdict"], found["threshold"]) == ("card-off", 0.59)

    def test_low_volume_is_not_judged(self) -> None:
        counts: list[int | None] = [1 if n % 30 == 0 else 0 for n in range(288)]
        assert verdicts(Stream(counts=counts, usual=[2.0] * 24)) == {1: "good"}


class TestHighValue:
    def test_flow(self) -> None:
        counts = ordinary()
        counts[100:145] = [201 + n % 7 for n in range(45)]
        found = failure(Stream(counts=counts))
        assert found["verdict"] == "high-value"
        assert found["value"] == pytest.approx(45 / 204)

    def test_occupancy(self) -> None:
        occupancy = [
            0.75 if 100 <= n < 145 and n % 2 else 0.1 + n % 9 / 100 for n in range(288)
        ]
        stream = Stream(counts=[n or 1 for n in ordinary()], occupancy=occupancy)
        assert verdicts(stream) == {1: "good"}
        occupancy[100:145] = [0.71 + n % 9 / 100 for n in range(45)]
        stream = Stream(counts=[n or 1 for n in ordinary()], occupancy=occupancy)
        assert verdicts(stream) == {1: "high-value"}


def twice(later: timedelta, counts: list[int | None]) -> dict[str, Any]:
    """What is found of a day some intervals of which are told again later."""
    first = given(Stream(counts=ordinary()))
    again = given(Stream(counts=counts, start=BEGAN + later))
    both = pl.concat([first.readings, again.readings])
    return one(judge(replace(first, readings=both), LIMITS))


def test_a_day_that_is_told_twice_overlaps() -> None:
    found = twice(timedelta(seconds=1), ordinary())
    assert found["verdict"] == "readings-overlap"
    assert found["value"] == pytest.approx(1, abs=0.01)
    assert found["threshold"] == LIMITS.overlap
    assert twice(timedelta(seconds=100), ordinary()[:20])["verdict"] == found["verdict"]


def test_what_is_told_again_now_and_then_is_good() -> None:
    once: list[int | None] = [None] * 100 + [5]
    assert twice(timedelta(seconds=48), once)["verdict"] == "good"


def test_intermittent() -> None:
    counts = [n or 1 for n in ordinary()]
    occupancy = [0.02 + n % 9 / 100 for n in range(288)]
    for n in (100, 120, 140, 160):
        counts[n] = 0
    found = failure(Stream(counts=counts, occupancy=occupancy))
    assert (found["verdict"], found["threshold"]) == ("good", None)
    counts[180] = 0
    found = failure(Stream(counts=counts, occupancy=occupancy))
    assert (found["verdict"], found["threshold"]) == ("intermittent", 0.02)
    assert found["value"] == pytest.approx(5 / 204)


class TestConstant:
    def test_occupancy_for_four_hours(self) -> None:
        counts = [n or 1 for n in ordinary()]
        occupancy = [0.02 + n % 9 / 100 for n in range(288)]
        occupancy[100:148] = [0.33] * 48
        found = failure(Stream(counts=counts, occupancy=occupancy))
        assert (found["verdict"], found["value"]) == ("constant", 4)
        occupancy[120] = 0.34
        assert verdicts(Stream(counts=counts, occupancy=occupancy)) == {1: "good"}

    @pytest.mark.parametrize(
        ("quantity", "value", "verdict"),
        [
            ("no2_ugm3", 21.5, "constant"),
            ("humidity_pct", 93.0, "constant"),
            ("humidity_pct", 100.0, "good"),
            ("wind_ms", 0.0, "good"),
            ("water_level_cm", 112.0, "good"),
            ("precipitation_mm", 0.2, "good"),
        ],
    )
    def test_environment_for_six_hours(
        self, quantity: str, value: float, verdict: str
    ) -> None:
        values = [value - 0.1 * (n % 2) for n in range(108)] + [value] * 36
        place = {"quantity": quantity, "direction": ""}
        stream = Stream(values=[abs(v) for v in values], interval_s=600, channel=place)
        assert verdicts(stream) == {1: verdict}


class TestFrozen:
    def test_equal_counts(self) -> None:
        counts = ordinary()
        counts[120:130] = [27] * 10
        found = failure(Stream(counts=counts))
        assert found["verdict"] == "frozen"
        assert found["value"] == pytest.approx(11.4, abs=0.1)

    def test_small_counts_repeat_by_chance(self) -> None:
        counts = ordinary()
        counts[12:24] = [1] * 12
        assert verdicts(Stream(counts=counts)) == {1: "good"}

    def test_a_gap_or_an_unknown_value_ends_a_run(self) -> None:
        readings = given(Stream(counts=[7] * 288)).readings
        runs = repeats(readings, "volume")
        assert runs["run"].to_list() == list(range(1, 289))
        gap = repeats(
            readings.filter(pl.col("time") != BEGAN + timedelta(hours=1)), "volume"
        )
        assert gap["run"].max() == 275
        unknown = pl.when(pl.col("time") != BEGAN).then("volume")
        found = repeats(readings.with_columns(unknown), "volume")
        assert found["run"].to_list()[:3] == [1, 1, 2]

    def test_channels_do_not_continue_each_other(self) -> None:
        one_day = given(Stream(counts=[7] * 288)).readings
        other = one_day.with_columns(
            pl.col("channel_id") + 1, pl.col("time") + timedelta(days=1)
        )
        runs = repeats(pl.concat([other, one_day]), "volume")
        assert runs["run"].max() == 288


def test_bins_beside_the_clock() -> None:
    late = Stream(counts=ordinary(), start=BEGAN + timedelta(seconds=70))
    found = failure(late)
    assert (found["verdict"], found["value"]) == ("bins-offset", 70)
    early = Stream(counts=ordinary(), start=BEGAN - timedelta(seconds=40))
    assert failure(early)["value"] == -40
    # the clock of a gateway says nothing of the sensor's
    evidence = given(late)
    ours = evidence.readings.with_columns(time_origin=pl.lit(2, pl.Int16))
    found = one(judge(replace(evidence, readings=ours), LIMITS))
    assert found["verdict"] == "good"


class TestSwapped:
    def test_against_its_own_past(self) -> None:
        found = failure(*pair(ordinary(OUTBOUND, seed=2), ordinary()))
        assert (found["verdict"], found["level"]) == ("swapped-direction", "site")
        assert found["value"] < 20

    def test_a_new_site_against_its_neighbours(self) -> None:
        right = [
            *pair(ordinary(seed=3), ordinary(OUTBOUND, seed=4), road="B 1", site=2),
            *pair(ordinary(seed=5), ordinary(OUTBOUND, seed=6), road="B 1", site=3),
        ]
        wrong = pair(
            ordinary(OUTBOUND, seed=1), ordinary(seed=2), road="B 1", past=False
        )
        assert failure(*wrong, *right)["verdict"] == "swapped-direction"
        new = pair(ordinary(seed=1), ordinary(OUTBOUND, seed=2), road="B 1", past=False)
        assert failure(*new, *right)["verdict"] == "good"

    def test_at_the_end_of_a_road_neighbours_tell_nothing(self) -> None:
        """Behind the town's centre the same direction leads out of it."""
        right = [
            *pair(ordinary(seed=3), ordinary(OUTBOUND, seed=4), road="B 1", site=1),
            *pair(ordinary(seed=5), ordinary(OUTBOUND, seed=6), road="B 1", site=2),
        ]
        behind = pair(
            ordinary(OUTBOUND, seed=1),
            ordinary(seed=2),
            road="B 1",
            past=False,
            site=3,
        )
        assert failure(*behind, *right)["verdict"] == "good"

    def test_neighbours_that_differ_tell_nothing(self) -> None:
        around = [
            *pair(
                ordinary(factor=3),
                ordinary(OUTBOUND, factor=3, seed=4),
                road="B 1",
                site=2,
            ),
            *pair(ordinary(OUTBOUND, seed=5), ordinary(seed=6), road="B 1", site=3),
        ]
        for factor in (1, 3):
            new = pair(
                ordinary(OUTBOUND, seed=1, factor=factor),
                ordinary(seed=2, factor=factor),
                road="B 1",
                past=False,
            )
            assert failure(*new, *around)["verdict"] == "good"

    def test_affinity_is_between_0_and_100(self) -> None:
        good = swapped.affinity(given(*pair(ordinary(), ordinary(OUTBOUND, seed=2))))
        assert good["affinity"].is_between(90, 100).all()
        bad = swapped.affinity(given(*pair(ordinary(OUTBOUND, seed=2), ordinary())))
        assert bad["affinity"].is_between(0, 10).all()

    def test_directions_that_run_alike_cannot_be_told_apart(self) -> None:
        alike = (
            Stream(counts=ordinary()),
            Stream(channel_id=2, counts=ordinary(seed=2), channel=OUT),
        )
        assert swapped.affinity(given(*alike)).is_empty()


class TestClockOffset:
    @pytest.mark.parametrize("hours", [-2, 1])
    def test_the_profile_is_moved(self, hours: int) -> None:
        counts = ordinary()
        moved = counts[-hours * HOUR :] + counts[: -hours * HOUR]
        week = ordinary(days=6, seed=9) + moved
        stream = Stream(counts=week, start=BEGAN - timedelta(days=6))
        found = failure(stream)
        assert (found["verdict"], found["value"]) == ("clock-offset", hours)

    def test_a_quiet_day_is_not_a_moved_one(self) -> None:
        assert verdicts(Stream(counts=ordinary(factor=0.5))) == {1: "good"}


class TestDrift:
    def streams(self, *factors: float) -> list[Stream]:
        """A week of three sensors with their share of what is usual."""
        return [
            Stream(
                channel_id=n,
                counts=ordinary(days=7, seed=n, factor=factor),
                start=BEGAN - timedelta(days=6),
                channel={"sensor_id": n, "site_id": n},
            )
            for n, factor in enumerate(factors, start=1)
        ]

    def test_against_the_neighbours(self) -> None:
        found = failure(*self.streams(0.7, 1.0, 1.0))
        assert found["verdict"] == "drift"
        assert found["value"] == pytest.approx(-0.3, abs=0.02)

    def test_who_stays_has_not_drifted(self) -> None:
        assert verdicts(*self.streams(0.7, 1.0)) == {1: "drift", 2: "good"}

    def test_a_change_that_all_share_is_none(self) -> None:
        assert set(verdicts(*self.streams(0.7, 0.72, 0.69)).values()) == {"good"}

    def test_without_neighbours_nobody_can_tell(self) -> None:
        assert verdicts(*self.streams(0.7)) == {1: "good"}


def test_the_running_day_is_judged_so_far() -> None:
    counts = ordinary()[:120]
    found = failure(Stream(counts=counts), now=BEGAN + timedelta(hours=10, minutes=20))
    assert (found["verdict"], found["complete"]) == ("good", False)
    # the tenth hour has ended, and is waited for
    early = given(Stream(counts=counts), now=BEGAN + timedelta(hours=10, minutes=10))
    assert one(early.periods)["ended"] == BEGAN + timedelta(hours=9)


def test_thresholds_are_those_of_pems(data: Path) -> None:
    values = pl.read_csv(
        data / "caltrans_detector_health" / "diagnostic_threshold_values.csv"
    ).filter(pl.col("DT_SET_ID") == "Urban")
    pems = {
        (method, name): value
        for method, name, value in values.select(
            "DT_METHOD", "DT_NAME", "DT_VALUE"
        ).iter_rows()
    }
    assert pems["mainline", "zero_occ_pct"] == 100 * LIMITS.zero_occupancy
    assert pems["ramp", "zero_flow_pct"] == 100 * LIMITS.zero_flow
    assert pems["mainline", "high_occ"] == LIMITS.high_occupancy
    assert pems["mainline", "high_occ_pct"] == 100 * LIMITS.high_share
    assert pems["mainline", "high_flow"] * 120 == LIMITS.high_flow  # of 30 seconds
    assert pems["mainline", "flow_occ_pct"] == 100 * LIMITS.occupancy_without_flow
    assert pems["mainline", "occ_flow_pct"] == 100 * LIMITS.flow_without_occupancy


def test_the_first_failed_test_wins() -> None:
    counts: list[int | None] = [0] * 288
    counts[0] = -1
    assert verdicts(Stream(counts=counts)) == {1: "out-of-range"}
    order = list(ordered_tests())
    assert order.index("out-of-range") < order.index("zero-count")


def test_the_order_of_rows_does_not_matter() -> None:
    evidence = given(*pair(ordinary(OUTBOUND, seed=2), ordinary()))
    turned = replace(
        evidence,
        readings=evidence.readings.reverse(),
        hours=evidence.hours.reverse(),
        siblings=evidence.siblings.reverse(),
    )
    assert_frame_equal(judge(turned, LIMITS), judge(evidence, LIMITS))
