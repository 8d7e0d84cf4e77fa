"""Whatever is typed into forms, by whomever: no page fails."""

import hashlib
import re
from collections.abc import Iterator
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from tests import parts, people, served, walk, world
from tests.integration.test_access import ROUTES, TABLE
from tests.people import People
from verkehrspuls.settings import Access

FORMS: Final = sorted(
    label for label in TABLE if label in ROUTES and label.startswith("POST /{language")
)
TEMPLATES: Final = (parts.PROJECT / "dashboards").rglob("*.html")
NAMES: Final = sorted(
    {
        name
        for path in TEMPLATES
        for name in re.findall(r'name="([a-z_]+)"', path.read_text())
    }
)
#: one log-in for each form, all of one address
OFTEN: Final = Access(address_attempts_per_minute=1000)
PLACE: Final = {"language": "de", "account_id": "1", "number": "1"}
#: what forms contain when they are right
WORDS: Final = (
    *("", "1", "-1", "9" * 30, "on", "kaiserslautern", "administrator", "viewer"),
    *("confirmed", "comment", "keep", "view", "2026-03-02", people.ANNE),
    *(people.PASSWORD, "\ud7ff", "{", "%00"),
)
FIELDS: Final = st.dictionaries(
    st.sampled_from(NAMES), st.sampled_from(WORDS) | st.text(max_size=40), max_size=12
)


@pytest.fixture(scope="module")
def site(_plain: parts.Databases) -> Iterator[tuple[TestClient, People]]:
    with (
        _plain.fresh(world.build) as url,
        people.of(url) as them,
        TestClient(served.web(url, world.LAST), follow_redirects=False) as client,
    ):
        yield client, them


@pytest.mark.parametrize("label", FORMS)
def test_no_form_fails(
    site: tuple[TestClient, People], label: str, pytestconfig: pytest.Config
) -> None:
    client, them = site
    # of each form, for a form may end it
    email = f"person-{FORMS.index(label)}@example.org"
    them.put(email, ("administrator", "kaiserslautern"))
    session = them.log_in(email, settings=OFTEN)
    token = hashlib.sha256(f"form {session}".encode()).hexdigest()[:32]
    method, place = label.split()
    path = walk.plainly(method, place, ROUTES[label], PLACE).address
    number = pytestconfig.getoption("--requests")

    @settings(
        max_examples=number or 10,
        derandomize=not number,
        phases=[Phase.reuse, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(fields=FIELDS)
    def check(fields: dict[str, str]) -> None:
        note(f"POST {path} {fields}")
        for sent, cookie in ((fields, ""), ({**fields, "form_token": token}, session)):
            client.cookies.clear()
            headers = {"cookie": f"session={cookie}"} if cookie else {}
            answer = client.post(path, data=sent, headers=headers)
            assert answer.status_code < 500, answer.text

    check()
