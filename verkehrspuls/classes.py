"""Vehicle classes by TLS 8+1, with bicycle and pedestrian, and class schemes.

A count interval is stored wide: one column per class, NULL where the sensor cannot
distinguish the class or did not report it. NULL is unknown and never zero.

Source of the classes: BASt, "Grundklassifizierung nach TLS 2012".
"""

from collections.abc import Collection
from typing import Final

from verkehrspuls.text import mark

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

#: All classes that a payload may contain.
CLASSES: Final = (*MOTOR_CLASSES, "bicycle", "pedestrian")

#: Names of classes, after a number or as a heading.
CLASS_NAMES: Final = {
    "unclassified": mark("not classified"),
    "motorcycle": mark("motorcycles"),
    "car": mark("cars"),
    "van": mark("vans"),
    "car_trailer": mark("cars with trailer"),
    "truck": mark("lorries"),
    "truck_trailer": mark("lorries with trailer"),
    "articulated": mark("articulated lorries"),
    "bus": mark("buses"),
    "bicycle": mark("bicycles"),
    "pedestrian": mark("pedestrians"),
}

#: The count columns of readings and volumes; `total` for sensors without classes.
COUNTS: Final = ("total", *CLASSES)

#: Class schemes: the columns that a sensor fills, and which of TLS 8+1 each holds.
#: Schemes with fewer classes merge them, so that `car` of "tls-2+1" is the car-like
#: group (motorcycles too) and its `truck` the lorry-like one (cars with trailer too).
#: Sources: BASt for 8+1 and 5+1; that nk counts as car-like in two classes is common
#: practice, to be checked with the device.
_CAR_GROUP: Final = ("motorcycle", "car", "van")
_LORRY_LIKE: Final = ("car_trailer", "truck", "truck_trailer", "articulated", "bus")
CONTENTS: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "tls-8+1": {name: (name,) for name in MOTOR_CLASSES},
    "tls-5+1": {
        "unclassified": ("unclassified",),
        "car": _CAR_GROUP,
        "car_trailer": ("car_trailer",),
        "truck": ("truck",),
        "truck_trailer": ("truck_trailer", "articulated"),
        "bus": ("bus",),
    },
    "tls-2+1": {
        "unclassified": ("unclassified",),
        "car": _CAR_GROUP,
        "truck": _LORRY_LIKE,
    },
    "length-2": {"car": ("unclassified", *_CAR_GROUP), "truck": _LORRY_LIKE},
    "total": {"total": MOTOR_CLASSES},
    "bicycle": {"bicycle": ("bicycle",)},
    "pedestrian": {"pedestrian": ("pedestrian",)},
}
SCHEMES: Final = {scheme: tuple(columns) for scheme, columns in CONTENTS.items()}


def columns_of(scheme: str, wanted: Collection[str]) -> tuple[str, ...]:
    """Return the columns whose sum is exactly these classes of TLS 8+1.

    Empty if the scheme cannot separate them: two classes never yield heavy vehicles,
    because their `truck` includes cars with trailer.
    """
    found = {
        column: held
        for column, held in CONTENTS.get(scheme, {}).items()
        if set(wanted).issuperset(held)
    }
    return tuple(found) if set().union(*found.values()) == set(wanted) else ()


#: The classes whose sum is the volume of a channel, by what the channel counts.
VOLUME_CLASSES: Final[dict[str, tuple[str, ...]]] = {
    "motor": ("total", *MOTOR_CLASSES),
    "bicycle": ("total", "bicycle"),
    "pedestrian": ("total", "pedestrian"),
}
