"""One file per detector: what finds its hits, and its record `DETECTOR`."""

import pkgutil
from functools import cache
from importlib import import_module

from analytics.detectors.record import Detector, Reason


@cache
def detectors() -> dict[str, Detector]:
    """Load all detectors by code, in that order: the records of the files here."""
    modules = (
        import_module(f"{__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(__path__)
    )
    found: list[Detector] = [
        module.DETECTOR for module in modules if hasattr(module, "DETECTOR")
    ]
    return {one.code: one for one in sorted(found, key=lambda one: one.code)}


def reasons() -> dict[str, Reason]:
    """Return all reasons of hits, by code."""
    return {one.code: one for each in detectors().values() for one in each.reasons}
