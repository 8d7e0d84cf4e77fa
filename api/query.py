"""Refuse unknown query parameters.

A misspelt parameter would be ignored, and one given twice would count once. The rule
covers each route that declares its parameters; the application has it as a dependency,
so that it covers all routes.
"""

from collections.abc import Iterator
from typing import Final

from fastapi import Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from api.errors import NotTaken
from api.problems import is_for_people
from verkehrspuls.access.provider import CALLBACK
from verkehrspuls.text import mark
from verkehrspuls.wording import nearest

#: Addresses for load balancers, some of which add a parameter to avoid caches, and what
#: providers of single sign-on answer to, some with parameters of their own.
PROBES: Final = frozenset({"/healthz", "/readyz"})
EXEMPT: Final = PROBES | {CALLBACK}
#: Parameters that mail programs and social networks append to shared links; pages
#: ignore them.
TRACKING: Final = ("utm_", "mc_", "mtm_", "pk_")
_TRACKING_NAMES: Final = frozenset(
    {"fbclid", "gclid", "dclid", "msclkid", "twclid", "igshid", "yclid", "_ga"}
)
_CUT: Final = 80
_MISSPELT: Final = mark(
    "There is no parameter {}; did you mean {}? The address takes {}"
)
_UNKNOWN: Final = mark("There is no parameter {}; the address takes {}")
_NONE: Final = mark("There is no parameter {}; the address takes none")
_NUL: Final = mark("The parameter {} contains the character NUL")
_TWICE: Final = mark("The parameter {} is given more than once")


async def refuse_unknown(request: Request) -> None:
    """Refuse parameters that the route does not declare, come twice, or contain NUL.

    Some addresses are exempt: monitors add parameters, and would take a refusal for a
    failure.
    """
    if not request.url.query or request.url.path in EXEMPT:
        return
    known = taken(request.scope["route"])
    people = is_for_people(request.url.path)
    seen: set[str] = set()
    for name, value in request.query_params.multi_items():
        if people and is_tracking(name):
            continue
        if name not in known:
            raise _refused(name, *_unknown(name, known))
        if name in seen:
            raise _refused(name, _TWICE, (name,))
        if "\0" in value:
            # the database cannot compare it with anything
            raise _refused(name, _NUL, (name,))
        seen.add(name)


def is_tracking(name: str) -> bool:
    """Return whether others appended it to track who opens a link."""
    return name in _TRACKING_NAMES or name.startswith(TRACKING)


def taken(route: APIRoute) -> tuple[str, ...]:
    """Return the declared parameters of a route; none is a list."""
    return tuple(dict.fromkeys(_parameters(route.dependant)))


def _parameters(dependant: Dependant) -> Iterator[str]:
    for field in dependant.query_params:
        yield field.alias
    for inner in dependant.dependencies:
        yield from _parameters(inner)


def _unknown(name: str, known: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    shown, there = name[:_CUT], ", ".join(known)
    if not known:
        return _NONE, (shown,)
    if near := nearest(name, known):
        return _MISSPELT, (shown, near, there)
    return _UNKNOWN, (shown, there)


def _refused(name: str, text: str, values: tuple[str, ...]) -> NotTaken:
    return NotTaken(
        parameter=name[:_CUT], detail=text.format(*values), text=text, values=values
    )
