"""One file per detector: its `NAME`, the `REASONS` of its hits, and what finds them."""

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType


@cache
def detectors() -> dict[str, ModuleType]:
    """All detectors by name: the files here that have one."""
    modules = (
        import_module(f"{__name__}.{entry.name}")
        for entry in pkgutil.iter_modules(__path__)
    )
    return {module.NAME: module for module in modules if hasattr(module, "NAME")}
