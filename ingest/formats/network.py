"""Common parts of the uplinks of LoRaWAN network servers: reception and its time."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from ingest.formats.record import Stamp, Value

#: A gateway hears an uplink before its network server; clocks may differ by this.
MAX_CLOCK_DIFFERENCE: Final = timedelta(minutes=5)
#: Longest time for which a gateway without a connection keeps uplinks. GPS receivers
#: with a wrong week count are 1024 weeks behind.
MAX_GATEWAY_DELAY: Final = timedelta(days=31)


def heard_at(
    gateways: Sequence[tuple[Stamp, ...]], server: Sequence[tuple[Stamp, ...]]
) -> tuple[Stamp, ...]:
    """Sort the times of an uplink, the most reliable first.

    The times of gateways come before those of the server. All gateways heard the same
    uplink: a time that is later than the server's, months before it, or different from
    the gateway time nearest to the server's is doubtful, and comes last.
    """
    of_gateways = [each for found in gateways for each in found]
    of_server = [each for found in server for each in found]
    received = next((each.time for each in of_server if each.time), None)
    if received is None:
        return (*of_gateways, *of_server)
    known = [each.time for each in of_gateways if each.time]
    nearest = min(known, key=lambda time: abs(time - received), default=received)
    right: list[Stamp] = []
    doubtful: list[Stamp] = []
    for each in of_gateways:
        wrong = each.time is not None and (
            not -MAX_GATEWAY_DELAY <= each.time - received <= MAX_CLOCK_DIFFERENCE
            or abs(each.time - nearest) > MAX_CLOCK_DIFFERENCE
        )
        (doubtful if wrong else right).append(each._replace(doubtful=wrong))
    return (*right, *of_server, *doubtful)


def best_reception(receptions: list[Any]) -> dict[str, Value]:
    """Return `rssi` (dBm) and `snr` (dB) of the strongest reception; empty without."""
    known = [heard for heard in receptions if heard.rssi is not None]
    if not known:
        return {}
    best = max(known, key=lambda heard: heard.rssi)
    return {"rssi": best.rssi, "snr": best.snr}
