from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest

from analytics import frames
from analytics.detectors import silence, stuck, unusual_volume
from tests.frames import HOUR, installed, make, one, utc

T = utc("2026-11-18 10:00")
MINUTE = timedelta(minutes=1)


def judged(*rows: tuple[int, float], **same: Any) -> pl.DataFrame:
    """Hours with their volume and what is usual."""
    return make(
        frames.STORED_VOLUMES,
        [
            {"time": T + n * HOUR, "volume": volume, "usual": usual}
            for n, (volume, usual) in enumerate(rows)
        ],
        **{
            "channel_id": 1,
            "interval_s": 3600,
            "observed_s": 3600,
            "usual_spread": 10.0,
            **same,
        },
    )


def at_site(*rows: tuple[int, float], **same: Any) -> pl.DataFrame:
    """The same of the only site of a town."""
    hours = judged(*rows, **same)
    place = {"site_id": pl.lit(1, pl.Int32), "audience": pl.lit(0, pl.Int32)}
    place["quantity"] = pl.lit("motor")
    return frames.check(hours.with_columns(**place), frames.USUAL_HOURS)


class TestUnusualVolume:
    def test_far_above(self) -> None:
        found = one(unusual_volume.detect(at_site((100, 100), (160, 100), (149, 100))))
        assert found["began"] == T + HOUR
        assert found["ended"] == T + 2 * HOUR
        assert found["reason"] == "above-usual"
        assert (found["observed"], found["usual"], found["score"]) == (160, 100, 6)

    def test_far_below(self) -> None:
        found = one(unusual_volume.detect(at_site((30, 100))))
        assert (found["reason"], found["score"]) == ("below-usual", 7)

    def test_a_small_relative_change_is_no_hit(self) -> None:
        assert unusual_volume.detect(at_site((1290, 1000))).is_empty()
        assert not unusual_volume.detect(at_site((1310, 1000))).is_empty()

    def test_a_partly_observed_hour_is_scaled_or_left_alone(self) -> None:
        # 75 in three quarters of an hour is 100
        assert unusual_volume.detect(at_site((75, 100), observed_s=2700)).is_empty()
        assert unusual_volume.detect(at_site((0, 100), observed_s=2699)).is_empty()

    def test_nothing_is_unusual_without_a_baseline(self) -> None:
        hours = at_site((9999, 1)).with_columns(
            usual=pl.lit(None, pl.Float32), usual_spread=pl.lit(None, pl.Float32)
        )
        assert unusual_volume.detect(hours).is_empty()


class TestStuck:
    def test_equal_counts_in_a_row(self) -> None:
        found = one(stuck.detect(judged((80, 99), *[(200, 150)] * 5, (80, 99))))
        assert (found["began"], found["ended"]) == (T + HOUR, T + 6 * HOUR)
        # 4 · lg(2·√(200π))
        assert found["score"] == pytest.approx(6.8, abs=0.01)
        assert (found["observed"], found["usual"]) == (1000, 750)

    def test_small_counts_repeat_by_chance(self) -> None:
        assert stuck.detect(judged(*[(2, 2)] * 8)).is_empty()
        assert not stuck.detect(judged(*[(2, 2)] * 10)).is_empty()

    def test_a_gap_ends_a_run(self) -> None:
        run = judged(*[(200, 150)] * 8)
        gap = run.filter(pl.col("time") != T + 4 * HOUR)
        assert stuck.detect(gap).is_empty()
        poor = run.with_columns(
            observed_s=pl.when(pl.col("time") == T + 4 * HOUR)
            .then(600)
            .otherwise(3600)
            .cast(pl.Int32)
        )
        assert stuck.detect(poor).is_empty()

    def test_channels_do_not_continue_each_other(self) -> None:
        two = pl.concat(
            [
                judged(*[(200, 150)] * 3, channel_id=1),
                judged(*[(200, 150)] * 3, channel_id=2).with_columns(
                    pl.col("time") + 3 * HOUR
                ),
            ]
        )
        assert stuck.detect(two).is_empty()

    def test_zeros_where_many_pass(self) -> None:
        found = one(stuck.detect(judged((0, 20), (0, 30), (0, 50))))
        assert (found["observed"], found["usual"]) == (0, 100)
        assert stuck.detect(judged((0, 200), (0, 300))).is_empty()

    def test_zeros_in_the_night_are_usual(self) -> None:
        assert stuck.detect(judged(*[(0, 4)] * 12)).is_empty()

    def test_the_order_of_rows_does_not_matter(self) -> None:
        run = judged((80, 99), *[(200, 150)] * 5, (80, 99))
        assert stuck.detect(run.reverse()).equals(stuck.detect(run))


class TestSilence:
    def readings(self, *minutes: int, interval_s: int = 300) -> pl.DataFrame:
        return make(
            frames.INTERVALS,
            [{"time": T + minute * MINUTE} for minute in minutes],
            channel_id=1,
            interval_s=interval_s,
        )

    def test_a_gap_is_from_the_end_of_a_reading_to_the_next_one(self) -> None:
        found = one(silence.gaps(self.readings(0, 5, 41, 46), installed()))
        assert (found["began"], found["ended"]) == (T + 10 * MINUTE, T + 41 * MINUTE)
        assert found["score"] == pytest.approx(31 / 5)
        assert found["observed"] is None
        assert found["reason"] == "silent"

    def test_half_an_hour_is_tolerated(self) -> None:
        assert silence.gaps(self.readings(0, 35), installed()).is_empty()

    def test_a_slow_sensor_may_miss_three_intervals(self) -> None:
        readings = self.readings(0, 240, 300, 541, interval_s=3600)
        found = one(silence.gaps(readings, installed(interval_s=3600)))
        assert found["began"] == T + 360 * MINUTE

    def test_no_sensor_no_silence(self) -> None:
        removed = installed(until=T + 20 * MINUTE)
        assert silence.gaps(self.readings(0, 600), removed).is_empty()

    def test_a_gap_is_cut_to_the_installation(self) -> None:
        later = installed(since=T + 60 * MINUTE)
        found = one(silence.gaps(self.readings(0, 600), later))
        assert found["began"] == T + 60 * MINUTE

    def trailing(
        self, now: datetime, *, received: datetime | None = None
    ) -> pl.DataFrame:
        last = make(
            frames.LAST_READINGS,
            [{"time": T, "received_at": received or T + 5 * MINUTE}],
            channel_id=1,
            interval_s=300,
        )
        return silence.trailing(last, installed(), now=now)

    def test_silent_until_now(self) -> None:
        assert self.trailing(T + 35 * MINUTE).is_empty()
        found = one(self.trailing(T + 36 * MINUTE))
        assert (found["began"], found["ended"]) == (T + 5 * MINUTE, T + 36 * MINUTE)

    def test_who_still_sends_what_is_old_is_not_silent(self) -> None:
        now = T + timedelta(days=20)
        assert self.trailing(now, received=now - MINUTE).is_empty()
        found = one(self.trailing(now, received=now - 2 * HOUR))
        assert found["began"] == T + 5 * MINUTE
