"""One file per group of endpoints, with its `router`, found by its file.

`ORDER` is its place in the OpenAPI document, by default the last. `MODELS` are models
of answers that a route renders itself and names in the document.
"""

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Final

LAST: Final = 1000


@cache
def resources() -> tuple[ModuleType, ...]:
    """Load all files here, in the order of the OpenAPI document."""
    modules = (
        import_module(f"{__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(__path__)
    )
    return tuple(sorted(modules, key=lambda one: getattr(one, "ORDER", LAST)))
