"""Judge devices: open and prolong the cases of those that somebody has to look after.

One channel of a device stands for it, so that it is one case.
"""

from datetime import datetime, timedelta
from typing import Final

import polars as pl

from analytics import frames
from analytics.cases import judging
from analytics.jobs import case_store
from analytics.jobs.store import Store
from analytics.reports.devices import look_after
from verkehrspuls.settings import Health

#: What was found this long ago, and is found again, was so all the time.
GOES_ON: Final = timedelta(days=2)


def check_devices(store: Store, limits: Health, *, now: datetime) -> int:
    """Judge all devices; return how many have something wrong that is no silence."""
    with store.connection.transaction():
        hour = now.replace(minute=0, second=0, microsecond=0)
        wrong = [
            (
                device.channel_id,
                hour,
                max(now, hour + timedelta(seconds=1)),
                list(problems),
                clock and clock.minutes_ahead,
                device.battery_pct,
            )
            for device, problems, clock, _, _ in look_after(
                store.connection, limits, municipality=None, sensor=None, now=now
            )
            if problems and device.channel_id is not None
        ]
        devices = pl.DataFrame(wrong, schema=dict(frames.DEVICES), orient="row")
        spans = devices.select(
            "channel_id",
            since=pl.lit(now - GOES_ON, frames.TIME),
            until=pl.lit(now, frames.TIME),
        ).unique()
        judged, decided = judging.judge_devices(
            devices, case_store.stored(store, spans), since=now - GOES_ON
        )
        case_store.write(store, judged)
        if decided:
            store.execute("end_members", members=decided, now=now)
    return sum(one.cases.height for one in judged)
