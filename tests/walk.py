"""Every address of the application, asked with all of its parameters.

An address is asked with what it requires, and then with one more parameter at a time. A
parameter without an entry in `VALUES` fails: whoever adds one says what to ask it with.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from fastapi import FastAPI
from fastapi.routing import APIRoute, iter_route_contexts
from starlette.testclient import TestClient

from api import query

#: so that no two answers differ by the number of their request
TRACE: Final = {"traceparent": f"00-{'7' * 32}-{'7' * 16}-01"}
#: what differs from one request to the next
VARYING: Final = frozenset({"server-timing", "date"})
_PLACE: Final = re.compile(r"{(\w+)(?::\w+)?}")

#: Values of parameters, by name; the first one is asked where a parameter is required.
VALUES: Final[dict[str, Sequence[str]]] = {
    "from": ("2026-03-01",),
    "to": ("2026-03-03", "2026-03-04"),
    "until": ("2026-03-03",),
    "period": ("yesterday", "30d"),
    "day": ("2026-03-02", "x"),
    "known_at": ("2026-03-04T00:00:00Z",),
    "measure": ("2026-03-02",),
    "middle": ("2026-03-02",),
    "first": ("2026-03-02",),
    "last": ("2026-03-03",),
    "with_first": (),
    "with_last": (),
    "weeks": ("1",),
    "bin": ("PT1H", "PT15M", "P1D"),
    "format": ("json", "csv", "csv-de", "csv-en", "parquet"),
    "quantity": ("motor", "bicycle", "no2_ugm3"),
    "index": ("uba-2025",),
    "direction": ("all", "ost"),
    "limit_kmh": ("30",),
    "capacity": ("1000",),
    "profile": ("nirgends",),
    "open": ("true", "false"),
    "current": ("true",),
    "history": ("true",),
    "silent": ("true",),
    "town": ("kaiserslautern", "zwillingen"),
    "state": ("suspected", "confirmed"),
    "severity": ("low",),
    "mine": ("1",),
    "person": ("a",),
    "action": ("site",),
    "key": ("zwillingen",),
    "below": ("9",),
    "select": ("all",),
    "done": ("comment",),
    "count": ("1",),
    "hours": ("1",),
    "effect": ("keep",),
    "comment": ("Gesehen",),
    "next": ("/de/",),
    "target": ("/de/",),
    "proves": ("1",),
    "search": ("a",),
    "limit": ("1",),
    "language": ("de", "en"),
    "dry_run": ("true",),
    "skip": ("1",),
    "kind": ("site",),
    "page": ("1", "2"),
    "sensor": ("camera",),
    "condition": ("silent",),
    "site": ("pariser-strasse",),
    "channel": ("ost-1",),
    "received": ("2026-03-02T12:00:00Z",),
    "told": ("1",),
    "at": ("2026-03-02T12:00:00Z",),
    "sort": ("name",),
    "number": ("1",),
    "sender": ("vp/v1/kaiserslautern/neu",),
    "of": ("series", "days", "noise"),
    "topic": ("vp/v1/kaiserslautern/neu",),
}
#: asked besides the address itself
HEADERS: Final[dict[str, Sequence[str]]] = {
    "/series": ("text/csv", "application/vnd.apache.parquet")
}


class Asked(NamedTuple):
    """A request."""

    method: str
    address: str
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""


class Answer(NamedTuple):
    """What came back; headers without those that vary."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def routes(app: FastAPI) -> Iterator[tuple[str, str, Any]]:
    """Yield method, path and route of every address, also outside of the schema."""
    for context in iter_route_contexts(app.routes):
        for method in sorted((context.methods or set()) - {"HEAD"}):
            yield method, context.path or "", context.original_route


def open_reads(app: FastAPI) -> Iterator[tuple[str, dict[str, Any]]]:
    """The parts of the API that are read without a token: path and operation."""
    for path, operations in app.openapi()["paths"].items():
        if "get" in operations and "security" not in operations["get"]:
            yield path, operations["get"]


def addresses(
    app: FastAPI,
    wholly: Sequence[Mapping[str, str]],
    plainly: Sequence[Mapping[str, str]] = (),
    **more: Sequence[str],
) -> Iterator[Asked]:
    """Yield the requests for each address that is read.

    Places give the parts of paths: an address is asked of each place that has all of
    its parts, `wholly` with every parameter, `plainly` with what it requires. `more`
    are further values of parameters.
    """
    for method, path, route in routes(app):
        if method != "GET":
            continue
        # a part that no place has is asked as `x`
        parts = parts_of(path) & {
            part for place in (*wholly, *plainly) for part in place
        }
        queries = list(_queries(route, more))
        asked: dict[Asked, None] = {}
        for places, chosen in ((wholly, queries), (plainly, queries[:1])):
            for place in places:
                if parts <= {*place}:
                    address = _filled(path, place)
                    asked |= dict.fromkeys(_asked(address, chosen))
        assert asked, f"no place for {path}"
        yield from asked


def plainly(method: str, path: str, route: Any, place: Mapping[str, str]) -> Asked:
    """Return the request for an address, of a place, with what it requires."""
    return Asked(method, _filled(path, place) + _query(_base(route, VALUES)))


def parts_of(path: str) -> set[str]:
    """Return the variable parts of a path."""
    return set(_PLACE.findall(path))


def _filled(path: str, place: Mapping[str, str]) -> str:
    return _PLACE.sub(lambda part: place.get(part[1], "x"), path)


def _asked(address: str, queries: Sequence[str]) -> Iterator[Asked]:
    for each in queries:
        yield Asked("GET", address + each)
    for ending, accepted in HEADERS.items():
        if address.endswith(ending):
            for accept in accepted:
                yield Asked("GET", address + queries[0], (("accept", accept),))


def _queries(route: Any, more: Mapping[str, Sequence[str]]) -> Iterator[str]:
    """What is required, and then each value of each parameter."""
    taken = query.taken(route) if isinstance(route, APIRoute) else ()
    values = {name: (*VALUES.get(name, ()), *more.get(name, ())) for name in taken}
    for name in taken:
        assert name in VALUES or name in more, f"no value for the parameter {name}"
    base = _base(route, values)
    asked = dict.fromkeys([_query(base)])
    for name in taken:
        for value in values[name]:
            asked[_query(base | {name: value})] = None
    yield from asked


def _base(route: Any, values: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """What is required, and the period."""
    taken = query.taken(route) if isinstance(route, APIRoute) else ()
    always = {"from", "to"} | _required(route)
    return {name: values[name][0] for name in taken if name in always}


def _required(route: Any) -> set[str]:
    if not isinstance(route, APIRoute):
        return set()
    return {
        field.alias
        for field in route.dependant.query_params
        if field.field_info.is_required()
    }


def _query(given: Mapping[str, str]) -> str:
    words = "&".join(f"{name}={value}" for name, value in given.items())
    return words and f"?{words}"


def ask(client: TestClient, asked: Asked, **headers: str) -> Answer:
    """Ask once."""
    client.cookies.clear()
    found = client.request(
        asked.method,
        asked.address,
        headers=TRACE | dict(asked.headers) | headers,
        content=asked.body.encode() or None,
    )
    kept = ((k, v) for k, v in found.headers.items() if k not in VARYING)
    return Answer(found.status_code, tuple(sorted(kept)), found.content)
