"""Reasons of anomaly cases that queries treat in a way of their own.

What a reason is says the record of its detector (`analytics.detectors`); a test holds
these lists to it.
"""

from typing import Final

#: Reasons that name a case whatever else was found, the first of them.
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
#: What is short and sharp on the street.
SHARP: Final = ("incident-speed", "incident", "congestion", "no-traffic", "spike")
#: The order where it does not matter how long something lasted.
NAMING: Final = (*BROKEN, *SHARP)

#: Reasons by which values are suspected to be of a sensor's fault, not measured.
FAULTS: Final = ("stuck", "zeros", "no-traffic")
#: Verdicts of health by which those of a whole day are.
FAULTY_DAYS: Final = (
    "out-of-range",
    "zero-count",
    "card-off",
    "high-value",
    "intermittent",
    "constant",
    "frozen",
)
