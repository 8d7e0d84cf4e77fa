"""Vehicle classes after TLS 8+1, with bicycle and pedestrian, and class schemes.

A count interval is stored wide: one column per class, NULL where the sensor cannot
tell the class or did not report it. NULL is unknown and never zero.

Source of the classes: BASt, "Grundklassifizierung nach TLS 2012".
"""

from typing import Final

#: Motor vehicle classes, TLS 8+1 in the order of the table.
MOTOR_CLASSES: Final = (
    "unclassified",
    "motorcycle",
    "car",
    "van",
    "car_trailer",
    "truck",
    "truck_trailer",
    "articulated",
    "bus",
)
#: Schwerverkehr (SV) = Güterverkehr (truck, truck_trailer, articulated) + bus.
#: `car_trailer` is lorry-like in the 2-class scheme but not heavy.
HEAVY_CLASSES: Final = ("truck", "truck_trailer", "articulated", "bus")

#: Every class a payload may name.
CLASSES: Final = (*MOTOR_CLASSES, "bicycle", "pedestrian")

#: The count columns of readings and volumes; `total` where a sensor knows no classes.
COUNTS: Final = ("total", *CLASSES)

#: Class schemes: which classes a sensor can tell apart.
SCHEMES: Final[dict[str, tuple[str, ...]]] = {
    "tls-8+1": MOTOR_CLASSES,
    "total": ("total",),
    "length-2": ("car", "truck"),
    "bicycle": ("bicycle",),
    "pedestrian": ("pedestrian",),
}

#: The classes whose sum is the volume of a channel, by what the channel counts.
VOLUME_CLASSES: Final[dict[str, tuple[str, ...]]] = {
    "motor": ("total", *MOTOR_CLASSES),
    "bicycle": ("total", "bicycle"),
    "pedestrian": ("total", "pedestrian"),
}
