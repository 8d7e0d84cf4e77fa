"""Whatever is asked, by whomever: the API answers as its OpenAPI description says.

schemathesis makes requests of each operation from the description, right and wrong
ones. Some are of real places and with real values, so that they get past the first
check. Each is asked as every kind of viewer.
"""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final
from urllib.parse import unquote_plus

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from dashboards.app import create_web
from tests import parts, twins, walk
from tests.integration.test_access import (
    BODIES,
    BY_RECEIPT,
    NONE,
    REFUSED,
    ROUTES,
    TABLE,
    UNEQUAL,
    A,
    Access,
    B,
    Kind,
    opened,
)
from verkehrspuls.access.permissions import PERMISSIONS
from verkehrspuls.settings import Settings

KINDS: Final = (
    *("nobody", "planner of A", "operator", "token view", "token cases"),
    *("token readings", "token of B", "expired token"),
)
CHECKS: Final[list[Any]] = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
LABELS: Final = sorted(
    label
    for label, route in ROUTES.items()
    if getattr(route, "include_in_schema", False) and "{language" not in label
)
#: requests of each operation, if not said otherwise
FEW: Final = 4
#: what everybody sees
PUBLIC: Final = {
    "municipality": A,
    "site": "pariser-strasse",
    "corridor": "nordtangente-ost",
    "junction": "mainzer-tor",
    "kind": "means",
    "number": "1",
}
#: names of what is not for everybody
_NAME: Final = re.compile(rf"{twins.MARK}[\w-]*|bauhof|verborgen", re.IGNORECASE)


@pytest.fixture(scope="module")
def access(_plain: parts.Databases) -> Iterator[Access]:
    with opened(_plain) as access:
        yield access


def test_all_that_is_described_is_asked() -> None:
    assert set(operations()) == {label.replace(":path", "") for label in LABELS}


@pytest.mark.parametrize("label", LABELS)
def test_answers_are_as_described(
    access: Access, label: str, pytestconfig: pytest.Config
) -> None:
    number = pytestconfig.getoption("--requests")

    @settings(
        max_examples=number or FEW,
        derandomize=not number,
        phases=[Phase.reuse, Phase.generate, *([Phase.shrink] if number else [])],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases(label), town=st.sampled_from(["", "public", A, B]))
    def check(case: Case, town: str) -> None:
        place = PUBLIC if town == "public" else access.places.get(town, {})
        for name in walk.parts_of(case.path) & set(place):
            case.path_parameters[name] = place[name]
        check_everybody(access, label, case)

    check()


@cache
def operations() -> Mapping[str, APIOperation]:
    """What the API describes."""
    schema = schemathesis.openapi.from_dict(create_web(Settings()).openapi())
    found = [one for one in schema.get_all_operations() if isinstance(one, Ok)]
    return {one.ok().label: one.ok() for one in found}


@st.composite
def cases(draw: st.DrawFn, label: str) -> Case:
    """Draw a request, in part with values that mean something."""
    operation = operations()[label.replace(":path", "")]
    names = {one.name for one in operation.query}
    modes = [GenerationMode.POSITIVE]
    if names or operation.body or walk.parts_of(operation.path):
        modes.append(GenerationMode.NEGATIVE)
    case: Case = draw(st.sampled_from(modes).flatmap(operation.as_strategy))
    for name in sorted(names):
        values = (*walk.VALUES.get(name, ()), *twins.MORE.get(name, ()))
        if draw(st.booleans()) and values:
            case.query[name] = draw(st.sampled_from(values))
    if (body := BODIES.get(label)) and draw(st.booleans()):
        case.body, case.media_type = json.loads(body), "application/json"
    return case


def check_everybody(access: Access, label: str, case: Case) -> None:
    """Ask as every kind of viewer."""
    request = prepared(case)
    said = _names(unquote_plus(f"{request.url} {request.body!r}"))
    note(f"{request.method} {request.url} {request.body!r}")
    public = None
    for name in KINDS:
        kind = access.kinds[name]
        access.client.cookies.clear()
        answer = access.client.request(
            request.method or "",
            request.url or "",
            headers={**request.headers, **walk.TRACE, **kind.headers},
            content=request.body,
        )
        case.validate_response(answer, CHECKS)
        assert answer.status_code < 500, name
        seen = towns(kind, label)
        if B not in seen:
            shown = _names(answer.text) - said - _own(kind)
            assert not {one for one in shown if not seen or one == B}, name
        refused = answer.status_code in REFUSED
        if TABLE[label] in PERMISSIONS:
            assert seen or refused, name
        public = public or answer
        # without a period some are of the time of the request
        is_same = not label.endswith((*UNEQUAL, *BY_RECEIPT))
        if is_same and not seen and not refused:
            assert answer.content == public.content, name


def prepared(case: Case) -> Any:
    """Return the request as it is sent, without a credential."""
    sent = case.as_transport_kwargs("http://testserver")
    known = ("method", "url", "params", "headers", "cookies", "json", "data", "files")
    request = requests.Request(**{k: sent[k] for k in known if k in sent}).prepare()
    request.headers.pop("Authorization", None)
    return request


def towns(kind: Kind, label: str) -> frozenset[str]:
    """Return the towns of which something private may be in an answer."""
    needs = TABLE[label]
    if needs in PERMISSIONS:
        return kind.may.get(needs, NONE) if kind.is_token else NONE
    return kind.sees(label.split()[1])


def _own(kind: Kind) -> frozenset[str]:
    """Return the towns of a credential, which may be told of them."""
    return NONE.union(*kind.may.values())


def _names(text: str) -> set[str]:
    return {name.lower() for name in _NAME.findall(text)}
