"""The report of a trace: why a moment of a channel is on a page, or is not.

A trace has the steps of a reading's way, in their order: a sensor is attached, messages
are received and decoded, a reading is stored on the channel, figures are made of it,
and nothing leaves these out. The first step that fails says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from verkehrspuls.errors import UnknownKey
from verkehrspuls.storage import trace
from verkehrspuls.storage.database import Connection
from verkehrspuls.storage.ledger_hours import OfHour, list_ledger
from verkehrspuls.storage.sites import Channel, Site

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What is known of a moment of a channel, step by step."""

    at: datetime
    attached: Sequence[trace.Attached]
    #: hours of receipt in which the reading should have come
    received: Sequence[OfHour]
    #: until when it should have
    until: datetime
    #: what its sensors stored of the moment on other channels
    beside: Sequence[trace.Beside]
    #: those that hold first
    readings: Sequence[trace.Reading]
    figures: Sequence[trace.Figure]
    #: `excluded` by a person, or a fault that is suspected
    left_out: Sequence[str]
    #: the first step that fails: attached, received, decoded, stored, figure, left-out;
    #: empty: all hold
    fails: str


def channel_of(site: Site, key: str) -> Channel:
    """Return a channel of a site by its key."""
    for channel in site.channels:
        if channel.key == key:
            return channel
    raise UnknownKey(kind="channel", key=f"{site.municipality}/{site.key}/{key}")


def report_trace(
    connection: Connection, site: Site, channel: Channel, at: datetime, *, now: datetime
) -> Trace:
    """Trace a moment of a channel of a site."""
    channel_id = channel.channel_id
    attached = trace.attached_at(connection, channel_id, at)
    beside = trace.beside_at(connection, channel_id, at)
    readings = trace.readings_at(connection, channel_id, at)
    figures = trace.figures_at(connection, channel_id, at)
    left_out = trace.left_out_at(connection, channel_id, at)
    longest_s = max((one.interval_s for one in attached), default=0)
    until = min(now, at + timedelta(seconds=longest_s) + 2 * HOUR)
    received = [
        hour
        for one in attached
        for hour in list_ledger(
            connection,
            municipality=site.municipality,
            sensor=one.sensor,
            start=at.replace(minute=0, second=0, microsecond=0),
            end=max(until, at + HOUR),
        )
    ]
    return Trace(
        at=at,
        attached=attached,
        received=received,
        until=until,
        beside=beside,
        readings=readings,
        figures=figures,
        left_out=left_out,
        fails=_fails(attached, received, beside, readings, figures, left_out),
    )


def _fails(
    attached: Sequence[trace.Attached],
    received: Sequence[OfHour],
    beside: Sequence[trace.Beside],
    readings: Sequence[trace.Reading],
    figures: Sequence[trace.Figure],
    left_out: Sequence[str],
) -> str:
    stored = any(one.replaced_at is None for one in readings)
    came = stored or bool(beside)
    used = sum(hour.readings_received - hour.readings_rejected for hour in received)
    # what is stored came, however late, and whatever is attached by now
    checks = {
        "attached": stored or bool(attached),
        "received": came or any(hour.messages_received for hour in received),
        "decoded": came or used > 0,
        "stored": stored,
        "figure": any(one.observed_s for one in figures),
        "left-out": not left_out,
    }
    return next((name for name, holds in checks.items() if not holds), "")
