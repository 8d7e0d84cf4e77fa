"""Reasons of anomaly cases that queries treat specially.

The records of the detectors (`analytics.detectors`) define the reasons; a test compares
these lists with them.
"""

from typing import Final

#: Reasons that name a case before any others, in order of priority.
BROKEN: Final = (
    "silent",
    "stuck",
    "zeros",
    "above-limit",
    "noise-without-cars",
    "cars-without-noise",
    "level-up",
    "level-down",
    "drift-up",
    "drift-down",
)
#: Short, distinct events on the street.
STREET_EVENTS: Final = (
    "incident-speed",
    "incident",
    "congestion",
    "no-traffic",
    "spike",
)
#: Order of priority independent of duration.
PRIORITY: Final = (*BROKEN, *STREET_EVENTS)

#: Reasons for which values are suspected to be a sensor's fault.
FAULTS: Final = ("stuck", "zeros", "no-traffic")
#: Health verdicts for which the values of a whole day are suspected.
FAULT_VERDICTS: Final = (
    "out-of-range",
    "zero-count",
    "card-off",
    "high-value",
    "intermittent",
    "constant",
    "frozen",
)
