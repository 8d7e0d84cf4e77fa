"""What uplinks of LoRaWAN network servers have in common: when they were heard."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from ingest.formats.record import Stamp, Value

#: A gateway hears before its network server does, give or take how clocks differ.
DIFFER: Final = timedelta(minutes=5)
#: A gateway without a connection keeps uplinks no longer. GPS receivers that lose count
#: of the weeks are 1024 of them behind.
KEPT: Final = timedelta(days=31)


def heard_at(
    gateways: Sequence[tuple[Stamp, ...]], server: Sequence[tuple[Stamp, ...]]
) -> tuple[Stamp, ...]:
    """Put the times of an uplink in the order in which they are to be believed.

    Gateways know best when they heard it. All of them heard the same: where one is
    later than the network server, months behind it, or contradicts the one that is
    nearest to the server's, its clock is doubtful, and it goes last.
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
            not -KEPT <= each.time - received <= DIFFER
            or abs(each.time - nearest) > DIFFER
        )
        (doubtful if wrong else right).append(each._replace(doubtful=wrong))
    return (*right, *of_server, *doubtful)


def best_reception(receptions: list[Any]) -> dict[str, Value]:
    """Return signal strength (dBm) and signal to noise (dB) of the best reception."""
    known = [heard for heard in receptions if heard.rssi is not None]
    if not known:
        return {}
    best = max(known, key=lambda heard: heard.rssi)
    return {"rssi": best.rssi, "snr": best.snr}
